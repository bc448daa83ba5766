import shlex
from dataclasses import asdict, fields, replace
from itertools import product
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from model import augment, batches, words
from model.checkpoint import card_in, load_checkpoint
from model.command import FLAGS, parser, read_settings
from model.datasets import Dataset
from model.evaluation import evaluate, flip_averaged
from model.nets import NETS, NORMS, CourseCNN
from model.optimizers import OPTIMIZERS, averaged, build_optimizer, follow
from model.problems import Problem
from model.recipes import RECIPES, Config, choose, command_of, config_from, recorded, settled
from model.scenes import dataset as drawn_scenes
from model.schedulers import SCHEDULERS, after_epoch, after_step
from model.train import main
from model.training import loop
from model.training.loop import train
from model.training.run import start

SHIPPED = Path(__file__).parents[2] / "checkpoints"
SMALL = {"width": 4, "epochs": 1, "batch_size": 16}


def split(count, seed):
    images, labels = drawn_scenes(count, seed, 16)
    classes = tuple(f"class {n}" for n in range(10))
    return Dataset("scenes", images, labels, classes, (0.5, 0.5, 0.5), (0.25, 0.25, 0.25), "drawn")


@pytest.fixture(scope="module")
def scenes():
    return split(32, 0), split(20, 1)


@pytest.fixture
def out(tmp_path):
    return str(tmp_path / "run.safetensors")


# Every choice trains


@pytest.mark.parametrize(
    ("optimizer", "scheduler", "norm"), product(OPTIMIZERS, SCHEDULERS, (*NORMS, "none"))
)
def test_every_optimizer_with_every_scheduler_and_norm_trains(out, scenes, optimizer, scheduler, norm):
    chosen = {"optimizer": optimizer, "scheduler": scheduler, "norm": norm}
    run = train(choose({**chosen, "out": out, **SMALL}), *scenes)
    assert chosen.items() <= load_checkpoint(out).card.config.items()
    assert load_checkpoint(out).card.arguments["norm"] == norm
    assert np.isfinite(run.history.losses).all()
    start_of = start(run.config, *scenes).net.state_dict()
    weights = [(name, each) for name, each in run.net.named_parameters() if each.ndim > 1]
    assert not any(torch.equal(start_of[name], each) for name, each in weights)


@pytest.mark.parametrize("recipe", RECIPES)
def test_every_recipe_trains_and_its_card_says_all_its_settings(out, scenes, recipe):
    run = train(choose({"recipe": recipe, "out": out, **SMALL}), *scenes)
    card = load_checkpoint(out).card
    assert card.recipe == recipe
    wanted = {name: value for name, value in asdict(run.config).items() if value is not None}
    assert card.config.items() <= wanted.items()
    missing = {"out", "note", "half", "data_dir", "snapshot_every", "snapshot_limit", "tensorboard"}
    assert wanted.keys() - card.config.keys() <= missing | {
        "log_examples",
        "resume",
        "overwrite",
        "stop_after",
    }


def test_the_course_recipe_is_the_courses(scenes):
    run = start(settled(Config()), *scenes)
    assert type(run.optimizer) is torch.optim.Adam
    assert run.scheduler.patience == 3
    assert run.scheduler.factor == 0.5
    assert run.lr == 1e-3
    assert run.card.arguments == {}
    assert (run.config.epochs, run.config.batch_size) == (20, 64)
    assert batches.strengths_of(run.config) == augment.COURSE


# Optimizers


@pytest.mark.parametrize("name", ["sgd", "adamw"])
def test_without_decay_of_vectors_only_matrices_shrink(name):
    net = CourseCNN(classes=2, input_size=16, widths=(4,), hidden=8)
    settings = OPTIMIZERS[name].settings | {"weight_decay": 0.5}
    optimizer = build_optimizer(name, net, 0.1, False, settings)
    before = {key: value.clone() for key, value in net.state_dict().items()}
    for each in net.parameters():
        each.grad = torch.zeros_like(each)
    optimizer.step()
    for key, value in net.named_parameters():
        wanted = before[key] * (1 - 0.1 * 0.5) if value.ndim > 1 else before[key]
        torch.testing.assert_close(value.data, wanted)


