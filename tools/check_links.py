"""Follow every link inside the manual and from the Markdown files of the repository.

    python tools/check_links.py docs/_build/html

Prints what is broken, and what a page would fetch from another machine; exits with 1 if there
is any of it. Links to other sites are counted and not followed: this works without a network.
"""

from __future__ import annotations

import re
import sys
from collections import Counter
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

ROOT = Path(__file__).resolve().parents[1]
FETCHING = {"script": "src", "img": "src", "iframe": "src", "source": "src", "link": "href"}
"""Attributes that make a browser fetch something while it opens a page."""

FETCHED_LINKS = {"stylesheet", "icon", "preload", "shortcut icon", "manifest"}


class Page(HTMLParser):
    """Targets, anchors and fetched addresses of one page."""

    def __init__(self) -> None:
        super().__init__()
        self.targets: list[str] = []
        self.fetched: list[str] = []
        self.anchors: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note what a tag names, links to or fetches."""
        values = {key: value or "" for key, value in attrs}
        self.anchors |= {values[key] for key in ("id", "name") if values.get(key)}
        if tag == "a" and values.get("href"):
            self.targets.append(values["href"])
        attribute = FETCHING.get(tag, "")
        if tag == "link" and values.get("rel") not in FETCHED_LINKS:
            return
        if values.get(attribute):
            self.fetched.append(values[attribute])


def read_pages(folder: Path) -> dict[Path, Page]:
    """Return all pages of a built manual, without the theme's templates."""
    pages = {}
    for path in sorted(folder.rglob("*.html")):
        if "_static" in path.relative_to(folder).parts:
            continue
        pages[path] = Page()
        pages[path].feed(path.read_text(encoding="utf-8"))
    return pages


def problems_of(pages: dict[Path, Page]) -> tuple[list[str], Counter[str]]:
    """Return broken links inside the manual, and how many links go to other sites."""
    wrong: list[str] = []
    outside: Counter[str] = Counter()
    for path, page in pages.items():
        for target in [*page.targets, *page.fetched]:
            parts = urlsplit(target)
            if parts.scheme == "data":
                continue
            if parts.scheme or parts.netloc:
                outside[parts.netloc or parts.scheme] += 1
                if target in page.fetched:
                    wrong.append(f"{path.name} fetches {target} from another machine")
                continue
            there = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            there = there / "index.html" if there.is_dir() else there
            if not there.exists():
                wrong.append(f"{path.name} links to {target}, which does not exist")
            elif there in pages and unquote(parts.fragment) not in pages[there].anchors | {""}:
                wrong.append(f"{path.name} links to {target}, where nothing has that name")
    return wrong, outside


def markdown_problems(root: Path) -> list[str]:
    """Return links of the repository's own Markdown files that lead to no file."""
    wrong = []
    for path in sorted(root.glob("*.md")):
        text = re.sub(r"```.*?```", "", path.read_text(encoding="utf-8"), flags=re.DOTALL)
        for target in re.findall(r"\]\(([^)\s]+)\)", text):
            parts = urlsplit(target)
            if not parts.scheme and parts.path and not (root / unquote(parts.path)).exists():
                wrong.append(f"{path.name} links to {target}, which does not exist")
    return wrong


def main() -> int:
    """Print what is wrong; return 1 if anything is."""
    if len(sys.argv) != 2 or not Path(sys.argv[1]).is_dir():
        print("Expected the folder of the built manual: check_links.py docs/_build/html")
        return 2
    pages = read_pages(Path(sys.argv[1]).resolve())
    wrong, outside = problems_of(pages)
    wrong += markdown_problems(ROOT)
    print("\n".join(wrong) or "No link is broken, and no page fetches anything.")
    n_inside = sum(len(page.targets) for page in pages.values()) - outside.total()
    print(f"{len(pages)} pages, {n_inside} links inside them, {outside.total()} to other sites.")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
