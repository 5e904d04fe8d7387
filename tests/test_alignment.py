"""Labels → unit spans: what is placed where, and every failure in its own words."""

from __future__ import annotations

from typing import Any, NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nasty import texts
from quern.alignment import (
    AlignedTriple,
    Label,
    Occurrence,
    Problem,
    UnitSpan,
    align,
    align_entities,
    in_window,
    outside,
    smallest_reading,
)
from quern.records import LabelledSpan, LabelledTriple, TripleExample
from quern.text import CodecRules, TextCodec, Vocabulary

CODEC = TextCodec(Vocabulary(()), CodecRules(window=8, overlap=3))
KNOWS = Label("knows")


def aligned(
    text: str, *triples: LabelledTriple, occurrence: Occurrence = "nearest", line: int = 7
) -> tuple[list[AlignedTriple], list[Problem]]:
    """Align the labels of one text."""
    example = TripleExample(text, triples, line=line)
    return align(example, CODEC.encode(text), CODEC, occurrence)


def knows(
    subject: str, object_: str, s: int | None = None, o: int | None = None, **types: str
) -> LabelledTriple:
    """``subject`` knows ``object_``, at these offsets."""
    return LabelledTriple(subject, "knows", object_, s, o, **types)


# -- what goes wrong ------------------------------------------------------------------


class Case(NamedTuple):
    """A label, and what is said of it."""

    text: str
    label: LabelledTriple
    problems: list[tuple[str, str]]
    placed: bool = False


CASES = [
    Case(
        "Ada met Eve.",
        knows("Ada", "Bob"),
        [("absent", "'Bob' (knows) does not stand in the text")],
    ),
    Case(
        "Ada met Eve.",
        knows("Bo", "Bob"),
        [
            ("absent", "'Bo' (knows) does not stand in the text"),
            ("absent", "'Bob' (knows) does not stand in the text"),
        ],
    ),
    Case(
        "Ada met Eve.",
        knows("Ada", "Eve", 1, 8),
        [("absent", "'Ada' (knows) does not stand in the text at character 1")],
    ),
    Case(
        "Ada met Eve.",
        knows("Ada", "Eve", 0, 800),
        [("absent", "'Eve' (knows) does not stand in the text at character 800")],
    ),
    Case(  # text[-4:-1] is "Eve", but no place has such a number
        "Ada met Eve.",
        knows("Ada", "Eve", 0, -4),
        [("absent", "'Eve' (knows) does not stand in the text at character -4")],
    ),
    Case(  # an offset is taken at its word: case is folded only where there is none
        "ada met Eve.",
        knows("Ada", "Eve", 0, 8),
        [("absent", "'Ada' (knows) does not stand in the text at character 0")],
    ),
    Case(
        "Adam met Eve.",
        knows("Ada", "Eve"),
        [("border", "'Ada' (knows) cuts through a word or number")],
    ),
    Case(
        "Adam met Eve, 1920.",
        knows("20", "Ada", 16, 0),
        [
            ("border", "'20' (knows) at character 16 cuts through a word or number"),
            ("border", "'Ada' (knows) at character 0 cuts through a word or number"),
        ],
    ),
    Case(
        "Ada met Eve, Ada slept.",
        knows("Ada", "Eve"),
        [("ambiguous", "'Ada' (knows) occurs 2 times and has no offset")],
        placed=True,
    ),
    Case(
        "Ada met ADA.",
        knows("ada", "met"),
        [("ambiguous", "'ada' (knows) occurs 2 times and has no offset")],
        placed=True,
    ),
    Case(
        "王王王。",
        knows("王", "王王"),
        [
            ("ambiguous", "'王' (knows) occurs 3 times and has no offset"),
            ("ambiguous", "'王王' (knows) occurs 2 times and has no offset"),
        ],
        placed=True,
    ),
    Case(
        "Ada met Ada.",
        knows("Ada", "Bob"),
        [
            ("ambiguous", "'Ada' (knows) occurs 2 times and has no offset"),
            ("absent", "'Bob' (knows) does not stand in the text"),
        ],
    ),
    Case(  # the Ada in Adam is no place for Ada
        "Adam met Ada and Eve.", knows("Ada", "Eve"), [], placed=True
    ),
]


@pytest.mark.parametrize("case", CASES)
def test_problems(case: Case) -> None:
    placed, problems = aligned(case.text, case.label)
    assert problems == [Problem(7, kind, detail) for kind, detail in case.problems]  # type: ignore[arg-type]
    assert bool(placed) == case.placed
    assert bool(placed) != any(problem.lost for problem in problems)


def test_problems_keep_the_line_and_the_order_of_the_labels() -> None:
    triples = [knows("Bob", "Eve"), knows("Ada", "Eve"), knows("Ada", "Bob")]
    placed, problems = aligned("Ada met Eve.", *triples, line=41)
    assert placed == [((0, 0), KNOWS, (2, 2))]
    assert [(problem.line, problem.kind) for problem in problems] == [(41, "absent")] * 2


