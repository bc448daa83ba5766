"""Every form in which people keep weights gives the digest of the plain file and says what was done."""

import argparse
import collections
import copy
import datetime
import io
import pathlib
import pickle
import sys
import types
import zipfile

import numpy as np
import pytest
import torch
from safetensors.torch import save as to_safetensors
from torch import nn
from torch.nn.utils import prune

from model.card import Card
from model.checkpoint import digest_of, load_checkpoint, save_checkpoint
from model.nets import CourseCNN
from model.problems import Problem
from tests.model.saved_files import DIGEST, NET, SMALL, STATE, course, legacy, loaded, prefixed, zipped

OTHER = course(1)
COUNTERS = [name for name in STATE if name.endswith("num_batches_tracked")]


# The file


@pytest.mark.parametrize("saved", [zipped, legacy, to_safetensors], ids=["zip", "legacy", "safetensors"])
@pytest.mark.parametrize(
    "name",
    [
        *("a.pt", "a.pth", "a.bin", "a.ckpt", "a.tar", "a.pth.tar", "a.pkl", "a.t7", "a.th", "a.model"),
        *("a.weights", "A.PT", "A.PTH", "A.SAFETENSORS", "a.safetensors", "a", "a.txt", "a.zip", "epoch=3"),
    ],
)
def test_the_first_bytes_decide_not_the_suffix(tmp_path, saved, name):
    checkpoint = loaded(tmp_path, saved(STATE), name)
    assert checkpoint.digest == DIGEST
    assert checkpoint.changes.sentences() == ()


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_plain_pickles_of_every_protocol(tmp_path, protocol):
    assert loaded(tmp_path, pickle.dumps(STATE, protocol), "a.pkl").digest == DIGEST
    arrays = {name: value.numpy() for name, value in STATE.items()}
    assert loaded(tmp_path, pickle.dumps(arrays, protocol), "b.pkl").digest == DIGEST


def test_names_as_bytes_and_the_items_of_a_dict(tmp_path):
    arrays = {name.encode(): value.numpy() for name, value in STATE.items()}
    assert loaded(tmp_path, pickle.dumps(arrays), "a.pkl").digest == DIGEST
    for number, items in enumerate((list(STATE.items()), [list(item) for item in STATE.items()])):
        assert loaded(tmp_path, zipped({"model": items}), f"{number}.pt").digest == DIGEST


@pytest.mark.parametrize("new", [True, False])
@pytest.mark.parametrize("protocol", range(2, pickle.HIGHEST_PROTOCOL + 1))
def test_files_of_torch_of_every_protocol(tmp_path, protocol, new):
    torch.save(STATE, tmp_path / "a", pickle_protocol=protocol, _use_new_zipfile_serialization=new)
    assert load_checkpoint(tmp_path / "a").digest == DIGEST


def test_other_layouts_in_memory_and_shared_storages(tmp_path):
    state = dict(STATE)
    state["conv2.weight"] = state["conv2.weight"].to(memory_format=torch.channels_last)
    whole = torch.zeros(100)
    state["fc1.bias"], whole[7:23:2] = whole[7:23:2], state["fc1.bias"]
    state["fc1.weight"] = state["fc1.weight"].T.contiguous().T
    for saved in (zipped, legacy):
        assert loaded(tmp_path, saved(state)).digest == DIGEST


def test_parameters_buffers_and_tensors_with_attributes(tmp_path):
    state = {
        name: nn.Parameter(value) if value.is_floating_point() else value for name, value in STATE.items()
    }
    state["conv1.bias"].author = "someone"
    ordered = collections.OrderedDict(state)
    ordered._metadata = {"": {"version": 1}}
    for saved in (zipped, legacy):
        assert loaded(tmp_path, saved(ordered)).digest == DIGEST


def test_newer_kinds_of_numbers(tmp_path):
    """Their storages are untyped: the tensor says what they are."""
    net = nn.Sequential(nn.Conv2d(3, 2, 1), nn.Flatten())
    state = {name: value.to(torch.float8_e4m3fn) for name, value in net.state_dict().items()}
    expected = {name: value.float() for name, value in state.items()}
    card = Card(classes=("a", "b"))
    checkpoint = loaded(tmp_path, zipped(state), builder=lambda: copy.deepcopy(net), card=card)
    assert checkpoint.digest == digest_of(expected)
    assert checkpoint.changes.converted == ("float8_e4m3fn",)


