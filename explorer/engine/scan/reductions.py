"""What is kept of a layer's feature maps, batch by batch, while the maps themselves are thrown away.

Every reduction reads the maps in the order of memory, a few images at a time that stay in the processor's
cache. What is slow on a CPU (Welford's variance, the places of all maxima, comparisons that count) is done by
sums, places are looked up for few maps, and a BatchNorm's statistics follow from those of its input.
"""

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from explorer.engine.passes import to_numpy
from explorer.engine.scan.parts import LayerPart
from explorer.engine.scan.result import BINS, SAMPLED, TOP
from explorer.engine.values import Doubles, Floats, Integers

STRIDE = 7919  # a prime: the positions that a histogram counts differ from image to image
FAR = 16.0
"""A squared mean of more variances than this is taken off before squaring, or digits would be lost."""
CACHED = 2**17  # values that a thread reduces together: half a megabyte
UNKNOWN = -1
DISTINCT = BINS * float(np.finfo(np.float32).eps)
"""Bins for values this much apart, as a fraction of the largest, have borders that differ."""
TINY, LARGEST = 1e-30, float(np.finfo(np.float32).max)


@dataclass(frozen=True, eq=False)
class Ranges:
    """What a few images tell of a layer: `edges` of the histogram, float32 (C, BINS + 1); `centers`, float64
    (C,), to subtract before squaring, None where zero will do; and whether some values are zero.
    """

    edges: Floats
    centers: Doubles | None
    has_zeros: bool = False


def ranges_of(low: Floats, high: Floats, mean: Doubles, variance: Doubles, has_zeros: bool) -> Ranges:
    """The Ranges of channels with these values, each (C,)."""
    far = mean**2 > FAR * np.maximum(variance, 0)
    centers = mean.astype(np.float32).astype(np.float64) if far.any() else None
    return Ranges(edges_of(low, high), centers, has_zeros)


def edges_of(low: Floats, high: Floats) -> Floats:
    """The borders of BINS equal bins for values from `low` to `high`, (C,), and a bit beyond: (C, BINS + 1).

    Rounded, so that computers whose last digits differ come to the same; zero stays where it begins or ends.
    """
    least, most = (np.nan_to_num(each).astype(np.float64) for each in (low, high))
    largest = np.maximum(np.abs(least), np.abs(most))
    margin = np.where(most > least, 0.1 * (most - least), np.maximum(largest, 1) * 1e-3)
    margin = np.maximum(margin, np.maximum(largest * DISTINCT, TINY))
    step = 10 ** (np.floor(np.log10(most - least + 2 * margin)) - 3)
    starts, ends = np.where(least == 0, 0, least - margin), np.where(most == 0, 0, most + margin)
    starts, ends = (((each / step).round() * step).clip(-LARGEST, LARGEST) for each in (starts, ends))
    ends = np.where(ends > starts, ends, starts + 1e-3)
    return np.linspace(starts, ends, BINS + 1, axis=1).astype(np.float32)


@dataclass(frozen=True, eq=False)
class Affine:
    """A layer that gives `slope` · input + `offset`, each float64 (C,), of what the layer `source` gave."""

    source: str
    slope: Doubles
    offset: Doubles

    def ranges(self, of_source: Ranges, has_zeros: bool) -> Ranges | None:
        """The Ranges of the layer; None where a slope is so small that its bins would be none."""
        edges = of_source.edges * self.slope[:, None] + self.offset[:, None]
        edges = np.where(self.slope[:, None] < 0, edges[:, ::-1], edges).astype(np.float32)
        if not (np.isfinite(edges).all() and (np.diff(edges) > 0).all()):
            return None
        centers = 0 if of_source.centers is None else of_source.centers
        return Ranges(np.asarray(edges, np.float32), self.slope * centers + self.offset, has_zeros)


@dataclass(frozen=True, eq=False)
class Maxima:
    """Of each map the maximum, float (n, C), and the place of it as an index into the map, int64 (n, C), or
    UNKNOWN where it was not looked up.
    """

    values: Tensor
    places: Tensor


def maxima_after(layer: nn.Module, received: Tensor, maxima: Maxima) -> Maxima | None:
    """The Maxima of what a layer gives, where they follow from those of what it received.

    Where a BatchNorm rounds two values to the same, the place is that of what was the larger one.
    """
    if type(layer) is nn.ReLU:
        values = maxima.values.clamp_min(0)
        return Maxima(values, maxima.places.masked_fill(values == 0, 0))
    if type(layer) is nn.BatchNorm2d and _is_rising(layer):
        values = layer.forward(maxima.values[..., None, None].to(received))[..., 0, 0].float()
        return Maxima(values, maxima.places)
    if type(layer) is nn.MaxPool2d and _is_whole(layer, received.shape[2:]):
        return Maxima(maxima.values, torch.full_like(maxima.places, UNKNOWN))
    return None


