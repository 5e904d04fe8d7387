"""Triples: decoding undoes targets, thresholds mean what they say, windows do not show."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fake_model import fake_model
from quern.alignment import AlignedTriple, Label, UnitSpan, align
from quern.calibration import PlattScaling
from quern.errors import TextError
from quern.records import LabelledTriple, Span, Triple, TripleExample
from quern.runtime import Arrays, Results, padded
from quern.text import CodecRules, TextCodec, Vocabulary
from quern.triples import (
    Found,
    Scores,
    Thresholds,
    TripleModel,
    decode,
    decode_subjects,
    grid,
    lowest,
    object_targets,
    sparse,
    subject_targets,
)

LENGTH = 10
LABELS = {Label("wrote"): 0, Label("directed"): 1}
USUAL = Thresholds()


def perfect(triples: Iterable[AlignedTriple], labels: dict[Label, int], length: int) -> Scores:
    """What graphs would say that had learned ``triples`` by heart."""
    triples = list(triples)
    marks = subject_targets(triples, length)
    subjects = decode_subjects(marks, USUAL)
    return Scores(
        marks, {s: sparse(object_targets(triples, s, labels, length), USUAL) for s in subjects}
    )


def facts(found: Iterable[Found], labels: Sequence[Label] = (*LABELS,)) -> set[AlignedTriple]:
    """What was decoded, as it was labelled."""
    return {AlignedTriple(f.subject, labels[f.label], f.object) for f in found}


# -- decoding undoes targets --------------------------------------------------------


def clear(spans: set[UnitSpan]) -> bool:
    """Whether starts and ends alone tell the spans: no end lies within another's span."""
    return not any(i <= end < j for i, j in spans for _, end in spans)


def expressible(triples: set[AlignedTriple]) -> bool:
    """Whether subjects are clear, and so are the objects of each under each label."""
    groups: dict[object, set[UnitSpan]] = {}
    for subject, label, object_ in triples:
        groups.setdefault("subjects", set()).add(subject)
        groups.setdefault((subject, label), set()).add(object_)
    return all(map(clear, groups.values()))


@st.composite
def apart(draw: Any) -> list[UnitSpan]:
    """Spans that do not touch each other's units."""
    cuts = draw(st.lists(st.integers(0, LENGTH), unique=True, min_size=2).map(sorted))
    spans = [(a, b - 1) for a, b in pairwise(cuts)]
    return draw(st.lists(st.sampled_from(spans), unique=True, min_size=1))


@st.composite
def separate(draw: Any) -> set[AlignedTriple]:
    """Triples whose subjects lie apart, as do the objects of each; ends may overlap anyhow."""
    return {
        AlignedTriple(subject, label, object_)
        for subject in draw(apart())
        for label in draw(st.lists(st.sampled_from([*LABELS]), unique=True))
        for object_ in draw(apart())
    }


places = st.integers(0, LENGTH - 1)
any_span = st.tuples(places, places).map(lambda t: (min(t), max(t)))
any_triple = st.builds(AlignedTriple, any_span, st.sampled_from([*LABELS]), any_span)


@given(separate())
def test_decoding_undoes_targets(triples: set[AlignedTriple]) -> None:
    found = decode(perfect(triples, LABELS, LENGTH), USUAL)
    assert facts(found) == triples
    assert len(found) == len(triples)
    assert all(f.score == 1 for f in found)


@given(st.sets(any_triple, max_size=4))
def test_decoding_undoes_targets_wherever_ends_can_tell(triples: set[AlignedTriple]) -> None:
    found = facts(decode(perfect(triples, LABELS, LENGTH), USUAL))
    assert (found == triples) == expressible(triples)
    # What comes out instead is cut short, never made of other words.
    for subject, label, object_ in found:
        assert any(s[0] == subject[0] and s[1] >= subject[1] for s, _, _ in triples)
        assert any(k == label and o[0] == object_[0] for _, k, o in triples)


