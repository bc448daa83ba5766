import importlib.util
import re
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Page, expect

from explorer.drawing.colormaps import COLORMAPS, color
from explorer.drawing.ranges import number, per_channel, shared
from explorer.ui.components.channel_grid.payload import payload

SCRIPT = Path(__file__).with_name("grid_app.py")
COUNT_DRAWINGS = """
window.drawings = 0;
const draw = CanvasRenderingContext2D.prototype.drawImage;
CanvasRenderingContext2D.prototype.drawImage = function (...all) {
  window.drawings++;
  draw.apply(this, all);
};
"""
PIXEL = """(canvas, [x, y]) => {
  const scale = canvas.width / canvas.getBoundingClientRect().width;
  return [...canvas.getContext("2d").getImageData(Math.floor(x * scale), Math.floor(y * scale), 1, 1).data];
}"""


def maps(channels, side, signed=True):
    spec = importlib.util.spec_from_file_location("grid_app", SCRIPT)
    app = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(app)
    return app.maps(channels, side, signed)


@pytest.fixture
def grid(serve, page):
    def opened(channels=64, side=8) -> Page:
        page.goto(f"{serve(SCRIPT)}?channels={channels}&side={side}")
        expect(page.locator(".stage canvas")).to_be_visible()
        expect(stage(page)).to_have_attribute("aria-valuemax", re.compile(r"\d+"))
        return page

    return opened


def stage(page):
    return page.locator(".stage")


def toggle(page, name):
    page.get_by_test_id("stCheckbox").filter(has_text=name).click()


def places(page, step=37):
    """Points all over the canvas, in its own CSS pixels."""
    box = page.locator(".stage canvas").bounding_box()
    return [
        (x, y) for y in range(20, int(box["height"]), 3 * step) for x in range(9, int(box["width"]), 2 * step)
    ]


