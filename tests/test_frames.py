"""Frames: what the files hold, how they are filled, and what is learned from them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import get_args

import pytest

torch = pytest.importorskip("torch")

import msgspec
import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from corpus import corpus
from nasty import texts as nasty_texts
from quern.alignment import AlignedTriple, Label
from quern.errors import DataError
from quern.priors import Priors
from quern.records import LabelledSpan, LabelledTriple, TripleExample
from quern.shipped import LANGUAGES, Language, language
from quern.text import CodecRules, TextCodec
from quern.train import soft
from quern.train.frames import End, Frame, Kind, draw, frames, in_words, lines
from quern.train.settings import plan
from quern.train.soft_items import SoftItems
from quern.train.triple_items import Item, TripleItems
from quern.triples import Scores, Thresholds, TripleFitting, TripleModel, decode, sparse

TRAIN = corpus(200)
CODEC = TextCodec.fit((e.text for e in TRAIN), CodecRules(min_count=1, buckets=512))
LABELS = sorted({Label.of(t) for e in TRAIN for t in e.triples}, key=lambda k: k.sort_key)
EVERY = [(of, frame) for of in LANGUAGES for frame in frames(of)]
WORDS = {
    "zh": {"predicate": "出生地"},
    "en": {"predicate": "birth place", "link": "educated at"},
}


def items_of(examples: Iterable[TripleExample] = TRAIN, **settings: float) -> TripleItems:
    fitting = TripleFitting(**({"frames": 1.0} | settings))  # type: ignore[arg-type]
    return TripleItems(list(examples), CODEC, LABELS, fitting)


def filled(items: TripleItems, seed: int = 0, times: int = 1) -> list[tuple[Item, Item]]:
    """Every item, some times over, with what stands in its place."""
    rng = np.random.default_rng(seed)
    return [(item, items._framed(item, rng)) for item in items.items * times]


def name_of(text: str) -> str:
    """What a label can name: from the first unit of a text to its last; empty without units."""
    encoding = CODEC.encode(text)
    return CODEC.span(encoding, 0, encoding.length - 1).text if encoding.length else ""


names = nasty_texts(4).map(name_of).filter(bool)


# -- the files -----------------------------------------------------------------------


@pytest.mark.parametrize(("of", "least"), [("zh", 120), ("en", 100)])
def test_the_files_hold_what_they_should(of: Language, least: int) -> None:
    known = frames(of)
    texts = [line.split(maxsplit=2)[2] for line in lines(of)]
    assert len(known) == len(texts) == len(set(texts)) >= least
    assert {frame.kind for frame in known} == set(get_args(Kind))
    for frame, text in zip(known, texts, strict=True):
        slots = Counter(slot for _, slot in frame.parts if slot)
        assert slots["subject"] == slots["object"] == 1
        assert slots.keys() - {"subject", "object"} <= WORDS[of].keys()
        assert not frame.states or frame.slots & WORDS[of].keys()  # nothing else can say it
        bare = frame.filled(End("", 0, 0), End("", 0, 0), {"predicate": "", "link": ""}).text
        assert "{" not in bare and "}" not in bare and text == text.strip()
        assert not any(map(str.isdigit, bare)) or not frame.states
    for slot in WORDS[of]:
        signs = {frame.states for frame in known if slot in frame.slots}
        assert signs == {True, False}  # naming a predicate is not stating it


@pytest.mark.parametrize(
    "line",
    [
        "",
        "{subject} {object}",
        "* any {subject} {object}",
        "+ some {subject} {object}",
        "- any {subject}",
        "- any {subject} {object} {object}",
    ],
)
def test_a_line_that_is_no_frame_is_refused(line: str) -> None:
    with pytest.raises(ValueError, match="not a frame"):
        Frame.of(line)


# -- filling -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "of", "words"),
    [
        ("妻子", "zh", {"predicate": "妻子"}),
        ("饰演_inWork", "zh", {}),
        ("birthPlace", "zh", {}),
        ("", "zh", {}),
        ("birthPlace", "en", {"predicate": "birth place"}),
        ("PLACE_OF_RESIDENCE", "en", {"predicate": "place of residence"}),
        ("headquarter", "en", {"predicate": "headquarter"}),
        ("EDUCATED_AT", "en", {"link": "educated at"}),
        ("isPartOf", "en", {"link": "part of"}),
        ("USED-FOR", "en", {"link": "used for"}),
        ("was selected by NASA", "en", {}),
        ("is of", "en", {}),
        ("of", "en", {}),
        ("妻子", "en", {}),
        ("P17", "en", {}),
        ("/people/person/place_lived", "en", {}),
        ("elevation_(in_metres)", "en", {}),
        ("_", "en", {}),
        ("", "en", {}),
    ],
)
def test_predicates_in_words(name: str, of: Language, words: dict[str, str]) -> None:
    assert in_words(name, of) == words


def test_marks_around_an_end_stay_with_it() -> None:
    text = "《青石谣》与“云”、白沙》"
    assert End.of(text, 1, 4) == End("《青石谣》", 1, 4)
    assert End.of(text, 7, 8) == End("“云”", 1, 2)
    assert End.of(text, 10, 12) == End("白沙", 0, 2)
    assert End.of("云", 0, 1) == End("云", 0, 1)


@given(st.sampled_from(EVERY), names, names, st.booleans())
def test_ends_stand_on_unit_borders_in_every_frame(
    which: tuple[Language, Frame], subject: str, object_: str, marked: bool
) -> None:
    of, frame = which
    ends = [
        End.of(f"《{name}》" if marked else name, marked, marked + len(name))
        for name in (subject, object_)
    ]
    done = frame.filled(*ends, WORDS[of])
    encoding = CODEC.encode(done.text)
    for place, name in zip((done.subject, done.object), (subject, object_), strict=True):
        units = CODEC.locate(encoding, *place)
        assert units is not None
        assert CODEC.span(encoding, *units).text == name


@pytest.mark.parametrize(
    ("of", "subject", "predicate", "object_"),
    [
        ("zh", "沈青禾", "出生地", "白沙"),
        ("zh", "沈青禾", "birthPlace", "白沙"),
        ("zh", "沈青禾", "出生日期", "1931年4月"),
        ("en", "Ada Vance", "birthPlace", "Norden"),
        ("en", "Ada Vance", "EDUCATED_AT", "Norden"),
        ("en", "Ada Vance", "P19", "4 May 1931"),
    ],
)
def test_a_frame_suits_the_triple(of: Language, subject: str, predicate: str, object_: str) -> None:
    rng = np.random.default_rng(0)
    ends = End.of(subject, 0, len(subject)), End.of(object_, 0, len(object_))
    drawn = [draw(of, ends, predicate, rng) for _ in range(2000)]
    words = in_words(predicate, of)
    unfit = "name" if ends[1].is_value else "value"
    fit = [f for f in frames(of) if f.kind != unfit and f.slots - {"subject", "object"} <= {*words}]
    assert {d.text for d in drawn} == {frame.filled(*ends, words).text for frame in fit}
    assert {d.states for d in drawn} == ({True, False} if words else {False})
    assert all(language(d.text) == of for d in drawn)


# -- what is learned -----------------------------------------------------------------


def decoded(items: TripleItems, item: Item) -> list[AlignedTriple]:
    """What decoding makes of an item's own targets."""
    length = item.encoding.length
    objects = {}
    for subject in {t.subject for t in item.triples} or set(item.decoys):
        targets = items._targets(item, subject, length)
        objects[subject] = sparse(targets["objects"], Thresholds())
    found = decode(Scores(targets["subjects"], objects), Thresholds())
    return [AlignedTriple(f.subject, LABELS[f.label], f.object) for f in found]


