"""Command lines by argparse, with every text in the language in use: headings, help and errors."""

import argparse
import re
import sys
from collections.abc import Sequence
from typing import NoReturn

from model.problems import Problem
from model.words import N_, tr

ERRORS = {
    r"expected one argument": N_("{flag} needs a value."),
    r"ignored explicit argument (?P<text>.*)": N_("{flag} takes no value, but {text} was given."),
    r"invalid choice: (?P<text>.*) \(choose from (?P<choices>.*)\)": N_(
        "{flag} must be one of {choices}, not {text}."
    ),
    r"ambiguous option: (?P<text>.*) could match (?P<flags>.*)": N_(
        "{text} may stand for {flags}; write one of them in full."
    ),
    r"unrecognized arguments: (?P<text>.*)": N_("There is no flag {text}."),
    r"the following arguments are required: (?P<flags>.*)": N_("{flags} must be given."),
}
"""What argparse says, as a pattern → the sentence that says the same."""


class WrongValue(ValueError):
    """A value that a flag does not take: the template of a sentence, with {flag} among its fields."""

    def __init__(self, template: str, /, **fields: object) -> None:
        super().__init__(template)
        self.template = template
        self.fields = fields


class Parser(argparse.ArgumentParser):
    """A parser whose flags stand in groups that have titles; its `--help` is added to the first of them."""

    def __init__(self, prog: str, *, title: str, **details: object) -> None:
        super().__init__(prog, add_help=False, exit_on_error=False, formatter_class=_Help, **details)  # type: ignore[arg-type]
        self.first = self.add_argument_group(title)
        self.first.add_argument("-h", "--help", action="help", help=tr("show this help and exit"))

    def read(self, arguments: Sequence[str]) -> argparse.Namespace:
        """The values of the flags. Raises Problem for arguments that the parser does not take."""
        try:
            return self.parse_args(arguments)
        except argparse.ArgumentError as error:
            raise _problem(error) from error

    def read_or_exit(self, arguments: Sequence[str]) -> argparse.Namespace:
        """The values of the flags; ends the process with one sentence where they are wrong."""
        try:
            return self.read(arguments)
        except Problem as problem:
            print(tr("error: {sentence} --help lists all flags.", sentence=problem), file=sys.stderr)
            raise SystemExit(2) from problem

    def error(self, message: str) -> NoReturn:
        raise argparse.ArgumentError(None, message)


class _Help(argparse.HelpFormatter):
    def add_usage(self, usage, actions, groups, prefix=None):  # type: ignore[no-untyped-def]
        super().add_usage(usage, actions, groups, tr("usage: ") if prefix is None else prefix)

    def format_help(self) -> str:
        """Its headings end in argparse's own colon, which a Chinese text has full-width."""
        return re.sub("(?<=[\u4e00-\u9fff]):$", "：", super().format_help(), flags=re.MULTILINE)


def _problem(error: argparse.ArgumentError) -> Problem:
    if isinstance(wrong := error.__context__, WrongValue):
        return Problem(wrong.template, flag=error.argument_name, **wrong.fields)
    for pattern, template in ERRORS.items():
        if match := re.fullmatch(pattern, error.message, re.DOTALL):
            return Problem(template, flag=error.argument_name, **match.groupdict())
    return Problem("The arguments are not valid: {message}.", message=error.message)