def test_an_average_follows_the_weights_and_copies_counts():
    net = nn.BatchNorm2d(1)
    average = averaged(net)
    with torch.no_grad():
        net.weight.fill_(3.0)
        net.running_var.fill_(5.0)
        net.num_batches_tracked.fill_(7)
    follow(average, net, 0.9, steps=10_000)
    assert average.weight.item() == pytest.approx(0.9 * 1 + 0.1 * 3)
    assert average.running_var.item() == pytest.approx(0.9 * 1 + 0.1 * 5)
    assert average.num_batches_tracked == 7
    assert not average.training
    follow(average, net, 0.9, steps=1)  # early on it moves faster: by 1 - 2/11
    assert average.weight.item() == pytest.approx(1.2 + (3 - 1.2) * 9 / 11)


def test_what_is_measured_and_saved_is_the_average(out, scenes):
    run = train(choose({"ema": 0.5, "out": out, **SMALL}), *scenes)
    saved = load_checkpoint(out)
    assert torch.equal(saved.state["conv1.weight"], run.average.state_dict()["conv1.weight"])
    assert not torch.equal(saved.state["conv1.weight"], run.net.state_dict()["conv1.weight"])
    measured = evaluate(saved.build(), scenes[1], torch.device("cpu"))
    assert saved.card.metrics["test_loss"] == pytest.approx(measured[0], abs=1e-5)


# Schedulers


def rates(scheduler, epochs=6, steps=10, losses=(), **settings):
    """The learning rate of every step, from 1.0."""
    optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=1.0, momentum=0.9)
    entry = SCHEDULERS[scheduler]
    schedule = entry.build(optimizer, epochs * steps, **(dict(entry.settings) | settings))
    seen, losses = [], iter(losses)
    for done in range(1, epochs * steps + 1):
        seen.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        after_step(scheduler, schedule, done, epochs * steps)
        if done % steps == 0:
            after_epoch(scheduler, schedule, next(losses, 1.0))
    return np.array(seen)


def test_rates_that_change_once_an_epoch():
    assert (rates("none") == 1).all()
    np.testing.assert_allclose(rates("step", step_size=2, gamma=0.1)[::10], [1, 1, 0.1, 0.1, 0.01, 0.01])
    np.testing.assert_allclose(rates("exponential", gamma=0.5)[::10], 0.5 ** np.arange(6))
    plateau = rates("plateau", patience=1, factor=0.2, losses=[3, 2, 2, 2, 2, 2])
    np.testing.assert_allclose(plateau[::10], [1, 1, 1, 1, 0.2, 0.2])
    for scheduler in ("none", "step", "exponential", "plateau"):
        assert all(len(set(epoch)) == 1 for epoch in rates(scheduler).reshape(6, 10))


def test_rates_that_change_every_step():
    cosine = rates("cosine", warmup=0.25)
    assert cosine.argmax() == 15
    assert (np.diff(cosine[:16]) > 0).all()
    np.testing.assert_allclose(cosine[15:], 0.5 + 0.5 * np.cos(np.pi * np.arange(45) / 45))
    linear = rates("onecycle", warmup=0.25, anneal="linear")
    assert linear[0] == pytest.approx(1 / 25)
    assert linear.max() == pytest.approx(1)
    assert linear.argmax() == 14
    np.testing.assert_allclose(np.diff(linear[14:], 2), 0, atol=1e-9)
    assert linear[-1] < 1e-4


@pytest.mark.parametrize("warmup", [0.0, 0.2, 0.5, 0.99])
@pytest.mark.parametrize("scheduler", ["cosine", "onecycle"])
@pytest.mark.parametrize("epochs", [1, 2, 5, 7])
def test_no_warmup_or_length_breaks_a_schedule(scheduler, warmup, epochs):
    seen = rates(scheduler, epochs=epochs, steps=1, warmup=warmup)
    assert ((seen >= 0) & (seen <= 1.000001)).all()


# Batches


def numbered(count=600):
    images = np.zeros((count, 4, 4, 3), np.uint8)
    images[:, :, 0] = 255  # the left column
    classes = tuple(map(str, range(count)))
    return Dataset("n", images, np.arange(count), classes, (0.0, 0.0, 0.0), (1.0, 1.0, 1.0), "")


