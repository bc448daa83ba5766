import numpy as np
import pytest
import torch

from model.card import Card
from model.checkpoint import compact, load_checkpoint
from model.nets import CourseCNN
from model.snapshots import checkpoint_of, clear, folder_of, keep_snapshot, list_snapshots, save_snapshot

SMALL = {"widths": [4, 6], "hidden": 8}


def card(epoch):
    return Card(arguments=SMALL, classes=("cat", "dog"), input_size=16, epoch=epoch)


@pytest.fixture
def state():
    torch.manual_seed(0)
    return CourseCNN(classes=2, input_size=16, **SMALL).state_dict()


@pytest.fixture
def path(tmp_path):
    return tmp_path / "run.safetensors"


def epochs(path):
    return [epoch for epoch, _ in list_snapshots(path)]


def test_it_is_an_ordinary_checkpoint_in_the_folder_beside(path, state):
    saved = save_snapshot(path, card(3), state)
    assert saved == path.parent / "run.snapshots" / "epoch-0003.safetensors"
    loaded = load_checkpoint(saved)
    assert loaded.card == card(3)
    x = torch.rand(2, 3, 16, 16)
    net = CourseCNN(classes=2, input_size=16, **SMALL)
    net.load_state_dict(state)
    torch.testing.assert_close(loaded.build()(x), net.eval()(x), atol=2e-3, rtol=0)
    assert {tensor.dtype for tensor in loaded.build().state_dict().values()} == {torch.float32, torch.int64}


def test_matrices_are_stored_in_float16_vectors_as_they_are(state):
    stored = compact(state)
    assert stored["conv1.weight"].dtype == stored["fc2.weight"].dtype == torch.float16
    assert all(stored[name] is state[name] for name in state if state[name].ndim < 2)


def test_what_leaves_the_range_of_float16_stays_float32(path, state):
    state["bn1.running_var"][0] = 1e6
    state["fc1.weight"][0, 0] = -7e4
    loaded = load_checkpoint(save_snapshot(path, card(0), state)).build()
    assert loaded.bn1.running_var[0] == 1e6
    assert loaded.fc1.weight[0, 0] == -7e4


def test_they_are_listed_by_epoch_and_nothing_else_is(path, state):
    assert list_snapshots(path) == ()
    for epoch in (10_000, 2, 0, 10):
        save_snapshot(path, card(epoch), state)
    (folder_of(path) / "other.safetensors").touch()
    (folder_of(path) / ".epoch-0004.safetensors.abc.tmp").touch()
    assert epochs(path) == [0, 2, 10, 10_000]
    clear(path)
    assert sorted(file.name for file in folder_of(path).iterdir()) == [
        ".epoch-0004.safetensors.abc.tmp",
        "other.safetensors",
    ]


def test_one_is_kept_every_few_epochs_and_none_without_being_asked(path, state):
    for epoch in range(8):
        assert keep_snapshot(path, card(epoch), state, 0, 10**9) == ""
    assert not folder_of(path).exists()
    for epoch in range(8):
        assert keep_snapshot(path, card(epoch), state, 3, 10**9) == ""
    assert epochs(path) == [0, 3, 6]


@pytest.mark.parametrize("every", [1, 3])
@pytest.mark.parametrize("room", [2, 3, 5])
def test_at_the_limit_they_thin_out_evenly(path, state, every, room):
    size = save_snapshot(path, card(0), state).stat().st_size
    limit = size * room + size // 4
    said = []
    for epoch in range(60):
        said.append(keep_snapshot(path, card(epoch), state, every, limit))
        used = sum(file.stat().st_size for file in folder_of(path).iterdir())
        assert used <= limit
        assert len(set(np.diff(epochs(path)))) <= 1
        assert epochs(path)[0] == 0
    sentences = [text for text in said if text]
    assert sentences[0].endswith(f"from now on one is kept every {2 * every} epochs.")
    assert len(epochs(path)) > room // 2


def test_a_limit_that_does_not_hold_two_is_refused(path, state):
    size = sum(tensor.nbytes for tensor in compact(state).values())
    with pytest.raises(
        ValueError,
        match=r"^A snapshot takes .* MB; increase the limit to .* two snapshots\.$",
    ):
        keep_snapshot(path, card(0), state, 1, size * 3 // 2)


def test_a_snapshot_belongs_to_the_checkpoint_beside_its_folder(path, state):
    assert checkpoint_of(save_snapshot(path, card(3), state)) == path
    assert checkpoint_of(path) == path
    copied = path.parent / "epoch-0003.safetensors"
    assert checkpoint_of(copied) == copied
    assert checkpoint_of(path.parent / ".snapshots" / copied.name).name == copied.name
