"""A run's log of its training images: the probability of each one's class, and whether it was predicted."""

from __future__ import annotations

import io
import json
import struct
import zipfile
import zlib
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from tokenize import TokenError
from typing import Any

import numpy as np
import numpy.typing as npt

from model.datasets import Dataset
from model.files import beside, contents, replacing, sweep
from model.names import readable
from model.problems import Problem

VERSION = 1
ENDING = ".examples.npz"
MOST_BYTES = 1_000_000_000  # of a log, unpacked: 1.28 million images over 250 epochs
UNSEEN = 255  # in a log with eight bits: an image that was not seen in an epoch
PACKED = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)  # how NumPy packs arrays
ENCRYPTED = 1  # a flag of an entry
NOT_A_LOG = (
    *(KeyError, TypeError, ValueError, AttributeError, EOFError, MemoryError, RecursionError, OverflowError),
    *(SyntaxError, TokenError),  # of the header of an array, which is an expression of Python
    *(zipfile.BadZipFile, zlib.error, struct.error, NotImplementedError),
)


@dataclass(frozen=True)
class LogCard:
    """Of which run a log is: enough to find its images again.

    `checkpoint` is the file name of the run's checkpoint, `data` the digest of the training images with
    their labels, `images` says what they are, and `config` holds the run's settings.
    """

    checkpoint: str
    data: str
    images: str
    classes: tuple[str, ...]
    config: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class ExampleLog:
    """E epochs of N training images, in the order of the run's data set.

    `confidence` float16 (E, N): the probability that a training step gave the image's own class, with the
    weights before that step, from the augmented picture and with Dropout: the softmax of its logits, without
    label smoothing. Where the augmentation mixes pictures it is of the mixed one, and still of the class of
    the image that it began with. NaN where an image was not seen in an epoch; the mean where it was
    seen more than once. `correct` bool (E, N): that class had the largest logit (each time).
    `labels` int64 (N,): the classes that the images were trained as. `checksums` uint16 (N,): of each
    image's pixels, as `checksum` gives it, so that another image in its place is noticed.
    """

    confidence: npt.NDArray[np.float16]
    correct: npt.NDArray[np.bool_]
    labels: npt.NDArray[np.int64]
    checksums: npt.NDArray[np.uint16]
    card: LogCard

    @property
    def epochs(self) -> int:
        return len(self.confidence)


def path_of_log(checkpoint_path: str | Path) -> Path:
    """Where a run's log is: `a/b.safetensors` → `a/b.examples.npz`."""
    return beside(Path(checkpoint_path), ENDING)


def empty_log(data: Dataset, card: LogCard) -> ExampleLog:
    """The log of a run on these training images before its first epoch."""
    shape = (0, len(data))
    checksums = np.array([checksum(pixels) for pixels in data.images], np.uint16)
    return ExampleLog(np.empty(shape, np.float16), np.empty(shape, np.bool_), data.labels, checksums, card)


def checksum(pixels: npt.NDArray[np.uint8]) -> int:
    """Two bytes of the CRC-32 of an image's pixels, uint8 (H, W, 3)."""
    return zlib.crc32(pixels.tobytes()) & 0xFFFF


def with_epoch(log: ExampleLog, confidence: npt.ArrayLike, correct: npt.ArrayLike) -> ExampleLog:
    """The log with one more epoch: probabilities (N,), NaN for an image not seen, and booleans (N,)."""
    return replace(
        log,
        confidence=np.concatenate([log.confidence, np.asarray(confidence, np.float16)[None]]),
        correct=np.concatenate([log.correct, np.asarray(correct, np.bool_)[None]]),
    )


def of_epochs(log: ExampleLog, epochs: int) -> ExampleLog:
    """The log of the first `epochs`; those that it does not have are epochs in which no image was seen."""
    missing = (max(epochs - log.epochs, 0), len(log.labels))
    confidence = np.concatenate([log.confidence[:epochs], np.full(missing, np.nan, np.float16)])
    correct = np.concatenate([log.correct[:epochs], np.zeros(missing, np.bool_)])
    return replace(log, confidence=confidence, correct=correct)