def sides(config, epoch):
    """Which images an epoch mirrored."""
    seen = {}
    for x, y in batches.batches(numbered(), config, epoch):
        seen |= {int(label): bool(image[0, 0, 3]) for image, label in zip(x, y, strict=True)}
    return [seen[label] for label in sorted(seen)]


def test_alternating_flips_show_every_image_both_ways_in_two_epochs():
    config = Config(augment="flip", alternating_flip=True)
    first, second, third = (np.array(sides(config, epoch)) for epoch in (1, 2, 3))
    assert (first != second).all()
    assert (first == third).all()
    assert 0.4 < first.mean() < 0.6
    assert (np.array(sides(replace(config, seed=1), 1)) != first).any()
    random = np.array(sides(replace(config, alternating_flip=False), 1))
    assert 0.3 < (random == np.array(sides(replace(config, alternating_flip=False), 2))).mean() < 0.7


def test_no_augmentation_gives_the_normalized_images():
    data = numbered()
    for x, y in batches.batches(data, Config(augment="none"), 1):
        torch.testing.assert_close(
            x, augment.normalize(torch.from_numpy(data.images[y]), data.mean, data.std)
        )


def test_mixed_labels_are_trained_on_and_the_largest_part_is_what_is_right(scenes, out):
    config = choose({"augment": "mixup=1,cutmix", "label_smoothing": 0.1, "out": out, **SMALL})
    x, y = next(batches.batches(scenes[0], config, 1))
    assert y.shape == (16, 10)
    torch.testing.assert_close(y.sum(1), torch.ones(16))
    assert (y.max(1).values < 1).any()
    run = start(config, *scenes)
    with torch.no_grad():
        run.net.eval()
        logits = run.net(x).log_softmax(1)
    loss, hits = loop.step(run, x, y)
    wanted = -(0.9 * y + 0.1 / 10).mul(logits).sum(1).mean().item()
    assert loss == pytest.approx(wanted, rel=1e-5)
    assert hits == (logits.argmax(1) == y.argmax(1)).sum()
    assert np.isfinite(train(config, *scenes).history.losses).all()


def test_flip_averaging_is_reported_beside_the_plain_figure(scenes, out, capsys):
    run = train(choose({"flip_average": True, "out": out, **SMALL, "epochs": 2}), *scenes)
    assert "mirror image averaged" in capsys.readouterr().out
    assert [row.flip_accuracy is None for row in run.history.epochs] == [True, False]
    metrics = load_checkpoint(out).card.metrics
    test = scenes[1]
    x = augment.normalize(torch.from_numpy(test.images), test.mean, test.std)
    with torch.no_grad():
        both = run.net.eval()(x).softmax(1) + run.net(x.flip(3)).softmax(1)
    wanted = (both.argmax(1).numpy() == test.labels).mean()
    assert metrics["flip_accuracy"] == flip_averaged(run.net, test, torch.device("cpu")) == wanted
    assert "test_accuracy" in metrics


def test_half_the_room_for_nearly_the_same_weights(scenes, out):
    run = train(choose({"half": True, "out": out, **SMALL}), *scenes)
    assert "--half" in run.history.about.command
    whole, kept = run.net.state_dict(), load_checkpoint(out).state
    weights = {name for name, tensor in whole.items() if tensor.ndim > 1}
    for name, tensor in whole.items():
        assert torch.equal(kept[name].float(), tensor.half().float() if name in weights else tensor.float())
    assert Path(out).stat().st_size < sum(tensor.nbytes for tensor in whole.values()) * 0.8


# Flags


def test_every_setting_is_a_flag_and_every_flag_a_setting():
    flags = [name for group in FLAGS.values() for name in group]
    assert sorted([*flags, "recipe"]) == sorted(each.name for each in fields(Config))
    assert read_settings([]) == {}
    parser().format_help()


