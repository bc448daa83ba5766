"""Every attribution method over many images: `python -m explorer.scoreboard --checkpoint FILE --out DIR`.

What is measured is on disk at once, so that a stopped run goes on where it was: start it again.
"""

import argparse
import shlex
import sys
import time
import warnings
from collections.abc import Callable, Iterable, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import torch

from explorer import command
from explorer.drawing import board_charts, figures
from explorer.engine.attribution import METHODS
from explorer.engine.scoreboard import board, running, tables
from explorer.engine.scoreboard.board import Board
from explorer.engine.scoreboard.chunks import CHUNK
from explorer.engine.scoreboard.image_sets import DATASETS, image_set
from explorer.engine.scoreboard.running import Measurement, MeasurementPlan
from explorer.engine.scores import SCORES
from model.arguments import Parser, WrongValue
from model.command import count, natural, one_of
from model.datasets import DATA_DIR
from model.failures import exit_code
from model.files import replacing
from model.names import short_path
from model.problems import Problem
from model.processes import all_reduce_sum, joined, rank
from model.provenance import in_words
from model.sharing import alone, part, shard
from model.training.run import say
from model.words import N_, ngettext, of_environment, tr, use

RESULT = "scoreboard.json"
SEVERAL = N_("{flag} must be some of {choices}, not {text}.")


def main(arguments: list[str] | None = None) -> int:
    use(of_environment())
    words = sys.argv[1:] if arguments is None else arguments
    options = parser().read_or_exit(words)
    stopped = tr("Stopped. Run the same command again to continue after the last saved part.")
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module="captum")
        return exit_code(lambda: _command(options, words), sentence_of, stopped)


def sentence_of(error: Exception) -> str:
    """What was wrong and what to do, with this command's flags; "" for an error of the program itself."""
    memory = tr(
        "There is not enough memory for this run; leave out methods with --methods, or choose another "
        "--device."
    )
    return command.sentence_of(error, memory)


# The command line


def parser() -> Parser:
    parser = Parser(
        "python -m explorer.scoreboard",
        usage=tr("%(prog)s --checkpoint FILE --out DIR [flags]"),
        description=tr(
            "Measure every attribution method on many images: the mean of each score with its 95% interval, "
            "beside what chance gives. A stopped run goes on when the same command is started again."
        ),
        epilog=tr(
            "In several processes: torchrun --nproc-per-node N -m explorer.scoreboard …, or --shard 1/N to "
            "--shard N/N on machines that share the folder, and then the command without --shard."
        ),
        title=tr("general"),
    )
    command.add_network(parser)
    parser.first.add_argument(
        "--publish",
        action="store_true",
        help=tr("also write the numbers beside the checkpoint, where the Scoreboard page shows them"),
    )
    parser.first.add_argument(
        "--overwrite",
        action="store_true",
        help=tr("let --publish replace numbers that were measured with other settings"),
    )
    _add_images(parser)
    _add_measures(parser)
    return parser


def _add_images(parser: Parser) -> None:
    add = parser.add_argument_group(tr("images")).add_argument
    sets = tr("the images: {names} (default: scenes, drawn anew)", names=", ".join(DATASETS))
    add("--dataset", default="scenes", help=sets, **one_of(DATASETS))
    data = tr("the folder of CIFAR-10, or a folder with test/CLASS/* or val/CLASS/*")
    add("--data-dir", type=Path, default=DATA_DIR, metavar="DIR", help=data)
    add("--images", type=count, default=100, metavar="N", help=tr("how many images (default: 100)"))
    again = tr("how many of them get the scores that compute each map several times (default: all)")
    add("--images-again", type=natural, metavar="N", help=again)
    add("--note", default="", metavar="TEXT", help=tr("a note on the images, kept with the results"))


def _add_measures(parser: Parser) -> None:
    add = parser.add_argument_group(tr("what is measured, and how")).add_argument
    names = tr("some of {names}, separated by commas (default: all)", names=", ".join(METHODS))
    add("--methods", type=several(METHODS), default=tuple(METHODS), metavar="NAMES", help=names)
    names = tr("some of {names}, separated by commas (default: all)", names=", ".join(SCORES))
    add("--scores", type=several(SCORES), default=tuple(SCORES), metavar="NAMES", help=names)
    layer = tr(
        "the layer of the methods that explain one (default: the activation of the last block whose maps "
        "have several positions)"
    )
    add("--layer", metavar="NAME", help=layer)
    add("--seed", type=natural, default=0, metavar="N", help=tr("the seed of all random numbers"))
    command.add_device(add)
    add("--shard", type=shard, default=None, metavar="I/N", help=tr("measure only the Ith of N parts"))


