"""The Lines page in a real browser: vetted by keyboard, killed, and looked at again."""

import random
import signal
import sys

import pytest
from playwright.sync_api import expect

from spectrabridge.core.vetting import open_vetting

from .candidates import bundle_with_candidates
from .conftest import free_port, open_screen, start_server

pytestmark = [pytest.mark.browser, pytest.mark.timeout(180)]

KEYS = {"a": "accepted", "r": "rejected", "u": "unsure"}

# The superuser may write to any file, which ordinary users may not: give that up.
CODE = """
import ctypes, os
if hasattr(os, "getuid") and os.getuid() == 0:
    libc = ctypes.CDLL(None, use_errno=True)
    about, sets = (ctypes.c_uint32 * 2)(0x20080522, 0), (ctypes.c_uint32 * 6)()
    assert libc.capget(about, sets) == 0
    for i in range(3):
        sets[i] &= ~0b110
    assert libc.capset(about, sets) == 0
from pathlib import Path
from spectrabridge.apps.explorer import serve
serve({bundle!r}, port={port}, vetting=Path({file!r}))
"""

# Notes every key with the candidate that had been painted when it was pressed.
WATCH = """() => {
  const panel = window.deep.all(document).find((el) => el.classList.contains("panel"))
  window.pressed = []
  document.addEventListener("keydown", (event) => {
    window.pressed.push([event.key, panel.dataset.painted])
  }, true)
}"""

WINDOW = """() => {
  const range = window.deep.model((m) => m.type === "Range1d" && m.bounds && m.end - m.start < 500)
  return [range.start, range.end]
}"""

NAMES = "() => window.deep.model((m) => m.tags?.[0]?.length === 4 && m.data?.text).tags"


class Vetted:
    """A server on one file of decisions, that can be killed and started again."""

    def __init__(self, folder):
        self.folder = folder
        self.bundle, self.candidates = bundle_with_candidates(folder)
        self.file = folder / "vetting.sqlite"
        self.start()

    def start(self):
        port = free_port()
        code = CODE.format(bundle=str(self.bundle), port=port, file=str(self.file))
        self.server = start_server([sys.executable, "-c", code], port, self.folder)

    def kill(self):
        self.server.process.send_signal(signal.SIGKILL)
        self.server.process.wait()

    @property
    def decisions(self):
        return self.of("ann")

    def of(self, vetter):
        if not self.file.exists():
            return {}
        with open_vetting(self.file, self.candidates, read_only=True) as vetting:
            return vetting.decisions(vetter)


class Lines:
    """The Lines page in one tab, opened without a mouse."""

    def __init__(self, screen, vetted):
        self.screen, self.page, self.vetted = screen, screen.page, vetted
        self.panel = self.page.locator(".panel")
        self.page.get_by_role("button", name="Spectrum", exact=True).focus()
        names = self.page.locator("nav button").all_inner_texts()
        for _ in range(names.index("Lines") - names.index("Spectrum")):
            self.page.keyboard.press("ArrowRight")
        self.page.keyboard.press("Enter")
        self.vetter = self.page.get_by_label("Vetter", exact=True)
        expect(self.vetter).to_be_visible()

    def be(self, name):
        self.vetter.fill(name)
        self.vetter.press("Enter")
        # The page goes to what this vetter has not decided yet.
        decided = [i for i, d in self.vetted.of(name).items() if d.status]
        expect(self.count).to_contain_text(f"{len(decided)} of ")
        self.ready(unlike=decided)
        return self

    @property
    def id(self):
        """Id of the candidate that is on the screen."""
        return self.panel.get_attribute("data-painted")

    def ready(self, unlike=()):
        """Wait until another candidate is on the screen and a verdict would count."""
        self.page.wait_for_function(
            """(unlike) => {
              const panel = window.deep.all(document).find((el) => el.classList.contains("panel"))
              const {painted, id} = panel.dataset
              return painted && painted === id && !unlike.includes(painted) && !panel.ariaBusy
            }""",
            arg=list(unlike),
            polling=10,
        )

    def press(self, *keys):
        for key in keys:
            self.page.keyboard.press(key)

    def and_wait(self, key):
        """Press a key that goes on, and wait until it has."""
        before = self.id
        self.press(key)
        self.ready(unlike=[before])

    def field(self, name):
        return self.page.get_by_label(name, exact=True)

    @property
    def count(self):
        return self.page.get_by_role("status").filter(has_text="decided")

    @property
    def trouble(self):
        return self.panel.get_by_role("alert")

    def close(self):
        complaints = [c for c in self.screen.complaints if "WebSocket" not in c]
        self.page.context.close()
        assert self.screen.foreign == []
        assert complaints == []


