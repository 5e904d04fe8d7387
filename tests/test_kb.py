"""Knowledge bases: laws of looking up, changing, and finding names in texts."""

from __future__ import annotations

import tracemalloc
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

import quern
from nasty import texts
from quern.errors import DataError, StoreError
from quern.kb import KnowledgeBase, index, postings, similar
from quern.kb.edits import edits, edits_between
from quern.kb.hashset import HashSet
from quern.kb.memo import Memo
from quern.records import Candidate, Entity
from quern.text.keys import key_of, keyed

MILL = Entity(
    "m", "石橋磨坊", ("Stone Mill", "石坊"), "磨面的地方。", ("place",), (("in", "云州"),)
)
TOWN = Entity("t", "云州", ("Yunzhou",), popularity=2.5)
OTHER_TOWN = Entity("u", "雲州", (), "Another one.", popularity=0.5)


@pytest.fixture
def kb(tmp_path: Path) -> Iterator[KnowledgeBase]:
    with KnowledgeBase.open(tmp_path / "a.kb", create=True) as base:
        for entity in (MILL, TOWN, OTHER_TOWN):
            base.add(entity)
        yield base


def memory() -> KnowledgeBase:
    """A base that leaves nothing behind: SQLite's own name for one in memory."""
    return KnowledgeBase.open(":memory:", create=True)


# -- reading ----------------------------------------------------------------------------------


def test_the_public_name() -> None:
    assert quern.KnowledgeBase is KnowledgeBase


def test_what_was_added_is_there(kb: KnowledgeBase) -> None:
    assert len(kb) == 3
    assert kb.get("m") == MILL
    assert kb.get("x") is None
    assert list(kb) == [MILL, TOWN, OTHER_TOWN]


def test_a_name_matches_in_any_form_and_the_popular_come_first(kb: KnowledgeBase) -> None:
    found = kb.candidates("雲州", least=1)
    assert found == [
        Candidate("t", "云州", "云州", 1.0, 2.5),
        Candidate("u", "雲州", "云州", 1.0, 0.5),
    ]
    assert kb.candidates("ＳＴＯＮＥ-mill", least=1)[0].id == "m"
    assert kb.candidates("stone", least=1) == []
    assert kb.candidates("云州", 1, least=1) == found[:1]


SIMILAR = ["stone mills", "mill, stone", "ston mill", "石桥磨房", "SM", "yunzhuo", "Stonemill"]


@pytest.mark.parametrize("name", SIMILAR)
def test_a_name_is_found_though_it_is_not_quite_that(kb: KnowledgeBase, name: str) -> None:
    for _ in "as it came", "as it was saved":
        (best, *_) = kb.candidates(name)
        assert best.id == ("t" if name == "yunzhuo" else "m")
        assert 0.5 <= best.score < 1
        kb.rebuild()


