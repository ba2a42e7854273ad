"""The notebooks as pages of the manual: copied below ``docs/tutorials`` when it is built."""

from __future__ import annotations

import shutil
from pathlib import Path

from sphinx.application import Sphinx


def copy_notebooks(app: Sphinx) -> None:
    """Copy every notebook that is newer than its page."""
    source = Path(app.srcdir).parent / "notebooks"
    target = Path(app.srcdir) / "tutorials" / "notebooks"
    target.mkdir(exist_ok=True)
    wanted = {path.name: path for path in sorted(source.glob("*.ipynb"))}
    for page in target.glob("*.ipynb"):
        if page.name not in wanted:
            page.unlink()
    for name, path in wanted.items():
        page = target / name
        if not page.exists() or page.read_bytes() != path.read_bytes():
            shutil.copyfile(path, page)


def setup(app: Sphinx) -> dict[str, bool]:
    """Copy before Sphinx looks for pages."""
    app.connect("config-inited", lambda app, _config: copy_notebooks(app))
    return {"parallel_read_safe": True, "parallel_write_safe": True}
