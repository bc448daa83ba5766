"""The graph that ran, against torch.fx's symbolic trace, and networks with a known one."""

from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from explorer.engine.checkup import check_up
from explorer.engine.graph import Failure, Graph, Node, folded, graph
from explorer.engine.outputs import Outputs, give_logits
from explorer.engine.tracing import blocks, trace
from model import torchvision_repair
from model.card import Card
from model.problems import Problem
from tests.engine.odd_networks import ODD

torchvision_repair.repair()
import torchvision.models as models  # noqa: E402  (repaired first)

few = {"num_classes": 5}


def regnet(ratio: float | None) -> nn.Module:
    sizes = models.regnet.BlockParams([1, 2], [16, 32], [8, 8], [2, 2], [1, 1], ratio)
    return models.RegNet(sizes, stem_width=8, **few)


TORCHVISION: dict[str, Callable[[], nn.Module]] = {
    "alexnet": lambda: models.alexnet(**few),
    "vgg11_bn": lambda: models.vgg11_bn(**few),
    "resnet18": lambda: models.resnet18(**few),
    "resnext": lambda: models.ResNet(models.resnet.Bottleneck, [1, 1, 1, 1], 5, groups=8, width_per_group=4),
    "wide_resnet": lambda: models.ResNet(models.resnet.Bottleneck, [1, 1, 1, 1], 5, width_per_group=32),
    "densenet121": lambda: models.densenet121(**few),
    "squeezenet1_0": lambda: models.squeezenet1_0(**few),
    "squeezenet1_1": lambda: models.squeezenet1_1(**few),
    "mobilenet_v2": lambda: models.mobilenet_v2(**few),
    "mobilenet_v3_small": lambda: models.mobilenet_v3_small(**few),
    "mobilenet_v3_large": lambda: models.mobilenet_v3_large(**few),
    "shufflenet_v2_x0_5": lambda: models.shufflenet_v2_x0_5(**few),
    "efficientnet_b0": lambda: models.efficientnet_b0(**few),
    "googlenet": lambda: models.googlenet(init_weights=False, aux_logits=False, **few),
    "inception_v3": lambda: models.inception_v3(init_weights=False, aux_logits=False, **few),
    "mnasnet0_5": lambda: models.mnasnet0_5(**few),
    "regnet_y": lambda: regnet(0.25),
    "regnet_x": lambda: regnet(None),
    "convnext": lambda: models.ConvNeXt(
        [models.convnext.CNBlockConfig(12, 16, 2), models.convnext.CNBlockConfig(16, None, 1)], **few
    ),
    "vit": lambda: models.VisionTransformer(64, 8, 2, 2, 16, 24, **few),
}


def built(name: str) -> nn.Module:
    """A network of torchvision whose weights are whatever lies in memory: no time for drawing them."""
    with torch.device("meta"):
        net = TORCHVISION[name]()
    if name in ("alexnet", "vgg11_bn"):  # otherwise a hundred million weights
        wide = next(index for index, layer in enumerate(net.classifier) if isinstance(layer, nn.Linear))
        net.classifier[wide] = nn.Linear(net.classifier[wide].in_features, 5, device="meta")
        net.classifier = net.classifier[: wide + 1]
    return net.to_empty(device="cpu").eval()


class Leaves(torch.fx.Tracer):
    def is_leaf_module(self, module: nn.Module, _: str) -> bool:
        return not list(module.children()) or isinstance(module, nn.MultiheadAttention)


MOVING = {
    "getitem", "getattr", "size", "view", "reshape", "permute", "transpose", "chunk", "contiguous",
    "unsqueeze", "expand", "dim",
}  # fmt: skip


class Reads(torch.fx.Interpreter):
    """Runs a traced network and writes down each step's name and what it read."""

    def __init__(self, net: nn.Module) -> None:
        self.traced = Leaves().trace(net)
        super().__init__(torch.fx.GraphModule(net, self.traced))
        self.sources: dict[Any, set[str]] = {}
        self.steps: list[tuple[str, set[str]]] = [("", set())]
        self.counts: Counter[str] = Counter()

    def run_node(self, node: Any) -> Any:
        result = super().run_node(node)
        given = set().union(*(self.sources.get(before, set()) for before in node.all_input_nodes))
        if node.op == "placeholder":
            given = {""}
        elif node.op.startswith("call") and given and not self._moves(node, result):
            name = node.target if node.op != "call_function" else node.target.__name__
            name = "flatten" if name in MOVING else name.removeprefix("i") if name == "iadd" else name
            self.counts[name] += 1
            name = name if self.counts[name] == 1 else f"{name}#{self.counts[name]}"
            self.steps.append((name, given))
            given = {name}
        is_tensor = isinstance(result, Tensor | tuple | list) and not isinstance(result, torch.Size)
        self.sources[node] = given if is_tensor else set()
        return result

    def _moves(self, node: Any, result: Any) -> bool:
        name = getattr(node.target, "__name__", node.target)
        if node.op == "call_module" or name not in MOVING:
            return False
        read = self.env[node.args[0]]
        flat = isinstance(result, Tensor) and result.ndim == 2 and isinstance(read, Tensor) and read.ndim == 4
        return not flat


