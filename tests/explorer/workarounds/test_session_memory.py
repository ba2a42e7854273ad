"""What sessions hold for nothing, and that nothing else is let go."""

import numpy as np
import panel as pn
import panel_material_ui as pmui
import param
import pytest
from bokeh.document import Document
from bokeh.models import ColumnDataSource, CustomJS

from spectrabridge.explorer.workarounds.session_memory import (
    drop_empty_defaults,
    drop_plain_copies,
    share_texts,
    unlink_what_stays,
    unwatch_what_stays,
)


class TestEmptyDefaults:
    def test_they_go_and_come_back_when_needed(self):
        source = ColumnDataSource({"x": [1]})
        assert drop_empty_defaults([source]) > 0
        assert drop_empty_defaults([source]) == 0
        assert source.js_property_callbacks == {}
        source.js_on_change("data", CustomJS(code="1"))
        drop_empty_defaults([source])
        assert len(source.js_property_callbacks["change:data"]) == 1
        assert source.data == {"x": [1]}

    def test_what_is_put_into_one_later_is_told(self):
        source = ColumnDataSource({"x": [1]})
        heard = []
        source.on_change("tags", lambda attr, old, new: heard.append(new))
        drop_empty_defaults([source])
        source.tags.append("here")
        assert source.tags == ["here"]
        assert heard == [["here"]]

    def test_the_browser_gets_the_same_document(self):
        document = Document()
        document.add_root(pn.Column(pmui.Button(label="b"), pn.pane.HTML("h")).get_root(document))
        before = document.to_json()
        drop_empty_defaults(document.models)
        assert document.to_json() == before


def test_long_texts_are_shared():
    code = ["return " + "1 + " * 50 + str(n) for n in (0, 0)]
    one, other = (CustomJS(code="".join(list(c))) for c in code)
    assert one.code is not other.code
    share_texts([one, other])
    assert one.code is other.code


class Thing(param.Parameterized):
    size = param.Number(default=1.0, bounds=(0, 2))
    options = param.Selector(default="a", objects=["a", "b"])
    array = param.Parameter(default=np.zeros(3))


class TestPlainCopies:
    def test_copies_that_say_nothing_of_their_own_go(self):
        thing = Thing()
        assert thing.param["size"] is not Thing.param["size"]
        assert thing.param["options"].objects == ["a", "b"]
        assert thing.param["array"] is not None
        assert drop_plain_copies([thing]) == 3
        thing.size = 1.5
        with pytest.raises(ValueError, match="size"):
            thing.size = 3

    def test_bounds_options_and_watchers_of_its_own_stay(self):
        thing, seen = Thing(), []
        thing.param["size"].bounds = (0, 10)
        thing.param["options"].objects = ["a", "b", "c"]
        thing.param.watch(seen.append, "array", what="constant")
        assert drop_plain_copies([thing]) == 0
        thing.size, thing.options = 7, "c"
        thing.param["array"].constant = True
        assert len(seen) == 1

    def test_values_are_watched_as_before(self):
        thing, seen = Thing(), []
        thing.param.watch(seen.append, "size")
        assert thing.param["size"].bounds == (0, 2)
        drop_plain_copies([thing])
        thing.size = 0.5
        assert seen[0].new == 0.5


@pytest.mark.parametrize(
    ("component", "name", "value"),
    [
        (pmui.Button(label="b"), "clicks", 1),
        (pmui.Toggle(label="t"), "value", True),
        (pmui.Checkbox(label="c"), "value", True),
        (pmui.RadioButtonGroup(options=["a", "b"], value="a"), "value", "b"),
    ],
    ids=["button", "toggle", "checkbox", "choice"],
)
def test_what_a_browser_tells_is_followed(component, name, value):
    document = Document()
    document.add_root(component.get_root(document))
    (model, _) = next(iter(component._models.values()))
    followed = len(model.data._callbacks)
    unlink_what_stays([component, pn.Column(component)])
    assert list(model.data._callbacks) == [name]
    assert followed > 5
    # And what Python says still arrives.
    component.disabled = True
    assert model.data.disabled


def test_what_pages_change_is_still_watched_and_so_is_what_others_watch():
    pane, seen = pn.pane.HTML("a", margin=3), []
    document = Document()
    document.add_root(pane.get_root(document))
    pane.param.watch(lambda event: seen.append(event.new), "margin")
    before = len(pane._param__private.watchers)
    unwatch_what_stays([pane])
    assert len(pane._param__private.watchers) < before - 10
    (model, _) = next(iter(pane._models.values()))
    pane.param.update(object="b", visible=False, height=7, width=8)
    assert (model.text, model.visible, model.height, model.width) == ("b", False, 7, 8)
    pane.margin = 4
    assert seen == [4]
    assert model.margin == 4
