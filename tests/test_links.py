"""Mentions without torch: decoding undoes targets, names and their habits, the baseline."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nasty import texts
from quern.alignment import UnitSpan
from quern.errors import FolderError, TextError
from quern.evaluation.mentions import (
    MentionFact,
    judge_mentions,
    score_mentions,
    summarise_mentions,
    tune_mentions,
)
from quern.links import (
    FEATURES,
    Dictionary,
    Habit,
    HabitFilter,
    LinkSettings,
    LinkThresholds,
    MatchReader,
    MentionModel,
    apart,
    decode_mentions,
    mention_span_targets,
    mention_targets,
)
from quern.metrics import Counts
from quern.records import LabelledMention, LinkExample, Mention, NameMatch
from quern.runtime import Arrays, Results
from quern.text import CodecRules, TextCodec

LENGTH = 12
SPANS = LinkThresholds(span=0.5)


@st.composite
def spans_apart(draw: st.DrawFn) -> list[UnitSpan]:
    """Spans that do not overlap."""
    borders = sorted(draw(st.sets(st.integers(0, LENGTH), max_size=8)))
    between = [(a, b - 1) for a, b in itertools.pairwise(borders)]
    return [span for span in between if draw(st.booleans())]


# -- decoding ------------------------------------------------------------------------------


@given(spans_apart())
def test_decoding_undoes_targets(spans: list[UnitSpan]) -> None:
    marks, pairs = mention_targets(spans, LENGTH), mention_span_targets(spans, LENGTH)
    assert list(decode_mentions(marks, None, LinkThresholds())) == spans
    assert list(decode_mentions(marks, pairs, SPANS)) == spans


_SPAN = st.tuples(st.integers(0, LENGTH), st.integers(0, 4)).map(lambda s: (s[0], sum(s)))


@given(st.dictionaries(_SPAN, st.sampled_from([0.2, 0.5, 0.9])))
def test_what_is_given_never_overlaps_and_only_the_better_is_in_the_way(
    found: Mapping[UnitSpan, float],
) -> None:
    kept = apart(found)
    units = [unit for a, b in kept for unit in range(a, b + 1)]
    assert len(units) == len(set(units))
    assert list(kept) == sorted(kept)
    for (a, b), score in found.items():
        crossing = [s for (c, d), s in kept.items() if c <= b and a <= d]
        assert crossing and max(crossing) >= score


def test_the_lowest_probability_is_the_score() -> None:
    marks = np.array([[0.9, 0.1], [0.2, 0.7], [0.3, 0.6]], dtype=np.float32)
    pairs = np.zeros((3, 3), dtype=np.float32)
    pairs[0, 1], pairs[0, 2] = 0.55, 0.8
    assert decode_mentions(marks, None, LinkThresholds()) == {(0, 1): pytest.approx(0.7)}
    assert decode_mentions(marks, pairs, SPANS) == {(0, 2): pytest.approx(0.6)}
    high = LinkThresholds(span=0.85)
    assert decode_mentions(marks, pairs, high) == {}


# -- names ---------------------------------------------------------------------------------


def example(text: str, *mentions: str, line: int = 0) -> LinkExample:
    """A text in which the first place of each mention is labelled."""
    labels = (LabelledMention(m, text.index(m), None) for m in mentions)
    return LinkExample(text, tuple(labels), line=line)


TRAIN = [
    example("云州城外有云州河。", "云州城"),
    example("云州城在北。", "云州城"),
    example("岳青来了。", "岳青"),
    example("岳青来了。", "岳青"),  # the same text counts once
    example("他说终于来了。"),
    example("终于见到北陵。", "终于", "北陵"),
    example("终于,北陵。", "北陵"),
]


def test_habits_are_counted_over_texts() -> None:
    dictionary = Dictionary.learn(TRAIN)
    habits = {key: habit[:2] for key, habit in dictionary.habits.items()}
    assert habits == {"云州城": (2, 2), "岳青": (1, 1), "终于": (1, 3), "北陵": (2, 2)}
    once = {key for key, habit in dictionary.habits.items() if habit.home}
    assert once == {"岳青", "终于"}, "names that one text alone labels have a home"
    assert dictionary.habits["终于"].rate == pytest.approx(1.5 / 4)


def found(dictionary: Dictionary, text: str, own: LinkExample | None = None) -> list[str]:
    """The words of the names in a text."""
    (hits,) = dictionary.find([text], None if own is None else [own])
    return [text[hit.start : hit.end] for hit in hits]


def test_a_text_never_sees_a_name_that_it_alone_labels() -> None:
    dictionary = Dictionary.learn(TRAIN)
    assert found(dictionary, "岳青来了。") == []
    assert found(dictionary, "昨天岳青来了。") == ["岳青"]
    assert found(dictionary, TRAIN[5].text) == ["北陵"]
    assert found(dictionary, TRAIN[6].text) == ["终于", "北陵"]


@given(
    st.lists(st.lists(st.sampled_from("甲乙丙丁"), min_size=1, max_size=3), max_size=6), st.data()
)
def test_in_training_a_text_sees_what_the_others_alone_would_say(
    drawn: list[list[str]], data: st.DataObject
) -> None:
    """Leave-one-out: what a text is told is what a dictionary of the other texts tells."""
    some = []
    for number, signs in enumerate(drawn):
        text = "一" * (number + 1) + "、" + "、".join(signs)
        labelled = data.draw(st.sets(st.sampled_from(signs)))
        some.append(example(text, *sorted(labelled)))
    whole = Dictionary.learn(some)
    for left in some:
        without = Dictionary.learn([e for e in some if e is not left])
        (told,) = whole.find([left.text], [left])
        (wanted,) = without.find([left.text])
        assert [(h.start, h.habit[0]) for h in told] == [(h.start, h.habit[0]) for h in wanted]


class Listed:
    """Names of some base: two strings, found wherever they stand."""

    def find_many(self, texts: object, *, every: bool = False) -> Iterator[list[NameMatch]]:
        """Matches in each text."""
        assert isinstance(texts, list)
        for text in texts:
            places = sorted((text.find(n), n) for n in ("云州", "岳青") if n in text)
            yield [NameMatch(at, at + len(n), n, n) for at, n in places]


def test_a_base_names_and_the_labels_tell_habits() -> None:
    dictionary = Dictionary.learn(TRAIN, Listed())
    assert {key: habit[:2] for key, habit in dictionary.habits.items()} == {
        "云州": (0, 2),
        "岳青": (1, 1),
    }
    assert found(dictionary, "岳青来了。", TRAIN[2]) == ["岳青"], "a base's name is one anywhere"
    (hits,) = dictionary.find([TRAIN[2].text], [TRAIN[2]])
    assert hits[0].habit[:2] == (0, 0), "what the text's own label adds is taken off"
    (hits,) = dictionary.find([TRAIN[2].text])
    assert hits[0].habit.labelled == 0, "in reading, too, where no other text labels the name"


@given(texts())
def test_what_is_stored_is_read_again(text: str) -> None:
    labels = (LabelledMention(text, 0, None),) if text else ()
    dictionary = Dictionary.learn([LinkExample(text, labels), *TRAIN])
    content = dictionary.payload()
    again = Dictionary.read(content)
    assert again.payload() == content
    assert found(again, "昨天岳青来了。") == found(dictionary, "昨天岳青来了。") == ["岳青"]


@pytest.mark.parametrize(
    "content", [b"", b"{}", b"\xff", b'{"keys":["a"],"labelled":[],"found":[],"homes":[]}']
)
def test_what_is_no_dictionary_is_refused(content: bytes) -> None:
    with pytest.raises(FolderError, match="names cannot be read"):
        Dictionary.read(content)


def test_features_of_units() -> None:
    codec = TextCodec.fit(["云州城"], CodecRules(min_count=1))
    dictionary = Dictionary({"云州": Habit(1, 2), "云州城": Habit(4, 4), "城": Habit(0, 9)})
    (marks,) = dictionary.features([codec.encode("去云州城 X")], codec)
    assert marks.shape == (5, FEATURES)
    rate, seen, half = Habit(4, 4).rate, 0.5, Habit(1, 2).rate
    assert (
        marks.round(4).tolist()
        == np.round(
            [
                [0] * 8,
                [1, 1, 0, rate, seen, 1, 0, rate],
                [1, 0, 0, rate, seen, 0, 1, half],
                [1, 0, 1, rate, seen, 0, 1, rate],
                [0] * 8,
            ],
            4,
        )
        .astype(np.float32)
        .round(4)
        .tolist()
    )


# -- the baseline --------------------------------------------------------------------------


def test_the_longest_names_are_the_mentions() -> None:
    dictionary = Dictionary.learn(TRAIN)
    text = "岳青终于到了云州城。"
    (mentions,) = MatchReader(dictionary)([text])
    assert [m.text for m in mentions] == ["岳青", "终于", "云州城"]
    assert all(text[m.start : m.end] == m.text for m in mentions)
    (kept,) = MatchReader(dictionary, HabitFilter(ratio=0.4))([text])
    assert [m.text for m in kept] == ["岳青", "云州城"], "found often and labelled seldom"
    (rare,) = MatchReader(dictionary, HabitFilter(ratio=0.4, found=4))([text])
    assert rare == mentions, "a name found less often is not judged"
    (sure,) = MatchReader(dictionary)([text], min_score=0.5)
    assert [m.text for m in sure] == ["岳青", "云州城"]


# -- the model and its figures ---------------------------------------------------------------


class Bold:
    """A graph that takes every unit of the first id for a mention, half sure of its end."""

    def __init__(self, unit: int) -> None:
        self._unit = unit

    def __call__(self, inputs: Arrays) -> Results:
        """Marks of starts and ends."""
        here = (inputs["units"] == self._unit).astype(np.float32)
        return {"mentions": np.stack([here, here * np.float32(0.5)], axis=-1)}


def bold() -> MentionModel:
    """A model with that graph; it reads six units at once."""
    codec = TextCodec.fit(["云"], CodecRules(min_count=1, window=6, overlap=2))
    return MentionModel(codec, Bold(codec.vocabulary.id("云")), LinkThresholds())


def test_every_window_is_read_and_nothing_is_given_twice() -> None:
    text = "云" + "雨" * 20 + " 云"
    assert bold()([text]) == [[Mention(0, 1, "云", 0.5), Mention(22, 23, "云", 0.5)]]
    with pytest.raises(TextError, match="one string was given"):
        bold()(text)


LABELLED = [
    LinkExample("云雨云", (LabelledMention("云", 0, None), LabelledMention("雨", 1, "Q1"))),
    LinkExample("晴", ()),
]


def test_places_are_judged_and_nil_is_a_mention() -> None:
    first, second = judge_mentions(bold(), LABELLED)
    assert first.facts == (
        MentionFact("right", 0, 1, "云", True, 0.5),
        MentionFact("missed", 1, 2, "雨", False, None),
        MentionFact("wrong", 2, 3, "云", False, 0.5),
    )
    assert second.facts == ()
    evaluation = summarise_mentions([first, second])
    assert (evaluation.overall.wanted, evaluation.overall.given, evaluation.overall.right) == (
        2,
        2,
        1,
    )
    assert (evaluation.found_nil, evaluation.found_linked) == (1.0, 0.0)
    assert score_mentions(bold(), LABELLED) == Counts(2, 2, 1)


def test_thresholds_are_tuned_by_the_texts() -> None:
    high = LinkThresholds(0.6, 0.6)
    empty = [LinkExample("云云云", ())]
    best, counts = tune_mentions(bold(), empty, [LinkThresholds(), high])
    assert best == high and counts[high].given == 0 and counts[LinkThresholds()].given == 3
    usual, _ = tune_mentions(bold(), LABELLED)
    assert usual == LinkThresholds(), "the defaults stay where nothing is clearly better"


def test_names_gate_wants_names() -> None:
    with pytest.raises(ValueError, match="names_gate wants names: labels or base"):
        LinkSettings(names="none", names_gate=True)
