"""Values show themselves in a notebook: the HTML holds the right colors, and a browser draws it."""

import base64
import io
import re

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn

from explorer.drawing.colormaps import viridis
from explorer.engine import notebook
from explorer.engine.attribution import Heatmap, attribute, channel_evidence
from explorer.engine.notebook import Scale
from explorer.engine.tracing import trace


def pictures(html: str) -> list[np.ndarray]:
    sources = re.findall(r'src="data:image/png;base64,([^"]+)"', html)
    return [np.asarray(Image.open(io.BytesIO(base64.b64decode(each)))) for each in sources]


def shown(value: object) -> str:
    html: str = value._repr_html_()  # type: ignore[attr-defined]
    return html


def test_a_heat_map_is_one_picture_of_its_own_positions(course: nn.Module, x: Tensor) -> None:
    heat = attribute(course, x, layer="relu2", target=3, against=5)
    html = shown(heat)
    (pixels,) = pictures(html)
    assert pixels.shape == (*heat.values.shape, 3)
    red, blue = pixels[..., 0].astype(int), pixels[..., 2].astype(int)
    assert (np.sign(red - blue) == np.sign(heat.values))[np.abs(heat.values) > 0.1 * heat.values.max()].all()
    assert "grad_cam at relu2" in html
    assert f"class 3 minus class 5; {heat.values.min():.3g} to {heat.values.max():.3g}" in html


def test_a_batch_shows_its_first_images(course: nn.Module) -> None:
    images = torch.randn(10, 3, 32, 32)
    html = shown(attribute(course, images, layer="relu3", target=list(range(10))))
    assert len(pictures(html)) == notebook.MOST
    assert "(images 0 to 7 of 10)" in html
    assert "class 7;" in html
    assert "class 8;" not in html
    assert "(image 0 of 10)" in shown(channel_evidence(course, images, "relu3", 1))


def test_a_trace_shows_every_layer_on_one_scale_each(course: nn.Module, x: Tensor) -> None:
    seen = trace(course, x)
    html = shown(seen)
    drawn = pictures(html)
    assert len(drawn) == notebook.MOST * len(seen.maps)
    assert "relu2, 64 × 16 × 16, shared scale for 0 to " in html
    maps = seen.maps["relu2"]
    at = list(seen.maps).index("relu2") * notebook.MOST
    for channel in range(notebook.MOST):
        wanted = viridis()[np.rint(maps[channel] / maps.max() * 255).astype(int)].astype(int)
        assert np.abs(drawn[at + channel].astype(int) - wanted).max() <= 12  # between six anchors of viridis


def test_evidence_shows_the_channels_that_contribute_most(course: nn.Module, x: Tensor) -> None:
    proof = channel_evidence(course, x, "relu3", 4)
    html = shown(proof)
    channels = [int(channel) for channel in re.findall(r"<figcaption>channel (\d+):", html)]
    assert channels == np.argsort(-np.abs(proof.contributions))[: notebook.MOST].tolist()
    first = channels[0]
    mean, weight = proof.maps[first].mean(), proof.weights[first]
    assert f"{weight:.3g} × {mean:.3g} ≈ {weight * mean:.3g}" in html


def test_colors_of_what_is_zero_signed_and_no_number() -> None:
    values = np.array([[-2.0, 0.0, 2.0, np.nan]], np.float32)
    colors = notebook.colored(values, notebook.scale_of(values))[0].tolist()
    wanted = [notebook.BLUE_RED[0], notebook.BLUE_RED[2], notebook.BLUE_RED[4], notebook.NOT_A_NUMBER]
    assert colors == [list(color) for color in wanted]
    zero = np.zeros((1, 1), np.float32)
    assert notebook.scale_of(zero) == Scale(1.0, False)
    assert notebook.colored(zero, notebook.scale_of(zero))[0, 0].tolist() == list(notebook.VIRIDIS[0])
    assert notebook.extent(np.full((1, 1), np.nan)) == "no finite value"


def test_names_are_text() -> None:
    html = shown(Heatmap("grad_cam", '<img src=x onerror="alert(1)">', 0, np.ones((2, 2), np.float32)))
    assert "<img src=x" not in html
