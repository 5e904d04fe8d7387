"""The verbs that read texts into graphs, and ask them: read, store."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from quern.cli import cli
from quern.errors import StoreError
from quern.graphs.store import GraphStore

LINES = (
    "《夜渡》是林桐导演的电影，由沈霜主演。",
    "林桐出生于云州。",
    "沈霜毕业于云州大学。",
)


def run(*words: str | Path, given: str | None = None) -> Result:
    """A call of quern."""
    return CliRunner().invoke(cli, [str(word) for word in words], input=given)


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A graph of three texts."""
    home = tmp_path_factory.mktemp("read")
    rows = [json.dumps({"id": f"d{n}", "text": text}) for n, text in enumerate(LINES)]
    (home / "texts.jsonl").write_text("\n".join(rows), encoding="utf-8")
    result = run("read", home / "texts.jsonl", "--into", home / "graph.kb", "--profile")
    assert result.exit_code == 0, result.output
    assert "3 documents read: " in result.stderr and "  facts: " in result.stderr
    return home / "graph.kb"


def test_texts_become_lines_of_graphs() -> None:
    result = run("read", given=LINES[0] + "\n")
    (line,) = map(json.loads, result.stdout.splitlines())
    names = {node["id"]: node["name"] for node in line["nodes"]}
    facts = [(names[f["subject"]], f["predicate"], names[f["object"]]) for f in line["facts"]]
    assert ("夜渡", "导演", "林桐") in facts
    assert line["document"] == "-:1"
    assert line["passages"] == [{"start": 0, "text": LINES[0]}]


def test_what_is_there_is_not_read_again(kept: Path) -> None:
    before = kept.read_bytes()
    result = run("read", kept.parent / "texts.jsonl", "--into", kept)
    assert "0 documents read (3 were there already): 0 facts, 0 names" in result.stderr
    assert kept.read_bytes() == before


def test_what_others_read_is_read_again(kept: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy.kb"
    copy.write_bytes(kept.read_bytes())
    texts = kept.parent / "texts.jsonl"
    again = run("read", texts, "--into", copy, "--model", "zh-triples-fast")
    assert again.stderr.strip().endswith("names") and "3 documents read: " in again.stderr
    same = run("read", texts, "--into", copy, "--model", "zh-triples-fast")
    assert "3 were there already" in same.stderr
    assert "3 documents read: " in run("read", texts, "--into", copy, "--min-score", "0.9").stderr


def test_facts_are_asked_for_with_their_reasons(kept: Path) -> None:
    stats = json.loads(run("store", "stats", kept, "--format", "json").stdout)
    assert stats["documents"] == 3
    result = run("store", "query", kept, "--node", "夜渡", "--predicate", "导演")
    (fact,) = map(json.loads, result.stdout.splitlines())
    assert (fact["subject"]["name"], fact["object"]["name"]) == ("夜渡", "林桐")
    assert fact["evidence"][0]["document"] == "d0"
    shown = run("store", "why", kept, "夜渡", "导演", "林桐").stdout.splitlines()
    assert shown[0].startswith("d0   0.")
    assert shown[1] == "  《[夜渡]》是{林桐}导演的电影，由沈霜主演。"


def test_contradictions_are_shown(kept: Path, tmp_path: Path) -> None:
    schema = tmp_path / "schema.json"
    schema.write_text('{"predicates": {"导演": {"single": true}}}', encoding="utf-8")
    assert run("store", "conflicts", kept, "--schema", schema).stdout == ""
    schema.write_text('{"predicates": {"导演": {}}}', encoding="utf-8")
    result = run("store", "conflicts", kept, "--schema", schema)
    assert 'no predicate is "single"' in str(result.exception)


def test_a_graph_is_exported(kept: Path, tmp_path: Path) -> None:
    result = run("store", "export", kept, tmp_path / "graph.nt")
    assert re.search(
        r"[1-9] nodes and [1-9] facts written to .*graph\.nt \(ntriples\)", result.stderr
    )
    assert "林桐" in (tmp_path / "graph.nt").read_text(encoding="utf-8")
    result = run("store", "export", kept, tmp_path / "graph.doc")
    assert "its name does not say the form" in str(result.exception)


def test_a_document_can_be_forgotten(kept: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy.kb"
    copy.write_bytes(kept.read_bytes())
    result = run("store", "forget", copy, "d0", "d7")
    assert isinstance(result.exception, StoreError)
    assert "no document 'd7'; nothing was forgotten" in str(result.exception)
    assert "1 documents forgotten" in run("store", "forget", copy, "d0").stderr
    left = run("store", "query", copy, "--node", "夜渡")
    assert "no node has the id or the name '夜渡'" in str(left.exception)


def test_ids_name_one_document(tmp_path: Path) -> None:
    (tmp_path / "t.jsonl").write_text('{"id": 1, "text": "a"}\n{"id": "1", "text": "b"}\n')
    result = run("read", tmp_path / "t.jsonl")
    assert "t.jsonl:2: the id '1' stands twice" in str(result.exception)
    assert run("read", tmp_path / "t.jsonl", "--links", "x").exit_code == 2
    assert run("read", tmp_path / "t.jsonl", "--kb", "x").exit_code == 2


def test_a_killed_run_goes_on(tmp_path: Path) -> None:
    rows = [{"id": n, "text": f"{LINES[n % 3]}第{n}页。"} for n in range(1200)]
    texts = tmp_path / "texts.jsonl"
    texts.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    command = [sys.executable, "-m", "quern.cli", "read", str(texts), "--into"]
    process = subprocess.Popen([*command, str(tmp_path / "a.kb")], stderr=subprocess.DEVNULL)
    for _ in range(600):
        time.sleep(0.05)
        try:
            with GraphStore(tmp_path / "a.kb") as store:
                if store.stats().documents:
                    break
        except StoreError:
            continue  # not there yet
    process.send_signal(signal.SIGKILL)
    process.wait()
    with GraphStore(tmp_path / "a.kb") as store:
        first = store.stats().documents
    assert 0 < first < 1200
    again = run("read", texts, "--into", tmp_path / "a.kb")
    assert f"{1200 - first:,} documents read ({first:,} were there already)" in again.stderr
    run("read", texts, "--into", tmp_path / "b.kb")
    whole = run("store", "query", tmp_path / "b.kb").stdout
    assert run("store", "query", tmp_path / "a.kb").stdout == whole
    assert whole
