"""Stopped and resumed, in one piece or in shards: the same scoreboard to the byte."""

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from explorer.engine.attribution import attribute
from explorer.engine.network import Network
from explorer.engine.scoreboard import running
from explorer.engine.scoreboard.board import Board, to_json
from explorer.engine.scoreboard.image_sets import ImageSet, scenes
from explorer.engine.scoreboard.running import Measurement, board_of, chunks_of, run
from explorer.engine.scores import SCORES, Subject
from explorer.engine.scores.deletion import deletions
from model.problems import Problem
from tests.engine.scoreboard.conftest import CARD, CHEAP, CHUNK, MeasuredBoard

Ready = Callable[..., Measurement]


def quiet(done: int, total: int) -> None:
    """Tells nobody."""


def finished(measurement: Measurement) -> Board:
    chunks, lacking = chunks_of(measurement)
    assert lacking == 0
    return board_of(measurement, chunks, "tiny", "command")


def measured(measurement: Measurement) -> Board:
    run(measurement, quiet)
    return finished(measurement)


class Stopped(Exception):
    """As Ctrl-C."""


def stopping_at(judge: type, monkeypatch: pytest.MonkeyPatch, row: int) -> None:
    """The measurement of this row, counted from 0, is interrupted."""
    original, seen = judge.row, iter(range(1000))

    def interrupted(self: object, *arguments: object) -> object:
        if next(seen) == row:
            raise Stopped
        return original(self, *arguments)

    monkeypatch.setattr(judge, "row", interrupted)


@pytest.mark.parametrize("row", [0, 7])
def test_a_resumed_board_is_that_of_an_uninterrupted_run(
    ready: Ready, whole: MeasuredBoard, monkeypatch: pytest.MonkeyPatch, row: int
) -> None:
    with monkeypatch.context() as patched:
        stopping_at(running.Judge, patched, row)
        with pytest.raises(Stopped):
            run(ready(out="resumed"), quiet)
    assert to_json(measured(ready(out="resumed"))) == to_json(whole.board)
    told: list[tuple[int, int]] = []
    again = ready(out="resumed")
    run(again, lambda done, total: told.append((done, total)))
    assert told == [(len(again.pieces), len(again.pieces))]


def test_shards_merge_into_one_run(ready: Ready, whole: MeasuredBoard) -> None:
    for index in (1, 0):
        run(ready(out="shards"), quiet, index, 2)
    assert to_json(finished(ready(out="shards"))) == to_json(whole.board)


def test_a_shard_alone_lacks_the_chunks_of_the_others(ready: Ready) -> None:
    measurement = ready()
    run(measurement, quiet, 0, 2)
    assert chunks_of(measurement)[1] == 1


def test_nothing_is_measured_twice(ready: Ready, monkeypatch: pytest.MonkeyPatch) -> None:
    first = measured(ready())
    stopping_at(running.Judge, monkeypatch, 0)
    assert measured(ready()) == first


def test_more_scores_and_methods_add_to_what_is_there(ready: Ready, whole: MeasuredBoard) -> None:
    all_rows = whole.board.rows
    few = measured(ready(methods=("saliency",), scores=("deletion",)))
    assert [row.key for row in few.rows] == ["saliency", "random", "gaussian", "area"]
    seconds = {row.key: row.seconds for row in all_rows}
    later = measured(ready())
    assert [replace(row, seconds=seconds[row.key]) for row in later.rows] == list(all_rows)


def test_a_damaged_chunk_is_measured_anew(ready: Ready, whole: MeasuredBoard) -> None:
    folder = ready().store.folder
    shutil.copytree(whole.folder, folder, dirs_exist_ok=True)
    path = ready().store.path(range(CHUNK))
    for damage in (b"", b"[]", b'{"start": 0}', path.read_bytes()[:-5]):
        path.write_bytes(damage)
        assert to_json(measured(ready())) == to_json(whole.board)


def test_another_seed_network_or_image_set_has_files_of_its_own(
    ready: Ready, network: Network, drawn: ImageSet
) -> None:
    folders = {
        ready().store.folder,
        ready(seed=1).store.folder,
        ready(layer="1").store.folder,
        ready(on=replace(drawn, digest="other")).store.folder,
    }
    assert len(folders) == 4


