"""Networks whose forward asks torch whether gradients are computed, and computes something else if they are.

So does a BatchNorm written by hand that tells training from evaluation by `torch.is_grad_enabled()`, as in
“Dive into Deep Learning”. A pass that takes gradients would explain another prediction than the one that is
shown. In passes of such a network the answer is no, as in evaluation; torch itself is answered truly.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

import torch
from torch import nn

from explorer.engine.notes import note_of, write_note

_is_grad_enabled = torch.is_grad_enabled
_ANSWERING_NO: ContextVar[bool] = ContextVar("answering_no", default=False)
_QUESTIONS: ContextVar[list[str] | None] = ContextVar("questions", default=None)
ANSWER = "gradient mode"  # the name of a note


def answer_as_in_evaluation(net: nn.Module) -> nn.Module:
    """The network itself, which is told from now on that no gradients are computed."""
    return write_note(net, ANSWER, True)


def is_answered(net: nn.Module) -> bool:
    """Whether `answer_as_in_evaluation` was called for the network."""
    return bool(note_of(net, ANSWER))


def answer(net: nn.Module, view: nn.Module) -> None:
    """Lets the passes of a private view of a network be told what `answer_as_in_evaluation` says."""
    if not is_answered(net):
        return
    _listen()
    before: list[bool] = []

    def start(*_: object) -> None:
        before.append(_ANSWERING_NO.get())
        _ANSWERING_NO.set(True)

    def finish(*_: object) -> None:
        _ANSWERING_NO.set(before.pop())

    view.register_forward_pre_hook(start)
    view.register_forward_hook(finish, always_call=True)


@contextmanager
def questions() -> Iterator[list[str]]:
    """The modules of Python that ask torch meanwhile, on this thread, whether gradients are computed."""
    _listen()
    asking: list[str] = []
    token = _QUESTIONS.set(asking)
    try:
        yield asking
    finally:
        _QUESTIONS.reset(token)


def _listen() -> None:
    """Answers the question in torch's place from now on."""
    torch.is_grad_enabled = _answered


def _answered() -> bool:
    asking = _QUESTIONS.get()
    if asking is None and not _ANSWERING_NO.get():
        return _is_grad_enabled()
    module = str(sys._getframe(1).f_globals.get("__name__", ""))
    if module.partition(".")[0] in ("torch", "captum") or module.startswith("explorer."):
        return _is_grad_enabled()
    if asking is not None:
        asking.append(module)
    return _is_grad_enabled() and not _ANSWERING_NO.get()
