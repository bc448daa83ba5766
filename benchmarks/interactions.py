"""From a click to the last change of the page: `python -m benchmarks.interactions` (`--write`: into docs/).

Eleven common interactions in Chromium, medians, each in turn with a click on an empty Streamlit page with one
button, so that noise is the same for both. A change is one of the document, a canvas of the channel grid
included; the sign that the page is running does not count.
"""

import argparse
import os
import platform
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median

import torch
from playwright.sync_api import Browser, Page, sync_playwright

from benchmarks import readme
from benchmarks.visitors import served

ROOT = Path(__file__).resolve().parent.parent
EMPTY = 'import streamlit as st\n\nst.button("Again")\nst.write(st.session_state.setdefault("n", 0))\n\
st.session_state["n"] += 1\n'
QUIET = 700  # ms without a change: the page is done
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-background-networking"]

WATCH = """
() => {
  const ignored = (node) => node.closest?.("[data-testid=stStatusWidget], [data-testid=stToolbar], header");
  const note = () => (window.lastChange = performance.now());
  const seen = (changes) => changes.some(({ target }) => !ignored(target.nodeType === 1 ? target
    : target.parentElement ?? document.body)) && note();
  const watch = (root) => new MutationObserver(seen).observe(root,
    { subtree: true, childList: true, characterData: true, attributes: true });
  watch(document.body);
  const canvas = CanvasRenderingContext2D.prototype;
  for (const name of ["drawImage", "putImageData"]) {
    const drawn = canvas[name];
    canvas[name] = function (...given) { note(); return drawn.apply(this, given); };
  }
  for (const act of ["click", "keydown"])
    addEventListener(act, () => (window.acted ??= performance.now()), { capture: true });
}
"""

Act = Callable[[Page, int], None]


def key(letter: str) -> Act:
    return lambda page, _: page.keyboard.press(letter)


def button(*names: str) -> Act:
    """Press the buttons in turn, one a round."""
    return lambda page, turn: page.get_by_role("radio", name=names[turn % len(names)], exact=True).click()


def option(label: str, *names: str) -> Act:
    """Choose an option of a select box; the time begins with the click on the option."""

    def act(page: Page, turn: int) -> None:
        page.get_by_label(label, exact=False).first.click()
        item = page.get_by_role("option", name=names[turn % len(names)], exact=True)
        item.wait_for()
        page.evaluate("window.acted = null")
        item.click()

    return act


def menu(*names: str) -> Act:
    return lambda page, turn: page.get_by_test_id("stTopNavLink").filter(has_text=names[turn % 2]).click()


INTERACTIONS: list[tuple[str, str, Act]] = [
    ("Network: the next image", "", key("n")),
    ("Explain: the next image", "explain", key("n")),
    ("Explain: another class", "explain", option("Class to explain", "dog", "ship")),
    ("Explain: another method", "explain", option("Method", "LayerCAM", "HiResCAM")),
    ("Explain: positive and negative", "explain", button("Positive and negative", "Positive contribution")),
    ("Feature maps: the next image", "maps", key("n")),
    ("Feature maps: another block", "maps", button("Block 2 · conv2", "Block 3 · conv3")),
    ("BatchNorm: the next image", "batchnorm", key("n")),
    ("BatchNorm: another layer", "batchnorm", option("Layer", "Block 2 · bn2", "Block 3 · bn3")),
    ("Compare: two classes", "compare", button("Two classes", "Images, layers or networks")),
    ("another page", "explain", menu("Feature maps", "Explain")),
]


def timed(page: Page, act: Callable[[Page], None]) -> float:
    """Milliseconds from the act to the last change after it."""
    page.evaluate("window.acted = null; window.lastChange = performance.now()")
    act(page)
    page.wait_for_function(
        f"window.acted && performance.now() - Math.max(window.lastChange, window.acted) > {QUIET}"
    )
    page.get_by_test_id("stStatusWidget").wait_for(state="detached")
    return float(page.evaluate("Math.max(0, window.lastChange - window.acted)"))


@contextmanager
def opened(browser: Browser, url: str) -> Iterator[Page]:
    page = browser.new_context(viewport={"width": 1280, "height": 900}, bypass_csp=True).new_page()
    page.goto(url)
    page.wait_for_load_state("networkidle")
    page.wait_for_timeout(3000)
    page.evaluate(WATCH)
    yield page
    page.context.close()


def measure(browser: Browser, explorer: str, empty: str, rounds: int) -> dict[str, list[float]]:
    times: dict[str, list[float]] = {"an empty page with one button": []}
    times |= {name: [] for name, _, _ in INTERACTIONS}
    for name, path, act in INTERACTIONS:
        with opened(browser, empty) as beside, opened(browser, f"{explorer}/{path}") as page:
            for turn in range(rounds + 1):
                pressed = timed(beside, lambda page: page.get_by_role("button", name="Again").click())
                took = timed(page, lambda page, turn=turn, act=act: act(page, turn))  # type: ignore[misc]
                if turn:  # the first warms up
                    times["an empty page with one button"].append(pressed)
                    times[name].append(took)
    return times


def table(times: dict[str, list[float]], rounds: int) -> str:
    middle = {name: median(values) for name, values in times.items()}
    empty = next(iter(middle.values()))
    rows = [f"| {name} | {value:.0f} ms | {value - empty:+.0f} ms |" for name, value in middle.items()]
    machine = f"{platform.machine()}, {os.cpu_count()} cores, torch {torch.__version__}"
    note = f"Medians of {rounds} by one run of `python -m benchmarks.interactions` on {machine}."
    head = ["| click to last change | time | more than the empty page |", "|---|---|---|"]
    return "\n".join([*head, *rows, "", note])


def main() -> None:
    parser = argparse.ArgumentParser("python -m benchmarks.interactions", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--write", action="store_true", help="replace the table in docs/speed.md")
    options = parser.parse_args()
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if chromium is None:
        raise SystemExit("Chromium is not installed (Debian: apt-get install chromium).")
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        script = Path(folder) / "empty.py"
        script.write_text(EMPTY, encoding="utf-8")
        with served(ROOT / "explorer" / "app.py") as (explorer, _), served(script) as (empty, _):
            browser = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
            text = table(measure(browser, explorer, empty, options.rounds), options.rounds)
            browser.close()
    print(text)
    if options.write:
        readme.put("benchmarks/interactions.py", text)


if __name__ == "__main__":
    main()
