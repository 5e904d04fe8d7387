"""What a mention may mean: names, labels, variants, short forms and several things at once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nasty import texts
from quern.errors import FolderError
from quern.kb import KnowledgeBase
from quern.links.abbreviations import abbreviations, expanded
from quern.links.candidates import Candidates, CandidateSettings, Proposal
from quern.links.coordinations import coordinated
from quern.links.entity_counts import EntityCounts, own_labels
from quern.links.exchanges import Exchanges, singular
from quern.priors import home_of
from quern.records import Entity, LabelledMention, LinkExample, together
from quern.text.keys import key_of

# -- short forms ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("A case of slow tidal fever (STF) and more.", {"STF": "slow tidal fever"}),
        ("the grey heron virus (GHV, rarely seen)", {"GHV": "grey heron virus"}),
        ("harbour cough（HC）", {"HC": "harbour cough"}),
        ("salt-water ague (SWA)", {"SWA": "salt-water ague"}),
        ("Hydrolithosis (HLS) is rare", {"HLS": "Hydrolithosis"}),
        ("type 2 mill lung (ML2)", {}),  # the 2 must come last
        ("We went home (STF).", {}),
        ("the year (1998) and (x) and ()", {}),
        ("slow tidal fever (STF) is no smooth toad fur (STF)", {"STF": "slow tidal fever"}),
    ],
)
def test_a_short_form_is_known_by_its_bracket(text: str, found: dict[str, str]) -> None:
    assert abbreviations(text) == found


@given(texts())
def test_a_long_form_stands_in_the_text_and_has_all_letters(text: str) -> None:
    for short, long in abbreviations(text).items():
        assert short in text and " ".join(long.split()) in " ".join(text.split())
        letters = iter(long.lower())
        assert all(letter in letters for letter in short.lower() if letter.isalnum())


def test_short_forms_inside_a_mention_are_written_out() -> None:
    known = {"STF": "slow tidal fever", "C+": r"c\plus"}
    assert expanded("chronic STF", known) == "chronic slow tidal fever"
    assert expanded("STFs and C+ disease", known) == r"STFs and c\plus disease"


# -- several things at once ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("mention", "way"),
    [
        ("reed and salt fever", ["reed fever", "salt fever"]),
        ("reed, salt, and mill fever", ["reed fever", "salt fever", "mill fever"]),
        ("fever of reed or salt", ["fever of reed", "fever of salt"]),
        ("A/B fever", ["A fever", "B fever"]),
        ("岳青和岳白", ["岳青", "岳白"]),
        ("岳青、岳白", ["岳青", "岳白"]),
    ],
)
def test_one_way_of_several_things_is_what_is_meant(mention: str, way: list[str]) -> None:
    assert way in coordinated(mention)


@given(texts())
def test_every_way_names_as_many_things(mention: str) -> None:
    ways = coordinated(mention)
    assert len({len(way) for way in ways}) <= 1
    assert all(len(way) > 1 and all(map(str.strip, way)) for way in ways)
    assert len(set(map(tuple, ways))) == len(ways)


@pytest.mark.parametrize("mention", ["sandy fever", "和平", "reed fever,", ""])
def test_one_thing_is_not_several(mention: str) -> None:
    assert coordinated(mention) == []


# -- counts -------------------------------------------------------------------------------------

_NAMES, _IDS = ("岳青", "云州", "Mill"), ("Q1", "Q2", "Q2|Q1", "Q1|Q2", None)


@st.composite
def labelled(draw: st.DrawFn) -> LinkExample:
    """A text of a few names, each labelled."""
    names = draw(st.lists(st.sampled_from(_NAMES), min_size=1, max_size=3))
    mentions, text = [], ""
    for name in names:
        mentions.append(LabelledMention(name, len(text), draw(st.sampled_from(_IDS))))
        text += f"{name} "
    return LinkExample(text + draw(st.sampled_from("abc")), tuple(mentions))


corpora = st.lists(labelled(), max_size=6, unique_by=lambda example: example.text)


@settings(max_examples=30)
@given(corpora)
def test_a_text_sees_what_the_others_say(examples: list[LinkExample]) -> None:
    """In training: what counts of all others would be, had it not been there."""
    counts = EntityCounts.learn(examples)
    for example in examples:
        others = EntityCounts.learn(other for other in examples if other is not example)
        own, home = own_labels(example), home_of(example.text)
        for key in map(key_of, _NAMES):
            assert counts.of(key, home, own) == others.of(key, home, {})
        for id_ in ("Q1", "Q2", "Q1|Q2", "NIL"):
            assert counts.known(id_, home, own) == others.known(id_, home, {})


@settings(max_examples=30)
@given(corpora)
def test_a_text_that_is_read_again_does_not_see_what_it_alone_says(
    examples: list[LinkExample],
) -> None:
    counts = EntityCounts.learn(examples)
    for example in examples:
        others = Counter[tuple[str, str]]()
        for other in examples:
            others += Counter() if other is example else own_labels(other)
        for (key, id_), count in own_labels(example).items():
            told = counts.of(key, home_of(example.text), {}).get(id_, 0)
            assert told == (others[key, id_] + count if others[key, id_] else 0)
            every = counts.known(id_, 0, {})
            alone = sum(
                n for (k, i), n in own_labels(example).items() if i == id_ and not others[k, i]
            )
            assert counts.known(id_, home_of(example.text), {}) == every - alone


@settings(max_examples=30)
@given(corpora)
def test_counts_are_what_was_written(examples: list[LinkExample]) -> None:
    counts = EntityCounts.learn(examples)
    content = counts.payload()
    assert EntityCounts.read(content).counts == counts.counts
    assert EntityCounts.read(content).payload() == content
    assert EntityCounts.learn(reversed([*examples, *examples])).payload() == content
    with pytest.raises(FolderError, match="counts of entities cannot be read"):
        EntityCounts.read(content[:-1])


def test_the_order_of_ids_that_are_meant_together_says_nothing() -> None:
    here = LinkExample("岳青", (LabelledMention("岳青", 0, "Q2|Q1"),))
    there = LinkExample("岳青。", (LabelledMention("岳青", 0, "Q1|Q2"),))
    assert own_labels(here) == own_labels(there) == {("岳青", "Q1|Q2"): 1}
    assert together(["b", "a", "b"]) == "a|b"


# -- words that stand for each other -------------------------------------------------------------


def test_words_that_many_entities_exchange_are_exchanged() -> None:
    of_places = [
        Entity(f"e{n}", f"{where} fever", (f"{where} ague",))
        for n, where in enumerate(("reed", "salt", "mill"))
    ]
    numbers = [Entity(f"n{n}", f"{where} 1", (f"{where} 2",)) for n, where in enumerate("abcd")]
    learned = Exchanges.learn([*of_places, Entity("x", "grey lung", ("grey chest",)), *numbers])
    assert learned.words == {"ague": ("fever",), "fever": ("ague",)}
    found = learned.varied("sea fever")
    assert found["sea ague"] == found["sea agues"] == 0.9
    assert found["sea fevers"] == 0.95
    assert found["fever"] < 0.5 and "sea fever" not in found
    content = learned.payload()
    assert Exchanges.read(content).words == learned.words
    with pytest.raises(FolderError, match="exchanges of words cannot be read"):
        Exchanges.read(b"[]")


@given(texts())
def test_a_name_varies_into_others(name: str) -> None:
    key = key_of(name)
    found = Exchanges({"mill": ("water mill",)}).varied(key)
    assert key not in found and all(0 < fit < 1 for fit in found.values())


@pytest.mark.parametrize(
    ("word", "one"), [("fevers", "fever"), ("mess", "mess"), ("gas", "gas"), ("s", "s")]
)
def test_the_s_of_a_plural(word: str, one: str) -> None:
    assert singular(word) == one


# -- candidates -----------------------------------------------------------------------------------

FEVER, AGUE = Entity("f", "reed fever", ("marsh fever",)), Entity("g", "salt fever")
PAINTER, FISHER = (
    Entity("p", "岳青", (), "画家。"),
    Entity("q", "岳青", (), "渔夫。", popularity=2.0),
)


@pytest.fixture
def base(tmp_path: Path) -> Iterator[KnowledgeBase]:
    with KnowledgeBase.open(tmp_path / "a.kb", create=True) as kb:
        kb.load([FEVER, AGUE, PAINTER, FISHER, Entity("t", "slow tidal fever")])
        yield kb


def proposed(
    kb: KnowledgeBase,
    text: str,
    mention: str,
    labels: Sequence[LinkExample] = (),
    *,
    own: LinkExample | None = None,
    exchanges: Exchanges | None = None,
    limits: CandidateSettings | None = None,
) -> list[Proposal]:
    """The candidates of a mention in a text."""
    start = text.index(mention)
    candidates = Candidates(kb, EntityCounts.learn(labels), limits, exchanges)
    ((found,),) = candidates.of_texts([text], [[(start, start + len(mention))]], [own])
    return found


def ids(proposals: Sequence[Proposal]) -> list[str]:
    return [proposal.entity.id for proposal in proposals]


def says(text: str, mention: str, id_: str | None) -> LinkExample:
    return LinkExample(text, (LabelledMention(mention, text.index(mention), id_),))


def test_namesakes_by_popularity_then_by_labels(base: KnowledgeBase) -> None:
    assert ids(proposed(base, "岳青来了", "岳青")) == ["q", "p"]
    labels = [says("岳青画画。", "岳青", "p"), says("岳青笑。", "岳青", None)]
    first, second = proposed(base, "岳青来了", "岳青", labels)
    assert (first.entity, first.fit, first.labelled, first.total) == (PAINTER, 1.0, 1, 2)
    assert (second.entity, second.labelled, second.total, second.known) == (FISHER, 0, 2, 0)
    # The only text that says so does not see it, whether its labels are given or not.
    for own in (labels[0], None):
        assert ids(proposed(base, "岳青画画。", "岳青", labels, own=own)) == ["q", "p"]


def test_names_that_only_labels_know(base: KnowledgeBase) -> None:
    labels = [says("阿青画画。", "阿青", "p"), says("阿青笑。", "阿青", "gone")]
    (one,) = proposed(base, "阿青", "阿青", labels, limits=CandidateSettings(similar=1))
    assert (one.entity, one.fit, one.labelled, one.total, one.known) == (PAINTER, 0.0, 1, 2, 1)


def test_varied_names_in_the_base_and_in_labels(base: KnowledgeBase) -> None:
    exchanges = Exchanges({"ague": ("fever",)})
    exact = CandidateSettings(similar=1)
    (one, *_) = proposed(base, "marsh ague", "marsh ague", exchanges=exchanges, limits=exact)
    assert (one.entity, one.fit, one.key) == (FEVER, 0.9, "marsh fever")
    labels = [says("the grey fever", "grey fever", "g")]
    (one,) = proposed(base, "grey ague", "grey ague", labels, exchanges=exchanges, limits=exact)
    assert (one.entity, one.fit, one.labelled, one.known) == (AGUE, 0.9, 0, 1)
    # A word is left out, though the whole name is known.
    labels = [says("old reed fever", "old reed fever", "g")]
    assert ids(proposed(base, "an old reed fever", "old reed fever", labels)) == ["g", "f"]


def test_similar_names_where_nothing_fits_nearly(base: KnowledgeBase) -> None:
    (one, *_) = proposed(base, "rede fever", "rede fever")
    assert one.entity == FEVER and 0.5 <= one.fit < 1
    assert ids(proposed(base, "reed fever", "reed fever")) == ["f"]
    many = CandidateSettings(enough=2)
    assert ids(proposed(base, "reed fever", "reed fever", limits=many))[0] == "f"
    assert "g" in ids(proposed(base, "reed fever", "reed fever", limits=many))
    assert proposed(base, "rede fever", "rede fever", limits=CandidateSettings(similar=1)) == []


def test_a_short_form_has_the_candidates_of_its_long_form(base: KnowledgeBase) -> None:
    text = "Slow tidal fever (STF) is rare; an STF may last."
    assert ids(proposed(base, text, "STF"))[0] == "t"


def test_several_things_are_one_more_candidate(base: KnowledgeBase) -> None:
    (one, *_) = proposed(base, "salt and reed fever", "salt and reed fever")
    assert one.entity.id == "f|g" and one.entity.name == "reed fever|salt fever"
    assert one.entity.aliases == FEVER.aliases
    labels = [says("reed, salt fever", "reed, salt fever", "g|f")]
    told = proposed(base, "their reed, salt fever", "reed, salt fever", labels)
    assert ids(told).count("f|g") == 1 and told[0].labelled == 1
    assert not any(
        "|" in id_ for id_ in ids(proposed(base, "reed and moon fever", "reed and moon"))
    )


def test_the_articles_prior_keeps_what_labels_concentrate_on(base: KnowledgeBase) -> None:
    labels = [says(f"岳青{n}", "岳青", "p" if n else "q") for n in range(5)]
    rare = CandidateSettings(prior_share=0.8, prior_count=6)
    assert ids(proposed(base, "岳青", "岳青", labels, limits=rare)) == ["p", "q"]
    narrow = CandidateSettings(prior_share=0.8, prior_count=5)
    assert ids(proposed(base, "岳青", "岳青", labels, limits=narrow)) == ["p"]
    candidates = Candidates(base, EntityCounts.learn(labels), narrow)
    candidates.of_texts(["岳青", "云"], [[(0, 2)], [(0, 1)]])
    assert candidates.narrowed == 1


def test_alone_is_in_a_batch_and_changes_count_at_once(base: KnowledgeBase) -> None:
    texts_ = ["岳青 had reed and salt fever", "", "slow tidal fevers (STF)", "STF"]
    places = [[(0, 2), (7, 26)], [], [(0, 17), (19, 22)], [(0, 3)]]
    candidates = Candidates(base, EntityCounts({}))
    together_ = candidates.of_texts(texts_, places)
    alone = [candidates.of_texts([t], [p])[0] for t, p in zip(texts_, places, strict=True)]
    assert together_ == alone and [len(of_text) for of_text in together_] == [2, 0, 2, 1]
    base.edit("p", lambda entity: Entity("p", "岳白"))
    assert ids(candidates.of_texts(["岳青"], [[(0, 2)]])[0][0]) == ["q"]
    most = CandidateSettings(candidates=1)
    assert len(proposed(base, "reed fevr", "reed fevr", limits=most)) == 1


@pytest.mark.parametrize("wrong", [{"candidates": 0}, {"similar": 0}, {"prior_share": 1.5}])
def test_settings_have_limits(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="must be"):
        CandidateSettings(**wrong)
