import io

import numpy as np
import pytest
from PIL import Image

from explorer.drawing.animation import EACH, LAST, animation, labelled


def frames(count=3, colors=6):
    rng = np.random.default_rng(0)
    palette = rng.integers(0, 256, (colors, 3), dtype=np.uint8)
    return [palette[rng.integers(0, colors, (20, 30))] for _ in range(count)]


def read_back(data):
    image = Image.open(io.BytesIO(data))
    read, times = [], []
    for index in range(image.n_frames):
        image.seek(index)
        read.append(np.asarray(image.convert("RGB")))
        times.append(image.info["duration"])
    return image, read, times


@pytest.mark.parametrize(("kind", "name"), [("gif", "GIF"), ("png", "PNG")])
def test_every_frame_is_there_in_order_and_it_goes_round(kind, name):
    drawn = frames()
    image, read, times = read_back(animation(drawn, kind))
    assert image.format == name
    assert image.info["loop"] == 0
    assert times == [EACH, EACH, LAST]
    assert len(read) == 3
    for frame, back in zip(drawn, read, strict=True):
        np.testing.assert_allclose(back.astype(int), frame, atol=2)


def test_a_png_keeps_every_color():
    rng = np.random.default_rng(1)
    drawn = [rng.integers(0, 256, (40, 40, 3), dtype=np.uint8) for _ in range(2)]
    for frame, back in zip(drawn, read_back(animation(drawn, "png"))[1], strict=True):
        np.testing.assert_array_equal(back, frame)


def test_a_gif_gives_one_color_the_same_in_every_frame():
    rng = np.random.default_rng(2)
    drawn = [rng.integers(0, 256, (64, 64, 3), dtype=np.uint8) for _ in range(3)]
    for frame in drawn:
        frame[:8] = (10, 200, 90)
    patches = [back[:8].reshape(-1, 3) for back in read_back(animation(drawn, "gif"))[1]]
    assert len(np.unique(np.concatenate(patches), axis=0)) == 1


def test_a_gif_keeps_a_color_that_is_rare():
    ramp = np.linspace(0, 120, 64 * 64).reshape(64, 64, 1).repeat(3, axis=2).astype(np.uint8)
    ramp[5:7, 5:7] = (253, 231, 37)
    (back,) = read_back(animation([ramp], "gif"))[1]
    np.testing.assert_allclose(back[5, 5].astype(int), (253, 231, 37), atol=8)


@pytest.mark.parametrize("kind", ["gif", "png"])
def test_one_frame_is_enough_and_none_is_refused(kind):
    assert animation(frames(1), kind)
    with pytest.raises(ValueError, match="at least one"):
        animation([], kind)


def test_words_stand_below_an_unchanged_picture():
    (picture,) = frames(1)
    drawn = labelled(picture, ["epoch 3: cat 45%"], 0.5)
    scale = drawn.shape[1] // 30
    height = 20 * scale
    np.testing.assert_array_equal(drawn[:height:scale, ::scale][:20, :30], picture)
    below = drawn[height + 4 :]
    assert 10 < (below.mean(2) < 128).sum() < below.size / 3 / 4
    blank = labelled(picture, [""], 0.5)[height + 4 :]
    assert (blank == blank[0, 0]).all()
    bar = drawn[height + 1]
    assert (bar[: drawn.shape[1] // 2] == bar[0]).all()
    assert (bar[-1] != bar[0]).any()


def test_large_pictures_keep_their_size():
    assert labelled(np.zeros((300, 720, 3), np.uint8), ["x"]).shape[1] == 720


def test_every_line_has_its_room():
    (picture,) = frames(1)
    one, two = (labelled(picture, ["a"] * count).shape[0] for count in (1, 2))
    assert two - one >= 12
