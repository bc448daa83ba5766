"""Values that show themselves in a notebook, drawn by a browser."""

import torch
from playwright.sync_api import Page

from explorer.engine import notebook
from explorer.engine.attribution import attribute, channel_evidence
from explorer.engine.tracing import trace
from model.nets import CourseCNN


def test_a_browser_draws_every_picture_of_a_value(page: Page) -> None:
    net, x = CourseCNN().eval(), torch.randn(1, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    values = (trace(net, x), attribute(net, x, layer="relu3", target=0), channel_evidence(net, x, "relu3", 0))
    html = [value._repr_html_() for value in values]
    page.set_content("".join(html))
    images = page.locator("img")
    assert images.count() == sum(text.count("<img ") for text in html) > len(values)
    assert page.evaluate("[...document.images].every(i => i.complete && i.naturalWidth > 0 && i.alt)")
    size = images.first.bounding_box()
    assert size is not None
    assert (size["width"], size["height"]) == (notebook.SIDE, notebook.SIDE)