def _is_rising(norm: nn.BatchNorm2d) -> bool:
    """Whether a larger value is made a larger one, in every channel: by running statistics and γ > 0."""
    by_batch = norm.training or norm.running_mean is None
    return not by_batch and (norm.weight is None or bool((norm.weight > 0).all()))


def _is_whole(pool: nn.MaxPool2d, size: torch.Size) -> bool:
    """Whether every position is in a window of the pooling."""
    kernel, stride, dilation = (
        (value, value) if isinstance(value, int) else value
        for value in (pool.kernel_size, pool.stride, pool.dilation)
    )
    parts = zip(size, kernel, stride, dilation, strict=True)
    return all(s <= k and d == 1 and (n - k) % s == 0 for n, k, s, d in parts) and pool.padding in (0, (0, 0))


@dataclass(frozen=True, eq=False)
class Numbered:
    """The images of one forward pass by their numbers, int64 (n,)."""

    numbers: Tensor

    @cached_property
    def array(self) -> Integers:
        return np.asarray(self.numbers.cpu().numpy())

    @cached_property
    def _sampled(self) -> dict[int, Tensor]:
        return {}

    def sampled(self, positions: int) -> Tensor:
        """The positions that a histogram counts, as indices into those of all images."""
        if positions not in self._sampled:
            first = torch.arange(len(self.numbers), device=self.numbers.device)[:, None] * positions
            self._sampled[positions] = (first + sampled_positions(self.numbers, positions)).flatten()
        return self._sampled[positions]


def sampled_positions(numbers: Tensor, positions: int) -> Tensor:
    """Which positions of each image a histogram counts, int64 (n, s): all, or SAMPLED of them, evenly spread.

    They depend on nothing but the image's number.
    """
    if positions <= SAMPLED:
        return torch.arange(positions, device=numbers.device).expand(len(numbers), -1)
    steps = torch.arange(SAMPLED, device=numbers.device) * positions // SAMPLED
    return (numbers[:, None] * STRIDE + steps) % positions


@dataclass(frozen=True, eq=False)
class Sums:
    """Of each image of a batch, (n, C): the mean, the sum of squares about the centers, and the maximum; of
    the batch how many values of each channel are zero, int64 (C,), and the histogram, int64 (C, BINS).
    """

    means: npt.NDArray[np.floating]
    squares: npt.NDArray[np.floating]
    maxima: Maxima
    zeros: Integers
    histogram: Integers


def _in_memory_order(maps: Tensor) -> tuple[Tensor, int]:
    """Maps (n, C, h, w) as (n, h·w, C) or (n, C, h·w), as they lie in memory, and the axis of the positions:
    reductions over one axis of contiguous values are faster.
    """
    rows = maps.permute(0, 2, 3, 1)
    if rows.is_contiguous():
        return rows.flatten(1, 2), 1
    return maps.contiguous().flatten(2), 2


