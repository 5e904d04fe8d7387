"""``quern prepare``: lines cleaned in order, all else kept, bad ones named."""

from __future__ import annotations

import gzip
import json
from collections import Counter
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from quern.cli.prepare import command
from quern.data import Lot, Preparing, lots, prepare
from quern.errors import DataError
from quern.text.cleaning import CleaningSettings, clean

LINES = [
    '{"id": 1, "title": "Broken  <b>mill</b>", "body": "see http://a.b\\n\\n\\n`x`", "n": 1.50}',
    '{"body": "*the* sluice", "title": "Sluice", "labels": ["b",  "a"]}',
    '{"body": null, "title": "&#20320;&#22909;"}',
]


def run(*words: str | Path, given: bytes | None = None) -> Result:
    """The verb, called."""
    return CliRunner().invoke(command, list(map(str, words)), input=given)


def write(path: Path, *lines: str) -> Path:
    """A file of lines, gzipped by its name."""
    content = "".join(f"{line}\n" for line in lines).encode()
    path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)
    return path


def test_texts_are_cleaned_and_all_else_is_kept(tmp_path: Path) -> None:
    out = tmp_path / "clean.jsonl"
    said = run(write(tmp_path / "posts.jsonl", *LINES), "--out", out)
    assert said.exit_code == 0, said.output
    assert out.read_text(encoding="utf-8").splitlines() == [
        '{"id":1,"title":"Broken mill","body":"see 🔗\\n\\n`x`","n":1.50}',
        '{"body":"the sluice","title":"Sluice","labels":["b",  "a"]}',
        '{"body":null,"title":"你好"}',
    ]
    told = [" ".join(line.split()) for line in said.stderr.splitlines()]
    assert told[0] == "3 lines read; 3 written"
    assert told[1].startswith("6 texts; ")
    assert told[2:] == [
        "html changed 2 texts",
        "markdown changed 1 texts",
        "urls changed 1 texts",
        "space changed 2 texts",
        "1 'body' were empty before",
    ]


def test_named_fields_and_settings(tmp_path: Path) -> None:
    path, out = write(tmp_path / "a.jsonl", '{"q": "`a` 1", "text": "<b>"}'), tmp_path / "o.jsonl"
    asked = ["--field", "q", "--set", "inline=drop", "--set", "numbers=mark"]
    assert run(path, "--out", out, *asked).exit_code == 0
    assert json.loads(out.read_bytes()) == {"q": "🔢", "text": "<b>"}
    with pytest.raises(DataError, match="KEY one of: case, code, emails"):
        CliRunner().invoke(
            command, [str(path), "--out", str(out), "--set", "tags=drop"], catch_exceptions=False
        )
    with pytest.raises(DataError, match=r"Invalid enum value 'cut' - at `\$.code`"):
        CliRunner().invoke(
            command, [str(path), "--out", str(out), "--set", "code=cut"], catch_exceptions=False
        )


def test_bad_lines_are_refused_or_left_out(tmp_path: Path) -> None:
    bad = ["{", '{"body": 1}', '{"a": "b"}', "[]", '{"body": "\\ud800"}', '"a"', '{"title": "x"}']
    path, out = write(tmp_path / "a.jsonl", *bad), tmp_path / "o.jsonl"
    with path.open("ab") as stream:
        stream.write(b'{"body": "x", "other": "\xff"}\n')
    with pytest.raises(DataError) as error:
        CliRunner().invoke(command, [str(path), "--out", str(out)], catch_exceptions=False)
    lines = str(error.value).splitlines()
    assert lines[0] == f"{path}: 7 line(s) cannot be read:"
    assert lines[2] == f'  {path}:2: "body": Expected `str | null`, got `int`'
    assert lines[3].startswith(f"  {path}:3: none of text, body, title")
    assert lines[6:] == ["  … and 2 more", "Mend them, or leave them out: --skip-bad"]
    assert not out.exists()
    said = run(path, "--out", out, "--skip-bad")
    assert said.exit_code == 0
    assert out.read_text(encoding="utf-8") == '{"title":"x"}\n'
    assert "8 lines read, 7 that cannot be read left out; 1 written" in said.stderr
    named = run(path, "--out", out, "--skip-bad", "--field", "body")
    assert "8 lines read, 8 that cannot be read left out; 0 written" in named.stderr
    assert f'{path}:3: no "body"' in named.stderr