@pytest.fixture(scope="module")
def vetted(browser, tmp_path_factory):
    vetted = Vetted(tmp_path_factory.mktemp("vetting"))
    yield vetted
    vetted.server.stop()


@pytest.fixture
def tab(browser, vetted):
    opened = []

    def open_tab():
        vetted.server.wait()
        opened.append(Lines(open_screen(browser, vetted.server.url), vetted))
        return opened[-1]

    yield open_tab
    for lines in opened:
        lines.close()


@pytest.fixture(scope="module")
def lines(browser, vetted):
    """A tab that several tests go on with."""
    vetted.server.wait()
    lines = Lines(open_screen(browser, vetted.server.url), vetted).be("ann")
    yield lines
    lines.close()


def test_thirty_features_vetted_by_keyboard_survive_a_kill(vetted, tab):
    lines = tab().be("ann")
    expected = {}
    for k in range(30):
        here, key = lines.id, "aru"[k % 3]
        if k % 5 == 1:
            lines.press("2")
        if k == 7:
            lines.press("c", *"jar, k?", "Enter")
        if k == 10:
            lines.press("e", *"si", "Enter")
        lines.and_wait(key)
        expected[here] = KEYS[key]
    expect(lines.count).to_contain_text("30 of 114 decided: 10 yes, 10 no, 10 unsure")
    vetted.kill()
    assert {i: d.status for i, d in vetted.decisions.items()} == expected
    vetted.start()

    again = tab().be("ann")
    expect(again.count).to_contain_text("30 of 114 decided: 10 yes, 10 no, 10 unsure")
    assert again.id == vetted.candidates[30].id
    found = vetted.decisions
    assert {i: d.status for i, d in found.items()} == expected
    by_id, ids = vetted.candidates.by_id(), list(expected)
    assert found[ids[7]].comment == "jar, k?"
    assert found[ids[10]].element == "Si"
    assert found[ids[1]].element == by_id[ids[1]].answers[1].name
    assert found[ids[3]].element == by_id[ids[3]].best
    # The table shows what is in the file.
    table = again.page.get_by_role("grid", name="Candidate features")
    table.evaluate("(el) => { el.parentElement.scrollTop = 0 }")
    row = table.locator("tbody tr[data-key]")
    expect(row.first).to_have_attribute("data-key", ids[0])
    shown = row.evaluate_all("(rows) => rows.map((r) => [r.dataset.key, r.innerText])")
    assert len(shown) > 8
    assert all(expected.get(key, "open") in text for key, text in shown)


def test_sorting_and_filtering_between_keys_never_mislabels(vetted, lines):
    known = vetted.decisions
    dice = random.Random(5)
    lines.page.evaluate(WATCH)
    titles = [
        "Depth in units",
        "What you have",
        "Centre",
        "Your choice",
        "Adapted minus emulated depth",
    ]
    for k in range(24):
        if k % 4 == 0:
            lines.page.locator(f"th button[title^='{dice.choice(titles)}']").click()
        if k % 6 == 3:
            kind = dice.choice(["", "missing", "shifted"])
            lines.field("Filter by kind").select_option(kind)
        if k % 5 == 2:
            lines.press(*"jjk")
        # Some of them faster than the page can answer.
        lines.press(*(dice.choice("aru") for _ in range(dice.choice([1, 1, 2, 3]))))
        if k % 3:
            lines.ready()
    lines.page.wait_for_timeout(300)
    lines.ready()
    said = {}
    for key, painted in lines.page.evaluate("window.pressed"):
        said.setdefault(painted, []).append(KEYS.get(key, ""))
    after = vetted.decisions
    changed = [i for i, d in after.items() if i not in known or not d.says(known[i])]
    assert len(changed) > 6
    for i in changed:
        assert after[i].status in said[i], "it was on the screen, with this key"
    lines.field("Filter by kind").select_option("")


