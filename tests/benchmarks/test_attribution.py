"""The benchmark of heat maps compares the same maps, and times what the pages call."""

import pytest
import torch

from benchmarks import attribution, methods, readme
from explorer.engine import attribution as engine
from explorer.engine.network import Input, Network
from explorer.ui import cached
from model.card import Card
from model.nets import CourseCNN

pytest.importorskip("torchcam")


def test_all_give_the_same_heat_maps_and_a_speed() -> None:
    speeds = attribution.measured(rounds=1, images=3)
    assert list(speeds) == ["this project", "torchcam", "Captum"]
    assert min(speeds.values()) > 0


def test_other_heat_maps_end_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(
        attribution.WORKS, "another", lambda *given: [2 * heat for heat in attribution.ours(*given)]
    )
    with pytest.raises(SystemExit, match="another gives other heat maps"):
        attribution.measured(rounds=1, images=2)


def test_the_table_says_how_many_times_as_fast() -> None:
    text = attribution.table({"this project": 2600.0, "torchcam": 1300.0}, rounds=3)
    assert "| this project | 2,600 | 1.00 |" in text
    assert "| torchcam | 1,300 | 2.00 |" in text
    assert readme.text_of("benchmarks/attribution.py")


def test_the_pages_make_the_pass_that_is_timed(monkeypatch: pytest.MonkeyPatch) -> None:
    passes: list[tuple[object, ...]] = []
    timed = engine.maps_and_gradients
    monkeypatch.setattr(engine, "maps_and_gradients", lambda *given: passes.append(given[2]) or timed(*given))
    network = Network(CourseCNN().eval(), Card(), "net")
    x = torch.zeros(1, 3, 32, 32)
    cached.gradients.__wrapped__(network, Input(x), ("relu1",), (3,))
    engine.attribute_many(network.net, x, ["grad_cam"], ("relu1",), 3)
    assert passes == [("relu1",), ("relu1",)]


def test_every_method_has_its_row_beside_its_peer() -> None:
    times = dict.fromkeys((*engine.METHODS, *methods.PEERS.values()), 1.5)
    text = methods.table(times, rounds=3)
    assert methods.PEERS.keys() <= engine.METHODS.keys()
    assert all(f"| {record.title} | 1.5 ms |" in text for record in engine.METHODS.values())
    assert "| DeepLift | 1.5 ms | Captum DeepLift: 1.5 ms |" in text
