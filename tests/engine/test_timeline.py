"""An image through all snapshots of a run, against each snapshot opened by itself."""

import hashlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d

from explorer.engine import timeline as timelines
from explorer.engine.attribution import attribute
from explorer.engine.timeline import CardFile, SnapshotFile, Timeline
from explorer.engine.tracing import trace
from model import words
from model.card import Card
from model.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from model.nets import NETS
from model.problems import Problem
from model.snapshots import folder_of, save_snapshot

SMALL = {"widths": [4, 6], "hidden": 8}
EPOCHS = (0, 1, 2, 5)


def card(epoch: int) -> Card:
    return Card(arguments=SMALL, classes=("cat", "dog", "frog"), input_size=16, epoch=epoch)


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    """A checkpoint of epoch 6 with snapshots of EPOCHS beside it, each with weights of its own."""
    path = tmp_path / "run.safetensors"
    for epoch in (*EPOCHS, 6):
        torch.manual_seed(epoch)
        net = NETS["course"](classes=3, input_size=16, **SMALL)
        for module in net.modules():
            if isinstance(module, nn.BatchNorm2d):
                assert module.running_mean is not None
                module.running_mean.normal_(0, 0.2)
        if epoch == 6:
            save_checkpoint(path, card(epoch), net.state_dict())
        else:
            save_snapshot(path, card(epoch), net.state_dict())
    return path


@pytest.fixture
def timeline(checkpoint: Path) -> Timeline:
    return timelines.open_timeline(timelines.snapshots_of(checkpoint), load_checkpoint(checkpoint))


@pytest.fixture
def small(x: Tensor) -> Tensor:
    return x[:, :, :16, :16].clone()


def alone(checkpoint: Path) -> list[nn.Module]:
    """Every snapshot's network, opened from its own file, and the checkpoint's."""
    files = sorted(folder_of(checkpoint).glob("*.safetensors"))
    return [load_checkpoint(path).build() for path in (*files, checkpoint)]


def test_the_checkpoint_is_the_last_where_snapshots_end_before_it(timeline: Timeline) -> None:
    assert timeline.epochs == (*EPOCHS, 6)
    assert timeline.left_out == ()
    assert timeline.listed == len(EPOCHS)


def test_it_is_not_shown_twice_where_they_reach_it(checkpoint: Path) -> None:
    last = load_checkpoint(checkpoint)
    last = Checkpoint(card(5), last.state, last.digest)
    assert timelines.open_timeline(timelines.snapshots_of(checkpoint), last).epochs == EPOCHS


def test_probabilities_are_those_of_each_snapshot_by_itself(
    checkpoint: Path, timeline: Timeline, small: Tensor
) -> None:
    course = timelines.course_of(timeline, small)
    assert course.epochs == timeline.epochs
    for place, net in enumerate(alone(checkpoint)):
        seen = trace(net, small)
        np.testing.assert_array_equal(course.logits[place], seen.logits)
        np.testing.assert_array_equal(course.probabilities[place], seen.probabilities)
    np.testing.assert_allclose(course.probabilities.sum(1), 1, rtol=1e-5)
    assert len(np.unique(course.probabilities[:, 0])) == len(course.epochs)


def test_maps_and_heat_are_those_of_each_snapshot_by_itself(
    checkpoint: Path, timeline: Timeline, small: Tensor
) -> None:
    maps = timelines.maps_over_time(timeline, small, "relu2")
    heat = timelines.heat_over_time(timeline, small, "relu2", 1)
    assert maps.shape == (5, 6, 8, 8)
    assert heat.shape == (5, 8, 8)
    for place, net in enumerate(alone(checkpoint)):
        np.testing.assert_array_equal(maps[place], trace(net, small).maps["relu2"])
        np.testing.assert_array_equal(heat[place], attribute(net, small, layer="relu2", target=1).values)


