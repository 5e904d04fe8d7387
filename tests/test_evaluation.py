from __future__ import annotations

import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fake_model import FakeEncoder, fake_model
from quern.alignment import Label
from quern.errors import DataError
from quern.evaluation import Comparison, Fact, Judged, comparable, judge, score, summarise, tune
from quern.evaluation.figures import (
    LeastScore,
    bootstrap,
    curve,
    cuts,
    least_score,
    most_precise,
)
from quern.evaluation.summary import calibration
from quern.evaluation.tuning import clearly_better
from quern.metrics import Counts
from quern.records import LabelledTriple, TripleExample
from quern.triples import Thresholds, TripleModel

# -- a small world: Ann runs Mill, Bob runs Orrin; the model also believes in Carl ------------

TEXTS = ["Ann runs Mill .", "Bob , born in Ely , runs Orrin .", "Carl met Mill .", "Nobody came ."]
EXAMPLES = [
    TripleExample(TEXTS[0], (LabelledTriple("Ann", "runs", "Mill"),), line=1),
    TripleExample(
        TEXTS[1],
        (LabelledTriple("Bob", "runs", "Orrin"), LabelledTriple("Bob", "born", "Ely")),
        line=2,
    ),
    TripleExample(TEXTS[2], (), line=3),
    TripleExample(TEXTS[3], (LabelledTriple("Nobod", "met", "Zed"),), complete=False, line=4),
]
SURE = (0.9, 0.9)
MODEL = fake_model(
    TEXTS,
    {"ann": SURE, "bob": SURE, "carl": (0.6, 0.6)},
    {("runs", "mill"): SURE, ("runs", "orrin"): (0.8, 0.8)},
)


def judged(examples: list[TripleExample] = EXAMPLES) -> list[Judged]:
    return list(judge(MODEL, examples))


def test_facts_are_right_missed_or_wrong() -> None:
    found = [[(f.status, f.subject, f.predicate, f.object) for f in t.facts] for t in judged()]
    assert found == [
        [("right", "Ann", "runs", "Mill")],
        [("right", "Bob", "runs", "Orrin"), ("missed", "Bob", "born", "Ely")],
        [("wrong", "Carl", "runs", "Mill")],
        [("missed", "Nobod", "met", "Zed")],
    ]


def test_judging_counts_what_score_counts() -> None:
    total = Counts()
    for text in judged():
        counts = text.counts
        total.wanted += counts.wanted
        total.given += counts.given
        total.right += counts.right
    assert total == score(MODEL, EXAMPLES) == Counts(wanted=4, given=3, right=2)


def test_judging_does_not_depend_on_threads() -> None:
    many = EXAMPLES * 200
    assert list(judge(MODEL, many, threads=3)) == list(judge(MODEL, many))


def test_every_place_is_a_slice_of_the_text() -> None:
    for text in judged():
        for fact in text.facts:
            for words, place in (
                (fact.subject, fact.subject_place),
                (fact.object, fact.object_place),
            ):
                if place is not None:
                    assert text.example.text[slice(*place)] == words


def test_a_fact_in_two_places_counts_once_with_its_best_score() -> None:
    example = TripleExample("Ann runs Mill . Ann runs Mill .", EXAMPLES[0].triples)
    (text,) = judge(MODEL, [example])
    assert len(MODEL([example.text])[0]) == 4
    assert [fact.status for fact in text.facts] == ["right"]


def test_predicates_that_nobody_looked_for_are_not_judged() -> None:
    blind = TripleExample(TEXTS[0], (), predicates=("born",))
    seen = TripleExample(TEXTS[0], (), predicates=("born", "runs"))
    unseeing, seeing = judge(MODEL, [blind, seen])
    assert (unseeing.facts, unseeing.unjudged) == ((), 1)
    assert ([fact.status for fact in seeing.facts], seeing.unjudged) == (["wrong"], 0)
    assert score(MODEL, [blind, seen]) == Counts(given=1)
    assert tune(MODEL, [blind, seen], [Thresholds()])[1] == {Thresholds(): Counts(given=1)}
    assert summarise([unseeing], Comparison(), frozenset()).unjudged == 1