def test_a_span_within_a_span_is_cut_short() -> None:
    label = Label("wrote")
    triples = [AlignedTriple(subject, label, (8, 8)) for subject in ((1, 5), (2, 3))]
    subjects = decode_subjects(subject_targets(triples, LENGTH), USUAL)
    assert subjects == [(1, 3), (2, 3)]


def test_targets_mark_starts_and_ends() -> None:
    one, other = Label("wrote"), Label("directed")
    triples = [
        AlignedTriple((0, 1), one, (3, 3)),
        AlignedTriple((0, 1), other, (3, 4)),
        AlignedTriple((4, 4), one, (0, 1)),
        AlignedTriple((0, 1), Label("unknown"), (2, 2)),
    ]
    assert subject_targets(triples, 5).tolist() == [[1, 0], [0, 1], [0, 0], [0, 0], [1, 1]]
    marks = object_targets(triples, (0, 1), LABELS, 5)
    assert marks.shape == (5, 2, 2)
    assert {tuple(at) for at in np.argwhere(marks).tolist()} == {
        (3, 0, 0), (3, 0, 1), (3, 1, 0), (4, 1, 1),
    }  # fmt: skip
    assert not object_targets(triples, (0, 0), LABELS, 5).any()


# -- the five cases of the article --------------------------------------------------


def read(text: str, *triples: tuple[str, str, str]) -> set[tuple[str, str, str]]:
    """Label a text, then read it with perfect scores."""
    codec = TextCodec(Vocabulary(()))
    encoding = codec.encode(text)
    example = TripleExample(text, tuple(LabelledTriple(*triple) for triple in triples))
    aligned, problems = align(example, encoding, codec)
    assert not any(problem.lost for problem in problems)
    labels = {label: k for k, label in enumerate(sorted({label for _, label, _ in aligned}))}
    found = decode(perfect(aligned, labels, encoding.length), USUAL)

    def words(span: UnitSpan) -> str:
        return codec.span(encoding, *span).text

    return {(words(s), label.predicate, words(o)) for s, label, o in facts(found, [*labels])}


def test_several_subjects() -> None:
    wanted = {("Ada Marlow", "wrote", "Salt"), ("Boris Vance", "wrote", "Dust")}
    assert read("Ada Marlow wrote Salt, Boris Vance wrote Dust.", *wanted) == wanted


def test_several_objects_of_one_predicate_for_one_subject() -> None:
    wanted = {("林青", "著有", "北陵记"), ("林青", "著有", "白沙集")}
    assert read("林青写了《北陵记》和《白沙集》。", *wanted) == wanted


def test_several_predicates_for_one_pair() -> None:
    wanted = {("Clara", "wrote", "Salt and Dust"), ("Clara", "directed", "Salt and Dust")}
    assert read("Clara wrote and directed Salt and Dust.", *wanted) == wanted


@pytest.mark.parametrize(
    "triple", [("云州大学", "所在地", "云州"), ("云州", "有", "云州大学"), ("云州", "是", "云州")]
)
def test_nested_pair(triple: tuple[str, str, str]) -> None:
    assert read("云州大学开学了。", triple) == {triple}


def test_one_span_is_the_object_of_one_triple_and_the_subject_of_another() -> None:
    wanted = {("Ada", "father", "Boris Vance"), ("Boris Vance", "born in", "Old Tilbury")}
    assert read("Ada's father Boris Vance was born in Old Tilbury.", *wanted) == wanted


# -- thresholds -----------------------------------------------------------------------


def one_triple(s: float = 1, s_end: float = 1, o: float = 1, o_end: float = 1) -> Scores:
    """Scores of one triple, ((1, 2), 0, (3, 4)), at these probabilities."""
    subjects = np.zeros((5, 2), dtype=np.float32)
    objects = np.zeros((5, 1, 2), dtype=np.float32)
    subjects[1, 0], subjects[2, 1] = s, s_end
    objects[3, 0, 0], objects[4, 0, 1] = o, o_end
    return Scores(subjects, {(1, 2): sparse(objects, Thresholds(0, 0, 0.01, 0.01))})


