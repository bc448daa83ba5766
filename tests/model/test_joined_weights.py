"""Weights that a file holds in several parts side by side are joined, where nothing else could be meant."""

import copy
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from model.card import Card
from model.checkpoint import Checkpoint, digest_of, load_checkpoint
from model.problems import Problem
from tests.model.saved_files import zipped

CARD = Card(classes=("a", "b", "c"))
State = dict[str, Tensor]


class Parts(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.AdaptiveAvgPool2d(1))
        self.head = nn.Linear(4, 3)


class Flat(nn.Module):
    """As a ResNet: a backbone that is no module of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.bn1, self.layer1 = nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Conv2d(4, 4, 1)
        self.fc = nn.Linear(4, 3)


class Twins(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.left, self.right = nn.Linear(4, 4), nn.Linear(4, 4)


def state_of(kind: type[nn.Module], seed: int = 0) -> State:
    torch.manual_seed(seed)
    return dict(kind().state_dict())


def below(name: str, state: State) -> State:
    return {key[len(name) + 1 :]: value for key, value in state.items() if key.startswith(f"{name}.")}


STATE, OTHER = state_of(Parts), state_of(Parts, 1)
E, H = below("encoder", STATE), below("head", STATE)
OTHER_E, OTHER_H = below("encoder", OTHER), below("head", OTHER)


def under(prefix: str, state: State) -> State:
    return {f"{prefix}.{name}": value for name, value in state.items()}


def loaded(folder: Path, value: object, kind: type[nn.Module] = Parts, **options: str) -> Checkpoint:
    (folder / "weights.pt").write_bytes(zipped(value))
    return load_checkpoint(folder / "weights.pt", lambda: copy.deepcopy(kind()), CARD, **options)


MOMENTS = {"state": {0: {"exp_avg": torch.zeros(4, 3, 3, 3)}}, "param_groups": [{"lr": 0.1}]}
FORMS = {
    "dicts": {"encoder": E, "head": H},
    "with a run's entries": {"encoder": E, "head": H, "epoch": 3, "optimizer": MOMENTS},
    "an optimizer for each": {"encoder": E, "head": H, "encoder_optimizer": MOMENTS, "optim_head": MOMENTS},
    "_state_dict": {"encoder_state_dict": E, "head_state_dict": H, "optimizer_state_dict": MOMENTS},
    "state_dict_": {"state_dict_encoder": E, "state_dict_head": H},
    "_state": {"encoder_state": E, "head_state": H},
    "_weights": {"encoder_weights": E, "head_weights": H},
    "net": {"netEncoder": E, "netHead": H},
    "parallel": {"encoder_state_dict": under("module", E), "head_state_dict": under("module", H)},
    "nested": {"encoder": {"state_dict": E, "epoch": 3}, "head": {"state_dict": H}},
    "full names": {"encoder": under("encoder", E), "head": under("head", H)},
    "list": [E, H],
    "other names": {"backbone": E, "classifier": H},
    "below a key": {"model": {"backbone": E, "classifier": H}, "epoch": 3},
    "moco": {"encoder": E, "head": H, "encoder_k": OTHER_E},
}  # fmt: skip


def mlp(width: int, last: int) -> State:
    norm = {"1.running_mean": torch.ones(width), "1.num_batches_tracked": torch.tensor(2)}
    return {"0.weight": torch.zeros(width, 4), **norm, "2.weight": torch.zeros(last, width)}


BESIDE = {
    "projector": {"projector": mlp(4, 7)},
    "projector_state_dict": {"projector_state_dict": mlp(8, 7)},
    "projection_head": {"projection_head": mlp(8, 7)},
    "projector and predictor": {"projector": mlp(8, 7), "predictor": {"weight": torch.zeros(7, 7)}},
    "domain_classifier": {"domain_classifier": {"weight": torch.zeros(2, 4)}},
    "swag": {"swag": {f"{name}_mean": value for name, value in STATE.items()}},
    "swag in one": {"swag_state_dict": {"n_models": torch.tensor(3), "mean": torch.zeros(20, 1, 1)}},
}
PLACES: dict[str, State] = {
    "state_dicts": {"encoder_state_dict": E, "head_state_dict": H},
    "names": {"encoder": E, "head": H},
    "other names": {"backbone": E, "classifier": H},
    "one dict": {**under("encoder", E), **under("head", H)},
}  # fmt: skip


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("name", BESIDE)
def test_what_was_only_trained_with_is_left_out(tmp_path: Path, name: str, place: str) -> None:
    checkpoint = loaded(tmp_path, PLACES[place] | BESIDE[name])
    assert checkpoint.digest == digest_of(STATE)
    assert any("Not used" in each for each in checkpoint.changes.sentences())


@pytest.mark.parametrize("last", [4, 3])
def test_a_part_that_could_lie_between_or_be_the_classes_is_named(tmp_path: Path, last: int) -> None:
    """What it gives is as wide as what the head reads, or as many values as there are classes."""
    with pytest.raises(Problem, match=r"has no projector\."):
        loaded(tmp_path, {"encoder": E, "head": H, "projector": mlp(8, last)})


def test_a_part_that_is_left_is_what_is_named(tmp_path: Path) -> None:
    with pytest.raises(Problem, match=r"which has no margin\.weight"):
        loaded(tmp_path, {"backbone": E, "classifier": H, "margin": {"weight": torch.zeros(9, 4)}})


def flattened(state: State, before: str = "") -> State:
    return {before + name.replace(".", "_"): value for name, value in state.items()}


FLAT = {
    "the file": flattened(STATE),
    "below a key": {"state_dict": flattened(STATE), "epoch": 3},
    "a ParameterDict": {"params": under("params", flattened(STATE))},
    "each part": {"encoder": flattened(E), "head": H},
    "two signs": {name.replace(".", "__"): value for name, value in STATE.items()},
    "slashes": {name.replace(".", "/"): value for name, value in STATE.items()},
}


@pytest.mark.parametrize("name", FLAT)
def test_names_with_another_sign_for_dots(tmp_path: Path, name: str) -> None:
    checkpoint = loaded(tmp_path, FLAT[name])
    assert checkpoint.digest == digest_of(STATE)
    assert any("changed to the network’s" in each for each in checkpoint.changes.sentences())


def test_averages_with_another_sign_for_dots(tmp_path: Path) -> None:
    """As mmcv's hook keeps them: buffers beside the weights themselves."""
    state, other = state_of(Flat), state_of(Flat, 1)
    raw = {("head." if name.startswith("fc.") else "backbone.") + name: state[name] for name in state}
    averages = {("head." if name.startswith("fc.") else "backbone.") + name: other[name] for name in other}
    value = {"state_dict": raw | flattened(averages, "ema_")}
    checkpoint = loaded(tmp_path, value, Flat)
    assert checkpoint.digest == digest_of(other)
    assert "averaged weights" in checkpoint.changes.sentences()[0]
    assert loaded(tmp_path, value, Flat, weights="model").digest == digest_of(state)


