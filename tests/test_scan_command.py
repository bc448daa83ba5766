"""`python -m explorer.scan`: its file, its sentences, and several processes."""

import os
import re
import signal
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from explorer import scan
from explorer.engine.network import network_of
from explorer.engine.network_source import Source
from explorer.engine.opening import open_source
from explorer.engine.samples import find_test_set
from explorer.engine.scan import pace, running
from explorer.engine.scan.finding import find
from explorer.engine.scan.images import scan_images
from explorer.engine.scan.result import load
from explorer.ui import options
from model.card import Card
from tests import forks

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    random = np.random.default_rng(0)
    for name in ("cat", "dog", "plate"):
        place = tmp_path / "photos" / "test" / name
        place.mkdir(parents=True)
        for index in range(3):
            Image.fromarray(random.integers(0, 255, (32, 32, 3), np.uint8)).save(place / f"{index}.png")
    (tmp_path / "photos" / "test" / "cat" / "1.png").write_bytes(b"\x89PNG\r\n\x1a\n and nothing more")
    return tmp_path / "photos"


GRAY = """
from torch import nn
from model.nets import NETS

def make(num_classes):
    net = NETS["course"](widths=[4, 4, 4], hidden=8, classes=num_classes)
    net.conv1 = nn.Conv2d(1, 4, 3, padding=1)
    return net
"""


def arguments(mine: Path, *more: str, out: str = "out") -> list[str]:
    start = ["--checkpoint", str(mine), "--out", str(mine.parent / out), "--device", "cpu"]
    return [*start, *(more or ("--dataset", "scenes", "--limit", "6"))]


def the_file(mine: Path, out: str = "out") -> Path:
    (path,) = (mine.parent / out).glob("*.safetensors")
    return path