@pytest.mark.parametrize("which", [0, 1, 2, 3])
def test_a_threshold_is_the_least_probability(which: int) -> None:
    names = Thresholds.__struct_fields__
    lenient = Thresholds(0.125, 0.125, 0.125, 0.125)
    strict = msgspec.structs.replace(lenient, **{names[which]: 0.75})
    for probability, passes in ((0.75, True), (0.7499, False), (0.5, False)):
        given_ = [0.25] * 4
        given_[which] = probability
        assert bool(decode(one_triple(*given_), strict)) == passes
        assert decode(one_triple(*given_), lenient)


def test_the_score_is_the_weakest_ends_of_both() -> None:
    [found] = decode(one_triple(0.75, 0.5, 0.625, 1.0), Thresholds(0.25, 0.25, 0.25, 0.25))
    assert found == Found((1, 2), 0, (3, 4), 0.5 * 0.625)


def test_an_end_before_its_start_and_one_of_another_label_end_nothing() -> None:
    subjects = np.array([[0, 1], [1, 0], [0, 0]], dtype=np.float32)
    assert decode_subjects(subjects, USUAL) == []
    scores = one_triple()
    starts, ends = scores.objects[1, 2]
    assert decode(scores._replace(objects={(1, 2): (starts, [(4, 1, 1.0)])}), USUAL) == []
    assert decode(scores._replace(objects={(1, 2): (starts, [(2, 0, 1.0)])}), USUAL) == []
    assert decode(scores._replace(objects={}), USUAL) == []
    assert len(decode(scores._replace(objects={(1, 2): (starts, ends)}), USUAL)) == 1


noise = st.integers(0, 2**32 - 1).map(lambda seed: np.random.default_rng(seed))
levels = st.sampled_from([0.2, 0.4, 0.5, 0.6, 0.8])
thresholds = st.builds(Thresholds, levels, levels, levels, levels)


def noisy(rng: np.random.Generator, floor: Thresholds) -> Scores:
    """Scores drawn at random, objects for every pair."""
    subjects = rng.random((6, 2), dtype=np.float32)
    objects = {
        (i, j): sparse(rng.random((6, 2, 2), dtype=np.float32), floor)
        for i in range(6)
        for j in range(i, 6)
    }
    return Scores(subjects, objects)


@given(st.integers(0, 2**32 - 1), thresholds, thresholds)
def test_a_lower_floor_changes_nothing(seed: int, one: Thresholds, other: Thresholds) -> None:
    low = lowest([one, other])
    pairs = zip(*map(msgspec.structs.astuple, (low, one, other)), strict=True)
    assert all(least == min(a, b) for least, a, b in pairs if least is not msgspec.UNSET)
    exact = noisy(np.random.default_rng(seed), one)
    assert decode(noisy(np.random.default_rng(seed), low), one) == decode(exact, one)


@given(noise, thresholds, levels, levels)
def test_surer_starts_leave_some_out_and_bring_none_in(
    rng: np.random.Generator, given_: Thresholds, s: float, o: float
) -> None:
    scores = noisy(rng, Thresholds(0, 0, 0.1, 0.1))
    stricter = msgspec.structs.replace(
        given_,
        subject_start=max(s, given_.subject_start),
        object_start=max(o, given_.object_start),
    )
    wanted = [
        found
        for found in decode(scores, given_)
        if scores.subjects[found.subject[0], 0] >= s
        and {(u, k): p for u, k, p in scores.objects[found.subject][0]}[
            found.object[0], found.label
        ]
        >= o
    ]
    assert decode(scores, stricter) == wanted


def test_the_grid_holds_all_pairs_from_low_to_high() -> None:
    candidates = grid()
    assert len(set(candidates)) == len(candidates) == 49
    assert lowest(candidates) == Thresholds(0.2, 0.2, 0.2, 0.2)
    assert Thresholds(0.3, 0.3, 0.8, 0.8) in candidates
    assert all(t.subject_start == t.subject_end for t in candidates)


# -- the model --------------------------------------------------------------------------

