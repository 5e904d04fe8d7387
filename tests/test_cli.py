"""The command line from outside: exit codes, streams, order, errors, speed of --help."""

from __future__ import annotations

import gzip
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from quern import __version__
from quern.shipped import names

QUERN = [sys.executable, "-m", "quern.cli"]
ZH = "《渡口来信》是歌手苏小婉演唱的歌曲,由顾长安作词。"
EN = "Northlight Robotics is headquartered in Uppsala."


def quern(*words: str, stdin: str | bytes = b"", **kwargs) -> subprocess.CompletedProcess[str]:
    given = stdin.encode() if isinstance(stdin, str) else stdin
    done = subprocess.run([*QUERN, *words], input=given, capture_output=True, check=False, **kwargs)
    return subprocess.CompletedProcess(
        done.args, done.returncode, done.stdout.decode(), done.stderr.decode()
    )


def test_help_teaches_and_lists_every_verb() -> None:
    done = quern("--help")
    assert done.returncode == 0
    for verb in ("check", "train", "evaluate", "bench", "extract", "info", "export"):
        assert f"\n  {verb} " in done.stdout
        assert quern(verb, "--help").returncode == 0
    assert "quern extract notes.txt" in done.stdout


def test_version() -> None:
    assert quern("--version").stdout == f"quern, version {__version__}\n"


def test_called_wrongly_is_2() -> None:
    done = quern("extract", "--min-score", "2")
    assert (done.returncode, done.stdout) == (2, "")
    assert "Invalid value for '--min-score'" in done.stderr
    assert quern("grind").returncode == 2


def test_each_text_gets_its_line_in_order(tmp_path: Path) -> None:
    texts = [ZH, "", EN, "…", ZH] * 60
    path = tmp_path / "t.jsonl.gz"
    rows = [json.dumps({"id": i, "text": text}) for i, text in enumerate(texts)]
    path.write_bytes(gzip.compress("\n".join(rows).encode()))
    done = quern("extract", str(path), "--format", "jsonl", "--threads", "2")
    assert done.returncode == 0, done.stderr
    out = [json.loads(line) for line in done.stdout.splitlines()]
    assert [row["id"] for row in out] == [str(i) for i in range(len(texts))]
    assert [row["text"] for row in out] == texts
    assert [row["line"] for row in out] == list(range(1, len(texts) + 1))
    for row in out:
        for triple in row["triples"]:
            for end in (triple["subject"], triple["object"]):
                assert row["text"][end["start"] : end["end"]] == end["text"]
    assert {row["model"] for row in out} == {"zh-triples", "en-triples"}
    assert done.stderr.endswith(
        f"{len(texts)} texts, {sum(len(r['triples']) for r in out)} facts\n"
    )


def test_standard_input_and_a_file_are_the_same(tmp_path: Path) -> None:
    (tmp_path / "t.txt").write_text(f"{ZH}\r\n\n{EN}\n", encoding="utf-8")
    file = quern("extract", "t.txt", cwd=tmp_path).stdout
    piped = quern("extract", stdin=f"{ZH}\r\n\n{EN}\n").stdout
    assert file.replace('"t.txt"', '"-"') == piped
    assert [json.loads(line)["line"] for line in piped.splitlines()] == [1, 3]


def test_min_score_leaves_out_what_scores_lower() -> None:
    every = list(json.loads(quern("extract", stdin=ZH).stdout)["triples"])
    assert every, "the shipped model should find the singer"
    least = max(t["score"] for t in every)
    kept = json.loads(quern("extract", "--min-score", str(least), stdin=ZH).stdout)["triples"]
    assert kept == [t for t in every if t["score"] >= least]
    assert json.loads(quern("extract", "--min-score", "1", stdin=ZH).stdout)["triples"] == []


def test_uncertain_facts_are_marked_and_the_sure_ones_stay() -> None:
    text = f"{ZH}《石桥夜话》的作者是林暮云。"
    every = json.loads(quern("extract", stdin=text).stdout)["triples"]
    assert all("uncertain" not in t for t in every)
    least = max(t["score"] for t in every)
    words = ("extract", "--min-score", str(least), "--uncertain", "0.05")
    done = quern(*words, stdin=text)
    found = json.loads(done.stdout)["triples"]
    assert [t for t in found if "uncertain" not in t] == [t for t in every if t["score"] >= least]
    doubtful = [t for t in found if t.get("uncertain") is True]
    assert {t["score"] for t in every if t["score"] < least} <= {t["score"] for t in doubtful}
    assert done.stderr == f"1 texts, {len(found)} facts, {len(doubtful)} of them uncertain\n"
    table = quern(*words, "--format", "table", stdin=text).stdout
    assert table.count(" ?") == len(doubtful) > 0
    assert "?" not in quern("extract", "--format", "table", stdin=text).stdout


