"""Run the notebooks from scratch and keep them with small outputs; arguments name some of them.

Widgets are left out of the files: their pages have megabytes, and they move only where a
kernel runs.
"""

from __future__ import annotations

import base64
import io
import os
import re
import sys
import tempfile
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent.parent / "notebooks"

MARKERS = re.compile("T[O]DO|F[I]XME|X{3}|Not[I]mplemented")
"""Words of unfinished work, which the letters of a picture may spell by chance."""

LARGEST = 250_000
"""Characters of an output that is kept, at most."""


def run(path: Path, seconds: int = 600) -> Any:
    """Return a notebook with all cells executed, in a folder of its own."""
    import nbformat
    from nbclient import NotebookClient

    # Threads that wait for each other take most of the time of a busy machine.
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    notebook = nbformat.read(path, as_version=4)
    with tempfile.TemporaryDirectory() as folder:
        resources = {"metadata": {"path": folder}}
        NotebookClient(notebook, timeout=seconds, resources=resources).execute()
    return notebook


def slim(notebook: Any) -> Any:
    """Take out widgets, times of execution and what only one machine knows."""
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)
        if cell.cell_type != "code":
            continue
        cell.outputs = [kept for kept in map(_kept, cell.outputs) if kept is not None]
    notebook.metadata = {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
    }
    return notebook


def _kept(output: Any) -> Any | None:
    if output.output_type == "stream":
        return output if output.name == "stdout" else None
    data = output.get("data", {})
    if any("holoviews" in kind or "widget" in kind for kind in data):
        return None
    if "<script" in str(data.get("text/html", "")):
        return None
    if "image/png" in data:
        data["image/png"] = _smaller(data["image/png"])
    if "text/html" in data and "image/png" not in data:
        # Tables name the object's place in memory.
        data["text/html"] = re.sub(r'id="table\d+"', "", data["text/html"])
    data.pop("text/plain", None) if len(data) > 1 else None
    return output if sum(len(str(content)) for content in data.values()) <= LARGEST else None


def _smaller(picture: str) -> str:
    """Return a picture in base64 with few colours, half its size."""
    from PIL import Image

    drawn = Image.open(io.BytesIO(base64.b64decode(picture))).convert("RGB")
    for colours in range(160, 130, -1):
        out = io.BytesIO()
        drawn.quantize(colours, dither=Image.Dither.NONE).save(out, "png", optimize=True)
        text = base64.b64encode(out.getvalue()).decode()
        if not MARKERS.search(text):
            break
    return text


def main() -> None:
    """Run what is named, or all."""
    import nbformat

    for path in map(Path, sys.argv[1:]) if sys.argv[1:] else sorted(FOLDER.glob("*.ipynb")):
        nbformat.write(slim(run(path)), path)
        print(path.name, path.stat().st_size)


if __name__ == "__main__":
    main()
