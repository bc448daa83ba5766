"""Class activation maps: a layer's feature maps, weighted by the gradient of the score and added up.

All are raw and signed, at the layer's own resolution. ReLU, normalizing and upsampling are drawing.
"""

import torch
from torch import Tensor, nn

from explorer.engine.attribution.method import Method
from model.problems import Problem
from model.words import N_


def grad_cam_weights(gradients: Tensor) -> Tensor:
    """Grad-CAM's weight of each map, (N, C): the spatial mean of the gradients (N, C, h, w) on it."""
    return gradients.mean((2, 3))


def grad_cam(maps: Tensor, gradients: Tensor) -> Tensor:
    """Maps weighted by the spatial mean of their gradient, (N, h, w), arXiv:1610.02391."""
    return (grad_cam_weights(gradients)[:, :, None, None] * maps).sum(1)


def hires_cam(maps: Tensor, gradients: Tensor) -> Tensor:
    """Each position weighted by its own gradient, (N, h, w), arXiv:2011.08891."""
    return (gradients * maps).sum(1)


def layer_cam(maps: Tensor, gradients: Tensor) -> Tensor:
    """Each position weighted by its gradient if that is positive, (N, h, w), doi:10.1109/TIP.2021.3089943."""
    return (gradients.relu() * maps).sum(1)


def grad_cam_pp(maps: Tensor, gradients: Tensor) -> Tensor:
    """Grad-CAM++, (N, h, w), for maps without negative values, arXiv:1710.11063.

    Its weights Σ α·relu(G) with α = G² / (2G² + ΣA·G³) are Σ relu(G) / (2 + G·ΣA), without a zero divisor.
    """
    positive = gradients.relu()
    weights = (positive / (2 + positive * maps.sum((2, 3), keepdim=True))).sum((2, 3), keepdim=True)
    return (weights * maps).sum(1)


def xgrad_cam(maps: Tensor, gradients: Tensor) -> Tensor:
    """XGrad-CAM, (N, h, w), for maps without negative values, arXiv:2008.02312.

    Its weights are the means of the gradients, weighted by the map's values; a map of zeros has weight 0.
    """
    sums = maps.sum((2, 3), keepdim=True)
    weights = (gradients * maps).sum((2, 3), keepdim=True) / sums.where(sums > 0, 1)
    return (weights * maps).sum(1)


def eigen_cam(maps: Tensor, gradients: Tensor) -> Tensor:
    """The maps' projection on their first principal direction, (N, h, w), arXiv:2008.00299.

    As in the paper the maps are not centered. A direction has no sign: here the projection's sum is positive.
    """
    positions, strengths, _ = torch.linalg.svd(maps.flatten(2).mT, full_matrices=False)
    first = positions[:, :, 0] * strengths[:, :1]
    signs = torch.where(first.sum(1, keepdim=True) < 0, -1, 1)
    return torch.mul(first, signs).reshape(len(maps), *maps.shape[2:])


def no_negative_maps(net: nn.Module, layer: str | None, maps: Tensor) -> Problem | None:
    """For methods that are derived for maps that an activation has made non-negative."""
    return Problem(NEEDS_NO_NEGATIVE) if bool(maps.min() < 0) else None


NEEDS_NO_NEGATIVE = N_(
    "The formula of this method needs maps without negative values: choose a layer after a ReLU, if there "
    "is one."
)
LOGIT = N_(
    "Values are in units of the logit of the class; they are not probabilities, and in general they do not "
    "add up to the logit."
)
LOGIT_OR_ITS_SUM = N_(
    "Values are in units of the logit of the class; they are not probabilities, and in general they do not "
    "add up to the logit. They do, up to its bias, if only global average pooling and one linear layer "
    "follow."
)
POSITIONS_ONLY = N_(
    "Values compare positions only: the weights are not linear in the gradient, so the values are neither "
    "probabilities nor in units of the logit."
)
FEATURES = N_(
    "Values are in the units of the feature maps; they compare positions only and say nothing about the "
    "class."
)

GRAD_CAM = Method(
    title=N_("Grad-CAM"),
    summary=N_(
        "Grad-CAM multiplies each feature map by the mean gradient of the class logit on this map, and adds "
        "up the results."
    ),
    pitfall=N_(
        "The mean gradient does not depend on where in the map the gradient is large, so positions that did "
        "not affect the logit can be highlighted."
    ),
    paper="arXiv:1610.02391",
    space="layer",
    signed=True,
    units=LOGIT_OR_ITS_SUM,
    heat=grad_cam,
)
HIRES_CAM = Method(
    title=N_("HiResCAM"),
    summary=N_(
        "HiResCAM multiplies each feature map, position by position, by the gradient of the class logit on "
        "it, and adds up the results."
    ),
    pitfall=N_(
        "In early layers the gradients of neighboring positions differ strongly, so the heat map is noisy "
        "there, and the value of a single position means little."
    ),
    paper="arXiv:2011.08891",
    space="layer",
    signed=True,
    units=LOGIT_OR_ITS_SUM,
    heat=hires_cam,
)
LAYER_CAM = Method(
    title=N_("LayerCAM"),
    summary=N_("LayerCAM is HiResCAM with every negative gradient set to zero."),
    pitfall=N_(
        "Positions with a negative gradient are left out, so most of the evidence against the class is "
        "missing."
    ),
    paper="doi:10.1109/TIP.2021.3089943",
    space="layer",
    signed=True,
    units=LOGIT,
    heat=layer_cam,
    signed_as_maps=True,
)
GRAD_CAM_PP = Method(
    title=N_("Grad-CAM++"),
    summary=N_(
        "Grad-CAM++ is Grad-CAM with other weights: they use positive gradients only, and a map whose values "
        "have a large sum gets a smaller weight."
    ),
    pitfall=N_(
        "Its weights are never negative, so it cannot show evidence against the class, and the heat maps of "
        "different classes can look alike."
    ),
    paper="arXiv:1710.11063",
    space="layer",
    signed=False,
    units=POSITIONS_ONLY,
    heat=grad_cam_pp,
    requires=no_negative_maps,
)
XGRAD_CAM = Method(
    title=N_("XGrad-CAM"),
    summary=N_(
        "XGrad-CAM is Grad-CAM with another mean of the gradients: positions count in proportion to the "
        "value of the feature map there."
    ),
    pitfall=N_(
        "As in Grad-CAM, each map has one weight for all positions, so positions that did not affect the "
        "logit can be highlighted."
    ),
    paper="arXiv:2008.02312",
    space="layer",
    signed=True,
    units=LOGIT_OR_ITS_SUM,
    heat=xgrad_cam,
    requires=no_negative_maps,
)
EIGEN_CAM = Method(
    title=N_("Eigen-CAM"),
    summary=N_(
        "Eigen-CAM shows the one pattern that explains most of all feature maps of the layer: their first "
        "principal component."
    ),
    pitfall=N_(
        "It uses neither the class nor a gradient: the heat map is the same for every class, also for a "
        "class that the network finds impossible."
    ),
    paper="arXiv:2008.00299",
    space="layer",
    signed=True,
    units=FEATURES,
    heat=eigen_cam,
    signed_as_maps=True,
    uses_class=False,
)
