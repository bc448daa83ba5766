import json
import os
import pickle

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

from model import cifar10, files
from model.card import Card
from model.checkpoint import digest_of, load_checkpoint, save_checkpoint
from model.nets import CourseCNN, ResNet9
from model.problems import Problem
from tests import forks

SMALL = {"widths": [4, 6], "hidden": 8}


@pytest.fixture
def card():
    return Card(
        arguments=SMALL,
        classes=("cat", "dog"),
        mean=(0.5, 0.4, 0.3),
        std=(0.2, 0.3, 0.1),
        input_size=16,
        recipe="course",
        config={"lr": 0.001, "epochs": 2},
        epoch=2,
        metrics={"test_accuracy": 0.75},
        data="four drawings",
        versions={"torch": "2"},
    )


@pytest.fixture
def state():
    torch.manual_seed(0)
    return CourseCNN(classes=2, input_size=16, **SMALL).state_dict()


def noise(*shape):
    return np.random.default_rng(0).integers(0, 256, (*shape, 3), dtype=np.uint8)


def refused(path, **options):
    """The one sentence `load_checkpoint` fails with."""
    with pytest.raises(Problem) as caught:
        load_checkpoint(path, **options)
    message = str(caught.value)
    assert message.endswith(".")
    assert "\n" not in message
    assert path.name in message
    assert str(path.parent) not in message  # a visitor of the server reads it too
    return message


def written(path, state, **changes):
    """A file as ours, with a card of one's choosing."""
    values = {"net": "course", "arguments": SMALL, "classes": ["cat", "dog"], "input_size": 16} | changes
    save_file(dict(state), path, {"card": json.dumps(values)})
    return path


# The input


def test_pixels_at_the_input_size_pass_unchanged():
    pixels = noise(32, 32)
    framed = Card().framed(pixels)
    assert np.array_equal(framed, pixels)
    x = Card().to_input(pixels)
    assert x.shape == (1, 3, 32, 32)
    assert x.dtype == torch.float32
    back = x[0].permute(1, 2, 0) * torch.tensor(cifar10.STD) + torch.tensor(cifar10.MEAN)
    np.testing.assert_allclose(back.numpy() * 255, pixels, atol=1e-3)


def test_crop_takes_the_center_and_squash_the_whole():
    pixels = np.zeros((32, 96, 3), dtype=np.uint8)
    pixels[:, 32:64] = 200
    assert (Card().framed(pixels, "crop") == 200).all()
    squashed = Card().framed(pixels, "squash")
    assert squashed.shape == (32, 32, 3)
    assert squashed[16, 16, 0] == 200
    assert squashed[16, 0, 0] == squashed[16, -1, 0] == 0


@pytest.mark.parametrize("shape", [(100, 60), (31, 33), (1, 1), (3000, 5)])
def test_resizing_is_pillows_antialiased_bilinear_on_the_center_square(shape):
    pixels = noise(*shape)
    side = min(shape)
    top, left = (shape[0] - side) // 2, (shape[1] - side) // 2
    square = Image.fromarray(pixels[top : top + side, left : left + side])
    wanted = np.asarray(square.resize((32, 32), Image.Resampling.BILINEAR))
    assert np.array_equal(Card().framed(pixels), wanted)


def test_antialiasing_averages_what_is_shrunk():
    stripes = np.zeros((256, 256, 3), dtype=np.uint8)
    stripes[:, ::2] = 255
    assert np.abs(Card().framed(stripes).astype(int) - 127).max() < 10


@pytest.mark.parametrize("pixels", [np.zeros((8, 8)), np.zeros((8, 8, 4), np.uint8), np.zeros((8, 8, 3))])
def test_other_arrays_are_refused_by_shape_and_type(pixels):
    with pytest.raises(ValueError, match="uint8"):
        Card().framed(pixels)


def test_an_unknown_fit_is_refused():
    with pytest.raises(ValueError, match="'crop' or 'squash', not 'fill'"):
        Card().framed(noise(8, 8), "fill")


# Round trips


def test_card_and_weights_come_back(tmp_path, card, state):
    saved = save_checkpoint(tmp_path / "a.safetensors", card, state)
    loaded = load_checkpoint(tmp_path / "a.safetensors")
    assert loaded.card == card
    assert loaded.digest == saved.digest == digest_of(state)
    assert all(torch.equal(loaded.state[name], state[name]) for name in state)
    net = loaded.build()
    assert not net.training
    assert net.fc2.weight.shape == (2, 8)


