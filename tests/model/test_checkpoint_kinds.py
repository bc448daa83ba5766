"""What is not a checkpoint is named for what it is."""

import bz2
import gzip
import io
import lzma
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from model.card import Card
from model.checkpoint import load_checkpoint
from model.nets import NETS
from model.problems import Problem
from tests.model.saved_files import zipped

STATE = NETS["course"](classes=3, input_size=8, widths=[4, 6], hidden=8).state_dict()


def archive(*names: str) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as made:
        for name in names:
            made.writestr(name, b"\0" * 9)
    return file.getvalue()


def picture(kind: str) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (9, 9)).save(file, kind)
    return file.getvalue()


def array(save: object) -> bytes:
    file = io.BytesIO()
    save(file, np.zeros(3))
    return file.getvalue()


def tarred() -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as made:
        made.addfile(tarfile.TarInfo("net.pt"))
    return file.getvalue()


POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n"
ONNX = b"\x08\x07\x12\x07pytorch\x1a\x052.1.0:\xbd\xcd\x09\n\x12\n\x05input"
KINDS = {
    "html": (b"<!DOCTYPE html>\n<html><body>404</body></html>", "web page"),
    "html of a drive": (b"\n  <HTML><HEAD><TITLE>Sign in</TITLE></HEAD>", "web page"),
    "xml": (b'<?xml version="1.0"?><Error><Code>AccessDenied</Code></Error>', "text file (XML)"),
    "xhtml": (b'<?xml version="1.0"?><html xmlns="http://www.w3.org/1999/xhtml"/>', "web page"),
    "lfs": (POINTER, "git lfs pull"),
    "onnx": (ONNX, "ONNX"),
    "core ml": (b"\x08\x05\x12\x2a\n\x0f\n\x05image\x1a\x06" + bytes(50), "Core ML"),
    "core ml with much": (b"\x08\x04\x12\xaa\x02\n\x0f\n\x05image\x1a\x06" + bytes(50), "Core ML"),
    "hdf5": (b"\x89HDF\r\n\x1a\n" + bytes(99), "HDF5"),
    "keras": (archive("metadata.json", "config.json", "model.weights.h5"), "HDF5"),
    "saved model": (b"\x08\x01\x12\xd5\x93\x01\n\xf2\x1f\x12\x05serve", "TensorFlow"),
    "frozen graph": (b"\n\x1d\n\x05input\x12\x0bPlaceholder*\x07", "TensorFlow"),
    "tflite": (b"\x1c\0\0\0TFL3" + bytes(50), "TensorFlow"),
    "index": (bytes(range(1, 200)) + b"\x57\xfb\x80\x8b\x24\x75\x47\xdb", "TensorFlow"),
    "checkpoint": (b'model_checkpoint_path: "model.ckpt-5"\n', "TensorFlow"),
    "torch7": (b"\x04\0\0\0\x01\0\0\0\x03\0\0\0V 1\r\0\0\0nn.Sequential", "Torch7"),
    "darknet": (b"\0\0\0\0\x02\0\0\0\x05\0\0\0\0\x12\x01\0\0\0\0\0" + bytes(range(99)), "Darknet"),
    "gguf": (b"GGUF\x03\0\0\0" + bytes(50), "GGUF"),
    "npy": (array(np.save), "NumPy"),
    "npz": (array(np.savez), "NumPy"),
    "exported": (archive("a/archive_format", "a/models/model.json"), "torch.export"),
    "png": (picture("PNG"), "a picture"),
    "jpeg": (picture("JPEG"), "a picture"),
    "webp": (picture("WEBP"), "a picture"),
    "gif": (picture("GIF"), "a picture"),
    "bmp": (picture("BMP"), "a picture"),
    "tiff": (picture("TIFF"), "a picture"),
    "pdf": (b"%PDF-1.7\n", "PDF"),
    "zip": (archive("net.pt", "readme.txt"), "archive (ZIP)"),
    "gzip": (gzip.compress(b"x"), "archive (gzip)"),
    "bzip2": (bz2.compress(b"x"), "archive (bzip2)"),
    "xz": (lzma.compress(b"x"), "archive (xz)"),
    "tar": (tarred(), "archive (tar)"),
    "7z": (b"7z\xbc\xaf\x27\x1c\0\x04", "archive (7-Zip)"),
    "table": (b"epoch,loss\n1,0.5\n", "text file (CSV)"),
    "table of Excel": ("\ufeffepoch;loss\r\n1;0.5\r\n".encode(), "text file (CSV)"),
    "json": (b'{"epochs": [1, 2]}', "text file (JSON)"),
    "index of shards": (b'{"metadata": {}, "weight_map": {"a": "b-1-of-2.safetensors"}}', "names b-1-of-2"),
    "json lines": (b'{"epoch": 1}\n{"epoch": 2}\n', "text file (JSON)"),
    "short json": (b"{}", "text file (JSON)"),
    "deep json": (b"[" * 100_000, "text file,"),
    "yaml": (b"# of the run\nnet: course\nlayers:\n  - 3\n", "text file (YAML)"),
    "source": (b"class Net(nn.Module):\n    pass\n", "text file,"),
    "letter": ("(Grüße.)\nSee the notes, please.\nOr ask, too.\n".encode(), "text file,"),
    "Chinese": ("这是训练的说明。\n".encode(), "text file,"),
    "Chinese cut off": ("这是训练的说明。\n".encode() * 99, "text file,"),
    "UTF-16": ("Übersicht\n".encode("utf-16"), "text file,"),
    "short": (b"Not Found", "text file,"),
    "empty": (b"", "is empty"),
    "zeros": (bytes(5000), "only zeros"),
    "noise": (np.random.default_rng(0).bytes(3000), "not a checkpoint in any known form"),
    "few bytes": (b"\x01\x02", "cut off"),
    "cut zip": (zipped(STATE)[:-200], "cut off"),
    "cut safetensors": (b"\xff\x10\0\0\0\0\0\0{", "cut off"),
}


