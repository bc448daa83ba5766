"""Methods by changing something and looking at the score again: forward passes only, no gradient."""

import torch
from torch import Tensor, nn

from explorer.engine.ablation import unchanged, without_sets
from explorer.engine.attribution.cam import POSITIONS_ONLY
from explorer.engine.attribution.gradients import CHUNK
from explorer.engine.attribution.method import Method, Parameter, Question
from explorer.engine.attribution.scored import ScoredNetwork, classes_of, in_chunks, repeated
from explorer.engine.passes import feature_maps, recording_calls
from explorer.engine.places import enlarged, place_of
from model.words import N_


def ablation_cam(question: Question) -> Tensor:
    """Maps weighted by the drop of the score without them, (N, h, w), doi:10.1109/WACV45572.2020.00104.

    The paper divides the drops by the score, which turns their signs around where it is negative: not here.
    """
    known = unchanged(question.net, question.x, question.layer)
    ablations, maps = without_sets(question.net, question.x, question.layer, known=known), known[1]
    zeroed = torch.from_numpy(ablations.zeroed).reshape(*maps.shape[:2], -1)
    whole = question.score.of(torch.from_numpy(ablations.logits).reshape(len(maps), -1))
    scores = [repeated(question.score, row, maps.shape[1]).of(one) for row, one in enumerate(zeroed)]
    return ((whole[:, None] - torch.stack(scores))[:, :, None, None].to(maps) * maps).sum(1)


def score_cam(question: Question) -> Tensor:
    """Maps weighted by the score of the image seen through them, (N, h, w), arXiv:1910.01279.

    A softmax over the channels makes the weights; the score of a baseline, which the paper takes away from
    all of them, does not change it.
    """
    maps = maps_of(question.net, question.x, question.layer)
    scored, heats = ScoredNetwork(question.net), []
    size = question.x.shape[2], question.x.shape[3]
    place = place_of(question.net, question.layer, size)
    for row, (image, own) in enumerate(zip(question.x, maps, strict=True)):
        low, high = own.amin((1, 2), keepdim=True), own.amax((1, 2), keepdim=True)
        masks = (own - low) / (high - low).where(high > low, 1)
        masks = enlarged(masks[:, None], place, size)
        with torch.no_grad():
            scores = torch.cat([s for _, s in in_chunks(scored, masks * image, question.score, row)])
        heats.append((scores.softmax(0)[:, None, None] * own).sum(0))
    return torch.stack(heats)


def occlusion(question: Question) -> Tensor:
    """The drop of the score when a patch is covered by the baseline, averaged over the patches that cover a
    pixel, (N, h, w), arXiv:1311.2901.
    """
    height, width = question.x.shape[2:]
    side = max(1, round(question.settings["patch"] * min(height, width)))
    stride = max(1, round(question.settings["stride"] * side))
    rows, columns = (spans(size, side, stride).to(question.x.device) for size in (height, width))
    positions = torch.cartesian_prod(torch.arange(len(rows)), torch.arange(len(columns)))
    scored, heats = ScoredNetwork(question.net), []
    with torch.no_grad():
        whole = scored(question.x, *classes_of(question.score))
        for row, (image, start) in enumerate(zip(question.x, question.start, strict=True)):
            heat = torch.zeros_like(image[0])
            for part in torch.split(positions, CHUNK):
                inside = rows[part[:, 0], :, None] & columns[part[:, 1], None]
                images = torch.where(inside[:, None], start, image)
                ((_, scores),) = in_chunks(scored, images, question.score, row)
                heat += ((whole[row] - scores)[:, None, None] * inside).sum(0)
            heats.append(heat)
    return torch.stack(heats) / (rows.sum(0)[:, None] * columns.sum(0))


def spans(size: int, side: int, stride: int) -> Tensor:
    """Intervals of a length that together cover a row of pixels, bool (n, size); the last may be cut off."""
    after = torch.arange(size) - torch.arange(0, size - side + stride, stride)[:, None]
    return (after >= 0) & (after < side)


def maps_of(net: nn.Module, x: Tensor, layer: str) -> Tensor:
    """The layer's maps, (N, C, h, w), of images x, from a pass without gradients."""
    maps: list[Tensor] = []
    view = recording_calls(net, [layer], lambda call: maps.append(feature_maps(call).clone()))
    with torch.inference_mode(False), torch.no_grad():
        view(x.detach().clone())
    return maps[0]


DROPS = N_("Values are in units of the logit: how much it falls when the part is covered.")
DROPS_OF_MAPS = N_(
    "Values are in units of the logit times those of the feature maps; they compare positions only."
)

ABLATION_CAM = Method(
    title=N_("Ablation-CAM"),
    summary=N_(
        "Ablation-CAM multiplies each feature map by how much the class logit falls when this map is "
        "switched off, and adds up the results."
    ),
    pitfall=N_(
        "Each map is switched off alone, so maps that can stand in for each other all get small weights, and "
        "a layer with one map at zero may be unlike any that the network was trained on."
    ),
    units=DROPS_OF_MAPS,
    paper="doi:10.1109/WACV45572.2020.00104",
    space="layer",
    signed=True,
    compute=ablation_cam,
)
SCORE_CAM = Method(
    title=N_("Score-CAM"),
    summary=N_(
        "Score-CAM darkens the image by each feature map in turn, and adds up the feature maps, weighted by "
        "the class logits that the darkened images get."
    ),
    pitfall=N_(
        "The weights are a softmax of logits, so few maps get almost all of the weight, none can oppose the "
        "class, and the darkened images are unlike any that the network was trained on."
    ),
    units=POSITIONS_ONLY,
    paper="arXiv:1910.01279",
    space="layer",
    signed=True,
    compute=score_cam,
)
OCCLUSION = Method(
    title=N_("Occlusion"),
    summary=N_(
        "Occlusion covers a patch of the image with the baseline, at every place in turn, and shows how much "
        "the class logit falls."
    ),
    pitfall=N_(
        "The size of the patch and the color of the cover decide the result, and a covered image is unlike "
        "any that the network was trained on."
    ),
    units=DROPS,
    paper="arXiv:1311.2901",
    space="input",
    signed=True,
    compute=occlusion,
    needs_layer=False,
    baseline="image",
    parameters={
        "patch": Parameter(N_("Side of the patch, as a fraction of the image’s side"), 0.125, 0.01, 1),
        "stride": Parameter(N_("Step, as a fraction of the patch"), 0.5, 0.1, 1),
    },
)
