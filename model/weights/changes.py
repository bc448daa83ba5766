"""What was changed or left out of a file's weights so that they fit their network."""

from collections.abc import Iterable
from dataclasses import dataclass

from model.words import ngettext, tr

MOST_NAMED = 3
LONGEST = 60  # characters of a name


@dataclass(frozen=True)
class Changes:
    """`place` is where in the file the weights are, which may be a prefix of their names; "" for its top.

    `others`: places of other weights that fit as well. `unused`: entries of the file that are left out.
    `missing`: counters of BatchNorm that the file lacks, set to 0. `renamed`: how many names were changed
    within. `converted`: dtypes that were converted to the network's. `average`: whether the weights are an
    average over training, such as EMA.
    """

    place: str = ""
    others: tuple[str, ...] = ()
    unused: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    renamed: int = 0
    converted: tuple[str, ...] = ()
    average: bool = False

    def sentences(self) -> tuple[str, ...]:
        """A sentence for each kind of change; none where the file was taken as it is."""
        return tuple(filter(None, (self._place(), self._others(), self._unused(), self._rest())))

    def _place(self) -> str:
        if not self.place:
            return ""
        if self.average:
            return tr("The averaged weights in `{place}` are used.", place=self.place[:LONGEST])
        return tr("The weights in `{place}` are used.", place=self.place[:LONGEST])

    def _others(self) -> str:
        if not self.others:
            return ""
        return tr(
            "The file also has weights in {others}; `--weights` chooses among them.",
            others=_named(self.others),
        )

    def _unused(self) -> str:
        if not self.unused:
            return ""
        return ngettext(
            "{n} entry of the file is not used: {names}.",
            "{n} entries of the file are not used: {names}.",
            len(self.unused),
            names=_named(self.unused),
        )

    def _rest(self) -> str:
        parts = []
        if self.renamed:
            parts.append(
                ngettext(
                    "{n} name was changed to that of the network.",
                    "{n} names were changed to those of the network.",
                    self.renamed,
                )
            )
        if self.missing:
            parts.append(tr("The counters num_batches_tracked are missing, which changes no result."))
        if self.converted:
            parts.append(tr("Numbers of type {kinds} were converted.", kinds=", ".join(self.converted)))
        return " ".join(parts)


UNCHANGED = Changes()


def _named(names: Iterable[str]) -> str:
    """The first few names as code, with “…” for more."""
    every = list(names)
    first = ", ".join(f"`{name[:LONGEST] or '.'}`" for name in every[:MOST_NAMED])
    return f"{first}, …" if len(every) > MOST_NAMED else first
