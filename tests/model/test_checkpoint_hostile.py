"""Files that mean harm: nothing in them is executed, imported or opened; they take little time and memory."""

import io
import json
import pickle
import random
import struct
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable

import pytest
import torch
from safetensors.torch import save as to_safetensors

from model.checkpoint import load_checkpoint
from model.nets import NETS
from model.problems import Problem
from tests import forks
from tests.model.saved_files import legacy, zipped

SMALL = {"classes": 3, "input_size": 8, "widths": [4, 6], "hidden": 8}
STATE = NETS["course"](**SMALL).state_dict()


def scripted() -> bytes:
    file = io.BytesIO()
    torch.jit.save(torch.jit.trace(NETS["course"](**SMALL).eval(), torch.zeros(1, 3, 8, 8)), file)
    return file.getvalue()


# Pickles, by their opcodes


def text(value: str) -> bytes:
    return b"X" + struct.pack("<I", len(value)) + value.encode()


def reference(module: str, name: str) -> bytes:
    return f"c{module}\n{name}\n".encode()


COMMAND = "touch {marker}"
CALLED = {
    "system": (reference("os", "system"), text(COMMAND)),
    "posix": (reference("posix", "system"), text(COMMAND)),
    "popen": (reference("subprocess", "Popen"), text(COMMAND)),
    "eval": (reference("builtins", "eval"), text("__import__('os').mkdir('{marker}')")),
    "exec": (reference("builtins", "exec"), text("open('{marker}', 'w')")),
    "open": (reference("builtins", "open"), text("{marker}")),
    "old builtins": (reference("__builtin__", "execfile"), text("{marker}")),
    "import": (reference("builtins", "__import__"), text("antigravity")),
    "torch.load": (reference("torch", "load"), text("{marker}")),
    "torch.serialization": (reference("torch.serialization", "load"), text("{marker}")),
    "torch.jit": (reference("torch.jit", "load"), text("{marker}")),
    "torch.hub": (reference("torch.hub", "load"), text("someone/something")),
    "torch.os": (reference("torch.utils.data.dataloader", "os.system"), text(COMMAND)),
    "nested": (reference("torch.storage", "_load_from_bytes"), b"C\x05cos\n."),
    "from_type": (
        reference("torch._tensor", "_rebuild_from_type_v2"),
        reference("os", "system") + b"N" + text(COMMAND) + b"\x85N(" + b"1",
    ),
    "numpy": (reference("numpy", "load"), text("{marker}")),
    "numpy.f2py": (reference("numpy.f2py.capi_maps", "eval"), text("1")),
    "pickle": (reference("pickle", "loads"), text("cos\nsystem\n.")),
    "codecs": (reference("_codecs", "encode"), text("x") + text("rot13") + b"0"),
    "partial": (reference("functools", "partial"), reference("os", "system")),
    "getattr": (reference("builtins", "getattr"), reference("os", "path")),
    "ctypes": (reference("ctypes", "CDLL"), text("{marker}")),
    "socket": (reference("socket", "create_connection"), text("localhost")),
    "this": (reference("this", "s"), text("x")),
    "missing": (reference("gone_tomorrow.module", "Class.inner"), text("x")),
}

OPERATIONS: dict[str, Callable[[bytes, bytes], bytes]] = {
    "REDUCE": lambda called, argument: called + argument + b"\x85R",
    "NEWOBJ": lambda called, argument: called + argument + b"\x85\x81",
    "NEWOBJ_EX": lambda called, argument: called + argument + b"\x85}\x92",
    "OBJ": lambda called, argument: b"(" + called + argument + b"o",
    "INST": lambda called, argument: b"(" + argument + b"i" + called[1:],
    "BUILD": lambda called, argument: called + b")\x81}" + text("__setstate__") + argument + b"sb",
    "BUILD on a class": lambda called, argument: called + b"}" + text("__reduce__") + argument + b"sb",
    "PERSID": lambda called, argument: b"Pos.system\n0" + called + argument + b"\x85R",
    "BINPERSID": lambda called, argument: called + argument + b"\x86Q",
    "storage": lambda called, argument: b"(" + text("storage") + called + text("0") + argument + b"K\x04tQ",
    "SETITEM": lambda called, argument: b"}" + called + argument + b"s",
    "key": lambda called, argument: called + argument + b"\x85R" + b"}" + b"h\x00" + b"N" + b"s0",
}


def dumped(body: bytes, protocol: int = 2) -> bytes:
    """A pickle of a state_dict that has `body` beside the weights, or of `body` alone."""
    return b"\x80" + bytes([protocol]) + body + b"."


