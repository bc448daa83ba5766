"""Files of torch: an archive with a pickle and its storages, or pickles and storages in a row."""

import io
import zipfile
from collections.abc import Collection
from typing import Any

from model.weights.pickles import Called, Inert, unpickle
from model.weights.rebuilt import Calls, storage_of
from model.weights.stored import Compressed, Damaged, Pool, Storage, swapped

MAGIC = 0x1950A86A20F9469CFC6C
MOST_OF_DIRECTORY = 32_000_000  # bytes of an archive's list of files
LOCAL_HEADER = 30  # bytes of an archive before a file's name


# Archives


def archive_in(data: bytes) -> zipfile.ZipFile:
    """The archive, its list of files read. Raises Damaged."""
    end = data.rfind(b"PK\x05\x06", max(0, len(data) - 70_000))
    directory = int.from_bytes(data[end + 12 : end + 16], "little")
    if end < 0 or (directory > MOST_OF_DIRECTORY and directory != 0xFFFFFFFF) or _is_endless(data, end):
        raise Damaged("an archive without its end")
    try:
        return zipfile.ZipFile(io.BytesIO(data))
    except (zipfile.BadZipFile, ValueError, NotImplementedError, LookupError) as error:
        raise Damaged("an archive that is damaged") from error


def _is_endless(data: bytes, end: int) -> bool:
    """Whether an archive of 64 bits has too long a list of files."""
    large = data.rfind(b"PK\x06\x06", max(0, end - 200), end)
    return large >= 0 and int.from_bytes(data[large + 40 : large + 48], "little") > MOST_OF_DIRECTORY


def check_unpacked(data: bytes) -> None:
    """ValueError for a file of torch that can take far more memory than its own size.

    A few deflated bytes can claim a thousand each, many entries the same bytes, and a `bytearray` any number.
    """
    if b"bytearray" in data:
        raise ValueError("it holds bytes outside of its tensors")
    if data[:2] == b"PK":  # else torch's older form, without an archive
        with archive_in(data) as archive:
            check_stored(archive.infolist(), len(data))


def check_stored(entries: Collection[zipfile.ZipInfo], size: int) -> None:
    """Compressed for files in an archive of that size that are packed, or claim more."""
    packed = any(entry.compress_type != zipfile.ZIP_STORED for entry in entries)
    if packed or sum(entry.file_size for entry in entries) > size:
        raise Compressed("it unpacks to more than its own size")


def root_of(archive: zipfile.ZipFile) -> str | None:
    """The folder of the pickle in an archive, such as `archive/`; None where there is none."""
    names = [name for name in archive.namelist() if name == "data.pkl" or name.endswith("/data.pkl")]
    return min(names, key=len).removesuffix("data.pkl") if names else None


def value_in_archive(data: bytes, archive: zipfile.ZipFile, root: str) -> Any:
    """What an archive of torch or TorchScript holds, by its data.pkl. Raises Damaged."""
    folder = f"{root}data/"
    needed = (folder, f"{root}data.pkl", f"{root}byteorder")  # TorchScript packs others
    entries = [entry for entry in archive.infolist() if entry.filename.startswith(needed)]
    check_stored(entries, len(data))
    pieces = {entry.filename: _piece(data, entry) for entry in entries}
    order = bytes(pieces.get(f"{root}byteorder", b"")[:10]).decode("latin-1")
    storages = {name.removeprefix(folder): each for name, each in pieces.items() if name.startswith(folder)}
    pool = Pool(storages, swapped=swapped(order))
    pickled = bytes(pieces[f"{root}data.pkl"])
    value, _ = unpickle(pickled, 0, Calls(len(pickled)), lambda identity: storage_of(pool, identity))
    return value


def _piece(data: bytes, entry: zipfile.ZipInfo) -> memoryview:
    """The bytes of a file in an archive, where they are."""
    at = entry.header_offset
    names = data[at + 26 : at + LOCAL_HEADER]
    begin = at + LOCAL_HEADER + int.from_bytes(names[:2], "little") + int.from_bytes(names[2:], "little")
    if data[at : at + 4] != b"PK\x03\x04" or begin + entry.file_size > len(data):
        raise Damaged("an archive that is cut off")
    return memoryview(data)[begin : begin + entry.file_size]


# Pickles in a row


def value_in_stream(data: bytes, called: Called | None = None) -> Any:
    """What a file of torch without an archive holds, or a plain pickle. Raises Damaged."""
    pool, called = Pool(), called or Calls(len(data))

    def value_at(position: int) -> tuple[Any, int]:
        return unpickle(data, position, called, lambda identity: storage_of(pool, identity))

    value, position = value_at(0)
    if type(value) is not int or value != MAGIC:
        return value
    _, position = value_at(position)  # the version
    system, position = value_at(position)
    if isinstance(system, dict):
        pool.swapped = swapped("little" if system.get("little_endian", True) else "big")
    value, position = value_at(position)
    keys, position = value_at(position)
    pool.contents = _storages(data, position, keys if isinstance(keys, list) else [], pool)
    return value


def _storages(data: bytes, position: int, keys: list[Any], pool: Pool) -> dict[str, memoryview]:
    """The storages one after the other, each behind its number of elements."""
    storages = {}
    for key in map(_key, keys):
        begin = position + 8
        position = begin + int.from_bytes(data[position:begin], "little") * pool.itemsizes.get(key, 1)
        if position > len(data):
            raise Damaged("a storage that is cut off")
        storages[key] = memoryview(data)[begin:position]
    return storages


def _key(key: Any) -> str:
    if not isinstance(key, str):
        raise Damaged("a storage without a name")
    return key


def storage_in(data: bytes) -> Storage:
    """The one storage in a small file of torch that stands within a pickle. Raises Damaged."""
    storage = value_in_stream(data, Inert)
    if not isinstance(storage, Storage):
        raise Damaged("a storage in an unknown form")
    return storage
