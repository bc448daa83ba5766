"""From logits to probabilities to the loss of the true class."""

from dataclasses import dataclass
from functools import partial
from typing import ClassVar

import numpy as np
import torch
from torch import nn

from explorer.engine.attribution.gradients import Target, score_of
from explorer.engine.outputs import outputs_of, probabilities
from explorer.engine.passes import to_numpy
from explorer.engine.values import Doubles, Floats, Integers, Rows, one_or_many


@dataclass(frozen=True, eq=False)
class Prediction(Rows):
    """How logits float32 (K,) become probabilities (K,) and, with the true class `label`, a loss.

    `independent` labels each have a sigmoid of their own; the loss then is that of the true label alone.
    """

    logits: Floats
    probabilities: Floats
    label: Integers | None
    loss: Doubles | None
    independent: bool

    ROW: ClassVar[dict[str, int]] = {"logits": 1, "probabilities": 1, "label": 0, "loss": 0}

    @property
    def exponentials(self) -> Doubles:
        """e to the power of each logit less the largest, float64 (K,); a softmax divides by their sum."""
        logits = self.logits.astype(np.float64)
        return np.asarray(np.exp(logits - logits.max(-1, keepdims=True)), np.float64)


def prediction(net: nn.Module, logits: Floats, label: Target | None = None) -> Prediction:
    """The Answer of logits (N, K) or (K,) of a network, with the cross-entropy of the true class if there is
    one: −ln of its probability. Raises Problem for a class that is not there.
    """
    rows = torch.from_numpy(np.atleast_2d(logits))
    labels, loss = None, None
    if label is not None:
        score = score_of(label, None, len(rows))
        score.of(rows)
        log = nn.functional.logsigmoid if outputs_of(net).independent else partial(torch.log_softmax, dim=1)
        labels = score.target.numpy()
        loss = -log(rows.double()).gather(1, score.target[:, None])[:, 0].numpy()
    independent = outputs_of(net).independent
    return one_or_many(
        Prediction(to_numpy(rows), to_numpy(probabilities(net, rows)), labels, loss, independent)
    )
