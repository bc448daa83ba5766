"""How fast heat maps of many images are: `python -m benchmarks.attribution` (`--write`: into docs/speed.md).

Grad-CAM at the three blocks of the course CNN, for the same batch and one class per image: by the explorer's
engine, by torchcam and by Captum, in turn in one run on two threads; medians. Then every method, as
`benchmarks.methods` measures them.
"""

import argparse
import os
import platform
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

os.environ["OMP_NUM_THREADS"] = "2"

import torch
from torch import Tensor, nn

from benchmarks import readme
from explorer.engine.attribution import attribute_many
from model.checkpoint import load_checkpoint

ROOT = Path(__file__).resolve().parent.parent
LAYERS = ("relu1", "relu2", "relu3")
IMAGES, THREADS = 256, 2
Work = Callable[[nn.Module, Tensor, Tensor], list[Tensor]]


def ours(net: nn.Module, x: Tensor, targets: Tensor) -> list[Tensor]:
    heats = attribute_many(net, x, ["grad_cam"], LAYERS, targets)["grad_cam"]
    return [torch.from_numpy(heats[layer].values) for layer in LAYERS]


def torchcam(net: nn.Module, x: Tensor, targets: Tensor) -> list[Tensor]:
    """All three layers in one pass; its ReLU is part of it."""
    from torchcam.methods import GradCAM

    with GradCAM(net, list(LAYERS)) as extractor:
        cams: list[Tensor] = extractor(targets.tolist(), net(x), normalized=False)
    return cams


def captum(net: nn.Module, x: Tensor, targets: Tensor) -> list[Tensor]:
    from captum.attr import LayerGradCam

    cams = (LayerGradCam(net, net.get_submodule(layer)) for layer in LAYERS)
    return [cam.attribute(x.clone(), targets)[:, 0].detach() for cam in cams]


WORKS: dict[str, Work] = {"this project": ours, "torchcam": torchcam, "Captum": captum}


def measured(rounds: int, images: int = IMAGES) -> dict[str, float]:
    """Images per second of each, medians over rounds in turn, the first of which does not count."""
    net = load_checkpoint(ROOT / "checkpoints" / "cifar10-course.safetensors").build()
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(images, 3, 32, 32, generator=generator)
    targets = torch.randint(10, (images,), generator=generator)
    check(net, x, targets)
    seconds: dict[str, list[float]] = {name: [] for name in WORKS}
    for _ in range(rounds + 1):
        for name, work in WORKS.items():
            started = time.perf_counter()
            work(net, x, targets)
            seconds[name].append(time.perf_counter() - started)
    return {name: images / median(each[1:]) for name, each in seconds.items()}


def check(net: nn.Module, x: Tensor, targets: Tensor) -> None:
    """SystemExit unless all come to the same heat maps, where those are positive."""
    expected = [heat.relu() for heat in ours(net, x, targets)]
    for name, work in WORKS.items():
        for heat, same in zip(work(net, x, targets), expected, strict=True):
            if not torch.allclose(heat.relu(), same, atol=1e-4 * float(same.max())):
                raise SystemExit(f"{name} gives other heat maps, so the times cannot be compared.")


def table(speeds: dict[str, float], rounds: int) -> str:
    first = speeds["this project"]
    rows = [f"| {name} | {speed:,.0f} | {first / speed:.2f} |" for name, speed in speeds.items()]
    machine = f"{platform.machine()}, {os.cpu_count()} cores, torch {torch.__version__}, {THREADS} threads"
    return "\n".join(
        [
            f"| Grad-CAM at three blocks, {IMAGES} images | images per second | this project is faster by |",
            "|---|---|---|",
            *rows,
            "",
            f"Medians of {rounds} rounds of `python -m benchmarks.attribution` on {machine}.",
        ]
    )


def main() -> None:
    parser = argparse.ArgumentParser("python -m benchmarks.attribution", description=__doc__)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--write", action="store_true", help="replace the table in docs/speed.md")
    options = parser.parse_args()
    torch.set_num_threads(THREADS)
    from benchmarks import methods

    text = table(measured(options.rounds), options.rounds)
    text += "\n\n" + methods.table(methods.measured(options.rounds), options.rounds)
    print(text)
    if options.write:
        readme.put("benchmarks/attribution.py", text)


if __name__ == "__main__":
    main()
