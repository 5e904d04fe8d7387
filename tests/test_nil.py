"""The answer of a mention, and the threshold and the scores that suit labelled texts."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quern.evaluation.nil import tune_choice
from quern.links.choosing import NIL_THRESHOLD, decide
from quern.records import Choice, LabelledMention, Link, LinkExample, ids_of


def choices(*scores: float) -> tuple[Choice, ...]:
    """Candidates a, b, … with these scores, the best first."""
    return tuple(Choice(id_, id_, score) for id_, score in zip("abcdef", scores, strict=False))


def link(start: int, end: int, *scores: float) -> Link:
    """A mention with candidates; what it answers is for others to say."""
    return Link(start, end, "x" * (end - start), 1.0, None, 0.0, choices(*scores))


def test_nil_is_held_against_the_best_candidate() -> None:
    assert decide(choices(0.7, 0.1)) == ("a", 0.7)
    assert decide(choices(0.4, 0.35)) == ("a", 0.4), "two good candidates are no reason for NIL"
    none, score = decide(choices(0.3, 0.2))
    assert none is None and score == pytest.approx(0.5)
    assert decide(()) == (None, 1.0)
    assert decide(choices(0.01), 1.0) == ("a", 0.01), "1: only where there is no candidate"
    assert decide(choices(0.99), 0.0)[0] is None


@given(st.lists(st.floats(0, 1), min_size=1, max_size=5), st.floats(0, 1), st.floats(0, 1))
def test_a_higher_threshold_makes_no_answer_nil(
    weights: list[float], one: float, other: float
) -> None:
    whole = sum(weights) + 1
    some = choices(*sorted((weight / whole for weight in weights), reverse=True))
    low, high = sorted((one, other))
    if decide(some, high)[0] is None:
        assert decide(some, low)[0] is None


def test_ids_are_sets() -> None:
    assert ids_of("b|a") == ids_of("a|b") == {"a", "b"}
    assert ids_of(None) == frozenset() != ids_of("a")


def corpus(right: str | None, count: int, *scores: float) -> tuple[list[LinkExample], list[Link]]:
    """As many texts with one mention, labelled alike, and what is answered."""
    examples = [LinkExample(f"xx{i}", (LabelledMention("xx", 0, right),)) for i in range(count)]
    return examples, [link(0, 2, *scores) for _ in range(count)]


def test_the_threshold_is_moved_where_that_is_clearly_better() -> None:
    # NIL seems more probable than "a", and yet "a" is right of forty in fifty.
    wrong, its = corpus("a", 40, 0.3)
    nil, theirs = corpus(None, 10, 0.1)
    examples = [e for i in range(10) for e in (*wrong[4 * i : 4 * i + 4], nil[i])]
    answers = [[a] for i in range(10) for a in (*its[4 * i : 4 * i + 4], theirs[i])]
    threshold, fitted = tune_choice(examples, answers)
    assert decide(choices(0.3), threshold)[0] == "a"
    assert decide(choices(0.1), threshold)[0] is None
    assert fitted.facts == 50
    # Of two that are as good the default stays.
    assert tune_choice(nil, [[each] for each in theirs])[0] == NIL_THRESHOLD


def test_one_lucky_text_moves_nothing() -> None:
    sure, its = corpus("a", 30, 0.9)
    luck, other = corpus("a", 1, 0.45)
    threshold, _ = tune_choice([*sure, *luck], [[each] for each in [*its, *other]])
    assert threshold == NIL_THRESHOLD


def test_scores_are_fitted_where_that_helps() -> None:
    right, its = corpus("a", 30, 0.9)
    wrong, others = corpus("b", 30, 0.9)
    examples = [e for pair in zip(right, wrong, strict=True) for e in pair]
    answers = [[a] for pair in zip(its, others, strict=True) for a in pair]
    threshold, fitted = tune_choice(examples, answers)
    assert threshold == NIL_THRESHOLD
    assert fitted.scaling is not None
    assert fitted.scaling(0.9) == pytest.approx(0.5, abs=0.02)
    assert fitted.before == pytest.approx(0.4) and fitted.after == pytest.approx(0.0, abs=0.05)


def test_composites_are_right_as_sets_and_places_are_needed() -> None:
    both = (Choice("b|a", "b and a", 0.9),)
    example = LinkExample("xx", (LabelledMention("xx", 0, "a|b"),))
    answer = Link(0, 2, "xx", 1.0, None, 0.0, both)
    assert tune_choice([example], [[answer]])[1].before == pytest.approx(0.1)
    with pytest.raises(ValueError, match="no answer for the mention 'xx' at 0"):
        tune_choice([example], [[]])
