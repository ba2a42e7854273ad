"""Bundles that are open in this process, each once, shared by all sessions."""

from __future__ import annotations

from threading import Lock

from ...core.bundle import Bundle, list_bundles, open_bundle
from ..computed.derivatives import DerivativeCache

_open: dict[str, tuple[Bundle, DerivativeCache]] = {}
_lock = Lock()


def shared_bundle(name: str | None = None) -> tuple[str, Bundle, DerivativeCache]:
    """Return a bundle and the derivatives computed with its model so far.

    Parameters
    ----------
    name : str, optional
        A shipped name, or the path of a folder or zip file; the default bundle if not
        given.

    Returns
    -------
    key : str
        What to ask for to get the same bundle again.
    bundle : Bundle
        The bundle; its model is ready.
    derivatives : DerivativeCache
        Shared by all views of the model.

    Raises
    ------
    BundleError
        If the bundle cannot be opened.
    """
    with _lock:
        if name is None or name not in _open:
            bundle = open_bundle(name)
            name = name or bundle.name
            if name not in _open:
                _open[name] = (bundle, DerivativeCache(bundle.model))
        return name, *_open[name]


def titles() -> dict[str, str]:
    """Return keys of the bundles that can be chosen, by what to call them."""
    listed = {bundle.name: bundle.name for bundle in list_bundles()}
    with _lock:
        opened = {bundle.name: key for key, (bundle, _) in _open.items()}
    return listed | opened
