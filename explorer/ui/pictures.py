"""Pictures of the visitor's own: kept for the visit, whatever page or source is looked at meanwhile."""

import hashlib
from dataclasses import dataclass, replace

import streamlit as st

from explorer.drawing.pictures import png
from explorer.ui import link
from explorer.ui.stepping import follow, steps
from model.card import Pixels
from model.words import N_, tr

KINDS = N_("PNG, JPEG, HEIC, AVIF, WebP, GIF, BMP or TIFF. What a file contains counts, not its name.")
PHOTO = N_("your photo")
MOST, MOST_BYTES = 50, 40_000_000  # of all pictures of one visitor and side; the oldest are dropped


@dataclass(frozen=True)
class Picture:
    """A file as it was uploaded, and the digest of its bytes."""

    name: str
    data: bytes
    digest: str


def upload(prefix: str) -> Picture | None:
    """One of the uploaded pictures, a new one at once; None before there is any."""
    key = _turned(f"{prefix}upload")
    st.file_uploader(
        tr("Your own pictures"),
        help=tr(KINDS),
        key=key,
        accept_multiple_files=True,
        on_change=_take_uploads,
        args=(key, prefix),
    )
    pictures = _kept(f"{prefix}upload")
    if not pictures:
        return None
    index = _which(pictures, prefix)
    st.button(tr("Remove this picture"), on_click=_remove, args=(prefix, index), key=f"{prefix}remove")
    return pictures[index]


def _which(pictures: list[Picture], prefix: str) -> int:
    key, indices = f"{prefix}which", list(map(str, range(len(pictures))))
    if len(pictures) == 1:
        return 0
    follow(key, indices)
    names = [
        tr("{number} of {count}: {name}", number=number, count=len(pictures), name=picture.name)
        for number, picture in enumerate(pictures, 1)
    ]
    chosen = link.choose(
        st.selectbox, tr("Picture"), indices, key, indices[0], format_func=lambda index: names[int(index)]
    )
    link.leave_out(key)
    steps(key, indices, prefix)
    return int(chosen)


def photo(prefix: str) -> Picture | None:
    """What the camera took last; None before that, or once the visitor has cleared it."""
    key = f"{prefix}photo"
    st.camera_input(tr("Take a picture"), key=key, on_change=_take_photo, args=(key,))
    taken = next(iter(_kept(key)), None)
    return None if taken is None else replace(taken, name=tr(PHOTO))


def add(name: str, pixels: Pixels) -> None:
    """Keep a picture, uint8 (h, w, 3), as if the visitor had uploaded it, and choose it on every page."""
    kept, picture = _kept("upload"), _picture(f"{name}.png", png(pixels))
    kept[:] = _bounded([*(each for each in kept if each != picture), picture])
    link.change("which", str(len(kept) - 1))
    link.change("source", "upload")


# What is kept: plain values of this visit, since Streamlit forgets a widget's files when it is not drawn


def _kept(key: str) -> list[Picture]:
    kept: list[Picture] = st.session_state.setdefault(f"_{key}", [])
    return kept


def _take_uploads(key: str, prefix: str) -> None:
    """Keep what was uploaded, once each; the uploader begins anew, empty: the list below it is ours."""
    pictures = _kept(f"{prefix}upload")
    present = {(picture.name, picture.digest) for picture in pictures}
    files = [_picture(file.name, file.getvalue()) for file in st.session_state[key] or []]
    new = [picture for picture in files if (picture.name, picture.digest) not in present]
    pictures[:] = _bounded([*pictures, *new])
    if files:
        picture = new[0] if new else files[0]
        link.change(f"{prefix}which", str(pictures.index(picture) if picture in pictures else 0))
        _turn(f"{prefix}upload")


def _take_photo(key: str) -> None:
    photo = st.session_state[key]
    _kept(key)[:] = [] if photo is None else [_picture(PHOTO, photo.getvalue())]


def _remove(prefix: str, index: int) -> None:
    pictures = _kept(f"{prefix}upload")
    if index < len(pictures):
        del pictures[index]
        link.change(f"{prefix}which", str(max(0, min(index, len(pictures) - 1))))


def _picture(name: str, data: bytes) -> Picture:
    return Picture(name, data, hashlib.sha256(data).hexdigest())


def _bounded(pictures: list[Picture]) -> list[Picture]:
    """The newest pictures, as many as may be kept, and at least the last."""
    newest: list[Picture] = []
    for picture in reversed(pictures[-MOST:]):
        if newest and sum(len(each.data) for each in newest) + len(picture.data) > MOST_BYTES:
            break
        newest.insert(0, picture)
    return newest


def _turned(key: str) -> str:
    turn = st.session_state.get(f"_{key}_turn", 0)
    return f"{key}~{turn}" if turn else key


def _turn(key: str) -> None:
    st.session_state[f"_{key}_turn"] = st.session_state.get(f"_{key}_turn", 0) + 1