def test_a_frame_states_its_triple_or_nothing() -> None:
    items = items_of()
    stated = Counter[bool]()
    for old, new in filled(items, times=5):
        assert new is not old and new.line == old.line
        found = decoded(items, new)
        assert found == new.triples
        stated[bool(found)] += 1
        if not found:
            targets = items._targets(new, new.decoys[0], new.encoding.length)
            assert not targets["subjects"].any() and not targets["objects"].any()
            continue
        [(s, label, o)] = found
        read = [CODEC.span(new.encoding, *place).text for place in (s, o)]
        of_item = [
            [*(CODEC.span(source.encoding, *place).text for place in (t.subject, t.object))]
            for source in ([old] if old.triples else items.items)
            for t in source.triples
            if t.label == label
        ]
        assert read in of_item
        words = in_words(label.predicate, language(label.predicate))
        assert all(word in new.encoding.text for word in words.values())
    assert 0.1 < stated[True] / stated.total() < 0.4


@given(st.sampled_from(EVERY), names, names)
def test_any_names_are_read_back(which: tuple[Language, Frame], subject: str, object_: str) -> None:
    text = f"{subject} {object_}"
    label = LabelledTriple(subject, LABELS[0].predicate, object_, 0, len(subject) + 1)
    items = items_of([TripleExample(text, (label,))], frames=0.0)  # a pronoun will do here
    [source] = items.items
    of, frame = which
    done = frame.filled(*(End(name, 0, len(name)) for name in (subject, object_)), WORDS[of])
    item = items._filled(7, source, source.triples[0], done)
    assert item is not None
    assert decoded(items, item) == item.triples
    assert len(item.triples) == frame.states
    assert [*item.decoys] == (
        []
        if frame.states
        else [CODEC.locate(item.encoding, *place) for place in (done.subject, done.object)]
    )


