import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn


class CoursesOwn(nn.Module):
    """The network as the course's script writes it: one ReLU and one pool, used again and again."""

    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 32, 3, padding=1)
        self.bn1 = nn.BatchNorm2d(32)
        self.conv2 = nn.Conv2d(32, 64, 3, padding=1)
        self.bn2 = nn.BatchNorm2d(64)
        self.conv3 = nn.Conv2d(64, 128, 3, padding=1)
        self.bn3 = nn.BatchNorm2d(128)
        self.pool = nn.MaxPool2d(2, 2)
        self.fc1 = nn.Linear(128 * 4 * 4, 512)
        self.dropout = nn.Dropout(0.5)
        self.fc2 = nn.Linear(512, 10)
        self.relu = nn.ReLU()

    def forward(self, x):
        x = self.pool(self.relu(self.bn1(self.conv1(x))))
        x = self.pool(self.relu(self.bn2(self.conv2(x))))
        x = self.pool(self.relu(self.bn3(self.conv3(x))))
        x = self.relu(self.fc1(x.view(-1, 128 * 4 * 4)))
        return self.fc2(self.dropout(x))


def lively(net):
    """BatchNorm as after training: the fresh one changes nothing."""
    torch.manual_seed(3)
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.3)
            module.running_var.uniform_(0.5, 2)
            nn.init.normal_(module.weight, 0.8, 0.4)
            nn.init.normal_(module.bias, 0, 0.2)
    return net


@pytest.fixture
def courses_own():
    torch.manual_seed(2)
    return lively(CoursesOwn())


@pytest.fixture(scope="session")
def pictures(tmp_path_factory):
    """An image folder, 32 × 32: three classes told apart by brightness; 24 training and 9 test images."""
    root = tmp_path_factory.mktemp("pictures")
    rng = np.random.default_rng(0)
    for split, count in (("train", 8), ("test", 3)):
        for label, name in enumerate(("dark", "middle", "bright")):
            folder = root / split / name
            folder.mkdir(parents=True)
            for number in range(count):
                pixels = rng.integers(0, 60, (32, 32, 3)) + 90 * label
                Image.fromarray(pixels.astype(np.uint8)).save(folder / f"{number}.png")
    return root