def read_by(whole: Graph) -> list[tuple[str, set[str]]]:
    """Each node's name, with those of the nodes that it reads."""
    return [
        (node.name, {whole.nodes[source].name for source, target in whole.edges if target == index})
        for index, node in enumerate(whole.nodes)
    ]


@pytest.mark.parametrize("name", TORCHVISION)
@pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::UserWarning")
def test_edges_are_those_of_a_symbolic_trace(name: str) -> None:
    net = built(name)
    x = torch.zeros(1, 3, *[80 if name == "inception_v3" else 64] * 2)
    whole = graph(net, x)
    oracle = Reads(net)
    with torch.no_grad():
        oracle.run(x)
    assert read_by(whole) == oracle.steps
    assert whole.failure is None
    leaves = [module for path, module in net.named_modules() if Leaves().is_leaf_module(module, path)]
    learned = sum(p.numel() for p in {p for leaf in leaves for p in leaf.parameters()})
    assert sum(node.parameters for node in whole.nodes) == learned
    small = folded(whole, blocks(net, trace(net, x)))
    assert sum(node.parameters for node in small.nodes) == learned
    assert len(small.nodes) < len(whole.nodes)
    assert all(source < target for source, target in small.edges)
    assert {target for _, target in small.edges} == set(range(1, len(small.nodes)))


def test_the_course_network(course: nn.Module, x: Tensor, untouched: Callable) -> None:
    with untouched(course), torch.inference_mode():
        whole = graph(course, x)
    assert whole.edges == tuple((index, index + 1) for index in range(17))
    assert whole.nodes[:3] == (
        Node("", "image", (3, 32, 32), 0, None),
        Node("conv1", "conv", (32, 32, 32), 896, 0),
        Node("bn1", "norm", (32, 32, 32), 64, 0),
    )
    assert [(node.name, node.kind, node.shape) for node in whole.nodes[12:]] == [
        ("pool3", "pool", (128, 4, 4)),
        ("flatten", "flatten", (2048,)),
        ("fc1", "dense", (512,)),
        ("relu_fc", "act", (512,)),
        ("dropout", "dropout", (512,)),
        ("fc2", "dense", (10,)),
    ]
    assert sum(node.parameters for node in whole.nodes) == 1_147_914


def test_blocks_fold_and_unfold(course: nn.Module, x: Tensor) -> None:
    whole, known = graph(course, x), blocks(course, trace(course, x))
    small = folded(whole, known)
    assert [node.name for node in small.nodes[:5]] == ["", "conv1", "conv2", "conv3", "flatten"]
    assert small.nodes[2] == Node("conv2", "block", (64, 8, 8), 18624, 1)
    assert small.edges == tuple((index, index + 1) for index in range(8))
    one = folded(whole, known, unfolded=[1])
    assert [node.name for node in one.nodes[1:7]] == ["conv1", "conv2", "bn2", "relu2", "pool2", "conv3"]
    assert folded(whole, known, unfolded=range(3)).nodes == whole.nodes


@pytest.mark.parametrize("name", [name for name in ODD if name not in ("Compiled", "ReturnsNothing")])
def test_layers_and_blocks_are_those_of_the_trace(name: str) -> None:
    torch.manual_seed(0)
    net, x = ODD[name]().eval(), torch.randn(1, 3, 32, 32)
    seen, whole = trace(net, x), graph(net, x)
    assert whole.failure is None
    shapes = {node.name: node.shape for node in whole.nodes}
    assert {layer: shapes[layer] for layer in seen.shapes} == seen.shapes
    index = {node.name: node.block for node in whole.nodes}
    for number, block in enumerate(blocks(net, seen)):
        assert {index[layer] for layer in (block.conv, block.norm, block.act, block.pool) if layer} == {
            number
        }
    assert {target for _, target in whole.edges} == set(range(1, len(whole.nodes)))


def test_in_place_and_reused_layers(tricky: nn.Module, x: Tensor) -> None:
    reads = dict(read_by(graph(tricky, x)))
    assert reads["add"] == {"bn2", "down.1"}
    assert reads["relu#2"] == {"add"}
    assert reads["torch.relu"] == {"conv3"}
    assert reads["pool"] == {"torch.relu"}
    assert reads["fc"] == {"mean"}