def refused(path: Path) -> str:
    with pytest.raises(Problem) as caught:
        load_checkpoint(path)
    message = str(caught.value)
    assert message.endswith(".")
    assert message.count("\n") == 0
    return message


@pytest.mark.parametrize("name", KINDS)
@pytest.mark.parametrize("ending", [".pt", ".safetensors"])
def test_it_is_named_for_what_it_is(tmp_path, name, ending):
    data, kind = KINDS[name]
    path = tmp_path / f"weights{ending}"
    path.write_bytes(data)
    message = refused(path)
    assert kind in message
    assert message.startswith(f"weights{ending} ")


def test_an_exported_onnx_file_has_that_beginning():
    """As torch.onnx writes it: the version of the format, then who wrote it."""
    onnx = pytest.importorskip("onnx")
    model = onnx.helper.make_model(onnx.helper.make_graph([], "g", [], []), producer_name="pytorch")
    assert model.SerializeToString()[0] == ONNX[0]


def test_quantized_weights_are_named(tmp_path):
    net = torch.ao.quantization.quantize_dynamic(nn.Sequential(nn.Flatten(), nn.Linear(12, 2)), {nn.Linear})
    for value in (net.state_dict(), {"model": net.state_dict()}, net):
        (tmp_path / "a.pt").write_bytes(zipped(value))
        with pytest.raises(Problem, match="quantized"):
            load_checkpoint(tmp_path / "a.pt", lambda: nn.Sequential(nn.Flatten(), nn.Linear(12, 2)), Card())


@pytest.mark.parametrize("value", [[1, 2], {"a": 1}, torch.zeros(3), {"state_dict": {"a": "b"}}, print])
def test_a_file_without_weights(tmp_path, value):
    (tmp_path / "a.pt").write_bytes(zipped(value))
    assert "no state_dict" in refused(tmp_path / "a.pt")


PARAMETERS = [value for name, value in STATE.items() if name.endswith(("weight", "bias"))]
AVERAGES = {"decay": 0.99, "num_updates": 5, "shadow_params": PARAMETERS, "collected_params": None}
MOMENTS = {"state": {0: {"step": torch.ones(()), "exp_avg": torch.zeros(4, 3)}}, "param_groups": []}
COURSE = {"builder": lambda: NETS["course"](classes=3, input_size=8, widths=[4, 6], hidden=8), "card": Card()}


@pytest.mark.parametrize("options", [{}, COURSE], ids=["course", "builder"])
@pytest.mark.parametrize(
    ("value", "sentence"),
    [
        (AVERAGES, r"weights in a list without names \(shadow_params\), as torch_ema"),
        ({"ema": AVERAGES, "optimizer": MOMENTS}, r"without names \(ema.shadow_params\)"),
        (PARAMETERS, r"without names \(the top of the file\)"),
        (MOMENTS, "the state of an optimizer, but no weights"),
        ({"optimizer_state_dict": MOMENTS, "epoch": 2}, "the state of an optimizer, but no weights"),
    ],
)
def test_what_has_no_weights_with_names_is_named(tmp_path, value, sentence, options):
    (tmp_path / "a.pt").write_bytes(zipped(value))
    with pytest.raises(Problem, match=sentence):
        load_checkpoint(tmp_path / "a.pt", **options)


def test_averages_without_names_beside_the_weights_are_said(tmp_path):
    for number, beside in enumerate((AVERAGES, {"shadow": [1.0]})):
        (tmp_path / f"{number}.pt").write_bytes(zipped({"model": STATE, "ema": beside}))
    sentences = load_checkpoint(tmp_path / "0.pt").changes.sentences()
    assert any("`ema.shadow_params` are a list without names" in each for each in sentences)
    assert load_checkpoint(tmp_path / "1.pt").changes.sentences() == ("Read from `model` in the file.",)


def test_names_of_another_network_beside_averages_are_not_taken_for_a_list(tmp_path):
    (tmp_path / "a.pt").write_bytes(zipped({"model": {"stem.weight": torch.zeros(3)}, "ema": AVERAGES}))
    assert "not the course CNN’s" in refused(tmp_path / "a.pt")


def test_an_archive_that_was_packed_again(tmp_path):
    made = io.BytesIO()
    saved = io.BytesIO(zipped(STATE))
    with zipfile.ZipFile(saved) as old, zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as new:
        for name in old.namelist():
            new.writestr(name, old.read(name))
    (tmp_path / "a.pt").write_bytes(made.getvalue())
    assert "packed again with compression" in refused(tmp_path / "a.pt")


def test_more_beside_the_weights_than_is_read(tmp_path, monkeypatch):
    monkeypatch.setattr("model.weights.pickles.MOST_OPERATIONS", 2_000)
    (tmp_path / "a.pt").write_bytes(zipped({"state_dict": STATE, "log": list(range(3_000))}))
    assert "save the weights alone" in refused(tmp_path / "a.pt")


def test_an_optimizer_is_not_a_network(tmp_path):
    net = nn.Conv2d(3, 2, 1)
    adam = torch.optim.Adam(net.parameters())
    net(torch.zeros(1, 3, 2, 2)).sum().backward()
    adam.step()
    (tmp_path / "a.pt").write_bytes(zipped(adam.state_dict()))
    assert "the state of an optimizer, but no weights" in refused(tmp_path / "a.pt")