def test_a_flag_changes_its_setting_and_leaves_the_recipes_others():
    config = choose(read_settings(["--recipe", "fast", "--lr", "0.3", "--no-nesterov", "--batch-size", "99"]))
    assert (config.lr, config.nesterov, config.batch_size) == (0.3, False, 99)
    assert replace(
        config, lr=RECIPES["fast"].lr, nesterov=True, batch_size=RECIPES["fast"].batch_size
    ) == settled(replace(RECIPES["fast"], nesterov=True))


def test_another_scheduler_takes_its_own_settings_not_the_recipes():
    config = choose({"recipe": "fast", "scheduler": "plateau"})
    assert (config.patience, config.factor, config.warmup, config.anneal) == (3, 0.5, None, None)


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["--gamma", "0.5"], "--gamma does not apply to the scheduler plateau, only to step, exponential"),
        (["--momentum", "0.5"], "--momentum does not apply to the optimizer adam, only to sgd, rmsprop"),
        (["--optimizer", "sgd", "--momentum", "0", "--nesterov"], "Nesterov momentum needs a momentum"),
        (["--alternating-flip", "--augment", "crop"], "--alternating-flip needs flip in --augment"),
        (["--net", "nonesuch"], "no network “nonesuch”"),
        (["--augment", "crop,twirl"], "no augmentation “twirl”"),
        (["--augment", "crop=7"], "crop cannot have the strength 7"),
    ],
)
def test_settings_that_do_not_go_together_are_one_sentence(flags, said, capsys):
    assert main(flags) == 1
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1


@pytest.mark.parametrize(
    "flags",
    [
        ["--ema", "1"],
        ["--dropout", "x"],
        ["--warmup", "-1"],
        ["--factor", "nan"],
        ["--scheduler", "x"],
        ["--seed", "9" * 20],
    ],
)
def test_impossible_values_are_refused_by_name(flags, capsys):
    with pytest.raises(SystemExit):
        main(flags)
    assert flags[0] in capsys.readouterr().err


@pytest.mark.parametrize(
    "flags",
    [
        "",
        "--recipe fast --lr 0.25 --no-nesterov --seed 3",
        "--dataset folder --data-dir pictures --augment crop,flip --optimizer rmsprop --momentum 0.8",
        "--note 'two words' --scheduler cosine --ema 0.999 --out x/y.safetensors",
    ],
)
def test_the_command_of_a_run_reproduces_its_settings(flags):
    config = choose(read_settings(shlex.split(flags)))
    words = shlex.split(command_of(config))
    assert words[:3] == ["python", "-m", "model.train"]
    assert choose(read_settings(words[3:])) == config


def test_the_command_of_a_run_names_no_folder_of_this_machine():
    config = choose({"data_dir": "/some/pictures", "out": "/some/x.safetensors", "dataset": "folder"})
    assert command_of(config) == "python -m model.train --dataset folder --data-dir DIR"


@pytest.mark.parametrize("net", NETS)
def test_every_network_trains(out, scenes, net):
    small = {"hidden" if net == "mlp" and name == "width" else name: value for name, value in SMALL.items()}
    train(choose({"net": net, "recipe": "fast", "out": out, **small}), *scenes)
    assert load_checkpoint(out).card.net == net


def test_a_setting_that_a_network_does_not_have_is_refused_only_if_asked_for():
    config = choose({"net": "resnet9", "recipe": "fast"})
    assert config.net == "resnet9"
    assert "dropout" not in recorded(config)
    with pytest.raises(Problem, match=r"^The network resnet9 has no dropout; leave --dropout out\.$"):
        choose({"net": "resnet9", "dropout": 0.1})


def test_a_network_that_cannot_be_built_is_one_sentence(scenes):
    small = [replace(each, images=each.images[:, :4, :4]) for each in scenes]
    with pytest.raises(Problem, match=r"^3 blocks halve an input of 4 pixels to nothing"):
        start(settled(Config()), *small)


@pytest.mark.parametrize(("net", "layer"), [("course", "fc1"), ("mlp", "fc1")])
def test_hidden_reaches_the_network_and_its_card(net, layer, scenes):
    run = start(choose(read_settings(["--net", net, "--hidden", "7"])), *scenes)
    assert run.net.get_submodule(layer).weight.shape[0] == 7
    assert run.card.arguments["hidden"] == 7
    assert "--hidden 7" in command_of(run.config)
    with pytest.raises(Problem, match=r"^The network resnet9 has no hidden; leave --hidden out\.$"):
        choose({"net": "resnet9", "hidden": 7})