def test_statistics_are_the_buffers_and_what_the_convolution_gave(
    checkpoint: Path, timeline: Timeline, small: Tensor
) -> None:
    found = timelines.norms_over_time(timeline, small, "bn1")
    for norm, net in zip(found, alone(checkpoint), strict=True):
        module, conv = net.get_submodule("bn1"), net.get_submodule("conv1")
        np.testing.assert_array_equal(norm.running_mean, module.running_mean.numpy())  # type: ignore[operator]
        with torch.no_grad():
            before = conv2d(small, conv.weight, conv.bias, padding=1)  # type: ignore[arg-type]
        np.testing.assert_allclose(norm.mean, before.mean((0, 2, 3)).numpy(), rtol=1e-4, atol=1e-6)


def test_filters_are_the_first_convolutions_weights(checkpoint: Path, timeline: Timeline) -> None:
    layer, weights = timelines.filters_over_time(timeline)
    assert layer == "conv1"
    assert weights.shape == (5, 4, 3, 3, 3)
    for place, net in enumerate(alone(checkpoint)):
        np.testing.assert_array_equal(weights[place], net.get_submodule("conv1").weight.detach().numpy())  # type: ignore[union-attr,operator]


def test_a_network_without_a_convolution_has_no_filters(timeline: Timeline) -> None:
    flat = Timeline((0,), (nn.Sequential(nn.Flatten(), nn.Linear(4, 2)),), "")
    with pytest.raises(ValueError, match="no convolution"):
        timelines.filters_over_time(flat)
    with pytest.raises(ValueError, match="choose another layer"):
        timelines.maps_over_time(timeline, torch.zeros(1, 3, 16, 16), "relu9")


def test_the_digest_is_of_epochs_and_weights(checkpoint: Path, timeline: Timeline) -> None:
    paths = [
        path for _, path in sorted((file.epoch, file.path) for file in timelines.snapshots_of(checkpoint))
    ]
    lines = [
        f"{epoch} {load_checkpoint(path).digest}"
        for epoch, path in zip((*EPOCHS, 6), (*paths, checkpoint), strict=True)
    ]
    assert timeline.digest == hashlib.sha256("\n".join(lines).encode()).hexdigest()
    fewer = timelines.open_timeline(timelines.snapshots_of(checkpoint)[1:], load_checkpoint(checkpoint))
    assert fewer.digest != timeline.digest


def test_a_broken_and_a_foreign_snapshot_are_left_out_and_named(checkpoint: Path, small: Tensor) -> None:
    folder = folder_of(checkpoint)
    broken = folder / "epoch-0001.safetensors"
    broken.write_bytes(broken.read_bytes()[:-9])
    other = replace(card(2), arguments={"widths": [3, 3], "hidden": 8})
    net = NETS["course"](classes=3, input_size=16, **other.arguments)
    save_checkpoint(folder / "epoch-0002.safetensors", other, net.state_dict())
    found = timelines.open_timeline(timelines.snapshots_of(checkpoint), load_checkpoint(checkpoint))
    assert found.epochs == (0, 5, 6)
    assert "epoch-0001.safetensors is cut off or damaged" in str(found.left_out[0])
    assert "epoch-0002.safetensors is a snapshot of another network" in str(found.left_out[1])
    assert timelines.course_of(found, small).probabilities.shape == (3, 3)


def test_without_a_good_snapshot_it_is_a_sentence(checkpoint: Path) -> None:
    for path in folder_of(checkpoint).iterdir():
        path.write_bytes(b"broken")
    with pytest.raises(Problem, match="--snapshot-every 1"):
        timelines.open_timeline(timelines.snapshots_of(checkpoint), load_checkpoint(checkpoint))


def test_the_networks_are_not_touched(timeline: Timeline, small: Tensor, untouched) -> None:  # type: ignore[no-untyped-def]
    with untouched(timeline.nets[1]):
        timelines.course_of(timeline, small)
        timelines.heat_over_time(timeline, small, "relu1", 0)
        timelines.norms_over_time(timeline, small, "bn2")


# Which snapshots


