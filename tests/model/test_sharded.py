"""A checkpoint in several files with an index, and the one file of weights in a folder."""

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from model.card import Card
from model.checkpoint import digest_of, files_read, load_checkpoint
from model.problems import Problem

CARD = Card(classes=("a", "b", "c"), input_size=8)


def network() -> nn.Module:
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(4 * 36, 3))


Save = Callable[[dict[str, Tensor], Path], None]
FORMS: dict[str, tuple[str, Save]] = {
    "model.safetensors": ("model-0000{}-of-00002.safetensors", save_file),
    "pytorch_model.bin": ("pytorch_model-0000{}-of-00002.bin", torch.save),
}


@pytest.fixture
def state() -> dict[str, Tensor]:
    torch.manual_seed(0)
    return network().state_dict()


def sharded(folder: Path, state: dict[str, Tensor], form: str) -> Path:
    """Two files and their index, as transformers saves them, in a folder with other files."""
    pattern, save = FORMS[form]
    names = list(state)
    parts = names[:3], names[3:]
    for k, part in enumerate(parts):
        save({name: state[name] for name in part}, folder / pattern.format(k + 1))
    files = {name: pattern.format(k + 1) for k, part in enumerate(parts) for name in part}
    index = folder / f"{form}.index.json"
    index.write_text(json.dumps({"metadata": {"total_size": 1}, "weight_map": files}, indent=2))
    (folder / "config.json").write_text("{}")
    torch.save({"lr": 1}, folder / "optimizer.pt")
    return index


def load(path: Path) -> dict[str, Tensor]:
    checkpoint = load_checkpoint(path, network, CARD)
    assert checkpoint.digest == digest_of(checkpoint.state)
    return checkpoint.state


@pytest.mark.parametrize("form", FORMS)
def test_the_index_and_its_folder_are_all_of_the_weights(
    tmp_path: Path, state: dict[str, Tensor], form: str
) -> None:
    index = sharded(tmp_path, state, form)
    for path in (index, tmp_path):
        loaded = load(path)
        assert loaded.keys() == state.keys()
        assert all(torch.equal(loaded[name], state[name]) for name in state)
        assert [file.name for file in files_read(path)] == [
            index.name, *(FORMS[form][0].format(k) for k in (1, 2))
        ]  # fmt: skip


@pytest.mark.parametrize("name", ["model.safetensors", "anything.safetensors"])
def test_a_folder_with_one_file_of_weights_stands_for_it(
    tmp_path: Path, state: dict[str, Tensor], name: str
) -> None:
    save_file(state, tmp_path / name)
    (tmp_path / "config.json").write_text("{}")
    assert digest_of(load(tmp_path)) == digest_of(state)


def test_an_index_of_another_name_is_found_in_its_folder(tmp_path: Path, state: dict[str, Tensor]) -> None:
    index = sharded(tmp_path, state, "model.safetensors")
    index.rename(tmp_path / "diffusion_pytorch_model.safetensors.index.json")
    assert digest_of(load(tmp_path)) == digest_of(state)


def test_a_folder_of_torch_distributed_checkpoint_is_named(tmp_path: Path) -> None:
    for name in (".metadata", "__0_0.distcp"):
        (tmp_path / name).touch()
    with pytest.raises(Problem, match=r"is a folder of torch.distributed.checkpoint; make one file of it"):
        load(tmp_path)


def test_a_missing_file_is_named(tmp_path: Path, state: dict[str, Tensor]) -> None:
    index = sharded(tmp_path, state, "model.safetensors")
    missing = tmp_path / "model-00002-of-00002.safetensors"
    missing.unlink()
    with pytest.raises(Problem, match=r"names model-00002-of-00002.safetensors, which is not in its folder"):
        load(index)
    with pytest.raises(Problem, match="is file 1 of 2 of one checkpoint; give the folder of all of them"):
        load(tmp_path / "model-00001-of-00002.safetensors")
    index.write_text(json.dumps({"weight_map": dict.fromkeys(state, 300 * "x")}))  # longer than names can be
    with pytest.raises(Problem, match=r"names xxx.*, which is not in its folder"):
        load(index)


def test_a_file_that_is_cut_off_is_named(tmp_path: Path, state: dict[str, Tensor]) -> None:
    index = sharded(tmp_path, state, "model.safetensors")
    os.truncate(tmp_path / "model-00002-of-00002.safetensors", 200)
    with pytest.raises(Problem, match=r"model-00002-of-00002.safetensors is cut off or damaged"):
        load(index)


@pytest.mark.parametrize(
    "name", ["../secret.safetensors", "/etc/passwd", "a/b.safetensors", "..\\secret.safetensors", "C:x", ".."]
)
def test_no_file_outside_of_the_folder_is_read(tmp_path: Path, state: dict[str, Tensor], name: str) -> None:
    save_file(state, tmp_path / "secret.safetensors")
    (tmp_path / "in" / "a").mkdir(parents=True)
    save_file(state, tmp_path / "in" / "a" / "b.safetensors")
    index = tmp_path / "in" / "model.safetensors.index.json"
    index.write_text(json.dumps({"weight_map": dict.fromkeys(state, name)}))
    for path in (index, index.parent):
        with pytest.raises(Problem, match="only files in its own folder are read"):
            load(path)
        assert files_read(path) == (index,)


@pytest.mark.parametrize(
    "content",
    ['{"weight_map": 3}', '{"weight_map": {"a": 3}}', '{"weight_map": {', '{"weight_map": ' + "[" * 99_999],
)
def test_an_index_in_another_form_is_refused(tmp_path: Path, content: str) -> None:
    index = tmp_path / "model.safetensors.index.json"
    index.write_text(content)
    with pytest.raises(Problem, match="cut off or damaged"):
        load(index)


def test_a_weight_that_two_files_have_is_that_of_the_one_named(
    tmp_path: Path, state: dict[str, Tensor]
) -> None:
    index = sharded(tmp_path, state, "model.safetensors")
    first = tmp_path / "model-00001-of-00002.safetensors"
    second = {name: state[name] for name in list(state)[3:]}
    save_file({**second, "0.weight": torch.zeros(4, 3, 3, 3)}, tmp_path / "model-00002-of-00002.safetensors")
    assert first.exists()
    assert torch.equal(load(index)["0.weight"], state["0.weight"])
