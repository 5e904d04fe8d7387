"""What speaks for a candidate: laws of the figures, and of the weights of words."""

from __future__ import annotations

import math
from itertools import chain

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nasty import texts
from quern.errors import FolderError
from quern.links.candidates import Proposal
from quern.links.frequencies import Frequencies, common, cosines
from quern.links.kept import Kept
from quern.links.pair_features import NAMES, SCALARS, PairFeatures
from quern.links.rows import bounds_of, joined, look_up, spread
from quern.records import Entity

PAINTER = Entity("p", "岳青", ("青姐",), "画山水的画家，住在云州。", ("画家",), popularity=1.0)
FISHER = Entity("q", "岳青", (), "在湖上打鱼的渔夫。", ("渔夫",), (("妻子", "白露"),), 3.0)
BOTH = Entity("p|q", "岳青|岳青", (), "two", ())
OTHERS = [Entity(str(n), f"人{n}", (), f"第{n}个人，住在湖上。") for n in range(20)]
TEXT = "画家岳青画云州的山水，白露在看。"
FREQUENCIES = Frequencies.learn(e.description for e in (PAINTER, FISHER, *OTHERS))


def offered(*entities: Entity, fit: float = 1.0, labelled: int = 0) -> list[Proposal]:
    return [Proposal(entity, "岳青", fit, labelled, 2 * labelled, labelled) for entity in entities]


def figures(proposals: list[Proposal], text: str = TEXT) -> list[dict[str, float]]:
    """The figures of the candidates of 岳青, by name; 白露 is a mention, too."""
    at = [text.index("岳青"), text.index("白露")]
    places = [(start, start + 2) for start in at]
    ((rows, none),) = PairFeatures(FREQUENCIES).of_texts([text], [places], [[proposals, []]])
    assert rows.shape == (len(proposals), SCALARS) and none.shape == (0, SCALARS)
    return [dict(zip(NAMES, row.tolist(), strict=True)) for row in rows]


def test_words_of_the_text_speak_for_the_entity_that_has_them() -> None:
    painter, fisher = figures(offered(PAINTER, FISHER))
    for figure in ("text", "near", "types", "telling share", "pairs"):
        assert painter[figure] > fisher[figure], figure
    assert (painter["company"], fisher["company"]) == (0, 1)  # 白露 is his wife
    assert painter["words"] == fisher["words"] == painter["spelling"] == 1
    assert painter["main name"] == fisher["main name"] == painter["same name"] == 1


def test_counts_and_ranks() -> None:
    first, second = figures(offered(PAINTER, FISHER, labelled=3))
    assert first["labelled"] == first["known"] == pytest.approx(math.log(4))
    assert (first["share"], first["was labelled"], first["was known"]) == (0.5, 1, 1)
    assert (first["rank"], second["rank"], first["few"]) == (1, 0.5, 0.5)
    assert (first["popular"], second["popular"]) == (0.5, 1)
    (unlike, both) = figures(offered(OTHERS[0], BOTH, fit=0.7))
    assert unlike["same name"] == unlike["main name"] == unlike["words"] == unlike["share"] == 0
    assert unlike["fit"] == pytest.approx(0.7)
    assert (unlike["together"], both["together"]) == (0, 1)


@settings(max_examples=30)
@given(st.lists(texts(20), min_size=1, max_size=4), st.data())
def test_alone_is_in_a_batch_and_figures_are_bounded(
    written: list[str], data: st.DataObject
) -> None:
    places = []
    for text in written:
        start = data.draw(st.integers(0, len(text)))
        places.append([(start, data.draw(st.integers(start, len(text))))])
    proposals = [[offered(PAINTER, FISHER, BOTH)] for _ in written]
    features = PairFeatures(FREQUENCIES)
    rows = features.of_texts(written, places, proposals)
    for n, text in enumerate(written):
        (alone,) = PairFeatures(FREQUENCIES).of_texts([text], [places[n]], [proposals[n]])
        assert np.array_equal(rows[n][0], alone[0])
        # Of the order of the candidates only the rank tells.
        (turned,) = features.of_texts([text], [places[n]], [[proposals[n][0][::-1]]])
        kept = [i for i, name in enumerate(NAMES) if name != "rank"]
        assert np.array_equal(turned[0][::-1][:, kept], alone[0][:, kept])
        assert np.isfinite(alone[0]).all() and (alone[0] >= 0).all()


