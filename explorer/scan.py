"""One pass of a network over a data set: `python -m explorer.scan --checkpoint FILE --dataset NAME …`.

What is scanned is on disk at once, so that a stopped scan goes on where it was: start it again.
"""

import argparse
import sys
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path

import torch

from explorer import command
from explorer.drawing.ranges import percent
from explorer.engine.intervals import interval
from explorer.engine.scan import pace, running, shards
from explorer.engine.scan.images import DATASETS, SCENES, SPLITS, scan_images
from explorer.engine.scan.result import Scan, naming_hint
from explorer.engine.scan.running import Scanning
from model.allocator import keep_freed_memory
from model.arguments import Parser
from model.command import count, one_of
from model.datasets import DATA_DIR
from model.failures import exit_code
from model.problems import Problem
from model.processes import all_reduce_sum, joined, rank
from model.sharing import alone, part, shard
from model.training.run import say
from model.words import ngettext, of_environment, tr, use

NAMED = 10
"""How many unreadable images are named."""
SECONDS = 2.0
"""Between two lines of progress."""


def main(arguments: list[str] | None = None) -> int:
    use(of_environment())
    words = sys.argv[1:] if arguments is None else arguments
    if words[:1] == ["merge"]:
        given = merge_parser().read_or_exit(words[1:])
        return exit_code(lambda: _merge(given), sentence_of)
    options = parser().read_or_exit(words)
    return exit_code(
        lambda: _command(options),
        sentence_of,
        tr("Stopped. Run the same command again to continue after the last saved part."),
    )


def sentence_of(error: Exception) -> str:
    """What was wrong and what to do, with this command's flags; "" for an error of the program itself."""
    memory = tr(
        "There is not enough memory for this run; scan fewer images with --limit, or choose another --device."
    )
    return command.sentence_of(error, memory)


# The command line


def parser() -> Parser:
    parser = Parser(
        "python -m explorer.scan",
        usage=tr("%(prog)s --checkpoint FILE --dataset NAME --out DIR [flags]"),
        description=tr(
            "Run a network once over a data set, and write its logits and every channel’s statistics into "
            "one file, which the explorer finds. A stopped scan goes on when the same command is started "
            "again."
        ),
        epilog=tr(
            "In several processes: torchrun --nproc-per-node N -m explorer.scan …, or --shard 1/N to --shard "
            "N/N on any machines, and then python -m explorer.scan merge DIR … --out DIR."
        ),
        title=tr("general"),
    )
    command.add_network(parser)
    add = parser.first.add_argument
    command.add_device(add)
    add("--shard", type=shard, default=None, metavar="I/N", help=tr("scan only the Ith of N parts"))
    _add_images(parser)
    return parser


def _add_images(parser: Parser) -> None:
    add = parser.add_argument_group(tr("images")).add_argument
    sets = tr("the images: {names}", names=", ".join(DATASETS))
    add("--dataset", required=True, help=sets, **one_of(DATASETS))
    data = tr("the folder of CIFAR-10, or a folder with test/CLASS/* or val/CLASS/*")
    add("--data-dir", type=Path, default=DATA_DIR, metavar="DIR", help=data)
    add("--split", default="test", help=tr("test (default) or train"), **one_of(SPLITS))
    limit = tr(
        "only N images, evenly spread over the set; of scenes how many (default: {count})", count=SCENES
    )
    add("--limit", type=count, metavar="N", help=limit)


def merge_parser() -> Parser:
    parser = Parser(
        "python -m explorer.scan merge",
        usage=tr("%(prog)s DIR … --out DIR"),
        description=tr("Make one result of the parts that --shard left in folders, and remove the parts."),
        title=tr("general"),
    )
    add = parser.first.add_argument
    add("folders", type=Path, nargs="+", metavar="DIR", help=tr("a folder with parts of a scan"))
    add("--out", type=Path, required=True, metavar="DIR", help=tr("the folder of the results"))
    return parser


# The work