# -- what goes right --------------------------------------------------------------------


def test_an_offset_says_which_is_meant() -> None:
    text = "Ada met Eve, Ada met Eve."
    wanted = {(0, 8): (0, 2), (13, 8): (4, 2), (0, 21): (0, 6), (13, 21): (4, 6)}
    for (s, o), (subject, object_) in wanted.items():
        placed, problems = aligned(text, knows("Ada", "Eve", s, o))
        assert placed == [((subject, subject), KNOWS, (object_, object_))]
        assert not problems


def test_one_offset_is_enough_to_find_the_other_end_near_it() -> None:
    placed, problems = aligned("Ada met Eve, so Ada met Eve.", knows("Ada", "Eve", 16))
    assert placed == [((5, 5), KNOWS, (7, 7))]
    assert [p.detail for p in problems] == ["'Eve' (knows) occurs 2 times and has no offset"]


@pytest.mark.parametrize("offsets", [(None, None), (0, 10)])
def test_white_space_at_the_ends_of_a_label_is_left_out(offsets: tuple[int, int]) -> None:
    placed, problems = aligned("  Ada met Eve .", knows("  Ada ", "Eve ", *offsets))
    assert placed == [((0, 0), KNOWS, (2, 2))]
    assert not problems


def test_a_label_is_placed_once_and_types_make_another() -> None:
    typed = knows("Ada", "Eve", subject_type="person", object_type="person")
    placed, _ = aligned("Ada met Eve.", knows("Ada", "Eve"), knows("Ada", "Eve", 0, 8), typed)
    label = Label("knows", "person", "person")
    assert placed == [((0, 0), KNOWS, (2, 2)), ((0, 0), label, (2, 2))]


def test_one_string_may_be_both_ends() -> None:
    placed, problems = aligned("Ada knows best.", knows("Ada", "Ada"))
    assert placed == [((0, 0), KNOWS, (0, 0))]
    assert not problems


@pytest.mark.parametrize(
    ("text", "subject", "object_", "nearest", "first"),
    [
        ("Eve slept . Ada met Eve", "Ada", "Eve", ((3, 3), (5, 5)), ((3, 3), (0, 0))),
        ("Ada a b c Ada Eve d Eve", "Ada", "Eve", ((4, 4), (5, 5)), ((0, 0), (5, 5))),
        # At the same distance, the earlier.
        ("Eve Ada Eve", "Ada", "Eve", ((1, 1), (0, 0)), ((1, 1), (0, 0))),
        # Not the Lake within Lake Mill, though nothing is nearer.
        ("Lake Mill by the Lake", "Lake Mill", "Lake", ((0, 1), (4, 4)), ((0, 1), (0, 0))),
        # Unless there is no other.
        ("the Lake Mill", "Lake Mill", "Lake", ((1, 2), (1, 1)), ((1, 2), (1, 1))),
    ],
)
def test_nearest_and_first(
    text: str,
    subject: str,
    object_: str,
    nearest: tuple[UnitSpan, UnitSpan],
    first: tuple[UnitSpan, UnitSpan],
) -> None:
    ways: list[tuple[Occurrence, tuple[UnitSpan, UnitSpan]]] = [
        ("nearest", nearest),
        ("first", first),
    ]
    for occurrence, wanted in ways:
        placed, _ = aligned(text, knows(subject, object_), occurrence=occurrence)
        assert placed == [(wanted[0], KNOWS, wanted[1])]


@given(st.text("abc", min_size=2, max_size=12).filter(lambda s: {"a", "b"} <= set(s)))
def test_nothing_is_nearer_than_the_nearest(letters: str) -> None:
    places = {c: [i for i, char in enumerate(letters) if char == c] for c in "ab"}
    [(subject, _, object_)], _ = aligned(" ".join(letters), knows("a", "b"))
    assert letters[subject[0]] + letters[object_[0]] == "ab"
    pairs = [(abs(s - o), s, o) for s in places["a"] for o in places["b"]]
    assert (abs(subject[0] - object_[0]), subject[0], object_[0]) == min(pairs)


@given(texts().filter(str.strip), st.data())
def test_a_span_given_by_its_place_is_placed_there(text: str, data: Any) -> None:
    encoding = CODEC.encode(text)
    unit = st.integers(0, encoding.length - 1)
    subject, object_ = (tuple(sorted(data.draw(st.tuples(unit, unit)))) for _ in "so")
    s, o = CODEC.span(encoding, *subject), CODEC.span(encoding, *object_)
    placed, problems = aligned(text, knows(s.text, o.text, s.start, o.start))
    assert placed == [(subject, KNOWS, object_)]
    assert not problems