def test_texts_that_become_empty_are_counted_and_kept_unless_asked(tmp_path: Path) -> None:
    rows = ['{"body": "<br>", "title": "a"}', '{"body": "b", "title": " "}', '{"body": "c"}']
    path, out = write(tmp_path / "a.jsonl", *rows), tmp_path / "o.jsonl"
    kept = run(path, "--out", out)
    assert "nothing is left of 1 'body'" in kept.stderr
    assert "1 'title' were empty before" in kept.stderr
    assert [json.loads(line)["body"] for line in out.read_bytes().splitlines()] == ["", "b", "c"]
    dropped = run(path, "--out", out, "--drop-empty")
    assert "3 lines read; 1 written" in dropped.stderr
    assert "2 lines left out for it (--drop-empty)" in dropped.stderr
    assert [json.loads(line) for line in out.read_bytes().splitlines()] == [{"body": "c"}]


def test_text_files_standard_input_and_gzip(tmp_path: Path) -> None:
    one, two = (
        write(tmp_path / "a.txt", "<b>a</b>", "", " b "),
        write(tmp_path / "b.jsonl.gz", LINES[1]),
    )
    out = tmp_path / "o.jsonl.gz"
    assert run(one, two, "--out", out).exit_code == 0
    rows = [json.loads(line) for line in gzip.decompress(out.read_bytes()).splitlines()]
    assert [row.get("text", row.get("body")) for row in rows] == ["a", "b", "the sluice"]
    plain = tmp_path / "o.jsonl"
    said = run("--out", plain, "--input", "jsonl", given=b'{"text": "*a*"}\n')
    assert said.exit_code == 0 and json.loads(plain.read_bytes()) == {"text": "a"}
    torn = tmp_path / "torn.jsonl.gz"
    torn.write_bytes(two.read_bytes()[:-12])
    with pytest.raises(DataError, match="cannot be read to its end"):
        CliRunner().invoke(command, [str(torn), "--out", str(out)], catch_exceptions=False)


def test_lots_change_nothing(tmp_path: Path) -> None:
    lines = [
        (n, json.dumps({"text": f"<b>{n}</b> " + "x" * (n % 7)}).encode()) for n in range(3000)
    ]
    lines[7] = (7, b'{"text": "' + b"y" * 3_000_000 + b'"}')
    cut = list(lots("f", "jsonl", lines))
    assert len(cut) > 3 and [line for lot in cut for line in lot.lines] == lines
    preparing = Preparing(CleaningSettings())
    whole = prepare(preparing, Lot("f", "jsonl", lines))
    parts = [prepare(preparing, lot) for lot in cut]
    assert b"".join(part.written for part in parts) == whole.written
    assert sum((part.counts for part in parts), Counter()) == +whole.counts
    assert sum((part.changed for part in parts), Counter()) == whole.changed


def test_processes_give_what_one_gives(tmp_path: Path) -> None:
    rows = [json.dumps({"text": f"<i>{n}</i>  `{n}`", "n": n}) for n in range(5000)]
    path = write(tmp_path / "a.jsonl", *rows)
    one, two = tmp_path / "one.jsonl", tmp_path / "two.jsonl"
    alone, both = run(path, "--out", one), run(path, "--out", two, "--workers", "2")
    assert both.exit_code == 0, both.output
    assert two.read_bytes() == one.read_bytes()
    assert alone.stderr == both.stderr
    first = json.loads(one.read_bytes().split(b"\n")[0])
    assert first == {"text": clean("<i>0</i>  `0`"), "n": 0}


def test_a_worker_that_is_ended_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def ended(*_: object) -> None:
        raise BrokenProcessPool("gone")

    monkeypatch.setattr("quern.cli.prepare.in_order", ended)
    path, out = write(tmp_path / "a.txt", "a"), tmp_path / "o.jsonl"
    with pytest.raises(DataError, match="try fewer --workers"):
        CliRunner().invoke(command, [str(path), "--out", str(out)], catch_exceptions=False)
    assert not out.exists()
