"""A table whose rows can be sorted and chosen, by mouse or keyboard."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar, TypedDict

import param

from .browser_component import BrowserComponent

MOST_CHANGED = 40
"""Rows that are sent one by one, until all are sent anew."""


class Column(TypedDict):
    """A column of a :class:`DataTable`.

    Parameters
    ----------
    title : str
        What stands above it.
    group : str
        What stands above it and its neighbours of the same group; empty for none.
    number : bool
        Whether it holds numbers, which stand to the right.
    about : str
        Shown while the pointer is over the title.
    colour : str
        Of the title; empty for that of the text.
    """

    title: str
    group: str
    number: bool
    about: str
    colour: str


class Row(TypedDict):
    """A row of a :class:`DataTable`.

    Parameters
    ----------
    key : str
        Names the row.
    cells : list
        ``[text, value to sort by, explanation]`` for each column; values are numbers,
        texts, or None, which comes last.
    mark : str
        ``bad`` or ``quiet`` for another colour, else empty.
    """

    key: str
    cells: list[list[Any]]
    mark: str


class DataTable(BrowserComponent):
    """Rows of text that stay quick when there are thousands: only those in view are drawn.

    A click on a title sorts. With the focus in the table the arrow keys, Page Up, Page
    Down, Home and End choose another row.
    """

    label = param.String(default="", doc="What the table shows, for screen readers.")
    columns: list[Column] = param.List(default=[], doc="See Column.")  # type: ignore[assignment]
    rows: list[Row] = param.List(default=[], doc="See Row.")  # type: ignore[assignment]
    changed: list[Row] = param.List(  # type: ignore[assignment]
        default=[], doc="Rows in place of those of the same keys, so that not all are sent."
    )
    chosen = param.String(default="", doc="Key of the chosen row, empty for none.")
    selectable = param.Boolean(default=True, doc="Whether rows can be chosen.")
    sorting = param.List(
        default=[], doc="Column by which rows are sorted and 1 or -1; empty as they arrive."
    )
    row_height = param.Integer(default=22, doc="Height of a row, in pixels.")
    empty = param.String(default="", doc="What it says without rows.")

    from_browser = ("sorting", "chosen")

    _esm = Path(__file__).with_name("data_table.js")
    _stylesheets: ClassVar[list[Any]] = [Path(__file__).with_name("data_table.css")]

    def show_rows(self, rows: list[Row]) -> None:
        """Show these rows; if only a few are not as before, only those are sent."""
        old = self.rows
        different = [new for new, before in zip(rows, old, strict=False) if new != before]
        same = len(rows) == len(old) and all(
            new["key"] == before["key"] for new, before in zip(rows, old, strict=True)
        )
        if not same or len(different) > MOST_CHANGED:
            self.param.update(rows=rows, changed=[])
        elif different:
            with param.parameterized.discard_events(self):
                self.rows = rows
            sent = {row["key"]: row for row in [*self.changed, *different]}
            if len(sent) > MOST_CHANGED:
                self.param.update(rows=list(rows), changed=[])
                self.param.trigger("rows")
            else:
                self.changed = list(sent.values())

    @property
    def order(self) -> list[str]:
        """Keys of the rows in the order in which they are shown, for values that are numbers."""
        return [row["key"] for row in arranged(self.rows, self.sorting)]


def arranged(rows: list[Row], sorting: list[int]) -> list[Row]:
    """Return rows in the order in which a table shows them.

    Parameters
    ----------
    rows : list of Row
        Whose values in the column are numbers or None.
    sorting : list of int
        Column and direction, 1 or -1; empty for the order of arrival.
    """
    if not sorting:
        return list(rows)
    column, sign = sorting
    known = [row for row in rows if row["cells"][column][1] is not None]
    known.sort(key=lambda row: row["cells"][column][1], reverse=sign < 0)
    return known + [row for row in rows if row["cells"][column][1] is None]