class Written(nn.Module):
    """Values that go through a shortcut of its own, through slices that are written, and a function twice."""

    def __init__(self) -> None:
        super().__init__()
        self.shortcut, self.conv, self.other = nn.Identity(), nn.Conv2d(3, 4, 1), nn.Conv2d(3, 4, 1)
        self.head = nn.Linear(4, 5)

    def forward(self, x: Tensor) -> Tensor:
        kept = self.shortcut(x)
        maps, other = self.conv(x), self.other(kept)
        buffer = torch.zeros_like(maps)
        buffer[:, :2] = maps[:, :2]
        view = buffer[:, 2:]
        view.add_(other[:, 2:])
        gone = F.relu(buffer, inplace=True)
        x = torch.cat([gone.mean((2, 3)), 2 * buffer.amax((2, 3))], 1)
        return self.head(x[:, :4] + x[:, 4:])


def test_edges_follow_what_is_written_and_what_is_handed_on() -> None:
    whole = graph(Written().eval(), torch.randn(1, 3, 8, 8))
    assert read_by(whole) == [
        ("", set()), ("shortcut", {""}), ("conv", {""}), ("other", {"shortcut"}), ("add", {"conv", "other"}),
        ("relu", {"conv", "add"}), ("mean", {"relu"}), ("amax", {"relu"}), ("mul", {"amax"}),
        ("cat", {"mean", "mul"}), ("add#2", {"cat"}), ("head", {"add#2"}),
    ]  # fmt: skip
    kinds = {node.name: node.kind for node in whole.nodes}
    assert [kinds[name] for name in ("relu", "mean", "mul", "cat", "add#2")] == [
        "act", "pool", "multiply", "concat", "add",
    ]  # fmt: skip


