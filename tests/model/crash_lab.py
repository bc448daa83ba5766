"""Kills training runs and resumes them: `python crash_lab.py FOLDER KILLS SIGNALS`; prints one JSON object.

Every run is a fork of this process, so that nothing is imported again. KILLS runs kill themselves, each at
another moment: between or within steps, before, after and in the middle of every write, rename and sync.
SIGNALS runs are killed from outside after a random time.
"""

import contextlib
import gc
import io
import json
import os
import random
import signal
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import torch

from model import files
from model import train as trainer
from model.checkpoint import digest_of, load_checkpoint
from model.datasets import Dataset
from model.history import load_history
from model.snapshots import list_snapshots
from model.state import load_state
from model.training import loop

FLAGS = ["--epochs", "2", "--batch-size", "16", "--width", "4", "--ema", "0.9", "--snapshot-every", "1"]


def split(count, seed):
    rng = np.random.default_rng(seed)
    images = rng.integers(0, 256, (count, 16, 16, 3), dtype=np.uint8)
    return Dataset("noise", images, rng.integers(0, 3, count), ("a", "b", "c"), (0.5,) * 3, (0.25,) * 3, "")


class Moments:
    """Counts the moments of a run and kills the process at the chosen one."""

    def __init__(self, fatal=None):
        self.passed, self.fatal = 0, fatal

    def reached(self):
        self.passed += 1
        if self.passed == self.fatal:
            os.kill(os.getpid(), signal.SIGKILL)

    def around(self, function):
        def watched(*given, **named):
            self.reached()
            result = function(*given, **named)
            self.reached()
            return result

        return watched


class Halves:
    """A file whose every larger write is two, with a moment between them."""

    def __init__(self, file, moments):
        self.file, self.moments = file, moments

    def write(self, data):
        data = bytes(data)
        if len(data) < 1000:
            return self.file.write(data)
        written = self.file.write(data[: len(data) // 2])
        self.file.flush()
        self.moments.reached()
        return written + self.file.write(data[len(data) // 2 :])

    def __enter__(self):
        return self

    def __exit__(self, *error):
        return self.file.__exit__(*error)

    def __getattr__(self, name):
        return getattr(self.file, name)


def watch(moments):
    opened = os.fdopen
    loop.step = moments.around(loop.step)
    tempfile.mkstemp = moments.around(tempfile.mkstemp)
    for name in ("fsync", "chmod", "replace", "unlink"):
        setattr(files.os, name, moments.around(getattr(os, name)))
    files.os.fdopen = lambda handle, mode: Halves(opened(handle, mode), moments)


def run(out, *more, fatal=None, count=False):
    """Start a run in a process of its own, killed at moment `fatal`; with `count` it says how many it had."""
    child = os.fork()
    if child == 0:
        moments = Moments(fatal)
        if fatal or count:
            watch(moments)
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        os.dup2(os.open(out.parent / "stderr", os.O_WRONLY | os.O_CREAT), 2)
        status = trainer.main([*FLAGS, "--out", str(out), *more])
        if count:
            (out.parent / "moments").write_text(str(moments.passed))
        os._exit(status)
    return child


def ended(child):
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def on_disk(out):
    """Open all that a run left; how many checkpoints there were. Raises where one cannot be opened."""
    found = [path for path in (out, *(path for _, path in list_snapshots(out))) if path.exists()]
    for path in found:
        load_checkpoint(path).build()
    if out.with_name("run.history.json").exists():
        load_history(out.with_name("run.history.json"))
    if out.with_name("run.state.pt").exists():
        load_state(out.with_name("run.state.pt"))
    return len(found)


def resumed(out):
    """Go on with a killed run, or start it where it had not even begun; what it came to."""
    more = ["--resume"] if out.with_name("run.state.pt").exists() else []
    status = ended(run(out, *more))
    return result(out) if status == 0 else {"status": status, "said": (out.parent / "stderr").read_text()}


def result(out):
    history = load_history(out.with_name("run.history.json"))
    rows = [[row.train_loss, row.test_loss, row.lr] for row in history.epochs]
    snapshots = [[epoch, load_checkpoint(path).digest] for epoch, path in list_snapshots(out)]
    return {
        "weights": digest_of(load_checkpoint(out).state),
        "losses": history.losses,
        "rows": rows,
        "snapshots": snapshots,
        "state": history.about.state,
    }


def main(folder, kills, signals):
    torch.set_num_threads(1)
    data, test = split(40, 0), split(20, 1)
    trainer.images_of = lambda config: (data, test)
    trainer.save_figure = lambda *_: None
    files.os.fsync = lambda handle: None  # a killed process loses nothing that a sync would have kept
    with contextlib.redirect_stdout(io.StringIO()):
        trainer.main([*FLAGS, "--out", str(folder / "warm.safetensors")])  # imports what is imported late
    gc.freeze()
    rng, started = random.Random(0), time.monotonic()

    def place(name):
        (folder / name).mkdir()
        return folder / name / "run.safetensors"

    whole = place("whole")
    assert ended(run(whole, count=True)) == 0
    took = time.monotonic() - started
    moments = int((folder / "whole" / "moments").read_text())
    report = {"whole": result(whole), "moments": moments, "killed": []}
    fatal = sorted(rng.sample(range(1, moments + 1), kills))
    for number, moment in enumerate(fatal):
        out = place(f"kill-{number}")
        status = ended(run(out, fatal=moment))
        report["killed"].append({"at": moment, "status": status, "found": on_disk(out), **resumed(out)})
    for number in range(signals):
        out = place(f"signal-{number}")
        child, delay = run(out), rng.uniform(0.05, 0.9) * took
        time.sleep(delay)
        os.kill(child, signal.SIGKILL)
        report["killed"].append({"at": delay, "status": ended(child), "found": on_disk(out), **resumed(out)})
    report["again and again"] = hunted(place("hunted"), rng, moments)
    print(json.dumps(report))


def hunted(out, rng, moments):
    """Kill a run and each of its successors until one comes through."""
    for deaths in range(40):
        more = ["--resume"] if out.with_name("run.state.pt").exists() else []
        status = ended(run(out, *more, fatal=rng.randrange(moments // 3, 3 * moments // 4)))
        if status == 0:
            return {"deaths": deaths, "found": on_disk(out), **result(out)}
        assert status == -signal.SIGKILL
        on_disk(out)
    raise AssertionError("no run came through")


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
