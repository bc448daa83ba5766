"""A network without some of its BatchNorm layers: each replaced by the identity, nothing else changed."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from explorer.engine.calls import Call
from explorer.engine.outputs import probabilities
from explorer.engine.passes import check_images, recording_calls, to_numpy
from explorer.engine.values import Floats, Value
from model.nets import check_logits


@dataclass(frozen=True, eq=False)
class PredictionWithoutNorm(Value):
    """Logits and probabilities, float32 (N, K) both, of N images."""

    logits: Floats
    probabilities: Floats


def predicted_without(net: nn.Module, x: Tensor, layers: Sequence[str]) -> PredictionWithoutNorm:
    """The Prediction for images x, float (N, C, h, w), with each of these layers handing on what it receives.

    Without layers it is the network's own. Raises Problem for a layer that is not there or does not run.
    """
    check_images(x)
    view = recording_calls(net, layers, _passed_through)
    with torch.inference_mode(False), torch.no_grad():
        logits = check_logits(view(x.detach().clone()))
        return PredictionWithoutNorm(to_numpy(logits), to_numpy(probabilities(net, logits)))


def _passed_through(call: Call) -> Tensor:
    return call.received.clone()
