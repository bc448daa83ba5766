"""What a person says of a network of their own: its class names, and errors of one sentence."""

from pathlib import Path

import pytest

from explorer.engine.network_source import class_names
from model.problems import Problem


def test_class_names_come_from_a_list_a_number_or_a_file(tmp_path: Path) -> None:
    file = tmp_path / "names.txt"
    file.write_text("tench\n\nSt. Bernard, dog\n", encoding="utf-8")
    assert class_names(str(file)) == ("tench", "St. Bernard, dog")
    assert class_names("2") == ("class 0", "class 1")
    assert class_names("a, b") == ("a", "b")
    assert class_names(" dog ") == ("dog",)
    with pytest.raises(Problem, match="--classes has a folder"):
        class_names(str(tmp_path))
    file.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(Problem, match="UTF-8"):
        class_names(str(file))


def test_classes_beyond_count() -> None:
    for text in ("0", "-3"):
        with pytest.raises(Problem, match="at least one class"):
            class_names(text)
    for text in ("99999999", "9" * 5000):
        with pytest.raises(Problem, match="at most 100,000 classes"):
            class_names(text)


def test_a_long_list_of_classes_is_no_path(tmp_path: Path) -> None:
    names = [f"class-{k}" for k in range(20_000)]
    assert class_names(",".join(names)) == tuple(names)
    (tmp_path / "names.txt").write_text("\n".join(names))
    assert class_names(str(tmp_path / "names.txt")) == tuple(names)
    with pytest.raises(Problem, match="not a list of classes"):
        class_names("a\0b")
