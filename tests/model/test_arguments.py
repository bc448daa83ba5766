"""Errors and help of a command line: plain sentences, and all of them in the language in use."""

import re
import sys

import pytest

from explorer.ui import options
from model import command, words
from model.arguments import Parser
from model.problems import Problem

WRONG = {
    "--count": "--count needs a value.",
    "--count x": "--count must be 1, not x.",
    "--ready=yes": "--ready takes no value, but 'yes' was given.",
    "--color pink": "--color must be one of 'red', 'blue', not 'pink'.",
    "--co 1": "--co may stand for --count, --color; write one of them in full.",
    "--nonesuch 7": "There is no flag --nonesuch 7.",
    "--ready": "--name, --side must be given.",
}


@pytest.fixture
def pseudo():
    words.use(words.PSEUDO)
    yield
    words.use(words.ENGLISH)


def one(text):
    if text != "1":
        raise command.WrongValue("{flag} must be 1, not {text}.", text=text)
    return 1


def parser(required):
    parser = Parser("try", title="flags")
    add = parser.first.add_argument
    add("--count", type=one)
    add("--color", choices=("red", "blue"))
    add("--ready", action="store_true")
    for name in ("--name", "--side") if required else ():
        add(name, required=True)
    return parser


def sentence(parser, line):
    with pytest.raises(Problem) as caught:
        parser.read(line.split())
    return str(caught.value)


@pytest.mark.parametrize("line", WRONG)
def test_every_error_of_argparse_is_a_sentence_of_ours(line):
    assert sentence(parser(required=line == "--ready"), line) == WRONG[line]


@pytest.mark.parametrize("line", WRONG)
def test_every_error_of_argparse_is_translated(line, pseudo):
    text = sentence(parser(required=line == "--ready"), line)
    assert text == f"⟦{WRONG[line]}⟧"


@pytest.mark.parametrize(
    "line",
    ["--lr", "--lr x", "--epochs 0", "--dropout 2", "--optimizer lion", "--resume=1", "--s 1", "--nonesuch"],
)
def test_a_wrong_flag_of_the_trainer_is_one_translated_line(line, pseudo, capsys):
    with pytest.raises(SystemExit) as caught:
        command.read_settings(line.split())
    error = capsys.readouterr().err
    assert caught.value.code == 2
    assert re.fullmatch(r"⟦error: ⟦[^⟦⟧]*⟧ --help lists all flags\.⟧\n", error)
    assert line.partition(" ")[0].partition("=")[0] in error


@pytest.mark.parametrize("line", ["--net", "--color red", "--input-size x", "--mean a", "--std 0", "--c 1"])
def test_a_wrong_option_of_the_explorer_is_one_translated_sentence(line, pseudo, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["app.py", *line.split()])
    with pytest.raises(Problem) as caught:
        options.options()
    assert re.fullmatch(r"⟦The options after `--` are not valid: ⟦[^⟦⟧]*⟧⟧", str(caught.value))


@pytest.mark.parametrize("line", ["--std 0,0,0", "--weights ema", "--bogus", "--classes a,b,c"])
def test_a_server_with_a_wrong_option_does_not_start(line, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["app.py", *line.split()])
    with pytest.raises(SystemExit) as caught:
        options.check_at_start()
    written = capsys.readouterr()
    assert caught.value.code == 2
    assert written.out == ""
    assert re.fullmatch(r"error: [A-Z][^\n]*\. --help lists all flags\.\n", written.err)


def test_the_help_of_the_explorer_ends_the_process(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["app.py", "--checkpoint", "x.pt", "--help"])
    with pytest.raises(SystemExit) as caught:
        options.check_at_start()
    assert caught.value.code == 0
    assert "--input-size" in capsys.readouterr().out


def test_a_server_with_valid_options_starts(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["app.py", "--net", "torchvision.models:resnet18"])
    options.check_at_start()
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize("make", [command.parser, options.parser], ids=["trainer", "explorer"])
def test_the_help_holds_no_word_that_is_not_translated(make, pseudo, monkeypatch):
    monkeypatch.setenv("COLUMNS", "100000")  # texts are not wrapped, so that ⟦ and ⟧ stay in one piece
    text = make().format_help()
    assert text.startswith("⟦usage: ⟧")
    while (less := re.sub(r"⟦[^⟦⟧]*⟧", " ", text)) != text:
        text = less
    untranslated = re.findall(r"(?<![-\w])[a-z]{2,}", text.replace("streamlit run explorer/app.py", ""))
    assert untranslated == []