def test_labels_sort_with_and_without_types() -> None:
    labels = [Label("b"), Label("a", "x", None), Label("a"), Label("a", None, "y")]
    ordered = sorted(labels, key=lambda label: label.sort_key)
    assert ordered == [Label("a"), Label("a", None, "y"), Label("a", "x", None), Label("b")]


# -- how much to read at once ---------------------------------------------------------------


def reading_for(*texts_and_labels: tuple[str, LabelledTriple]) -> int:
    codec = TextCodec(Vocabulary(()), CodecRules(window=128))
    examples = [TripleExample(text, (label,)) for text, label in texts_and_labels]
    encodings = [codec.encode(example.text) for example in examples]
    placed = [(c, align(e, c, codec)[0]) for e, c in zip(examples, encodings, strict=True)]
    return smallest_reading(placed, codec)


def test_labels_within_sentences_are_read_one_by_one() -> None:
    filler = "Nothing happened there for many long years. " * 5
    assert reading_for((filler + "Ada met Eve.", knows("Ada", "Eve"))) == 32


def test_labels_across_sentences_are_read_together() -> None:
    filler = "Nothing happened there for many long years. " * 5
    near = ("Ada ran. " + filler + "Then Eve ran.", knows("Ada", "Eve"))
    assert reading_for(near) == 48
    assert reading_for(("Ada ran. " + filler * 2 + "Then Eve ran.", knows("Ada", "Eve"))) == 96


# -- windows ----------------------------------------------------------------------------

spans = st.tuples(st.integers(0, 29), st.integers(0, 9)).map(lambda t: (t[0], min(29, sum(t))))
triples = st.lists(st.builds(AlignedTriple, spans, st.just(KNOWS), spans), max_size=8)


@given(triples)
def test_each_triple_is_in_a_window_or_named_as_lost(placed: list[AlignedTriple]) -> None:
    windows = CODEC.windows(CODEC.encode("字" * 30))
    for triple in placed:
        low = min(triple.subject[0], triple.object[0])
        high = max(triple.subject[1], triple.object[1])
        holders = [w for w in windows if in_window([triple], w)]
        assert holders == [w for w in windows if w.first <= low and high < w.stop]
        lost = outside(TripleExample("", (), line=3), [triple], windows)
        assert len(lost) == (0 if holders else 1)
        assert holders or high - low > CODEC.rules.overlap  # what the overlap holds is never lost
        for window in holders:
            [(s, label, o)] = in_window([triple], window)
            first = window.first
            back = ((s[0] + first, s[1] + first), label, (o[0] + first, o[1] + first))
            assert back == triple


@given(triples)
def test_windows_keep_the_order_and_lose_nothing(placed: list[AlignedTriple]) -> None:
    windows = CODEC.windows(CODEC.encode("字" * 30))
    found = set()
    for first, stop in windows:
        held = in_window(placed, type(windows[0])(first, stop))
        shifted = [
            ((s[0] + first, s[1] + first), k, (o[0] + first, o[1] + first)) for s, k, o in held
        ]
        assert shifted == [t for t in placed if t in shifted]
        found.update(shifted)
    lost = outside(TripleExample("", ()), placed, windows)
    assert len(lost) + sum(triple in found for triple in placed) == len(placed)


def test_what_no_window_holds_is_named() -> None:
    text = "Ada a b c d e f g h Eve i"
    placed, _ = aligned(text, knows("Ada", "Eve"), knows("g", "Eve"), knows("Eve i", "b"))
    windows = CODEC.windows(CODEC.encode(text))
    assert windows == [(0, 8), (3, 11)]
    assert outside(TripleExample(text, (), line=5), placed, windows) == [
        Problem(
            5,
            "window",
            "the ends of 'knows' stretch over 10 units, and no window holds them all",
        ),
        Problem(
            5,
            "window",
            "the ends of 'knows' stretch over 9 units, and no window holds them all",
        ),
    ]
    assert in_window(placed, windows[0]) == []
    assert in_window(placed, windows[1]) == [((4, 4), KNOWS, (6, 6))]


def test_entities_are_placed_by_their_offsets_and_misfits_named() -> None:
    text = "Ada Moor owns the mill"
    entities = (
        LabelledSpan("Ada Moor", 0, "person"),
        LabelledSpan("mill", 18),
        LabelledSpan("ill", 19, "thing"),
        LabelledSpan("owns", 3, "verb"),
    )
    example = TripleExample(text, (), entities=entities, line=4)
    codec = TextCodec.fit([text])
    placed, problems = align_entities(example, codec.encode(text), codec)
    assert placed == [((0, 1), "person"), ((4, 4), "")]
    assert [(p.line, p.kind, p.lost, p.detail) for p in problems] == [
        (4, "entity", False, "'ill' (entity) at character 19 cuts through a word or number"),
        (4, "entity", False, "'owns' (entity) does not stand in the text at character 3"),
    ]
