"""Values as the files that torch.save writes, and a small network whose weights are read from them."""

import io
import pathlib

import torch
from torch import nn

from model.checkpoint import Checkpoint, digest_of, load_checkpoint
from model.nets import NETS


def zipped(value: object) -> bytes:
    file = io.BytesIO()
    torch.save(value, file)
    return file.getvalue()


def legacy(value: object) -> bytes:
    file = io.BytesIO()
    torch.save(value, file, _use_new_zipfile_serialization=False)
    return file.getvalue()


# A small network, and its weights from any file


SMALL = {"classes": 3, "input_size": 8, "widths": [4, 6], "hidden": 8}


def course(seed: int = 0) -> nn.Module:
    torch.manual_seed(seed)
    return NETS["course"](**SMALL).eval()


NET = course()
STATE = dict(NET.state_dict())
DIGEST = digest_of(STATE)


def prefixed(*prefixes: str, state: dict[str, torch.Tensor] = STATE) -> dict[str, torch.Tensor]:
    """The state with these parts before every name."""
    return {".".join((*prefixes, name)): value for name, value in state.items()}


def loaded(folder: pathlib.Path, data: bytes, name: str = "weights.pt", **options: object) -> Checkpoint:
    (folder / name).write_bytes(data)
    return load_checkpoint(folder / name, **options)