def test_one_file_of_several_is_named(tmp_path: Path) -> None:
    path = tmp_path / "model-00001-of-00003.bin"
    path.write_bytes(zipped(E))
    with pytest.raises(Problem, match="is file 1 of 3 of one checkpoint"):
        load_checkpoint(path, lambda: Parts(), CARD)


class Alike(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.a, self.a_b = nn.ModuleDict({"b_c": nn.Linear(2, 2)}), nn.ModuleDict({"c": nn.Linear(2, 2)})


def test_names_that_would_be_the_same_without_dots_are_not_guessed(tmp_path: Path) -> None:
    state = state_of(Alike)
    assert len(flattened(state)) < len(state)
    with pytest.raises(Problem, match="does not fit its network"):
        loaded(tmp_path, {**flattened(state), "a.b_c.weight": state["a.b_c.weight"]}, Alike)


@pytest.mark.parametrize("name", FORMS)
def test_parts_side_by_side_are_joined(tmp_path: Path, name: str) -> None:
    checkpoint = loaded(tmp_path, FORMS[name])
    assert checkpoint.digest == digest_of(STATE)
    checkpoint.build()


def test_what_was_joined_and_left_out_is_said(tmp_path: Path) -> None:
    changes = loaded(tmp_path, {"backbone": E, "head": H, "optimizer": MOMENTS, "epoch": 3}).changes
    assert changes.sentences() == (
        "Joined from several parts of the file: `backbone` as `encoder`, `head`.",
        "Not used: `optimizer`.",
    )


def test_a_backbone_that_is_no_module_of_its_own(tmp_path: Path) -> None:
    state = state_of(Flat)
    backbone = {name: value for name, value in state.items() if not name.startswith("fc.")}
    for head in ("fc", "classifier", "head_state_dict"):
        checkpoint = loaded(tmp_path, {"backbone": backbone, head: below("fc", state)}, Flat)
        assert checkpoint.digest == digest_of(state)
    assert loaded(tmp_path, {"a": backbone, "b": under("fc", below("fc", state))}, Flat).digest == digest_of(
        state
    )


def test_names_in_one_dict_that_have_the_parts_before_them(tmp_path: Path) -> None:
    """As mmpretrain and transformers name a ResNet, whose own names begin with none of these."""
    state = state_of(Flat)
    backbone = under("backbone", {name: value for name, value in state.items() if not name.startswith("fc.")})
    for head in ("head.fc", "classifier.1", "head"):
        value = {"meta": {"epoch": 3}, "state_dict": {**backbone, **under(head, below("fc", state))}}
        checkpoint = loaded(tmp_path, value, Flat)
        assert checkpoint.digest == digest_of(state)
        name = f"`state_dict.{head}`" + ("" if head == "head.fc" else " as `fc`")
        assert f"`state_dict.backbone`, {name}." in checkpoint.changes.sentences()[0]


def test_a_teacher_in_parts_is_taken_only_if_asked_for(tmp_path: Path) -> None:
    students = {"student_encoder": E, "student_head": H}
    teachers = {"teacher_encoder": OTHER_E, "teacher_head": OTHER_H}
    checkpoint = loaded(tmp_path, {**teachers, **students})
    assert checkpoint.digest == digest_of(STATE)
    (other,) = checkpoint.changes.others
    assert loaded(tmp_path, {**teachers, **students}, weights=other).digest == digest_of(OTHER)
    with pytest.raises(Problem, match="seldom a trained"):
        loaded(tmp_path, teachers)


def test_best_parts_go_before_the_last(tmp_path: Path) -> None:
    value = {"last": {"encoder": OTHER_E, "linear": OTHER_H}, "best": {"encoder": E, "linear": H}}
    checkpoint = loaded(tmp_path, value)
    assert (checkpoint.digest, len(checkpoint.changes.others)) == (digest_of(STATE), 1)


def test_a_builder_that_wraps_the_network(tmp_path: Path) -> None:
    class Wrapper(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.model = Parts()

    value = {"encoder_state_dict": E, "head_state_dict": H}
    assert loaded(tmp_path, value, Wrapper).digest == digest_of(under("model", STATE))


AVERAGED = {
    "by name": {"encoder": E, "head": H, "encoder_ema": OTHER_E, "head_ema": OTHER_H},
    "before": {"ema_encoder": OTHER_E, "ema_head": OTHER_H, "encoder_state_dict": E, "head_state_dict": H},
    "parallel": {"encoder": E, "head": H,
                 "encoder_swa": under("module", OTHER_E), "head_swa": under("module", OTHER_H)},
}  # fmt: skip


@pytest.mark.parametrize("name", AVERAGED)
def test_averages_beside_raw_parts_leave_the_choice(tmp_path: Path, name: str) -> None:
    checkpoint = loaded(tmp_path, AVERAGED[name])
    assert checkpoint.digest == digest_of(OTHER)
    assert "averaged weights" in checkpoint.changes.sentences()[0]
    (raw,) = checkpoint.changes.others
    for wanted in ("model", raw):
        assert loaded(tmp_path, AVERAGED[name], weights=wanted).digest == digest_of(STATE)
    assert loaded(tmp_path, AVERAGED[name], weights="ema").digest == digest_of(OTHER)


AMBIGUOUS = {
    "two of the same form": {"first": E, "second": OTHER_E, "classifier": H},
    "a part that is no module": {"encoder_state_dict": E, "head_state_dict": H,
                                 "projector": {"0.weight": torch.zeros(4, 4)}},
    "a layer beside": {"encoder_state_dict": E, "head_state_dict": H, "neck.weight": torch.zeros(4)},
    "one of two averaged, no raw one": {"encoder_ema": E, "head": H},
    "a part missing": {"encoder_state_dict": E},
}  # fmt: skip


@pytest.mark.parametrize("name", AMBIGUOUS)
def test_nothing_is_guessed(tmp_path: Path, name: str) -> None:
    with pytest.raises(Problem, match="does not fit its network"):
        loaded(tmp_path, AMBIGUOUS[name])


def test_modules_of_the_same_form_need_their_names(tmp_path: Path) -> None:
    state = state_of(Twins)
    left, right = below("left", state), below("right", state)
    with pytest.raises(Problem, match="does not fit its network"):
        loaded(tmp_path, {"a": left, "b": right}, Twins)
    assert loaded(tmp_path, {"right_weights": right, "left_weights": left}, Twins).digest == digest_of(state)
    with pytest.raises(Problem, match="does not fit its network"):
        loaded(tmp_path, {"left_weights": left, "b": right}, Twins)
