"""The course's listing, written as one writes it by hand: `python -m benchmarks.listing --data-dir DIR`.

Per-image PIL transforms through a DataLoader at its default settings, one module for every ReLU, Adam,
ReduceLROnPlateau. It is what our trainer is measured against; train mode is set at every epoch, which the
course's own listing forgets. Mean and std are the course's; the runs in `benchmarks/logs/` are older and had
the standard deviation 0.2470 0.2435 0.2616. `DIR/train/<class>/*` and `DIR/test/<class>/*` hold the images.
"""

import argparse
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from torch.optim.lr_scheduler import ReduceLROnPlateau
from torch.utils.data import DataLoader, Dataset

from model import cifar10  # also lets torchvision import beside any torch

from torchvision import datasets, transforms  # isort: skip

MEAN, STD = cifar10.COURSE_MEAN, cifar10.COURSE_STD
PLAIN = transforms.Compose([transforms.ToTensor(), transforms.Normalize(MEAN, STD)])
AUGMENTED = transforms.Compose(
    [
        transforms.RandomCrop(32, padding=4),
        transforms.RandomHorizontalFlip(),
        transforms.ColorJitter(brightness=0.2, contrast=0.2, saturation=0.2, hue=0.1),
        transforms.RandomRotation(15),
        *PLAIN.transforms,
    ]
)


class Listing(nn.Module):
    """The course's CNN as its listing has it."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(3, 32, 3, padding=1), nn.BatchNorm2d(32)
        self.conv2, self.bn2 = nn.Conv2d(32, 64, 3, padding=1), nn.BatchNorm2d(64)
        self.conv3, self.bn3 = nn.Conv2d(64, 128, 3, padding=1), nn.BatchNorm2d(128)
        self.pool, self.relu, self.dropout = nn.MaxPool2d(2, 2), nn.ReLU(), nn.Dropout(0.5)
        self.fc1, self.fc2 = nn.Linear(128 * 4 * 4, 512), nn.Linear(512, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = self.pool(self.relu(self.bn1(self.conv1(x))))
        x = self.pool(self.relu(self.bn2(self.conv2(x))))
        x = self.pool(self.relu(self.bn3(self.conv3(x))))
        logits: Tensor = self.fc2(self.dropout(self.relu(self.fc1(x.flatten(1)))))
        return logits


Images = Dataset[tuple[Tensor, int]]


def images(data_dir: Path) -> tuple[Images, Images]:
    """Training images, augmented, and test images, as the listing reads them."""
    return (
        datasets.ImageFolder(str(data_dir / "train"), AUGMENTED),
        datasets.ImageFolder(str(data_dir / "test"), PLAIN),
    )


def steps(net: nn.Module, data: Images, optimizer: torch.optim.Optimizer) -> Iterator[tuple[int, float, int]]:
    """One epoch: after each step, how many images it had, its loss and how many it got right."""
    for x, y in DataLoader(data, batch_size=64, shuffle=True):
        optimizer.zero_grad()
        logits = net(x)
        loss = cross_entropy(logits, y)
        loss.backward()
        optimizer.step()
        yield len(y), loss.item(), int((logits.argmax(1) == y).sum())


@torch.no_grad()
def evaluate(net: nn.Module, data: Images) -> tuple[float, float]:
    """Mean loss and accuracy over all of `data`, in eval mode."""
    net.eval()
    loss = correct = count = 0.0
    for x, y in DataLoader(data, batch_size=64):
        logits = net(x)
        loss += cross_entropy(logits, y, reduction="sum").item()
        correct += (logits.argmax(1) == y).sum().item()
        count += len(y)
    return loss / count, correct / count


class Epoch(NamedTuple):
    """Losses in nats, accuracies from 0 to 1, the learning rate, and the seconds that training took."""

    train_loss: float
    train_accuracy: float
    test_loss: float
    test_accuracy: float
    lr: float
    seconds: float


def epochs(train: Images, test: Images, length: int, seed: int) -> Iterator[Epoch]:
    """The whole run: `length` epochs with Adam and ReduceLROnPlateau, each as soon as it is over."""
    torch.manual_seed(seed)
    net = Listing()
    optimizer = torch.optim.Adam(net.parameters(), lr=1e-3)
    scheduler = ReduceLROnPlateau(optimizer, "min", patience=3, factor=0.5)
    for _ in range(length):
        net.train()
        started, lr = time.perf_counter(), optimizer.param_groups[0]["lr"]
        rows = list(steps(net, train, optimizer))
        seconds = time.perf_counter() - started
        count = sum(n for n, _, _ in rows)
        loss, hits = sum(n * value for n, value, _ in rows) / count, sum(right for _, _, right in rows)
        test_loss, accuracy = evaluate(net, test)
        scheduler.step(test_loss)
        yield Epoch(loss, hits / count, test_loss, accuracy, lr, seconds)


def main() -> None:
    parser = argparse.ArgumentParser("python -m benchmarks.listing", description=__doc__)
    parser.add_argument("--data-dir", type=Path, required=True)
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    print(f"torch {torch.__version__}, {torch.get_num_threads()} threads, seed {options.seed}")
    print("epoch  train loss  train acc  test loss  test acc       lr  seconds of training")
    seconds = 0.0
    for number, each in enumerate(epochs(*images(options.data_dir), options.epochs, options.seed), start=1):
        seconds += each.seconds
        print(
            f"{number:5}  {each.train_loss:10.4f}  {each.train_accuracy:9.2%}  {each.test_loss:9.4f}  "
            f"{each.test_accuracy:8.2%}  {each.lr:7.1e}  {seconds:19.0f}",
            flush=True,
        )


if __name__ == "__main__":
    main()
