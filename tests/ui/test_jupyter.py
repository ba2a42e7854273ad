"""A real JupyterLab in a real browser: sliders in cells move figures, with both comms."""

from __future__ import annotations

import json
import os
import re
import sys
import time

import pytest

from .conftest import DEEP, SIZE, Screen, free_port, start_server

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(600)]

SHOW = 'import spectrabridge as sb\n\nview = sb.SpectrumView("mock-lines")\nview'

QUIET = {
    "@jupyterlab/apputils-extension:notification": {
        "fetchNews": "false",
        "checkForUpdates": False,
        "doNotDisturbMode": True,
    }
}
"""Settings of a JupyterLab that asks nothing and looks for nothing elsewhere."""


def notebook(*cells: str) -> str:
    return json.dumps(
        {
            "cells": [
                {
                    "cell_type": "code",
                    "id": f"cell-{i}",
                    "metadata": {},
                    "source": cell,
                    "outputs": [],
                    "execution_count": None,
                }
                for i, cell in enumerate(cells)
            ],
            "metadata": {
                "kernelspec": {"name": "python3", "display_name": "Python", "language": "python"}
            },
            "nbformat": 4,
            "nbformat_minor": 5,
        }
    )


@pytest.fixture(scope="module")
def lab(browser, tmp_path_factory):
    """A JupyterLab with a folder of its own for everything that it writes."""
    folder = tmp_path_factory.mktemp("lab")
    for name in ("settings", "work"):
        (folder / name).mkdir()
    (folder / "settings" / "overrides.json").write_text(json.dumps(QUIET))
    ipywidgets = 'import panel as pn\n\npn.extension(comms="ipywidgets")\n'
    # spectrabridge first: it has Panel take its scripts from this machine.
    (folder / "work" / "default.ipynb").write_text(notebook(SHOW))
    (folder / "work" / "ipywidgets.ipynb").write_text(
        notebook("import spectrabridge\n" + ipywidgets, SHOW)
    )
    environment = {
        "JUPYTER_CONFIG_DIR": folder / "config",
        "JUPYTER_DATA_DIR": folder / "data",
        "JUPYTER_RUNTIME_DIR": folder / "runtime",
        "IPYTHONDIR": folder / "ipython",
    }
    port = free_port()
    command = [sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root"]
    command += ["--ip=127.0.0.1", f"--port={port}", f"--ServerApp.root_dir={folder / 'work'}"]
    command += ["--IdentityProvider.token=", "--LabApp.extension_manager=readonly"]
    command += [f"--LabApp.app_settings_dir={folder / 'settings'}"]
    before = dict(os.environ)
    os.environ.update({name: str(path) for name, path in environment.items()})
    try:
        server = start_server(command, port, folder)
    finally:
        os.environ.clear()
        os.environ.update(before)
    server.wait(seconds=120, path="/api")
    yield server
    server.stop()


class Notebook(Screen):
    """A notebook in one tab."""

    def open_notebook(self, url: str) -> Notebook:
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.on("websocket", lambda ws: self.requests.append(ws.url))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.add_init_script(DEEP)
        # On a slow machine JupyterLab asks which kernel to take, or that one was late.
        dialog = self.page.locator(".jp-Dialog")
        self.page.add_locator_handler(dialog, lambda: self._agree(dialog))
        self.page.goto(url, timeout=90_000)
        idle = ".jp-Notebook-ExecutionIndicator[data-status=idle]"
        self.page.wait_for_selector(idle, timeout=120_000)
        return self

    def _agree(self, dialog) -> None:
        print("JupyterLab asked:", dialog.first.inner_text())
        dialog.locator("button.jp-mod-accept").first.click()

    def run(self, index: int, seconds: float = 240) -> None:
        """Run a cell, and wait until it has been run."""
        cell = self.page.locator(".jp-CodeCell").nth(index)
        prompt = cell.locator(".jp-InputPrompt")
        deadline = time.monotonic() + seconds
        while not re.search(r"\[(\d+|\*)\]", prompt.inner_text()):
            # A kernel that is not ready yet forgets what it is asked.
            cell.locator(".cm-content").click()
            self.page.keyboard.press("Control+Enter")
            self.page.wait_for_timeout(2000)
            assert time.monotonic() < deadline, "the cell does not start"
        while not re.search(r"\[\d+\]", prompt.inner_text()):
            self.page.wait_for_timeout(100)
            assert time.monotonic() < deadline, "the cell does not end"

    def said(self, code: str, expected: str, tries: int = 10) -> None:
        """Evaluate code until its value is the one expected."""
        for _ in range(tries):
            self.type_and_run(f'print("=", {code})')
            output = self.page.locator(".jp-OutputArea-output pre").last
            output.wait_for(timeout=30_000)
            if output.inner_text().strip() == f"= {expected}":
                return
        pytest.fail(f"{code} is {output.inner_text()!r}, not {expected}.")

    def alone(self, code: str) -> None:
        """Run code in a new cell, with everything else folded away."""
        for output in self.page.locator(".jp-CodeCell .jp-OutputArea-output").all():
            output.evaluate("(e) => e.closest('.jp-Cell-outputWrapper').style.display = 'none'")
        self.type_and_run(code)

    def type_and_run(self, code: str) -> None:
        """Write a new cell at the end and run it."""
        cells = self.page.locator(".jp-CodeCell")
        n = cells.count()
        cells.last.locator(".jp-InputPrompt").click()
        # Not by keys: they would go to what was used last in the output.
        self.page.locator("[data-command='notebook:insert-cell-below']").first.click()
        cells.nth(n).wait_for(timeout=10_000)
        cells.last.locator(".cm-content").click()
        self.page.keyboard.insert_text(code)
        self.run(cells.count() - 1)


@pytest.fixture(scope="module", params=["default", "ipywidgets"])
def shown(request, browser, lab):
    """A notebook with the spectrum view on show."""
    context = browser.new_context(viewport=SIZE | {"height": 900})
    page = Notebook(context.new_page()).open_notebook(f"{lab.url}/doc/tree/{request.param}.ipynb")
    for i in range(page.page.locator(".jp-CodeCell").count()):
        page.run(i)
    page.page.wait_for_function(PAINTED, timeout=60_000, polling=200)
    page.slider("T_eff").wait_for(timeout=60_000)
    # The derivatives come last.
    page.still(2, seconds=60)
    yield page
    context.close()
    assert page.foreign == []
    assert page.complaints == []


PAINTED = "window.deep.canvases(0).length > 0 && window.deep.count(0, 0, 114, 178) > 500"


class TestCells:
    def test_move_with_the_mouse_and_from_code(self, shown: Notebook) -> None:
        before = shown.still(seconds=60)
        shown.drag("T_eff", seconds=3, rate=20)
        shown.wait_pixels(before, seconds=60)
        # Python has taken the whole drag: what comes from code now is the last word.
        value = shown.box("T_eff").input_value()
        shown.said('round(view.state.labels["teff"])', value)
        dragged = shown.still(seconds=60)

        shown.type_and_run('view.state.move("teff", 4321)')
        shown.wait_pixels(dragged, seconds=60)
        shown.page.wait_for_function(
            "(box) => box.value === '4321'",
            arg=shown.box("T_eff").element_handle(),
            timeout=60_000,
        )

        # The other way: what was typed in the page is what code finds.
        box = shown.box("T_eff")
        box.fill("5100")
        box.press("Enter")
        moved = shown.still(seconds=60)
        shown.said('view.state.labels["teff"]', "5100.0")

        shown.button("Reset").click()
        shown.wait_pixels(moved, seconds=60)

    def test_pages_of_the_explorer_open(self, shown: Notebook) -> None:
        shown.alone('explorer = sb.explore("mock-lines")\nexplorer')
        shown.page.wait_for_function(PAINTED, timeout=60_000, polling=200)
        spectrum = shown.still(seconds=60)
        shown.page.get_by_role("button", name="Derivatives", exact=True).click()
        shown.wait_pixels(spectrum, seconds=60)
        shown.still(seconds=60)
        # Back from code: the state is the same.
        derivatives = shown.pixels()
        shown.said("explorer.state.page", "derivatives")
        shown.type_and_run('explorer.state.page = "spectrum"')
        shown.wait_pixels(derivatives, seconds=30)

    def test_components_share_a_state(self, shown: Notebook) -> None:
        shown.alone('derivatives = sb.DerivativeMap("mock-lines", state=view.state)\nderivatives')
        shown.page.wait_for_function(
            "window.deep.canvases(0).length > 0", timeout=60_000, polling=200
        )
        before = shown.still(seconds=60)
        shown.type_and_run('view.state.move("Mg", 0.4)')
        shown.wait_pixels(before, seconds=60)
