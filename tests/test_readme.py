"""What README.md says is so: its figures are those of the files, its commands and flags exist."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from benchmarks import checkpoints, judging, readme
from benchmarks.readme_chinese import in_chinese
from explorer import scan, scoreboard
from explorer.engine.scores import SCORES
from explorer.ui import options
from explorer.ui.frame.pages import PAGES
from model import command, words
from model.checkpoint import compact
from model.snapshots import list_snapshots

ROOT = Path(__file__).resolve().parents[1]
README, CHINESE = (path.read_text(encoding="utf-8") for path in (readme.README, readme.CHINESE))
both = pytest.mark.parametrize("text", [README, CHINESE], ids=["English", "Chinese"])


def test_the_table_of_checkpoints_is_the_files() -> None:
    assert readme.text_of("benchmarks/checkpoints.py") == checkpoints.table()


def test_a_score_no_better_than_a_coin_on_a_network_is_not_in_the_strip() -> None:
    boards = judging.scores_boards()
    assert {name: SCORES[name].in_strip for name in boards[judging.FIRST].judged} == {
        name: all(each.judged[name].all.better_than_coin for each in boards.values())
        for name in boards[judging.FIRST].judged
    }


def test_what_is_said_of_the_scores_in_chinese_has_the_same_numbers_and_no_english() -> None:
    """Numbers of one language in the order of the other: only their places in a sentence differ."""
    boards = judging.scores_boards()
    english, chinese = (judging.sentences(boards, each) for each in (words.ENGLISH, judging.CHINESE))
    assert sorted(re.findall(r"\d+(?:\.\d+)?", english)) == sorted(re.findall(r"\d+(?:\.\d+)?", chinese))
    assert re.findall(r"[A-Za-z]{3,} [A-Za-z]+", chinese) == []


def test_what_is_said_of_the_scores_is_the_scoreboard() -> None:
    boards = judging.scores_boards()
    assert readme.text_of(judging.NAME) == judging.sentences(boards)
    assert readme.text_of(judging.NAME, readme.CHINESE) == judging.sentences(boards, judging.CHINESE)
    assert judging.PAGE.read_text(encoding="utf-8") == judging.page(boards)


@pytest.mark.parametrize("path", checkpoints.shipped(), ids=lambda path: path.stem)
def test_a_shipped_checkpoint_has_a_history_that_agrees(path: Path) -> None:
    card = checkpoints.load_checkpoint(path).card
    history = checkpoints.load_history(checkpoints.beside(path, ".history.json"))
    last = history.epochs[-1]
    assert last.epoch == card.epoch == card.config["epochs"]
    assert card.metrics["test_accuracy"] == pytest.approx(last.test_accuracy, abs=1e-6)
    assert "measured on" in card.data


def test_shipped_snapshots_are_of_the_shipped_run_and_end_in_its_weights() -> None:
    shipped = {path: list_snapshots(path) for path in checkpoints.shipped()}
    assert any(shipped.values())
    for path, snapshots in shipped.items():
        whole = checkpoints.load_checkpoint(path)
        history = checkpoints.load_history(checkpoints.beside(path, ".history.json"))
        for epoch, snapshot in snapshots:
            card = checkpoints.load_checkpoint(snapshot).card
            assert card.epoch == epoch
            if epoch:
                measured = history.epochs[epoch - 1].test_accuracy
                assert card.metrics["test_accuracy"] == pytest.approx(measured, abs=1e-6)
        if snapshots:
            assert snapshots[-1][0] == whole.card.epoch
            kept = checkpoints.load_checkpoint(snapshots[-1][1]).state
            for name, tensor in compact(whole.state).items():
                assert torch.equal(kept[name], tensor.float() if tensor.is_floating_point() else tensor)


def test_the_interval_is_wilsons() -> None:
    low, high = checkpoints.interval(0.5, 100)  # Agresti and Coull 1998 give 0.404 to 0.596
    assert (low, high) == (pytest.approx(0.4038, abs=1e-4), pytest.approx(0.5962, abs=1e-4))


@both
def test_every_flag_that_is_named_exists(text: str) -> None:
    known = {
        flag
        for each in (command.parser(), options.parser(), scoreboard.parser(), scan.parser())
        for flag in each._option_string_actions
    }
    named = set(re.findall(r"(?<=[ `(])--[a-z][a-z-]+", text))
    elsewhere = {
        "--nproc-per-node",
        "--write",
        "--race",
        "--variants",
        "--url",
        "--server",
        "--scenes",
        "--cost",
        "--fill",
    }
    assert named - elsewhere <= known


@pytest.mark.parametrize(
    ("text", "language"), [(README, "en"), (CHINESE, "zh_CN")], ids=["English", "Chinese"]
)
def test_the_table_of_pages_is_the_menu(text: str, language: str) -> None:
    words.use(language)
    titles = [words.tr(page.title) for page in PAGES]
    words.use(words.ENGLISH)
    assert re.findall(r"^\| \*\*(.+?)\*\* \|", text.split("\n## ")[1], re.MULTILINE) == titles


def test_every_page_has_a_record() -> None:
    folders = [path.parent.name for path in (ROOT / "explorer" / "views").glob("*/page.py")]
    assert sorted(folders) == sorted(page.folder for page in PAGES)


@both
def test_every_file_that_is_named_exists(text: str) -> None:
    targets = re.findall(r"\]\(([\w./-]+)\)", text)
    assert targets
    assert not [target for target in targets if not (ROOT / target).exists()]


def test_both_have_the_same_programs_commands_tables_and_pictures() -> None:
    """What is run is word for word the same; comments of commands are translated, and words of tables."""
    for part in (programs, commands, pictures):
        assert part(CHINESE) == part(README), part.__name__
        assert len(part(README)) > 1
    assert measured(CHINESE) == [in_chinese(each) for each in measured(README)]


def test_the_tables_of_the_chinese_one_have_the_same_numbers_and_no_english() -> None:
    for english, chinese in zip(measured(README), measured(CHINESE), strict=True):
        numbers = [sorted(re.findall(r"\d+(?:[.,]\d+)*", each)) for each in (english, chinese)]
        assert numbers[0] == numbers[1]
        without_names = re.sub(r"`[^`]+`|Guided Backprop|<!--.*?-->", "", chinese)
        assert re.findall(r"[A-Za-z]{3,} [a-z]{2,}", without_names) == []


def test_both_have_the_same_sections() -> None:
    levels = [re.findall(r"^(#{2,3}) ", without_code(text), re.MULTILINE) for text in (README, CHINESE)]
    assert levels[0] == levels[1]


def test_the_chinese_one_names_the_same_flags_files_and_numbers() -> None:
    """A paragraph that was added to one of them, and not to the other, is missed here."""
    for pattern in (r"`[^`]+`", r"\d+[.,]\d+"):
        named = [set(re.findall(pattern, prose(text))) for text in (README, CHINESE)]
        assert sorted(named[0] - named[1]) == [], "only in README.md"
        assert sorted(named[1] - named[0]) == [], "only in README.zh-CN.md"


def programs(text: str) -> list[str]:
    return re.findall(r"```(?:python|nginx)\n.*?```", text, re.DOTALL)


def commands(text: str) -> list[str]:
    lines = "\n".join(re.findall(r"```sh\n(.*?)```", text, re.DOTALL)).splitlines()
    return [line.partition(" #")[0].rstrip() for line in lines]


def measured(text: str) -> list[str]:
    """The tables that benchmarks write, and those that have numbers in every row."""
    written = re.findall(r"<!-- benchmarks/.*?<!-- end -->", text, re.DOTALL)
    written = [each for each in written if judging.NAME not in each]  # sentences, in each language
    return [*written, *re.findall(r"^\|.*\d\.\d\d ± .*\|$", text, re.MULTILINE)]


def pictures(text: str) -> list[str]:
    return re.findall(r"!\[[^\]]+\]\((\S+)\)", text)


def without_code(text: str) -> str:
    return re.sub(r"```.*?```", "", text, flags=re.DOTALL)


def prose(text: str) -> str:
    text = re.sub(r"<!-- benchmarks/.*?<!-- end -->", "", without_code(text), flags=re.DOTALL)
    return " ".join(text.split())


def test_the_program_runs_by_its_path_and_says_where_it_looks_for_the_project(tmp_path: Path) -> None:
    program = re.findall(r"```python\n(.*?)```", README, re.DOTALL)[0]
    check = "\nassert abs((proof.weights[:, None, None] * proof.maps).sum(0) - heat.values).max() < 1e-4\n"
    path = tmp_path / "program.py"
    path.write_text(program + check, encoding="utf-8")
    beside, away = (
        subprocess.run([sys.executable, str(path)], cwd=cwd, capture_output=True, text=True, check=False)
        for cwd in (ROOT, tmp_path)
    )
    assert beside.returncode == 0, beside.stderr
    assert away.returncode == 1
    assert away.stderr.startswith("The project is not found: set PROJECT")
    assert away.stderr.count("\n") == 1
    path.write_text(program.replace("Path.cwd()", f"Path({str(ROOT)!r})") + check, encoding="utf-8")
    subprocess.run([sys.executable, str(path)], cwd=tmp_path, check=True)