def test_a_cell_is_the_mean_of_the_score_of_each_image(
    ready: Ready, network: Network, drawn: ImageSet
) -> None:
    rows = {row.key: row for row in measured(ready(images=6)).rows}
    values, chances, above = [], [], []
    for number in range(6):
        x = CARD.to_input(drawn.take(number).pixels)
        target = int(network.net(x).argmax())
        heat = attribute(network.net, x, "grad_cam", layer="4", target=target)
        seed = number - number % CHUNK  # of its chunk
        result = deletions(Subject(network.net, x, heat, seed=seed))
        values.append(result.value)
        chances.append(result.chance.mean())
        above.append(result.above_chance)
    cell = rows["grad_cam@4"].cells["deletion"]
    assert cell.value.mean == pytest.approx(np.mean(values), abs=1e-6)
    assert cell.chance.mean == pytest.approx(np.mean(chances), abs=1e-6)
    assert cell.above.mean == pytest.approx(np.mean(above), abs=1e-6)


def test_scores_that_make_the_map_again_can_have_fewer_images(ready: Ready) -> None:
    cells = measured(ready(images_again=CHUNK)).rows[0].cells
    assert (cells["class_sensitivity"].value.n, cells["deletion"].value.n) == (CHUNK, 2 * CHUNK)


def test_maps_that_no_network_made_are_known(whole: MeasuredBoard) -> None:
    rows = {row.key: row.cells for row in whole.board.rows}
    for name in ("random", "gaussian", "area"):
        assert rows[name]["class_sensitivity"].value.mean == pytest.approx(1)
    scene_areas = [scenes(CARD, 0).take(n).mask.mean() for n in range(2 * CHUNK)]
    assert rows["area"]["inside_object"].value.mean == pytest.approx(
        np.mean(1 / np.array(scene_areas)), rel=1e-6
    )
    assert rows["random"]["inside_object"].value.mean == pytest.approx(1, abs=0.5)


def test_an_unreadable_image_is_named_and_passed_over(ready: Ready, photo_set: ImageSet) -> None:
    board = measured(ready(images=50, on=photo_set, scores=("deletion",)))
    assert board.images == 10
    assert len(board.images_left_out) == 2
    assert all("broken.png" in sentence for sentence in board.images_left_out)
    assert {row.cells["deletion"].value.n for row in board.rows} == {10}


def test_what_cannot_be_measured_has_its_reason(ready: Ready, photo_set: ImageSet) -> None:
    measurement = ready(on=photo_set, methods=("grad_cam",))
    board = measured(measurement)
    assert set(board.methods_left_out) == {"area"}
    assert set(board.scores_left_out) == {"inside_object", "redrawing"}
    assert board.scores == tuple(
        name for name in SCORES if name in CHEAP and name not in board.scores_left_out
    )


def test_only_unreadable_images_end_in_a_sentence(ready: Ready, photo_set: ImageSet) -> None:
    def unreadable(number: int) -> object:
        raise Problem("{name} cannot be read.", name=number)

    with pytest.raises(Problem, match="None of the first 4 images can be read"):
        ready(on=replace(photo_set, take=unreadable))


def test_a_layer_that_is_not_there_ends_in_a_sentence(ready: Ready) -> None:
    with pytest.raises(Problem, match="There is no layer 'conv9'"):
        ready(layer="conv9")


class Gated(nn.Module):
    """The last layers that run are a gate of one position, and a norm that nothing reads."""

    def __init__(self, unread: bool) -> None:
        super().__init__()
        self.conv, self.norm, self.unread = nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), unread
        self.gate, self.last, self.head = nn.Conv2d(4, 4, 1), nn.GroupNorm(1, 4), nn.Linear(4, 3)

    def forward(self, x: Tensor) -> Tensor:
        maps = self.norm(self.conv(x))
        maps = maps * torch.sigmoid(self.gate(maps.mean((2, 3), keepdim=True)))
        if self.unread:
            self.last(maps * 2)
        return self.head(maps.mean((2, 3)))


@pytest.mark.parametrize("unread", [False, True])
def test_the_layer_that_is_explained_has_positions_that_count(unread: bool) -> None:
    assert running.last_activation(Gated(unread).eval(), torch.rand(2, 3, 6, 6)) == "norm"


def test_scenes_are_in_no_training_or_test_set(drawn: ImageSet) -> None:
    origins = [drawn.take(number).origin for number in range(4)]
    assert all(origin.seed >= 2**31 for origin in origins)  # data sets draw theirs below
    assert len({(origin.label, origin.seed) for origin in origins}) == 4


def test_the_board_does_not_disturb_the_network(ready: Ready, network: Network) -> None:
    before = {name: value.clone() for name, value in network.net.state_dict().items()}
    measured(ready(images=2))
    assert all(torch.equal(value, before[name]) for name, value in network.net.state_dict().items())


def test_an_empty_folder_of_results_is_not_a_board(ready: Ready, tmp_path: Path) -> None:
    chunks, lacking = chunks_of(ready())
    assert (chunks, lacking) == ([], 2)