def test_other_byte_order(tmp_path):
    with zipfile.ZipFile(io.BytesIO(zipped(STATE))) as old:
        entries = {name: old.read(name) for name in old.namelist()}
    made = io.BytesIO()
    sizes = {name.rsplit("/", 1)[1]: 8 if value.dtype == torch.int64 else 4 for name, value in zip(
        [f"data/{k}" for k in range(len(STATE))], STATE.values(), strict=True)}  # fmt: skip
    with zipfile.ZipFile(made, "w") as new:
        for name, data in entries.items():
            if name.endswith("byteorder"):
                data = b"big"
            elif "/data/" in name:
                data = np.frombuffer(data, f"u{sizes[name.rsplit('/', 1)[1]]}").byteswap().tobytes()
            new.writestr(name, data)
    assert loaded(tmp_path, made.getvalue()).digest == DIGEST


# Where the weights are in it


KEYS = ["state_dict", "model", "model_state_dict", "net", "network", "weights", "params", "generator", "G",
        "model_state", "module", "state", "best_model"]  # fmt: skip


@pytest.mark.parametrize("key", KEYS)
@pytest.mark.parametrize("saved", [zipped, legacy], ids=["zip", "legacy"])
def test_nested_with_a_runs_own_entries_beside(tmp_path, key, saved):
    value = {
        "epoch": 3,
        key: STATE,
        "optimizer": {"state": {0: {"exp_avg": torch.zeros(4, 3, 3, 3)}}, "param_groups": [{"lr": 0.1}]},
        "loss": torch.tensor(0.5),
        "hyper_parameters": {"lr": 0.1},
    }
    checkpoint = loaded(tmp_path, saved(value))
    assert checkpoint.digest == DIGEST
    assert checkpoint.changes.prefix == key
    assert set(checkpoint.changes.unused) == {"optimizer", "loss"}


@pytest.mark.parametrize(
    "prefixes",
    [
        *(("module",), ("_orig_mod",), ("model",), ("net",), ("backbone",), ("encoder", "trunk")),
        *(("module", "_orig_mod"), ("_orig_mod", "module"), ("model", "module", "net"), ("my.own",)),
    ],
)
def test_common_prefixes_also_nested(tmp_path, prefixes):
    for value, place in ((prefixed(*prefixes), ()), ({"state_dict": prefixed(*prefixes)}, ("state_dict",))):
        checkpoint = loaded(tmp_path, zipped(value))
        assert checkpoint.digest == DIGEST
        assert checkpoint.changes.prefix == ".".join((*place, *prefixes))


def test_wrappers_in_the_middle_of_names(tmp_path):
    state = {".".join((*name.rsplit(".", 1)[:1], "_orig_mod", name.rsplit(".", 1)[1])): value
             for name, value in STATE.items()}  # fmt: skip
    checkpoint = loaded(tmp_path, zipped({"state_dict": state}))
    assert checkpoint.digest == DIGEST
    assert checkpoint.changes.renamed == len(STATE)


# EMA


RAW = dict(OTHER.state_dict())
EMA_FILES = {
    "timm": lambda ema: {"state_dict": RAW, "state_dict_ema": ema},
    "yolo": lambda ema: {"model": RAW, "ema": ema, "updates": 7},
    "both with a prefix": lambda ema: {
        "ema": prefixed("model", state=ema),
        "state_dict": prefixed("model", state=RAW),
    },
    "nested": lambda ema: {"model": RAW, "callbacks": {"EMA": {"ema_state": ema}}},
    "prefix": lambda ema: {**prefixed("model", state=RAW), **prefixed("ema_model", state=ema)},
    "first": lambda ema: {"model_ema": ema, "model": RAW},
    "swa": lambda ema: {
        "net": RAW,
        "swa": {"n_averaged": torch.tensor(3), **prefixed("module", state=ema)},
    },
}