def test_chance_comes_from_the_seed_alone() -> None:
    items, again = items_of(frames=0.5, augment=0.3), items_of(frames=0.5, augment=0.3)
    chosen = range(60)
    first, second = items.collate(chosen, [1, 2]), again.collate(chosen, [1, 2])
    assert first.keys() == second.keys()
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert not np.array_equal(first["start"], items.collate(chosen, [1, 3])["start"])
    changed = sum(new is not old for old, new in filled(items_of(frames=0.2), times=10))
    assert changed / (10 * len(items)) == pytest.approx(0.2, abs=0.03)


def test_without_frames_nothing_is_drawn() -> None:
    items = items_of(frames=0.0)
    rng = np.random.default_rng(0)
    before = rng.bit_generator.state
    assert all(items._framed(item, rng) is item for item in items.items)
    assert rng.bit_generator.state == before


def test_subjects_of_empty_frames_are_the_names_in_them() -> None:
    items = items_of()
    empty = next(new for _, new in filled(items) if not new.triples)
    drawn = {items._subject(empty, np.random.default_rng(n)) for n in range(20)}
    assert drawn == set(empty.decoys)
    assert len(drawn) == 2


def test_all_is_known_of_a_frame_whatever_its_line_leaves_open() -> None:
    replace = msgspec.structs.replace
    whole = next(e for e in TRAIN if e.triples)
    partly = replace(whole, complete=False)
    asked = replace(whole, predicates=(whole.triples[0].predicate,))
    batch = items_of([whole, partly, asked]).collate([0, 1, 2], [0])
    assert (batch["absent"] == 1).all()
    assert (batch["absent_objects"] == 1).all()


def test_entities_come_along_where_both_ends_are_named() -> None:
    text = "沈青禾住在白沙。"
    triple = LabelledTriple("沈青禾", "出生地", "白沙")
    both = (LabelledSpan("沈青禾", 0, "人"), LabelledSpan("白沙", 5, "地"))
    items = items_of([TripleExample(text, (triple,), entities=both[:n]) for n in (2, 1, 0)])
    seen = set()
    for old, new in filled(items, times=30):
        named = [(CODEC.span(new.encoding, *span).text, kind) for span, kind in new.entities]
        assert sorted(named) == (
            [("沈青禾", "人"), ("白沙", "地")] if len(old.entities) > 1 else []
        )
        seen.add((len(old.entities), bool(new.triples)))
    assert len(seen) == 6
    assert items.collate([0, 1, 2], [0])["named"].tolist() == [1.0, 0.0, 0.0]


