"""A value in a file: its arrays as safetensors, all else as JSON in the file's header."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError
from safetensors.numpy import load as from_safetensors
from safetensors.numpy import save as to_safetensors

from model.files import contents, replacing
from model.names import readable_values

Arrays = dict[str, npt.NDArray[Any]]
MOST_OF_HEADER = 50_000_000  # bytes


def write(path: Path, arrays: Mapping[str, npt.NDArray[Any]], card: Mapping[str, Any]) -> None:
    """Write arrays by name and a card of plain values, whole or not at all: equal values, equal bytes."""
    plain = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
    text = json.dumps(readable_values(dict(card)))
    data = to_safetensors(plain, metadata={"card": text})
    with replacing(path) as file:
        file.write(data)


def read(path: Path) -> tuple[Arrays, dict[str, Any]]:
    """The arrays by name and the card. OSError or ValueError where the file cannot be read or is another."""
    data = contents(path)
    try:
        return dict(from_safetensors(data)), _card(data[8 : 8 + int.from_bytes(data[:8], "little")])
    except SafetensorError as error:
        raise ValueError(str(error)) from error


def read_card(path: Path) -> dict[str, Any]:
    """The card alone, without reading the arrays. Raises as `read`."""
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        if length > MOST_OF_HEADER:
            raise ValueError("not a safetensors file")
        return _card(file.read(length))


def _card(header: bytes) -> dict[str, Any]:
    try:
        card = json.loads(json.loads(header)["__metadata__"]["card"])
    except (KeyError, TypeError, RecursionError) as error:
        raise ValueError("a file without a card") from error
    if not isinstance(card, dict):
        raise ValueError("a file without a card")
    return card