@pytest.mark.parametrize("name", EMA_FILES)
def test_the_average_is_taken_unless_the_other_is_asked_for(tmp_path, name):
    data = zipped(EMA_FILES[name](STATE))
    checkpoint = loaded(tmp_path, data)
    assert checkpoint.digest == DIGEST
    assert len(checkpoint.changes.others) == 1
    assert any("averaged weights" in each for each in checkpoint.changes.sentences())
    other = loaded(tmp_path, data, weights="model")
    assert other.digest == digest_of(RAW)
    assert other.changes.others == (checkpoint.changes.prefix,)
    assert loaded(tmp_path, data, weights="ema").digest == DIGEST
    assert loaded(tmp_path, data, weights=checkpoint.changes.prefix).digest == DIGEST
    assert loaded(tmp_path, data, weights=other.changes.prefix).digest == other.digest


def test_weights_that_are_not_there_are_named(tmp_path):
    data = zipped({"model": STATE, "model_ema": RAW})
    with pytest.raises(Problem, match=r"no weights “student”.*“model”"):
        loaded(tmp_path, data, weights="student")
    for value, place in ((STATE, "the top of the file"), ({"net": STATE}, "“net”")):
        with pytest.raises(Problem, match=rf"no weights “ema”.* only one set \({place}\); leave"):
            loaded(tmp_path, zipped(value), weights="ema")


SEVERAL = {
    "gradients": lambda right, wrong: {"model": right, "grads": wrong},
    "momentum": lambda right, wrong: {"weights": right, "momentum_buffer": wrong},
    "first": lambda right, wrong: {"state_dict": right, "init_state_dict": wrong},
    "best": lambda right, wrong: {"best_state_dict": right, "state_dict": wrong},
    "earlier": lambda right, wrong: {"state_dict": right, "snapshots": [wrong] * 20},
    "mask": lambda right, wrong: {"state_dict": right, "mask": wrong},
    "fisher": lambda right, wrong: {"model": right, "fisher": wrong},
    "adam": lambda right, wrong: {"model": right, "optimizer": {"exp_avg": wrong, "exp_avg_sq": wrong}},
    "adam of an average": lambda right, wrong: {"model": right, "optimizer": {"ema": wrong}},
    "moco": lambda right, wrong: {
        "state_dict": {
            **prefixed("module", "encoder_q", state=right),
            **prefixed("module", "encoder_k", state=wrong),
        }
    },
    "teacher at the top": lambda right, wrong: {**right, **prefixed("teacher", state=wrong)},
    "average": lambda right, wrong: {"params_ema": right, "params": wrong, "best": wrong},
}


@pytest.mark.parametrize("name", SEVERAL)
def test_the_order_in_the_file_decides_nothing(tmp_path, name):
    def copied(state=RAW):
        return {key: value.clone() for key, value in state.items()}

    value = SEVERAL[name](STATE, copied())
    for each in (value, dict(reversed(value.items()))):
        checkpoint = loaded(tmp_path, zipped(each))
        assert checkpoint.digest == DIGEST
        assert checkpoint.changes.rivals == ()
        assert any("averaged" in text for text in checkpoint.changes.sentences()) == (name == "average")


def test_what_no_name_decides_is_said(tmp_path):
    for value in ({"a": STATE, "b": RAW}, {"b": RAW, "a": STATE}):
        checkpoint = loaded(tmp_path, zipped({"state_dict": value}))
        assert (checkpoint.changes.prefix, checkpoint.digest) == ("state_dict.a", DIGEST)
        assert "`state_dict.b` would fit as well" in " ".join(checkpoint.changes.sentences())
        asked = loaded(tmp_path, zipped({"state_dict": value}), weights="state_dict.b")
        assert asked.changes.rivals == ()


def test_what_is_no_networks_is_taken_only_if_asked_for(tmp_path):
    data = zipped({"grads": STATE})
    with pytest.raises(Problem, match="give --weights grads to use them"):
        loaded(tmp_path, data)
    assert loaded(tmp_path, data, weights="grads").digest == DIGEST


def test_an_average_of_another_shape_is_passed_over(tmp_path):
    ema = {name: value for name, value in STATE.items() if "running" not in name}
    assert loaded(tmp_path, zipped({"model": STATE, "ema": ema})).digest == DIGEST


# Counters and kinds of numbers


@pytest.mark.parametrize("dtype", [torch.float32, torch.int32, torch.float64, torch.int64])
@pytest.mark.parametrize("shape", [(), (1,)])
def test_counters_of_any_kind(tmp_path, dtype, shape):
    state = {
        name: value.to(dtype).reshape(shape) if name in COUNTERS else value for name, value in STATE.items()
    }
    assert loaded(tmp_path, zipped(state)).digest == DIGEST