# A language of brackets: [ ] and < ] are subjects, ( ) and { } their objects of either label,
# where they begin and end within REACH units of the subject's start.
TOKENS = "[]<(){}ab"
REACH = 7
FRAGMENTS = [*TOKENS, "[ ] ( )", "< ] {}", "< a ] ( )", "[ ] {} ()", "[()]"]
READ = [Label("round", "bracket", "thing"), Label("curly")]
SUBJECTS = {"[": (0.875, 0), "<": (0.625, 0), "]": (0, 0.75)}
OBJECTS = {"(": (0, 0, 0.75), ")": (0, 1, 1.0), "{": (1, 0, 0.5), "}": (1, 1, 0.875)}


class Encoder:
    """Marks subjects by their brackets, and counts its runs."""

    def __init__(self, codec: TextCodec) -> None:
        self.marks = np.zeros((len(codec.vocabulary), 2), dtype=np.float32)
        for unit, marks in SUBJECTS.items():
            self.marks[codec.vocabulary.id(unit)] = marks
        self.runs: list[tuple[int, ...]] = []

    def __call__(self, inputs: Arrays) -> Results:
        units = inputs["units"].astype(np.int64)
        self.runs.append(units.shape)
        return {"subjects": self.marks[units], "hidden": units.astype(np.float32)}


class Objects:
    """Marks objects by their brackets, within reach of the subject."""

    def __init__(self, codec: TextCodec) -> None:
        self.marks = np.zeros((len(codec.vocabulary), 2, 2), dtype=np.float32)
        for unit, (label, side, probability) in OBJECTS.items():
            self.marks[codec.vocabulary.id(unit), label, side] = probability
        self.runs: list[int] = []

    def __call__(self, inputs: Arrays) -> Results:
        row, start, end = (
            inputs[name].astype(np.int64)[:, None] for name in ("row", "start", "end")
        )
        self.runs.append(len(row))
        units = inputs["hidden"].astype(np.int64)[row[:, 0]]
        place = np.arange(units.shape[1])[None]
        near = (place >= start) & (place < start + REACH) & (end < start + REACH)
        return {"objects": self.marks[units] * near[..., None, None]}


def model(window: int = 1_000, overlap: int = REACH - 1) -> TripleModel:
    """A reader of brackets."""
    codec = TextCodec(Vocabulary(TOKENS), CodecRules(window=window, overlap=overlap))
    return TripleModel(codec, READ, Encoder(codec), Objects(codec), Thresholds())


lines = st.lists(st.sampled_from(FRAGMENTS), max_size=20).map(" ".join)


def test_facts_come_with_places_types_and_scores() -> None:
    text = "a  [a]\n()  [{}]"
    [[one, other]] = model()([text])
    assert one == Triple(
        Span(3, 6, "[a]"), "round", Span(7, 9, "()"), 0.75 * 0.75, "bracket", "thing"
    )
    assert other == Triple(Span(11, 15, "[{}]"), "curly", Span(12, 14, "{}"), 0.75 * 0.5)


@given(st.lists(lines, max_size=3), st.integers(REACH, 14))
def test_windows_do_not_show(texts: list[str], window: int) -> None:
    whole = model()(texts)
    assert model(window)(texts) == whole
    for text, triples in zip(texts, whole, strict=True):
        for triple in triples:
            for span in (triple.subject, triple.object):
                assert text[span.start : span.end] == span.text
            assert triple.subject.text[0] in "[<"
            assert triple.subject.text[-1] == "]"
            assert triple.object.text[0] + triple.object.text[-1] in ("()", "{}")


def test_a_fact_far_into_a_text_is_found_once() -> None:
    fact = "[a]()"
    text = "a b " * 500 + fact + " a b" * 500
    reader = model(window=16)
    [[triple]] = reader([text])
    assert (triple.subject.start, triple.object.start) == (2_000, 2_003)
    assert sum(rows for rows, _ in reader._encoder.runs) > 150  # type: ignore[attr-defined]


class Placed(Encoder):
    """Surer of what stands further on in its window, or further back."""

    further = True

    def __call__(self, inputs: Arrays) -> Results:
        found = super().__call__(inputs)
        places = np.arange(found["subjects"].shape[1])
        surer = 1 - (places[::-1] if self.further else places) / 64
        return found | {"subjects": found["subjects"] * surer[None, :, None].astype(np.float32)}


