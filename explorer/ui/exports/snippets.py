"""Short Python programs that compute a number of the page with the public engine and run without changes.

From any folder: a program says where the project is, and its paths within the project begin there.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import streamlit as st

from explorer.engine.network_source import Source
from explorer.engine.samples import FromScene, FromTestSet, Sample
from explorer.engine.scan.images import scene_number
from explorer.engine.scoreboard.image_sets import FRESH
from explorer.ui.options import ROOT, options
from explorer.ui.selection import Selection
from model.words import N_, tr

NOT_FOUND = N_("Project not found: add its folder (with explorer/ and model/) to FOLDERS.")


@dataclass(frozen=True)
class Origin:
    """Where a sample came from, in Python: what to import, and the expression that gives it again."""

    imports: tuple[str, ...]
    sample: str


def drawn(label: int) -> Origin:
    return Origin(("from explorer.engine.samples import scene",), f"scene({label})")


def numbered_scene(number: int) -> Origin:
    """One of the scenes that no training has drawn."""
    imports = ("from explorer.engine.scan.images import drawn_scenes",)
    return Origin(imports, f"drawn_scenes(checkpoint.card).take({number})")


def test_image(data_dir: Path, index: int) -> Origin:
    imports = ("from explorer.engine.samples import find_test_set",)
    return Origin(imports, f"find_test_set({path_text(data_dir)}).sample({index})")


def own_file(name: str) -> Origin:
    """A picture of the visitor's own: the file lies where the program is run."""
    imports = ("from explorer.engine.samples import decode",)
    note = tr("your file, in this folder")
    return Origin(imports, f"decode(Path({name!r}).read_bytes(), {name!r})  # {note}")


def drawn_batch(count: int) -> Origin:
    """Many scenes, as `batch` of a program."""
    return Origin(
        ("from explorer.engine.batches import from_scenes",), f"from_scenes({count}, checkpoint.card)"
    )


def test_batch(data_dir: Path, count: int, fit: str) -> Origin:
    """Many test images, as `batch` of a program."""
    first = test_image(data_dir, 0)
    images = first.sample.removesuffix(".sample(0)")
    fitted = f", {fit!r}" if fit != "crop" else ""
    imports = (*first.imports, "from explorer.engine.batches import from_test_set")
    return Origin(imports, f"from_test_set({images}, {count}, checkpoint.card{fitted})")


def origin(sample: Sample) -> Origin:
    """Where a sample came from; for one of the visitor's own, a file of its name."""
    match sample.origin:
        case FromScene(seed=seed) if seed >= FRESH:
            return numbered_scene(scene_number(seed))
        case FromScene(label=label):
            return drawn(label)
        case FromTestSet(index=index):
            return test_image(options().data_dir, index)
    return own_file(sample.name)


def program(selections: Sequence[Selection], imports: Sequence[str], lines: Sequence[str]) -> str:
    """A whole program: imports, `net` and `x` of each selection (`_b` on the second's), then lines."""
    opened, needed = [], list(imports)
    for selection, suffix in zip(selections, ("", "_b"), strict=False):
        more, (checkpoint, sample) = _opening(selection, suffix)
        needed += more
        opened += [checkpoint, f"net{suffix} = checkpoint{suffix}.build()", sample]
        opened.append(f"x{suffix} = checkpoint{suffix}.card.to_input(sample{suffix}.pixels{_fit(selection)})")
    return joined(needed, [*opened, *lines])


def program_of(source: Source, batch: Origin, imports: Sequence[str], lines: Sequence[str]) -> str:
    """A whole program of many images: imports, `net`, `batch`, then lines."""
    needed, checkpoint = _checkpoint(source)
    opened = [f"checkpoint = {checkpoint}", "net = checkpoint.build()", f"batch = {batch.sample}"]
    return joined([*needed, *batch.imports, *imports], [*opened, *lines])


