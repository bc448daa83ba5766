"""Each command of README’s section “Your own” and of docs/own.md opens what it says, with files as people
have them.
"""

import re
import shlex
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from streamlit.testing.v1 import AppTest

from model.nets import NETS

ROOT = Path(__file__).resolve().parents[1]
README, OWN = ((ROOT / name).read_text(encoding="utf-8") for name in ("README.md", "docs/own.md"))
SECTION = README.split("\n## Your own\n")[1].split("\n## ")[0]
SHELL = "".join(re.findall(r"```sh\n(.*?)```", SECTION + OWN, re.DOTALL)).replace("\\\n", "")
COMMANDS = [line.split("#")[0].strip() for line in SHELL.splitlines() if line.strip()]


MODULE = """
from torch import nn


class Net(nn.Module):
    def __init__(self, num_classes=10):
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.ReLU())
        self.head = nn.Linear(8, num_classes)

    def forward(self, x):
        return self.head(self.body(x).mean((2, 3)))


builder = Net
"""


@pytest.fixture(autouse=True)
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """What the commands name: a test set in DIR, weights in three files, and two modules with a builder."""
    monkeypatch.chdir(tmp_path)
    for name in ("cat", "dog"):
        folder = tmp_path / "DIR" / "test" / name
        folder.mkdir(parents=True)
        Image.fromarray(np.full((40, 40, 3), 90, np.uint8)).save(folder / "1.png")
    torch.save({"state_dict": NETS["course"]().state_dict()}, "my.pth.tar")
    (tmp_path / "package").mkdir()
    for path in ("mine.py", "package/module.py"):
        (tmp_path / path).write_text(MODULE, encoding="utf-8")
    names: dict[str, Any] = {}
    exec(MODULE, names)
    weights = {classes: names["Net"](classes).state_dict() for classes in (2, 3)}
    torch.save(weights[2], "my.pt")
    torch.save({"model": weights[3], "ema": weights[3]}, "last.ckpt")
    yield
    for name in ("mine", "package", "package.module"):
        sys.modules.pop(name, None)


def test_every_command_of_the_section_is_tried() -> None:
    assert len(COMMANDS) == 6
    assert all(command.startswith("streamlit run explorer/app.py -- ") for command in COMMANDS)


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_opens_what_it_names(command: str, visit: Callable[..., AppTest]) -> None:
    at = visit("explain", *shlex.split(command.split(" -- ")[1]))
    assert not at.exception
    assert not at.error
    (title,) = (each.value for each in at.header if each.value.startswith("Why"))
    classes = re.search(r"--classes (\S+)", command)
    if classes:
        assert title in [f"Why “{name}”?" for name in classes[1].split(",")]