def test_the_explorer_finds_its_file(mine: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert scan.main(arguments(mine)) == 0
    assert re.search(r"Accuracy: .* \(95% interval .* to .*, n = 6\)\nSaved ", capsys.readouterr().out)
    opening = open_source(Source(path=mine))
    network = network_of(opening.checkpoint, opening.checkup)
    images = scan_images("scenes", network.card, mine.parent, limit=6)
    assert find(mine.parent / "out", network, images.digest) == the_file(mine)
    assert load(the_file(mine)) == running.scan(network, images)


def test_an_own_network_is_described_by_the_flags_of_the_explorer(
    mine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the app opens with the same options finds the scan of the command."""
    (mine.parent / "gray_builder.py").write_text(GRAY)
    monkeypatch.syspath_prepend(mine.parent)
    path = mine.parent / "own.pth"
    torch.save({"model": import_module("gray_builder").make(3).state_dict(), "epoch": 3}, path)
    own = ["--net", "gray_builder:make", "--classes", "cat,dog,ship", "--input-size", "32", "--channels", "1",
           "--mean", "0.4", "--std", "0.2", "--output", "logits", "--resize", "36"]  # fmt: skip
    assert scan.main(arguments(path, *own, "--dataset", "scenes", "--limit", "6")) == 0
    monkeypatch.setattr("sys.argv", ["app.py", "--checkpoint", str(path), *own])
    opening = open_source(options.options().own)
    network = network_of(opening.checkpoint, opening.checkup)
    images = scan_images("scenes", network.card, mine.parent, limit=6)
    assert find(mine.parent / "out", network, images.digest) == the_file(mine)
    found = load(the_file(mine))
    assert (found.card["mean"], found.card["resize"], found.card["channels"]) == ([0.4], 36, 1)
    assert found.logits.shape == (6, 3)


TOKENS = """
import torch
from torch import nn

class Tokens(nn.Module):
    "Patches of 4 x 8 pixels, so that 32 tokens lie on 8 rows and 4 columns; two outputs."

    def __init__(self, num_classes=3):
        super().__init__()
        self.patches, self.embed = nn.Unfold((4, 8), stride=(4, 8)), nn.Linear(96, 6)
        self.norm, self.act = nn.LayerNorm(6), nn.GELU()
        self.coarse, self.fine = nn.Linear(6, num_classes), nn.Linear(6, num_classes)

    def forward(self, x):
        tokens = self.act(self.norm(self.embed(self.patches(x).transpose(1, 2))))
        return {"coarse": self.coarse(tokens.mean(1)), "fine": self.fine(tokens.mean(1))}
"""
OF_TOKENS = ["--net", "own_tokens:Tokens", "--classes", "cat,dog,ship", "--input-size", "32", "--mean", "0.5",
             "--std", "0.5"]  # fmt: skip


@pytest.fixture
def tokens(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "own_tokens.py").write_text(TOKENS)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "own_tokens", raising=False)
    torch.manual_seed(3)
    torch.save(import_module("own_tokens").Tokens().state_dict(), tmp_path / "tokens.pth")
    return tmp_path / "tokens.pth"


def test_the_grid_of_tokens_and_one_of_several_outputs(
    tokens: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = arguments(tokens, *OF_TOKENS, "--dataset", "scenes", "--limit", "4")
    assert scan.main(words) == 1
    assert "choose the logits with --output-name, such as --output-name coarse" in capsys.readouterr().err
    words += ["--output-name", "fine"]
    assert scan.main([*words, "--grid", "4x5"]) == 1
    assert "(numbers of tokens: 32)" in capsys.readouterr().err
    assert scan.main([*words, "--grid", "8x4"]) == 0
    found = load(the_file(tokens))
    net = import_module("own_tokens").Tokens().eval()
    net.load_state_dict(torch.load(tokens))
    images = scan_images("scenes", Card(classes=found.classes, input_size=32), tokens.parent, limit=4)
    pixels = torch.tensor(np.stack([images.take(number).pixels for number in range(4)]))
    x = pixels.permute(0, 3, 1, 2) / 127.5 - 1
    with torch.no_grad():
        np.testing.assert_allclose(found.logits, net(x)["fine"], atol=1e-5)
        maps = net.norm(net.embed(net.patches(x).transpose(1, 2))).transpose(1, 2).reshape(4, 6, 8, 4)
    layer = found.layers["norm"]
    np.testing.assert_allclose(layer.image_mean, maps.mean((2, 3)), atol=1e-5)
    where = maps[torch.from_numpy(layer.top_rows), torch.arange(6)[:, None]].flatten(2).argmax(2)
    np.testing.assert_array_equal(layer.top_positions, np.stack([where // 4, where % 4], 2))


def test_the_pace_needs_only_the_last_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    kept = []
    monkeypatch.setattr(pace, "recent_pace", lambda batches: kept.append(len(batches)) or 0.01)
    now = 0.0
    tell = scan._progress(100, lambda: now)
    for _ in range(100):
        now += 10.0
        tell(1)
    assert max(kept) == pace.RECENT


def test_the_time_left_of_a_scan_gone_on_with_is_that_of_computing(
    capsys: pytest.CaptureFixture[str],
) -> None:
    now = 0.0
    tell = scan._progress(50 * 100, lambda: now)
    for _ in range(40):  # read from disk
        tell(100)
    for _ in range(5):
        now += 10.0
        tell(100)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "4,100 of 5,000 images, about 0:01:30 left"
    assert lines[-1] == "4,500 of 5,000 images, about 0:00:50 left"


def test_a_finished_scan_is_not_made_again(mine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert scan.main(arguments(mine)) == 0
    monkeypatch.setattr(running, "run", lambda *_: 1 / 0)
    assert scan.main(arguments(mine)) == 0


def test_a_damaged_result_is_made_anew(mine: Path) -> None:
    assert scan.main(arguments(mine)) == 0
    path = the_file(mine)
    data = path.read_bytes()
    path.write_bytes(data[:-100])
    assert scan.main(arguments(mine)) == 0
    assert path.read_bytes() == data


def test_a_damaged_part_does_not_keep_other_scans_from_being_merged(
    mine: Path, small: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for limit in ("4", "5", "6"):
        for share in ("1/2", "2/2"):
            more = ("--dataset", "scenes", "--limit", limit, "--shard", share)
            assert scan.main(arguments(mine, *more)) == 0
    folders = sorted((mine.parent / "out" / "shards").iterdir())
    damaged = [min(folder.iterdir()) for folder in folders[:2]]
    for path in damaged:
        path.write_bytes(b"damaged")
    out = str(mine.parent / "out")
    capsys.readouterr()
    assert scan.main(["merge", out, "--out", out]) == 1
    said = capsys.readouterr()
    assert all(f"out/shards/{path.parent.name}/{path.name}" in said.err for path in damaged)
    assert said.err.count("error: ") == 2
    assert said.out.count("Saved ") == 1


def test_unreadable_images_and_other_classes_are_named_and_counted(
    mine: Path, photos: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert scan.main(arguments(mine, "--dataset", "folder", "--data-dir", str(photos))) == 0
    said = capsys.readouterr().out
    assert "n = 5)" in said
    assert "3 images have labels that are none of the network’s classes" in said
    assert "1 image cannot be read and is left out:\n- cat/1.png" in said
    assert len(load(the_file(mine))) == 8


def test_a_network_whose_classes_have_other_names_is_told_how_to_name_them(
    mine: Path, photos: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ten = ("--classes", "10")
    assert scan.main(arguments(mine, "--dataset", "folder", "--data-dir", str(photos), *ten)) == 0
    said = capsys.readouterr().out
    assert "8 images have labels that are none of the network’s classes" in said
    assert "give --classes with those of the class folders" in said
    assert scan.main(arguments(mine, "--dataset", "folder", "--data-dir", str(photos))) == 0
    assert "--classes" not in capsys.readouterr().out


@pytest.mark.parametrize("name", [".", "val"])
def test_a_folder_without_test_says_which_images_are_the_test_set(
    mine: Path, photos: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    (photos / "test").rename(photos.parent / "images")
    data = photos.parent / "images" if name == "." else photos
    if name == "val":
        (photos.parent / "images").rename(photos / name)
    assert scan.main(arguments(mine, "--dataset", "folder", "--data-dir", str(data), "--limit", "2")) == 0
    note = find_test_set(data).notes()  # type: ignore[union-attr]
    assert note
    assert capsys.readouterr().out.startswith(note + "\n")


def test_parts_are_merged(
    mine: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(running, "BATCH", 2)
    monkeypatch.setattr(running, "SHARD", 1)
    assert scan.main(arguments(mine, out="whole")) == 0
    given = ("--dataset", "scenes", "--limit", "6")
    for number in (1, 2):
        assert scan.main(arguments(mine, *given, "--shard", f"{number}/2", out=f"part{number}")) == 0
        assert "python -m explorer.scan merge" in capsys.readouterr().out
    folders = [str(mine.parent / f"part{number}") for number in (1, 2)]
    out = ["--out", str(mine.parent / "merged")]
    assert scan.main(["merge", folders[0], *out]) == 1
    assert "2 of 6 images are not scanned yet" in capsys.readouterr().err
    assert scan.main(["merge", *folders, *out]) == 0
    assert the_file(mine, "merged").read_bytes() == the_file(mine, "whole").read_bytes()
    assert scan.main(["merge", *folders, *out]) == 1
    assert "There is no part of a scan in" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("more", "sentence"),
    [
        (("--dataset", "photos"), "--dataset must be one of cifar10, folder, scenes, not photos"),
        (("--dataset", "scenes", "--split", "val"), "--split must be one of test, train, not val"),
        (("--dataset", "scenes", "--limit", "0"), "--limit must be a whole number of at least 1"),
        (("--dataset", "scenes", "--shard", "3/2"), "--shard must be two whole numbers such as 1/4, not 3/2"),
        (("--limit", "2"), "--dataset must be given"),
    ],
)
def test_a_wrong_flag_is_one_sentence(
    mine: Path, capsys: pytest.CaptureFixture[str], more: tuple[str, ...], sentence: str
) -> None:
    with pytest.raises(SystemExit):
        scan.main(arguments(mine, *more))
    assert sentence in capsys.readouterr().err


@pytest.mark.parametrize(
    ("more", "sentence"),
    [
        (("--dataset", "folder"), "There is no folder empty: give the one with the images, as test/CLASS/"),
        (("--dataset", "folder", "--data-dir", __file__), "test_scan_command.py is a file: give the folder"),
        (("--dataset", "folder", "--split", "train"), "There is no folder empty: give the one with"),
        (("--dataset", "cifar10"), "CIFAR-10 is not in"),
        (("--dataset", "scenes", "--split", "train"), "Scenes have no training split"),
        (("--dataset", "scenes", "--mean", "0.1,0.2"), "--mean has 2 numbers"),
        (("--dataset", "scenes", "--classes", "a,b"), "is built with 2; give --classes 10"),
        (("--dataset", "scenes", "--checkpoint", "nowhere.safetensors"), "nowhere.safetensors"),
    ],
)
def test_what_is_not_there_is_one_sentence(
    mine: Path, capsys: pytest.CaptureFixture[str], more: tuple[str, ...], sentence: str
) -> None:
    assert scan.main(arguments(mine, "--data-dir", str(mine.parent / "empty"), *more)) == 1
    assert sentence in capsys.readouterr().err


@pytest.mark.parametrize("error", [MemoryError(), RuntimeError("gloo: Connection closed by peer")])
def test_a_sentence_names_only_flags_of_this_command(error: Exception) -> None:
    flags = set(re.findall(r"--[a-z-]+", scan.sentence_of(error)))
    assert flags <= scan.parser()._option_string_actions.keys()


SMALL = "running.BATCH, running.SHARD, running.CALIBRATION = 2, 1, 4"
SCRIPT = f"""
import os, signal, sys
sys.path.insert(0, {str(ROOT)!r})
from explorer import scan
from explorer.engine.scan import running
{SMALL}
write, left = running.parts.write, int(os.environ.get("WRITES", "99"))
def killing(*arguments):
    global left
    left -= 1
    if left < 0:
        os.kill(os.getpid(), signal.SIGKILL)
    write(*arguments)
running.parts.write = killing
sys.exit(scan.main())
"""


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A program that is the command with shards of two images; here they are as small."""
    for name, value in (("BATCH", 2), ("SHARD", 1), ("CALIBRATION", 4)):
        monkeypatch.setattr(running, name, value)
    path = tmp_path / "small.py"
    path.write_text(SCRIPT)
    return path


def started(words: list[str], **environment: str) -> subprocess.CompletedProcess[str]:
    return forks.run(*words, env=os.environ | environment)


def test_killed_and_started_again_it_writes_the_same_bytes(mine: Path, small: Path) -> None:
    assert scan.main(arguments(mine)) == 0
    words = [str(small), *arguments(mine, out="killed")]
    assert started(words, WRITES="1").returncode == -signal.SIGKILL
    assert not list((mine.parent / "killed").glob("*.safetensors"))
    assert started(words, WRITES="2").returncode == 0
    assert the_file(mine, "killed").read_bytes() == the_file(mine).read_bytes()


def test_torchrun_gives_the_file_of_one_process(mine: Path, small: Path) -> None:
    torchrun = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    ran = started([*torchrun, str(small), *arguments(mine, out="shared")])
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.count("Saved ") == 1
    assert scan.main(arguments(mine)) == 0
    shared, alone = load(the_file(mine, "shared")), load(the_file(mine))
    np.testing.assert_allclose(shared.logits, alone.logits, rtol=1e-5, atol=1e-5)
    for name, layer in alone.layers.items():
        np.testing.assert_allclose(shared.layers[name].variance, layer.variance, rtol=1e-5)
        np.testing.assert_allclose(shared.layers[name].top_values, layer.top_values, rtol=1e-5)
        assert (shared.layers[name].top_rows == layer.top_rows).all()