def stack_global(called: bytes) -> bytes:
    module, name = called[1:].decode().splitlines()[:2]
    return text(module) + text(name) + b"\x93"


def archived(pickled: bytes) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        archive.writestr("archive/data.pkl", pickled)
        archive.writestr("archive/data/0", bytes(64))
        archive.writestr("archive/version", "3")
    return made.getvalue()


def in_a_row(pickled: bytes) -> bytes:
    """A file of torch without an archive."""
    head = legacy({})
    return head[: head.index(b"\x80\x02}q")] + pickled if b"\x80\x02}q" in head else head[:60] + pickled


def hostile(marker: str) -> dict[str, bytes]:
    files = {}
    for name, (called, argument) in CALLED.items():
        argument = argument.replace(b"{marker}", marker.encode())
        if argument[:1] == b"X":
            inner = argument[5:]
            argument = b"X" + struct.pack("<I", len(inner)) + inner if name != "codecs" else argument
        for operation, make in OPERATIONS.items():
            files[f"{name} {operation}"] = dumped(make(called, argument))
        files[f"{name} STACK_GLOBAL"] = dumped(stack_global(called) + argument + b"\x85R", 4)
    for name in ("_inductor", "_dynamo", "onnx", "os.system", "classes"):  # torch imports some when asked
        files[f"dtype {name}"] = state_with(tensor(b"K\x04\x85", b"K\x01\x85", dtype=name))
    for code in (b"\x82\x01", b"\x83\x01\x00", b"\x84\x01\x00\x00\x00"):
        files[f"EXT {code!r}"] = dumped(code + b")R")
    return files


AUDITED = """
import pathlib, sys
from model.checkpoint import load_checkpoint
from model.problems import Problem
folder = pathlib.Path(sys.argv[1])
good, bad = sorted((folder / "good").iterdir()), sorted((folder / "bad").iterdir())
for path in [*good, *bad[:3]]:
    try:
        load_checkpoint(path)
    except Problem as problem:
        str(problem)
allowed, events = {str(path) for path in bad}, []
sys.addaudithook(lambda event, args: events.append((event, args)))
for path in bad:
    try:
        load_checkpoint(path)
    except Problem as problem:
        str(problem)
done = list(events)
opened = [args[0] for event, args in done if event == "open" and not isinstance(args[0], int)]
assert [path for path in opened if str(path) not in allowed] == [] and len(opened) == len(bad)
print(sorted({event for event, _ in done if event not in ("open", "builtins.id")}))
"""


