"""Methods in input space that go back through the network by rules of their own, layer by layer.

Captum puts these rules into modules: what a network computes outside of its modules they do not see, so
`rules` look for it. All are at the input's own resolution, with the color channels added up.
"""

import copy
import warnings
from collections.abc import Collection, Sequence
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval
from torch.nn.utils.parametrize import is_parametrized, type_before_parametrizations
from torch.nn.utils.prune import BasePruningMethod
from torch.nn.utils.spectral_norm import SpectralNorm
from torch.nn.utils.weight_norm import WeightNorm

from explorer.engine.attribution.gradients import LogitScore, without_gradient
from explorer.engine.attribution.input_gradient import COMPLETE, PER_UNIT, PRODUCTS
from explorer.engine.attribution.method import Method, Parameter, Question
from explorer.engine.attribution.operations import LINEAR, RESHAPING, Operations, operations
from explorer.engine.attribution.reach import no_gradient_on_pixels
from explorer.engine.attribution.scored import ScoredNetwork, classes_of
from explorer.engine.independence import mixes_rows
from explorer.engine.outputs import outputs_of
from explorer.engine.passes import leaf_paths, tapped
from explorer.engine.places import enlarged, place_of
from explorer.engine.unseen import NAMELESS
from model.problems import Problem
from model.words import N_

warnings.filterwarnings("ignore", r"\s*Setting (forward, )?backward hooks", UserWarning)  # on a view

RECTIFIERS = (nn.LeakyReLU, nn.PReLU, nn.RReLU, nn.ELU, nn.SELU, nn.CELU, nn.GELU, nn.SiLU, nn.Mish,
              nn.Softplus, nn.Hardswish, nn.ReLU6, nn.Hardtanh)  # fmt: skip
"""Activations in the place of ReLU for which Guided Backprop has no meaning."""
RECTIFYING = frozenset(
    {"relu", "relu6", "leaky_relu", "prelu", "rrelu", "elu", "selu", "celu", "gelu", "silu", "mish"}
    | {"softplus", "hardswish", "hardtanh", "threshold", "clamp", "clamp_min", "maximum"}
)
PASSING = (nn.Identity, nn.Flatten, nn.Sequential)
"""Modules that hand on every value as it is (a Sequential here is empty: only leaves are looked at)."""
ELEMENTWISE = (nn.ReLU, nn.ELU, nn.LeakyReLU, nn.Sigmoid, nn.Tanh, nn.Softplus)
"""Activations for which DeepLift has its rule. Captum's rule for Softmax mixes the images of a batch."""
LINEAR_MODULES = (nn.AvgPool2d, nn.AdaptiveAvgPool2d, nn.Dropout, nn.Dropout2d, nn.ZeroPad2d, nn.BatchNorm2d)


def guided_backprop(question: Question) -> Tensor:
    """The gradient on each pixel, where every ReLU holds back negative ones, (N, h, w), arXiv:1412.6806."""
    from captum.attr import GuidedBackprop

    captum, classes = GuidedBackprop(_apart(ScoredNetwork(question.net))), classes_of(question.score)
    gradients: Tensor = captum.attribute(question.x.requires_grad_(), additional_forward_args=classes)
    return gradients.sum(1)


def guided_grad_cam(question: Question) -> Tensor:
    """Guided Backprop times positive Grad-CAM, enlarged bilinearly, (N, h, w), arXiv:1610.02391."""
    from captum.attr import LayerGradCam

    view, points = tapped(question.net, [question.layer])
    size, classes = (question.x.shape[2], question.x.shape[3]), classes_of(question.score)
    captum = LayerGradCam(_apart(ScoredNetwork(question.net, view)), points[question.layer])
    try:
        heat: Tensor = captum.attribute(
            question.x.requires_grad_(), additional_forward_args=classes, relu_attributions=True
        )
    except RuntimeError as error:
        if "not have been used in the graph" not in str(error):
            raise
        raise without_gradient(question.layer) from error
    place = place_of(question.net, question.layer, size)
    return guided_backprop(question) * enlarged(heat.detach(), place, size)[:, 0]