def test_keys_fields_and_zooms(vetted, lines):
    page = lines.page
    lines.press("?")
    dialog = page.get_by_role("dialog", name="Keys")
    expect(dialog).to_be_visible()
    here = lines.id
    lines.press("j", "a")
    lines.press("Escape")
    expect(dialog).to_be_hidden()
    assert lines.id == here

    # An open one, by the keyboard.
    while here in vetted.decisions:
        lines.and_wait("j")
        here = lines.id
    lines.press("c", *"not this", "Escape")
    expect(lines.field("Comment")).to_have_value("")
    lines.press("e", *"Xx", "Enter")
    expect(lines.trouble).to_contain_text("There is no element 'Xx'")
    expect(lines.field("Element")).to_have_value("Xx")
    lines.press("e", "Control+a", *"Mg", "Enter")
    expect(lines.trouble).to_be_hidden()
    assert vetted.decisions[here].element == "Mg"
    lines.press("z")
    expect(lines.field("Element")).to_have_value("")
    assert here not in vetted.decisions

    # Names of lines never overlap, at any zoom; p goes back.
    windows = [page.evaluate(WINDOW)]
    figure = page.evaluate(
        "() => { const b = window.deep.canvases(1)[0].getBoundingClientRect();"
        " return [b.left + b.width / 2, b.top + b.height / 2] }"
    )
    page.mouse.move(*figure)
    for ticks in (-400, 900, 900):
        page.mouse.wheel(0, ticks)
        page.wait_for_timeout(400)
        windows.append(page.evaluate(WINDOW))
        placed = page.evaluate(NAMES)
        assert placed
        for k, (left, right, row, at) in enumerate(placed):
            for other in placed[:k]:
                if other[2] == row:
                    assert right <= other[0] or other[1] <= left
                elif other[2] > row:
                    assert not left <= other[3] <= right, "a leader would cross the name"
                else:
                    assert not other[0] <= at <= other[1], "a leader would cross the name"
    assert len({tuple(window) for window in windows}) == len(windows)
    for window in windows[-2::-1]:
        lines.press("p")
        page.wait_for_timeout(100)
        assert page.evaluate(WINDOW) == pytest.approx(window)


def test_every_key_draws_the_next_candidate_once(lines):
    lines.page.evaluate(
        """() => {
          const panel = window.deep.all(document).find((el) => el.classList.contains("panel"))
          window.shown = []
          new MutationObserver(() => window.shown.push(panel.dataset.painted)).observe(
            panel, {attributeFilter: ["data-painted"]})
        }"""
    )
    drawn = []
    for _ in range(15):
        before = lines.screen.pixels(1)
        lines.and_wait("j")
        assert lines.screen.pixels(1) != before
        drawn.append(lines.id)
    assert len(set(drawn)) == 15
    # None is drawn twice, or in between.
    painted = [id_ for id_ in lines.page.evaluate("window.shown") if id_]
    assert painted == drawn


def test_a_read_only_file_is_said_and_nothing_typed_is_lost(vetted, tab):
    before = vetted.decisions
    files = [vetted.file, *vetted.folder.glob("vetting.sqlite-*")]
    for file in files:
        file.chmod(0o444)
    try:
        lines = tab().be("ann")
        here = lines.id
        lines.press("c", *"blended?", "Enter")
        expect(lines.trouble).to_contain_text("cannot be written to")
        lines.press("a")
        expect(lines.panel).not_to_have_attribute("aria-busy", "true")
        expect(lines.trouble).to_contain_text("cannot be written to")
        assert lines.id == here
        # Away and back: the words are still there.
        lines.and_wait("j")
        expect(lines.field("Comment")).to_have_value("")
        lines.and_wait("k")
        expect(lines.field("Comment")).to_have_value("blended?")
        assert vetted.decisions == before
    finally:
        for file in files:
            file.chmod(0o644)
    lines.and_wait("a")
    expect(lines.trouble).to_be_hidden()
    kept = vetted.decisions[here]
    assert (kept.status, kept.comment) == ("accepted", "blended?")


def test_two_tabs_on_one_file_see_each_others_decisions(vetted, lines, tab):
    other = tab().be("ann")
    before = other.count.inner_text()
    here = other.id
    other.press("r")
    expect(lines.count).not_to_have_text(before)
    assert vetted.decisions[here].status == "rejected"
    # Another vetter begins with nothing, and agrees or not.
    other.be("bob")
    expect(other.count).to_contain_text("0 of 114 decided")
    table = other.page.get_by_role("grid", name="Candidate features")
    table.locator("tbody tr[data-key]").first.click()
    for key in "arua":
        other.and_wait(key)
    expect(other.panel).to_contain_text("With ann: \u03ba")
    expect(lines.count).not_to_contain_text("0 of 114")
    lines.screen.button("Show in Spectrum").click()
    expect(lines.screen.box("T_eff")).to_be_visible()