def files(count: int, size: int = 1000) -> list[SnapshotFile]:
    return [SnapshotFile(epoch, Path(f"{epoch}"), 0, size) for epoch in range(count)]


@pytest.mark.parametrize(("count", "most"), [(1, 24), (2, 2), (20, 24), (25, 24), (200, 24), (7, 3)])
def test_a_few_are_chosen_evenly_with_both_ends(count: int, most: int) -> None:
    chosen = [file.epoch for file in timelines.chosen(files(count), most)]
    assert len(chosen) == min(count, most)
    assert (chosen[0], chosen[-1]) == (0, count - 1)
    gaps = np.diff(chosen)
    assert len(gaps) == 0 or gaps.max() - gaps.min() <= 1


def test_fewer_are_chosen_where_networks_are_large_but_two() -> None:
    assert len(timelines.chosen(files(20, size=1000), 24, most_bytes=10_000)) == 5
    assert [file.epoch for file in timelines.chosen(files(20, size=10**9))] == [0, 19]
    assert timelines.chosen([]) == ()


# Of one run


def kept(path: Path, **changed: object) -> CardFile:
    values = {"config": {"seed": 1, "lr": 0.1, "epochs": 5}, **changed}
    return CardFile(replace(card(3), **values), path)  # type: ignore[arg-type]


def test_snapshots_and_the_checkpoint_beside_them_are_of_one_run(tmp_path: Path) -> None:
    whole = kept(tmp_path / "run.safetensors")
    early = kept(folder_of(tmp_path / "run.safetensors") / "epoch-0001.safetensors", epoch=1)
    late = kept(folder_of(tmp_path / "run.safetensors") / "epoch-0005.safetensors", epoch=5)
    assert timelines.of_one_run(whole, early)
    assert timelines.of_one_run(late, early)
    longer = replace(late, card=replace(late.card, config={**late.card.config, "epochs": 9}))
    assert timelines.of_one_run(longer, early)  # a run that was resumed for longer


@pytest.mark.parametrize(
    "changed",
    [
        {"config": {"seed": 2, "lr": 0.1, "epochs": 5}},
        {"config": {"seed": 1, "lr": 0.2, "epochs": 5}},
        {"config": {"lr": 0.1, "epochs": 5}},
        {"arguments": {"widths": [4, 8], "hidden": 8}},
        {"net": "resnet9"},
        {"data": "other images"},
        {"recipe": "fast"},
    ],
    ids=str,
)
def test_another_network_seed_setting_or_data_is_another_run(
    tmp_path: Path, changed: dict[str, object]
) -> None:
    whole = kept(tmp_path / "run.safetensors")
    other = kept(folder_of(tmp_path / "run.safetensors") / "epoch-0001.safetensors", **changed)
    assert not timelines.of_one_run(whole, other)


def test_equal_cards_in_other_places_do_not_show_one_run(tmp_path: Path) -> None:
    whole, copied = kept(tmp_path / "run.safetensors"), kept(tmp_path / "copy.safetensors")
    assert not timelines.of_one_run(whole, copied)
    assert not timelines.of_one_run(whole, replace(copied, path=None))


def test_without_a_recorded_seed_nothing_is_known_of_a_run(tmp_path: Path) -> None:
    plain = CardFile(card(3), tmp_path / "run.safetensors")
    assert not timelines.of_one_run(plain, plain)


def test_what_is_left_out_is_said_in_the_language_in_use(checkpoint: Path) -> None:
    other = NETS["course"](classes=3, input_size=16, widths=[4, 8], hidden=8)
    save_snapshot(checkpoint, replace(card(2), arguments={"widths": [4, 8], "hidden": 8}), other.state_dict())
    found = timelines.open_timeline(timelines.snapshots_of(checkpoint), load_checkpoint(checkpoint))
    (problem,) = found.left_out
    assert problem.__traceback__ is None
    words.use(words.PSEUDO)
    try:
        assert str(problem).startswith("⟦epoch-0002.safetensors")
    finally:
        words.use(words.ENGLISH)
