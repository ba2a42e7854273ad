"""Draw the rooms of the package, and which imports which, as an SVG file.

    python tools/draw_rooms.py [--out docs/developers/rooms.svg]

A room is a package folder of core, explorer or apps, or a module beside them. Its floor is the
longest way down to a room that imports nothing; an arrow that other arrows imply is left out; one
that closes a circle is red. Read from the sources as they are: nothing is imported.
"""

from __future__ import annotations

import argparse
import ast
from collections import defaultdict
from collections.abc import Iterator
from html import escape
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
OUT = ROOT / "docs" / "developers" / "rooms.svg"
LAYERS = ("apps", "explorer", "core")
COLOURS = {"apps": "#f3e3c3", "explorer": "#cfe3f3", "core": "#d6ead2"}
WIDTH, ROW, BOX_HEIGHT, CHARACTER = 1180, 74, 30, 7.4

Room = tuple[str, str]
"""Layer, and folder or module in it."""


def room_of(parts: tuple[str, ...]) -> Room | None:
    """Return the room of a module by the parts of its path below the repository."""
    if len(parts) < 2 or parts[0] not in LAYERS:
        return None
    return parts[0], parts[1].removesuffix(".py")


def imported(path: Path) -> Iterator[tuple[str, ...]]:
    """Yield the paths, as parts, that the relative imports of a module lead to."""
    folder = path.relative_to(ROOT).parent.parts
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.level:
            above = folder[: len(folder) - node.level + 1]
            base = (*above, *(node.module.split(".") if node.module else ()))
            for alias in node.names:
                yield (*base, alias.name)


def exists(room: Room) -> bool:
    """Return whether there is a folder or a module of that name."""
    folder = ROOT / room[0] / room[1]
    return folder.is_dir() or folder.with_suffix(".py").is_file()


def arrows() -> dict[Room, set[Room]]:
    """Return the rooms that each room imports."""
    out: dict[Room, set[Room]] = {}
    for layer in LAYERS:
        for path in sorted((ROOT / layer).rglob("*.py")):
            room = room_of(path.relative_to(ROOT).parts)
            if room is None or room[1] == "__init__":
                continue
            out.setdefault(room, set())
            for parts in imported(path):
                other = room_of(parts)
                if other is not None and other != room and exists(other):
                    out[room].add(other)
    return out


def without_circles(graph: dict[Room, set[Room]]) -> tuple[dict[Room, set[Room]], set]:
    """Return the graph without the arrows that close a circle, and these."""
    kept: dict[Room, set[Room]] = {room: set() for room in graph}
    closing: set[tuple[Room, Room]] = set()
    done: set[Room] = set()

    def follow(room: Room, path: tuple[Room, ...]) -> None:
        for other in sorted(graph[room]):
            if other in path:
                closing.add((room, other))
                continue
            kept[room].add(other)
            if other not in done:
                follow(other, (*path, other))
        done.add(room)

    for room in sorted(graph):
        if room not in done:
            follow(room, (room,))
    return kept, closing


def reach(graph: dict[Room, set[Room]]) -> dict[Room, set[Room]]:
    """Return all rooms below each room."""
    found: dict[Room, set[Room]] = {}

    def below(room: Room) -> set[Room]:
        if room not in found:
            found[room] = set(graph[room]).union(*(below(other) for other in graph[room]))
        return found[room]

    for room in graph:
        below(room)
    return found


def floors(graph: dict[Room, set[Room]]) -> list[list[Room]]:
    """Return the rooms by floor, from the top; layers do not share a floor."""
    heights: dict[Room, int] = {}

    def height(room: Room) -> int:
        if room not in heights:
            same = [height(other) for other in graph[room] if other[0] == room[0]]
            heights[room] = 1 + max(same, default=-1)
        return heights[room]

    out = []
    for layer in LAYERS:
        rows = defaultdict(list)
        for room in graph:
            if room[0] == layer:
                rows[height(room)].append(room)
        out += [sorted(rows[level]) for level in sorted(rows, reverse=True)]
    return out


def place(rows: list[list[Room]]) -> dict[Room, tuple[float, float, float]]:
    """Return centre, top and width of every box; long floors take two lines."""
    places = {}
    top = 20.0
    for row in rows:
        lines, line, used = [], [], 0.0
        for room in row:
            width = CHARACTER * len(room[1]) + 22
            if line and used + width + 16 > WIDTH - 110:
                lines.append((line, used))
                line, used = [], 0.0
            line.append((room, width))
            used += width + 16
        lines.append((line, used))
        for number, (line, used) in enumerate(lines):
            left = 90 + (WIDTH - 90 - used) / 2
            for room, width in line:
                places[room] = (left + width / 2, top, width)
                left += width + 16
            top += BOX_HEIGHT + 10 if number + 1 < len(lines) else 0
        top += ROW
    return places


def draw() -> str:
    """Return the drawing as SVG."""
    graph, closing = without_circles(arrows())
    below = reach(graph)
    rows = floors(graph)
    places = place(rows)
    bottom = max(y for _, y, _ in places.values()) + BOX_HEIGHT + 20
    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {bottom:.0f}" '
        'font-family="sans-serif" font-size="13">',
        "<title>Rooms of spectrabridge and their imports</title>",
        f'<rect width="{WIDTH}" height="{bottom:.0f}" fill="#ffffff"/>',
    ]
    for layer in LAYERS:
        tops = [y for room, (_, y, _) in places.items() if room[0] == layer]
        low, high = min(tops) - 12, max(tops) + BOX_HEIGHT + 12
        out.append(
            f'<rect x="8" y="{low:.0f}" width="{WIDTH - 16}" height="{high - low:.0f}" rx="8" '
            f'fill="{COLOURS[layer]}" fill-opacity="0.35"/>'
            f'<text x="20" y="{low + 22:.0f}" font-weight="bold" fill="#333">{layer}</text>'
        )
    lines = {
        (room, other)
        for room, others in graph.items()
        for other in others
        if room[0] == other[0] and not any(other in below[third] for third in others - {other})
    }
    for (room, other), colour in [
        *((pair, "#8a97a3") for pair in sorted(lines)),
        *((pair, "#c62828") for pair in sorted(closing)),
    ]:
        (x1, y1, _), (x2, y2, _) = places[room], places[other]
        start, end = (y1 + BOX_HEIGHT, y2) if y2 > y1 else (y1, y2 + BOX_HEIGHT)
        middle = (start + end) / 2
        out.append(
            f'<path d="M{x1:.0f} {start:.0f} C{x1:.0f} {middle:.0f} {x2:.0f} {middle:.0f} '
            f'{x2:.0f} {end:.0f}" fill="none" stroke="{colour}" stroke-width="1.1"/>'
        )
    for (layer, name), (x, y, width) in places.items():
        out.append(
            f'<rect x="{x - width / 2:.1f}" y="{y:.0f}" width="{width:.1f}" height="{BOX_HEIGHT}" '
            f'rx="6" fill="{COLOURS[layer]}" stroke="#5b6770"/>'
            f'<text x="{x:.1f}" y="{y + 20:.0f}" text-anchor="middle" fill="#111">'
            f"{escape(name)}</text>"
        )
    return "\n".join([*out, "</svg>"]) + "\n"


def main() -> None:
    """Write the drawing."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=OUT)
    out = parser.parse_args().out
    text = draw()
    if not out.exists() or out.read_text(encoding="utf-8") != text:
        out.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