@pytest.mark.parametrize(
    ("text", "label", "reason", "places"),
    [
        ("Nobody came .", ("Nobod", "met", "Nobody"), "border", [(0, 5), (0, 6)]),
        ("Nobody came .", ("Nobody", "met", "Zed"), "absent", [(0, 6), None]),
        ("Nobody came .", ("NOBODY", "met", "came"), "spelling", [(0, 6), (7, 11)]),
        ("Nobody came .", ("Nobody", "met", "came"), None, [(0, 6), (7, 11)]),
        ("Ely " + "came " * 300 + "Ann", ("Ely", "met", "Ann"), "window", [(0, 3), (1504, 1507)]),
    ],
)
def test_what_is_missed_says_why_and_where(
    text: str, label: tuple[str, str, str], reason: str | None, places: list[object]
) -> None:
    example = TripleExample(text, (LabelledTriple(*label),))
    (missed,) = [f for t in judge(MODEL, [example]) for f in t.facts if f.status == "missed"]
    assert missed.reason == reason
    assert [missed.subject_place, missed.object_place] == places


def test_where_words_are_compared_a_wrong_offset_hides_nothing() -> None:
    label = LabelledTriple("Nobody", "met", "came", 3, 7)
    (text,) = judge(MODEL, [TripleExample("Nobody came .", (label,))])
    (missed,) = text.facts
    assert (missed.reason, missed.subject_place, missed.object_place) == (None, (0, 6), (7, 11))


# -- strict ------------------------------------------------------------------------------------


def placed(start: int, type_: str | None = None, words: str = "Mill") -> TripleExample:
    label = LabelledTriple("Ann", "runs", words, 0, start, type_, type_)
    return TripleExample("Ann runs Mill near Mill", (label,))


def test_strict_without_any_place_names_the_next_step() -> None:
    with pytest.raises(DataError, match=r"subject_start.*or leave out --strict"):
        comparable(MODEL, EXAMPLES, strict=True)


def test_strict_leaves_out_and_keeps() -> None:
    how, kept = comparable(MODEL, [placed(9), EXAMPLES[0], EXAMPLES[2]], strict=True)
    assert how == Comparison(places=True, types=False)
    assert kept == [placed(9), EXAMPLES[2]]


def test_strict_compares_places() -> None:
    how, kept = comparable(MODEL, [placed(19)], strict=True)
    (text,) = judge(MODEL, kept, how)
    assert text.counts == Counts(wanted=1, given=2, right=1)  # the other Mill is wrong now
    (text,) = judge(MODEL, [placed(20, words="ill")], how)
    assert text.counts == Counts(wanted=1, given=2, right=0)
    assert [f.reason for f in text.facts if f.status == "missed"] == ["border"]


@pytest.mark.parametrize(("wanted", "right"), [("org", 1), ("place", 0)])
def test_strict_compares_types_where_both_sides_have_them(wanted: str, right: int) -> None:
    label = Label("runs", "org", "org")
    model = fake_model(TEXTS, {"ann": SURE}, {("runs", "mill"): SURE}, [label])
    how, kept = comparable(model, [placed(9, wanted)], strict=True)
    assert how.types
    assert [t.counts.right for t in judge(model, kept, how)] == [right]
    assert not comparable(MODEL, [placed(9, wanted)], strict=True)[0].types
    assert not comparable(model, [placed(9)], strict=True)[0].types


def test_a_label_without_a_place_cannot_be_compared_by_place() -> None:
    with pytest.raises(DataError, match="label has none"):
        Comparison(places=True).wanted(EXAMPLES[0].triples[0])


# -- figures -----------------------------------------------------------------------------------


def test_the_record() -> None:
    record = summarise(judged(), Comparison(), frozenset({"runs"}), left_out=7)
    assert (record.lines, record.left_out) == (4, 7)
    assert record.overall.f1 == pytest.approx(4 / 7)
    assert record.complete is not None
    assert (record.complete.wanted, record.complete.given) == (3, 3)
    assert record.incomplete is not None
    assert record.incomplete.precision is None
    assert [(r.predicate, r.known, r.figures.wanted) for r in record.predicates] == [
        ("runs", True, 2),
        ("born", False, 1),
        ("met", False, 1),
    ]
    assert (record.unreachable.lines, record.unreachable.labels) == (1, 1)
    assert record.unreachable.reasons == {"border": 1}
    assert record.calibration is not None
    assert record.calibration.lines == "complete"


