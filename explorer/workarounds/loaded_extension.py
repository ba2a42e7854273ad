"""Panel does not tell whether its extension has been loaded in a notebook.

Without this: it is loaded twice, 5 MB each time, and what was asked for the first time is lost.

Versions: Panel 1.9.4 and before.
"""

from __future__ import annotations

import panel as pn


def extension_is_loaded() -> bool:
    """Tell whether ``pn.extension`` has been called, and its code lies in the notebook."""
    return bool(pn.extension._loaded and pn.config.inline)
