"""`python -m explorer.scoreboard`: its files, its sentences, and several processes."""

import re
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from explorer import scoreboard
from explorer.engine.scoreboard import board, chunks, running
from model.card import Card
from model.checkpoint import save_checkpoint
from model.nets import NETS
from tests import forks
from tests.test_scan_command import OF_TOKENS, TOKENS

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(autouse=True)
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chunks, "CHUNK", 2)
    monkeypatch.setattr(running, "RECALIBRATION", 2)


def arguments(mine: Path, *more: str) -> list[str]:
    return ["--checkpoint", str(mine), "--out", str(mine.parent / "out"), "--images", "4", "--methods",
            "grad_cam", "--scores", "deletion,redrawing", *more]  # fmt: skip


def test_it_writes_every_file_and_publishes_beside_the_checkpoint(
    mine: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert scoreboard.main(arguments(mine, "--publish")) == 0
    assert "Grad-CAM at relu3" in capsys.readouterr().out
    for name in ("scoreboard.json", "scoreboard.csv", "scoreboard.md", "scoreboard.png"):
        assert (mine.parent / "out" / name).stat().st_size > 100
    made = board.read(board.path_beside(mine, "scenes"))
    assert [row.key for row in made.rows] == ["grad_cam@relu3", "random", "gaussian", "area"]
    assert made.images == 4
    assert str(mine.parent / "out") not in made.command


def test_validation_images_are_said_to_be_the_test_images(
    mine: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    picture = mine.parent / "photos" / "val" / "cat" / "1.png"
    picture.parent.mkdir(parents=True)
    Image.new("RGB", (32, 32), "red").save(picture)
    more = (
        "--dataset",
        "folder",
        "--data-dir",
        str(mine.parent / "photos"),
        "--images",
        "1",
        "--scores",
        "deletion",
    )
    assert scoreboard.main(arguments(mine, *more)) == 0
    assert "the images in val are the test images" in capsys.readouterr().out


def test_the_time_left_of_a_scoreboard_gone_on_with_is_that_of_measuring(
    capsys: pytest.CaptureFixture[str],
) -> None:
    now = 0.0
    tell = scoreboard._progress(lambda: now)
    for done in (40, 41, 42):
        tell(done, 50)
        now += 60.0
    assert capsys.readouterr().out.splitlines() == [
        "40 of 50 chunks of 10 images",
        "41 of 50 chunks of 10 images, about 0:09:00 left",
        "42 of 50 chunks of 10 images, about 0:08:00 left",
    ]


def test_the_command_names_no_folder_of_this_machine() -> None:
    words = [
        "--checkpoint",
        "/secret/a.safetensors",
        "--classes=/secret/names.txt",
        "--data-dir=/secret",
        "--out",
        "/secret",
        "--shard",
        "1/2",
        "--note",
        "b c",
    ]
    expected = (
        "python -m explorer.scoreboard --checkpoint a.safetensors --classes names.txt --data-dir DIR "
        "--out DIR --note 'b c'"
    )
    assert scoreboard.command_of(words) == expected
    short = [
        "--check",
        "/secret/a.pt",
        "--class=/secret/n.txt",
        "--data-d",
        "/secret",
        "--images=3",
        "--note",
        "a=b",
    ]
    assert scoreboard.command_of(short) == (
        "python -m explorer.scoreboard --checkpoint a.pt --classes n.txt --data-dir DIR --images=3 --note a=b"
    )


def test_shards_are_merged_by_the_command_without_shard(
    mine: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert scoreboard.main(arguments(mine, "--shard", "2/2")) == 0
    assert "1 chunk is not measured yet" in capsys.readouterr().out
    assert not (mine.parent / "out" / "scoreboard.json").exists()
    assert scoreboard.main(arguments(mine)) == 0
    assert board.read(mine.parent / "out" / "scoreboard.json").images == 4


@pytest.mark.parametrize(
    ("more", "sentence"),
    [
        (("--methods", "mine"), "--methods must be some of grad_cam"),
        (("--shard", "3/2"), "--shard must be two whole numbers such as 1/4, not 3/2"),
        (("--images", "0"), "--images must be a whole number of at least 1"),
        (("--dataset", "photos"), "--dataset must be one of scenes, folder, cifar10, not photos"),
    ],
)
def test_a_wrong_flag_is_one_sentence(
    mine: Path, capsys: pytest.CaptureFixture[str], more: tuple[str, ...], sentence: str
) -> None:
    with pytest.raises(SystemExit):
        scoreboard.main(arguments(mine, *more))
    assert sentence in capsys.readouterr().err


@pytest.mark.parametrize(
    ("more", "sentence"),
    [
        (("--dataset", "folder"), "There is no folder empty: give the one with the images, as test/CLASS/"),
        (("--dataset", "cifar10"), "CIFAR-10 is not in"),
        (("--layer", "conv9"), "There is no layer 'conv9'"),
        (("--images-again", "5"), "--images-again must be at most --images, which is 4, not 5."),
        (("--weights", "ema"), "ema"),
        (("--mean", "0.1,0.2"), "--mean has 2 numbers"),
        (("--checkpoint", "nowhere.safetensors"), "nowhere.safetensors"),
    ],
)
def test_what_is_not_there_is_one_sentence(
    mine: Path, capsys: pytest.CaptureFixture[str], more: tuple[str, ...], sentence: str
) -> None:
    assert scoreboard.main(arguments(mine, "--data-dir", str(mine.parent / "empty"), *more)) == 1
    assert sentence in capsys.readouterr().err


def test_results_of_another_measurement_are_not_replaced(
    mine: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert scoreboard.main(arguments(mine)) == 0
    before = (mine.parent / "out" / "scoreboard.json").read_bytes()
    assert scoreboard.main(arguments(mine, "--std", "0.3")) == 1
    assert "has the results of another measurement" in capsys.readouterr().err
    assert scoreboard.main(arguments(mine, "--seed", "1")) == 1
    assert (
        "out has the results of another measurement: checkpoint mine, data set scenes, layer relu3, seed 0. "
        "Give another --out." in capsys.readouterr().err
    )
    assert (mine.parent / "out" / "scoreboard.json").read_bytes() == before
    assert scoreboard.main(arguments(mine, "--images", "6")) == 0
    assert board.read(mine.parent / "out" / "scoreboard.json").images == 6


OTHERWISE = {
    "fewer images": ("--images", "2"),
    "another layer": ("--layer", "relu2"),
    "another seed": ("--seed", "1"),
    "another method": ("--methods", "layer_cam"),
    "fewer scores": ("--scores", "deletion"),
    "other data": ("--note", "drawn twice"),
    "another preprocessing": ("--std", "0.3"),
}


def test_published_numbers_are_replaced_only_by_as_many_of_the_same(
    mine: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    published = board.path_beside(mine, "scenes")
    assert scoreboard.main(arguments(mine, "--publish")) == 0
    before = published.read_bytes()
    for number, (name, flags) in enumerate(OTHERWISE.items()):
        words = arguments(mine, "--publish", *flags, "--out", str(mine.parent / f"other {number}"))
        capsys.readouterr()
        assert scoreboard.main(words) == 1, name
        said = capsys.readouterr()
        assert said.err == (
            "error: mine.scoreboard-scenes.json was measured with other settings, or with more: 4 images "
            "(drawn scenes that are in no training or test set, seeds from 2,147,483,648 on), 4 rows, "
            "2 scores, layer relu3, seed 0. Give --overwrite to replace it, or leave --publish out.\n"
        )
        assert not said.out, "it is refused before anything is measured"
        assert published.read_bytes() == before
    assert scoreboard.main(arguments(mine, "--publish", "--images", "6")) == 0
    assert board.read(published).images == 6
    words = arguments(mine, "--publish", "--images", "2", "--overwrite", "--out", str(mine.parent / "few"))
    assert scoreboard.main(words) == 0
    assert board.read(published).images == 2
    assert "--overwrite" not in board.read(published).command


def test_two_folders_of_the_same_name_are_told_apart(mine: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def measured(folder: str, *flags: str) -> int:
        place = mine.parent / folder / "photos"
        (place / "test" / "cat").mkdir(parents=True, exist_ok=True)
        for k in range(4):
            pixels = np.random.default_rng((len(folder), k)).integers(0, 256, (32, 32, 3), np.uint8)
            Image.fromarray(pixels).save(place / "test" / "cat" / f"{k}.png")
        words = ["--dataset", "folder", "--data-dir", str(place), "--scores", "deletion", *flags]
        return scoreboard.main(arguments(mine, *words))

    assert measured("one", "--publish") == 0
    assert measured("one", "--publish") == 0, "the same images"
    capsys.readouterr()
    assert measured("second") == 1
    assert "out has the results of other images, whose data set is also called" in capsys.readouterr().err
    other = ("--publish", "--out", str(mine.parent / "other"))
    assert measured("second", *other) == 1
    assert "was measured on other images, whose data set is also called “photos”" in capsys.readouterr().err
    assert measured("second", *other, "--overwrite") == 0


def test_published_numbers_of_other_weights_are_out_of_date(mine: Path) -> None:
    assert scoreboard.main(arguments(mine, "--publish")) == 0
    torch.manual_seed(1)
    settings = {"widths": [4, 4, 4], "hidden": 8}
    save_checkpoint(mine, Card(arguments=settings), NETS["course"](**settings).state_dict())
    again = ["--publish", "--images", "2", "--out", str(mine.parent / "again")]
    assert scoreboard.main(arguments(mine, *again)) == 0
    assert board.read(board.path_beside(mine, "scenes")).images == 2


def test_the_grid_of_tokens_and_one_of_several_outputs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "own_token_board.py").write_text(TOKENS)
    monkeypatch.syspath_prepend(tmp_path)
    torch.save(import_module("own_token_board").Tokens().state_dict(), tmp_path / "tokens.pth")
    own = [word.replace("own_tokens", "own_token_board") for word in OF_TOKENS]
    words = [*arguments(tmp_path / "tokens.pth", *own, "--layer", "norm"), "--output-name", "fine"]
    assert scoreboard.main(words) == 1
    assert "There is no layer 'norm' with feature maps" in capsys.readouterr().err
    assert scoreboard.main([*words, "--grid", "8x4"]) == 0
    made = board.read(tmp_path / "out" / "scoreboard.json")
    assert made.rows[0].key == "grad_cam@norm"
    assert "--output-name fine --grid 8x4" in made.command


@pytest.mark.parametrize("error", [MemoryError(), RuntimeError("gloo: Connection closed by peer")])
def test_a_sentence_names_only_flags_of_this_command(
    error: Exception, mine: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fails(*_: object) -> None:
        raise error

    monkeypatch.setattr(scoreboard, "_command", fails)
    assert scoreboard.main(arguments(mine)) == 1
    sentence = capsys.readouterr().err
    assert sentence.startswith("error: ")
    assert set(re.findall(r"--[a-z-]+", sentence)) <= scoreboard.parser()._option_string_actions.keys()


def test_an_error_of_the_program_itself_is_raised(mine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scoreboard, "_command", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        scoreboard.main(arguments(mine))


def test_torchrun_shares_the_images(mine: Path) -> None:
    out = mine.parent / "shared"
    words = ["--checkpoint", str(mine), "--out", str(out), "--images", "20", "--methods", "grad_cam",
             "--scores", "deletion", "--device", "cpu"]  # fmt: skip
    ran = forks.torchrun(2, "-m", "explorer.scoreboard", *words)
    assert [each.returncode for each in ran] == [0, 0], ran
    assert [each.stdout.count("Saved ") for each in ran] == [4, 0]
    assert board.read(out / "scoreboard.json").images == 20
