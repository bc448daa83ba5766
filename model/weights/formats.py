"""What a file is, by its first bytes and never by its suffix."""

from model.archives import ARCHIVES
from model.image_kind import MOST_READ, kind_of
from model.problems import Problem
from model.weights.stored import Damaged
from model.weights.text_kind import is_text, text_kind
from model.words import N_

SAFETENSORS, ARCHIVE, PICKLE = "safetensors", "archive", "pickle"

_SENTENCES = {
    "cut": N_("{path} is cut off or damaged; copy or download it again."),
    "empty": N_("{path} is empty; copy or download it again."),
    "zeros": N_("{path} contains only zeros, as after an interrupted download; download it again."),
    "html": N_("{path} is a web page (HTML), not a checkpoint; download the file itself, not its page."),
    "lfs": N_("{path} is a Git LFS pointer, not the checkpoint itself; run `git lfs pull` to fetch it."),
    "onnx": N_("{path} is an ONNX network, not a PyTorch checkpoint; give the weights it was exported from."),
    "core ml": N_(
        "{path} is a Core ML network, not a PyTorch checkpoint; give the weights it was converted from."
    ),
    "hdf5": N_(
        "{path} is an HDF5 file, as Keras saves it, not a PyTorch checkpoint; convert it to PyTorch first."
    ),
    "tensorflow": N_(
        "{path} is a TensorFlow file, not a PyTorch checkpoint; convert its weights to PyTorch first."
    ),
    "torch7": N_("{path} is a file of Torch7 (Lua), not a PyTorch checkpoint; convert it to PyTorch first."),
    "darknet": N_(
        "{path} is a file of Darknet weights, not a PyTorch checkpoint; convert it to PyTorch first."
    ),
    "gguf": N_("{path} is a GGUF file, not a PyTorch checkpoint of a network; give its PyTorch weights."),
    "numpy": N_("{path} is a NumPy file, not a PyTorch checkpoint; save a state_dict with torch.save."),
    "exported": N_(
        "{path} is an exported program of torch.export, not a checkpoint; "
        "save the weights with torch.save(net.state_dict(), path)."
    ),
    "frozen": N_(
        "{path} is a TorchScript program in which weights are constants without names, as torch.jit.freeze "
        "makes it; save the program before it is frozen, or the weights with "
        "torch.save(net.state_dict(), path)."
    ),
    "picture": N_("{path} is a picture, not a checkpoint; give the file with the weights."),
    "pdf": N_("{path} is a PDF document, not a checkpoint; give the file with the weights."),
    "packed": N_("{path} is a packed archive ({kind}); unpack it and give the checkpoint inside."),
    "compressed": N_(
        "{path} is a checkpoint that was packed again with compression; give the file as torch.save wrote it."
    ),
    "too much": N_(
        "{path} has too many other things beside its weights; "
        "save the weights alone with torch.save(net.state_dict(), path)."
    ),
    "text": N_("{path} is a text file, not a checkpoint; give the file with the weights."),
    "text of a kind": N_("{path} is a text file ({kind}), not a checkpoint; give the file with the weights."),
    "unknown": N_(
        "{path} is not a checkpoint in any known form, or it is damaged; "
        "give a file saved by torch.save, TorchScript or safetensors."
    ),
}

# What a file begins with → what it is; checked in this order.
_BEGINNINGS: tuple[tuple[bytes, str], ...] = (
    (b"version https://git-lfs.github.com/spec/", "lfs"),
    (b"\x89HDF\r\n\x1a\n", "hdf5"),
    (b"\x93NUMPY", "numpy"),
    (b"GGUF", "gguf"),
    (b"%PDF-", "pdf"),
    (b"\x04\x00\x00\x00\x01\x00\x00\x00\x03\x00\x00\x00V 1", "torch7"),
    (b"\x00\x00\x00\x00\x02\x00\x00\x00\x05\x00\x00\x00", "darknet"),
    (b"\x00\x00\x00\x00\x02\x00\x00\x00\x00\x00\x00\x00", "darknet"),
    (b"\x00\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00", "darknet"),
    (b"model_checkpoint_path:", "tensorflow"),
    (b"\x08\x01\x12", "tensorflow"),  # a SavedModel; ONNX has had no version 1 since 2017
)
_TABLE_END = b"\x57\xfb\x80\x8b\x24\x75\x47\xdb"  # of an index of TensorFlow's
_OPENING = b"(}]clI.)N\x80"  # what a pickle of any protocol begins with


