"""The sentences that only name two together, and what is measured on them."""

from __future__ import annotations

import math
from collections import Counter
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks import cooccurrence
from benchmarks.cooccurrence import Answer, Found, Kind, Sentence
from fake_model import fake_model
from quern import shipped
from quern.data import read_triples
from quern.folder import ModelFolder
from quern.text import TextCodec

LANGUAGES = ("zh", "en")
LEAST_SHAPES, LEAST_LINES = 60, 150  # of each language and class

# -- the sentences --------------------------------------------------------------------------


@pytest.fixture(scope="module", params=LANGUAGES)
def language(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def rows(language: str) -> list[Sentence]:
    return cooccurrence.sentences(language)


def classes(rows: list[Sentence]) -> tuple[list[Sentence], list[Sentence]]:
    """Sentences with a fact, and without."""
    return [row for row in rows if row.triples], [row for row in rows if not row.triples]


def test_the_lines_are_data_that_quern_evaluate_reads(language: str, rows: list[Sentence]) -> None:
    examples = read_triples(cooccurrence.path(language))
    assert [example.text for example in examples] == [row.text for row in rows]
    assert [[t.key for t in e.triples] for e in examples] == [list(row.triples) for row in rows]


def test_facts_are_of_the_pair_and_known_to_the_shipped_model(
    language: str, rows: list[Sentence]
) -> None:
    folder = ModelFolder(shipped.find(f"{language}-triples"))
    known = {label["predicate"] for label in folder.manifest.labels}
    for row in rows:
        assert bool(row.triples) == (row.kind == "stated"), row.text
        assert len(set(row.pair)) == 2 and all(row.text.count(name) == 1 for name in row.pair)
        for subject, predicate, object_ in row.triples:
            assert {subject, object_} == set(row.pair) and predicate in known, row.text


def test_names_stand_on_unit_borders(rows: list[Sentence]) -> None:
    codec = TextCodec.fit([row.text for row in rows])
    for row in rows:
        encoding = codec.encode(row.text)
        for name in row.pair:
            start = row.text.index(name)
            assert codec.locate(encoding, start, start + len(name)) is not None, row.text


def test_no_text_stands_twice_and_both_classes_are_even(rows: list[Sentence]) -> None:
    assert len({row.text for row in rows}) == len(rows)
    stated, apart = classes(rows)
    assert len(stated) >= LEAST_LINES
    assert Counter(row.domain for row in stated) == Counter(row.domain for row in apart)
    assert {row.kind for row in rows} == set(get_args(Kind))


def test_names_alone_decide_nothing(rows: list[Sentence]) -> None:
    stated, apart = ({(row.domain, row.pair) for row in side} for side in classes(rows))
    assert stated == apart


def test_sentences_are_not_a_few_forms(rows: list[Sentence]) -> None:
    def shape(row: Sentence) -> str:
        return row.text.replace(row.pair[0], "A").replace(row.pair[1], "B")

    stated, apart = ({shape(row) for row in side} for side in classes(rows))
    assert min(len(stated), len(apart)) >= LEAST_SHAPES
    assert not stated & apart


# -- what is measured -----------------------------------------------------------------------


def test_the_score_for_a_recall() -> None:
    scores = [0.9, 0.2, 0.0, 0.7, 0.5]
    assert cooccurrence.score_for(scores, 0.4) == 0.7
    assert cooccurrence.score_for(scores, 0.41) == 0.5
    assert cooccurrence.score_for(scores, 0.9) == 0.2  # no more than that is ever found
    assert cooccurrence.score_for([0.0], 0.9) == math.inf
    assert cooccurrence.score_for([i / 100 for i in range(1, 101)], 0.07) == 0.94


@given(st.lists(st.floats(0, 1), min_size=1), st.floats(0.01, 1))
def test_no_higher_score_gives_the_recall(scores: list[float], recall: float) -> None:
    def reached(least: float) -> int:
        return sum(0 < score >= least for score in scores)

    least = cooccurrence.score_for(scores, recall)
    found = sum(score > 0 for score in scores)
    wanted = recall * len(scores) - 1e-6
    assert reached(least) >= min(wanted, found)
    assert reached(math.nextafter(least, math.inf)) < max(wanted, 1) + 1e-5


@given(st.lists(st.floats(0, 1), min_size=1), st.floats(0, 0.99))
def test_no_lower_score_keeps_to_the_share(scores: list[float], share: float) -> None:
    def reached(least: float) -> int:
        return sum(score >= least for score in scores)

    least = cooccurrence.score_against(scores, share)
    assert reached(least) <= share * len(scores) < reached(math.nextafter(least, -1)) + 1e-9


def sentence(kind: Kind, domain: str = "book") -> Sentence:
    fact = (("A", "by", "B"),) if kind == "stated" else ()
    return Sentence("A B", fact, ("A", "B"), domain, kind)


ROWS = [
    *(sentence("stated", domain) for domain in ("book", "book", "film", "film")),
    *(sentence(kind) for kind in ("together", "together", "denied", "other")),
]


def test_recall_and_false_positives_at_a_score() -> None:
    found = [Found(*pair) for pair in [
        (0.9, 0.9), (0.2, 0.8), (0.5, 0.5), (0.0, 0.0), (0, 0.6), (0, 0.1), (0, 0.0), (0, 0.5),
    ]]  # fmt: skip
    at = cooccurrence.at_score(ROWS, found, 0.5)
    assert (at["recall"], at["recall_any"], at["false_positives"]) == (0.5, 0.75, 0.5)
    assert at["false_positives_by_kind"] == {"denied": 0.0, "other": 1.0, "together": 0.5}
    assert at["recall_by_domain"] == {"book": 0.5, "film": 0.5}
    nothing_left_out = cooccurrence.at_score(ROWS, found, 0.0)
    assert (nothing_left_out["recall"], nothing_left_out["false_positives"]) == (0.75, 0.75)
    figures = cooccurrence.measure(ROWS, [Answer(pair, Found(0, 0)) for pair in found])
    assert figures["usual"]["recall_any"] == figures["usual"]["false_positives"] == 0
    assert figures["at_recall"]["score"] == 0.2 and figures["at_recall"]["recall"] == 0.75
    assert not figures["met"]
    assert [point["recall"] for point in figures["curve"]] == [0.25, 0.5, 0.75]
    assert figures["at_bar"]["false_positives"] == 0 and figures["at_bar"]["recall"] == 0.25


def test_the_bar_is_met_by_a_model_that_tells_them_apart() -> None:
    found = [Found(0.9, 0.9)] * 4 + [Found(0, 0.3)] * 4
    figures = cooccurrence.measure(ROWS, [Answer(pair, pair) for pair in found])
    assert figures["met"]
    assert (figures["at_recall"]["recall"], figures["at_recall"]["false_positives"]) == (1, 0)
    assert figures["usual"]["false_positives"] == 1


def test_faint_facts_count_only_where_they_are_asked_for() -> None:
    text = "ada wrote rye; eve kept oak"
    model = fake_model(
        [text],
        {"rye": (0.9, 0.9), "oak": (0.9, 0.9)},
        {("by", "ada"): (0.9, 0.9), ("by", "eve"): (0.2, 0.2)},
    )
    rows = [
        Sentence(text, (("rye", "by", "ada"),), ("ada", "rye"), "book", "stated"),
        Sentence(text, (), ("oak", "eve"), "book", "together"),
        Sentence(text, (("rye", "of", "ada"),), ("ada", "rye"), "book", "stated"),
    ]
    sure, faint, misnamed = cooccurrence.answers(model, rows)
    assert sure.usual == sure.all and sure.all.right == sure.all.any > 0.5
    assert faint.usual.any == 0 < faint.all.any < 0.2
    assert misnamed.all.right == 0 < misnamed.all.any
