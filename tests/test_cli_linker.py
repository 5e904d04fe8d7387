"""The verb that trains both models of links together, and the verbs that use what it writes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")

from click.testing import Result

from namesakes import corpus, entities
from quern.errors import DataError, StoreError, TrainingError
from quern.folder import ModelFolder
from quern.kb import KnowledgeBase
from test_cli_entities import LINE, NAME, run, write
from test_cli_entities import WORDS as FOR_ENTITIES
from test_entity_training import DEV, NAMES, TRAIN

OTHERS = ("heads=2", "head_dim=8", "names=none", "epochs=4", "fine_epochs=1")
WORDS = FOR_ENTITIES + [word for setting in OTHERS for word in ("--set", setting)]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with labelled files, a base and both models, trained on half of the names."""
    home = tmp_path_factory.mktemp("cli-linker")
    write(home / "train.jsonl", TRAIN)
    write(home / "dev.jsonl", DEV)
    write(home / "unseen.jsonl", corpus(NAMES[30:], 60, 3))
    with KnowledgeBase.open(home / "names.kb", create=True) as kb:
        kb.load(entities(NAMES))
    said = train(home, home / "linker", *WORDS)
    assert said.exit_code == 0, said.output
    assert "320 windows to train on, 40 dev texts, no names are looked up" in said.stderr
    assert "160 mentions with candidates" in said.stderr
    assert "| dev both 0." in said.stderr and ", accuracy 1.0000 *" in said.stderr
    last = said.stderr.splitlines()[-1]
    assert f"wrote {home / 'linker'}: dev F1 " in last and "accuracy 1.0000 of at most 1.0" in last
    return home


def train(home: Path, out: Path, *words: str) -> Result:
    """A call of the verb."""
    files = [home / "train.jsonl", "--dev", home / "dev.jsonl", "--kb", home / "names.kb"]
    return run("train", "linker", *files, "--out", out, *words)


def test_two_folders_are_written_and_nothing_else(home: Path) -> None:
    assert sorted(path.name for path in (home / "linker").iterdir()) == ["entities", "mentions"]
    assert not (home / "linker.training").exists()
    for name, task in (("mentions", "links"), ("entities", "entities")):
        folder = ModelFolder(home / "linker" / name)
        assert folder.manifest.task == task and len(folder.metrics()["epochs"]) == 5
        assert run("info", folder.path).exit_code == 0


def test_each_is_evaluated_by_itself_and_both_together(home: Path) -> None:
    mentions, chooses = home / "linker" / "mentions", home / "linker" / "entities"
    base = ["--kb", home / "names.kb", "--format", "json"]
    found = run("evaluate", mentions, home / "unseen.jsonl", *base[2:])
    assert json.loads(found.stdout)["overall"]["f1"] > 0.9
    chosen = run("evaluate", chooses, home / "unseen.jsonl", *base)
    assert json.loads(chosen.stdout)["overall"]["accuracy"] > 0.9
    both = run("evaluate", mentions, home / "unseen.jsonl", "--entities", chooses, *base)
    assert both.exit_code == 0, both.output
    assert json.loads(both.stdout)["given"]["overall"]["accuracy"] > 0.9


def test_both_link_together(home: Path) -> None:
    models = ["--model", home / "linker" / "mentions", "--entities", home / "linker" / "entities"]
    words = [*models, "--kb", home / "names.kb", "--format", "jsonl"]
    said = run("link", *words, given=f"{LINE['text']}\n")
    assert said.exit_code == 0, said.output
    (link,) = json.loads(said.stdout)["mentions"]
    assert (link["start"], link["end"], link["id"]) == (0, 2, f"r-{NAME}")


def test_mistakes_are_named(home: Path, tmp_path: Path) -> None:
    there, out = home / "linker", tmp_path / "out"

    def refused(error: type[Exception], where: Path, *words: str) -> str:
        said = train(home, where, *words)
        assert isinstance(said.exception, error) and not out.exists(), said.output
        return str(said.exception)

    said = refused(TrainingError, there)
    assert said == f"{there}: exists already; choose another name or pass --overwrite"
    frozen = refused(DataError, out, "--set", "frozen=true")
    assert frozen.startswith("--set: frozen must be false, since mentions teach the encoder;")
    unknown = refused(DataError, out, "--set", "depth=3")
    assert unknown.startswith("--set depth=3: expected KEY=VALUE with KEY one of: average, ")
    assert unknown.count("dilations") == 1, "which both have"
    (home / "none.jsonl").write_text('{"text": "雨。", "mentions": []}\n', encoding="utf-8")
    nothing = ["train", "linker", home / "none.jsonl", "--dev", home / "dev.jsonl"]
    told = run(*nothing, "--kb", home / "names.kb", "--out", out)
    assert str(told.exception) == "training needs mentions in both the training and the dev data"
    missing = run(*nothing, "--kb", home / "missing.kb", "--out", out)
    assert isinstance(missing.exception, StoreError) and "missing.kb" in str(missing.exception)
    assert "Missing option '--kb'" in run(*nothing, "--out", out).output
