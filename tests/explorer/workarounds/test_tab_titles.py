import panel as pn
import panel_material_ui as pmui
from bokeh.document import Document

from spectrabridge.explorer.workarounds.tab_titles import rename_tabs, tab_titles


def tabs():
    return pmui.Tabs(("stellar", pn.Column()), ("iron", pn.Column()), ("other", pn.Column()))


def test_tabs_alone_have_no_public_way():
    shown = tabs()
    assert not [name for name in dir(type(shown)) if name in ("titles", "names", "tab_names")]
    assert not [name for name in ("titles", "names", "tab_names") if name in shown.param]


def test_titles_change_and_parts_stay_as_they_are_in_the_browser():
    shown, document = tabs(), Document()
    model = shown.get_root(document)
    parts, before = list(shown), list(model.data.objects)
    rename_tabs(shown, ["stellar !"])
    assert tab_titles(shown) == ["stellar !", "iron", "other"]
    assert list(model.data._names) == ["stellar !", "iron", "other"]
    assert list(shown) == parts
    assert all(a is b for a, b in zip(model.data.objects, before, strict=True))


def test_equal_titles_are_not_sent():
    shown, sent = tabs(), []
    shown.param.watch(sent.append, "_names")
    rename_tabs(shown, ["stellar"])
    assert sent == []