def test_missing_counters_are_zero(tmp_path):
    state = {name: value for name, value in STATE.items() if name not in COUNTERS}
    for data in (zipped(state), to_safetensors(state)):
        checkpoint = loaded(tmp_path, data)
        assert checkpoint.digest == DIGEST
        assert checkpoint.changes.missing == tuple(COUNTERS)
        checkpoint.build()


def test_double_precision_is_converted_and_recorded(tmp_path):
    checkpoint = loaded(tmp_path, zipped({name: value.double() for name, value in STATE.items()}))
    assert checkpoint.digest == DIGEST
    assert checkpoint.changes.converted == ("float64",)
    for dtype in (torch.float16, torch.bfloat16):
        halved = {name: value.to(dtype) for name, value in STATE.items()}
        checkpoint = loaded(tmp_path, zipped(halved))
        assert checkpoint.changes.converted == (str(dtype).removeprefix("torch."),)
        expected = {name: value.to(STATE[name].dtype) for name, value in halved.items()}
        assert checkpoint.digest == digest_of(expected)


def test_a_file_of_ours_in_half_precision_stays_as_it_is(tmp_path):
    card = Card(arguments={"widths": [4, 6], "hidden": 8}, classes=("a", "b", "c"), input_size=8)
    saved = save_checkpoint(tmp_path / "a.safetensors", card, STATE, half=True)
    checkpoint = load_checkpoint(tmp_path / "a.safetensors")
    assert checkpoint.digest == saved.digest
    assert checkpoint.changes.sentences() == ()


# Metadata and whole modules


class Settings:
    """A user's class, which does not exist where the file is read."""

    def __init__(self, *args: object) -> None:
        self.args, self.depth = args, 3

    def __setstate__(self, state: object) -> None:
        raise RuntimeError("executed")


def user_module() -> types.ModuleType:
    module = types.ModuleType("gone_tomorrow")
    module.Settings, module.Net = Settings, type("Net", (CourseCNN,), {"__module__": "gone_tomorrow"})
    Settings.__module__ = "gone_tomorrow"
    Settings.__qualname__ = "Settings"
    return module


@pytest.fixture
def gone(monkeypatch):
    """`dump(value)` pickles what needs a module that is not there when it is read."""

    def dumped(make, save):
        module = user_module()
        sys.modules["gone_tomorrow"] = module
        try:
            return save(make(module))
        finally:
            del sys.modules["gone_tomorrow"]
            Settings.__module__ = __name__

    return dumped


def metadata(module: types.ModuleType) -> dict[str, object]:
    return {
        "state_dict": STATE,
        "args": argparse.Namespace(lr=0.1, out=pathlib.PurePosixPath("/tmp/x")),
        "best": np.float64(0.93),
        "epoch": np.int64(3),
        "history": np.arange(6.0).reshape(2, 3),
        "path": pathlib.Path("/a/b"),
        "date": datetime.datetime(2024, 5, 6, tzinfo=datetime.UTC),
        "settings": module.Settings(1, {"a"}),
        "set": {1, 2}, "frozen": frozenset("ab"), "complex": 1 + 2j, "bytes": b"abc",
        "array": bytearray(b"x"),
        "defaults": collections.defaultdict(list, {"a": [1]}), "counter": collections.Counter("aab"),
        "device": torch.device("cpu"), "dtype": torch.float16, "size": torch.Size([1, 2]),
        "rng": torch.get_rng_state(), "function": pathlib.Path, "slice": slice(1, 2), "long": 10**40,
    }  # fmt: skip


@pytest.mark.parametrize("save", [zipped, legacy, pickle.dumps], ids=["zip", "legacy", "pickle"])
def test_any_metadata_is_read_without_its_classes(tmp_path, gone, save):
    checkpoint = loaded(tmp_path, gone(metadata, save))
    assert checkpoint.digest == DIGEST
    assert checkpoint.changes.prefix == "state_dict"
    assert "gone_tomorrow" not in sys.modules


def whole(module: types.ModuleType) -> nn.Module:
    net = module.Net(**SMALL)
    net.load_state_dict(STATE)
    return net