@given(st.lists(texts(), min_size=2, max_size=5))
def test_cosines(written: list[str]) -> None:
    weighted = FREQUENCIES.weighted(written)
    vectors = weighted.vectors
    each = list(vectors.each())
    first, second = (each_.ravel() for each_ in np.indices([len(written)] * 2))
    shared = common(weighted, first, vectors, second)
    found = cosines(weighted, first, vectors, second, shared).reshape(len(written), -1)
    assert found.diagonal() == pytest.approx(np.sign(weighted.norms))
    assert found == pytest.approx(found.T)
    assert ((found >= 0) & (found <= 1 + 1e-9)).all()
    for text, one in zip(written, each, strict=True):
        (alone,) = FREQUENCIES.weighted([text]).vectors.each()
        assert all(map(np.array_equal, one, alone))
        assert (np.diff(one.terms.astype(object)) > 0).all()
    terms = [set(one.terms.tolist()) for one in each]
    for pair, (a, b) in enumerate(zip(first, second, strict=True)):
        both = weighted.terms[shared.first[shared.pair == pair]]
        assert both.tolist() == sorted(terms[a] & terms[b])
    assert all(map(np.array_equal, joined(each), vectors))
    left = weighted.kept(weighted.single)
    assert left.single.all() and left.sizes.tolist() == [
        FREQUENCIES.weighted([text]).single.sum() for text in written
    ]


_SORTED = st.lists(st.integers(0, 9), max_size=12).map(sorted)


@given(st.lists(_SORTED, min_size=1, max_size=5), st.data())
def test_many_lists_are_looked_through_at_once(lists: list[list[int]], data: st.DataObject) -> None:
    place = st.tuples(st.integers(0, 10), st.integers(0, len(lists) - 1))
    asked, of = np.array(data.draw(st.lists(place, max_size=20)) or [(0, 0)]).T
    table, bounds = np.array(list(chain(*lists)), dtype=np.int64), bounds_of(list(map(len, lists)))
    at, there = look_up(asked, of, table, bounds)
    assert there.tolist() == [one in lists[n] for one, n in zip(asked, of, strict=True)]
    for one, n, a in zip(asked[there], of[there], at[there], strict=True):
        assert a - bounds[n] == lists[n].index(one)
    owner, index = spread(bounds, of)
    parts = [table[index[owner == n]].tolist() for n in range(len(of))]
    assert parts == [lists[n] for n in of]


def test_what_is_kept_of_entities_is_bounded_and_heeds_an_edit() -> None:
    kept: Kept[str] = Kept(most=5)
    for entity in OTHERS:
        kept.keep({entity.id: entity}, {entity.id: entity.name})
    assert len(kept) == 5
    last = {entity.id: entity for entity in OTHERS[-5:]}
    assert kept.of(last) == {id_: entity.name for id_, entity in last.items()}
    edited = msgspec.structs.replace(OTHERS[-1], types=("渔夫",))
    assert kept.of({edited.id: edited}) == {}
    kept.of({OTHERS[-5].id: OTHERS[-5]})
    kept.keep({edited.id: edited, "p": PAINTER}, {edited.id: "", "p": "青姐"})
    # The one that was asked for last stays, the next one goes.
    everyone = {entity.id: entity for entity in (*OTHERS[:-1], edited, PAINTER)}
    assert list(kept.of(everyone)) == ["15", "17", "18", "19", "p"]


def test_figures_heed_an_edit_at_once() -> None:
    features = PairFeatures(FREQUENCIES)
    edited = msgspec.structs.replace(FISHER, description=PAINTER.description)
    asked = [TEXT], [[(2, 4)]]
    before, after = (features.of_texts(*asked, [[offered(each)]]) for each in (FISHER, edited))
    fresh = PairFeatures(FREQUENCIES).of_texts(*asked, [[offered(edited)]])
    assert np.array_equal(after, fresh) and not np.array_equal(before, fresh)


def test_what_few_descriptions_hold_tells_most() -> None:
    rare, often = FREQUENCIES.weighted(["鱼", "住"]).weights
    assert rare > often > 0
    assert FREQUENCIES.weighted(["ＤＲＡＧＯＮ"]).terms == FREQUENCIES.weighted(["dragon"]).terms


def test_weights_are_what_was_written() -> None:
    content = FREQUENCIES.payload()
    read = Frequencies.read(content)
    assert read.payload() == content
    assert read.weighted([TEXT]).weights.tolist() == FREQUENCIES.weighted([TEXT]).weights.tolist()
    with pytest.raises(FolderError, match="frequencies: 3 bytes"):
        Frequencies.read(b"abc")
