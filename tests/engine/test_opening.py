"""Any network of one's own: what opens, and what is said of what does not."""

import sys
import time
from pathlib import Path

import pytest
import torch
from torch import nn

from explorer.engine.network_source import IMAGENET_MEAN, Source
from explorer.engine.opening import build, logits_of, open_checkpoint, open_source
from explorer.engine.tracing import trace
from model.builders import load_builder
from model.card import Card
from model.checkpoint import save_checkpoint
from model.nets import NETS
from model.problems import Problem

NETWORKS = """
import sys
import torch
from torch import nn

class Net(nn.Sequential):
    def __init__(self, num_classes=3):
        super().__init__(nn.Conv2d(3, 4, 3), nn.ReLU(inplace=True), nn.AdaptiveAvgPool2d(1), nn.Flatten(),
                         nn.Linear(4, num_classes))

def lazy():
    return nn.Sequential(nn.LazyConv2d(4, 3), nn.Flatten(), nn.LazyLinear(3)).half()

def pair():
    class Two(Net):
        def forward(self, x):
            return super().forward(x), super().forward(x) + 1
    return Two()

def maps():
    return nn.Conv2d(3, 4, 3)

def small():
    return nn.Sequential(nn.Conv2d(3, 2, 3), nn.Flatten(), nn.Linear(2 * 6 * 6, 3))

def any_way(**settings):
    return Net(**settings)

def takes_none(depth=1, **settings):
    if "num_classes" in settings:
        raise TypeError("Net() got an unexpected keyword argument 'num_classes'")
    return Net()

def n_classes(n_classes=3):
    return Net(n_classes)

def needs(n_classes):
    return Net(n_classes)

def fails():
    raise RuntimeError("no weights here.\\nmore")

nothing = lambda: None
made = Net()
"""