def test_nothing_at_all_has_no_figures() -> None:
    record = summarise([], Comparison(), frozenset())
    assert (record.overall.f1, record.interval.f1, record.calibration) == (None, None, None)


def test_lines_that_are_all_incomplete() -> None:
    record = summarise(judged([EXAMPLES[3]]), Comparison(), frozenset())
    assert record.complete is None
    assert record.incomplete == record.overall


def test_bootstrap_is_seeded_and_holds_the_truth() -> None:
    rng = random.Random(5)
    counts = [Counts(3, 3, rng.choice([1, 2, 3])) for _ in range(400)]
    first = bootstrap(counts)
    assert first == bootstrap(counts)
    assert first != bootstrap(counts, seed=1)
    assert first.f1 is not None
    middle = sum(c.right for c in counts) / 1200
    # The standard error of a mean of shares with standard deviation √(2/27) is 0.0136.
    assert first.f1[0] == pytest.approx(middle - 1.96 * 0.0136, abs=0.004)
    assert first.f1[1] == pytest.approx(middle + 1.96 * 0.0136, abs=0.004)


def fact(status: str, score: float | None = None) -> Fact:
    return Fact(status, "s", "p", "o", score=score)  # type: ignore[arg-type]


def test_the_curve_leaves_out_low_scores() -> None:
    facts = [fact("right", 0.9), fact("right", 0.45), fact("wrong", 0.5), fact("missed")]
    points = {p.min_score: p.figures for p in curve(facts)}
    assert len(points) == 20
    assert (points[0.0].given, points[0.0].right, points[0.0].wanted) == (3, 2, 3)
    assert (points[0.5].given, points[0.5].right) == (2, 1)
    assert points[0.55].precision == 1
    assert points[0.95].precision is None
    assert points[0.95].recall == 0


JUDGED = st.lists(
    st.builds(fact, st.sampled_from(["right", "wrong"]), st.floats(0, 1)) | st.just(fact("missed")),
    max_size=30,
)


@given(JUDGED)
def test_every_cut_gives_what_leaving_out_gives(facts: list[Fact]) -> None:
    points = cuts(facts)
    given_scores = {f.score for f in facts if f.score is not None}
    assert len(points) == len(given_scores)
    assert [p.min_score for p in points] == sorted(p.min_score for p in points)
    wanted = sum(f.status != "wrong" for f in facts)
    for point in points:
        kept = [f for f in facts if f.score is not None and f.score >= point.min_score]
        right = sum(f.status == "right" for f in kept)
        f = point.figures
        assert (f.wanted, f.given, f.right) == (wanted, len(kept), right)


@given(JUDGED, st.floats(0.01, 1))
def test_a_choice_is_the_best_of_all_cuts(facts: list[Fact], goal: float) -> None:
    points = cuts(facts)
    reached = [p for p in points if p.figures.recall is not None and p.figures.recall >= goal]
    chosen = most_precise(points, goal)
    assert (chosen is None) == (not reached)
    if chosen is not None:
        assert chosen in reached
        assert chosen.figures.precision == max(p.figures.precision or 0.0 for p in reached)
    lowest = least_score(points, goal)
    precise = [p for p in points if (p.figures.precision or 0.0) >= goal]
    assert lowest == (precise[0] if precise else None)


def test_least_scores_are_written_short() -> None:
    facts = [fact("wrong", 0.123456), fact("right", 0.87654), fact("right", 0.87655)]
    assert [p.min_score for p in cuts(facts)] == [0.0, 0.87, 0.87655]


def test_the_record_names_least_scores_for_goals() -> None:
    record = summarise(judged(), Comparison(), frozenset({"runs"}), target=0.9)
    found = [(choice.goal, choice.min_score) for choice in record.at_recall]
    assert found == [(0.5, 0.71), (0.7, None), (0.9, None)]
    assert record.target is not None
    assert (record.target.goal, record.target.min_score) == (0.9, 0.71)
    out_of_reach = summarise([], Comparison(), frozenset(), target=0.9)
    assert out_of_reach.target == LeastScore(0.9, None, None)
    assert summarise([], Comparison(), frozenset()).target is None


