"""Panel takes each change of a widget 50 ms late.

Without this: who ticks a box and then types a value at once has the value taken as if the box
had not been ticked.

Versions: Panel 1.9.4 and before. The time cannot be set but on the class of a component.
"""

from __future__ import annotations

from panel.reactive import Syncable


def take_at_once(component: Syncable) -> None:
    """Take changes that the browser makes to a component when they arrive."""
    component._debounce = 0  # type: ignore[misc]