MODULES = {
    "plain": lambda module: whole(module),
    "parallel": lambda module: nn.DataParallel(whole(module)),
    "nested": lambda module: {"epoch": 3, "model": whole(module), "optimizer": None},
    "attribute": lambda module: argparse.Namespace(model=whole(module), settings=module.Settings()),
    "list": lambda module: [whole(module), {"epoch": 3}],
}


@pytest.mark.parametrize("save", [zipped, legacy, pickle.dumps], ids=["zip", "legacy", "pickle"])
@pytest.mark.parametrize("name", MODULES)
def test_a_whole_module_gives_its_weights_and_its_class_is_never_imported(tmp_path, gone, name, save):
    checkpoint = loaded(tmp_path, gone(MODULES[name], save))
    assert checkpoint.digest == DIGEST
    assert "gone_tomorrow" not in sys.modules


def test_shared_modules_have_both_names(tmp_path):
    class Twice(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a = nn.Conv2d(3, 2, 1)
            self.b, self.flat = self.a, nn.Flatten()

    sys.modules[__name__].Twice = Twice
    Twice.__qualname__ = "Twice"
    net = Twice()
    for value in (net, net.state_dict()):
        checkpoint = loaded(tmp_path, zipped(value), builder=Twice, card=Card(classes=("a", "b")))
        assert checkpoint.digest == digest_of(net.state_dict())
    once = {
        name: value for name, value in net.state_dict().items() if not name.startswith("b.")
    }  # safetensors' way
    checkpoint = loaded(tmp_path, to_safetensors(once), builder=Twice, card=Card(classes=("a", "b")))
    assert checkpoint.digest == digest_of(net.state_dict())


def test_torchscript_archives_give_their_weights(tmp_path):
    torch.jit.save(torch.jit.trace(NET, torch.zeros(1, 3, 8, 8)), tmp_path / "traced.pt")
    assert load_checkpoint(tmp_path / "traced.pt").digest == DIGEST

    class Scripted(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv, self.bn = nn.Conv2d(3, 2, 1), nn.BatchNorm2d(2)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.bn(self.conv(x)).mean((2, 3))

    net, card = Scripted().eval(), Card(classes=("a", "b"))
    torch.jit.save(torch.jit.script(net), tmp_path / "scripted.pt")
    checkpoint = load_checkpoint(tmp_path / "scripted.pt", Scripted, card)
    assert checkpoint.digest == digest_of(net.state_dict())
    for kept in ([], ["bn"]):
        frozen = torch.jit.freeze(torch.jit.script(net), preserved_attrs=kept)
        torch.jit.save(frozen, tmp_path / "frozen.pt")
        with pytest.raises(Problem, match=r"constants without names, as torch\.jit\.freeze"):
            load_checkpoint(tmp_path / "frozen.pt", Scripted, card)
    all_kept = torch.jit.freeze(torch.jit.script(net), preserved_attrs=["conv", "bn"])
    torch.jit.save(all_kept, tmp_path / "kept.pt")
    checkpoint = load_checkpoint(tmp_path / "kept.pt", Scripted, card)
    assert checkpoint.digest == digest_of(net.state_dict())


# Networks of torchvision


def test_names_of_densenets_older_files(tmp_path):
    net = nn.Sequential(collections.OrderedDict(norm1=nn.BatchNorm2d(3), conv1=nn.Conv2d(3, 2, 1)))
    older = {f"{name[:4]}.{name[4:]}": value for name, value in net.state_dict().items()}
    checkpoint = loaded(
        tmp_path, zipped(older), builder=lambda: copy.deepcopy(net), card=Card(classes=("a", "b"))
    )
    assert checkpoint.digest == digest_of(net.state_dict())


def test_a_builder_with_a_prefix_of_its_own(tmp_path):
    class Wrapper(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.model = course(3)

    wrapped = loaded(tmp_path, zipped(STATE), builder=Wrapper, card=Card(classes=("a", "b", "c")))
    assert wrapped.digest == digest_of(prefixed("model"))
    wrapped.build()


def test_a_pruned_course_cnn_is_known_by_its_plain_names(tmp_path):
    net = course()
    prune.l1_unstructured(net.conv2, "weight", 0.5)
    checkpoint = loaded(tmp_path, zipped(net.state_dict()))
    assert checkpoint.card.arguments == {"widths": SMALL["widths"], "hidden": SMALL["hidden"]}
    prune.remove(net.conv2, "weight")
    assert checkpoint.digest == digest_of(net.state_dict())
