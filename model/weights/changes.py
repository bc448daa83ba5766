"""What was changed or left out of a file's weights so that they fit their network."""

from collections.abc import Sequence
from dataclasses import dataclass

from model.words import N_, ngettext, tr

MOST_NAMED = 3
LONGEST = 60  # characters of a name


@dataclass(frozen=True)
class Changes:
    """`prefix` is what the names of the weights in the file begin with; "" for the top of the file.

    `others`: prefixes of other weights that fit as well; `rivals`: those of them that could be meant just as
    well, by their names. `unused`: entries of the file that are left out.
    `missing`: counters of BatchNorm that the file lacks, set to 0. `renamed`: how many names were changed
    within, `normed` how many weights of weight_norm, spectral_norm or pruning were put in another form.
    `converted`: dtypes that were converted to the network's. `average`: whether the weights are an average
    over training, such as EMA. `nameless`: a list of averaged weights without names, which fit no layer.
    `parts`: the places in the file that were joined, each with the network's module that it is of, "" for
    one of several; `prefix` then names them all.
    """

    prefix: str = ""
    others: tuple[str, ...] = ()
    unused: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    renamed: int = 0
    converted: tuple[str, ...] = ()
    average: bool = False
    rivals: tuple[str, ...] = ()
    normed: int = 0
    nameless: str = ""
    parts: tuple[tuple[str, str], ...] = ()

    def sentences(self) -> tuple[str, ...]:
        """A sentence for each kind of change, with names in `backticks`; none for a file taken as it is."""
        return tuple(
            filter(
                None,
                (self._prefix_text(), self._rivals(), self._unused(), self._nameless(), *self._numbers()),
            )
        )

    def _prefix_text(self) -> str:
        if not self.prefix:
            return ""
        if self.parts:
            return self._parts_text()
        if self.average:
            return tr("Read from {place} in the file: averaged weights.", place=_code(self.prefix))
        return tr("Read from {place} in the file.", place=_code(self.prefix))

    def _parts_text(self) -> str:
        pairs = [
            tr("{place} as {module}", place=_code(place), module=_code(module))
            if module not in ("", place.rpartition(".")[2])
            else _code(place)
            for place, module in self.parts
        ]
        template = (
            N_("Joined from several parts of the file, which are averaged weights: {parts}.")
            if self.average
            else N_("Joined from several parts of the file: {parts}.")
        )
        return tr(template, parts=tr(", ").join(pairs))

    def _rivals(self) -> str:
        if not self.rivals:
            return ""
        return tr(
            "The names do not say which weights are meant, and {names} would fit as well.",
            names=_names(self.rivals),
        )

    def _unused(self) -> str:
        return tr("Not used: {names}.", names=_names(self.unused)) if self.unused else ""

    def _nameless(self) -> str:
        if not self.nameless:
            return ""
        return tr(
            "The averaged weights in {place} are a list without names, so they cannot be used.",
            place=_code(self.nameless),
        )

    def _numbers(self) -> Sequence[str]:
        renamed = ngettext(
            "{n} name was changed to the network’s.", "{n} names were changed to the network’s.", self.renamed
        )
        normed = ngettext(
            "{n} weight of weight_norm, spectral_norm or pruning was converted to the network’s form.",
            "{n} weights of weight_norm, spectral_norm or pruning were converted to the network’s form.",
            self.normed,
        )
        missing = tr("The counters num_batches_tracked are missing, which changes no result.")
        converted = tr("Converted from {kinds}.", kinds=tr(", ").join(self.converted))
        return [
            sentence
            for sentence, applies in (
                (renamed, self.renamed),
                (normed, self.normed),
                (missing, self.missing),
                (converted, self.converted),
            )
            if applies
        ]


UNCHANGED = Changes()


def _names(names: Sequence[str]) -> str:
    """The first names, and how many more there are."""
    listed, more = tr(", ").join(map(_code, names[:MOST_NAMED])), len(names) - MOST_NAMED
    if more <= 0:
        return listed
    return ngettext("{names} and {n} more", "{names} and {n} more", more, names=listed)


def _code(name: str) -> str:
    return f"`{name if len(name) <= LONGEST else name[: LONGEST - 1] + '…'}`"
