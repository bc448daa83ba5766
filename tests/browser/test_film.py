"""The time machine's film in a browser: played, paused and stepped by the keyboard, without the server."""

import re
from collections.abc import Callable

from playwright.sync_api import Page, expect
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg

EPOCHS = (0, 3, 6, 12, 21, 30)
IN_SIGHT = """() => {
  const inside = (root) => root.querySelector("figure") ?? [...root.querySelectorAll("*")]
    .filter((each) => each.shadowRoot).map((each) => inside(each.shadowRoot)).find(Boolean);
  const film = inside(document.querySelector(".st-key-film"));
  const lines = [...film.querySelectorAll("figcaption div")].map((line) => line.textContent);
  return { index: film.dataset.index, film: lines, strip: document.querySelector(".fx-strip").innerText };
}"""


def test_the_film_is_played_by_the_keyboard_and_the_page_follows_where_it_stops(
    page: Page, serve: Callable[..., str]
) -> None:
    runs: list[object] = []  # of the app's script
    page.on("websocket", lambda socket: socket.on("framereceived", lambda data: runs.extend(ended(data))))
    page.emulate_media(reduced_motion="reduce")
    page.goto(f"{serve('explorer/app.py')}/time?checkpoint=cifar10-fast&over_time=filters")
    film = page.locator(".st-key-film figure")
    expect(film).to_have_attribute("data-index", "5")
    expect(film.get_by_label("Speed")).to_have_value("0.5")  # calm, for this visitor
    film.get_by_label("Speed").select_option("1")
    while not runs:  # the film is there before the rest of the page
        page.wait_for_timeout(100)
    before = len(runs)
    film.get_by_role("button", name="Play").focus()
    page.keyboard.press("Enter")
    expect(film.get_by_role("button", name="Pause")).to_be_visible()
    expect(film).to_have_attribute("data-index", re.compile("[123]"))
    playing = page.evaluate(IN_SIGHT)
    assert playing["film"][0].startswith(f"epoch {EPOCHS[int(playing['index'])]}: ")
    assert f"Prediction at epoch {EPOCHS[int(playing['index'])]}\n" in playing["strip"]  # not that of the end
    page.keyboard.press("Enter")
    expect(film.get_by_role("button", name="Play")).to_be_visible()
    assert len(runs) - before <= 1  # which sent the pictures
    index = int(film.get_attribute("data-index") or 0)
    assert 1 <= index < 5
    page.keyboard.press("ArrowRight")
    epoch = EPOCHS[index + 1]
    expect(page).to_have_url(re.compile(f"epoch={epoch}" if index < 4 else "filters$"))
    expect(page.get_by_text(f"Prediction at epoch {epoch}", exact=True)).to_be_visible()
    expect(page.locator(".fx-prediction:visible")).to_have_count(1)
    expect(film).to_contain_text(f"epoch {epoch}: ")
    expect(page.get_by_test_id("stException")).to_have_count(0)


def ended(data: str | bytes) -> list[object]:
    """One entry for a message that says that a run has ended."""
    message = ForwardMsg.FromString(data) if isinstance(data, bytes) else ForwardMsg()
    return [message.script_finished] if message.WhichOneof("type") == "script_finished" else []