def several(names: Iterable[str]) -> Callable[[str], tuple[str, ...]]:
    """Reads some of the names, separated by commas."""
    known = tuple(names)

    def read(text: str) -> tuple[str, ...]:
        chosen = tuple(dict.fromkeys(name.strip() for name in text.split(",") if name.strip()))
        for name in chosen or (text,):
            if name not in known:
                raise WrongValue(SEVERAL, choices=", ".join(known), text=name)
        return chosen

    return read


# The work


def _command(options: argparse.Namespace, words: Sequence[str]) -> None:
    device = command.device(options)
    with joined(device), alone(options.out, options.shard):
        index, parts = part(options.shard)
        measurement = _prepared(options, device)
        _check_results(measurement, options.out)
        if options.publish and not options.overwrite:
            _check_published(measurement, options.checkpoint)
        for sentence in _opening_lines(measurement):
            say(sentence)
        running.run(measurement, _progress(), index, parts)
        all_reduce_sum(torch.zeros(1, device=device))  # all processes have finished
        if not rank():
            _finish(measurement, options, words)


def _prepared(options: argparse.Namespace, device: Any) -> Measurement:
    if options.images_again is not None and options.images_again > options.images:
        raise Problem(
            "--images-again must be at most --images, which is {images}, not {again}.",
            images=options.images,
            again=options.images_again,
        )
    network = command.network(options)
    images = image_set(options.dataset, network.card, options.data_dir, options.seed, options.note)
    wanted = MeasurementPlan(
        options.images, options.methods, options.scores, options.images_again, options.layer, options.seed
    )
    return running.prepare(network, images, wanted, options.out, device)


def _check_results(measurement: Measurement, out: Path) -> None:
    """Problem where a folder has the results of another network, data set, layer or seed."""
    path = out / RESULT
    try:
        before = board.read(path) if path.exists() else None
    except Problem:  # a damaged file is made anew
        return
    if before is not None and running.has_other_images(measurement, before):
        raise Problem(
            "{folder} has the results of other images, whose data set is also called “{name}”. Give another "
            "--out.",
            folder=short_path(out),
            name=before.dataset,
        )
    if before is not None and not running.is_of(measurement, before):
        raise Problem(
            "{folder} has the results of another measurement: checkpoint {checkpoint}, data set {dataset}, "
            "layer {layer}, seed {seed}. Give another --out.",
            folder=short_path(out),
            checkpoint=before.checkpoint,
            dataset=before.dataset,
            layer=before.layer,
            seed=before.seed,
        )


def _check_published(measurement: Measurement, checkpoint: Path) -> None:
    """Problem where the numbers beside a checkpoint are those of its weights, and would lose something.

    Those of other weights are out of date.
    """
    path = board.path_beside(checkpoint, measurement.images.name)
    try:
        before = board.read(path) if path.exists() else None
    except Problem:  # a damaged file is made anew
        return
    if before is None or before.digest != measurement.network.digest or running.covers(measurement, before):
        return
    if running.has_other_images(measurement, before):
        raise Problem(
            "{file} was measured on other images, whose data set is also called “{name}”. Rename the folder "
            "of these, give --overwrite to replace it, or leave --publish out.",
            file=path.name,
            name=before.dataset,
        )
    raise Problem(
        "{file} was measured with other settings, or with more: {images} images ({provenance}), {rows} rows, "
        "{scores} scores, layer {layer}, seed {seed}. Give --overwrite to replace it, or leave --publish "
        "out.",
        file=path.name,
        images=before.images,
        provenance=in_words(before.provenance),
        rows=len(before.rows),
        scores=len(before.scores),
        layer=before.layer,
        seed=before.seed,
    )


