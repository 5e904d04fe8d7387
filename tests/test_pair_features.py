"""What speaks for a candidate: laws of the figures, and of the weights of words."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nasty import texts
from quern.errors import FolderError
from quern.links.candidates import Proposal
from quern.links.frequencies import Frequencies, cosine, without
from quern.links.pair_features import NAMES, SCALARS, PairFeatures
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


@given(texts(), texts())
def test_cosines(one: str, other: str) -> None:
    first, second = FREQUENCIES.weighted([one, other])
    assert cosine(first, first) == pytest.approx(1 if first.norm else 0)
    assert cosine(first, second) == pytest.approx(cosine(second, first))
    assert 0 <= cosine(first, second) <= 1 + 1e-9
    assert (np.diff(first.terms.astype(object)) > 0).all()
    left = without(first, second.terms)
    assert cosine(left, second) == 0 and set(left.terms) <= set(first.terms)
    assert len(without(first, first.terms).terms) == 0


def test_what_few_descriptions_hold_tells_most() -> None:
    rare, common = FREQUENCIES.weighted(["鱼", "住"])
    assert rare.weights[0] > common.weights[0] > 0
    assert (
        FREQUENCIES.weighted(["ＤＲＡＧＯＮ"])[0].terms == FREQUENCIES.weighted(["dragon"])[0].terms
    )


def test_weights_are_what_was_written() -> None:
    content = FREQUENCIES.payload()
    read = Frequencies.read(content)
    assert read.payload() == content
    assert read.weighted([TEXT])[0].weights.tolist() == (
        FREQUENCIES.weighted([TEXT])[0].weights.tolist()
    )
    with pytest.raises(FolderError, match="frequencies: 3 bytes"):
        Frequencies.read(b"abc")
