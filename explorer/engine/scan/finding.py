"""The finished scans in a folder, by what their files say they are of."""

from functools import lru_cache
from pathlib import Path
from typing import Any

from explorer.engine.network import Network, input_settings
from explorer.engine.scan import tensor_file
from explorer.engine.scan.checks import is_count
from explorer.engine.scan.result import VERSION


def find(folder: Path, network: Network, images: str, damaged: tuple[Path, ...] = ()) -> Path | None:
    """The file of the largest scan of a network and of the images with this digest; None where there is none.

    Any name will do: what its card says counts. Files that are known to be `damaged` are passed over.
    """
    wanted = {"scan": VERSION, "network": network.key, "images": images}
    settings = input_settings(network.card)
    cards = {path: _card(path, *_stamp(path)) for path in sorted(folder.glob("*.safetensors"))}
    counts = {
        path: card["count"]
        for path, card in cards.items()
        if path not in damaged and wanted.items() <= card.items() and settings.items() <= card["card"].items()
    }
    return max(counts, key=lambda path: counts[path]) if counts else None


def _stamp(path: Path) -> tuple[int, int]:
    try:
        status = path.stat()
    except OSError:  # just removed
        return 0, 0
    return status.st_mtime_ns, status.st_size


@lru_cache(maxsize=1024)
def _card(path: Path, modified: int, size: int) -> dict[str, Any]:
    """What a file says it is; nothing where it is no scan."""
    try:
        card = tensor_file.read_card(path)
    except (OSError, ValueError):
        return {}
    fits = is_count(card.get("count")) and isinstance(card.get("card"), dict)
    return card if fits else {}