def test_calibration_measures_the_distance_to_the_truth() -> None:
    facts = [fact("right", 0.75)] * 3 + [fact("wrong", 0.75)] + [fact("wrong", 1.0)] * 4
    found = calibration([*facts, fact("missed")], "complete")
    assert found is not None
    assert [(b.low, b.high, b.given, b.score, b.right) for b in found.bins] == [
        (0.7, 0.8, 4, 0.75, 0.75),
        (0.9, 1.0, 4, 1.0, 0.0),
    ]
    assert found.error == pytest.approx(0.5)


# -- tuning ------------------------------------------------------------------------------------


def blurred(seed: int) -> tuple[list[TripleExample], TripleModel]:
    """Texts, and a model that is sure of some units and not of others."""
    rng = random.Random(seed)
    names = [f"n{chr(97 + i)}" for i in range(12)]
    examples = []
    for line in range(60):
        words = rng.choices(names, k=rng.randint(2, 9))
        label = LabelledTriple(rng.choice(words), "runs", rng.choice(words))
        examples.append(TripleExample(" ".join(words), (label,), line=line))
    marks = {name: (rng.random(), rng.random()) for name in names}
    objects = {("runs", name): (rng.random(), rng.random()) for name in names}
    return examples, fake_model([" ".join(names)], marks, objects)


@pytest.mark.parametrize("seed", range(4))
def test_tuned_counts_are_what_the_model_then_gives(seed: int) -> None:
    examples, model = blurred(seed)
    best, totals = tune(model, examples)
    some = random.Random(seed).sample(sorted(totals, key=repr), 10)
    for thresholds in [best, Thresholds(), *some]:
        model.thresholds = thresholds
        assert totals[thresholds] == score(model, examples)
    assert totals[best].f1 >= totals[Thresholds()].f1


def test_tune_among_candidates_runs_the_graphs_once() -> None:
    examples, model = blurred(9)
    candidates = [Thresholds(s, 0.4, o, 0.3) for s in (0.2, 0.6) for o in (0.3, 0.8)]
    before = encoder_runs(model)
    best, totals = tune(model, examples, candidates)
    once = encoder_runs(model) - before
    assert set(totals) == set(candidates)
    assert best in candidates
    score(model, examples)
    assert encoder_runs(model) - before == 2 * once
    for thresholds in candidates:
        model.thresholds = thresholds
        assert totals[thresholds] == score(model, examples)


def encoder_runs(model: TripleModel) -> int:
    encoder = model._encoder
    assert isinstance(encoder, FakeEncoder)
    return encoder.runs


def test_of_equals_the_thresholds_nearest_to_the_defaults_win() -> None:
    best, _ = tune(MODEL, EXAMPLES[:2])
    assert best == Thresholds()


def test_a_gain_that_hangs_on_one_text_leaves_the_defaults() -> None:
    right, wrong = EXAMPLES[0], EXAMPLES[2]
    kept, totals = tune(MODEL, [right, right, wrong, right, right, right])
    assert kept == Thresholds()
    assert max(counts.f1 for counts in totals.values()) > totals[kept].f1
    moved, totals = tune(MODEL, [right, wrong] * 10)
    assert moved != Thresholds()
    assert totals[moved].f1 == 1


def test_one_text_cannot_move_the_defaults_but_a_list_is_taken_at_its_word() -> None:
    high = Thresholds(0.8, 0.8, 0.5, 0.5)
    assert tune(MODEL, [EXAMPLES[2]])[0] == Thresholds()
    assert tune(MODEL, [EXAMPLES[2]], [Thresholds(), high])[0] == high


def test_nothing_to_tune_on() -> None:
    assert tune(MODEL, [])[0] == Thresholds()


def test_clearly_better_knows_its_error() -> None:
    rng = np.random.default_rng(3)
    right = rng.integers(40, 60, 20)
    base = np.stack([np.full(20, 100), np.full(20, 100), right], axis=1)
    gain = rng.normal(0, 1, (300, 20)).round().astype(int)  # of F1, times 100, in each part
    # Chance alone exceeds one and a half standard errors in 7 of 100 cases.
    lucky = sum(clearly_better(base + np.outer(row, [0, 0, 1]), base) for row in gain)
    assert 0.03 < lucky / 300 < 0.12
    one = np.array([0, 0, 1])
    assert clearly_better(base + one, base)
    assert not clearly_better(base, base)
    assert not clearly_better(base - one, base)