def test_a_function_of_a_name_that_a_module_has() -> None:
    class Named(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.add, self.flatten = nn.Conv2d(3, 3, 1), nn.Flatten()

        def forward(self, x: Tensor) -> Tensor:
            return self.flatten(self.add(x) + x)

    whole = graph(Named().eval(), torch.randn(1, 3, 2, 2))
    assert [node.name for node in whole.nodes] == ["", "add", "torch.add", "flatten"]


def test_layers_of_ones_own_are_what_they_compute() -> None:
    class Flat(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x.view(x.size(0), -1)

    class Sum(nn.Module):
        def forward(self, tensors: list[Tensor]) -> Tensor:
            return tensors[0] + tensors[1]

    class Own(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv, self.sum, self.flat, self.fc = nn.Conv2d(3, 3, 1), Sum(), Flat(), nn.Linear(12, 5)

        def forward(self, x: Tensor) -> Tensor:
            return self.fc(self.flat(self.sum([self.conv(x), x])))

    whole = graph(Own().eval(), torch.randn(1, 3, 2, 2))
    assert [node.kind for node in whole.nodes] == ["image", "conv", "add", "flatten", "dense"]
    assert read_by(whole)[2] == ("sum", {"", "conv"})


def test_a_part_in_torchscript_is_one_node() -> None:
    program = torch.jit.script(nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU()))
    body = nn.Sequential(nn.Conv2d(3, 3, 1), program, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 5))
    whole = graph(body.eval(), torch.randn(1, 3, 8, 8))
    assert whole.nodes[2] == Node("1", "other", (4, 6, 6), 112, None)
    assert whole.edges == tuple((index, index + 1) for index in range(5))


def test_a_final_softmax_hands_on_logits(course: nn.Module, x: Tensor) -> None:
    net = give_logits(nn.Sequential(course, nn.Softmax(1)).eval(), Outputs("probabilities", activation="1"))
    assert [node.name for node in graph(net, x).nodes[-2:]] == ["0.fc2", "1"]


# Where a pass stops


def test_a_shape_error_ends_the_graph(course: nn.Module, untouched: Callable) -> None:
    with untouched(course):
        whole = graph(course, torch.zeros(1, 3, 48, 48))
    assert whole.nodes[-2:] == (
        Node("flatten", "flatten", (4608,), 0, None),
        Node("fc1", "dense", (), 1_049_088, None),
    )
    assert whole.edges[-1] == (13, 14)
    assert whole.failure == Failure(
        "fc1", "RuntimeError: mat1 and mat2 shapes cannot be multiplied (1x4608 and 2048x512)"
    )
    small = folded(whole, blocks(course, trace(course, torch.zeros(1, 3, 32, 32))))
    assert [node.name for node in small.nodes] == ["", "conv1", "conv2", "conv3", "flatten", "fc1"]
    assert small.failure == whole.failure


def test_the_first_layer_can_stop_and_a_function_and_code_between_them(course: nn.Module) -> None:
    whole = graph(course, torch.zeros(1, 1, 32, 32))
    assert [node.name for node in whole.nodes] == ["", "conv1"]
    assert whole.failure is not None
    assert "3 channels" in whole.failure.message

    class Joined(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.one, self.other = nn.Conv2d(3, 4, 3), nn.Conv2d(3, 4, 1)

        def forward(self, x: Tensor) -> Tensor:
            if x.shape[2] < 4:
                self.other(x)
                raise Problem("It is too small.")
            return torch.cat([self.one(x), self.other(x)], 1)

    whole = graph(Joined().eval(), torch.zeros(1, 3, 8, 8))
    assert read_by(whole)[-1] == ("cat", {"one", "other"})
    assert (whole.failure and whole.failure.node, whole.nodes[-1].shape) == ("cat", ())
    whole = graph(Joined().eval(), torch.zeros(1, 3, 2, 2))
    assert whole.failure == Failure("other", "Problem: It is too small")


class Pruned(nn.Module):
    """Tokens on a grid, of which only some go on; then the others, without the class token."""

    def __init__(self) -> None:
        super().__init__()
        self.patches, self.norm, self.head = nn.Conv2d(3, 4, 8, 8), nn.LayerNorm(4), nn.Linear(4, 5)

    def forward(self, x: Tensor) -> Tensor:
        tokens = self.norm(self.patches(x).flatten(2).transpose(1, 2))
        some = F.relu(tokens[:, :7]) + tokens[:, 9:].chunk(1)[0]
        return self.head((some - tokens[:, 1:8]).mean(1))


def test_a_part_of_the_tokens_has_no_positions(x: Tensor) -> None:
    whole = graph(Pruned().eval(), x)
    assert {each.name: each.shape for each in whole.nodes} == {
        "": (3, 32, 32), "patches": (4, 4, 4), "flatten": (4, 16), "norm": (4, 4, 4),
        "relu": (7, 4), "add": (7, 4), "sub": (7, 4), "mean": (4,), "head": (5,),
    }  # fmt: skip


def test_more_than_one_image_is_refused(course: nn.Module, x: Tensor) -> None:
    with pytest.raises(ValueError, match=r"\(1, C, h, w\)"):
        graph(course, torch.cat([x, x]))


# Folding


def node(name: str, block: int | None) -> Node:
    return Node(name, "other", (1,), 1, block)


def test_a_block_that_another_runs_through_is_folded_up_to_there(course: nn.Module, x: Tensor) -> None:
    known = blocks(course, trace(course, x))
    nodes = (node("", None), node("a", 0), node("b", 0), node("c", 1), node("d", 0))
    whole = Graph(nodes, ((0, 1), (1, 2), (2, 3), (2, 4), (3, 4)))
    small = folded(whole, known)
    assert [each.name for each in small.nodes] == ["", "conv1", "conv2", "d"]
    assert small.edges == ((0, 1), (1, 2), (1, 3), (2, 3))


def test_two_blocks_that_cross_are_not_both_folded(course: nn.Module, x: Tensor) -> None:
    known = blocks(course, trace(course, x))
    nodes = (node("", None), node("a", 0), node("b", 1), node("c", 1), node("d", 0))
    whole = Graph(nodes, ((0, 1), (0, 2), (1, 3), (2, 4)))  # a → c and b → d
    small = folded(whole, known)
    assert [each.name for each in small.nodes] == ["", "b", "conv1", "c"]
    assert small.edges == ((0, 1), (0, 2), (1, 2), (2, 3))


def test_a_module_may_have_a_name_with_the_sign_of_a_second_call() -> None:
    class Signs(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.steps = nn.ModuleDict({"C#": nn.Conv2d(3, 4, 3), "#2": nn.ReLU()})
            self.head, self.last = nn.Linear(4, 5), nn.Softmax(1)

        def forward(self, x: Tensor) -> Tensor:
            maps = self.steps["#2"](self.steps["#2"](self.steps["C#"](x)))
            return self.last(self.head(maps.mean((2, 3))))

    net, x = Signs().eval(), torch.randn(1, 3, 8, 8)
    assert list(trace(net, x).maps) == ["steps.C#", "steps.#2", "steps.#2#2"]
    assert [each.kind for each in graph(net, x).nodes][1:4] == ["conv", "act", "act"]
    card = Card(net="signs", classes=tuple("abcde"), mean=(0.5,) * 3, std=(0.2,) * 3, input_size=8)
    assert check_up(net, card).outputs.activation == "last"
