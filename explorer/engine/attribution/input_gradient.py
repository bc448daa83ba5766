"""Methods in input space by the gradient of the score on the pixels, at one point or along a path.

All are at the input's own resolution, with the color channels added up, each with its sign.
"""

import torch
from torch import Tensor

from explorer.engine.attribution.method import Method, Parameter, Question
from explorer.engine.attribution.reach import no_gradient_on_pixels
from explorer.engine.attribution.scored import ScoredNetwork, classes_of, in_chunks
from model.words import N_

SEED = 0
"""Of all random draws: the same for every image, so that neither its batch nor a second time matters."""
PLAIN_COLORS = 16
"""Of the references that Expected Gradients has by default."""


def saliency(question: Question) -> Tensor:
    """The size of the gradient at each pixel, (N, h, w), ≥ 0, arXiv:1312.6034.

    The channels are added up; the paper takes the largest of them.
    """
    from captum.attr import Saliency

    captum, classes = Saliency(ScoredNetwork(question.net)), classes_of(question.score)
    sizes: Tensor = captum.attribute(question.x.requires_grad_(), additional_forward_args=classes)
    return sizes.sum(1)


def input_x_gradient(question: Question) -> Tensor:
    """Each pixel times the gradient on it, (N, h, w), arXiv:1605.01713."""
    from captum.attr import InputXGradient

    captum, classes = InputXGradient(ScoredNetwork(question.net)), classes_of(question.score)
    products: Tensor = captum.attribute(question.x.requires_grad_(), additional_forward_args=classes)
    return products.sum(1)


def integrated_gradients(question: Question) -> Tensor:
    """The mean gradient on the line from the baseline, times its length, (N, h, w), arXiv:1703.01365."""
    from captum.attr import IntegratedGradients

    products: Tensor = IntegratedGradients(ScoredNetwork(question.net).many).attribute(
        question.x,
        question.start,
        additional_forward_args=classes_of(question.score),
        n_steps=int(question.settings["steps"]),
        internal_batch_size=max(len(question.x), 64),
    )
    return products.sum(1)


def expected_gradients(question: Question) -> Tensor:
    """Integrated Gradients averaged over references, by random points, (N, h, w), arXiv:1906.10670.

    Not Captum's GradientShap: it draws from the generator that all threads share, and adds noise.
    """
    x, references = question.x, question.references
    random = torch.Generator().manual_seed(SEED)
    if references is None:
        plain = torch.randn(PLAIN_COLORS, x.shape[1], 1, 1, generator=random).to(x)
        references = plain.expand(-1, -1, *x.shape[2:])
    samples = int(question.settings["samples"])
    chosen = references[torch.randint(len(references), (samples,), generator=random)]
    steps = torch.rand(samples, 1, 1, 1, generator=random).to(x)
    scored, heats = ScoredNetwork(question.net), []
    for row, image in enumerate(x):
        ways = image - chosen
        gradients = _gradients(scored, chosen + steps * ways, question, row)
        heats.append((ways * gradients).mean(0).sum(0))
    return torch.stack(heats)


def smooth_grad(question: Question) -> Tensor:
    """The mean gradient over noisy copies of each image, (N, h, w), arXiv:1706.03825.

    Not Captum's NoiseTunnel: it draws from the generator that all threads share.
    """
    x, samples = question.x, int(question.settings["samples"])
    noise = torch.randn(samples, *x.shape[1:], generator=torch.Generator().manual_seed(SEED)).to(x)
    scored, heats = ScoredNetwork(question.net), []
    for row, image in enumerate(x):
        copies = image + question.settings["noise"] * (image.max() - image.min()) * noise
        heats.append(_gradients(scored, copies, question, row).mean(0).sum(0))
    return torch.stack(heats)


def _gradients(scored: ScoredNetwork, points: Tensor, question: Question, row: int) -> Tensor:
    """The gradient of one image's score at points in its place, (n, C, h, w)."""
    pairs = in_chunks(scored, points, question.score, row)
    return torch.cat([torch.autograd.grad(scores.sum(), variants)[0] for variants, scores in pairs])