def test_the_digest_depends_on_values_names_and_shapes(state):
    first = digest_of(state)
    assert digest_of(dict(reversed(state.items()))) == first
    changed = {name: tensor.clone() for name, tensor in state.items()}
    changed["fc1.bias"][0] += 1e-6
    assert digest_of(changed) != first
    assert digest_of({**state, "fc1.weight": state["fc1.weight"].reshape(-1)}) != first


def test_half_precision_weights_are_built_as_float32(tmp_path, card, state):
    halved = {k: v.half() if v.is_floating_point() else v for k, v in state.items()}
    save_checkpoint(tmp_path / "a.safetensors", card, halved)
    net = load_checkpoint(tmp_path / "a.safetensors").build()
    assert {p.dtype for p in net.parameters()} == {torch.float32}


@pytest.mark.parametrize("wrapped", [False, True])
def test_the_courses_own_state_dict_loads_with_the_same_logits(tmp_path, courses_own, wrapped):
    state = courses_own.state_dict()
    torch.save({"state_dict": state, "epoch": 3} if wrapped else state, tmp_path / "cnn.pt")
    loaded = load_checkpoint(tmp_path / "cnn.pt")
    assert loaded.card.classes == cifar10.CLASSES
    assert loaded.card.input_size == 32
    x = loaded.card.to_input(noise(32, 32))
    torch.testing.assert_close(loaded.build()(x), courses_own.eval()(x), rtol=1e-6, atol=1e-6)


def test_a_plain_state_dict_of_other_widths_says_its_own_shape(tmp_path, state):
    torch.save(state, tmp_path / "small.pt")
    card = load_checkpoint(tmp_path / "small.pt").card
    assert card.arguments == SMALL
    assert (card.input_size, card.classes) == (16, ("class 0", "class 1"))


def test_weights_of_ones_own_network_load_with_its_builder(tmp_path):
    def built():
        return torch.nn.Sequential(torch.nn.Conv2d(3, 2, 3), torch.nn.Flatten(), torch.nn.Linear(2 * 36, 2))

    torch.save(built().state_dict(), tmp_path / "own.pt")
    loaded = load_checkpoint(tmp_path / "own.pt", built, Card(classes=("a", "b"), input_size=8))
    assert loaded.build()(loaded.card.to_input(noise(8, 8))).shape == (1, 2)
    assert "builder" in refused(tmp_path / "own.pt")


# Saving


def test_half_the_room_for_weights_and_float32_when_built(tmp_path):
    torch.manual_seed(0)
    net = ResNet9(width=64)
    for name, statistic in net.named_buffers():
        if name.endswith("running_var"):
            statistic.uniform_(0.5, 2)
    net.prepare.bn.running_var[0] = 1e6  # more than float16 holds
    card = Card(net="resnet9", arguments={"width": 64})
    whole = save_checkpoint(tmp_path / "whole.safetensors", card, net.state_dict())
    half = save_checkpoint(tmp_path / "half.safetensors", card, net.state_dict(), half=True)
    sizes = [(tmp_path / f"{name}.safetensors").stat().st_size for name in ("whole", "half")]
    assert sizes[1] < 15_000_000 < sizes[0]
    loaded = load_checkpoint(tmp_path / "half.safetensors")
    assert loaded.digest == half.digest != whole.digest
    built = loaded.build()
    assert {value.dtype for value in built.state_dict().values()} == {torch.float32, torch.int64}
    assert built.prepare.bn.running_var[0] == 1e6
    for name, value in net.state_dict().items():
        expected = value.half().float() if value.ndim > 1 else value
        assert torch.equal(built.state_dict()[name], expected)
    x = torch.rand(4, 3, 32, 32)
    torch.testing.assert_close(built(x), net.eval()(x), atol=5e-3, rtol=0)


def test_half_of_a_network_of_ones_own_builds_in_float32(tmp_path):
    def built():
        return torch.nn.Sequential(torch.nn.Conv2d(3, 2, 8), torch.nn.Flatten())

    card = Card(net="mine:built", classes=("a", "b"), input_size=8)
    save_checkpoint(tmp_path / "own.safetensors", card, built().state_dict(), half=True)
    loaded = load_checkpoint(tmp_path / "own.safetensors", built)
    assert loaded.state["0.weight"].dtype == torch.float16
    assert loaded.build()[0].weight.dtype == torch.float32


