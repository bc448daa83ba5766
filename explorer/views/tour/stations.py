"""The ten stations of the tour: what each says, what it asks, and on which page."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from explorer.engine import tour
from explorer.engine.tracing import stages
from explorer.ui.choices import PREDICTED
from explorer.ui.selection import Selection
from explorer.views.tour import questions
from explorer.views.tour.questions import TourQuestion
from model.words import N_, tr

Choices = Mapping[str, str]


def _nothing(_: Selection) -> Choices:
    return {}


@dataclass(frozen=True)
class Station:
    """One station: `page` is the folder of its page in `explorer/views`, `page_title` the page's title.

    `title`, `page_title`, `sentences` and `action` are templates. `titled` gives the title with numbers of
    the network, `ask` the question; both raise Problem where there are none. `view` gives the choices with
    which the page opens, `explained` the class to explain; "" leaves it as it is.
    """

    page: str
    page_title: str
    title: str
    sentences: str
    action: str
    ask: Callable[[Selection], TourQuestion]
    titled: Callable[[Selection], str] | None = None
    view: Callable[[Selection], Choices] = field(default=_nothing)
    explained: str = ""


def _at(selection: Selection, layer: str) -> Choices:
    """The choices of a page that shows a layer of a block; none for a layer outside of all blocks."""
    for index, block in enumerate(selection.blocks, start=1):
        for stage, name in stages(block, selection.seen).items():
            if name == layer:
                return {"block": str(index), "stage": stage, "channel": "", "cell": ""}
    return {}


def _first_maps(selection: Selection) -> Choices:
    return _at(selection, tour.first_maps(selection.net, selection.seen).layer)


def _shrinking(selection: Selection) -> Choices:
    return _at(selection, tour.shrinking(selection.net, selection.seen).first.layer)


def _norm(selection: Selection) -> Choices:
    return {"norm": tour.first_norm(selection.net, selection.seen), "channel": ""}


def _relu(selection: Selection) -> Choices:
    return _at(selection, tour.cut(selection.net, selection.seen, selection.input.x).layer)


def _last(selection: Selection) -> Choices:
    return _at(selection, tour.explained_layer(selection.blocks, selection.seen))


def _cards(selection: Selection) -> Choices:
    layer = tour.explained_layer(selection.blocks, selection.seen)
    return {"method": "grad_cam", "cam_stage": "act", "carrier": layer}


def _grid(selection: Selection) -> Choices:
    return {"change": "channels", "how": "zero", **_last(selection)}


def _size(selection: Selection) -> str:
    first = tour.shrinking(selection.net, selection.seen).first
    return tr("Why {height} × {width}?", height=first.rows.output, width=first.columns.output)


def _class(selection: Selection) -> str:
    name = selection.class_names[selection.predicted]
    return tr("Which maps made it “{class_name}”?", class_name=name)


STATIONS: tuple[Station, ...] = (
    Station(
        "maps",
        N_("Feature maps"),
        N_("What is a feature map?"),
        N_(
            "A convolution moves a small kernel over the picture; at every position it multiplies and "
            "adds. The results, at the positions where they were computed, are a feature map: its values "
            "are large where the picture matches the kernel. Each kernel gives one map, which is also "
            "called a channel."
        ),
        N_("Select several channels in the grid, and compare each of them with the picture."),
        questions.weights,
        view=_first_maps,
    ),
    Station(
        "maps",
        N_("Feature maps"),
        N_("Why this size?"),
        N_(
            "The size of a map follows from its layer: the kernel, its stride (how many positions it "
            "moves at a time) and the padding (a border around the map). A stride of 2 halves the rows "
            "and the columns. Smaller maps need less computation, and each position stands for more of "
            "the picture."
        ),
        N_("Change the stage above the grid, and read how many positions each stage has."),
        questions.positions,
        titled=_size,
        view=_shrinking,
    ),
    Station(
        "batchnorm",
        N_("BatchNorm"),
        N_("What does BatchNorm do?"),
        N_(
            "BatchNorm subtracts a mean from each channel and divides by a standard deviation; then it "
            "multiplies by γ and adds β, which are learned. In training it takes the statistics of the "
            "batch. For a prediction it takes the running statistics, which were collected in training."
        ),
        N_("Look at one channel before BatchNorm, normalized, and after γ and β. Then change the channel."),
        questions.mean,
        view=_norm,
    ),
    Station(
        "maps",
        N_("Feature maps"),
        N_("What does ReLU cut?"),
        N_(
            "ReLU keeps positive values and sets negative ones to 0. Without such a step between them, "
            "several convolutions could do no more than a single one. A 0 in a map says that the pattern "
            "of this channel is not at this position."
        ),
        N_("Change the stage to the one before ReLU, and compare the same channel in both."),
        questions.fraction,
        view=_relu,
    ),
    Station(
        "maps",
        N_("Feature maps"),
        N_("What can one position see?"),
        N_(
            "A position of a map depends only on a part of the picture, its receptive field. It grows "
            "with every convolution, and faster after a pooling or a stride. What lies outside of it "
            "cannot change the value at this position."
        ),
        N_("Click a position of the large map, and look at its receptive field in the picture below."),
        questions.pixels,
        view=_last,
    ),
    Station(
        "explain",
        N_("Explain"),
        N_("Which maps made the prediction?"),
        N_(
            "Grad-CAM gives each feature map a weight: the mean gradient of the class’s logit on this "
            "map. The weight times the mean of the map is its contribution: an estimate for one position "
            "on average, in units of the logit per position. Positive contributions support the class, "
            "negative ones oppose it."
        ),
        N_("Look at the heat maps, and then at the cards of the maps with the largest contributions."),
        questions.strongest,
        titled=_class,
        view=_cards,
        explained=PREDICTED,
    ),
    Station(
        "interventions",
        N_("Interventions"),
        N_("Does removing a map change the prediction?"),
        N_(
            "A contribution is estimated from gradients, for one position on average. An effect is "
            "measured for the whole map, in units of the logit: set the map to zero, run the network "
            "again, and see how the logit changes. Only the order of the channels by each can be "
            "compared, and the two need not agree. Often a single map changes little, since others carry "
            "the same information."
        ),
        N_("Mark the channel of the question in the grid, and look at the prediction beside it."),
        questions.without,
        view=_grid,
        explained=PREDICTED,
    ),
    Station(
        "attributions",
        N_("Attributions"),
        N_("Can you trust this map?"),
        N_(
            "A heat map looks convincing whether or not it is right. One test: a network with random "
            "weights has learned nothing, so its map should be another one. A map that stays the same "
            "shows the picture, and not what the network has learned."
        ),
        N_("Compare the scores below two of the maps. The gray band is what chance gives."),
        questions.alike,
        view=lambda selection: {"att_block": str(len(selection.blocks)), "att_stage": "act"},
        explained=PREDICTED,
    ),
    Station(
        "errors",
        N_("Errors"),
        N_("Where does the network fail?"),
        N_(
            "The accuracy is one number and does not say where the errors are. A confusion matrix does: "
            "for every true class it counts what was predicted. Errors with a high confidence are the "
            "first to look at."
        ),
        N_("Scan the drawn scenes or your test set, and click a cell of the matrix to see its images."),
        questions.errors,
    ),
    Station(
        "training",
        N_("Training runs"),
        N_("How did it learn this?"),
        N_(
            "Training shows the network the same images many times, and changes every weight a little "
            "after each batch so that the loss falls. If the test accuracy no longer rises while the "
            "training accuracy does, the network learns the training images and nothing else: it "
            "overfits."
        ),
        N_("Find the epoch with the highest test accuracy. How far is the training accuracy from it?"),
        questions.epoch,
    ),
)
