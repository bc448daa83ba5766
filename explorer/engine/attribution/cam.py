"""Class activation maps: a layer's feature maps, weighted by the gradient of the score and added up.

All are raw and signed, at the layer's own resolution. ReLU, normalizing and upsampling are drawing.
"""

from torch import Tensor, nn

from explorer.engine.attribution.method import Method


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


def no_negative_maps(net: nn.Module, layer: str, maps: Tensor) -> str | None:
    """Grad-CAM++ is derived for maps that an activation has made non-negative."""
    if bool(maps.min() < 0):
        return "Grad-CAM++ needs maps without negative values: choose an activation or pooling layer."
    return None


IN_LOGITS = (
    "Values are in units of the class's logit; they are not probabilities, and in general they do not add up "
    "to the logit."
)
POOLED = "They do, up to its bias, where only global average pooling and one linear layer follow."

GRAD_CAM = Method(
    title="Grad-CAM",
    summary="weights each feature map with the mean gradient of the class's logit on it and adds all up",
    pitfall=(
        "The mean gradient ignores where in the map the gradient is, so positions that did not affect the "
        "score can be highlighted."
    ),
    units=f"{IN_LOGITS} {POOLED}",
    paper="arXiv:1610.02391",
    space="layer",
    signed=True,
    heat=grad_cam,
)
HIRES_CAM = Method(
    title="HiResCAM",
    summary="weights every position of every feature map with its own gradient and adds the maps up",
    pitfall=(
        "In early layers the gradients of neighboring positions differ strongly, so the map is noisy there "
        "and single positions mean little."
    ),
    units=f"{IN_LOGITS} {POOLED}",
    paper="arXiv:2011.08891",
    space="layer",
    signed=True,
    heat=hires_cam,
)
LAYER_CAM = Method(
    title="LayerCAM",
    summary="does as HiResCAM, but leaves out every position whose gradient is negative",
    pitfall=(
        "Positions with a negative gradient are left out, so most evidence against the class is missing."
    ),
    units=IN_LOGITS,
    paper="doi:10.1109/TIP.2021.3089943",
    space="layer",
    signed=True,
    heat=layer_cam,
)
GRAD_CAM_PP = Method(
    title="Grad-CAM++",
    summary="is Grad-CAM with weights that favor maps in which few positions carry the gradient",
    pitfall=(
        "Its weights are never negative, so it cannot show evidence against the class, and the maps of "
        "different classes can look alike."
    ),
    units=(
        "Values compare positions only: the weights are not linear in the gradient, so they are neither "
        "probabilities nor in units of the logit."
    ),
    paper="arXiv:1710.11063",
    space="layer",
    signed=False,
    heat=grad_cam_pp,
    unmet=no_negative_maps,
)