def _rows_in_cache(maps: Tensor) -> int:
    """How many images of maps (n, …) are reduced together."""
    if maps.device.type != "cpu":
        return len(maps)
    return max(1, CACHED * torch.get_num_threads() // maps[0].numel())


@dataclass(eq=False)
class Running:
    """The reductions of one layer so far; `add` takes its maps of further images, with higher numbers."""

    ranges: Ranges
    batches: list[Sums] = field(default_factory=list)
    numbers: list[Integers] = field(default_factory=list)
    least: Tensor | None = None
    size: tuple[int, int] = (0, 0)

    def add(self, maps: Tensor, images: Numbered, known: Maxima | None = None) -> None:
        """Maps float (n, C, h, w) of some images, with their Maxima where they are known."""
        maps = maps.detach().float()
        means, squares, values, zeros = self._summed(maps, known)
        maxima, histogram = self._found(maps, values, known), self._histogram(maps, images)
        self._keep(Sums(means, squares, maxima, zeros, histogram), maps, images)

    def add_affine(
        self,
        maps: Tensor,
        images: Numbered,
        affine: Affine,
        source: "Running",
        known: Maxima | None = None,
    ) -> None:
        """The same of a layer whose input was just added to `source`."""
        maps, of_source = maps.detach().float(), source.batches[-1]
        means = affine.slope * of_source.means + affine.offset
        values = maps.amax((2, 3)) if known is None else known.values
        flipped = np.where(affine.slope[:, None] < 0, of_source.histogram[:, ::-1], of_source.histogram)
        zeros = self._zeros(maps, values)
        squares, maxima = affine.slope**2 * of_source.squares, self._found(maps, values, known)
        self._keep(Sums(means, squares, maxima, zeros, flipped), maps, images)

    def _zeros(self, maps: Tensor, maxima: Tensor) -> Integers:
        """How many values of each channel are zero, int64 (C,). Where they are so by chance only, those of
        maps with maximum zero: nothing comes into these, and nothing is added.
        """
        if self.ranges.has_zeros:
            return np.asarray((maps == 0).sum((0, 2, 3)).cpu().numpy())
        rows, channels = (maxima == 0).nonzero(as_tuple=True)
        zeros = torch.zeros(maps.shape[1], dtype=torch.int64, device=maps.device)
        return np.asarray(zeros.index_add(0, channels, (maps[rows, channels] == 0).sum((1, 2))).cpu().numpy())

    def _keep(self, sums: Sums, maps: Tensor, images: Numbered) -> None:
        self.size = (maps.shape[2], maps.shape[3])
        self.batches.append(sums)
        self.numbers.append(images.array)

    def _found(self, maps: Tensor, values: Tensor, known: Maxima | None) -> Maxima:
        """The Maxima with these values, with the places of those that can be among the TOP."""
        places = torch.full_like(values, UNKNOWN, dtype=torch.int64) if known is None else known.places
        rows, channels = self._candidates(values).logical_and_(places == UNKNOWN).nonzero(as_tuple=True)
        if len(rows):
            flat, axis = _in_memory_order(maps)
            chosen = flat[rows, :, channels] if axis == 1 else flat[rows, channels]
            places = places.index_put((rows, channels), chosen.argmax(1))
        return Maxima(values, places)

    def _candidates(self, maxima: Tensor) -> Tensor:
        """Which maxima (n, C) can be among the TOP: not those below what as many images had.

        Of equal values the lower number, which came first, counts. `least` is found anew whenever there are
        twice as many batches.
        """
        is_above = torch.ones_like(maxima, dtype=torch.bool) if self.least is None else maxima > self.least
        count = len(self.batches)
        if count & (count + 1):
            return is_above
        so_far = torch.cat([*(batch.maxima.values for batch in self.batches), maxima])
        if len(so_far) < TOP:
            return is_above
        self.least = so_far.masked_fill(so_far.isnan(), -torch.inf).topk(TOP, 0).values[-1]
        return is_above.logical_and_((maxima < self.least).logical_not_())

    def _summed(self, maps: Tensor, known: Maxima | None) -> tuple[Floats, Floats, Tensor, Integers]:
        """The first four of Sums, from a few images at a time; maxima that are `known` are not looked for."""
        flat, axis = _in_memory_order(maps)
        pieces = torch.split(flat, _rows_in_cache(flat))
        spare = torch.empty_like(pieces[0])
        sums = [self._sum(some, axis, spare[: len(some)]) for some in pieces]
        totals, squares, nonzero = (torch.cat(each) for each in zip(*sums, strict=True))
        maxima = torch.cat([some.amax(axis) for some in pieces]) if known is None else known.values
        positions = flat.shape[axis]
        zeros = np.zeros(maps.shape[1], np.int64)
        if self.ranges.has_zeros:
            zeros = (positions - nonzero.double()).sum(0).cpu().numpy().round().astype(np.int64)
        elif not (nonzero > 0).all():  # the smallest square, which mostly tells that there is no zero
            zeros = (maps == 0).sum((0, 2, 3)).cpu().numpy()
        return to_numpy(totals) / np.float32(positions), to_numpy(squares), maxima, zeros

    def _sum(self, maps: Tensor, axis: int, spare: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Of maps with their positions along `axis`: sums, sums of squares, and numbers of values that are
        not zero, (n, C); or, where none is expected to be, the smallest square. `spare` has the maps' shape.
        """
        total, flat, flat_spare = maps.sum(axis), maps.flatten(), spare.flatten()
        if self.shift is None:
            torch.mul(flat, flat, out=flat_spare)
        else:
            shift = self.shift.to(maps)
            torch.sub(maps, shift if axis == 1 else shift[:, None], out=spare).square_()
        squares = spare.sum(axis)
        if self.ranges.has_zeros:
            torch.ne(flat, 0, out=flat_spare)  # of some values the square is zero
            return total, squares, spare.sum(axis)
        if self.shift is not None:
            torch.mul(flat, flat, out=flat_spare)
        return total, squares, spare.amin(axis)

    @cached_property
    def shift(self) -> Tensor | None:
        """What is subtracted before squaring, float64 (C,); None for nothing."""
        centers = self.ranges.centers
        return None if centers is None else torch.from_numpy(centers)

    @cached_property
    def bins(self) -> tuple[Tensor, Tensor, Tensor]:
        """Of the bins of each channel the lowest edge, how many there are for a difference of one, and the
        number of the first one, (C,) each.
        """
        edges = torch.from_numpy(self.ranges.edges)
        first_bins = torch.arange(len(edges), dtype=torch.int32) * BINS
        widths = edges[:, -1].double() - edges[:, 0]  # may be more than the largest float
        return edges[:, 0], (BINS / widths).float(), first_bins

    def _histogram(self, maps: Tensor, images: Numbered) -> Integers:
        """How many values of some positions of each image are in each bin, int64 (C, BINS)."""
        channels = maps.shape[1]
        rows = images.sampled(maps.shape[2] * maps.shape[3])
        values = maps.permute(0, 2, 3, 1).reshape(-1, channels).index_select(0, rows)
        low, scale, first_bins = (each.to(maps.device) for each in self.bins)
        bins = (values - low).mul_(scale).clamp_(0, BINS - 1).int()
        bins.clamp_(min=0)  # NaN becomes a negative number
        counts = torch.bincount(bins.add_(first_bins).flatten(), minlength=BINS * channels)
        return np.asarray(counts.reshape(-1, BINS).cpu().numpy(), np.int64)

    def part(self) -> LayerPart:
        """What is known of all images; at least one."""
        means = np.concatenate([batch.means for batch in self.batches])
        mean, squares = self._moments(means.astype(np.float64))
        maxima = torch.cat([batch.maxima.values for batch in self.batches]).cpu()
        places = torch.cat([batch.maxima.places for batch in self.batches]).cpu()
        images = np.concatenate(self.numbers)
        channels = np.arange(maxima.shape[1])[:, None]
        top, bottom = first_rows(-maxima, False), first_rows(maxima, True)
        # A map of −∞ alone, which is not looked up after NaN, has its maximum at its first position.
        top_places = np.maximum(places.numpy()[top, channels], 0)
        return LayerPart(
            self.size[0] * self.size[1],
            mean,
            squares,
            np.sum([batch.zeros for batch in self.batches], 0),
            means.astype(np.float32),
            np.sum([batch.histogram for batch in self.batches], 0),
            self.ranges.edges,
            images[top],
            maxima.numpy()[top, channels] + np.float32(0),
            np.stack(np.divmod(top_places, self.size[1]), 2),
            images[bottom],
            maxima.numpy()[bottom, channels] + np.float32(0),
        )

    def _moments(self, means: Doubles) -> tuple[Doubles, Doubles]:
        """Each channel's mean, and its sum of squared deviations from that."""
        mean, centers = means.mean(0), self.ranges.centers
        offsets = means - (0 if centers is None else centers)
        squares = np.concatenate([batch.squares for batch in self.batches]).sum(0, dtype=np.float64)
        positions = self.size[0] * self.size[1]
        within = squares - positions * (offsets**2).sum(0)
        return mean, np.maximum(within, 0) + positions * ((means - mean) ** 2).sum(0)


# The images with the largest and the smallest maximum


def first_rows(ranks: Tensor, nan_first: bool) -> Integers:
    """Of each column of ranks, float (n, C), the rows of the TOP lowest, (C, k), NaN first or last, of equal
    ones the first row. Only ranks that can be among them are sorted.
    """
    count = min(TOP, len(ranks))
    ordered = torch.where(ranks.isnan(), -torch.inf if nan_first else torch.inf, ranks)
    last = ordered.topk(count, 0, largest=False).values[-1]
    columns, rows = (ordered <= last).T.nonzero(as_tuple=True)
    is_last = ranks.isnan()[rows, columns] != nan_first
    order = np.lexsort((is_last.numpy(), ordered[rows, columns].numpy(), columns.numpy()))
    starts = np.searchsorted(columns.numpy(), np.arange(ranks.shape[1]))
    return np.asarray(rows.numpy()[order[starts[:, None] + np.arange(count)]], np.int64)
