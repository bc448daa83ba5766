"""How long every attribution method takes: `python -m benchmarks.methods`.

All at the second block of the course CNN or on its input, for one batch and one class per image, beside
Captum or torchcam as they come, where they can be asked for the same. In turn in one run, on two threads;
medians.
"""

import argparse
import os
import platform
import time
import warnings
from collections.abc import Callable, Iterator
from functools import partial
from statistics import median

os.environ["OMP_NUM_THREADS"] = "2"

import torch
from torch import Tensor, nn

from benchmarks.attribution import ROOT, THREADS
from explorer.engine.attribution import METHODS, attribute
from model.checkpoint import load_checkpoint

LAYER, IMAGES = "relu2", 16
PEERS = {
    "grad_cam": "torchcam GradCAM",
    "layer_cam": "torchcam LayerCAM",
    "grad_cam_pp": "torchcam GradCAMpp",
    "xgrad_cam": "torchcam XGradCAM",
    "score_cam": "torchcam ScoreCAM",
    "saliency": "Captum Saliency",
    "input_x_gradient": "Captum InputXGradient",
    "integrated_gradients": "Captum IntegratedGradients",
    "guided_backprop": "Captum GuidedBackprop",
    "deep_lift": "Captum DeepLift",
    "occlusion": "Captum Occlusion",
}
Work = Callable[[], object]


def works(net: nn.Module, x: Tensor, targets: Tensor) -> Iterator[tuple[str, Work]]:
    """What is timed, by the name of the method or of the peer."""
    for name, record in METHODS.items():
        layer = LAYER if record.needs_layer else None
        yield name, partial(attribute, net, x, name, layer=layer, target=targets)
        library, _, peer = PEERS.get(name, "").partition(" ")
        if library == "torchcam":
            yield PEERS[name], partial(by_torchcam, peer, net, x, targets)
        elif library == "Captum":
            yield PEERS[name], partial(by_captum, peer, net, x, targets)


def by_torchcam(peer: str, net: nn.Module, x: Tensor, targets: Tensor) -> object:
    from torchcam import methods

    with getattr(methods, peer)(net, LAYER, input_shape=(3, 32, 32)) as extractor:
        return extractor(targets.tolist(), net(x), normalized=False)


def by_captum(peer: str, net: nn.Module, x: Tensor, targets: Tensor) -> object:
    from captum import attr

    more = {"sliding_window_shapes": (3, 4, 4), "strides": (3, 2, 2)} if peer == "Occlusion" else {}
    return getattr(attr, peer)(net).attribute(x.clone().requires_grad_(), target=targets, **more)


def measured(rounds: int, images: int = IMAGES) -> dict[str, float]:
    """Milliseconds an image of each, medians over rounds in turn, the first of which does not count."""
    net = load_checkpoint(ROOT / "checkpoints" / "cifar10-course.safetensors").build()
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(images, 3, 32, 32, generator=generator)
    targets = torch.randint(10, (images,), generator=generator)
    seconds: dict[str, list[float]] = {}
    for _ in range(rounds + 1):
        for name, work in works(net, x, targets):
            started = time.perf_counter()
            work()
            seconds.setdefault(name, []).append(time.perf_counter() - started)
    return {name: 1000 * median(each[1:]) / images for name, each in seconds.items()}


def table(times: dict[str, float], rounds: int) -> str:
    rows = [
        f"| {record.title} | {times[name]:.1f} ms | {beside(name, times)} |"
        for name, record in METHODS.items()
    ]
    machine = f"{platform.machine()}, {os.cpu_count()} cores, torch {torch.__version__}, {THREADS} threads"
    return "\n".join(
        [
            f"| method, {IMAGES} images at once | time per image | beside it |",
            "|---|---|---|",
            *rows,
            "",
            f"Medians of {rounds} rounds of `python -m benchmarks.methods` on {machine}.",
        ]
    )


def beside(name: str, times: dict[str, float]) -> str:
    return f"{PEERS[name]}: {times[PEERS[name]]:.1f} ms" if name in PEERS else ""


def main() -> None:
    parser = argparse.ArgumentParser("python -m benchmarks.methods", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    torch.set_num_threads(THREADS)
    warnings.simplefilter("ignore")  # Captum's, of every call
    print(table(measured(options.rounds), options.rounds))


if __name__ == "__main__":
    main()
