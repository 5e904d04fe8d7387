"""``quern kb`` from outside."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

import house
from quern.cli.kb import _FORMS
from quern.kb.readers import FORMS

QUERN = [sys.executable, "-m", "quern.cli", "kb"]
LINES = """\
{"id":"m","name":"石橋磨坊","aliases":["Stone Mill"],"types":["place"],"facts":[["in","云州"]]}
{"id":"t","name":"云州","description":"一座城。","popularity":2.5}
"""


def kb(*words: str, stdin: str = "", cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*QUERN, *words], input=stdin, capture_output=True, encoding="utf-8", cwd=cwd, check=False
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "a.jsonl").write_text(LINES, encoding="utf-8")
    done = kb("import", "a.kb", "a.jsonl", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (0, "")
    assert done.stderr == "2 added\na.kb: 2 entities\n"
    return tmp_path


def test_in_and_out_again(folder: Path) -> None:
    assert kb("export", "a.kb", cwd=folder).stdout == LINES
    assert kb("export", "a.kb", "b.jsonl", cwd=folder).stderr == "wrote b.jsonl: 2 entities\n"
    assert (folder / "b.jsonl").read_text(encoding="utf-8") == LINES
    assert kb("export", "a.kb", "b.jsonl", "--overwrite", cwd=folder).returncode == 0
    assert kb("export", "a.kb", "./a.kb", "--overwrite", cwd=folder).returncode == 1
    assert kb("show", "a.kb", "t", cwd=folder).stdout == LINES.splitlines(keepends=True)[1]
    stats = json.loads(kb("stats", "a.kb", "--format", "json", cwd=folder).stdout)
    assert (stats["entities"], stats["names"], stats["facts"]) == (2, 3, 1)
    assert " entities " in kb("stats", "a.kb", cwd=folder).stdout


def test_search(folder: Path) -> None:
    rows = json.loads(kb("search", "a.kb", "石桥磨坊", "--format", "json", cwd=folder).stdout)
    assert rows == [
        {"id": "m", "name": "石橋磨坊", "key": "石桥磨坊", "score": 1.0, "popularity": None}
    ]
    table = kb("search", "a.kb", "stone mills", cwd=folder).stdout
    assert table.splitlines()[3].split()[1:] == ["m", "石橋磨坊", "stone", "mill"]
    done = kb("search", "a.kb", "stone mills", "--min-score", "1", cwd=folder)
    assert (done.returncode, done.stdout) == (0, "")
    assert done.stderr == "a.kb: no name like 'stone mills'\n"


def test_find(folder: Path) -> None:
    text = "从雲州到石桥磨坊"
    done = kb("find", "a.kb", stdin=f"{text}\n\nnothing\n", cwd=folder)
    assert [json.loads(line) for line in done.stdout.splitlines()] == [
        {
            "file": "-",
            "line": 1,
            "text": text,
            "names": [
                {"start": 1, "end": 3, "text": "雲州", "ids": ["t"]},
                {"start": 4, "end": 8, "text": "石桥磨坊", "ids": ["m"]},
            ],
        },
        {"file": "-", "line": 3, "text": "nothing", "names": []},
    ]
    (folder / "t.jsonl").write_text(json.dumps({"text": text}), encoding="utf-8")
    done = kb("find", "a.kb", "t.jsonl", "--every", cwd=folder)
    assert json.loads(done.stdout)["file"] == "t.jsonl"


def test_add_edit_remove(folder: Path) -> None:
    words = ("--alias", "石坊", "--type", "place", "--fact", "in", "云州", "--popularity", "1")
    assert kb("add", "a.kb", "n", "新磨坊", *words, cwd=folder).returncode == 0
    words = (
        "--name",
        "新石坊",
        "--alias",
        "新坊",
        "--drop-alias",
        "石坊",
        "--description",
        "又一处。",
    )
    assert kb("edit", "a.kb", "n", *words, cwd=folder).returncode == 0
    assert json.loads(kb("show", "a.kb", "n", cwd=folder).stdout) == {
        "id": "n",
        "name": "新石坊",
        "aliases": ["新坊"],
        "description": "又一处。",
        "types": ["place"],
        "facts": [["in", "云州"]],
        "popularity": 1.0,
    }
    (folder / "ids").write_bytes(b"\xef\xbb\xbfm\r\n\nt\nm\n")
    (folder / "gbk").write_bytes("石桥磨坊".encode("gbk"))
    done = kb("remove", "a.kb", "n", "--ids", "gbk", cwd=folder)
    assert done.returncode == 1
    assert done.stderr.startswith("quern: gbk:1: not UTF-8")
    done = kb("remove", "a.kb", "n", "--ids", "ids", cwd=folder)
    assert (done.returncode, done.stderr) == (0, "3 removed\n")
    assert kb("export", "a.kb", cwd=folder).stdout == ""


WRONG = [
    (("show", "a.kb", "x"), "a.kb: no entity 'x'; look for it with: quern kb search"),
    (("edit", "a.kb", "m", "--drop-alias", "y"), "entity 'm' has no alias 'y'; see quern kb show"),
    (("add", "a.kb", "m", "y"), "entity 'm' is there already; replace it, or remove it"),
    (("remove", "a.kb", "m", "x"), "there is no entity 'x'; nothing was removed"),
    (("import", "a.kb", "b.jsonl"), "no such file: b.jsonl"),
    (("import", "a.kb", "."), "no such file: ."),
    (("export", "a.kb", "./a.kb"), "a.kb: is the base itself; choose another name"),
    (
        ("export", "a.kb", "a.jsonl"),
        "a.jsonl: exists already; choose another name or pass --overwrite",
    ),
    (
        ("stats", "b.kb"),
        "b.kb: no such knowledge base; make one with: quern kb import b.kb FILE",
    ),
]


@pytest.mark.parametrize(("words", "why"), WRONG, ids=lambda value: value[0])
def test_mistakes_are_named(folder: Path, words: tuple[str, ...], why: str) -> None:
    done = kb(*words, cwd=folder)
    assert (done.returncode, done.stdout, done.stderr) == (1, "", f"quern: {why}\n")


def test_bad_lines_are_told_also_where_they_are_left_out(folder: Path) -> None:
    (folder / "b.jsonl").write_text('{"id": "t", "name": "x"}\n{"id": 1, "name": "y"}\n')
    done = kb("import", "a.kb", "b.jsonl", cwd=folder)
    assert done.returncode == 1
    assert "  b.jsonl:1: the id 't' is there already\n" in done.stderr
    done = kb("import", "a.kb", "b.jsonl", "--skip-bad", cwd=folder)
    assert done.returncode == 0
    assert done.stderr == (
        "1 added\nb.jsonl: 1 line(s) left out:\n  b.jsonl:1: the id 't' is there already\n"
        "a.kb: 3 entities\n"
    )


def test_the_formats_are_those_that_there_are() -> None:
    assert tuple(FORMS) == _FORMS


def test_files_that_are_pipes_are_read(folder: Path) -> None:
    done = kb("import", "b.kb", "/dev/stdin", "--format", "jsonl", stdin=LINES, cwd=folder)
    assert (done.returncode, done.stderr) == (0, "2 added\nb.kb: 2 entities\n")


def test_names_of_several_lines_stay_in_their_row(folder: Path) -> None:
    assert kb("add", "a.kb", "l", "上\n\x1b[1m坊", cwd=folder).returncode == 0
    table = kb("search", "a.kb", "上|[1m坊", cwd=folder).stdout
    assert table.splitlines()[3].split()[1:4] == ["l", "上", "[1m坊"]


def test_it_starts_light() -> None:
    heavy = (*house.HEAVY, "numpy", "onnxruntime", "sqlite3")
    assert house.light_import_faults(house.SRC, ["quern.cli.kb"], heavy) == []
    heavy = (*house.HEAVY, "onnxruntime")
    assert house.light_import_faults(house.SRC, ["quern.kb"], heavy) == []
