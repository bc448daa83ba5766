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
CACHED = 2**18  # values that a thread reduces together: a megabyte
NUMBERS = 2**31
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

    def ranges(self, of_source: Ranges) -> Ranges | None:
        """The Ranges of the layer; None where a slope is so small that its bins would be none."""
        edges = of_source.edges * self.slope[:, None] + self.offset[:, None]
        edges = np.where(self.slope[:, None] < 0, edges[:, ::-1], edges).astype(np.float32)
        if not (np.isfinite(edges).all() and (np.diff(edges) > 0).all()):
            return None
        centers = 0 if of_source.centers is None else of_source.centers
        return Ranges(np.asarray(edges, np.float32), self.slope * centers + self.offset)


def maxima_after(layer: nn.Module, received: Tensor, maxima: Tensor) -> Tensor | None:
    """The maxima (n, C) of what a layer gives, where they follow from those of what it received."""
    if type(layer) is nn.ReLU:
        return maxima.clamp_min(0)
    if type(layer) is nn.BatchNorm2d and _is_rising(layer):
        return layer.forward(maxima[..., None, None])[..., 0, 0]
    if type(layer) is nn.MaxPool2d and _is_whole(layer, received.shape[2:]):
        return maxima
    return None


def _is_rising(norm: nn.BatchNorm2d) -> bool:
    """Whether a larger value is never made a smaller one, in any channel: by running statistics and γ ≥ 0."""
    by_batch = norm.training or norm.running_mean is None
    return not by_batch and (norm.weight is None or bool((norm.weight >= 0).all()))


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
    maxima: Tensor
    zeros: Integers
    histogram: Integers