def save_log(path: Path, log: ExampleLog, bits: int = 16) -> None:
    """Write `log`, whole or not at all: as float16, or for `bits` 8 rounded to 254 steps and packed."""
    values = log.confidence if bits == 16 else _eighth(log.confidence)
    card = json.dumps({"version": VERSION} | asdict(log.card))
    write = np.savez if bits == 16 else np.savez_compressed
    sweep(path)
    with replacing(path) as file:
        write(
            file,
            confidence=values,
            correct=np.packbits(log.correct, axis=1),
            labels=log.labels.astype(np.uint16),
            checksums=log.checksums,
            card=np.array(card),
        )


def load_log(path: Path) -> ExampleLog:
    """Read what `save_log` wrote, executing nothing in it. Problem if it is missing or something else."""
    try:
        data = contents(path, MOST_BYTES)
    except OSError as error:
        raise Problem(
            "{path} cannot be read ({reason}); check the path, or train with --log-examples to write it.",
            path=readable(str(path)),
            reason=error.strerror,
        ) from error
    try:
        return _log_from(data)
    except NOT_A_LOG as error:
        raise Problem(
            "{path} is not a log of training images; train with --log-examples to write one.",
            path=readable(str(path)),
        ) from error


def _log_from(data: bytes) -> ExampleLog:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        entries = archive.infolist()
    if sum(entry.file_size for entry in entries) > MOST_BYTES:
        raise ValueError("it unpacks to more than a log has")
    if any(entry.compress_type not in PACKED or entry.flag_bits & ENCRYPTED for entry in entries):
        raise ValueError("it is packed in a way that no log is")
    with np.load(io.BytesIO(data), allow_pickle=False) as saved:
        values, packed = saved["confidence"], saved["correct"]
        labels, checksums = saved["labels"], saved["checksums"]
        card = _card_from(json.loads(str(saved["card"])))
    kinds = (values.dtype in (np.float16, np.uint8), packed.dtype == np.uint8, labels.dtype == np.uint16)
    if not all(kinds) or checksums.dtype != np.uint16 or values.ndim != 2:
        raise ValueError("its arrays are of another kind")
    confidence = values if values.dtype == np.float16 else _sixteenth(values)
    correct = np.unpackbits(packed, axis=1, count=values.shape[1]).astype(np.bool_)
    if correct.shape != values.shape or not labels.shape == checksums.shape == values.shape[1:]:
        raise ValueError("its arrays are of several sizes")
    if len(labels) and labels.max() >= len(card.classes):
        raise ValueError("it has labels without a class")
    with np.errstate(invalid="ignore"):
        if ((confidence < 0) | (confidence > 1)).any():
            raise ValueError("a probability is from 0 to 1")
    return ExampleLog(confidence, correct, labels.astype(np.int64), checksums, card)


def _card_from(values: Any) -> LogCard:
    if values["version"] != VERSION:
        raise ValueError("it is of another version")
    texts = {name: values[name] for name in ("checkpoint", "data", "images")}
    if not all(isinstance(text, str) for text in (*texts.values(), *values["classes"])):
        raise TypeError("names are texts")
    return LogCard(**texts, classes=tuple(map(readable, values["classes"])), config=dict(values["config"]))


def _eighth(confidence: npt.NDArray[np.float16]) -> npt.NDArray[np.uint8]:
    """Probabilities in steps of 1/254, UNSEEN for NaN."""
    steps = np.nan_to_num(np.rint(confidence.astype(np.float32) * (UNSEEN - 1)), nan=UNSEEN)
    return steps.astype(np.uint8)


def _sixteenth(steps: npt.NDArray[np.uint8]) -> npt.NDArray[np.float16]:
    return np.where(steps == UNSEEN, np.nan, steps / np.float32(UNSEEN - 1)).astype(np.float16)
