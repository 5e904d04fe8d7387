"""The verbs on links: train, evaluate, link, info, export, from files to files."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")

from click.testing import CliRunner, Result

import quern
from quern.cli import cli
from quern.kb import KnowledgeBase
from quern.records import Entity
from quern.train import int8
from test_link_training import DEV, TRAIN

TEXT = "昨天甲丑来了,带着书。"
SETTINGS = [
    *("dim=16", "gram_dim=8", "dilations=[1,2]", "heads=2", "head_dim=8", "buckets=64"),
    *("epochs=4", "fine_epochs=1", "batch_size=16", "rate=0.01", "precision=fp32", "threads=1"),
    *("min_count=1", "window=40", "overlap=20"),
]


def run(*words: str | Path, given: str | None = None) -> Result:
    """A call of quern."""
    return CliRunner().invoke(cli, [str(word) for word in words], input=given)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with labelled files and a model that was trained on them."""
    home = tmp_path_factory.mktemp("cli-links")
    for name, examples in (("train", TRAIN), ("dev", DEV)):
        rows = [
            {
                "text": e.text,
                "mentions": [
                    {"mention": m.mention, "start": m.start, "kb_id": m.kb_id} for m in e.mentions
                ],
            }
            for e in examples
        ]
        lines = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
        (home / f"{name}.jsonl").write_text(lines, encoding="utf-8")
    words = [word for setting in SETTINGS for word in ("--set", setting)]
    files = [home / "train.jsonl", "--dev", home / "dev.jsonl", "--out", home / "model"]
    said = run("train", "links", *files, *words)
    assert said.exit_code == 0, said.output
    assert "240 windows to train on, 60 dev texts" in said.stderr
    assert "names of the labels" in said.stderr
    return home


def test_mentions_come_out_as_jsonl(home: Path) -> None:
    said = run("link", "--model", home / "model", given=f"{TEXT}\n\nX\n")
    assert said.exit_code == 0, said.output
    first, second = map(json.loads, said.stdout.splitlines())
    (mention,) = first.pop("mentions")
    assert first == {"file": "-", "line": 1, "text": TEXT}
    assert (mention["start"], mention["end"], mention["text"]) == (2, 4, "甲丑")
    assert second == {"file": "-", "line": 3, "text": "X", "mentions": []}
    assert said.stderr == "2 texts, 1 mentions\n"


def test_files_ids_tables_and_a_least_score(home: Path, tmp_path: Path) -> None:
    path = tmp_path / "texts.jsonl"
    path.write_text(json.dumps({"text": TEXT, "id": 7}), encoding="utf-8")
    said = run("link", "--model", home / "model", path, "--threads", "2")
    assert json.loads(said.stdout)["id"] == "7"
    table = run("link", "--model", home / "model", path, "--format", "table")
    assert "2–4" in table.stdout and "甲丑" in table.stdout
    none = run("link", "--model", home / "model", path, "--min-score", "1")
    assert json.loads(none.stdout)["mentions"] == []


def test_what_stands_before_a_bad_line_is_answered(home: Path, tmp_path: Path) -> None:
    path = tmp_path / "texts.jsonl"
    path.write_text(json.dumps({"text": TEXT}) + "\n{}\n", encoding="utf-8")
    said = run("link", "--model", home / "model", path)
    assert said.exit_code == 1 and len(said.stdout.splitlines()) == 1
    assert f"{path}:2:" in str(said.exception)


