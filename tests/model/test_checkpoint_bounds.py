"""Checkpoints of any content, and ones that change while they are read: a sentence, in little memory."""

import io
import json
import os
import pickle
import zipfile
from pathlib import Path

import pytest
import torch
from safetensors.torch import save as to_safetensors

from model.card import Card
from model.checkpoint import card_in, load_checkpoint, look_into, save_checkpoint
from model.files import contents
from model.names import readable, short_path
from model.nets import NETS
from model.problems import Problem
from model.state import load_state
from tests import forks

SMALL = {"arguments": {"widths": [4, 6], "hidden": 8}, "classes": ["a", "b", "c"], "input_size": 8}


def state() -> dict[str, torch.Tensor]:
    return NETS["course"](classes=3, input_size=8, widths=[4, 6], hidden=8).state_dict()


def written(path: Path, card: dict | str) -> Path:
    text = card if isinstance(card, str) else json.dumps(SMALL | card)
    path.write_bytes(to_safetensors(state(), metadata={"card": text}))
    return path


def refused(path: Path, load=load_checkpoint) -> str:
    with pytest.raises(Problem) as caught:
        load(path)
    message = str(caught.value)
    assert message.count("\n") == 0
    assert message[-1] == "."
    message.encode()  # can be sent to a browser
    return message


def repacked(values: object, compression: int = zipfile.ZIP_STORED, pickled: bytes | None = None) -> bytes:
    """What torch saves, with its archive made anew."""
    saved, made = io.BytesIO(), io.BytesIO()
    torch.save(values, saved)
    with zipfile.ZipFile(saved) as old, zipfile.ZipFile(made, "w", compression) as new:
        for name in old.namelist():
            new.writestr(name, pickled if pickled and name.endswith("data.pkl") else old.read(name))
    return made.getvalue()


class ManyBytes:
    def __reduce__(self):
        return bytearray, (3_000_000_000,)


def _bytearray() -> bytes:
    pickled = pickle.dumps({"a": ManyBytes()}, protocol=2).replace(b"c__builtin__", b"cbuiltins")
    return repacked({"a": torch.zeros(2)}, pickled=pickled)


BOMBS = {
    "deflated": lambda: repacked({"a": torch.zeros(200_000_000, dtype=torch.uint8)}, zipfile.ZIP_DEFLATED),
    "bytearray": _bytearray,
}


@pytest.mark.parametrize("name", BOMBS)
def test_few_bytes_take_little_memory(tmp_path, name):
    """In one process, as checkpoint and as state: its peak would show either."""
    path = tmp_path / "bomb.pt"
    path.write_bytes(BOMBS[name]())
    assert path.stat().st_size < 1_000_000
    program = f"""
import resource, time
from pathlib import Path
from model.checkpoint import load_checkpoint
from model.state import load_state
peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
before, start = peak(), time.process_time()
for load in (load_checkpoint, load_state):
    try:
        load(Path({str(path)!r}))
    except ValueError as error:
        print(error)
print((peak() - before) // 1000, time.process_time() - start)
"""
    done = forks.run("-c", program)
    assert done.returncode == 0, done.stderr
    *messages, figures = done.stdout.splitlines()
    assert len(messages) == 2
    assert all(message.endswith(".") for message in messages)
    megabytes, seconds = map(float, figures.split())
    assert megabytes < 100
    assert seconds < 15


def test_a_file_that_torch_itself_deflates_nothing_in_still_loads(tmp_path):
    (tmp_path / "a.pt").write_bytes(repacked(state()))
    assert load_checkpoint(tmp_path / "a.pt").card.classes == ("class 0", "class 1", "class 2")


def test_a_file_cut_short_while_it_is_read_ends_no_process(tmp_path):
    """Mapped into memory, it would: SIGBUS."""
    path = tmp_path / "a.safetensors"
    save_checkpoint(path, Card(classes=("a",)), {f"t{k}": torch.zeros(1_000_000) for k in range(16)})
    program = f"""
import os, threading
from pathlib import Path
from model.checkpoint import look_into
from model.problems import Problem
path, whole = {str(path)!r}, Path({str(path)!r}).read_bytes()
def disturb():
    while True:
        os.truncate(path, 40_000)
        with open(path, "r+b") as file:
            file.write(whole)
threading.Thread(target=disturb, daemon=True).start()
for _ in range(150):
    try:
        look_into(Path(path))
    except Problem:
        pass
os._exit(0)
"""
    assert forks.run("-c", program).returncode == 0


# What is no file


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes here")
@pytest.mark.parametrize("load", [load_checkpoint, look_into, card_in, load_state])
@pytest.mark.parametrize("name", ["a.safetensors", "a.pt"])
def test_a_pipe_is_not_waited_for(tmp_path, load, name):
    os.mkfifo(tmp_path / name)
    assert "not a regular file" in refused(tmp_path / name, load)


