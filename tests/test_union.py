"""Models side by side: the union of their facts, and the folder that holds them."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import quern
from fake_model import fake_model
from quern.alignment import Label
from quern.calibration import PlattScaling
from quern.ensemble import write_ensemble, write_union
from quern.errors import FolderError, TextError
from quern.evaluation import judge
from quern.folder import ModelFolder
from quern.records import LabelledTriple, Triple, TripleExample
from quern.shipped import TripleReader, find
from quern.tasks import load_one, members
from quern.triples import ReadsTriples, TripleUnion

WORDS = ["ada", "ben", "cleo", "wrote", "x"]
texts = st.lists(st.lists(st.sampled_from(WORDS), max_size=8).map(" ".join), max_size=4)

# The first is sure of some facts, the second of others; they do not know the same labels.
ONE = fake_model(
    WORDS, {"ada": (0.9, 0.9), "ben": (0.3, 0.3)}, {("met", "ben"): (0.8, 0.8)},
    labels=[Label("met"), Label("owns")],
)  # fmt: skip
TWO = fake_model(
    ["ben", "ada", "cleo"],
    {"ada": (0.6, 0.6), "ben": (0.7, 0.7)},
    {("met", "ben"): (0.9, 0.9), ("met", "cleo"): (0.3, 0.45), ("wrote", "cleo"): (0.6, 0.5)},
)
BOTH = TripleUnion([ONE, TWO])

Keyed = dict[object, float]


def keyed(found: list[Triple], uncertain: bool = False) -> Keyed:
    return {t.strict_key: t.score for t in found if bool(t.uncertain) == uncertain}


def highest(*several: Keyed) -> Keyed:
    joint: Keyed = {}
    for scores in several:
        for key, score in scores.items():
            joint[key] = max(score, joint.get(key, 0.0))
    return joint


@given(texts)
def test_a_fact_of_any_is_given_with_the_highest_score(some: list[str]) -> None:
    for found, one, two in zip(BOTH(some), ONE(some), TWO(some), strict=True):
        assert keyed(found) == highest(keyed(one), keyed(two))
        assert len(found) == len(keyed(found))


@given(texts)
def test_alone_in_a_batch_and_joined_with_itself_are_the_same(some: list[str]) -> None:
    together = BOTH(some)
    assert [BOTH([text])[0] for text in some] == together
    assert TripleUnion([TWO, ONE])(some) == together
    assert TripleUnion([TWO, TWO])(some) == TWO(some)


@given(texts, st.floats(0.05, 0.9), st.sampled_from([None, PlattScaling(0.7, -0.4)]))
def test_asking_for_uncertain_facts_leaves_the_sure_ones_as_they_are(
    some: list[str], least: float, calibration: PlattScaling | None
) -> None:
    both = TripleUnion([ONE, TWO], calibration)
    for found, usual in zip(both(some, uncertain=least), both(some), strict=True):
        assert keyed(found) == keyed(usual)
        unsure = keyed(found, uncertain=True)
        assert not set(unsure) & set(keyed(usual))
        assert all(score >= least for score in unsure.values())


@given(texts, st.floats(0.0, 1.0))
def test_scores_are_calibrated_before_the_least_is_asked_for(some: list[str], least: float) -> None:
    scaling = PlattScaling(0.7, -0.4)
    for found, raw in zip(TripleUnion([ONE, TWO], scaling)(some, least), BOTH(some), strict=True):
        scaled = {key: scaling(score) for key, score in keyed(raw).items()}
        assert keyed(found) == {key: score for key, score in scaled.items() if score >= least}


def test_an_uncertain_fact_of_one_is_certain_by_the_other() -> None:
    [found] = TripleUnion([ONE, TWO])(["ben x cleo"], uncertain=0.05)
    said = {(t.predicate, t.object.text, bool(t.uncertain)) for t in found}
    assert said == {("met", "ben", False), ("met", "cleo", True), ("wrote", "cleo", False)}
    assert [t.predicate for t in found] == ["met", "met", "wrote"]
    with pytest.raises(TextError, match="one string was given"):
        BOTH("ada")  # type: ignore[arg-type]


def test_a_missed_fact_is_out_of_reach_only_if_no_model_reads_so_far() -> None:
    def short(reading: int) -> ReadsTriples:
        model = fake_model(WORDS, {}, {("met", "ben"): (0.0, 0.0)})
        model.reading = reading
        return model

    text = "ada。" + "x。" * 20 + "ben。"
    example = TripleExample(text, (LabelledTriple("ada", "met", "ben"),))
    for readings, reason in (((4, 4), "window"), ((4, 90), None)):
        union = TripleUnion([short(reading) for reading in readings])  # type: ignore[misc]
        [judged] = judge(union, [example])
        assert [fact.reason for fact in judged.facts] == [reason]


# -- folders ---------------------------------------------------------------------------

TEXTS = ["程以南的妻子叫苏小婉。", "Marta Lindqvist was born in Malmö.", "", "今天下雨。"]
DEV = [
    TripleExample(TEXTS[0], (LabelledTriple("程以南", "妻子", "苏小婉"),)),
    TripleExample(
        "《石桥夜话》是林暮云写的散文集。", (LabelledTriple("石桥夜话", "作者", "林暮云"),)
    ),
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The union of a Chinese and an English model."""
    out = tmp_path_factory.mktemp("union") / "both"
    write_union([find("zh-triples-fast"), find("en-triples")], out, DEV)
    return out