@pytest.mark.parametrize(("net", "first"), [("course", 6), ("resnet9", 3)])
def test_width_and_dropout_reach_the_network(net, first, scenes):
    run = start(choose({"net": net, "width": 6, "recipe": "fast"}), *scenes)
    assert next(run.net.parameters()).shape[0] == first
    assert NETS[net](classes=10, input_size=16, **run.card.arguments)


@pytest.mark.parametrize(("made_for_it", "dtype"), [(True, torch.bfloat16), (False, torch.float32)])
def test_precision_auto_takes_bf16_where_the_processor_is_made_for_it(
    made_for_it, dtype, scenes, out, monkeypatch
):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"amx_bf16": made_for_it})
    run = start(settled(Config(out=out, precision="auto", device="cpu")), *scenes)
    with run.precision():
        assert run.net.conv1(torch.zeros(1, 3, 16, 16)).dtype == dtype
    assert run.net.conv1.weight.dtype == torch.float32
    assert run.card.config["precision"] == run.config.precision == ("bf16" if made_for_it else "float32")
    assert ("--precision bf16" in run.history.about.command) == made_for_it


@pytest.mark.parametrize(
    ("flags", "setting", "value"),
    [
        (["--optimizer", "Adam"], "optimizer", "adam"),
        (["--optimiser", "AdamW"], "optimizer", "adamw"),
        (["--optimiser=SGD"], "optimizer", "sgd"),
        (["--optimizer", "RMSprop"], "optimizer", "rmsprop"),
        (["--scheduler", "ReduceLROnPlateau"], "scheduler", "plateau"),
        (["--scheduler", "StepLR"], "scheduler", "step"),
        (["--scheduler", "ExponentialLR"], "scheduler", "exponential"),
        (["--scheduler", "CosineAnnealingLR"], "scheduler", "cosine"),
        (["--scheduler", "OneCycleLR"], "scheduler", "onecycle"),
        (["--scheduler", "ConstantLR"], "scheduler", "none"),
    ],
)
def test_names_may_be_spelled_as_in_pytorch(flags, setting, value):
    assert read_settings(flags) == {setting: value}


@pytest.mark.parametrize("name", [*OPTIMIZERS.values(), *SCHEDULERS.values()], ids=lambda each: each.pytorch)
def test_the_names_from_pytorch_exist_there(name):
    assert hasattr(torch.optim, name.pytorch) or hasattr(torch.optim.lr_scheduler, name.pytorch)


@pytest.mark.parametrize(
    "flags", [["--lr", "x"], ["--optimizer", "lion"], ["--nonesuch"], ["--scheduler"], ["--epochs", "0"]]
)
def test_wrong_arguments_are_one_line_and_not_the_usage(flags, capsys):
    with pytest.raises(SystemExit) as caught:
        read_settings(flags)
    error = capsys.readouterr().err
    assert caught.value.code == 2
    assert error.count("\n") == 1
    assert "usage" not in error
    assert flags[0] in error


def test_every_text_of_the_help_is_translated():
    words.use(words.PSEUDO)
    try:
        lines = parser().format_help()
    finally:
        words.use(words.ENGLISH)
    actions = [each for each in parser()._actions if each.help]
    assert lines.count("⟦") >= len(actions)


def test_settings_of_files_written_earlier_are_read():
    old = {"optimiser": "sgd", "momentum": 0.5, "scheduler": "step"}
    assert config_from(old) == config_from({"optimizer": "sgd", "momentum": 0.5, "scheduler": "step"})
    assert config_from(old).optimizer == "sgd"


@pytest.mark.parametrize("path", sorted(SHIPPED.glob("*.safetensors")), ids=lambda path: path.stem)
def test_the_cards_of_shipped_checkpoints_say_their_optimizer(path):
    card = card_in(path)
    assert "optimiser" not in card.config
    assert config_from(card.config).optimizer == card.config.get("optimizer", "adam")