@pytest.fixture
def networks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder in which a module `own_networks` lies: where the person stands, not on Python's path."""
    (tmp_path / "own_networks.py").write_text(NETWORKS)
    (tmp_path / "own_broken.py").write_text("import own_missing")
    (tmp_path / "own_exits.py").write_text("raise SystemExit(3)")
    (tmp_path / "own_marker.py").write_text("import own_networks; raise RuntimeError('imported')")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    for name in ("own_networks", "own_broken", "own_exits", "own_marker"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    return tmp_path


@pytest.mark.usefixtures("networks")
def test_a_builder_alone_opens_with_the_same_random_weights_every_time() -> None:
    load_builder("own_networks:Net")  # importing is the module's own business
    torch.manual_seed(5)
    undisturbed = torch.rand(1)
    torch.manual_seed(5)
    source = Source(net="own_networks:Net", input_size=20)
    one, two = open_checkpoint(source), open_checkpoint(source)
    assert one.digest == two.digest
    assert one.card.classes == ("class 0", "class 1", "class 2")
    assert (one.card.net, one.card.input_size, one.card.mean) == ("own_networks:Net", 20, IMAGENET_MEAN)
    net = one.build()
    assert not net.training
    x = torch.ones(1, 3, 20, 20)
    assert trace(net, x) == trace(two.build(), x)
    assert torch.equal(torch.rand(1), undisturbed)


@pytest.mark.usefixtures("networks")
def test_keyword_arguments_reach_the_builder() -> None:
    opened = open_checkpoint(
        Source(net="own_networks:Net(num_classes=5)", classes="a,b, c,d,e", input_size=9)
    )
    assert opened.card.classes == ("a", "b", "c", "d", "e")


@pytest.mark.usefixtures("networks")
def test_a_lazy_network_in_half_precision_opens_in_float32() -> None:
    net = open_checkpoint(Source(net="own_networks:lazy", input_size=8)).build()
    assert {value.dtype for value in net.state_dict().values()} == {torch.float32}


def test_a_state_dict_is_loaded_into_what_the_builder_makes(networks: Path) -> None:
    sys.path.append(str(networks))
    net = load_builder("own_networks:Net")()
    assert isinstance(net, nn.Module)
    torch.save(net.state_dict(), networks / "own.pt")
    mean, std = (0.1, 0.2, 0.3), (0.5, 0.5, 0.5)
    source = Source(networks / "own.pt", "own_networks:Net", "x,y,z", 16, mean, std)
    opened = open_checkpoint(source)
    assert (opened.card.classes, opened.card.mean, opened.card.std) == (("x", "y", "z"), mean, std)
    built = opened.build().state_dict()
    assert all(torch.equal(value, built[name]) for name, value in net.state_dict().items())


@pytest.mark.parametrize("spec", ["own_networks:Net", "own_networks:any_way", "own_networks:n_classes"])
def test_classes_decide_what_a_builder_is_asked_for(networks: Path, spec: str) -> None:
    sys.path.append(str(networks))
    net = load_builder("own_networks:Net(num_classes=4)")()
    assert isinstance(net, nn.Module)
    torch.save({"epoch": 3, "state_dict": net.state_dict()}, networks / "own.pth.tar")
    opened = open_checkpoint(Source(networks / "own.pth.tar", spec, "a,b,c,d", 16))
    assert opened.card.classes == ("a", "b", "c", "d")
    assert torch.equal(opened.build().state_dict()["4.weight"], net.state_dict()["4.weight"])
    with pytest.raises(Problem, match=r"has 4 classes, but its network is built with 3; give --classes 4"):
        open_checkpoint(Source(networks / "own.pth.tar", "own_networks:Net", input_size=16))


@pytest.mark.usefixtures("networks")
def test_a_builder_that_does_not_take_the_number_is_called_without_it() -> None:
    assert len(open_checkpoint(Source(net="own_networks:takes_none", input_size=16)).card.classes) == 3
    opened = open_checkpoint(Source(net="own_networks:takes_none", classes="a,b,c", input_size=16))
    assert opened.card.classes == ("a", "b", "c")


@pytest.mark.usefixtures("networks")
def test_a_builder_that_must_have_the_number_says_so() -> None:
    with pytest.raises(Problem, match=r"needs the number of classes \(n_classes\); give --classes\."):
        open_checkpoint(Source(net="own_networks:needs", input_size=16))
    assert open_checkpoint(Source(net="own_networks:needs", classes="4", input_size=16)).card.classes


def test_the_classes_given_go_before_those_of_a_files_card(networks: Path) -> None:
    sys.path.append(str(networks))
    net = load_builder("own_networks:Net")()
    assert isinstance(net, nn.Module)
    save_checkpoint(networks / "own.safetensors", Card(classes=("u", "v"), input_size=12), net.state_dict())
    opened = open_checkpoint(Source(networks / "own.safetensors", "own_networks:Net", "x,y,z"))
    assert opened.card.classes == ("x", "y", "z")


def test_one_of_several_weights_is_chosen(networks: Path) -> None:
    sys.path.append(str(networks))
    nets = [load_builder("own_networks:Net")() for _ in range(2)]
    states = [net.state_dict() for net in nets if isinstance(net, nn.Module)]
    torch.save({"model": states[0], "ema": states[1]}, networks / "own.ckpt")
    for weights, state in ((None, states[1]), ("ema", states[1]), ("model", states[0])):
        opened = open_checkpoint(
            Source(networks / "own.ckpt", "own_networks:Net", input_size=16, weights=weights)
        )
        assert torch.equal(opened.state["0.weight"], state["0.weight"])
        assert len(opened.changes.others) == 1


def test_a_files_card_stays_unless_options_say_otherwise(networks: Path) -> None:
    net = load_builder("own_networks:Net")()
    assert isinstance(net, nn.Module)
    card = Card(net="own_marker:Net", classes=("u", "v", "w"), input_size=12, mean=(0.4, 0.4, 0.4))
    save_checkpoint(networks / "own.safetensors", card, net.state_dict())
    source = Source(networks / "own.safetensors", "own_networks:Net", std=(0.3, 0.3, 0.3))
    opened = open_checkpoint(source)
    assert (opened.card.classes, opened.card.input_size) == (("u", "v", "w"), 12)
    assert (opened.card.mean, opened.card.std) == ((0.4, 0.4, 0.4), (0.3, 0.3, 0.3))
    assert opened.card.net == "own_networks:Net"


def test_a_card_that_names_a_module_imports_nothing(networks: Path) -> None:
    card = Card(net="own_marker:Net", classes=("u", "v", "w"))
    save_checkpoint(networks / "own.safetensors", card, NETS["course"](classes=3).state_dict())
    with pytest.raises(Problem, match="own_marker:Net"):
        open_checkpoint(Source(networks / "own.safetensors"))
    assert "own_marker" not in sys.modules


def test_a_state_dict_of_the_course_cnn_takes_names_of_its_own(tmp_path: Path) -> None:
    torch.save(NETS["course"](classes=3).state_dict(), tmp_path / "course.pt")
    opened = open_checkpoint(Source(tmp_path / "course.pt", classes="red,green,blue"))
    assert opened.card.classes == ("red", "green", "blue")


@pytest.mark.usefixtures("networks")
@pytest.mark.parametrize(
    ("source", "said"),
    [
        (Source(), "nothing|no network to open"),
        (Source(net="resnet18"), "package.module:builder"),
        (Source(net="os:system('true')"), "must be plain values by keyword"),
        (Source(net="own_networks:Net(num_classes=made)"), "must be plain values by keyword"),
        (Source(net="own_nowhere:Net"), "no module “own_nowhere”"),
        (Source(net="own_networks.deeper:Net"), "no module “own_networks.deeper”|cannot be imported"),
        (Source(net="own_broken:Net"), "own_broken cannot be imported .*own_missing"),
        (Source(net="own_exits:Net"), "own_exits cannot be imported"),
        (Source(net="own_networks:Nit"), "has no “Nit”"),
        (Source(net="own_networks:made"), "is a Net"),
        (Source(net="own_networks:sys"), "is a module"),
        (Source(net="own_networks:nothing"), "returns a NoneType"),
        (Source(net="own_networks:fails"), "RuntimeError: no weights here[^.]"),
        (Source(net="own_networks:Net(depth=3)"), "TypeError"),
        (Source(net="own_networks:pair"), "“0” \\(1, 3\\), “1” \\(1, 3\\).* --output-name 0"),
        (Source(net="own_networks:pair", output_name="2"), "no logits \\(N, K\\) named “2”"),
        (
            Source(net="own_networks:Net", output_name="logits"),
            "only, which has no name: leave --output-name out",
        ),
        (
            Source(net="own_networks:maps"),
            "must return logits .* but returns \\(1, 4, 222, 222\\)",
        ),
        (Source(net="own_networks:Net", channels=1), "cannot process an image .*channels: 1"),
        (Source(net="own_networks:Net", output="sigmoid"), "are not probabilities"),
        (Source(net="own_networks:small"), "cannot process an image of 224 × 224"),
        (Source(net="own_networks:Net(num_classes=3)", classes="4"), "3 logits, but 4 classes are named"),
        (Source(net="own_networks:Net", classes="a,b,a"), "“a” is used twice"),
        (Source(net="own_networks:Net", classes="names.txt"), "not a list of classes"),
        (Source(net="own_networks:Net", classes="folder/names"), "not a list of classes"),
        (Source(net="own_networks:Net", classes=","), "not a list of classes"),
        (
            Source(net="own_networks:Net(num_classes=3)", classes="dog"),
            "3 logits, but only one .* “dog”; give",
        ),
        (Source(Path("none.pt"), "own_networks:Net"), "no checkpoint at none.pt"),
    ],
    ids=str,
)
def test_what_cannot_be_opened_is_one_sentence(source: Source, said: str) -> None:
    with pytest.raises(Problem, match=said) as caught:
        open_checkpoint(source)
    assert "\n" not in str(caught.value)
    assert str(caught.value).endswith(".")


def test_weights_of_another_network_are_one_sentence(networks: Path) -> None:
    torch.save(nn.Conv2d(3, 4, 3).state_dict(), networks / "other.pt")
    with pytest.raises(Problem, match="does not fit"):
        open_checkpoint(Source(networks / "other.pt", "own_networks:Net", input_size=16))


def test_another_input_size_than_the_weights_fit_is_one_sentence(tmp_path: Path) -> None:
    torch.save(NETS["course"]().state_dict(), tmp_path / "course.pt")
    with pytest.raises(Problem, match="fc1"):
        open_checkpoint(Source(tmp_path / "course.pt", input_size=64))


@pytest.mark.usefixtures("networks")
@pytest.mark.parametrize("spec", ["own_networks:Net", "own_networks:Net(num_classes=1)"])
def test_one_name_is_that_of_the_only_output(spec: str, networks: Path) -> None:
    opened = open_source(Source(net=spec, classes="dog", input_size=16))
    assert opened.checkpoint.card.classes == ("not dog", "dog")
    net = opened.checkpoint.build()
    assert net(torch.zeros(1, 3, 16, 16)).shape == (1, 2)
    torch.save(build(spec, asked={"num_classes": 1}).state_dict(), networks / "single.pt")
    names = open_source(Source(networks / "single.pt", spec, "dog", 16)).checkpoint.card.classes
    assert names == ("not dog", "dog")


# Bounds


def test_feature_maps_of_many_gigabytes_are_not_made(tmp_path: Path) -> None:
    net = NETS["resnet9"](input_size=4096)
    card = Card(net="resnet9", input_size=4096)
    save_checkpoint(tmp_path / "a.safetensors", card, net.state_dict())
    started = time.process_time()
    with pytest.raises(Problem, match="4096 pixels take 33"):
        open_checkpoint(Source(tmp_path / "a.safetensors"))
    assert time.process_time() - started < 30


def test_counting_logits_leaves_a_builders_network_as_it_was() -> None:
    class Counts(nn.Sequential):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            self.get_buffer("calls").add_(1)
            return super().forward(x)

    net = Counts(nn.Conv2d(3, 2, 1), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    net.register_buffer("calls", torch.zeros(()))
    assert logits_of(net, 8) == 2
    assert net.get_buffer("calls") == 0
