"""What README.md and docs/ say is so: figures are those of the files, commands and flags exist."""

import re
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
from tests import forks

ROOT = Path(__file__).resolve().parents[1]
README, CHINESE = (  # without the page that judging writes whole, in each language
    "\n".join(page.read_text(encoding="utf-8") for page in pages if page not in judging.PAGES.values())
    for pages in (readme.ENGLISH, readme.CHINESE)
)
both = pytest.mark.parametrize("text", [README, CHINESE], ids=["English", "Chinese"])
PAIRS = tuple(zip(readme.ENGLISH, readme.CHINESE, strict=True))


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
    for language, page in judging.PAGES.items():
        assert page.read_text(encoding="utf-8") == judging.page(boards, language)


def test_what_is_said_of_the_scores_is_short() -> None:
    """Three sentences with few percentages: the others are on the page about the scores."""
    boards = judging.scores_boards()
    english, chinese = (judging.sentences(boards, each) for each in (words.ENGLISH, judging.CHINESE))
    assert len(re.findall(r"\.(?= |$)", english)) == chinese.count("。") == 3
    assert english.count("%") == chinese.count("%") <= 4
    assert len(english.split()) <= 120


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


def test_flags_of_a_path_are_named_alike_in_every_help() -> None:
    for each in (options.parser(), scoreboard.parser(), scan.parser()):
        flags = each._option_string_actions
        assert flags["--checkpoint"].metavar == "FILE"
        assert flags["--data-dir"].metavar == "DIR"


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


@pytest.mark.parametrize("page", [*readme.ENGLISH, *readme.CHINESE], ids=lambda page: page.name)
def test_every_file_that_is_linked_exists(page: Path) -> None:
    targets = re.findall(r"\]\(([\w./-]+)\)", page.read_text(encoding="utf-8"))
    assert targets
    assert not [target for target in targets if not (page.parent / target).exists()]


@both
def test_readme_links_every_page(text: str) -> None:
    pages = readme.ENGLISH if text is README else readme.CHINESE
    assert not [page.name for page in pages[1:] if f"(docs/{page.name})" not in text]


def test_the_speeds_in_readme_are_those_of_the_tables() -> None:
    front = readme.ENGLISH[0].read_text(encoding="utf-8").partition("\n## How fast\n")[2]
    clicks = re.findall(
        r"^\| (.+?) \| (\d+) ms \|", readme.text_of("benchmarks/interactions.py"), re.MULTILINE
    )
    (_, empty), *others = [(name, int(time)) for name, time in clicks]
    times = [time for _, time in others]
    assert f"{min(times)} to {max(times)} ms, beside {empty} ms" in front
    (first,) = re.findall(r"feature maps \| ([\d.]+ s) \|", readme.text_of("benchmarks/explorer.py"))
    assert f"feature maps: {first}" in front
    factors = dict(re.findall(r"^\| (torchcam|Captum) \|.*\| ([\d.]+) \|$", README, re.MULTILINE))
    assert (
        f"{factors['torchcam']} times as fast as torchcam, {factors['Captum']} times as fast as Captum"
        in front
    )
    (course,) = re.findall(r"^\| course \| [\d,]+ \| ([\d.]+) ×", README, re.MULTILINE)
    assert f"to {course} times as fast as the course's own listing" in front


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


@pytest.mark.parametrize("pair", PAIRS, ids=lambda pair: pair[0].name)
def test_both_have_the_same_sections(pair: tuple[Path, Path]) -> None:
    texts = (page.read_text(encoding="utf-8") for page in pair)
    levels = [re.findall(r"^(#{1,3}) ", without_code(text), re.MULTILINE) for text in texts]
    assert levels[0] == levels[1]


def test_the_chinese_one_names_the_same_flags_files_and_numbers() -> None:
    """A paragraph that was added to one of them, and not to the other, is missed here."""
    for english, chinese in PAIRS:
        for pattern in (r"`[^`]+`", r"\d+[.,]\d+"):
            named = [
                set(re.findall(pattern, prose(page.read_text(encoding="utf-8"))))
                for page in (english, chinese)
            ]
            assert sorted(named[0] - named[1]) == [], f"only in {english.name}"
            assert sorted(named[1] - named[0]) == [], f"only in {chinese.name}"


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


def test_the_programs_of_the_pages_run_one_after_the_other() -> None:
    """Those on attributions go on with what the one of docs/own.md has made."""
    pages = [page for page in readme.ENGLISH if page.stem in ("own", "attributions")]
    texts = [page.read_text(encoding="utf-8") for page in pages]
    programs = [program for text in texts for program in re.findall(r"```python\n(.*?)```", text, re.DOTALL)]
    assert len(programs) == 3
    ran = forks.run("-c", "\n".join(programs))
    assert ran.returncode == 0, ran.stderr


def test_the_program_runs_by_its_path_and_says_where_it_looks_for_the_project(tmp_path: Path) -> None:
    program = re.findall(r"```python\n(.*?)```", README, re.DOTALL)[0]
    check = "\nassert abs((proof.weights[:, None, None] * proof.maps).sum(0) - heat.values).max() < 1e-4\n"
    path = tmp_path / "program.py"
    path.write_text(program + check, encoding="utf-8")
    beside, away = (forks.run(path, cwd=cwd) for cwd in (ROOT, tmp_path))
    assert beside.returncode == 0, beside.stderr
    assert away.returncode == 1
    assert away.stderr.startswith("The project is not found: set PROJECT")
    assert away.stderr.count("\n") == 1
    path.write_text(program.replace("Path.cwd()", f"Path({str(ROOT)!r})") + check, encoding="utf-8")
    ran = forks.run(path, cwd=tmp_path)
    assert ran.returncode == 0, ran.stderr