def test_nothing_is_executed_imported_or_opened(tmp_path):
    for folder in ("good", "bad"):
        (tmp_path / folder).mkdir()
    for name, save in {"zip": zipped, "legacy": legacy, "pickle": pickle.dumps}.items():
        (tmp_path / "good" / name).write_bytes(save(dict(STATE)))
    (tmp_path / "good" / "script").write_bytes(scripted())
    marker = tmp_path / "marker"
    for index, pickled in enumerate(hostile(str(marker)).values()):
        (tmp_path / "bad" / f"{index}.pkl").write_bytes(pickled)
        (tmp_path / "bad" / f"{index}.zip").write_bytes(archived(pickled))
        (tmp_path / "bad" / f"{index}.old").write_bytes(in_a_row(pickled))
    done = subprocess.run(
        [sys.executable, "-c", AUDITED, str(tmp_path)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == "[]\n"
    assert not marker.exists()


def test_the_pickles_above_are_what_they_claim(tmp_path):
    """Python's own reader runs them: only then does it show anything that ours does not."""
    ran = 0
    for name, pickled in hostile(str(tmp_path / "marker")).items():
        if name.startswith(("system ", "eval ")) and name.endswith(
            (" REDUCE", " OBJ", " INST", " STACK_GLOBAL")
        ):
            pickle.loads(pickled)
            assert (tmp_path / "marker").exists(), name
            marker = tmp_path / "marker"
            marker.rmdir() if marker.is_dir() else marker.unlink()
            ran += 1
    assert ran == 8


# Time and memory


def tensor(
    size: bytes, stride: bytes, offset: bytes = b"K\x00", length: bytes = b"K\x10", dtype: str = ""
) -> bytes:
    """A tensor over a storage of 64 bytes."""
    storage = (
        b"(" + text("storage") + reference("torch", "FloatStorage") + text("0") + text("cpu") + length + b"tQ"
    )
    return (
        reference("torch._utils", "_rebuild_tensor_v3" if dtype else "_rebuild_tensor_v2")
        + b"(" + storage + offset + size + stride
        + b"\x89" + reference("collections", "OrderedDict") + b")R"
        + (reference("torch", dtype) if dtype else b"") + b"tR"
    )  # fmt: skip


def state_with(body: bytes) -> bytes:
    """A pickle of a dict that has something as a course CNN's first weight."""
    return dumped(b"}" + text("conv1.weight") + body + b"s")


def twice(depth: int) -> bytes:
    """Tuples of twice the same tuple."""
    return b")" + b"2\x86" * depth


def long_bytes(data: bytes) -> bytes:
    return b"B" + struct.pack("<I", len(data)) + data


COUNT = 50_000
BOMBS: dict[str, Callable[[], bytes]] = {
    "sets": lambda: dumped(b"\x8f" * COUNT * 4),
    "dicts": lambda: dumped(b"}" * COUNT * 4),
    "names": lambda: dumped(b"c\n\n" * COUNT),
    "marks": lambda: dumped(b"(" * COUNT * 4),
    "memo": lambda: dumped(b"Nr\xff\xff\xff\xff" * 1000),
    "memo of everything": lambda: dumped(b"}\x94" * COUNT * 2),
    "deep": lambda: dumped(b")" + b"\x85" * COUNT),
    "deep lists": lambda: dumped(b"]" + b"]" * COUNT + b"a" * COUNT),
    "deep dicts": lambda: dumped((b"}" + text("a")) * COUNT + b"N" + b"s" * COUNT),
    "deep key": lambda: dumped(b"}" + b")" + b"\x85" * COUNT + b"Ns"),
    "key of twice": lambda: dumped(b"}" + twice(40) + b"Ns"),
    "twice": lambda: dumped(twice(60)),
    "twice in a dict": lambda: state_with(twice(60)),
    "itself": lambda: dumped(b"]q\x00" + b"h\x00a" * 1000),
    "itself in a dict": lambda: dumped(b"}q\x00" + text("a") + b"h\x00s" + text("b") + b"h\x00s"),
    "extended by itself": lambda: dumped(b"]q\x00(" + b"h\x00" * COUNT + b"e"),
    "long bytes": lambda: dumped(b"\x8e" + struct.pack("<Q", 2**40) + b"x"),
    "long array": lambda: dumped(b"\x96" + struct.pack("<Q", 2**33) + b"x"),
    "long text": lambda: dumped(b"\x8d" + struct.pack("<Q", 2**62) + b"x"),
    "negative text": lambda: dumped(b"T\xff\xff\xff\xff"),
    "frame": lambda: dumped(b"\x95" + struct.pack("<Q", 2**60) + b"N"),
    "long number": lambda: dumped(b"}\x8b" + struct.pack("<i", 500_000) + b"\x01" * 500_000
                                  + b"q\x00Ns" + b"h\x00Ns" * 50_000),
    "digits": lambda: dumped(b"I" + b"1" * 90_000 + b"\n"),
    "encoded": lambda: dumped(text("x" * 300_000) + b"q\x000" + (
        reference("_codecs", "encode") + b"h\x00" + text("latin1") + b"\x86R") * 10_000),
    "ordered": lambda: dumped(b"](" + (b"K\x01K\x02\x86" * 1000) + b"eq\x000" + (
        reference("collections", "OrderedDict") + b"h\x00\x85R") * 10_000),
    "nested": lambda: dumped(long_bytes(legacy(torch.zeros(9).untyped_storage())) + b"q\x000" + (
        reference("torch.storage", "_load_from_bytes") + b"h\x00\x85R") * 10_000),
    "bytearray": lambda: dumped(reference("builtins", "bytearray") + b"J\xff\xff\xff\x7f\x85R"),
    "modules": lambda: dumped(reference("x", "Net") + b")\x81q\x00}" + text("_modules") + b"}"
                              + text("a") + b"h\x00s" + text("b") + b"h\x00ssb"),
    "deep tensors": lambda: dumped((b"}" + text("a")) * 35 + b"(" + tensor(b"K\x04\x85", b"K\x01\x85")
                                   + b"q\x00" + b"h\x00" * COUNT + b"l" + b"s" * 35),
    "tensors": lambda: dumped((tensor(b"K\x04\x85", b"K\x01\x85")) * 4000),
    "outside": lambda: state_with(tensor(b"K\x11\x85", b"K\x01\x85")),
    "outside by offset": lambda: state_with(tensor(b"K\x01\x85", b"K\x01\x85", b"J\xff\xff\xff\x7f")),
    "before": lambda: state_with(tensor(b"K\x01\x85", b"K\x01\x85", b"J\xff\xff\xff\xff")),
    "outside by stride": lambda: state_with(tensor(b"K\x02K\x02\x86", b"K\x01J\xff\xff\xff\x7f\x86")),
    "backwards": lambda: state_with(tensor(b"K\x02\x85", b"J\xff\xff\xff\xff\x85", b"K\x03")),
    "expanded": lambda: state_with(tensor(b"J\xff\xff\xff\x7f\x85", b"K\x00\x85")),
    "long storage": lambda: state_with(
        tensor(b"J\xff\xff\xff\x7f\x85", b"K\x01\x85", length=b"J\xff\xff\xff\x7f")),
    "true sizes": lambda: state_with(tensor(b"\x88\x85", b"\x88\x85")),
    "no sizes": lambda: state_with(tensor(b"N", b"N")),
    "many dimensions": lambda: state_with(tensor(*[b"(" + b"K\x01" * 5000 + b"t"] * 2)),
}  # fmt: skip

MEASURED = """
import pathlib, resource, sys, time
from model.checkpoint import load_checkpoint
from model.problems import Problem
peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
paths = sorted(pathlib.Path(sys.argv[1]).iterdir())
for path in [paths[0], *paths]:
    before, start = peak(), time.process_time()
    try:
        load_checkpoint(path)
        print(path.name, "was loaded")
    except Problem as problem:
        str(problem)
    print(path.name, (peak() - before) // 1000, time.process_time() - start, sep="\t")
"""


def test_few_bytes_take_little_time_and_memory(tmp_path):
    for name, make in BOMBS.items():
        (tmp_path / f"{name}.pkl").write_bytes(make())
    done = forks.run("-c", MEASURED, tmp_path)
    assert done.returncode == 0, done.stderr
    rows = [line.split("\t") for line in done.stdout.splitlines()][1:]
    assert all(len(row) == 3 for row in rows), rows
    assert max(path.stat().st_size for path in tmp_path.iterdir()) < 1_000_000
    assert sum(int(megabytes) for _, megabytes, _ in rows) < 150, rows
    assert max(float(seconds) for *_, seconds in rows) < 10, max(rows, key=lambda row: float(row[2]))


def test_an_archive_of_very_many_files(tmp_path):
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        archive.writestr("a/data.pkl", pickle.dumps(1))
        for index in range(20_000):
            archive.writestr(f"a/data/{index}", b"")
    (tmp_path / "a.pt").write_bytes(made.getvalue())
    start = time.process_time()
    with pytest.raises(Problem):
        load_checkpoint(tmp_path / "a.pt")
    assert time.process_time() - start < 10


# Damage


def whole_module() -> bytes:
    return zipped(NETS["course"](**SMALL))


FILES = {
    "zip": lambda: zipped(dict(STATE)),
    "legacy": lambda: legacy({"epoch": 3, "state_dict": dict(STATE)}),
    "pickle": lambda: pickle.dumps(dict(STATE)),
    "text pickle": lambda: pickle.dumps({name: value.numpy() for name, value in STATE.items()}, 0),
    "module": whole_module,
    "script": scripted,
    "safetensors": lambda: to_safetensors(
        dict(STATE), {"card": json.dumps({"arguments": {"widths": [4, 6], "hidden": 8}, "input_size": 8})}
    ),
}


def damaged(data: bytes, chance: random.Random) -> bytes:
    """The file with a few bytes changed, put in, taken out, or its end cut off."""
    made = bytearray(data)
    for _ in range(chance.choice((1, 1, 2, 8, 40))):
        place = chance.randrange(len(made))
        match chance.randrange(6):
            case 0 | 1 | 2:
                made[place] = chance.choice(
                    (chance.randrange(256), made[place] ^ 1 << chance.randrange(8), 46)
                )
            case 3:
                made[place:place] = chance.randbytes(chance.randrange(1, 9))
            case 4:
                del made[place : place + chance.randrange(1, 50)]
            case 5:
                other = chance.randrange(len(made))
                made[place : place + 20] = made[other : other + 20]
    return bytes(made[: chance.randrange(len(made))] if chance.random() < 0.1 else made)


@pytest.mark.parametrize("name", FILES)
def test_a_damaged_file_loads_or_is_one_sentence(tmp_path, name):
    chance, data = random.Random(name), FILES[name]()
    start = time.process_time()
    for _ in range(120):
        (tmp_path / "a").write_bytes(damaged(data, chance))
        try:
            load_checkpoint(tmp_path / "a").build()
        except Problem as problem:
            message = str(problem)
            assert message.endswith(".")
            assert "\n" not in message
    assert time.process_time() - start < 120