def program_of_pixels(selection: Selection, imports: Sequence[str], lines: Sequence[str]) -> str:
    """A whole program without a network: imports, `checkpoint`, `pixels` as it would get them, then lines."""
    needed, opened = _opening(selection, "")
    framed = f"pixels = checkpoint.card.framed(sample.pixels{_fit(selection)})"
    return joined([*needed, *imports], [*opened, framed, *lines])


def joined(imports: Sequence[str], lines: Sequence[str]) -> str:
    """A program's text: others' imports, where the project is, its imports, then lines; each import once."""
    needed = {"import sys", "from pathlib import Path", *imports}
    own = {line for line in needed if line.startswith(("from explorer", "from model"))}
    paths = {line for line in needed if line.startswith("sys.path")}
    others = sorted(needed - own - paths, key=lambda line: (line.startswith("from"), line))
    return "\n".join([*others, "", *project(), *sorted(paths), "", *sorted(own), "", *lines]) + "\n"


def project() -> list[str]:
    """The lines of a program that let Python find the project's modules, or end it in a sentence."""
    folders = ["Path.cwd()"] if is_elsewhere() else [f"Path({str(ROOT)!r})", "Path.cwd()"]
    return [
        f"FOLDERS = [{', '.join(folders)}]  # {tr('where the project may be')}",
        'PROJECT = next((each for each in FOLDERS if (each / "explorer" / "engine").is_dir()), None)',
        "if PROJECT is None:",
        f"    sys.exit({tr(NOT_FOUND)!r})",
        "sys.path.insert(0, str(PROJECT))",
    ]


def is_elsewhere() -> bool:
    """Whether the visitor's browser is on another machine, for which this one's folders mean nothing."""
    host = urlsplit(st.context.url or "").hostname
    return host not in (None, "localhost", "127.0.0.1", "::1")


def _opening(selection: Selection, suffix: str) -> tuple[list[str], list[str]]:
    needed, checkpoint = _checkpoint(selection.opened.source)
    sample = origin(selection.sample)
    steps = [f"checkpoint{suffix} = {checkpoint}", f"sample{suffix} = {sample.sample}"]
    return [*needed, *sample.imports], steps


def _fit(selection: Selection) -> str:
    return f", {selection.fit!r}" if selection.fit != "crop" else ""


def _checkpoint(source: Source) -> tuple[list[str], str]:
    if source == Source(source.path) and source.path is not None:
        return ["from model.checkpoint import load_checkpoint"], f"load_checkpoint({path_text(source.path)})"
    fields = {name: value for name, value in vars(source).items() if value is not None and name != "path"}
    arguments = [f"{name}={_value(name, value)}" for name, value in fields.items()]
    path = [] if source.path is None else [f"path={path_text(source.path)}"]
    imports = [
        "from explorer.engine.network_source import Source",
        "from explorer.engine.opening import open_checkpoint",
        *_beside(source.net),
    ]
    return imports, f"open_checkpoint(Source({', '.join(path + arguments)}))"


def _beside(net: str | None) -> list[str]:
    """What lets a program find the module of a network that lies in the folder where the app was started."""
    if net is None or is_elsewhere() or not list(Path.cwd().glob(f"{net.partition(':')[0].split('.')[0]}*")):
        return []
    return [] if Path.cwd() == ROOT else [f"sys.path.append({str(Path.cwd())!r})  # {net.partition(':')[0]}"]


def _value(name: str, value: object) -> str:
    """A field of a Source as Python text; a file of class names by its whole path."""
    names = Path(str(value)) if name == "classes" else None
    return f"str({path_text(names)})" if names is not None and names.is_file() else repr(value)


def path_text(path: Path) -> str:
    """A path as Python text, beginning at the project where it lies within."""
    whole = path.resolve()
    if whole.is_relative_to(ROOT):
        return f"PROJECT / {whole.relative_to(ROOT).as_posix()!r}"
    return f"Path({str(whole)!r})"
