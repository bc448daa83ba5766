"""Files written whole or not at all, and read whole."""

import errno
import os
import stat
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

STALE_SECONDS = 3600.0


@contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """Open a temporary file beside `path` that takes its place once written, flushed and synced.

    On any error `path` keeps its former content and the temporary file is removed; an OSError has a name.
    """
    with naming(path):
        yield from _replacing(path)


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """Let an OSError that says nothing of what could not be written, as that of a full disk, name `path`."""
    try:
        yield
    except OSError as error:
        if error.errno is not None:  # the system's own; another one's words are its message
            error.filename = error.filename or str(path)
        raise


def _replacing(path: Path) -> Iterator[BinaryIO]:
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".tmp", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.chmod(name, _mode_for(path))
        os.replace(name, path)
        _sync_folder(path.parent)
    except BaseException:
        with suppress(FileNotFoundError):
            os.unlink(name)
        raise


@contextmanager
def claimed(path: Path) -> Iterator[bool]:
    """Whether this process alone has `path`, an empty file that is there for as long as it has it.

    A process that is killed leaves the file, but no claim to it. True where the system knows no such claims.
    """
    if fcntl is None:
        yield True
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            mine = os.fstat(file.fileno()).st_nlink > 0  # else its owner is just ending
        except BlockingIOError:
            mine = False
        except OSError:  # some network drives have no locks
            mine = True
        try:
            yield mine
        finally:
            if mine:
                path.unlink(missing_ok=True)


def sweep(path: Path, older_than: float = STALE_SECONDS) -> None:
    """Remove the temporary files that killed runs left beside `path`, if they are that many seconds old."""
    for stale in path.parent.glob(f".{path.name}.*.tmp"):
        with suppress(FileNotFoundError):  # another process may be sweeping too
            if time.time() - stale.stat().st_mtime > older_than:
                stale.unlink()


def beside(path: Path, ending: str) -> Path:
    """A companion of a checkpoint: `a/b.safetensors`, `.history.json` → `a/b.history.json`."""
    return path.with_name(path.stem + ending)


def contents(path: Path, most: int | None = None) -> bytes:
    """The bytes of a regular file, however it is replaced meanwhile; OSError if it has more than `most`.

    A mapped file that is cut short would end the process. A pipe or a device, which would be waited for,
    is an OSError too, as is a path that no file can have.
    """
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    try:
        handle = os.open(path, flags)
    except ValueError as error:  # a zero byte, or what the file system's encoding lacks
        raise OSError(errno.EINVAL, "not a valid path") from error
    with open(handle, "rb") as file:
        status = os.fstat(file.fileno())
        if stat.S_ISDIR(status.st_mode):
            raise IsADirectoryError(errno.EISDIR, "a folder")
        if not stat.S_ISREG(status.st_mode):
            raise OSError(errno.EINVAL, "not a regular file")
        if most is not None and status.st_size > most:
            raise OSError(errno.EFBIG, f"larger than {most / 1e6:g} MB")
        return file.read(status.st_size)


def _mode_for(path: Path) -> int:
    """mkstemp gives 0600; a saved file keeps the mode it had, or gets what the umask allows."""
    if path.exists():
        return path.stat().st_mode & 0o777
    umask = os.umask(0)
    os.umask(umask)
    return 0o666 & ~umask


def _sync_folder(folder: Path) -> None:
    if os.name == "nt":  # a folder cannot be opened there, and its rename is durable by itself
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
