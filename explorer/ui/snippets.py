"""Short Python programs that come to a number of the page by the public engine, run as they are."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from explorer.engine.opening import Source
from explorer.engine.samples import FromScene, FromTestSet, Sample
from explorer.ui.options import ROOT, options
from explorer.ui.selection import Selection


@dataclass(frozen=True)
class Origin:
    """Where a sample came from, in Python: what to import, and the expression that gives it again."""

    imports: tuple[str, ...]
    sample: str


def drawn(label: int) -> Origin:
    return Origin(("from explorer.engine.samples import scene",), f"scene({label})")


def test_image(data_dir: Path, index: int) -> Origin:
    imports = ("from pathlib import Path", "from explorer.engine.samples import find_test_set")
    return Origin(imports, f"find_test_set(Path({path_text(data_dir)})).sample({index})")


def own_file(name: str) -> Origin:
    """A picture of the visitor's own: the file lies where the program is run."""
    imports = ("from pathlib import Path", "from explorer.engine.samples import decode")
    return Origin(imports, f"decode(Path({name!r}).read_bytes(), {name!r})")


def drawn_batch(count: int) -> Origin:
    """Many scenes, as `batch` of a program."""
    return Origin(
        ("from explorer.engine.batches import from_scenes",), f"from_scenes({count}, checkpoint.card)"
    )


def test_batch(data_dir: Path, count: int, fit: str) -> Origin:
    """Many test images, as `batch` of a program."""
    opened = test_image(data_dir, 0)
    found = opened.sample.removesuffix(".sample(0)")
    fitted = f", {fit!r}" if fit != "crop" else ""
    imports = (*opened.imports, "from explorer.engine.batches import from_test_set")
    return Origin(imports, f"from_test_set({found}, {count}, checkpoint.card{fitted})")


def origin(sample: Sample) -> Origin:
    """Where a sample came from; for one of the visitor's own, a file of its name."""
    match sample.origin:
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
    """A program's text: each import once, the standard library's first, then lines."""
    first = sorted(set(imports), key=lambda line: ("explorer" in line or "model" in line, line))
    return "\n".join([*first, "", *lines]) + "\n"


def _opening(selection: Selection, suffix: str) -> tuple[list[str], list[str]]:
    needed, checkpoint = _checkpoint(selection.opened.source)
    found = origin(selection.sample)
    steps = [f"checkpoint{suffix} = {checkpoint}", f"sample{suffix} = {found.sample}"]
    return [*needed, *found.imports], steps


def _fit(selection: Selection) -> str:
    return f", {selection.fit!r}" if selection.fit != "crop" else ""


def _checkpoint(source: Source) -> tuple[list[str], str]:
    if source == Source(source.path) and source.path is not None:
        return ["from model.checkpoint import load_checkpoint"], f"load_checkpoint({path_text(source.path)})"
    given = {name: value for name, value in vars(source).items() if value is not None and name != "path"}
    said = [f"{name}={value!r}" for name, value in given.items()]
    path = [] if source.path is None else [f"path=Path({path_text(source.path)})"]
    imports = ["from explorer.engine.opening import Source, open_checkpoint"]
    if path:
        imports.append("from pathlib import Path")
    return imports, f"open_checkpoint(Source({', '.join(path + said)}))"


def path_text(path: Path) -> str:
    """A path as Python text, relative to the project where it lies within."""
    whole = path.resolve()
    return repr(str(whole.relative_to(ROOT) if whole.is_relative_to(ROOT) else whole))
