"""Labels hidden and found again, proposals confirmed, and labels mended by votes."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks import label_repair, sets, triples_accuracy
from benchmarks.label_repair import Evidence, confirmed, hide, recovered
from benchmarks.options import Options
from quern import shipped
from quern.cleaning import Proposal
from quern.data import read_triples
from quern.errors import DataError
from quern.metrics import Counts
from quern.records import LabelledTriple, TripleExample

Key = tuple[str, str, str]
TWIN = "《石桥夜话》是林暮云写的散文集，二零一二年初版。"
ALMOST = "《石桥夜话》是林暮云写的散文集 二零一二年初版"
WROTE, BORN = ("石桥夜话", "作者", "林暮云"), ("林暮云", "出生地", "岚川市")


def example(text: str, *triples: Key, predicates: tuple[str, ...] | None = None) -> TripleExample:
    labels = tuple(LabelledTriple(*triple) for triple in triples)
    return TripleExample(text, labels, predicates=predicates)


# -- hiding ---------------------------------------------------------------------------------

MANY = [example(f"text {i}", *((f"s{i}", "p", f"o{j}") for j in range(4))) for i in range(400)]


@given(st.integers(0, 9), st.floats(0, 1))
def test_every_fact_is_hidden_or_kept_and_the_lot_is_the_texts(seed: int, share: float) -> None:
    for line in MANY[:20]:
        kept, hidden = hide(line, share, seed)
        assert kept | hidden == {triple.key for triple in line.triples} and not kept & hidden
        assert hide(line, share, seed) == (kept, hidden)


def test_so_many_are_hidden_and_other_seeds_hide_others() -> None:
    lots = [[hide(line, 0.3, seed).hidden for line in MANY] for seed in (1, 2)]
    assert lots[0] != lots[1]
    for lot in lots:
        assert 0.25 < sum(map(len, lot)) / sum(len(line.triples) for line in MANY) < 0.35
    assert not hide(MANY[0], 0.0, 1).hidden and not hide(MANY[0], 1.0, 1).kept


def test_what_is_found_again_counts_and_what_was_kept_does_not() -> None:
    line = next(line for line in MANY if len(hide(line, label_repair.HIDDEN, 0).hidden) == 2)
    kept, hidden = hide(line, label_repair.HIDDEN, 0)
    counts = Counts()
    recovered(counts, line, {*kept, next(iter(hidden)), ("s", "p", "new")}, 0)
    assert counts == Counts(wanted=2, given=2, right=1)
    narrow = Counts()
    only = example(line.text, *(t.key for t in line.triples), predicates=("p",))
    recovered(narrow, only, {("s", "q", "o")}, 0)
    assert narrow == Counts(wanted=2)  # nobody looked for q there


# -- confirming -----------------------------------------------------------------------------


def proposal(text: str, triple: Key, votes: int = 2, sought: bool = True) -> Proposal:
    return Proposal(
        line=1, action="add", triple=triple, votes=votes, of=2, sought=sought, text=text
    )


def test_nearly_the_same_text_is_a_twin_and_another_is_none() -> None:
    evidence = Evidence([example("林暮云在岚川市的一家书店里长大。", BORN), example(TWIN, WROTE)])
    twin = evidence.twin(ALMOST)
    assert twin is not None and twin.text == TWIN
    assert evidence.twin("林暮云在书店翻了翻《石桥夜话》。") is None
    assert evidence.twin("") is None and Evidence([]).twin(TWIN) is None


def test_proposals_are_confirmed_by_what_complete_lines_say() -> None:
    evidence = Evidence([example(TWIN, WROTE), example("别处说：" + "岚川" * 9, BORN)])
    found = confirmed(
        [
            proposal(ALMOST, WROTE),
            proposal("另一篇文章。", WROTE, sought=False),
            proposal(ALMOST, ("石桥夜话", "主演", "林暮云")),
            proposal(ALMOST, BORN, votes=1),  # the twin does not name the place
            Proposal(line=1, action="remove", triple=WROTE, votes=0, of=2, text=ALMOST),
        ],
        evidence,
    )
    assert found == {
        "2": {"proposed": 3, "not_sought": 1, "elsewhere": 2, "twins": 2, "twins_agree": 1},
        "1": {"proposed": 1, "not_sought": 0, "elsewhere": 1, "twins": 0, "twins_agree": 0},
    }
    assert list(found) == ["2", "1"]
    narrow = Evidence([example(TWIN, WROTE, predicates=("作者",))])
    (counts,) = confirmed([proposal(ALMOST, ("石桥夜话", "主演", "林暮云"))], narrow).values()
    assert counts["twins"] == 0  # it was not labelled for the predicate


# -- files ----------------------------------------------------------------------------------


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A set of which the second kind of line has gaps."""
    monkeypatch.setattr(sets, "MADE", tmp_path / "made")
    texts = [
        ("a-complete", TWIN, [WROTE]),
        ("b-INCOMPLETE", "电影《逆光的渡轮》由贺长风执导，苏晚棠主演。", []),
        ("b-INCOMPLETE", "《灰鹭》的作者程以南生于青岩县。", [["程以南", "出生地", "青岩县"]]),
        ("c", "歌曲《南风不归》由叶疏桐演唱。", [["南风不归", "歌手", "叶疏桐"]]),
    ]
    rows = [{"text": text, "triples": triples, "labels": kind} for kind, text, triples in texts]
    path = tmp_path / "triples" / "duie" / "train.jsonl"
    path.parent.mkdir(parents=True)
    path.write_text("\n".join(json.dumps(row) for row in rows), encoding="utf-8")
    path.with_name("dev.jsonl").write_text(path.read_text("utf-8"), encoding="utf-8")
    return tmp_path


