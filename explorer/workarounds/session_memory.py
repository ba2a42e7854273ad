"""Let go of what Bokeh, Param and Panel keep for every part of a page in case it changes.

Bokeh makes an empty container for each list, set and mapping that a model might hold, and Param
a copy of each parameter that a component has been asked for. Most stay as they are made, and
both libraries make them again where they miss them. They are 40 % of the memory of a session.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from typing import Any

import panel_material_ui as pmui
import param
from bokeh.core.property.wrappers import PropertyValueContainer
from bokeh.model import Model
from param.parameterized import Comparator

LONG = 100
"""Characters of a text that is worth sharing."""

_OWN = ("owner", "watchers")
"""What is different in every copy of a parameter."""


def lighten_session(models: Iterable[Model], components: Sequence[param.Parameterized]) -> None:
    """Let go of all of it, for a page that a server shows and a browser has."""
    models = list(models)
    drop_empty_defaults(models)
    share_texts(models)
    drop_plain_copies(components)
    unlink_what_stays(components)
    unwatch_what_stays(components)


def drop_empty_defaults(models: Iterable[Model]) -> int:
    """Drop empty containers that nobody has set; return how many there were.

    Who wants to fill one has to ask its model for it, which makes it anew; one that was asked
    for before is no longer the model's.
    """
    dropped = 0
    for model in models:
        defaults = model._unstable_default_values
        for name in [k for k, v in defaults.items() if _is_empty(v)]:
            del defaults[name]
            dropped += 1
    return dropped


def _is_empty(value: Any) -> bool:
    return isinstance(value, PropertyValueContainer) and not value  # type: ignore[truthy-bool]


def share_texts(models: Iterable[Model]) -> None:
    """Have scripts be the same objects in all sessions."""
    for model in models:
        values = model._property_values
        for name, value in values.items():
            if type(value) is str and len(value) > LONG:
                values[name] = sys.intern(value)


def drop_plain_copies(components: Iterable[param.Parameterized]) -> int:
    """Drop copies of parameters that say what their class says; return how many there were.

    One that is watched, or has bounds or options of its own, stays.
    """
    dropped = 0
    for component in components:
        copies = component._param__private.params
        of_class = type(component).param.objects(instance=False)
        for name in [k for k, copy in copies.items() if _is_plain(copy, of_class.get(k))]:
            del copies[name]
            dropped += 1
    return dropped


TELLS: dict[type, frozenset[str]] = {
    pmui.Button: frozenset({"clicks"}),
    pmui.Checkbox: frozenset({"value"}),
    pmui.RadioButtonGroup: frozenset({"value"}),
    pmui.Toggle: frozenset({"value"}),
    pmui.Typography: frozenset(),
}
"""What a browser tells of components, by their class."""


def unlink_what_stays(components: Iterable[param.Parameterized]) -> None:
    """Stop following settings of components that no browser changes, such as margins.

    Panel listens to each of them, two dozen for a button. What Python changes is sent as before.
    """
    for component in components:
        told = TELLS.get(type(component))
        if told is None:
            continue
        for model, _ in component._models.values():  # type: ignore[attr-defined]
            followed = model.data._callbacks
            for name in [name for name in followed if name not in told]:
                del followed[name]


SETTLED = (
    *("sizing_mode", "width_policy", "height_policy", "align", "aspect_ratio", "margin"),
    *("min_width", "min_height", "max_width", "max_height", "scroll", "design"),
    *("css_classes", "styles", "stylesheets", "tags", "use_shadow_dom", "name"),
)
"""What of a component is as it was built for as long as the explorer shows it."""


def unwatch_what_stays(components: Iterable[param.Parameterized]) -> None:
    """Stop watching settings that nothing changes once a page has been built.

    Panel watches each setting of each component by a list in a dictionary of its own; these are
    two thirds of them. A change of one of them does not reach the browser any more.
    """
    for component in components:
        for part in (component, getattr(component, "layout", None)):
            if not isinstance(part, param.Parameterized):
                continue
            watchers = part._param__private.watchers
            for name in SETTLED:
                followers = watchers.get(name, {}).get("value", ())
                if followers and all(getattr(w.fn, "__self__", None) is part for w in followers):
                    del watchers[name]


def _is_plain(copy: param.Parameter, original: param.Parameter | None) -> bool:
    if original is None or copy.watchers:
        return False
    return all(
        _same(getattr(copy, slot), getattr(original, slot))
        for slot in type(copy)._all_slots_
        if slot not in _OWN
    )


def _same(one: Any, other: Any) -> bool:
    """Tell whether two settings are equal; arrays, models and others only if they are one."""
    return one is other or (type(one) is type(other) and Comparator.is_equal(one, other))