def test_what_is_much_longer_is_not_compared_letter_by_letter(
    kb: KnowledgeBase, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def noted(
        ones: Sequence[str], of: NDArray[np.int64], others: Sequence[str]
    ) -> NDArray[np.int64]:
        asked.extend((ones[n], other) for n, other in zip(of, others, strict=True))
        return edits_between(ones, of, others)

    monkeypatch.setattr(similar, "edits_between", noted)
    assert kb.candidates("stone mill " * 1_000)[0].id == "m"
    assert asked == []
    assert kb.candidates("云", least=0.5)[0].score == 0.5
    assert kb.candidates("stone mills")[0].id == "m"
    assert set(asked) == {("云", "云州"), ("stone mills", "stone mill")}


def test_similar_names_do_not_depend_on_what_is_asked_with_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    entities = [Entity(str(n), f"石桥{n:03}号磨坊", (f"stone mill no {n}",)) for n in range(300)]
    asked = [
        "石桥7磨坊",
        "stone mills no 12",
        "SMN",
        "石",
        "磨坊",
        "?",
        *(e.name for e in entities),
    ]
    with memory() as base:
        base.load(entities[:250])
        base.rebuild()
        base.load(entities[250:])
        together = base.candidates_many(asked)
    assert sum(map(len, together)) > 1_000
    for module, limit, small in (
        (similar, "_AT_ONCE", 7),
        (similar, "_KEPT", 1),
        (postings, "_TOGETHER", 600),
        (postings, "_ALONE", 400),
        (postings, "_PARTS", 1),
    ):
        monkeypatch.setattr(module, limit, small)
    with memory() as base:
        base.load(entities[:250])
        base.rebuild()
        base.load(entities[250:])
        assert base.candidates_many(asked) == together
        base.rebuild()
        assert base.candidates_many(asked[::-1]) == together[::-1]


def test_answers_are_kept_until_someone_writes(kb: KnowledgeBase) -> None:
    memo = kb._proposed
    once = kb.candidates_many(["stone mills", "云", "云"])
    assert len(memo) == 2 and once[1] == once[2] != once[0]
    once[0].clear()  # the caller's own
    assert kb.candidates("stone mills")[0].id == "m" and len(memo) == 2
    assert kb.candidates("stone mills", least=1) == [] and len(memo) == 3
    kb.keep_encodings("model", [("m", "hash", b"content")])
    kb.candidates("石")
    assert len(memo) == 4  # what models keep beside the entities changes no answer
    with KnowledgeBase.open(kb.path) as other:
        other.edit("m", lambda mill: msgspec.structs.replace(mill, aliases=("stone mills",)))
    assert kb.candidates("stone mills")[0].score == 1 and len(memo) == 1
    kb.remove("m")
    assert kb.candidates("stone mills") == [] and len(memo) == 1


def test_answers_that_are_kept_are_bounded_and_of_one_version() -> None:
    memo: Memo[int, str] = Memo(most=3)
    assert memo.of(1, range(5)) == {}
    memo.keep(1, {n: str(n) for n in range(5)})
    assert len(memo) == 3 and memo.of(1, [2, 0]) == {2: "2"}
    memo.keep(1, {5: "5"})
    assert memo.of(1, range(9)) == {2: "2", 4: "4", 5: "5"}  # what was asked for last stays
    assert memo.of(2, range(9)) == {}
    memo.keep(1, {0: "of before"})  # another thread's, which began before the change
    assert memo.of(2, range(9)) == {} and memo.of(1, range(9)) == {}


def test_names_in_texts_with_places_in_the_callers_string(kb: KnowledgeBase) -> None:
    text = "从《雲州》到石桥磨坊（STONE  mill）。"
    found = kb.names.find(text)
    assert [(m.start, m.end, m.text, m.key) for m in found] == [
        (2, 4, "雲州", "云州"),
        (6, 10, "石桥磨坊", "石桥磨坊"),
        (11, 22, "STONE  mill", "stone mill"),
    ]
    assert kb.named([m.key for m in found])["石桥磨坊"][0].id == "m"


def test_names_stand_on_borders_of_words(kb: KnowledgeBase) -> None:
    assert kb.names.find("Stone Millers, Sandstone Mill, stonemill") == []


def test_the_longest_name_or_every_name(kb: KnowledgeBase) -> None:
    kb.add(Entity("a", "石桥"))
    kb.add(Entity("b", "磨坊"))
    kb.add(Entity("c", "坊主"))
    text = "石桥磨坊主"
    assert [m.text for m in kb.names.find(text)] == ["石桥磨坊"]
    every = [m.text for m in kb.names.find(text, every=True)]
    assert every == ["石桥", "石桥磨坊", "磨坊", "坊主"]


def test_a_name_of_nothing_but_marks_is_found_by_itself(kb: KnowledgeBase) -> None:
    kb.add(Entity("q", "？！"))
    assert kb.candidates("?!", least=1)[0].id == "q"
    assert kb.candidates("?", least=1) == []
    assert kb.names.find("?!") == []


@pytest.mark.parametrize("odd", ["\ud800", "\x00", "?\x00", "\x00\udc80 ", "", " "])
def test_what_no_file_holds_may_be_asked_for(kb: KnowledgeBase, odd: str) -> None:
    kb.add(Entity("q", "?"))
    assert [c.id for c in kb.candidates(odd)] == (["q"] if "?" in odd else [])
    assert kb.get(odd) is None
    assert kb.names.find(odd) == []
    with pytest.raises(DataError, match="there is no entity"):
        kb.remove(odd)


def test_stats(kb: KnowledgeBase) -> None:
    stats = msgspec.structs.asdict(kb.stats())
    assert stats.pop("bytes") > 0
    assert stats == {
        "entities": 3,
        "names": 6,
        "keys": 5,
        "shared": 1,
        "described": 2,
        "facts": 1,
        "pending": 6,
    }


# -- names in texts, against brute force --------------------------------------------------------

_ALPHABET = st.sampled_from(["石", "桥", "橋", "a", "b", " ", "-", "，", "1", "½", "㈱", "株", "."])
_NAMES = st.lists(st.text(_ALPHABET, min_size=1, max_size=12).filter(str.strip), max_size=8)
_SHORT = st.text(_ALPHABET, max_size=30)


def brute(text: str, names: Sequence[str]) -> list[tuple[int, int]]:
    """Every slice between borders of pieces that has the key of a name."""
    keys = {key_of(name) for name in names if len(keyed([name]).firsts)}
    written = keyed([text])
    starts = [start for start in written.starts.tolist() if start >= 0]
    ends = [end for end in written.ends.tolist() if end >= 0]
    places = [(a, b) for a in starts for b in ends if a < b]
    return sorted((a, b) for a, b in places if key_of(text[a:b]) in keys)


def longest(places: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """Cover a text from its beginning, always by the longest."""
    chosen: list[tuple[int, int]] = []
    for a in sorted({a for a, _ in places}):
        if not chosen or a >= chosen[-1][1]:
            chosen.append((a, max(b for first, b in places if first == a)))
    return chosen


@settings(max_examples=60)
@given(_NAMES, st.lists(_SHORT, max_size=4), st.booleans())
def test_find_is_brute_force(names: list[str], several: list[str], saved: bool) -> None:
    with memory() as base:
        base.load(Entity(str(n), name) for n, name in enumerate(names))
        if saved:
            base.rebuild()
        joined = [*several, "".join(names)]
        for text, every, chosen in zip(
            joined,
            base.names.find_many(joined, every=True),
            base.names.find_many(joined),
            strict=True,
        ):
            places = brute(text, names)
            assert [(m.start, m.end) for m in every] == places
            assert [(m.start, m.end) for m in chosen] == longest(places)


@given(st.lists(texts(3).filter(lambda t: key_of(t) and t.strip()), max_size=4), texts())
def test_a_match_says_what_it_points_at(names: list[str], text: str) -> None:
    names = [name for name in names if not any(0xD800 <= ord(c) < 0xE000 for c in name)]
    with memory() as base:
        base.load(Entity(str(n), name) for n, name in enumerate(names))
        whole = "".join([text, *names])
        for match in base.names.find(whole, every=True):
            assert match.text == whole[match.start : match.end]
            assert match.key == key_of(match.text)
            assert base.named([match.key])[match.key]
        for name in names:
            alone = {match.key for match in base.names.find(name)}
            assert alone in ({key_of(name)}, set())
            assert bool(alone) == bool(len(keyed([name]).firsts))


def test_long_names_are_found_too(kb: KnowledgeBase) -> None:
    words = [f"{a}{b}" for a in "abcd" for b in "xyz"]
    for count in range(7, 13):
        kb.add(Entity(f"w{count}", " ".join(words[:count])))
    for _ in range(2):
        every = kb.names.find(" ".join(words), every=True)
        assert [len(match.text.split()) for match in every] == [7, 8, 9, 10, 11, 12]
        kb.rebuild()


def test_long_names_take_little_memory(kb: KnowledgeBase) -> None:
    kb.add(Entity("h", "哈" * 400))
    kb.names.find("")
    tracemalloc.start()
    found = kb.names.find("哈" * 6_000)
    taken = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert [match.end for match in found] == list(range(400, 6_001, 400))
    assert taken < 40e6


# -- changing -----------------------------------------------------------------------------------

_WORDS = st.sampled_from(["磨坊", "石桥", "石橋", "stone", "mill", "Mills", "云州", "磨房", "HB"])
_NAME = st.lists(_WORDS, min_size=1, max_size=3).map(" ".join)
_ENTITY = st.builds(
    Entity,
    st.sampled_from("abcdef"),
    _NAME,
    st.lists(_NAME, max_size=2).map(tuple),
    st.text(st.characters(codec="utf-8"), max_size=5),
    st.lists(_NAME, max_size=1).map(tuple),
    st.lists(st.tuples(_NAME, _NAME), max_size=1).map(tuple),
    st.none() | st.floats(0, 9),
)
_QUESTIONS = ["石桥磨坊", "stone mill", "mills", "云州", "hb", "halden bureau", "石坊"]


def answers(base: KnowledgeBase) -> bytes:
    """What a base says to some questions, to the byte."""
    text = "石橋 stone mills 云州磨坊 HB mill"
    return msgspec.json.encode(
        [
            sorted(base, key=lambda entity: entity.id),
            [base.candidates(question) for question in _QUESTIONS],
            [base.names.find(text, every=every) for every in (False, True)],
        ]
    )


@settings(max_examples=40)
@given(st.lists(_ENTITY, max_size=8), st.integers(0, 8), st.data())
def test_changed_while_in_use_is_made_anew(
    entities: list[Entity], saved_at: int, data: st.DataObject
) -> None:
    kept: dict[str, Entity] = {}
    with memory() as base:
        for step, entity in enumerate(entities):
            if step == saved_at:
                base.rebuild()
            if entity.id not in kept:
                base.add(entity)
            elif data.draw(st.booleans()):
                base.replace(entity)
            else:
                base.remove(entity.id)
                del kept[entity.id]
                continue
            kept[entity.id] = entity
            assert base.candidates(entity.name, least=1)
        with memory() as fresh:
            fresh.load(kept.values())
            assert answers(base) == answers(fresh)
        before = answers(base)
        one_by_one = [base.candidates(question) for question in _QUESTIONS]
        assert base.candidates_many(_QUESTIONS) == one_by_one
        with base._store.transaction():
            index.renew(base._store)
        assert answers(base) == before
        base.rebuild()
        assert answers(base) == before


@settings(max_examples=40)
@given(st.lists(_ENTITY, max_size=4, unique_by=lambda e: e.id), _ENTITY, st.booleans())
def test_to_add_and_then_remove_changes_nothing(
    entities: list[Entity], one: Entity, saved: bool
) -> None:
    with memory() as base:
        base.load(entity for entity in entities if entity.id != one.id)
        if saved:
            base.rebuild()
        before = answers(base)
        base.add(one)
        base.remove(one.id)
        assert answers(base) == before


def test_a_base_may_be_filled_from_itself() -> None:
    with memory() as base:
        base.load(Entity(str(n), f"名{n}") for n in range(10_001))
        base.load(Entity(f"x{entity.id}", entity.name) for entity in base)
        assert len(base) == 20_002
        for entity in base:
            base.remove(entity.id)
        assert len(base) == 0


def test_within_a_change_there_is_no_other(kb: KnowledgeBase) -> None:
    new = [Entity("n", "石桥磨房")]
    with pytest.raises(StoreError, match=r"read from it, and make other changes, before or after$"):
        kb.load(entity for entity in new if not kb.candidates(entity.name))
    with pytest.raises(StoreError, match=r"before or after$"):
        kb.edit("m", lambda entity: kb.remove("t") or entity)
    assert kb.get("t") == TOWN
    assert kb.load(e for e in new if not kb.candidates(e.name, least=1)).added == 1


def test_another_process_is_heard_at_the_next_question(kb: KnowledgeBase) -> None:
    with KnowledgeBase.open(kb.path) as other:
        assert other.candidates("石桥磨坊")[0].id == "m"
        kb.remove("m")
        kb.add(Entity("n", "新磨坊"))
        assert other.names.find("新磨坊旁的石桥磨坊")[0].text == "新磨坊"
        assert len(other.names.find("新磨坊旁的石桥磨坊")) == 1
        assert [c.id for c in other.candidates("石桥磨坊")] == ["n"]
        kb.rebuild()
        kb.remove("n")
        assert other.names.find("新磨坊") == []
        assert other.candidates("新磨坊") == []


def test_what_came_since_is_saved_on_opening_past_a_size(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.kb"
    with KnowledgeBase.open(path, create=True) as base:
        for n in range(5):
            base.add(Entity(str(n), f"名{n}"))
        assert base.stats().pending == 5
    with KnowledgeBase.open(path) as base:
        assert base.stats().pending == 5
        base.remove("3")
    monkeypatch.setattr(index, "MANY", 6)
    with KnowledgeBase.open(path) as base:
        assert base.stats().pending == 0
        assert [bool(base.names.find(f"名{n}")) for n in range(5)] == [1, 1, 1, 0, 1]


BAD = [
    (Entity("", "x"), "the id '' is blank, has blanks at an end or a control code"),
    (Entity(" a", "x"), "the id ' a' is blank, has blanks at an end or a control code"),
    (
        Entity("a|b", "x"),
        "the id 'a|b' holds a '|', which joins several ids into one; "
        "put another character in its place",
    ),
    (Entity("NIL", "x"), "the id 'NIL' stands for what is in no knowledge base; choose another"),
    (Entity("a", " "), "entity 'a' has a blank name; leave it out"),
    (Entity("a", "x", ("\x00 \x1f",)), "entity 'a' has a blank name; leave it out"),
    (Entity("a", "x", popularity=-1.0), "entity 'a' has popularity -1.0; 0 is the least"),
    (Entity("a", "\ud800"), "entity 'a' holds half a character, which no file can hold"),
    (Entity("a", "x", aliases="bc"), "entity 'a' cannot be kept: Expected `array`, got `str` - at "
     "`$.aliases`; give strings, tuples of them, and a number for the popularity"),
    (Entity("a", "x", facts=(("b",),)), "entity 'a' cannot be kept: Expected `array` of length 2 - "
     "at `$.facts[0]`; give strings, tuples of them, and a number for the popularity"),
    (Entity(5, "x"), "entity 5 cannot be kept: Expected `str`, got `int` - at `$.id`; give "
     "strings, tuples of them, and a number for the popularity"),
    (Entity("a\u2028b", "x"),
     "the id 'a\\u2028b' is blank, has blanks at an end or a control code"),
    (Entity("m", "x"), "entity 'm' is there already; replace it, or remove it"),
]  # fmt: skip


@pytest.mark.parametrize(("entity", "why"), BAD, ids=lambda value: str(value)[:20])
def test_what_cannot_be_added(kb: KnowledgeBase, entity: Entity, why: str) -> None:
    with pytest.raises(DataError) as caught:
        kb.add(entity)
    assert str(caught.value) == why
    assert len(kb) == 3


@pytest.mark.parametrize("id_", ["a b", "a\xa0b", "a\u200cb", "𱍐", 'a"b', "x" * 5_000])
def test_ids_of_any_script(kb: KnowledgeBase, id_: str) -> None:
    kb.add(Entity(id_, "x"))
    assert [candidate.id for candidate in kb.candidates("x")] == [id_]


def test_what_is_not_there_cannot_be_changed(kb: KnowledgeBase) -> None:
    with pytest.raises(DataError, match=r"^there is no entity 'x'; add it$"):
        kb.replace(Entity("x", "y"))
    with pytest.raises(DataError, match=r"^there is no entity 'x'; nothing was removed$"):
        kb.remove_all(["m", "x"])
    assert len(kb) == 3


def test_an_id_that_is_taken_is_refused_among_many(kb: KnowledgeBase) -> None:
    with pytest.raises(DataError, match=r"^the id 'm' is there already; existing='replace' or"):
        kb.load([Entity("n", "x"), Entity("m", "y")])
    assert len(kb) == 3


def test_an_edit_sees_what_others_wrote(kb: KnowledgeBase) -> None:
    def longer(entity: Entity) -> Entity:
        return msgspec.structs.replace(entity, aliases=(*entity.aliases, "水磨"))

    with KnowledgeBase.open(kb.path) as other:
        other.replace(msgspec.structs.replace(MILL, aliases=("旱磨",)))
        kb.edit("m", longer)
        assert other.get("m") == msgspec.structs.replace(MILL, aliases=("旱磨", "水磨"))
    with pytest.raises(DataError, match=r"^entity 'm' keeps its id; remove it, and add 'n'$"):
        kb.edit("m", lambda entity: msgspec.structs.replace(entity, id="n"))
    assert kb.remove_all(["m", "t", "m"]) == 2


# -- parts --------------------------------------------------------------------------------------


@given(st.sets(st.integers(0, 40)), st.dictionaries(st.integers(0, 40), st.booleans()))
def test_a_set_of_hashes_is_a_set(first: set[int], changed: dict[int, bool]) -> None:
    spread = 2**64 // 41
    known = HashSet(np.array(sorted(n * spread for n in first), dtype=np.uint64))
    known.change({n * spread: there for n, there in changed.items()})
    expected = (first | {n for n in changed if changed[n]}) - {n for n in changed if not changed[n]}
    asked = np.arange(41, dtype=np.uint64) * np.uint64(spread)
    assert set(np.flatnonzero(known.holds(asked)).tolist()) == expected
    assert known.merged().tolist() == sorted(n * spread for n in expected)


@given(st.text("abc", max_size=8), st.text("abc", max_size=8))
def test_edits_are_levenshteins(one: str, other: str) -> None:
    row = list(range(len(other) + 1))
    for i, a in enumerate(one, 1):
        before, row[0] = row[0], i
        for j, b in enumerate(other, 1):
            before, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, before + (a != b))
    assert edits(one, other) == row[-1]


_WORDS = st.text("abc石桥🜁", max_size=12)


_LONG = st.integers(0, 70).map("ab石".__mul__)


@given(st.lists(_WORDS | _LONG, min_size=1, max_size=4), st.lists(_WORDS, min_size=10, max_size=12))
def test_edits_of_many_pairs_are_those_of_each(ones: list[str], others: list[str]) -> None:
    others = [*others, *ones, *(one[1:] for one in ones), *(f"{one}石" for one in ones)]
    pairs = [(n, other) for n in range(len(ones)) for other in others]
    of, theirs = np.array([n for n, _ in pairs]), [other for _, other in pairs]
    expected = [edits(ones[n], other) for n, other in pairs]
    assert edits_between(ones, of, theirs).tolist() == expected


@given(st.lists(st.integers(0, 60) | st.integers(10_000, 10_060)))
def test_counting_and_sorting_agree(names: list[int]) -> None:
    """Many low numbers are counted, few high ones sorted."""
    found, counts = postings.counted(np.array(names, dtype=np.int64))
    assert dict(zip(found.tolist(), counts.tolist(), strict=True)) == Counter(names)
    assert found.tolist() == sorted(set(names))