def deep_lift(question: Question) -> Tensor:
    """The differences from the baseline, followed through the network, (N, h, w), arXiv:1704.02685.

    By the rescale rule.
    """
    from captum.attr import DeepLift

    products: Tensor = DeepLift(_apart(ScoredNetwork(question.net))).attribute(
        question.x.requires_grad_(), question.start, additional_forward_args=classes_of(question.score)
    )
    return products.sum(1)


def _apart(scored: ScoredNetwork) -> ScoredNetwork:
    """Gives every activation and pooling a tensor of its own to work on.

    Captum hooks the tensors between modules. Where a pooling layer takes the very tensor that a ReLU gave,
    the ReLU's hook runs first, and DeepLift's rule for the pooling is lost on the way.
    """
    for module in scored.modules():
        if isinstance(module, (*ELEMENTWISE, nn.MaxPool2d)):
            module.register_forward_pre_hook(lambda _, inputs: tuple(each.clone() for each in inputs))
    return scored


def lrp(question: Question) -> Tensor:
    """The logit handed back from layer to layer, (N, h, w), doi:10.1371/journal.pone.0130140.

    Convolutions after the first by the γ rule, all else by the ε rule (doi:10.1007/978-3-030-28954-6_10); a
    BatchNorm is first made part of the convolution before it. Of two classes it is the difference, for the
    rules are linear in what is handed back.
    """
    relevance = _relevance(question, question.score.target)
    return (
        relevance
        if question.score.against is None
        else relevance - _relevance(question, question.score.against)
    )


def _relevance(question: Question, target: Tensor) -> Tensor:
    from captum.attr import LRP
    from captum.attr._utils.lrp_rules import EpsilonRule, GammaRule

    ran = operations(question.net, question.x[:1]).modules
    convs = [path for path, module in ran if type_before_parametrizations(module) is nn.Conv2d]
    scored = copy.deepcopy(
        ScoredNetwork(question.net)
    )  # Captum changes weights, and writes them back in place
    for module in scored.view.modules():
        _settle_weights(module)
    _merge_batchnorm(scored.view, ran)
    for path in leaf_paths(scored.view):
        module = scored.view.get_submodule(path)
        if path in convs[1:]:
            module.rule = GammaRule(question.settings["gamma"])
        elif path not in dict(ran) or isinstance(module, PASSING):
            module.rule = EpsilonRule()
    single = outputs_of(question.net).single  # Captum's rules do not see that the first logit is the negative
    classes = classes_of(LogitScore(torch.ones_like(target) if single else target))
    relevance: Tensor = LRP(scored).attribute(question.x.requires_grad_(), additional_forward_args=classes)
    sign = (2 * target - 1)[:, None, None] if single else 1
    return relevance.sum(1) * sign


def _settle_weights(module: nn.Module) -> None:
    """Makes parameters of the weight and the bias where these are computed for every call.

    So are those of a pruned layer, by hooks, and those of one with weight or spectral normalization.
    """
    computed: dict[str, Tensor] = {}
    if is_parametrized(module):
        computed = {name: getattr(module, name) for name in _parametrized(module)}
        # Not as torch removes them: the copies of a module share the class that has these as properties.
        kind = type_before_parametrizations(module)
        del module.parametrizations
        module.__class__ = kind
    hooks: list[tuple[int, Any]] = list(module._forward_pre_hooks.items())
    for key, hook in hooks:
        if isinstance(hook, BasePruningMethod | WeightNorm | SpectralNorm):
            hook(module, ())
            del module._forward_pre_hooks[key]
    names = [name for name in ("weight", "bias") if isinstance(vars(module).get(name), Tensor)]
    computed |= {name: vars(module).pop(name) for name in names}
    for name, value in computed.items():
        module.register_parameter(name, nn.Parameter(value.detach()))