def test_marks_become_what_quern_reads(data: Path) -> None:
    marked = sets.examples(sets.triples_path(data, "duie", "train"))
    assert [line.complete for line in marked] == [True, False, False, True]
    placed = TripleExample("a b", (LabelledTriple("a", "p", "b", subject_start=0),), line=5)
    path = data / "made" / "marked.jsonl"
    sets.write(path, [*marked, placed])
    assert read_triples(path) == sets.examples(path) == [*marked, placed]


def test_folds_are_taken_whole(tmp_path: Path) -> None:
    for number in (0, 1, 2):
        part = tmp_path / "folds" / f"fold-{number}"
        part.mkdir(parents=True)
        (part / "quern.json").touch()
    parts = [tmp_path / "folds" / f"fold-{number}" for number in (0, 1, 2)]
    assert label_repair.folds([str(tmp_path / "folds")], tmp_path) == parts
    assert label_repair.folds([str(parts[i]) for i in (2, 0, 1)], tmp_path) == parts
    for some in ([], parts[:1], [parts[0], parts[2]], [*parts, parts[0]], [tmp_path]):
        with pytest.raises(DataError, match="--folds 8"):
            label_repair.folds([str(part) for part in some], tmp_path)


def test_labels_are_mended_by_votes(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("torch")
    for number, name in enumerate(("zh-triples", "zh-triples")):
        shutil.copytree(shipped.find(name), data / "folds" / f"fold-{number}")
    options = Options(data=data, models=(str(data / "folds"),))
    with pytest.raises(DataError, match="label_repair --case duie"):
        sets.mended_path("duie")
    figures = label_repair.run("duie", options).figures
    assert (figures["folds"], figures["lines"], figures["labels"]) == (2, 2, 1)
    assert figures["trained_on"] == "other lines"
    before = sets.examples(sets.triples_path(data, "duie", "train"))
    after = sets.examples(sets.mended_path("duie"))
    assert [line.text for line in after] == [line.text for line in before]
    assert [line.complete for line in after] == [line.complete for line in before]
    assert (after[0], after[3]) == (before[0], before[3])
    gained = [len(new.triples) - len(old.triples) for new, old in zip(after, before, strict=True)]
    assert sum(gained) == figures["added"] == figures["by_votes"]["2"]["proposed"] > 0
    hiding = figures["hiding"]
    assert hiding["lines"] == 2 and 0 <= hiding["hidden"] <= 2

    def fails(*_: object, **__: object) -> None:
        raise AssertionError("voted twice")

    monkeypatch.setattr(label_repair, "propose", fails)
    assert label_repair.run("duie", options).figures == figures


def test_the_mended_set_is_trained_on_only_where_it_is_named() -> None:
    assert "duie-repaired" not in triples_accuracy.cases(Options())
    assert "duie-repaired" in triples_accuracy.cases(Options(cases=("duie-repaired",)))
    assert "duie-init" not in triples_accuracy.cases(Options(cases=("duie-init",)))