@pytest.mark.parametrize("further", [True, False])
def test_of_two_windows_the_surer_counts(further: bool) -> None:
    reader = model(window=8, overlap=6)
    reader._encoder = Placed(reader.codec)
    reader._encoder.further = further
    text = "a a a [ ] ( ) a a a"
    encoding = reader.codec.encode(text)
    found = [
        (window.first, triple.score)
        for _, window, scores in reader.scores([encoding], [USUAL])
        for triple in decode(scores, USUAL)
    ]
    assert [first for first, _ in found] == [0, 2]
    assert (found[0][1] > found[1][1]) == further
    [[triple]] = reader([text])
    assert triple.score == max(score for _, score in found)


class Padded(Encoder):
    """Its answers betray the length to which texts were padded."""

    def __call__(self, inputs: Arrays) -> Results:
        found = super().__call__(inputs)
        length = found["subjects"].shape[1]
        return found | {"subjects": found["subjects"] * np.float32(1 - length / 1024)}


@settings(max_examples=60)
@given(st.lists(lines, max_size=7), st.randoms(use_true_random=False))
def test_a_text_reads_the_same_in_any_company(texts: list[str], random: Any) -> None:
    reader = model(window=12)
    reader._encoder = Padded(reader.codec)
    alone = {text: reader([text])[0] for text in texts}
    reader.batch_size, reader.chunk = 2, 3
    random.shuffle(texts)
    assert reader(texts) == [alone[text] for text in texts]


def test_batches_keep_to_their_size() -> None:
    reader = model(window=8)
    reader.batch_size = 3
    reader(["[] " * 40, "a", "a b", "[ a ]"])
    encoder, objects = reader._encoder, reader._objects
    assert {length for _, length in encoder.runs} == {padded(1)}  # type: ignore[attr-defined]
    assert max(rows for rows, _ in encoder.runs) == 3  # type: ignore[attr-defined]
    assert max(objects.runs) == 6  # type: ignore[attr-defined]
    subjects = 4 * len(reader.codec.windows(reader.codec.encode("[] " * 40))) + 1
    assert sum(objects.runs) == subjects  # type: ignore[attr-defined]


@pytest.mark.parametrize("texts", [[], [""], [" ", "\r\n\u3000", ""]])
def test_where_nothing_is_written_nothing_is_run(texts: list[str]) -> None:
    reader = model()
    assert reader(texts) == [[] for _ in texts]
    assert reader._encoder.runs == []  # type: ignore[attr-defined]


def test_empty_texts_do_not_shift_the_others() -> None:
    fact = "[a]()"
    found = model()(["", fact, " ", "a", fact])
    assert [len(triples) for triples in found] == [0, 1, 0, 0, 1]


def test_without_subjects_objects_are_not_looked_for() -> None:
    reader = model()
    assert reader(["() {} a", "a ] ["]) == [[], []]
    assert reader._objects.runs == []  # type: ignore[attr-defined]


@given(lines)
def test_facts_stand_in_the_order_of_their_subjects(text: str) -> None:
    [found] = model(window=8)([text])
    labels = [label.predicate for label in READ]
    places = [
        (t.subject.start, t.subject.end, labels.index(t.predicate), t.object.start, t.object.end)
        for t in found
    ]
    assert places == sorted(set(places))


def test_facts_of_one_subject_stand_in_the_order_of_labels() -> None:
    [found] = model()(["[]{}()"])
    assert [triple.predicate for triple in found] == ["round", "curly"]


def test_a_fact_that_stands_twice_is_given_twice() -> None:
    [[one, other]] = model()(["[a]() a b [a]()"])
    assert one.key == other.key
    assert one.strict_key != other.strict_key


LEAST = st.sampled_from([0.0, 0.3, 0.375, 0.46875, 0.5625, 0.6, 1.0])