def test_a_failure_in_the_middle_leaves_the_old_file_and_no_temporary(tmp_path, card, state, monkeypatch):
    path = tmp_path / "a.safetensors"
    save_checkpoint(path, card, state)
    before = path.read_bytes()
    monkeypatch.setattr(files.os, "fsync", lambda _: (_ for _ in ()).throw(OSError(28, "No space left")))
    with pytest.raises(OSError, match="No space"):
        save_checkpoint(path, card, state)
    assert path.read_bytes() == before
    assert os.listdir(tmp_path) == ["a.safetensors"]


def test_an_interrupt_in_the_middle_leaves_no_temporary(tmp_path):
    with pytest.raises(KeyboardInterrupt), files.replacing(tmp_path / "a"):
        raise KeyboardInterrupt
    assert os.listdir(tmp_path) == []


def test_the_files_mode_is_kept_or_what_the_umask_allows(tmp_path, card, state):
    path = tmp_path / "new" / "a.safetensors"
    save_checkpoint(path, card, state)
    umask = os.umask(0)
    os.umask(umask)
    assert path.stat().st_mode & 0o777 == 0o666 & ~umask
    path.chmod(0o640)
    save_checkpoint(path, card, state)
    assert path.stat().st_mode & 0o777 == 0o640


def test_old_temporaries_are_swept_and_fresh_ones_left(tmp_path):
    old, fresh, other = (tmp_path / name for name in (".a.1.tmp", ".a.2.tmp", ".b.1.tmp"))
    for path in (old, fresh, other):
        path.touch()
    os.utime(old, (0, 0))
    os.utime(other, (0, 0))
    files.sweep(tmp_path / "a")
    assert sorted(os.listdir(tmp_path)) == [".a.2.tmp", ".b.1.tmp"]


# Files that cannot be used


def test_missing(tmp_path):
    assert "no checkpoint" in refused(tmp_path / "none.safetensors")


@pytest.mark.parametrize("name", ["folder.safetensors", "folder.pt"])
def test_folder(tmp_path, name):
    (tmp_path / name).mkdir()
    assert "is a folder, not a checkpoint; train one" in refused(tmp_path / name)
    (tmp_path / name / "config.json").touch()
    for file in ("last.pt", "best.pt"):
        (tmp_path / name / file).touch()
    assert refused(tmp_path / name).endswith(f"give one of the files in it, such as {name}/best.pt.")


@pytest.mark.parametrize("kept", [0, 4, 100, 2000, -1])
@pytest.mark.parametrize("kind", ["safetensors", "pt"])
def test_truncated(tmp_path, card, state, kind, kept):
    path = tmp_path / f"a.{kind}"
    if kind == "pt":
        torch.save(state, path)
    else:
        save_checkpoint(path, card, state)
    path.write_bytes(path.read_bytes()[:kept])
    assert ("cut off or damaged" if kept else "is empty") in refused(path)


@pytest.mark.parametrize("name", ["text.safetensors", "text.pt", "text.pth", "text"])
def test_text(tmp_path, name):
    (tmp_path / name).write_text("these are no weights\n" * 50)
    assert "is a text file" in refused(tmp_path / name)


def test_wrong_shapes_are_named(tmp_path, state):
    state["fc2.weight"] = torch.zeros(3, 8)
    assert "fc2.weight is float (3, 8)" in refused(written(tmp_path / "a.safetensors", state))


def test_missing_and_surplus_keys_are_named(tmp_path, state):
    bias = state.pop("bn2.bias")
    assert "bn2.bias is missing" in refused(written(tmp_path / "a.safetensors", state))
    extra = {**state, "bn2.bias": bias, "zeta": bias.clone()}
    assert "which has no zeta" in refused(written(tmp_path / "b.safetensors", extra))


def test_other_kinds_of_numbers_are_named(tmp_path, state):
    state["fc1.bias"] = state["fc1.bias"].long()
    assert "fc1.bias is int (8,)" in refused(written(tmp_path / "a.safetensors", state))
    state["fc1.bias"] = state["fc1.bias"].to(torch.complex64)
    torch.save(state, tmp_path / "a.pt")
    assert "complex" in refused(tmp_path / "a.pt")


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16])
def test_weights_that_are_no_numbers(tmp_path, state, value, dtype):
    state["conv2.weight"] = state["conv2.weight"].to(dtype)
    state["conv2.weight"][0, 0, 0, 0] = value
    assert "conv2.weight" in refused(written(tmp_path / "a.safetensors", state))


class Bomb:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