def _rows_in_cache(maps: Tensor) -> int:
    """How many images of maps (n, C, h, w) are reduced together."""
    if maps.device.type != "cpu":
        return len(maps)
    return max(1, CACHED * torch.get_num_threads() // maps[0].numel())


@dataclass(eq=False)
class Running:
    """The reductions of one layer so far; `add` takes its maps of further images, with higher numbers."""

    ranges: Ranges
    batches: list[Sums] = field(default_factory=list)
    numbers: list[Integers] = field(default_factory=list)
    top: "Top | None" = None
    positions: int = 0

    def add(self, maps: Tensor, images: Numbered, maxima: Tensor | None = None) -> None:
        """Maps float (n, C, h, w) of some images, with their maxima (n, C) where they are known."""
        maps = maps.detach().float()
        means, squares, maxima, zeros = self._summed(maps, maxima)
        self._keep(Sums(means, squares, maxima, zeros, self._histogram(maps, images)), maps, images)

    def add_affine(
        self,
        maps: Tensor,
        images: Numbered,
        affine: Affine,
        source: "Running",
        maxima: Tensor | None = None,
    ) -> None:
        """The same of a layer whose input was just added to `source`."""
        maps, of_source = maps.detach().float(), source.batches[-1]
        means = affine.slope * of_source.means + affine.offset
        maxima = maps.amax((2, 3)) if maxima is None else maxima
        # Single values are zero by chance only; a whole map is where nothing comes in and nothing is added.
        whole = (maxima.cpu().numpy() == 0) & (np.abs(means) < 1e-12)
        flipped = np.where(affine.slope[:, None] < 0, of_source.histogram[:, ::-1], of_source.histogram)
        zeros = whole.sum(0) * maps.shape[2] * maps.shape[3]
        self._keep(Sums(means, affine.slope**2 * of_source.squares, maxima, zeros, flipped), maps, images)

    def _keep(self, sums: Sums, maps: Tensor, images: Numbered) -> None:
        self.positions = maps.shape[2] * maps.shape[3]
        self.batches.append(sums)
        self.numbers.append(images.array)
        self.top = (self.top or Top.none(sums.maxima)).with_batch(sums.maxima, maps, images.numbers)

    def _summed(self, maps: Tensor, known: Tensor | None) -> tuple[Floats, Floats, Tensor, Integers]:
        """The first four of Sums, from a few images at a time; maxima that are `known` are not looked for."""
        each = _rows_in_cache(maps)
        spare = torch.empty_like(maps[:each])
        sums = maps.new_empty((4, *maps.shape[:2]))
        for start in range(0, len(maps), each):
            some = maps[start : start + each]
            self._sum(some, spare[: len(some)], sums[:, start : start + each])
            if known is None:
                torch.amax(some, (2, 3), out=sums[2, start : start + each])
        totals, squares, maxima, nonzero = sums
        positions = maps.shape[2] * maps.shape[3]
        zeros = np.zeros(maps.shape[1], np.int64)
        if not self.ranges.has_zeros:  # then it is the smallest square, which mostly tells that there is none
            is_sure = bool((nonzero > 0).all())
            nonzero = None if is_sure else (maps != 0).sum((2, 3))
        if nonzero is not None:
            zeros = (positions - nonzero.double()).sum(0).cpu().numpy().round().astype(np.int64)
        means = to_numpy(totals) / np.float32(positions)
        return means, to_numpy(squares), maxima if known is None else known, zeros

    def _sum(self, maps: Tensor, spare: Tensor, sums: Tensor) -> None:
        """Fills `sums`, (4, n, C); `spare` is memory in the shape of the maps."""
        axes = (2, 3)
        torch.sum(maps, axes, out=sums[0])
        if self.shift is not None:
            torch.sub(maps, self.shift.to(maps), out=spare).square_()
            torch.sum(spare, axes, out=sums[1])
        if self.shift is None or not self.ranges.has_zeros:
            torch.mul(maps, maps, out=spare)
        if self.shift is None:
            torch.sum(spare, axes, out=sums[1])
        if self.ranges.has_zeros:
            torch.ne(maps, 0, out=spare)  # of the squares some are zero although the values are not
            torch.sum(spare, axes, out=sums[3])
        else:
            torch.amin(spare, axes, out=sums[3])

    @cached_property
    def shift(self) -> Tensor | None:
        """What is subtracted before squaring, (C, 1, 1); None for nothing."""
        centers = self.ranges.centers
        return None if centers is None else torch.from_numpy(centers)[:, None, None]

    @cached_property
    def bins(self) -> tuple[Tensor, Tensor, Tensor]:
        """Of the bins of each channel the lowest edge, how many there are for a difference of one, and the
        number of the first one, (C,) each.
        """
        edges = torch.from_numpy(self.ranges.edges)
        first_bins = torch.arange(len(edges), dtype=torch.int32) * BINS
        return edges[:, 0], BINS / (edges[:, -1] - edges[:, 0]), first_bins

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
        assert self.top is not None
        means = np.concatenate([batch.means for batch in self.batches])
        mean, squares = self._moments(means.astype(np.float64))
        numbers, values, positions = self.top.arrays()
        maxima = torch.cat([batch.maxima for batch in self.batches]).cpu()
        return LayerPart(
            self.positions,
            mean,
            squares,
            np.sum([batch.zeros for batch in self.batches], 0),
            means.astype(np.float32),
            np.sum([batch.histogram for batch in self.batches], 0),
            self.ranges.edges,
            numbers,
            values,
            positions,
            *lowest(maxima, np.concatenate(self.numbers)),
        )

    def _moments(self, means: Doubles) -> tuple[Doubles, Doubles]:
        """Each channel's mean, and its sum of squared deviations from that."""
        mean, centers = means.mean(0), self.ranges.centers
        offsets = means - (0 if centers is None else centers)
        squares = np.concatenate([batch.squares for batch in self.batches]).sum(0, dtype=np.float64)
        within = squares - self.positions * (offsets**2).sum(0)
        return mean, np.maximum(within, 0) + self.positions * ((means - mean) ** 2).sum(0)


# The images with the largest and the smallest maximum


LOWEST, HIGHEST = -0x400000, 0x7FC00000  # NaN as bits, with a sign and without


def keys_of(values: Tensor, numbers: Tensor, undefined: int = LOWEST) -> Tensor:
    """Keys int64 (n, C) in the order of the values, float (n, C), of equal ones the lower number first.

    Numbers are int64, from 0 and less than NUMBERS. NaN is LOWEST or HIGHEST.
    """
    bits = (values.float() + 0.0).view(torch.int32)  # adding makes −0 the same as 0
    bits = bits.masked_fill(values.isnan(), undefined)
    ordered = (bits ^ ((bits >> 31) & 0x7FFFFFFF)).long()
    return ordered * NUMBERS + (NUMBERS - 1 - numbers)


def values_of(keys: Tensor) -> tuple[Tensor, Tensor]:
    """The values and numbers that keys were made of."""
    ordered = torch.div(keys, NUMBERS, rounding_mode="floor")
    numbers = NUMBERS - 1 - (keys - ordered * NUMBERS)
    bits = ordered.int()
    return (bits ^ ((bits >> 31) & 0x7FFFFFFF)).view(torch.float32), numbers


def lowest(maxima: Tensor, numbers: Integers) -> tuple[Integers, Floats]:
    """The TOP images with the smallest maximum, NaN first, of equal ones the lower number: numbers and values
    (C, k).
    """
    keys = keys_of(-maxima, torch.from_numpy(numbers)[:, None], HIGHEST)
    values, images = values_of(keys.topk(min(TOP, len(keys)), 0).values)
    return images.T.contiguous().numpy(), (-values + 0.0).T.contiguous().numpy()


@dataclass(frozen=True, eq=False)
class Top:
    """The TOP images of each channel by the maximum of the map: `keys` int64 (k, C), descending, and where
    the maximum is, `positions` int64 (k, C), as index into the map, of width `width`.
    """

    keys: Tensor
    positions: Tensor
    width: int = 1

    @cached_property
    def lowest(self) -> Tensor:
        """The value of the last of each channel, (C,)."""
        return values_of(self.keys[-1])[0]

    @classmethod
    def none(cls, maxima: Tensor) -> "Top":
        empty = torch.zeros((0, maxima.shape[1]), dtype=torch.int64, device=maxima.device)
        return cls(empty, empty)

    def with_batch(self, maxima: Tensor, maps: Tensor, numbers: Tensor) -> "Top":
        """With further images, whose numbers (n,) are higher: maxima (n, C) of maps (n, C, h, w)."""
        if len(self.keys) < TOP:
            channels = torch.arange(maxima.shape[1], device=maxima.device)
            return self._with(keys_of(maxima, numbers[:, None]), maps, channels)
        # Of equal values the lower number, which is here already, comes first; NaN is neither.
        channels = (maxima <= self.lowest).logical_not_().any(0).nonzero()[:, 0]
        if not len(channels):
            return self
        given = keys_of(maxima[:, channels], numbers[:, None])
        some = Top(self.keys[:, channels], self.positions[:, channels])._with(given, maps, channels)
        keys, positions = self.keys.clone(), self.positions.clone()
        keys[:, channels], positions[:, channels] = some.keys, some.positions
        return Top(keys, positions, maps.shape[3])

    def _with(self, given: Tensor, maps: Tensor, channels: Tensor) -> "Top":
        """With further keys (n, c), of these channels (c,) of maps (n, C, h, w)."""
        known = len(self.keys)
        keys = torch.cat([self.keys, given])
        best = keys.topk(min(TOP, len(keys)), 0)
        ranks, columns = torch.nonzero(best.indices >= known, as_tuple=True)
        positions = torch.cat([self.positions, self.positions.new_zeros(given.shape)])
        if len(ranks):
            rows = best.indices[ranks, columns]
            chosen = maps.permute(0, 2, 3, 1)[rows - known, :, :, channels[columns]].flatten(1)
            positions[rows, columns] = chosen.argmax(1)
        return Top(best.values, positions.gather(0, best.indices), maps.shape[3])

    def arrays(self) -> tuple[Integers, Floats, Integers]:
        """Numbers and values (C, k), positions (C, k, 2)."""
        values, numbers = values_of(self.keys.T.contiguous().cpu())
        positions = self.positions.T.contiguous().cpu().numpy()
        return numbers.numpy(), values.numpy(), np.stack(np.divmod(positions, self.width), 2)
