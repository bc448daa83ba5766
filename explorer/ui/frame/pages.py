"""The pages, in the order of the menu: one record each."""

from dataclasses import dataclass

from model.words import N_


@dataclass(frozen=True)
class Page:
    """A page: its folder in `explorer/views`, its title, its path in the address, its icon, its menu section.

    It works from a `network`, and from an `image`; the `header` shows what the network predicts for that;
    `explains` a class that the visitor chooses; `named` is one whose first heading is its title.
    """

    folder: str
    title: str
    path: str
    icon: str
    section: str = ""
    network: bool = True
    image: bool = True
    header: bool = True
    explains: bool = True
    named: bool = False

    @property
    def shows_title(self) -> bool:
        """Whether the title is shown above it: the menu names only the section, and no heading does it."""
        return self.section != "" and not self.named

    @property
    def script(self) -> str:
        """Its script beside the app's."""
        return f"views/{self.folder}/page.py"


DATA_SET, TRAINING = N_("Data set"), N_("Training")
EVALUATION, LESSONS = N_("Evaluation"), N_("Lessons")

PAGES = (
    # The first shows image and prediction in its picture.
    Page("network", N_("Network"), "", "account_tree", header=False),
    Page("explain", N_("Explain"), "explain", "target"),
    Page("attributions", N_("Attributions"), "attributions", "fact_check"),
    Page("maps", N_("Feature maps"), "maps", "grid_view"),
    Page("interventions", N_("Interventions"), "interventions", "toggle_off"),
    Page("batchnorm", N_("BatchNorm"), "batchnorm", "equalizer", explains=False),
    Page("compare", N_("Compare"), "compare", "compare"),
    Page("errors", N_("Errors"), "errors", "error", DATA_SET, image=False, named=True),
    Page("channels", N_("Channels of a layer"), "channels", "view_module", DATA_SET, image=False, named=True),
    Page("channel", N_("Channel"), "channel", "biotech", DATA_SET),
    Page(
        "class_evidence",
        N_("Evidence per class"),
        "class_evidence",
        "balance",
        DATA_SET,
        image=False,
        named=True,
    ),
    Page(
        "set_map",
        N_("Map of the test set"),
        "set_map",
        "scatter_plot",
        DATA_SET,
        header=False,
        explains=False,
        named=True,
    ),
    Page("shift", N_("Shifted data"), "shift", "tonality", DATA_SET, header=False, explains=False),
    Page(
        "training",
        N_("Training runs"),
        "training",
        "show_chart",
        TRAINING,
        network=False,
        image=False,
        named=True,
    ),
    # It shows the prediction of the chosen epoch itself.
    Page("time_machine", N_("Time machine"), "time", "history", TRAINING, header=False),
    Page("augmentation", N_("Augmentation"), "augmentation", "auto_awesome_motion", TRAINING, explains=False),
    Page("data_map", N_("Data map"), "data_map", "scatter_plot", TRAINING, network=False, image=False),
    Page(
        "scoreboard",
        N_("Scoreboard"),
        "scoreboard",
        "leaderboard",
        EVALUATION,
        network=False,
        image=False,
        named=True,
    ),
    # It opens networks of its own.
    Page("shortcut", N_("Shortcut"), "shortcut", "alt_route", EVALUATION, header=False, explains=False),
    Page(
        "arithmetic",
        N_("Convolution arithmetic"),
        "arithmetic",
        "calculate",
        LESSONS,
        header=False,
        explains=False,
        named=True,
    ),
    Page(
        "optimizers",
        N_("Optimizers and schedulers"),
        "optimizers",
        "speed",
        LESSONS,
        network=False,
        image=False,
    ),
    Page("dropout", N_("Dropout"), "dropout", "blur_on", LESSONS, explains=False),
    Page("mlp", N_("MLP and CNN"), "mlp", "compare_arrows", LESSONS, header=False, explains=False),
)
START = PAGES[0]
BY_FOLDER = {page.folder: page for page in PAGES}
BY_PATH = {page.path: page for page in PAGES}