def _parametrized(module: nn.Module) -> list[str]:
    return [name for name, _ in module.get_submodule("parametrizations").named_children()]


def _merge_batchnorm(view: nn.Module, ran: Sequence[tuple[str, nn.Module]]) -> None:
    """Puts each BatchNorm into the convolution before it, and an Identity in its place.

    By itself it would divide by values near zero.
    """
    for (before, _), (path, _) in pairwise(ran):
        conv, norm = view.get_submodule(before), view.get_submodule(path)
        if not (isinstance(conv, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d)):
            continue
        if norm.running_mean is not None and norm.num_features == conv.out_channels:
            view.set_submodule(before, fuse_conv_bn_eval(conv, norm))
            view.set_submodule(path, nn.Identity())


def not_guided(ran: Operations) -> Problem | None:
    """Guided Backprop is defined for ReLU, and Captum finds it where it is a module."""
    if functions := RECTIFYING.intersection(ran.functions):
        return Problem(ONLY_MODULES, name=min(functions))
    if ran.unseen:  # any of them may be one
        return _not_in_a_module(ran.unseen)
    kinds = {type(module) for _, module in ran.modules}
    if others := sorted(kind.__name__ for kind in kinds if issubclass(kind, RECTIFIERS)):
        return Problem(ONLY_RELU, kind=others[0])
    return None if nn.ReLU in kinds else Problem(NO_RELU)


def not_beside_its_baseline(net: nn.Module, layer: str | None, x: Tensor) -> Problem | None:
    """DeepLift computes an image and its baseline in one batch, by the gradient on both."""
    return Problem(WITH_ITS_BASELINE) if mixes_rows(net, x) else no_gradient_on_pixels(net, layer, x)


def not_lifted(ran: Operations) -> Problem | None:
    """DeepLift needs a rule for all that is not linear, in a module that runs once."""
    if functions := set(ran.functions) - LINEAR:
        return _not_in_a_module(functions)
    for path, module in ran.modules:
        if type(module) in (*ELEMENTWISE, nn.MaxPool2d) and path in ran.reused:
            return Problem(REUSED, layer=repr(path))
        if type(module) is nn.MaxPool2d and not _has_a_lift(module):
            return Problem(OVERLAPPING, layer=repr(path))
        if not _has_a_lift(module):
            return Problem(NO_RULE, kind=type(module).__name__, layer=repr(path))
    return None


def _not_in_a_module(functions: Collection[str]) -> Problem:
    name = min(functions)
    return Problem(ELSEWHERE) if name == NAMELESS else Problem(NOT_IN_A_MODULE, name=name)


def _has_a_lift(module: nn.Module) -> bool:
    if type(module) is nn.MaxPool2d:  # Captum's rule loses part of what overlapping windows share
        size, stride = (torch.as_tensor(each).expand(2) for each in (module.kernel_size, module.stride))
        return bool((size <= stride).all()) and set(torch.as_tensor(module.dilation).view(-1).tolist()) == {1}
    if type(module) is nn.BatchNorm2d:
        return module.running_mean is not None
    return isinstance(module, nn.Conv2d | nn.Linear) or type(module) in (
        *ELEMENTWISE,
        *LINEAR_MODULES,
        *PASSING,
    )


def no_relevance(ran: Operations) -> Problem | None:
    """LRP needs a rule for every module, modules that run once, and nothing but them."""
    from captum.attr._core.lrp import SUPPORTED_LAYERS_WITH_RULES, SUPPORTED_NON_LINEAR_LAYERS

    if functions := {*ran.functions, *ran.scalings} - RESHAPING:
        return _not_in_a_module(functions)
    for path, module in ran.modules:
        if type_before_parametrizations(module) not in (
            *SUPPORTED_LAYERS_WITH_RULES,
            *SUPPORTED_NON_LINEAR_LAYERS,
            *PASSING,
        ):
            return Problem(NO_RULE, kind=type(module).__name__, layer=repr(path))
        if path in ran.reused:
            return Problem(REUSED, layer=repr(path))
    return None