def hover(page, place):
    """Move there; the cell (channel, row, column) and value in the tooltip, or None beside the tiles."""
    box = page.locator(".stage canvas").bounding_box()
    page.mouse.move(box["x"] + place[0], box["y"] + place[1])
    page.evaluate("() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
    if not page.locator(".tip").is_visible():
        return None
    cell = tuple(int(part) for part in re.findall(r"\d+", page.locator(".tip .where").inner_text()))
    return cell, page.locator(".tip strong").inner_text()


def says(page, text):
    expect(page.get_by_text(text, exact=True)).to_be_visible()


def tile(page, channel):
    """The middle of a channel's tile when nothing is reordered, found by hovering."""
    for place in places(page, step=20):
        found = hover(page, place)
        if found and found[0][0] == channel:
            return place
    raise AssertionError(f"channel {channel} is nowhere")


@pytest.mark.parametrize("signed", [True, False])
def test_hovering_reads_the_cell_whose_color_is_drawn(grid, signed):
    page = grid()
    values = maps(64, 8, signed)
    if not signed:
        toggle(page, "signed")
        expect(page.locator(".low")).to_have_text("0")
    range = shared(values, signed=signed)
    table = COLORMAPS["blue_red" if signed else "viridis"].astype(int)
    seen = [(place, hover(page, place)) for place in places(page)[::3]]
    read = [(place, *found) for place, found in seen if found]
    assert len(read) > 12
    assert hover(page, (9, 6)) is None  # a tile's number has no value
    for place, cell, value in read:
        assert float(value.replace("−", "-")) == pytest.approx(values[cell], rel=6e-3, abs=1e-4)
        pixel = page.locator(".stage canvas").evaluate(PIXEL, place)[:3]
        entry = np.abs(table - color(values[cell], range)).sum(1).argmin()
        assert np.abs(table[max(0, entry - 1) : entry + 2] - pixel).sum(1).min() == 0


def test_the_scale_and_order_change_without_new_maps(grid, page):
    received = []
    page.on("websocket", lambda socket: socket.on("framereceived", lambda frame: received.append(len(frame))))
    grid()
    values = maps(64, 8)
    assert page.locator(".high").inner_text() == number(shared(values, signed=True).high)
    assert max(received) > values.size * 2
    received.clear()
    page.get_by_text("Per channel").click()
    page.get_by_text("Mean activation").click()
    order = np.argsort(-values.mean((1, 2)), kind="stable")
    place = places(page)[0]
    cell, _ = hover(page, place)
    assert cell[0] == order[0]
    own = per_channel(values, signed=True)[cell[0]]
    assert page.locator(".high").inner_text() == number(own.high)
    pixel = page.locator(".stage canvas").evaluate(PIXEL, place)[:3]
    assert np.abs(color(values[cell], own).astype(int) - pixel).max() <= 6
    page.mouse.move(5, 5)
    expect(page.locator(".zero")).to_have_text("0")
    expect(page.locator(".high")).to_have_text("max")
    says(page, "channel None cell None")
    assert sum(received) < values.size * 2


def test_a_click_chooses_a_channel_and_then_a_cell(grid):
    page = grid()
    place = tile(page, 10)
    page.locator(".stage canvas").click(position={"x": place[0], "y": place[1]})
    says(page, "channel 10 cell None")
    says(page, "told 1 times, last 10")
    cell, _ = hover(page, place)
    page.locator(".stage canvas").click(position={"x": place[0], "y": place[1]})
    says(page, f"channel 10 cell ({cell[1]}, {cell[2]})")
    expect(page.locator(".chosen span")).to_have_text("10")
    expect(page.locator(".status")).to_contain_text(f"Row {cell[1]}, column {cell[2]}")
    value = number(float(maps(64, 8)[cell]))
    assert page.locator(".status").inner_text().split(": ")[-1][:4] == value[:4]


def test_the_keyboard_alone_is_enough(grid):
    page = grid()
    stage(page).focus()
    page.keyboard.press("ArrowRight")
    says(page, "channel 0 cell None")
    expect(stage(page)).to_have_attribute("aria-valuenow", "0")
    for _ in range(3):
        page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowLeft")
    says(page, "channel 2 cell None")
    page.keyboard.press("End")
    says(page, "channel 63 cell None")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Home")
    page.keyboard.press("ArrowDown")
    expect(page.locator(".chosen span")).not_to_have_text("0")
    below = int(page.locator(".chosen span").inner_text())
    says(page, f"channel {below} cell None")
    page.keyboard.press("ArrowUp")
    page.keyboard.press("ArrowUp")
    says(page, "channel 0 cell None")
    page.keyboard.type("41")
    says(page, "channel 41 cell None")
    expect(stage(page)).to_have_attribute("aria-valuetext", re.compile("^Channel 41 · mean"))
    focus = stage(page).evaluate("(stage) => getComputedStyle(stage).outlineStyle")
    assert focus == "solid"


def test_a_number_can_be_typed_into_the_field(grid):
    page = grid()
    field = page.locator(".jump input")
    field.fill("64")
    expect(field).to_have_attribute("aria-invalid", "true")
    field.fill("17")
    expect(field).to_have_attribute("aria-invalid", "false")
    says(page, "channel 17 cell None")


def test_new_maps_keep_a_choice_that_still_exists(grid):
    page = grid()
    page.locator(".jump input").fill("12")
    says(page, "channel 12 cell None")
    toggle(page, "half the channels")
    expect(stage(page)).to_have_attribute("aria-valuemax", "31")
    says(page, "channel 12 cell None")
    expect(page.locator(".chosen span")).to_have_text("12")
    toggle(page, "half the channels")
    expect(stage(page)).to_have_attribute("aria-valuemax", "63")
    page.locator(".jump input").fill("50")
    says(page, "channel 50 cell None")
    toggle(page, "half the channels")
    says(page, "channel None cell None")
    expect(page.locator(".chosen")).to_be_hidden()


def test_the_pages_request_wins_when_it_changes(grid):
    page = grid()
    page.locator(".jump input").fill("12")
    says(page, "channel 12 cell None")
    page.get_by_label("wished").fill("33")
    page.locator(".jump input").focus()  # also while the field has the focus
    says(page, "channel 33 cell None")
    expect(page.locator(".chosen span")).to_have_text("33")
    expect(page.locator(".jump input")).to_have_value("33")
    toggle(page, "signed")
    expect(page.locator(".low")).to_have_text("0")
    says(page, "channel 33 cell None")
    page.locator(".jump input").fill("5")
    says(page, "channel 5 cell None")


def test_leaving_the_page_and_coming_back_shows_what_python_believes(grid):
    page = grid()
    page.locator(".jump input").fill("12")
    says(page, "channel 12 cell None")
    toggle(page, "away")
    expect(stage(page)).to_have_count(0)
    toggle(page, "away")
    says(page, "channel None cell None")
    expect(page.locator(".chosen")).to_be_hidden()


def test_256_maps_are_sent_once_and_hovering_draws_nothing(grid, page):
    received = []
    page.add_init_script(COUNT_DRAWINGS)
    page.on("websocket", lambda socket: socket.on("framereceived", lambda frame: received.append(len(frame))))
    grid(256, 32)
    size = len(payload(maps(256, 32), signed=True, label=""))
    assert max(received) > size > 512_000
    drawn = page.evaluate("window.drawings")
    assert drawn >= 256
    for place in places(page)[:10]:
        hover(page, place)
    received.clear()
    page.locator(".jump input").fill("200")
    says(page, "channel 200 cell None")
    assert page.evaluate("window.drawings") == drawn
    assert sum(received) < 20_000
    spent = page.evaluate("""() => {
        const { shadowRoot } = document.querySelector('.stBidiComponent [data-testid]');
        const radio = shadowRoot.querySelector('[value=channel]');
        const start = performance.now();
        radio.click();
        return performance.now() - start;
    }""")
    assert page.evaluate("window.drawings") == drawn + 256
    assert spent < 500


def test_tiles_reflow_and_the_tooltip_stays_inside(grid, page):
    page.set_viewport_size({"width": 390, "height": 700})
    grid(128, 8)
    box = page.locator(".stage canvas").bounding_box()
    assert box["width"] <= 390 - 2 * box["x"] + 1
    assert box["height"] > box["width"]
    for place in [(box["width"] - 8, 30), (5, 300), (box["width"] - 8, 340)]:
        page.mouse.move(box["x"] + place[0], box["y"] + place[1])
        page.wait_for_timeout(60)
        if page.locator(".tip").is_visible():
            tip = page.locator(".tip").bounding_box()
            assert tip["x"] >= 0
            assert tip["x"] + tip["width"] <= 390
            assert tip["y"] + tip["height"] <= 700
    page.set_viewport_size({"width": 1280, "height": 900})
    expect(page.locator(".stage canvas")).not_to_have_js_property("width", box["width"])
    assert page.locator(".stage canvas").bounding_box()["height"] < box["height"]


def test_2048_maps_have_tiles_as_large_as_128_and_scroll(grid):
    boxes = [grid(channels, 4).locator(".stage canvas").bounding_box() for channels in (128, 2048)]
    assert boxes[0]["height"] <= 620
    assert boxes[1]["width"] == pytest.approx(boxes[0]["width"], rel=0.05)
    assert 14 < boxes[1]["height"] / boxes[0]["height"] <= 16  # the last row of 128 may not be full


def test_cells_are_whole_device_pixels_on_a_dense_screen(browser, serve):
    context = browser.new_context(viewport={"width": 900, "height": 900}, device_scale_factor=2)
    page = context.new_page()
    page.goto(f"{serve(SCRIPT)}?channels=64&side=8")
    expect(page.locator(".stage canvas")).to_be_visible()
    expect(page.locator(".status")).to_contain_text("64 maps")
    box = page.locator(".stage canvas").bounding_box()
    assert page.locator(".stage canvas").evaluate("(canvas) => canvas.width") == round(2 * box["width"])
    hovered = next(place for place in places(page) if hover(page, place))
    hover(page, hovered)
    width = page.locator(".hovered").evaluate("(mark) => parseFloat(mark.style.width)")
    assert (2 * width) % 8 == 0
    context.close()


def test_a_single_map_is_large_and_its_cells_are_chosen(grid):
    page = grid(1, 8)
    box = page.locator(".stage canvas").bounding_box()
    assert box["width"] > 480
    expect(page.locator(".segments").first).to_be_hidden()
    expect(page.locator(".jump")).to_be_hidden()
    page.locator(".stage canvas").click(position={"x": box["width"] * 3.5 / 8, "y": box["height"] * 5.5 / 8})
    says(page, "channel 0 cell (5, 3)")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowUp")
    says(page, "channel 0 cell (4, 4)")
    expect(stage(page)).to_have_attribute("aria-valuetext", re.compile("^Row 4, column 4: "))
    expect(stage(page)).to_have_attribute("aria-valuenow", str(4 * 8 + 4))


def test_it_speaks(grid):
    page = grid()
    expect(page.get_by_role("slider", name="Block 2 after ReLU")).to_be_visible()
    described = page.locator(".summary").inner_text()
    assert described.startswith("64 maps of 8 × 8 positions. Shared scale: −63 … 63. Order: Index.")
    for name in ("Index", "Mean activation", "Shared scale", "Per channel"):
        assert page.get_by_role("radio", name=name).count() == 1
    assert page.get_by_role("textbox", name="Channel").count() == 1
    assert page.locator(".colors").get_attribute("aria-label") == "Color scale: −63 … 63"
