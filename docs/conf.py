"""Settings of Sphinx for the manual; ``make docs`` builds it, without a network."""

from __future__ import annotations

import sys
from pathlib import Path

from spectrabridge.core.version import __version__

sys.path.insert(0, str(Path(__file__).parent / "_ext"))

project = "spectrabridge"
author = "The spectrabridge developers"
project_copyright = author
version = release = __version__

extensions = [
    "myst_nb",
    "numpydoc",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx_click",
    "api_pages",
    "mathml",
    "notebook_pages",
]
exclude_patterns = ["_build", "_ext", "gallery"]
default_role = None
nitpicky = False
# Pages may be read where there is no network: no extension that fetches inventories or scripts.
myst_enable_extensions = ["dollarmath", "colon_fence", "deflist", "attrs_inline"]
myst_heading_anchors = 3
nb_execution_mode = "off"
suppress_warnings = ["mystnb.unknown_mime_type"]

autodoc_typehints = "none"
autodoc_member_order = "bysource"
autodoc_mock_imports = ["pysme"]
autosummary_generate = False
numpydoc_show_class_members = False
numpydoc_xref_param_type = False

html_theme = "pydata_sphinx_theme"
html_title = f"spectrabridge {version}"
html_static_path = ["_static"]
html_css_files = ["manual.css"]
html_show_sourcelink = False
html_copy_source = False
html_theme_options = {
    "navigation_with_keys": False,
    "show_prev_next": False,
    "navbar_align": "left",
    "header_links_before_dropdown": 7,
    "show_toc_level": 2,
    "footer_start": ["copyright"],
    "footer_end": [],
    "secondary_sidebar_items": ["page-toc"],
}
