"""What is chosen for given and for found mentions, held against labels: figures and pages."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quern.evaluation.link_figures import (
    ChoiceEvaluation,
    LinkEvaluation,
    summarise_choices,
    summarise_links,
)
from quern.evaluation.link_report import report_choices, report_links, report_mentions
from quern.evaluation.linking import (
    JudgedLinks,
    judge_choices,
    judge_found,
    labelled_ids,
)
from quern.evaluation.mentions import judge_places, summarise_mentions
from quern.records import Choice, Entity, LabelledMention, Link, LinkExample, Mention
from test_report import HOSTILE, Page

BASE = {
    id_: Entity(id_, name, description=f"{name} is {kind}.")
    for id_, name, kind in (
        ("f-1", "Mill", "a film"),
        ("p-1", "Mill", "a painter"),
        ("r-1", "Ely", "a river"),
        ("t-1", "Ely", "a town"),
    )
}


class Fitting(msgspec.Struct):
    """A candidate, as far as an evaluation looks at it."""

    entity: Entity


class Fake:
    """Chooses by a table: words → the answer and its candidates, the best-fitting first."""

    def __init__(self, table: dict[str, tuple[str | None, list[str]]]) -> None:
        self.table = table
        self.found: dict[str, list[tuple[int, int]]] = {}

    def choose(self, texts: list[str], mentions: list[list[Mention]]) -> list[list[Link]]:
        """One link for each mention."""
        return [[self._link(mention) for mention in of_text] for of_text in mentions]

    def propose(
        self, texts: list[str], places: list[list[tuple[int, int]]]
    ) -> list[list[list[Fitting]]]:
        """The candidates of each place."""
        return [
            [[Fitting(Entity(id_, id_)) for id_ in self._row(text[a:b])[1]] for a, b in of_text]
            for text, of_text in zip(texts, places, strict=True)
        ]

    def find(self, texts: list[str]) -> list[list[Link]]:
        """Links of the places that it was told to find."""
        return [
            [self._link(Mention(a, b, text[a:b], 0.8)) for a, b in self.found.get(text, [])]
            for text in texts
        ]

    def _row(self, words: str) -> tuple[str | None, list[str]]:
        return self.table.get(words, (None, []))

    def _link(self, mention: Mention) -> Link:
        chosen, ids = self._row(mention.text)
        score = 0.9 if chosen else 0.7
        choices = tuple(Choice(i, i, 0.9 if i == chosen else 0.05) for i in ids)
        return Link(mention.start, mention.end, mention.text, mention.score, chosen, score, choices)


def example(text: str, *labels: tuple[str, str | None], line: int = 0) -> LinkExample:
    """A text, and the labels of the first place of some words."""
    mentions = tuple(LabelledMention(words, text.index(words), id_) for words, id_ in labels)
    return LinkExample(text, mentions, line=line)


EXAMPLES = [
    example("Ann saw Mill near Ely.", ("Ann", None), ("Mill", "f-1"), ("Ely", "t-1"), line=1),
    example("Bob, Sue and Joe.", ("Bob", "p-1"), ("Sue", "x-9"), ("Joe", "r-1"), line=2),
    example("Kim and Pat.", ("Kim", "t-1|r-1"), ("Pat", None), line=3),
]
FAKE = Fake(
    {
        "Ann": (None, ["p-1"]),  # right: NIL
        "Mill": ("f-1", ["p-1", "f-1"]),  # right, though another fits better
        "Ely": ("r-1", ["r-1", "t-1"]),  # other
        "Bob": ("f-1", ["f-1"]),  # unproposed
        "Sue": ("f-1", ["f-1"]),  # lacking
        "Joe": (None, ["r-1", "t-1"]),  # nil
        "Kim": ("r-1|t-1", ["r-1", "r-1|t-1"]),  # right: a set
        "Pat": ("p-1", ["p-1"]),  # not_nil
    }
)


def chosen(examples: list[LinkExample] = EXAMPLES, threads: int = 1) -> list[JudgedLinks]:
    """What the fake chooses, judged."""
    known = set(BASE) & set(labelled_ids(examples))
    return list(judge_choices(FAKE.choose, FAKE.propose, known, examples, threads))


def found(*places: list[tuple[int, int]]) -> list[JudgedLinks]:
    """The same where these places are found."""
    FAKE.found = {e.text: given for e, given in zip(EXAMPLES, places, strict=True)}
    return list(judge_found(FAKE.find, chosen()))


def kinds(judged: list[JudgedLinks]) -> list[tuple[str, str]]:
    """Words and kind of every fact."""
    return [(fact.text, fact.kind) for text in judged for fact in text.facts]


def test_every_way_of_being_wrong_has_its_kind() -> None:
    assert kinds(chosen()) == [
        ("Ann", "right"),
        ("Mill", "right"),
        ("Ely", "other"),
        ("Bob", "unproposed"),
        ("Sue", "lacking"),
        ("Joe", "nil"),
        ("Kim", "right"),
        ("Pat", "not_nil"),
    ]
    assert chosen(threads=2) == chosen()
    assert labelled_ids(EXAMPLES) == ["f-1", "p-1", "r-1", "t-1", "x-9"]


def test_the_figures_of_the_choice() -> None:
    record = summarise_choices(chosen())
    assert (record.texts, record.mentions, record.nil, record.lacking) == (3, 8, 2, 1)
    linked, overall, proposed = record.linked, record.overall, record.proposed
    # Mill, Ely, Bob, Joe, Kim are in the base; Mill and Kim are right.
    assert (linked.mentions, linked.right, linked.accuracy) == (5, 2, 0.4)
    assert linked.first == pytest.approx(1 / 5), "Joe alone has the right one first"
    assert linked.ceiling == pytest.approx(4 / 5), "Bob's is no candidate"
    assert (overall.mentions, overall.right) == (8, 3)
    assert overall.ceiling == pytest.approx(6 / 8), "NIL can be answered, what is lacking cannot"
    assert (proposed.mentions, proposed.right, proposed.ceiling) == (4, 2, 1.0)
    assert [(row.k, row.recall) for row in record.candidates] == [(1, 0.2), (5, 0.8), (16, 0.8)]
    # NIL is answered for Ann and Joe, and labelled for Ann and Pat.
    assert (record.nils.wanted, record.nils.given, record.nils.right) == (2, 2, 1)
    assert record.kinds["right"] == 3 and sum(record.kinds.values()) == 8
    assert record.calibration is not None
    assert sum(b.given for b in record.calibration.bins) == 7, "what is lacking says nothing"
    assert linked.interval is not None and linked.interval[0] <= 0.4 <= linked.interval[1]
    assert msgspec.json.decode(msgspec.json.encode(record), type=ChoiceEvaluation) == record


def test_nothing_to_choose() -> None:
    record = summarise_choices(chosen([LinkExample("x", ())]))
    assert record.linked.accuracy is None and record.calibration is None
    assert record.candidates[0].recall is None


def test_labels_that_do_not_stand_in_the_text_count_as_missed() -> None:
    bad = LinkExample(
        "Mill", (LabelledMention("Mill", 2, "f-1"), LabelledMention("Mill", 0, "f-1"))
    )
    judged = chosen([bad])
    assert kinds(judged) == [("Mill", "right"), ("Mill", "missed")]
    assert summarise_choices(judged).linked.accuracy == 0.5


def test_a_place_with_two_labels_counts_for_both() -> None:
    twice = example("Mill", ("Mill", "f-1"), ("Mill", "p-1"), ("Mill", "f-1"))
    assert kinds(chosen([twice])) == [("Mill", "right"), ("Mill", "other")]


def test_from_texts_to_entities() -> None:
    # Found: Ann, Mill, "near" (no mention) / Bob, Sue / Kim, Pat. Missed: Ely, Joe.
    judged = found([(0, 3), (8, 12), (13, 17)], [(0, 3), (5, 8)], [(0, 3), (8, 11)])
    assert kinds(judged) == [
        ("Ann", "right"),
        ("Mill", "right"),
        ("near", "extra"),
        ("Ely", "missed"),
        ("Bob", "unproposed"),
        ("Sue", "lacking"),
        ("Joe", "missed"),
        ("Kim", "right"),
        ("Pat", "not_nil"),
    ]
    record = summarise_links(judged, summarise_choices(chosen()))
    places, links, most, linked = (
        record.mentions.overall,
        record.links,
        record.ceiling,
        record.linked,
    )
    assert (places.wanted, places.given, places.right) == (8, 7, 6)
    assert (links.wanted, links.given, links.right) == (8, 7, 3)
    # Ann, Mill, Kim and Pat could all be right.
    assert (most.wanted, most.given, most.right) == (8, 7, 4)
    # Labelled with an entity: six; answered with one: Mill, Bob, Sue, Kim, Pat.
    assert (linked.wanted, linked.given, linked.right) == (6, 5, 2)
    assert record.given.linked.accuracy == 0.4
    assert record.calibration is not None
    assert sum(b.given for b in record.calibration.bins) == 5
    assert msgspec.json.decode(msgspec.json.encode(record), type=LinkEvaluation) == record


def test_all_found_is_as_good_as_all_given() -> None:
    every = [[m.place for m in e.mentions] for e in EXAMPLES]
    judged = found(*every)
    assert kinds(judged) == kinds(chosen())
    record = summarise_links(judged, summarise_choices(chosen()))
    assert record.mentions.overall.f1 == 1.0
    assert record.links.f1 == record.given.overall.accuracy
    assert record.ceiling.f1 == record.given.overall.ceiling


IDS = st.sampled_from([None, "f-1", "p-1", "r-1", "f-1|p-1", "x-9"])
ANSWERS = st.lists(st.sampled_from(["f-1", "p-1", "r-1", "p-1|f-1"]), max_size=3, unique=True)
TEXTS = st.lists(st.lists(st.tuples(IDS, ANSWERS, st.booleans()), max_size=4), max_size=3)


@settings(max_examples=25, deadline=None)
@given(TEXTS)
def test_laws_of_the_figures(texts: list[list[tuple[str | None, list[str], bool]]]) -> None:
    table: dict[str, tuple[str | None, list[str]]] = {}
    examples, found = [], {}
    for rows in texts:
        start = len(table)
        words = [chr(0x4E00 + start + i) for i in range(len(rows))]
        text = "".join(words) + "。"
        for word, (_, ids, nil) in zip(words, rows, strict=True):
            table[word] = (None if nil or not ids else ids[-1], ids)
        examples.append(example(text, *zip(words, (wanted for wanted, _, _ in rows), strict=True)))
        found[text] = [mention.place for mention in examples[-1].mentions]
    fake = Fake(table)
    fake.found = found
    judged = list(judge_choices(fake.choose, fake.propose, set(BASE), examples))
    record = summarise_choices(judged)
    assert sum(record.kinds.values()) == record.mentions == sum(map(len, texts))
    assert record.mentions == record.nil + record.lacking + record.linked.mentions
    for one in (record.linked, record.overall, record.proposed):
        if one.accuracy is not None and one.ceiling is not None and one.first is not None:
            assert max(one.accuracy, one.first) <= one.ceiling, "nothing is above its ceiling"
    recalls = [row.recall for row in record.candidates if row.recall is not None]
    assert recalls == sorted(recalls) and recalls[-1:] in ([], [record.linked.ceiling])
    # What is found everywhere is what is given.
    both = summarise_links(list(judge_found(fake.find, judged)), record)
    assert (both.kinds, both.links.right) == (record.kinds, record.overall.right)
    assert both.mentions.overall.right == record.mentions


# -- pages -------------------------------------------------------------------------------


def known(ids: list[str]) -> dict[str, Entity]:
    """The entities of the base."""
    return {id_: BASE[id_] for id_ in ids if id_ in BASE}


def test_the_page_shows_what_was_chosen_and_wanted() -> None:
    judged = chosen()
    html = report_choices(summarise_choices(judged), judged, known, "model on data")
    Page(html)
    assert '<mark class="wrong" data-facts="2">Ely</mark>' in html
    assert "Ely is a town." in html and "Ely is a river." in html
    assert '<option value="not_nil">entity instead of NIL</option>' in html
    assert 'data-kind="unproposed"' in html and "not a candidate" in html
    assert "(candidate 2)" in html
    assert "at most<b>0.800</b>" in html
    assert "1 mention labelled with an id that the base lacks" in html
    assert html.count("<article>") == 3


def test_long_descriptions_are_cut_where_that_can_be_seen() -> None:
    base = {**BASE, "f-1": Entity("f-1", "Mill", description="long " * 60)}
    base["p-1"] = Entity("p-1", "Mill", types=("painter", "poet"))
    judged = chosen([example("Bob", ("Bob", "p-1"))])
    html = report_choices(summarise_choices(judged), judged, lambda ids: base, "x")
    assert f"<bdi>{('long ' * 60)[:160]}…</bdi>" in html
    assert "<bdi>painter, poet</bdi>" in html, "what it is, where no description says so"


def test_the_page_from_end_to_end() -> None:
    judged = found([(0, 3), (8, 12), (13, 17)], [], [(0, 3)])
    record = summarise_links(judged, summarise_choices(chosen()))
    html = report_links(record, judged, known, "models on data", limit=2)
    Page(html)
    assert 'data-kind="extra"' in html and 'data-kind="missed"' in html
    assert "2 of 3 texts with errors; 1 left out" in html
    assert "Mentions given" in html


def test_the_page_of_mentions() -> None:
    judged = [judge_places(e, {(0, 3): 0.9, (1, 2): 0.4}) for e in EXAMPLES]
    record = summarise_mentions(judged, target=0.9)
    assert record.target is not None and record.target.min_score == 0.9
    html = report_mentions(record, judged, "model on data")
    Page(html)
    assert html.count('data-kind="missed"') == 5 and html.count('data-kind="wrong"') == 3
    assert "precision ≥" in html and "(NIL)" in html


def test_hostile_words_stay_words() -> None:
    bad = LinkExample(HOSTILE, (LabelledMention(HOSTILE, 0, HOSTILE),), HOSTILE)
    table = Fake({HOSTILE: (f"y{HOSTILE}", [f"y{HOSTILE}", HOSTILE])})
    base = {HOSTILE: Entity(HOSTILE, HOSTILE, description=HOSTILE)}
    judged = list(judge_choices(table.choose, table.propose, set(base), [bad]))
    pages = [
        report_choices(summarise_choices(judged), judged, lambda ids: base, HOSTILE),
        report_mentions(summarise_mentions([judged[0].mentions]), [judge_places(bad, {})], HOSTILE),
    ]
    for html in pages:
        page = Page(html)
        tags = [tag for tag, _ in page.tags]
        assert tags.count("script") == 1 and "img" not in tags
        assert not any(name.startswith("on") for _, given in page.tags for name in given)
        assert page.texts == [HOSTILE]
        assert html.count("<script>") == 1


def test_pages_about_nothing() -> None:
    given = summarise_choices([])
    Page(report_choices(given, [], known, "x"))
    Page(report_links(summarise_links([], given), [], known, "x"))
    Page(report_mentions(summarise_mentions([]), [], "x"))