def _command(options: argparse.Namespace) -> None:
    keep_freed_memory()
    device = command.device(options)
    with joined(device), alone(options.out, options.shard):
        index, parts = part(options.shard)
        scanning = _prepared(options, device)
        if (scan := running.finished(scanning)) is not None:
            report(scan, scanning.path)
            return
        mine = scanning.shards[index::parts]
        tell = _progress(sum(map(len, mine)))
        for scanned in running.run(scanning, mine):
            tell(scanned)
        all_reduce_sum(torch.zeros(1, device=device))  # all processes have finished
        if options.shard is not None and parts > 1:
            say(_done(scanning, options, parts))
        elif not rank():
            report(running.finish(scanning), scanning.path)


def _prepared(options: argparse.Namespace, device: torch.device) -> Scanning:
    network = command.network(options)
    images = scan_images(options.dataset, network.card, options.data_dir, options.split, options.limit)
    if images.images.notes and not rank():
        say(images.images.notes)
    return running.prepare(network, images, options.out, device)


def _progress(total: int, clock: Callable[[], float] = time.monotonic) -> Callable[[int], None]:
    """Prints how far this process is, and how long the rest takes at the pace of the last batches."""
    begun = told = before = clock()
    batches: deque[tuple[int, float]] = deque(maxlen=pace.RECENT)
    done = 0

    def tell(scanned: int) -> None:
        nonlocal told, before, done
        now = clock()
        batches.append((scanned, now - before))
        before, done = now, done + scanned
        if now - told < SECONDS and done < total:
            return
        told = now
        say(pace.progress_text(done, total, pace.recent_pace(batches) or (now - begun) / done))

    return tell


def _done(scanning: Scanning, options: argparse.Namespace, parts: int) -> str:
    return tr(
        "This part is in {folder}. Once all {parts} are there: python -m explorer.scan merge {out} "
        "--out {out}",
        folder=shards.folder_of(options.out, scanning.key),
        parts=parts,
        out=options.out,
    )


def _merge(options: argparse.Namespace) -> None:
    keys = shards.keys_in(options.folders)
    if not keys:
        raise Problem(
            "There is no part of a scan in {folders}: give the --out of the commands with --shard.",
            folders=", ".join(map(str, options.folders)),
        )
    problems = []
    for key in keys:
        try:
            path, scan = shards.finish(options.folders, key, options.out)
        except Problem as problem:
            problems.append(problem)
        else:
            report(scan, path)
    for each in problems[:-1]:
        print(tr("error: {sentence}", sentence=each), file=sys.stderr)
    if problems:
        raise problems[-1]


def report(scan: Scan, path: Path) -> None:
    """Say what the result is, and where."""
    for sentence in sentences(scan):
        say(sentence)
    say(tr("Saved {path}", path=path))


def sentences(scan: Scan) -> list[str]:
    """What was scanned: the accuracy with its interval, and what had no part in it."""
    labeled, correct = int(scan.labeled.sum()), int(scan.correct.sum())
    others = len(scan) - labeled
    made = []
    if labeled:
        low, high = interval(correct / labeled, labeled)
        made.append(
            tr(
                "Accuracy: {accuracy} (95% interval {low} to {high}, n = {n:,})",
                accuracy=percent(correct / labeled, 2),
                low=percent(low, 2),
                high=percent(high, 2),
                n=labeled,
            )
        )
    if others:
        made.append(
            ngettext(
                "{n:,} image has a label that is none of the network’s classes, and no part in the accuracy.",
                "{n:,} images have labels that are none of the network’s classes, and no part in the "
                "accuracy.",
                others,
            )
        )
        made += filter(None, [naming_hint(scan)])
    left = len(scan.unreadable)
    if left:
        made.append(
            ngettext(
                "{n:,} image cannot be read and is left out:",
                "{n:,} images cannot be read and are left out:",
                left,
            )
        )
        made += [f"- {text}" for text in scan.unreadable[:NAMED]]
    if left > NAMED:
        made.append(tr("- and {count:,} more", count=left - NAMED))
    return made


if __name__ == "__main__":
    sys.exit(main())
