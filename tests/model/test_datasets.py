import hashlib
import io
import os
import pickle
import tarfile
import threading

import numpy as np
import pytest
from PIL import Image

from model import cifar10_files, datasets, image_folder, scene_set, scenes
from model.datasets import SOURCES, load, mean_and_std
from model.problems import Problem


def noise(width, height, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def write(path, pixels, **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path, **options)


@pytest.fixture(autouse=True)
def home_cache(tmp_path_factory, monkeypatch):
    """A user's cache folder of the test's own."""
    place = tmp_path_factory.mktemp("cache")
    monkeypatch.setenv("XDG_CACHE_HOME", str(place))
    return place


@pytest.fixture
def pets(tmp_path):
    """Two classes of three training and one test image each, 8 × 8."""
    for number, name in enumerate(("cat", "dog")):
        for i in range(3):
            write(tmp_path / "train" / name / f"{i}.png", noise(8, 8, 10 * number + i))
        write(tmp_path / "test" / name / "0.png", noise(8, 8, 100 + number))
    return tmp_path


def failure(*args, **options):
    """The sentence that `load` fails with: one line that ends in a full stop."""
    with pytest.raises(Problem) as caught:
        load(*args, **options)
    message = str(caught.value)
    assert message.endswith(".")
    assert "\n" not in message
    return message


# A folder of images


def test_folder_gives_images_labels_and_classes(pets):
    data = load("folder", pets, "train", 8)
    assert data.name == pets.name
    assert data.classes == ("cat", "dog")
    assert data.labels.dtype == np.int64
    assert data.labels.tolist() == [0, 0, 0, 1, 1, 1]
    assert data.images.shape == (6, 8, 8, 3)
    assert data.images.dtype == np.uint8
    assert len(data) == 6
    assert data.provenance == f"6 images of the folder {pets.name}/train"


def test_images_of_the_size_are_unchanged(pets):
    data = load("folder", pets, "train", 8)
    expected = [noise(8, 8, seed) for seed in (0, 1, 2, 10, 11, 12)]
    np.testing.assert_array_equal(data.images, expected)


def test_test_split_has_the_mean_and_std_of_train(pets):
    train, test = load("folder", pets, "train", 8), load("folder", pets, "test", 8)
    assert (test.mean, test.std) == (train.mean, train.std)
    np.testing.assert_allclose(train.mean, (train.images / 255).mean((0, 1, 2)), atol=1e-12)
    np.testing.assert_allclose(train.std, (train.images / 255).std((0, 1, 2)), atol=1e-12)
    np.testing.assert_array_equal(test.images[1], noise(8, 8, 101))


def test_sizes_and_formats_may_differ(tmp_path):
    flat = np.full((40, 60, 3), (200, 100, 50), np.uint8)
    write(tmp_path / "train" / "a" / "1.jpg", flat, quality=95)
    write(tmp_path / "train" / "a" / "2.JPEG", flat[:7, :9], format="JPEG", quality=95)
    write(tmp_path / "train" / "a" / "3.png", flat)
    write(tmp_path / "train" / "a" / "4.webp", flat, lossless=True)
    write(tmp_path / "train" / "a" / "5.bmp", flat[:, :5])
    write(tmp_path / "train" / "a" / "6.jpg", np.full((1200, 1600, 3), (200, 100, 50), np.uint8), quality=95)
    (tmp_path / "train" / "a" / "notes.txt").write_text("not an image")
    (tmp_path / "train" / "a" / "._1.jpg").write_bytes(b"a Mac was here")
    data = load("folder", tmp_path, "train", 16)
    assert data.images.shape == (6, 16, 16, 3)
    np.testing.assert_allclose(
        data.images.astype(int), np.broadcast_to(flat[0, 0], data.images.shape), atol=3
    )


def test_a_test_split_may_lack_a_class(pets):
    (pets / "test" / "cat" / "0.png").unlink()
    (pets / "test" / "cat").rmdir()
    data = load("folder", pets, "test", 8)
    assert data.classes == ("cat", "dog")
    assert data.labels.tolist() == [1]


def test_progress_ends_at_one(pets):
    told = []
    load("folder", pets, "train", 8, progress=told.append)
    assert told[-1] == 1.0
    assert told == sorted(told)


def test_many_images_on_threads_keep_their_order(tmp_path):
    for i in range(600):
        write(tmp_path / "train" / "a" / f"{i:03}.png", np.full((2, 2, 3), i % 251, np.uint8))
    data = load("folder", tmp_path, "train", 2)
    np.testing.assert_array_equal(data.images[:, 0, 0, 0], np.arange(600) % 251)


@pytest.mark.parametrize("split", ["train", "test"])
def test_missing_split(tmp_path, split):
    if split == "test":
        write(tmp_path / "train" / "cat" / "0.png", noise(8, 8))
    assert f"There is no folder {tmp_path.name}/{split};" in failure("folder", tmp_path, split)


def test_a_folder_that_is_not_there_is_named_as_it_was_given(tmp_path):
    message = failure("folder", tmp_path / "gone", "train")
    assert message.startswith("There is no folder gone: ")
    assert "train/CLASS/" in message


def test_split_without_classes(tmp_path):
    write(tmp_path / "train" / "0.png", noise(8, 8))
    assert "has no class folders" in failure("folder", tmp_path, "train")


def test_class_folder_without_images(pets):
    (pets / "train" / "eel").mkdir()
    message = failure("folder", pets, "train")
    assert f"{pets.name}/train/eel has no images" in message
    assert "(PNG, JPEG, HEIC, AVIF, WebP, GIF, BMP or TIFF)" in message


def test_class_that_training_does_not_know(pets):
    write(pets / "test" / "eel" / "0.png", noise(8, 8))
    assert "The class eel is in" in failure("folder", pets, "test")


def test_corrupt_image_is_named_and_counted(pets):
    (pets / "train" / "dog" / "1.png").write_bytes(b"broken")
    message = failure("folder", pets, "train", 8)
    assert "1 of the 6 images" in message
    assert "(dog/1.png)" in message


def test_corrupt_images_can_be_skipped(pets):
    whole = (pets / "train" / "dog" / "1.png").read_bytes()
    (pets / "train" / "dog" / "1.png").write_bytes(whole[: len(whole) // 2])
    for _ in range(2):  # decoded, then cached
        data = load("folder", pets, "train", 8, on_corrupt="skip")
        assert data.labels.tolist() == [0, 0, 0, 1, 1]
        np.testing.assert_array_equal(data.images[4], noise(8, 8, 12))
        assert data.provenance.endswith(", 1 unreadable left out")
        assert "1 of the 6" in failure("folder", pets, "train", 8)


def test_many_corrupt_images_are_not_all_named(pets):
    for i in range(5):
        (pets / "train" / "dog" / f"bad{i}.jpg").write_bytes(b"")
    assert "(dog/bad0.jpg, dog/bad1.jpg, dog/bad2.jpg, …)" in failure("folder", pets, "train", 8)


def test_nothing_but_corrupt_images_cannot_be_skipped(tmp_path):
    (tmp_path / "train" / "a").mkdir(parents=True)
    (tmp_path / "train" / "a" / "0.jpg").write_bytes(b"broken")
    assert "1 of 1 (" in failure("folder", tmp_path, "train", on_corrupt="skip")


# Its cache


@pytest.fixture
def decodings(monkeypatch):
    """How many images each decoding had, in order."""
    counts, decode_all = [], image_folder.decode_all

    def counting(listing, *args):
        counts.append(len(listing.files))
        return decode_all(listing, *args)

    monkeypatch.setattr(image_folder, "decode_all", counting)
    return counts


def test_images_are_decoded_once(pets, decodings):
    first, second = load("folder", pets, "train", 8), load("folder", pets, "train", 8)
    assert decodings == [6]
    np.testing.assert_array_equal(first.images, second.images)
    np.testing.assert_array_equal(first.labels, second.labels)


@pytest.mark.parametrize("change", ["add", "remove", "rename", "touch", "resize"])
def test_any_change_decodes_anew(pets, decodings, change):
    load("folder", pets, "train", 8)
    file = pets / "train" / "dog" / "1.png"
    stat = file.stat()
    if change == "add":
        write(file.with_name("3.png"), noise(8, 8, 3))
    elif change == "remove":
        file.unlink()
    elif change == "rename":
        file.rename(file.with_name("9.png"))
    elif change == "touch":
        os.utime(file, ns=(stat.st_atime_ns, stat.st_mtime_ns + 1))
    else:
        file.write_bytes(file.read_bytes() + b"\0")
        os.utime(file, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    load("folder", pets, "train", 8)
    assert len(decodings) == 2


def test_each_size_has_its_own_cache(pets, decodings):
    for size in (8, 4, 8, 4):
        assert load("folder", pets, "train", size).images.shape[1] == size
    assert len(decodings) == 2


@pytest.mark.parametrize("damage", [b"", b"PK\x03\x04 not really"])
def test_damaged_cache_is_made_anew(pets, decodings, damage):
    load("folder", pets, "train", 8)
    cache = pets / ".decoded" / "train-8.npz"
    cache.write_bytes(damage or cache.read_bytes()[:-200])
    load("folder", pets, "train", 8)
    load("folder", pets, "train", 8)
    assert len(decodings) == 2


def test_cache_holds_no_pickle(pets):
    load("folder", pets, "train", 8)
    with np.load(pets / ".decoded" / "train-8.npz", allow_pickle=False) as saved:
        assert set(saved) == {"key", "images", "labels", "corrupt"}
        assert [saved[name].dtype.kind for name in ("images", "labels", "corrupt")] == ["u", "i", "U"]


def test_folder_that_cannot_be_written_uses_the_home_cache(pets, decodings, home_cache):
    (pets / ".decoded").write_text("in the way")  # as good as read-only, also for root
    load("folder", pets, "train", 8)
    load("folder", pets, "train", 8)
    assert decodings == [6]
    assert len(list(home_cache.rglob("train-8.npz"))) == 1


def test_no_cache_at_all_is_no_error(pets, monkeypatch, decodings):
    (pets / ".decoded").write_text("in the way")
    monkeypatch.setenv("XDG_CACHE_HOME", str(pets / ".decoded"))
    for _ in range(2):
        assert len(load("folder", pets, "train", 8)) == 6
    assert len(decodings) == 2


def test_temporary_files_of_killed_runs_are_swept(pets):
    stale, fresh = pets / ".decoded" / ".train-8.npz.old.tmp", pets / ".decoded" / ".train-8.npz.new.tmp"
    for path in (stale, fresh):
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"half")
    os.utime(stale, (0, 0))
    load("folder", pets, "train", 8)
    assert not stale.exists()
    assert fresh.exists()  # perhaps somebody is writing it


# Mean and std


def test_mean_and_std_over_more_than_one_chunk():
    images = np.random.default_rng(0).integers(0, 256, (150, 5, 7, 3), dtype=np.uint8)
    mean, std = mean_and_std(images)
    np.testing.assert_allclose(mean, (images / 255).mean((0, 1, 2)), rtol=1e-12)
    np.testing.assert_allclose(std, (images / 255).std((0, 1, 2)), rtol=1e-12)
    assert all(type(value) is float for value in mean + std)


def test_std_of_one_color_is_not_zero():
    assert mean_and_std(np.full((2, 4, 4, 3), 255, np.uint8)) == ((1, 1, 1), (1 / 255,) * 3)


# CIFAR-10


def pickled_batch(number):
    """What the real files hold: rows of 3072 bytes, color by color."""
    images = np.stack([noise(32, 32, 10 * number + i) for i in range(2)])
    rows = images.transpose(0, 3, 1, 2).reshape(2, -1)
    return pickle.dumps({"data": rows, "labels": [number % 10, (number + 3) % 10]})


@pytest.fixture
def published(tmp_path_factory, monkeypatch):
    """A tiny CIFAR-10 on a “server”: torchvision's class knows its address and checksums."""
    from torchvision.datasets import CIFAR10

    files = {f"data_batch_{number}": pickled_batch(number) for number in range(1, 6)}
    files["test_batch"] = pickled_batch(6)
    files["batches.meta"] = pickle.dumps({"label_names": list(scenes.CLASSES)})
    archive = tmp_path_factory.mktemp("server") / "cifar-10-python.tar.gz"
    with tarfile.open(archive, "w:gz") as tar:
        for name, content in files.items():
            entry = tarfile.TarInfo(f"cifar-10-batches-py/{name}")
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
    md5 = {name: hashlib.md5(content).hexdigest() for name, content in files.items()}
    monkeypatch.setattr(CIFAR10, "url", archive.as_uri())
    monkeypatch.setattr(CIFAR10, "tgz_md5", hashlib.md5(archive.read_bytes()).hexdigest())
    monkeypatch.setattr(CIFAR10, "train_list", [[name, md5[name]] for name in files if "data" in name])
    monkeypatch.setattr(CIFAR10, "test_list", [["test_batch", md5["test_batch"]]])
    monkeypatch.setattr(CIFAR10, "meta", CIFAR10.meta | {"md5": md5["batches.meta"]})
    return archive


def test_cifar10_is_not_downloaded_into_a_folder_of_images(published, pets):
    assert "give --dataset folder to take its images" in failure("cifar10", pets, "train")
    assert not (pets / cifar10_files.CIFAR10_FOLDER).exists()


def test_cifar10_is_downloaded_and_read(published, tmp_path):
    data_dir = tmp_path / "data"
    assert not datasets.cifar10_present(data_dir)
    train, test = load("cifar10", data_dir, "train"), load("cifar10", data_dir, "test")
    assert datasets.cifar10_present(data_dir)
    assert train.images.shape == (10, 32, 32, 3)
    assert train.images.flags.c_contiguous
    np.testing.assert_array_equal(train.images[3], noise(32, 32, 21))
    assert train.labels.tolist() == [1, 4, 2, 5, 3, 6, 4, 7, 5, 8]
    np.testing.assert_array_equal(test.images[0], noise(32, 32, 60))
    assert test.classes == scenes.CLASSES
    assert train.mean == test.mean == (0.4914, 0.4822, 0.4465)
    assert train.std == test.std == (0.2470, 0.2435, 0.2616)
    assert train.provenance.startswith("CIFAR-10, train split, 10 images (")


def test_cifar10_is_not_downloaded_twice_and_leaves_nothing_beside(published, tmp_path):
    load("cifar10", tmp_path, "train")
    published.unlink()
    load("cifar10", tmp_path, "train")
    assert [path.name for path in tmp_path.iterdir()] == ["cifar-10-batches-py"]


def test_cifar10_at_another_size(published, tmp_path):
    assert load("cifar10", tmp_path, "test", 48).images.shape == (2, 48, 48, 3)


def test_download_tells_its_progress(published, tmp_path):
    told = []
    datasets.download_cifar10(tmp_path, told.append)
    assert told[-1] == 1.0
    assert told == sorted(told)
    assert 0 < told[0] < 1


def test_failed_download_names_what_was_tried_and_two_offline_ways(published, tmp_path):
    published.unlink()
    message = failure("cifar10", tmp_path, "train")
    assert published.as_uri() in message
    assert "--dataset folder --data-dir DIR" in message
    assert "--dataset scenes" in message


def test_download_cut_short_leaves_nothing_and_the_next_try_works(published, tmp_path):
    whole = published.read_bytes()
    published.write_bytes(whole[:-100])
    assert "cut short" in failure("cifar10", tmp_path, "train")
    assert list(tmp_path.iterdir()) == []
    published.write_bytes(whole)
    assert len(load("cifar10", tmp_path, "train")) == 10


def test_interrupted_download_leaves_nothing(published, tmp_path):
    def interrupt(share):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        datasets.download_cifar10(tmp_path, interrupt)
    assert list(tmp_path.iterdir()) == []


def test_half_a_file_of_another_program_is_replaced(published, tmp_path):
    (tmp_path / "cifar-10-python.tar.gz").write_bytes(b"half")
    (tmp_path / "cifar-10-batches-py").mkdir()
    (tmp_path / "cifar-10-batches-py" / "data_batch_1").write_bytes(b"half")
    assert len(load("cifar10", tmp_path, "train")) == 10


def test_archive_downloaded_by_hand_is_used_and_kept(published, tmp_path):
    archive = published.rename(tmp_path / "cifar-10-python.tar.gz")
    assert len(load("cifar10", tmp_path, "test")) == 2
    assert archive.exists()


def test_damaged_batch_is_fetched_again_but_reading_alone_says_so(published, tmp_path):
    load("cifar10", tmp_path, "train")
    (tmp_path / "cifar-10-batches-py" / "test_batch").write_bytes(b"not a pickle that anybody should load")
    with pytest.raises(Problem, match="missing or damaged"):
        datasets.read_cifar10(tmp_path, "test")
    assert len(load("cifar10", tmp_path, "test")) == 2


def test_folder_that_cannot_be_written_is_one_sentence(published, tmp_path):
    (tmp_path / "data").write_text("in the way")
    assert "could not be downloaded" in failure("cifar10", tmp_path / "data", "train")


@pytest.mark.parametrize("what", ["_md5_is", "_fetch"])  # reading what is there, writing what is not
def test_cifar10_without_permission_is_one_sentence(published, tmp_path, monkeypatch, what):
    def denied(*_):
        raise PermissionError(13, "Permission denied", "data_batch_1")

    monkeypatch.setattr(cifar10_files, what, denied)
    message = failure("cifar10", tmp_path, "train")
    assert "cannot be read or written (Permission denied: data_batch_1)" in message
    assert "--data-dir" in message


def test_two_visitors_download_once(published, tmp_path, monkeypatch):
    fetched, fetch = [], cifar10_files._fetch

    def counting(*args):
        fetched.append(1)
        fetch(*args)

    monkeypatch.setattr(cifar10_files, "_fetch", counting)
    threads = [threading.Thread(target=datasets.download_cifar10, args=(tmp_path,)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert fetched == [1]
    assert datasets.cifar10_present(tmp_path)


# Drawn scenes


@pytest.fixture
def few(monkeypatch):
    """A handful of scenes instead of thousands."""
    monkeypatch.setattr(scene_set, "SCENES_COUNT", {"train": 20, "test": 10})
    monkeypatch.setattr(scene_set, "SCENES_CHUNK", 10)


@pytest.fixture
def quick(few, monkeypatch):
    """Noise for drawings, balanced as they are; calling it with a number draws other noise."""

    def draw_as(style):
        def dataset(count, seed, size):
            rng = np.random.default_rng([seed, style])
            images = rng.integers(0, 256, (count, size, size, 3), dtype=np.uint8)
            return images, rng.permutation(np.arange(count) % 10)

        monkeypatch.setattr(scenes, "dataset", dataset)

    draw_as(0)
    return draw_as


@pytest.mark.usefixtures("few")
def test_scenes_are_balanced_and_the_splits_differ(tmp_path):
    train, test = load("scenes", tmp_path, "train"), load("scenes", tmp_path, "test")
    assert train.images.shape == (20, 32, 32, 3)
    assert test.images.shape == (10, 32, 32, 3)
    assert train.labels.dtype == np.int64
    assert np.bincount(train.labels).tolist() == [2] * 10
    assert test.classes == scenes.CLASSES
    assert (test.mean, test.std) == (train.mean, train.std)
    assert len({image.tobytes() for data in (train, test) for image in data.images}) == 30


def test_scenes_are_drawn_once_and_always_the_same(quick, tmp_path, tmp_path_factory, monkeypatch):
    first = load("scenes", tmp_path, "train")
    elsewhere = load("scenes", tmp_path_factory.mktemp("elsewhere"), "train")
    monkeypatch.setattr(scene_set, "_draw_all", None)
    cached = load("scenes", tmp_path, "train")
    np.testing.assert_array_equal(first.images, elsewhere.images)
    np.testing.assert_array_equal(first.images, cached.images)
    np.testing.assert_array_equal(first.labels, cached.labels)


def test_scenes_drawn_differently_are_drawn_anew(quick, tmp_path):
    before = load("scenes", tmp_path, "train")
    quick(1)
    assert (load("scenes", tmp_path, "train").images != before.images).any()


def test_scenes_tell_their_progress(quick, tmp_path):
    told = []
    load("scenes", tmp_path, "train", progress=told.append)
    assert told == [0.5, 1.0]


@pytest.mark.usefixtures("few")
def test_scenes_that_cannot_be_drawn(tmp_path):
    assert "too small" in failure("scenes", tmp_path, "train", 4)


# Choosing a source


def test_sources():
    assert list(SOURCES) == ["cifar10", "folder", "scenes"]


def test_unknown_source_names_the_known(tmp_path):
    assert "choose from cifar10, folder, scenes" in failure("imagenet", tmp_path, "train")