def format_of(data: bytes, path: str) -> str:
    """SAFETENSORS, ARCHIVE or PICKLE. Problem, which names what it is instead, for another file."""
    if data[:2] == b"PK":
        return ARCHIVE
    if is_safetensors(data):
        return SAFETENSORS
    if data[:1] == b"\x80" and data[1:2] in (b"\x01", b"\x02", b"\x03", b"\x04", b"\x05"):
        return PICKLE
    kind, form = _other(data)
    if kind is None and data[:1] in _OPENING:
        return PICKLE
    raise problem(kind or "unknown", path, form)


def problem(kind: str, path: str, form: str = "") -> Problem:
    """The sentence for a kind of file that does not open; `form` names the kind of an archive or a text."""
    return Problem(_SENTENCES[kind], path=path, kind=form)


def damaged(data: bytes, path: str, error: Damaged) -> Problem:
    """What a file is that could not be read as its first bytes said."""
    text = data[:1] != b"\x80" and data[:2] != b"PK" and is_text(data)
    kind, form = _text(data) if text else (error.kind, "")
    return problem(kind, path, form)


def is_safetensors(data: bytes) -> bool:
    """A length, then a text of that length in braces; one that is cut off counts as well."""
    return data[8:9] == b"{" and 2 <= int.from_bytes(data[:8], "little") <= 100_000_000


def _other(data: bytes) -> tuple[str | None, str]:
    """What a file is instead of a checkpoint, and the kind of archive or text; None for a possible pickle."""
    if not data.strip(b"\0"):
        return ("zeros" if data else "empty"), ""
    for beginning, kind in _BEGINNINGS:
        if data.startswith(beginning):
            return kind, ""
    for beginning, name in ARCHIVES.items():
        if data.startswith(beginning):
            return "packed", name
    if data[257:262] == b"ustar":
        return "packed", "tar"
    whole = _by_more_than_the_beginning(data)
    return _text(data) if whole == "text" else (whole, "")


def _text(data: bytes) -> tuple[str, str]:
    """The kind of sentence for a text, and the kind of text."""
    kind = text_kind(data)
    return ("text of a kind" if kind else "text"), kind


def _by_more_than_the_beginning(data: bytes) -> str | None:
    head = data[:2_000].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if head.startswith((b"<!doctype html", b"<html", b"<head", b"<body")) or b"<html" in head:
        return "html"
    if kind_of(data[:MOST_READ]):
        return "picture"
    if (
        data[:1] == b"\x08"
        and len(data) > 2
        and 2 <= data[1] < 20
        and data[2] in b"\x12\x1a\x22\x28\x32\x3a\x42"
    ):
        return "core ml" if _describes_inputs(data) else "onnx"
    if data[4:8] == b"TFL3" or data.endswith(_TABLE_END) or (data[:1] == b"\n" and b"\x12" in data[:60]):
        return "tensorflow"
    if is_text(data) and not (data[:1] in _OPENING and data.rstrip().endswith(b".")):
        return "text"
    return "cut" if len(data) < 12 else None


def _describes_inputs(data: bytes) -> bool:
    """Whether what follows the version is a part that begins with an input, not the name of a program."""
    rest = data[3:].lstrip(bytes(range(0x80, 0x100)))  # the length in bytes of seven bits, all but its last
    return data[2] == 0x12 and rest[1:2] == b"\n"