def test_uncertain_above_the_least_score_is_called_wrongly() -> None:
    done = quern("extract", "--min-score", "0.5", "--uncertain", "0.7", stdin=ZH)
    assert (done.returncode, done.stdout) == (2, "")
    assert "0.7 is not below --min-score 0.5" in done.stderr


def test_a_table_lines_up_wide_characters() -> None:
    done = quern("extract", "--format", "table", stdin="《石桥夜话》的作者是林暮云。")
    head, rule, row = done.stdout.splitlines()[1:4]
    assert head.split() == ["where", "subject", "predicate", "object", "score"]
    assert set(rule.strip()) == {"─"}
    assert row.split()[:4] == ["-:1", "石桥夜话", "作者", "林暮云"]


def test_a_bad_line_is_named_and_what_stood_before_it_answered() -> None:
    done = quern("extract", stdin=ZH.encode() + b"\n\xff\xfe\n" + ZH.encode())
    assert done.returncode == 1
    assert [json.loads(line)["line"] for line in done.stdout.splitlines()] == [1]
    assert done.stderr == (
        "quern: standard input:2: not UTF-8 (invalid start byte at byte 0); "
        "convert it first, for example with: iconv -f GB18030 -t UTF-8\n"
    )


def test_missing_things_are_named(tmp_path: Path) -> None:
    done = quern("extract", "none.txt", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (
        1,
        "quern: none.txt: cannot be read: No such file or directory\n",
    )
    done = quern("extract", "--model", "nowhere", stdin=ZH, cwd=tmp_path)
    assert (done.returncode, done.stderr) == (
        1,
        "quern: nowhere: no such folder, and no model of that name ships with quern; "
        f"shipped: {', '.join(names())}\n",
    )


def test_a_reader_that_goes_away_is_no_error_message() -> None:
    command = " ".join([*QUERN, "extract"])
    lines = "\n".join([ZH] * 2000)
    done = subprocess.run(
        ["bash", "-c", f"{command} | head -1"],
        input=lines.encode(),
        capture_output=True,
        check=False,
    )
    assert done.stdout.count(b"\n") == 1
    assert done.stderr == b""


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_disk_is_named() -> None:
    with open("/dev/full", "wb") as full:
        done = subprocess.run(
            [*QUERN, "extract"], input=ZH.encode(), stdout=full, stderr=subprocess.PIPE, check=False
        )
    assert done.returncode == 1
    assert done.stderr.decode() == "quern: output: No space left on device\n"


def test_control_c_stops_with_one_word() -> None:
    process = subprocess.Popen(
        [*QUERN, "extract"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=os.environ | {"PYTHONUNBUFFERED": "1"},
        # What runs in the background of a shell is born deaf to Control-C.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write((ZH + "\n").encode() * 256)
    process.stdin.flush()
    process.stdout.readline()  # it is at work, waiting for more
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=20)
    assert process.returncode == 1
    assert b"Traceback" not in errors


def test_output_comes_while_input_goes_on() -> None:
    """Constant memory needs results to leave before the input has ended."""
    with subprocess.Popen([*QUERN, "extract"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                          stderr=subprocess.DEVNULL) as process:  # fmt: skip
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write((ZH + "\n").encode() * 256)
        process.stdin.flush()
        began = time.monotonic()
        assert json.loads(process.stdout.readline())["line"] == 1
        assert time.monotonic() - began < 30
        process.stdin.close()
        assert len(process.stdout.readlines()) == 255


def test_info_lists_and_describes() -> None:
    rows = json.loads(quern("info", "--format", "json").stdout)
    assert [row["model"] for row in rows] == names()
    for row in rows:
        assert row["bytes"] < 10_000_000
        assert row["task"] == row["model"].split("-")[1]
        described = json.loads(quern("info", row["model"], "--format", "json").stdout)
        assert described == row
        assert (Path(row["folder"]) / "README.md").is_file()
        assert row["scores"]["dev"]


def test_info_lists_models_of_every_task_with_the_score_that_decides() -> None:
    done = quern("info")
    assert (done.returncode, done.stderr) == (0, "")
    shown = {line.split()[0]: line for line in done.stdout.splitlines() if line.strip()}
    assert set(names()) <= set(shown)
    assert re.search(r"F1 0\.\d{3}\s*$", shown["zh-triples"])
    assert re.search(r"accuracy 0\.\d{3}\s*$", shown["zh-entities"])


def test_extras_are_named_where_they_are_missing() -> None:
    script = (
        "import sys; sys.modules['torch'] = None; sys.argv = ['quern', 'train', 'triples', 'x', "
        "'--out', 'y']; from quern.cli import main; main()"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, check=False)
    assert done.returncode == 1
    assert done.stderr.decode() == (
        "quern: quern train needs the 'train' extra: pip install 'quern[train]'\n"
    )