def test_what_is_known_of_the_names_is_told_as_in_any_new_text() -> None:
    example = next(e for e in TRAIN if len(e.triples) == 1)
    priors = Priors.learn([example], LABELS)
    for share in (0.0, 1.0):
        fitting = TripleFitting(frames=share)
        items = TripleItems([example], CODEC, LABELS, fitting, priors=priors)
        batches = [items.collate([0], [n]) for n in range(10)]
        # Its own text does not know the only triple there is; every frame does.
        assert all(batch["known"].any() == bool(share) for batch in batches)


def test_pronouns_are_no_names() -> None:
    text = "她是沈青禾，住在白沙。"
    facts = [LabelledTriple(subject, "出生地", "白沙") for subject in ("她", "沈青禾")]
    items = items_of([TripleExample(text, (*facts,)), TripleExample(text, (facts[0],))])
    assert len(items._naming) == 1  # whose names go for the other, too
    for _, new in filled(items, times=50):
        assert "沈青禾" in new.encoding.text and "她" not in new.encoding.text
    with pytest.raises(DataError, match="names in labelled triples, and there are none"):
        items_of([TripleExample(text, (facts[0],))])


def test_a_frame_that_fits_no_window_stays_away() -> None:
    name = "云" * 30
    triple = LabelledTriple(name, LABELS[0].predicate, "白沙")
    rules = CodecRules(min_count=1, buckets=512, window=40, overlap=5)
    codec = TextCodec.fit([name], rules)
    example = TripleExample(f"{name}，白沙", (triple,))
    items = TripleItems([example], codec, LABELS, TripleFitting(frames=1.0))
    pairs = filled(items, times=100)
    assert {new is old for old, new in pairs} == {True, False}
    assert all(new.window.stop <= 40 for _, new in pairs)


def test_a_share_is_no_more_than_all() -> None:
    with pytest.raises(DataError, match="frames must lie between 0 and 1"):
        plan("fast", ["frames=1.5"])


# -- beside a teacher ----------------------------------------------------------------


class Sure(TripleModel):
    """A teacher to whom every unit is a subject, and its object too."""

    def __init__(self) -> None:
        self.codec, self.labels, self.reading = CODEC, tuple(LABELS), None
        self.thresholds = Thresholds()

    def scores(self, encodings, candidates):  # type: ignore[no-untyped-def]
        """The same of every window."""
        for i, encoding in enumerate(encodings):
            [window] = self.windows(encoding)
            marks = np.ones((encoding.length, 2), dtype=np.float32)
            yield i, window, Scores(marks, {(0, 0): ([(0, 0, 1.0)], [(0, 0, 1.0)])})


def test_a_teacher_says_nothing_of_frames(tmp_path: Path) -> None:
    examples, raw = TRAIN[:20], [e.text for e in TRAIN[20:40]]
    fitting = TripleFitting(frames=1.0)
    items = SoftItems(examples, CODEC, LABELS, None, fitting, trust=0.3)
    texts = [*(e.text for e in examples), *raw]
    items.listen(soft.build(tmp_path / "soft", "test", texts, Sure(), lambda texts: None))
    rng = np.random.default_rng(0)
    states = set()
    for i in range(len(items)):
        item = items._item(i)
        new = items._framed(items._augmented(item, rng), rng)
        assert item.soft is not None and new.soft is None and new.trust == (1.0, 1.0)
        assert decoded(items, new) == new.triples
        subject = items._subject(new, rng)
        assert subject in ([t.subject for t in new.triples] or new.decoys)
        states.add((i < len(examples), bool(new.triples)))
    assert len(states) == 4
    batch = items.collate(range(len(items)), [0])
    assert set(batch["subjects"].unique().tolist()) == {0.0, 1.0}
    assert batch["subjects"].sum() <= 2 * len(items)
    assert (batch["absent"] == 1).all() and (batch["absent_objects"] == 1).all()


def test_frames_need_labelled_triples() -> None:
    with pytest.raises(DataError, match="there are none; give labelled lines"):
        SoftItems([], CODEC, LABELS, None, TripleFitting(frames=0.1), trust=0.5)
    SoftItems([], CODEC, LABELS, None, TripleFitting(), trust=0.5)