@given(lines, LEAST)
def test_min_score_leaves_out_what_scores_lower(text: str, least: float) -> None:
    reader = model(window=8)
    wanted = [triple for triple in reader([text])[0] if triple.score >= least]
    assert reader([text], min_score=least) == [wanted]


@given(lines, LEAST, st.floats(0, 1), thresholds)
def test_asking_for_uncertain_facts_leaves_the_sure_ones_as_they_are(
    text: str, least: float, uncertain: float, high: Thresholds
) -> None:
    reader = model(window=8)
    reader.thresholds = high
    sure = reader([text], least)[0]
    found = reader([text], least, uncertain)[0]
    assert [triple for triple in found if not triple.uncertain] == sure
    more = [triple for triple in found if triple.uncertain]
    assert all(triple.score >= uncertain for triple in more)
    assert not {t.strict_key for t in more} & {t.strict_key for t in sure}
    low = reader([text])[0]
    left_out = {t.strict_key for t in low if uncertain <= t.score < least}
    assert left_out <= {t.strict_key for t in more}


@given(lines)
def test_what_the_thresholds_hide_can_be_had_too(text: str) -> None:
    reader = model()
    usual = reader([text])[0]
    reader.thresholds = Thresholds(0.95, 0.95, 0.95, 0.95)
    assert reader([text]) == [[]]
    found = reader([text], 0.0, 0.3)[0]
    assert [(t.strict_key, t.score) for t in found] == [(t.strict_key, t.score) for t in usual]
    assert all(triple.uncertain for triple in found)


def test_a_weak_end_does_not_hide_a_strong_one() -> None:
    weak = fake_model(
        ["ann mill old . runs"],
        {"ann": (0.9, 0.9)},
        {("runs", "mill"): (0.45, 0.1), ("runs", "old"): (0.0, 0.9)},
    )
    assert weak(["ann runs mill old ."]) == [[]]
    [found] = weak(["ann runs mill old ."], 0.0, 0.05)
    assert {t.object.text: round(t.score, 3) for t in found} == {"mill": 0.09, "mill old": 0.405}


def test_uncertain_facts_are_asked_for_by_calibrated_scores() -> None:
    reader = model()
    [[fact]] = reader(["[a]()"])
    reader.thresholds = Thresholds(0.95, 0.95, 0.95, 0.95)
    reader.calibration = PlattScaling(1.0, -2.0)
    score = reader.calibration(fact.score)
    [[found]] = reader(["[a]()"], 0.0, score - 1e-6)
    assert (found.key, found.uncertain) == (fact.key, True)
    assert found.score == pytest.approx(score)
    assert reader(["[a]()"], 0.0, score + 1e-6) == [[]]


def test_the_record_of_a_sure_fact_says_nothing_of_it() -> None:
    [[fact]] = model()(["[a]()"], 0.0, 0.1)
    assert "uncertain" not in msgspec.to_builtins(fact)
    [[fact]] = model()(["[a]()"], 0.9, 0.1)
    assert msgspec.to_builtins(fact)["uncertain"] is True


@given(lines, st.lists(thresholds, min_size=1, max_size=3))
def test_scores_serve_every_candidate(text: str, candidates: list[Thresholds]) -> None:
    reader = model(window=8)
    encodings = [reader.codec.encode(text)]
    together = list(reader.scores(encodings, candidates))
    for candidate in candidates:
        alone = reader.scores(encodings, [candidate])
        for (i, window, scores), mine in zip(together, alone, strict=True):
            assert (i, window) == mine[:2]
            assert decode(scores, candidate) == decode(mine[2], candidate)


@given(lines)
def test_a_key_is_that_of_the_fact(text: str) -> None:
    reader = model(window=8)
    encoding = reader.codec.encode(text)
    keys = {
        reader.key(encoding, window.first, found)
        for _, window, scores in reader.scores([encoding], [USUAL])
        for found in decode(scores, USUAL)
    }
    assert keys == {triple.key for triple in reader([text])[0]}


def test_one_string_is_not_read_character_by_character() -> None:
    with pytest.raises(TextError, match=r"a list of texts is wanted: model\(\[text\]\)"):
        model(window=8)("Ada owns it")
