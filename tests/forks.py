"""Python programs in processes of their own, forks of one process that has imported large libraries.

To import torch takes two seconds of CPU time, more than most programs of the tests take. What runs here has
its own arguments, folder, environment and output, as in a new interpreter, and nothing of the project is
imported before it begins; only the libraries are.
"""

import functools
import gc
import importlib
import json
import os
import runpy
import signal
import socket
import subprocess
import sys
import tempfile
import types
from collections.abc import Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
LIBRARIES = (
    "torch",
    "torch._dynamo",
    "captum.attr",
    "matplotlib.figure",
    "matplotlib.backends.backend_agg",
    "pandas",
    "altair",
    "streamlit.web.cli",
)
LONGEST = 1200  # seconds; then the process ends by SIGALRM


def run(
    *words: str | Path, cwd: str | Path | None = None, env: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """What `python WORDS` does: `-c PROGRAM`, `-m MODULE` or the path of a file, with its arguments.

    `cwd` is the project if not given; `env` is the whole environment, if not given this process's own.
    """
    return together(*words, cwd=cwd, envs=[os.environ if env is None else env])[0]


def torchrun(
    count: int, *words: str | Path, cwd: str | Path | None = None, path: str = ""
) -> list[subprocess.CompletedProcess[str]]:
    """`count` processes, in the environment that torchrun gives each, and with `path` as PYTHONPATH."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    known = {"WORLD_SIZE": count, "LOCAL_WORLD_SIZE": count, "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
    ranks = [{"RANK": rank, "LOCAL_RANK": rank, **known} for rank in range(count)]
    own = os.environ | {"PYTHONPATH": path}
    envs = [own | {name: str(value) for name, value in each.items()} for each in ranks]
    return together(*words, cwd=cwd, envs=envs)


def together(
    *words: str | Path, cwd: str | Path | None = None, envs: list[Mapping[str, str]]
) -> list[subprocess.CompletedProcess[str]]:
    """The same program in one process for each environment, at the same time."""
    with tempfile.TemporaryDirectory() as folder:
        outputs = [[str(Path(folder) / f"{kind}{k}") for kind in ("out", "err")] for k in range(len(envs))]
        texts = [str(word) for word in words]
        jobs = [
            {"words": texts, "cwd": str(cwd or ROOT), "env": dict(env), "outputs": output, "seconds": LONGEST}
            for env, output in zip(envs, outputs, strict=True)
        ]
        codes = _asked(run=jobs)
        printed = [[Path(path).read_bytes().decode() for path in output] for output in outputs]
    return [
        subprocess.CompletedProcess(texts, code, *both) for code, both in zip(codes, printed, strict=True)
    ]


class Started:
    """A process that goes on beside this one until it is stopped; what it prints is written to `log`."""

    def __init__(self, *words: str | Path, log: Path) -> None:
        job = {"words": [str(word) for word in words], "cwd": str(ROOT), "env": dict(os.environ)}
        (self.pid,) = _asked(start=[{**job, "outputs": [str(log)] * 2, "seconds": 0}])
        self.status: int | None = None

    def poll(self) -> int | None:
        """The exit status; None while it runs."""
        if self.status is None:
            self.status = _asked(poll=self.pid)
        return self.status

    def stop(self) -> None:
        if self.poll() is None:
            os.kill(self.pid, signal.SIGTERM)


def _asked(**what: object) -> Any:
    """What the server answers: the processes that start, the exit status of those that ran, or of one."""
    server = _server()
    assert server.stdin
    assert server.stdout
    server.stdin.write(json.dumps(what) + "\n")
    server.stdin.flush()
    return json.loads(server.stdout.readline())


@functools.cache
def _server() -> subprocess.Popen[str]:
    """It ends with this process, when its input is closed."""
    env = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"} | {
        "OMP_NUM_THREADS": "1"
    }
    command = [sys.executable, __file__]
    return subprocess.Popen(command, env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def _job() -> dict[str, Any]:
    """In a fork: what it has to do. In the server: never."""
    while line := sys.stdin.readline():
        [(kind, what)] = json.loads(line).items()
        if kind == "poll":
            done, status = os.waitpid(what, os.WNOHANG)
            answer: Any = os.waitstatus_to_exitcode(status) if done else None
        else:
            answer = []
            for job in what:
                if not (pid := os.fork()):
                    return job  # type: ignore[no-any-return]
                answer.append(pid)
        if kind == "run":
            answer = [os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in answer]
        print(json.dumps(answer), flush=True)
    sys.exit()


def _do(job: dict[str, Any]) -> None:
    signal.alarm(job["seconds"])
    for number, path in enumerate([os.devnull, *job["outputs"]]):
        opened = os.open(path, os.O_RDWR | os.O_CREAT)
        os.dup2(opened, number)
        os.close(opened)
    os.environ.clear()
    os.environ.update(job["env"])
    os.chdir(job["cwd"])
    first, *rest = job["words"]
    sys.path[:1] = [path for path in job["env"].get("PYTHONPATH", "").split(os.pathsep) if path]
    if first == "-c":
        sys.argv, program = ["-c", *rest[1:]], types.ModuleType("__main__")
        sys.path.insert(0, "")
        sys.modules["__main__"] = program
        exec(compile(rest[0], "<string>", "exec"), vars(program))
    elif first == "-m":
        sys.argv = rest
        sys.path.insert(0, job["cwd"])
        runpy.run_module(rest[0], run_name="__main__", alter_sys=True)
    else:
        sys.argv = [first, *rest]
        sys.path.insert(0, str(Path(first).resolve().parent))
        runpy.run_path(first, run_name="__main__")


if __name__ == "__main__":
    for name in LIBRARIES:
        importlib.import_module(name)
    gc.freeze()  # a collection in a fork would go through it all, and copy its memory
    _do(_job())