def test_the_score_is_told(home: Path) -> None:
    said = run("evaluate", home / "model", home / "dev.jsonl", "--format", "json")
    assert said.exit_code == 0, said.output
    figures = json.loads(said.stdout)
    metrics = json.loads((home / "model" / "metrics.json").read_bytes())
    assert figures["overall"]["f1"] == pytest.approx(metrics["dev"]["f1"])
    assert figures["texts"] == 60 and 0 < figures["found_nil"] <= 1
    page = home / "errors.html"
    words = ["--report", page, "--target-precision", "0.5"]
    table = run("evaluate", home / "model", home / "train.jsonl", *words)
    assert "of those without (NIL)" in table.stdout
    assert "recall ≥" in table.stdout and "precision ≥" in table.stdout
    assert "the model was trained on this very file" in table.stderr
    assert "<h1>model on train.jsonl</h1>" in page.read_text("utf-8")
    wrong = run("evaluate", home / "model", home / "dev.jsonl", "--strict")
    assert wrong.exit_code == 2 and "--strict is not for a model such as" in wrong.stderr
    facts = run("evaluate", "zh-triples", home / "dev.jsonl", "--kb", "kb.sqlite")
    assert "--kb is not for a model such as zh-triples" in facts.stderr
    bare = run("evaluate", home / "model", home / "dev.jsonl", "--entities", home / "model")
    assert bare.exit_code == 2 and "wants a knowledge base; give one (--kb FILE)" in bare.stderr


def test_info_says_what_the_folder_holds(home: Path) -> None:
    facts = json.loads(run("info", home / "model", "--format", "json").stdout)
    assert (facts["task"], facts["labels"], facts["settings"]["names"]) == ("links", [], "labels")
    assert facts["names"] > 50 and "links" in run("info", home / "model").stdout


def test_int8_is_as_good(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(int8, "_SECONDS", 0.2)
    out = home / "int8"
    said = run("export", home / "model", out, "--int8", "--data", home / "dev.jsonl")
    assert said.exit_code == 0, said.output
    assert "in fp32" in said.stderr
    texts = [e.text for e in DEV[:20]]
    model = quern.load(out)
    assert [model([text])[0] for text in texts] == model(texts), "company changes nothing"
    again = run("export", out, home / "twice", "--int8", "--data", home / "dev.jsonl")
    assert "is in int8; export the fp32 folder" in str(again.exception)


def test_a_knowledge_base_is_asked_for_where_its_names_are_needed(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(int8, "_SECONDS", 0.2)
    with KnowledgeBase.open(home / "kb.sqlite", create=True) as kb:
        kb.add(Entity("Q1", "甲丑"))
    words = [word for setting in SETTINGS for word in ("--set", setting)]
    files = [home / "train.jsonl", "--dev", home / "dev.jsonl", "--out", home / "based"]
    few = ["--set", "epochs=1", "--set", "fine_epochs=0", "--kb", home / "kb.sqlite"]
    assert run("train", "links", *files, *words, *few).exit_code == 0
    bare = run("link", "--model", home / "based", given=TEXT)
    assert "looks up the names of a knowledge base; give one (--kb FILE)" in str(bare.exception)
    told = run("link", "--model", home / "based", "--kb", home / "kb.sqlite", given=TEXT)
    assert told.exit_code == 0, told.output
    out = ["--int8", "--data", home / "dev.jsonl", "--kb", home / "kb.sqlite"]
    assert run("export", home / "based", home / "based-int8", *out).exit_code in (0, 1)
    assert (home / "based-int8" / "mentions.onnx").exists()


def test_mistakes_are_named(home: Path) -> None:
    there = run("train", "links", home / "train.jsonl", "--out", home / "model")
    assert "exists already" in str(there.exception)
    setting = run("train", "links", home / "train.jsonl", "--out", "x", "--set", "points=3")
    assert "--set points=3: expected KEY=VALUE with KEY one of: about" not in str(setting.exception)
    assert "--set points=3: expected KEY=VALUE with KEY one of: average" in str(setting.exception)
    facts = run("extract", "--model", home / "model", given=TEXT)
    assert "one of 'triples' is wanted; it finds mentions: quern link" in str(facts.exception)
    mentions = run("link", "--model", "zh-triples", given=TEXT)
    assert "one of 'links' is wanted; it reads facts: quern extract" in str(mentions.exception)
