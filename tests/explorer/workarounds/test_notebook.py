"""What notebooks need of displays: code once, style sheets in line, definitions of what is new."""

import panel as pn
import panel_material_ui as pmui
import pytest
from bokeh.document import Document
from bokeh.models.css import ImportedStyleSheet
from bokeh.models.ui import UIElement
from panel.io.state import set_curdoc
from panel.models.esm import ReactiveESM

from spectrabridge.explorer.widgets.choice import Choice
from spectrabridge.explorer.workarounds.loaded_extension import extension_is_loaded
from spectrabridge.explorer.workarounds.notebook_code import drop_repeated_code
from spectrabridge.explorer.workarounds.notebook_definitions import tell_new_definitions
from spectrabridge.explorer.workarounds.notebook_style_sheets import inline_style_sheets


@pytest.fixture
def inline():
    """Have Panel give models their code, as in a notebook."""
    before = pn.config.inline
    pn.config.inline = True
    yield
    pn.config.inline = before


def root_of(view: pn.viewable.Viewable, document: Document | None = None):
    document = document or Document()
    with set_curdoc(document):
        return view.get_root(document)


def code_of(root) -> list[str]:
    return [m.esm for m in root.select({"type": ReactiveESM})]


def test_each_widget_alone_carries_all_code(inline):
    column = pn.Column(*[pmui.Button(label=str(i)) for i in range(3)])
    assert sum(len(code) > 100_000 for code in code_of(root_of(column))) == 3


def test_the_first_keeps_it(inline):
    first = pmui.Typography("")
    column = pn.Column(first, *[pmui.Button(label=str(i)) for i in range(3)])
    root = root_of(column)
    drop_repeated_code(root, first, None)
    lengths = sorted(len(code) for code in code_of(root))
    assert lengths[:3] == [0, 0, 0]
    assert lengths[3] > 100_000
    ((kept, _),) = first._models.values()
    assert len(kept.esm) == lengths[3]


def test_components_with_code_of_their_own_keep_it(inline):
    first = pmui.Typography("")
    root = root_of(pn.Column(first, Choice(options=[["a", "A"]])))
    drop_repeated_code(root, first, None)
    assert any("render" in code for code in code_of(root) if len(code) < 100_000)


def imported(root) -> int:
    return sum(
        isinstance(sheet, ImportedStyleSheet)
        for model in root.select({"type": UIElement})
        for sheet in model.stylesheets
    )


def test_style_sheets_alone_are_fetched_and_then_in_line():
    root = root_of(pn.Column(pn.pane.HTML("text")))
    assert imported(root) > 0
    inline_style_sheets(root)
    assert imported(root) == 0


def test_definitions_are_sent_once_and_only_to_a_browser_that_is_there():
    document, sent = Document(), []
    root = root_of(pn.Column(Choice(options=[["a", "A"]])), document)
    document.add_root(root)
    (choice,) = root.select({"type": ReactiveESM})
    known: set[type] = set()
    assert choice._defs == []  # as Panel leaves it
    document.on_change(sent.append)
    tell_new_definitions(root, document, known, told=False)
    assert type(choice.data) in known
    known.clear()
    tell_new_definitions(root, document, known, told=True)
    assert choice._defs == [type(choice.data)]
    tell_new_definitions(root, document, known, told=True)
    assert len(known) == 1


def test_panel_alone_does_not_tell_whether_it_is_loaded():
    assert not hasattr(type(pn.extension), "loaded")
    assert not extension_is_loaded()
