"""The verbs on the choice of entities: train, evaluate, link, kb encode, export, info."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")

from click.testing import CliRunner, Result

from namesakes import entities
from quern.cli import cli
from quern.kb import KnowledgeBase
from quern.records import LinkExample
from quern.tasks import load_entities
from quern.train import int8
from test_entity_training import DEV, NAMES, TRAIN

SETTINGS = [
    *("dim=16", "gram_dim=8", "dilations=[1,2]", "match_dim=8", "context=8", "described=40"),
    *("match_dropout=0", "epochs=1", "fine_epochs=0", "batch_size=16", "rate=0.01"),
    *("precision=fp32", "threads=1", "min_count=1", "buckets=64", "window=40", "overlap=20"),
]
WORDS = [word for setting in SETTINGS for word in ("--set", setting)]
NAME = NAMES[40]
LINE = {"text": f"{NAME}今年涨水了。", "mentions": [{"mention": NAME, "start": 0}], "id": 7}


def run(*words: str | Path, given: str | None = None) -> Result:
    """A call of quern."""
    return CliRunner().invoke(cli, [str(word) for word in words], input=given)


def write(path: Path, examples: list[LinkExample]) -> None:
    """Labelled lines."""
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
    path.write_text(lines, encoding="utf-8")


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with labelled files, a base and a model that was trained on them."""
    home = tmp_path_factory.mktemp("cli-entities")
    write(home / "train.jsonl", TRAIN)
    write(home / "dev.jsonl", DEV)
    with KnowledgeBase.open(home / "names.kb", create=True) as kb:
        kb.load(entities(NAMES))
    files = [home / "train.jsonl", "--dev", home / "dev.jsonl", "--kb", home / "names.kb"]
    said = run("train", "entities", *files, "--out", home / "model", *WORDS)
    assert said.exit_code == 0, said.output
    assert "160 windows to train on, 40 dev texts, 160 mentions with candidates" in said.stderr
    assert "no further than 40 units" in said.stderr
    assert "dev accuracy 0.9" in said.stderr or "dev accuracy 1.0" in said.stderr
    return home


def test_given_mentions_are_linked(home: Path) -> None:
    words = ["link", "--entities", home / "model", "--kb", home / "names.kb", "--format"]
    given = json.dumps(LINE, ensure_ascii=False) + '\n{"text": "雨。", "mentions": []}\n'
    said = run(*words, "jsonl", given=given)
    assert said.exit_code == 0, said.output
    first, second = map(json.loads, said.stdout.splitlines())
    assert second["mentions"] == [] and first["id"] == "7" and first["line"] == 1
    (link,) = first["mentions"]
    assert (link["id"], link["start"], link["end"], link["score"]) == (f"r-{NAME}", 0, 2, 1.0)
    assert [c["name"] for c in link["choices"]] == [NAME, NAME]
    table = run(*words, "table", given=given)
    assert f"r-{NAME}" in table.stdout and "score of the choice" in table.stdout
    assert table.stderr == "2 texts, 1 mentions\n"


def test_found_mentions_are_linked(home: Path) -> None:
    links = ["train", "links", home / "train.jsonl", "--dev", home / "dev.jsonl"]
    small = [w for w in WORDS if "=" in w and not w.startswith(("match", "context", "described"))]
    few = [word for setting in [*small, "heads=0"] for word in ("--set", setting)]
    assert run(*links, "--out", home / "links", *few).exit_code == 0
    both = ["--entities", home / "model", "--kb", home / "names.kb", "--format", "jsonl"]
    said = run("link", "--model", home / "links", *both, given=f"{LINE['text']}\n雨。\n")
    assert said.exit_code == 0, said.output
    rows = [json.loads(line) for line in said.stdout.splitlines()]
    assert [row["text"] for row in rows] == [LINE["text"], "雨。"]
    assert all("id" in link and "choices" in link for row in rows for link in row["mentions"])
    scored = run("evaluate", home / "links", home / "dev.jsonl", *both[:4], "--format", "json")
    assert scored.exit_code == 0, scored.output
    assert json.loads(scored.stdout)["given"]["overall"]["accuracy"] > 0.8


def test_it_is_evaluated_with_the_mentions_given(home: Path) -> None:
    words = ["evaluate", home / "model", home / "dev.jsonl", "--kb", home / "names.kb"]
    said = run(*words, "--format", "json")
    assert said.exit_code == 0, said.output
    measured = json.loads((home / "model" / "metrics.json").read_text("utf-8"))["dev"]
    assert json.loads(said.stdout)["overall"]["accuracy"] == measured["accuracy"] > 0.8
    told = run("info", home / "model")
    assert told.exit_code == 0 and "entities" in told.stdout


def test_descriptions_are_encoded_ahead(home: Path) -> None:
    said = run("kb", "encode", home / "names.kb", "--entities", home / "model")
    assert said.exit_code == 0, said.output
    assert f"{2 * len(NAMES)} entities are encoded for" in said.stderr
    with KnowledgeBase.open(home / "names.kb") as kb:
        model = load_entities(home / "model")
        assert model.keep(kb, {entity.id: entity for entity in kb}) == 2 * len(NAMES)


def test_int8_is_scored_beside_fp32(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(int8, "_SECONDS", 0.2)
    out = home / "model-int8"
    words = ["--int8", "--data", home / "dev.jsonl"]
    said = run("export", home / "model", out, *words, "--kb", home / "names.kb")
    assert said.exit_code in (0, 1) and "wrote" in said.stderr, said.output
    small, large = ((home / of / "encode.onnx").stat().st_size for of in ("model-int8", "model"))
    assert small < large
    with KnowledgeBase.open(home / "names.kb") as kb:
        model = load_entities(out)
        texts = [e.text for e in DEV]
        places = [[m.place for m in e.mentions] for e in DEV]
        together = list(model.weigh(texts, places, kb))
        alone = [next(model.weigh([t], [p], kb)) for t, p in zip(texts, places, strict=True)]
    assert alone == together, "company changes nothing"
    assert json.loads((out / "metrics.json").read_text("utf-8"))["fp32"]["accuracy"] > 0.8
    bare = run("export", home / "model", home / "none", *words)
    assert "wants a knowledge base; give one (--kb FILE)" in bare.output


def test_mistakes_are_named(home: Path, tmp_path: Path) -> None:
    model, base = ["--entities", home / "model"], ["--kb", home / "names.kb"]
    assert "give --model, which finds mentions" in run("link", *base).output
    assert "wants a knowledge base; give one" in run("link", *model, given="{}").output
    bare = run("link", *model, *base, given='{"text": "x"}\n')
    assert "standard input:1: Object missing required field `mentions`" in str(bare.exception)
    wrong = {"text": "雨。", "mentions": [{"mention": "雪", "start": 0}]}
    astray = run("link", *model, *base, given=json.dumps(wrong))
    assert "'雪' does not stand in the text at character 0" in str(astray.exception)
    txt = run("link", *model, *base, "--input", "txt", given="x")
    assert "without --model mentions must be given" in txt.output
    finds = run("link", "--model", home / "model", given="x")
    assert "one of 'links' is wanted; it chooses entities" in str(finds.exception)
    files = ["train", "entities", home / "train.jsonl", "--out", tmp_path / "m"]
    assert "Missing option '--kb'" in run(*files).output
    missing = run(*files, "--kb", tmp_path / "none.kb")
    assert "none.kb" in str(missing.exception) and not (tmp_path / "none.kb").exists()
    setting = run(*files, *base, "--set", "heads=3")
    assert "--set heads=3: expected KEY=VALUE" in str(setting.exception)