def test_a_folder_gives_what_both_models_give(folder: Path) -> None:
    zh, en, both = (quern.load(name) for name in ("zh-triples-fast", "en-triples", folder))
    found = both(TEXTS)
    assert any(found)
    for joint, one, two in zip(found, zh(TEXTS), en(TEXTS), strict=True):
        assert keyed(joint).keys() == keyed(one).keys() | keyed(two).keys()
    assert set(both.labels) == set(zh.labels) | set(en.labels)
    assert [both([text])[0] for text in TEXTS] == found
    reader = TripleReader(folder)
    assert [reading.triples for reading in reader(TEXTS)] == found
    assert reader.predicates() == {label.predicate for label in both.labels}


def test_a_folder_is_whole_counted_and_described(folder: Path) -> None:
    opened = ModelFolder(folder)
    names = ("zh-triples-fast", "en-triples")
    assert [len(f.manifest.labels) for f in opened.families()] == [
        len(ModelFolder(find(name)).manifest.labels) for name in names
    ]
    assert opened.size() > sum(ModelFolder(find(name)).size() for name in names)
    assert opened.metrics()["members"].keys() == {str(find(name)) for name in names}
    assert "A union of 2 models" in (folder / "README.md").read_text("utf-8")
    command = [sys.executable, "-m", "quern.cli", "info", str(folder)]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert "2 models, each in its own way" in said


def test_the_models_vote_one_by_one_and_are_not_one(folder: Path) -> None:
    assert len(members(folder)) == 2
    with pytest.raises(FolderError, match="a union of models; take one of the folders in it"):
        load_one(folder)
    with pytest.raises(FolderError, match="a union, whose families decode by themselves"):
        write_ensemble([folder, folder], folder.parent / "odd", DEV)


def test_a_union_counts_as_its_families(folder: Path, tmp_path: Path) -> None:
    write_ensemble([find("zh-triples-fast")] * 2, tmp_path / "mean", DEV)
    write_union([folder, tmp_path / "mean"], tmp_path / "three", DEV)
    opened = ModelFolder(tmp_path / "three")
    assert [family.manifest.members for family in opened.families()] == [1, 1, 2]
    assert opened.manifest.data is None
    assert quern.load(tmp_path / "three")(TEXTS)


def test_a_family_that_is_missing_is_named(folder: Path, tmp_path: Path) -> None:
    write_union([folder, find("zh-triples-fast")], tmp_path / "two", DEV)
    (tmp_path / "two/family-1").rename(tmp_path / "elsewhere")
    with pytest.raises(FolderError, match="family-1: not a model folder"):
        quern.load(tmp_path / "two")


def test_from_the_command_line(tmp_path: Path) -> None:
    dev = tmp_path / "dev.jsonl"
    rows = [{"text": e.text, "triples": [list(t.key) for t in e.triples]} for e in DEV]
    dev.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    out = tmp_path / "union"
    words = ["zh-triples-fast", "en-triples", "--union", "--out", str(out), "--data", str(dev)]
    command = [sys.executable, "-m", "quern.cli", "ensemble", *words]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert f"wrote {out}: F1 " in done.stderr
    done = subprocess.run(
        [sys.executable, "-m", "quern.cli", "evaluate", str(out), str(dev)],
        capture_output=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