ONLY_MODULES = N_(
    "This method changes ReLU modules, and this network calls {name} as a function: choose another method."
)
ONLY_RELU = N_("This method is defined for ReLU, and this network has {kind}: choose another method.")
NO_RELU = N_("This method changes ReLU modules, and this network has none: choose another method.")
NOT_IN_A_MODULE = N_(
    "This method has rules for modules, and this network calls {name} as a function: choose another method."
)
ELSEWHERE = N_(
    "This method has rules for modules, and this network computes values outside of them: choose another "
    "method."
)
WITH_ITS_BASELINE = N_(
    "This method computes an image together with its baseline, and in this network images that run together "
    "change each other’s results: choose another method."
)
NO_RULE = N_("This method has no rule for {kind}, which this network has at {layer}: choose another method.")
OVERLAPPING = N_(
    "This method needs pooling windows that do not overlap, and this network has others at {layer}: choose "
    "another method."
)
REUSED = N_(
    "This method needs modules that run once, and this network uses {layer} several times: choose another "
    "method."
)

GUIDED_BACKPROP = Method(
    title=N_("Guided Backprop"),
    summary=N_(
        "Guided Backprop is the gradient of the class logit on each pixel, where every ReLU holds back "
        "negative gradients."
    ),
    pitfall=N_(
        "It is close to an edge detector: the heat map hardly changes with the class, or when the weights of "
        "the last layers are replaced by random ones."
    ),
    units=PER_UNIT,
    paper="arXiv:1412.6806",
    space="input",
    signed=True,
    compute=guided_backprop,
    requires=no_gradient_on_pixels,
    rules=not_guided,
    needs_layer=False,
)
GUIDED_GRAD_CAM = Method(
    title=N_("Guided Grad-CAM"),
    summary=N_(
        "Guided Grad-CAM multiplies Guided Backprop by the positive part of the layer’s Grad-CAM, enlarged "
        "to the size of the input."
    ),
    pitfall=N_(
        "Its details come from Guided Backprop, which hardly depends on the class; only where they are shown "
        "comes from Grad-CAM."
    ),
    units=N_("Values compare positions only: the product of two heat maps has no unit of its own."),
    paper="arXiv:1610.02391",
    space="input",
    signed=True,
    compute=guided_grad_cam,
    requires=no_gradient_on_pixels,
    rules=not_guided,
)
DEEP_LIFT = Method(
    title=N_("DeepLift"),
    summary=N_(
        "DeepLift compares every layer’s values with those of a baseline, and follows the difference of the "
        "class logit back to the pixels, in proportion to the differences on the way."
    ),
    pitfall=N_(
        "The baseline decides the result: a pixel that equals the baseline gets zero, and another baseline "
        "can turn the sign of a pixel around."
    ),
    units=COMPLETE,
    paper="arXiv:1704.02685",
    space="input",
    signed=True,
    compute=deep_lift,
    requires=not_beside_its_baseline,
    rules=not_lifted,
    needs_layer=False,
    baseline="image",
    adds_up=True,
)
LRP = Method(
    title=N_("LRP"),
    summary=N_(
        "LRP (layer-wise relevance propagation) hands the class logit back from layer to layer, to each "
        "value in proportion to what it contributed, and prefers positive contributions in convolutions."
    ),
    pitfall=N_(
        "The rules of the layers decide the result, and biases take a part of the logit, so the values do "
        "not add up to it."
    ),
    units=PRODUCTS,
    paper="doi:10.1371/journal.pone.0130140",
    space="input",
    signed=True,
    compute=lrp,
    requires=no_gradient_on_pixels,
    rules=no_relevance,
    needs_layer=False,
    parameters={"gamma": Parameter(N_("γ: preference of positive contributions"), 0.25, 0, 10)},
)
