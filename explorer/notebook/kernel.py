"""The kernel that runs a notebook: whether there is one, and how it is made ready."""

from __future__ import annotations

import asyncio
import os
import sys
from typing import Any

import panel as pn

from ..session.document_lock import use_kernel
from ..session.messages import handle_exception
from ..workarounds.loaded_extension import extension_is_loaded


def _kernel() -> Any:
    """Return IPython's shell if it runs in a kernel, else None."""
    if "IPython" not in sys.modules:
        return None
    from IPython import get_ipython

    shell = get_ipython()
    return shell if getattr(shell, "kernel", None) is not None else None


def in_kernel() -> bool:
    """Tell whether this is the kernel of a notebook."""
    return _kernel() is not None


_prepared = False


def prepare() -> None:
    """Make the notebook ready: load what the browser needs from this machine alone.

    Outside a notebook nothing happens. ``pn.extension`` may have been called before, with the
    comm of one's choice.
    """
    global _prepared
    shell = _kernel()
    if shell is None or _prepared:
        return
    _prepared = True
    if not extension_is_loaded():
        # Panel asks the environment first.
        os.environ["PANEL_INLINE"] = "true"
        pn.extension()
    pn.config.exception_handler = handle_exception
    use_kernel(asyncio.get_event_loop())