@pytest.mark.parametrize("name", ["bomb.pt", "bomb.pth", "bomb.bin", "bomb.safetensors"])
def test_a_pickle_with_code_in_it_is_never_run(tmp_path, name):
    for save in (torch.save, lambda value, path: path.write_bytes(pickle.dumps(value))):
        save({"conv1.weight": Bomb(tmp_path / "ran")}, tmp_path / name)
        refused(tmp_path / name)
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("value", [[1, 2], {"a": 1}, {}, 3.0, torch.zeros(3), {"state_dict": {"a": "b"}}])
def test_a_pt_file_of_something_else(tmp_path, value):
    torch.save(value, tmp_path / "a.pt")
    assert "no state_dict" in refused(tmp_path / "a.pt")


@pytest.mark.parametrize("name", ["conv1.weight", "fc1.weight", "fc2.weight"])
@pytest.mark.parametrize("shape", [(), (0,), (0, 0, 3, 3), (5, 0)])
def test_a_state_dict_of_impossible_shapes(tmp_path, state, name, shape):
    state[name] = torch.zeros(shape)
    torch.save(state, tmp_path / "a.pt")
    refused(tmp_path / "a.pt")


def test_tensors_that_claim_more_than_they_store(tmp_path, state):
    state["fc1.bias"] = torch.zeros(1).expand(10**12)
    torch.save(state, tmp_path / "a.pt")
    assert "fc1.bias in a form that no network takes (expanded)" in refused(tmp_path / "a.pt")


def test_sparse_and_meta_tensors(tmp_path, state):
    for odd in (torch.eye(3).to_sparse(), torch.empty(3, device="meta")):
        torch.save({**state, "fc1.bias": odd}, tmp_path / "a.pt")
        refused(tmp_path / "a.pt")


@pytest.mark.parametrize("net", ["resnet-of-mine", "os:system", "", None, ["course"], {}])
def test_an_unknown_network_is_named_and_nothing_imported(tmp_path, state, net):
    assert "not one of course" in refused(written(tmp_path / "a.safetensors", state, net=net))


GARBAGE = ["", "{", "null", "[1]", "3", '"card"', "\x00", "[" * 100_000, '{"input_size": Infinity}']


@pytest.mark.parametrize("text", [*GARBAGE, '{"mean": 3}'])
def test_a_card_that_is_garbage(tmp_path, state, text):
    save_file(state, tmp_path / "a.safetensors", {"card": text})
    assert "cannot be read" in refused(tmp_path / "a.safetensors")


ABSURD = [
    *({"input_size": value} for value in (0, -4, 10**9, 1e308, "big", None, [16])),
    *({"mean": value} for value in ([0.5], [float("nan")] * 3, "abc", [[1], [2], [3]], None)),
    *({"std": value} for value in ([0, 1, 1], [-1, 1, 1], [float("inf")] * 3, [1] * 4)),
    *({"channels": value} for value in (0, -3, 1, 10**9, "gray", None, [3])),
    {"channels": 0, "mean": [], "std": []},
    *({"channels": n, "mean": [0.5] * n, "std": [1] * n} for n in (1025, 100_000)),
    *({"classes": value} for value in ([], 10**9, ["one"], ["a"] * 100_000)),
    *({"arguments": value} for value in (3, "abc", {"nonsense": 1}, {"classes": 5}, {"dropout": 7})),
    *({"arguments": {**SMALL, "hidden": value}} for value in (10**12, 10**30, -1, 1.5, None, "x")),
    *(
        {"arguments": {**SMALL, "widths": value}}
        for value in ([], [10**9, 10**9], [10**6] * 4, [4] * 100_000, [-1, 2], [1.5, 2], [None], 3, "ab", {})
    ),
    *({"metrics": value} for value in (3, {"test_accuracy": "high"}, [1])),
    *({"epoch": value} for value in ("last", None, 1e400)),
    {"config": 3},
    {"versions": 3},
]


@pytest.mark.parametrize("changes", ABSURD, ids=lambda changes: repr(changes)[:50])
def test_a_card_of_absurd_values(tmp_path, state, changes):
    refused(written(tmp_path / "a.safetensors", state, **changes))


def test_a_card_that_claims_a_giant_allocates_nothing(tmp_path, state):
    giant = {**SMALL, "widths": [30_000, 30_000], "hidden": 100_000}
    path = written(tmp_path / "a.safetensors", state, arguments=giant)
    script = f"""
import resource
from model.checkpoint import load_checkpoint
from model.problems import Problem
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
try:
    load_checkpoint({str(path)!r})
except Problem:
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""
    ran = forks.run("-c", script)
    assert int(ran.stdout) < 100_000  # kilobytes; the giant would take 32 GB