@pytest.mark.parametrize("load", [load_checkpoint, look_into, card_in, load_state])
@pytest.mark.parametrize(
    "path", ["", "x" * 300 + ".pt", "x/" * 3000, "a\0b.pt", "\ud800.safetensors", "caf\udce9.pt", "/dev/zero"]
)
def test_paths_that_are_none(load, path, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    refused(Path(path), load)


@pytest.mark.parametrize("load", [load_checkpoint, look_into, card_in])
def test_no_permission(tmp_path, load, monkeypatch):
    def forbidden(path, *_):
        raise PermissionError(13, "Permission denied", str(path))

    path = written(tmp_path / "a.safetensors", {})
    monkeypatch.setattr("model.files.os.open", forbidden)
    assert refused(path, load) == (
        "a.safetensors cannot be read (Permission denied); change its permissions."
    )


def test_an_empty_file(tmp_path):
    for name in ("a.safetensors", "a.pt"):
        (tmp_path / name).touch()
        assert "is empty" in refused(tmp_path / name)


def test_contents_are_bounded(tmp_path):
    (tmp_path / "a").write_bytes(b"12345")
    assert contents(tmp_path / "a", 5) == b"12345"
    with pytest.raises(OSError, match="larger than"):
        contents(tmp_path / "a", 4)


# Cards

HUGE = "1" + "0" * 5000


@pytest.mark.parametrize(
    "card",
    [
        f'{{"epoch": {HUGE}}}',
        f'{{"epoch": 1{"0" * 4000}}}',
        f'{{"input_size": {HUGE}}}',
        f'{{"mean": [1{"0" * 4000}, 0, 0]}}',
        f'{{"metrics": {{"test_accuracy": 1{"0" * 4000}}}}}',
        '{"classes": [' + ",".join(f'"{k}"' for k in range(100_001)) + "]}",
        "[" * 100_000,
        '{"config": ' + '{"a": ' * 5_000 + "1" + "}" * 5_001,
        '"' + "a" * 9_000_000 + '"',
        '{"input_size": 5000}',
        '{"epoch": -1}',
    ],
    ids=range(11),
)
@pytest.mark.parametrize("load", [load_checkpoint, look_into, card_in])
def test_a_card_beyond_bounds(tmp_path, card, load):
    assert "card in a.safetensors" in refused(written(tmp_path / "a.safetensors", card), load)


def test_nested_and_named_by_no_text(tmp_path):
    nested = torch.nested.nested_tensor([torch.zeros(2), torch.zeros(3)])
    deep = ()
    for _ in range(25):
        deep = (deep, deep)
    for values in ({"a": nested}, {1: torch.zeros(1)}, {("a", "b"): torch.zeros(1)}, {deep: torch.zeros(1)}):
        torch.save(values, tmp_path / "a.pt")
        assert "a.pt" in refused(tmp_path / "a.pt")


def test_a_course_network_of_very_many_classes_is_not_counted_out(tmp_path):
    torch.save(state() | {"fc2.weight": torch.zeros(99_999_999, 0)}, tmp_path / "a.pt")
    refused(tmp_path / "a.pt")


# Names


def test_names_that_are_not_valid_unicode_become_their_codes(tmp_path):
    card = {"classes": ["caf\udce9", "b\ud800", "c"], "data": "\udfff", "config": {"\udce9": ["\udce8"]}}
    read = load_checkpoint(written(tmp_path / "a.safetensors", card)).card
    assert read.classes == ("caf\\xe9", "b\\ud800", "c")
    assert read.data == "\\udfff"
    assert read.config == {"\\xe9": ["\\xe8"]}


def test_what_is_saved_has_only_valid_unicode(tmp_path):
    card = Card(classes=("caf\udce9",), config={"data_dir": "\udce9"}, data="photos\ud800")
    save_checkpoint(tmp_path / "a.safetensors", card, {"a": torch.zeros(1)})
    data = (tmp_path / "a.safetensors").read_bytes()
    held = json.loads(json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])["__metadata__"]["card"])
    assert held["classes"] == ["caf\\xe9"]
    assert json.dumps(held, ensure_ascii=False).encode()


@pytest.mark.parametrize("name", ["conv9\nweight", "conv9." + "x" * 5000, "\u2028conv9", "\ud800"])
def test_names_of_entries_are_one_line(tmp_path, name):
    torch.save({**state(), name: torch.zeros(2, 2)}, tmp_path / "a.pt")
    assert len(refused(tmp_path / "a.pt")) < 250


def test_readable_keeps_every_other_text_and_tells_names_apart():
    for text in ("", "Café 猫 😀", "a\\b", "tab\tline\n"):
        assert readable(text) == text
    assert readable("\udce9") != readable("\udce8")


def test_shown_is_what_was_typed_or_no_more_than_the_name():
    assert short_path(Path("runs/a.pt")) == "runs/a.pt"
    assert short_path(Path("/srv/secret/runs/a.pt")) == "a.pt"
    assert short_path(Path("/srv/secret/photos/train/cat"), 2) == "photos/train/cat"
    assert short_path(Path("/caf\udce9")) == "caf\\xe9"