def _opening_lines(measurement: Measurement) -> list[str]:
    wanted, rows = measurement.wanted, measurement.entries.rows
    sentence = tr(
        "{rows} maps and {scores} scores on {images} images: {provenance}",
        rows=len(rows),
        scores=len(wanted.scores),
        images=wanted.images,
        provenance=in_words(measurement.images.provenance),
    )
    left_out = measurement.entries.left_out | measurement.scores_left_out
    return [
        sentence,
        *filter(None, [measurement.images.notes]),
        *(tr("{name} is left out: {reason}", name=name, reason=why) for name, why in left_out.items()),
    ]


def _progress(clock: Callable[[], float] = time.monotonic) -> Callable[[int, int], None]:
    """Prints how far this process is, and how long the rest takes at the speed of this run."""
    started = clock()
    before: int | None = None  # done by an earlier start

    def tell(done: int, total: int) -> None:
        nonlocal before
        before = done if before is None else before
        if done == before:  # nothing is known of the speed
            say(tr("{done} of {total} chunks of {size} images", done=done, total=total, size=CHUNK))
            return
        left = round((clock() - started) / (done - before) * (total - done))
        say(
            tr(
                "{done} of {total} chunks of {size} images, about {left} left",
                done=done,
                total=total,
                size=CHUNK,
                left=timedelta(seconds=left),
            )
        )

    return tell


def _finish(measurement: Measurement, options: argparse.Namespace, words: Sequence[str]) -> None:
    """Write the results where everything is measured; else say what is missing."""
    chunks, lacking = running.chunks_of(measurement)
    if lacking:
        say(
            ngettext(
                "{n} chunk is not measured yet; start the command without --shard to measure it and to write "
                "the results.",
                "{n} chunks are not measured yet; start the command without --shard to measure them and to "
                "write the results.",
                lacking,
            )
        )
        return
    made = running.board_of(measurement, chunks, options.checkpoint.stem, command_of(words))
    for path in write(made, options.out):
        say(tr("Saved {path}", path=path))
    if options.publish:
        path = board.path_beside(options.checkpoint, made.dataset)
        board.write(made, path)
        say(tr("Saved {path}", path=path))
    say(tables.table(made))


PLACES = ("--out", "--data-dir")
"""Flags whose values say where something is on this machine."""
FILES = ("--checkpoint", "--classes")
"""Flags whose values may be a file: in a folder of this machine, or below the one that a person works in."""


def command_of(words: Sequence[str]) -> str:
    """The command that makes a scoreboard anew, without this machine's folders and without parts."""
    arguments: list[str] = []
    rest = iter(words)
    for word in rest:
        name, equals, value = word.partition("=")
        name = in_full(name)
        if name in (*PLACES, *FILES, "--shard") and not equals:
            value = next(rest, "")
        if name in PLACES:
            arguments += [name, "DIR"]
        elif name in FILES:
            arguments += [name, Path(value).name if Path(value).is_absolute() else value]
        elif name not in ("--shard", "--overwrite"):
            arguments.append(name + word[len(word.partition("=")[0]) :])
    return shlex.join(["python", "-m", "explorer.scoreboard", *arguments])


def in_full(flag: str) -> str:
    """A flag whose name may be shortened, as the command line allows it."""
    known = parser()._option_string_actions
    fitting = [name for name in known if flag.startswith("--") and name.startswith(flag)]
    return flag if flag in known or len(fitting) != 1 else fitting[0]


def write(made: Board, out: Path) -> list[Path]:
    """Write a board as JSON, CSV, Markdown and a figure into a folder; the paths."""
    charts = list(board_charts.charts_of(made).values())
    files = {
        "scoreboard.png": figures.figure(charts, figure_caption(made)),
        RESULT: board.to_json(made),
        "scoreboard.csv": tables.to_csv(made).encode(),
        "scoreboard.md": tables.to_markdown(made).encode(),
    }
    for name, data in files.items():
        with replacing(out / name) as file:
            file.write(data)
    return [out / name for name in files]


def figure_caption(made: Board) -> str:
    """What the figure shows, and of what."""
    return " · ".join(
        [
            figures.caption(checkpoint=made.checkpoint, digest=made.digest),
            tables.measured(made),
            tables.reading_chart(),
        ]
    )


if __name__ == "__main__":
    sys.exit(main())