PER_UNIT = N_(
    "Values are in units of the logit per unit of the normalized input, added up over the three color "
    "channels."
)
PRODUCTS = N_(
    "Values are in units of the logit, added up over the color channels; in general they do not add up "
    "to the logit."
)
COMPLETE = N_(
    "Values are in units of the logit, added up over the color channels; together they give the logit "
    "minus the logit of the baseline, up to the error of the approximation."
)

SALIENCY = Method(
    title=N_("Saliency"),
    summary=N_(
        "Saliency is the size of the gradient of the class logit on each pixel: how much the logit changes "
        "when the pixel changes a little."
    ),
    pitfall=N_(
        "It has no sign, it is noisy, and it says how sensitive the logit is to a pixel, not how much the "
        "pixel contributed."
    ),
    units=PER_UNIT,
    paper="arXiv:1312.6034",
    space="input",
    signed=False,
    compute=saliency,
    requires=no_gradient_on_pixels,
    needs_layer=False,
)
INPUT_X_GRADIENT = Method(
    title=N_("Input × Gradient"),
    summary=N_("Input × Gradient multiplies each pixel by the gradient of the class logit on it."),
    pitfall=N_(
        "A pixel that is zero after normalization (the mean color) gets zero, however important it is, and "
        "the gradient of a saturated network is small although the pixel matters."
    ),
    units=PRODUCTS,
    paper="arXiv:1605.01713",
    space="input",
    signed=True,
    compute=input_x_gradient,
    requires=no_gradient_on_pixels,
    needs_layer=False,
)
INTEGRATED_GRADIENTS = Method(
    title=N_("Integrated Gradients"),
    summary=N_(
        "Integrated Gradients multiplies the difference of each pixel from a baseline by the mean gradient "
        "of the class logit on the straight line from the baseline to the image."
    ),
    pitfall=N_(
        "The baseline decides the result: a pixel that equals the baseline gets zero, and the images on the "
        "line look like none that the network was trained on."
    ),
    units=COMPLETE,
    paper="arXiv:1703.01365",
    space="input",
    signed=True,
    compute=integrated_gradients,
    requires=no_gradient_on_pixels,
    needs_layer=False,
    baseline="image",
    adds_up=True,
    parameters={"steps": Parameter(N_("Steps"), 50, 2, 500)},
)
EXPECTED_GRADIENTS = Method(
    title=N_("Expected Gradients"),
    summary=N_(
        "Expected Gradients (Gradient SHAP) is Integrated Gradients averaged over many baselines, estimated "
        "at random points of the lines from them to the image."
    ),
    pitfall=N_(
        "It is an estimate from a few random points, so single pixels are noisy, and it depends on the "
        "baselines: plain random colors unless others are given."
    ),
    units=COMPLETE,
    paper="arXiv:1906.10670",
    space="input",
    signed=True,
    compute=expected_gradients,
    requires=no_gradient_on_pixels,
    needs_layer=False,
    baseline="references",
    parameters={"samples": Parameter(N_("Number of samples"), 100, 2, 1000)},
)
SMOOTH_GRAD = Method(
    title=N_("SmoothGrad"),
    summary=N_(
        "SmoothGrad is the gradient of the class logit on each pixel, averaged over copies of the image with "
        "random noise."
    ),
    pitfall=N_(
        "The amount of noise decides how smooth the heat map is, and noisy copies may get another prediction "
        "than the image."
    ),
    units=PER_UNIT,
    paper="arXiv:1706.03825",
    space="input",
    signed=True,
    compute=smooth_grad,
    requires=no_gradient_on_pixels,
    needs_layer=False,
    parameters={
        "samples": Parameter(N_("Number of samples"), 25, 2, 500),
        "noise": Parameter(N_("Noise, as a fraction of the image’s range"), 0.15, 0, 1),
    },
)
