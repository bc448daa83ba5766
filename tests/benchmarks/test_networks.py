"""The benchmark of large networks, on one small image."""

from benchmarks import networks


def test_every_work_is_timed_and_takes_memory() -> None:
    measured = networks.works("mobilenet_v3_small", 32)
    names = [networks.BARE, networks.TRACE, networks.EXPLAIN, networks.BATCHNORM]
    assert list(measured) == names
    assert all(milliseconds > 0 for milliseconds in networks.times(measured, 1).values())
    peaks = networks.memory(measured)
    assert list(peaks) == names
    assert all(0 <= peak < 1000 for peak in peaks.values())


def test_a_network_without_batchnorm_has_none(monkeypatch) -> None:
    from torch import nn

    layers = [nn.Conv2d(3, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten()]
    monkeypatch.setattr(networks, "built", lambda name: nn.Sequential(*layers).eval())
    monkeypatch.setattr(
        networks, "memory_apart", lambda name, size: dict.fromkeys(networks.works(name, size), 1.0)
    )
    row = networks.row("Small", "small", 1, 16)
    assert row.startswith("| Small | ")
    assert " | none | " in row
