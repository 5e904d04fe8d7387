from __future__ import annotations

import base64
import hashlib
import re
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quern.calibration import PlattScaling
from quern.evaluation import Comparison, Fact, Judged, report, summarise
from quern.evaluation.parts import spread
from quern.evaluation.report import marked
from quern.records import LabelledTriple, TripleExample

VOID = {"meta", "br", "img", "link", "input", "path", "circle"}


class Page(HTMLParser):
    """Checks that tags nest, and collects what a test asks for."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.texts: list[str] = []  # of the elements with class "text"
        self.pieces: list[tuple[str, frozenset[str]]] = []  # of these: data, classes of the mark
        self._mark: frozenset[str] = frozenset()
        self.feed(html)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        self.tags.append((tag, given))
        if tag not in VOID:
            self.open.append(tag)
        if tag == "mark":
            self._mark = frozenset(given["class"].split())
        if given.get("class") == "text":
            self.texts.append("")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {name: value or "" for name, value in attrs}))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag
        if tag == "mark":
            self._mark = frozenset()

    def handle_data(self, data: str) -> None:
        self.pieces.append((data, self._mark))
        if self.texts and "article" in self.open and "p" in self.open:
            self.texts[-1] += data


def fact(
    status: str, subject: tuple[int, int] | None, object_: tuple[int, int] | None = None
) -> Fact:
    return Fact(status, "s", "p", "o", subject, object_)  # type: ignore[arg-type]


def page(judged: list[Judged], limit: int = 200, title: str = "model on data") -> str:
    known = frozenset({"p", "runs"})
    return report(summarise(judged, Comparison(), known), judged, title, limit)


def wrong(text: str, words: str = "s", line: int = 0) -> Judged:
    facts = (Fact("wrong", words, words, words, (0, 1), (0, len(text)), 0.5, words, words),)
    return Judged(TripleExample(text, (), id=words, line=line), facts)


# -- marks -------------------------------------------------------------------------------------


def test_a_span_is_marked_at_its_offsets() -> None:
    html = marked("Ann runs Mill", [fact("right", (0, 3), (9, 13))])
    assert html == (
        '<mark class="right subject" data-facts="0">Ann</mark> runs '
        '<mark class="object right" data-facts="0">Mill</mark>'
    )


def test_nested_and_overlapping_spans() -> None:
    facts = [fact("missed", (0, 4), (2, 3)), fact("wrong", (3, 6)), fact("right", None, (6, 8))]
    assert marked("abcdefgh", facts) == (
        '<mark class="missed subject" data-facts="0">ab</mark>'
        '<mark class="missed object subject" data-facts="0">c</mark>'
        '<mark class="missed subject wrong" data-facts="0 1">d</mark>'
        '<mark class="subject wrong" data-facts="1">ef</mark>'
        '<mark class="object right" data-facts="2">gh</mark>'
    )


PLACES = st.tuples(st.integers(0, 12), st.integers(0, 12)).map(lambda p: (min(p), max(p)))
FACTS = st.lists(
    st.builds(fact, st.sampled_from(["right", "missed", "wrong"]), st.none() | PLACES, PLACES),
    max_size=5,
)


@given(st.text(alphabet="ab<>&\"'\n三😀", min_size=12, max_size=12), FACTS)
def test_marks_lie_where_the_facts_say_and_the_text_stays_whole(
    text: str, facts: list[Fact]
) -> None:
    found = Page(marked(text, facts))
    assert "".join(data for data, _ in found.pieces) == text
    covered = [classes for data, classes in found.pieces for _ in data]
    for at, classes in enumerate(covered):
        expected = set()
        for one in facts:
            for place, role in ((one.subject_place, "subject"), (one.object_place, "object")):
                if place is not None and place[0] <= at < place[1]:
                    expected |= {role, one.status}
        assert classes == expected


# -- the page ----------------------------------------------------------------------------------

HOSTILE = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>&amp; ]]> <!--"


def test_hostile_text_stays_text() -> None:
    html = page([wrong(HOSTILE, HOSTILE)], title=HOSTILE)
    found = Page(html)
    tags = [tag for tag, _ in found.tags]
    assert tags.count("script") == 1
    assert "img" not in tags
    assert not any(name.startswith("on") for _, given in found.tags for name in given)
    assert found.texts == [HOSTILE]
    # Words appear as a subject, an object and a predicate, types, id and title.
    assert html.count("&lt;script&gt;") >= 8
    assert html.count("<script>") == 1


def test_the_page_asks_for_nothing_outside_itself() -> None:
    html = page([wrong("Ann runs Mill")])
    found = Page(html)
    assert not [tag for tag, given in found.tags if {"src", "href"} & set(given)]
    assert "://" not in html
    assert "@import" not in html
    assert "url(" not in html


def test_only_the_page_s_own_code_may_run() -> None:
    html = page([wrong("Ann runs Mill")])
    (policy,) = re.findall(r'Content-Security-Policy" content="([^"]*)"', html)
    assert policy.startswith("default-src 'none'; style-src 'sha256-")
    assert "unsafe" not in policy
    for tag in ("style", "script"):
        code = html[html.index(f"<{tag}>") + len(tag) + 2 : html.index(f"</{tag}>")]
        digest = base64.b64encode(hashlib.sha256(code.encode()).digest()).decode()
        assert f"{tag}-src 'sha256-{digest}'" in policy
    assert not [tag for tag, given in Page(html).tags if "style" in given]


def test_right_texts_are_no_errors() -> None:
    example = TripleExample("Ann runs Mill", (LabelledTriple("Ann", "runs", "Mill"),))
    html = page([Judged(example, (fact("right", (0, 3), (9, 13)),))])
    assert "No text has an error." in html
    assert "<article>" not in html


def test_errors_are_bounded_and_those_left_out_counted() -> None:
    judged = [wrong(f"text {i}", line=i) for i in range(1, 1501)]
    html = page(judged, limit=3)
    assert re.findall(r"line (\d+) ·", html) == ["1", "501", "1001"]
    assert "3 of 1,500 texts with errors; 1,497 left out" in html
    assert "<article>" not in page(judged, limit=0)
    assert "1,500 texts with errors, none shown" in page(judged, limit=0)


@pytest.mark.parametrize(("count", "limit"), [(0, 5), (5, 5), (7, 5), (5, 0)])
def test_spread(count: int, limit: int) -> None:
    items = [wrong(f"text {i}") for i in range(count)]
    some = spread(items, limit)
    assert len(some) == min(count, limit)
    assert [item for item in items if item in some] == some


def test_filters_offer_the_predicates_that_have_errors() -> None:
    example = TripleExample("abc", ())
    facts = (
        Fact("missed", "a", "B & C", "c", reason="absent"),
        Fact("right", "a", "fine", "c", (0, 1), (2, 3), 0.9),
        Fact("wrong", "a", "A", "c", (0, 1), (2, 3), 0.25),
    )
    html = page([Judged(example, facts)])
    assert '<option value="0">A</option><option value="1">B &amp; C</option>' in html
    items = re.findall(r'data-kind="(\w+)" data-predicate="(\d*)"', html)
    assert items == [("missed", "1"), ("wrong", "0"), ("right", "")]
    assert "does not stand there" in html
    assert "0.25" in html


def test_figures_and_curve_are_on_the_page() -> None:
    example = TripleExample("abc", (), complete=False)
    judged = [
        Judged(example, (Fact("right", "a", "p", "c", (0, 1), (2, 3), 0.9),)),
        Judged(example, (Fact("missed", "a", "q", "c"),)),
    ]
    html = page(judged)
    assert "<div>F1<b>0.667</b>" in html
    assert "<div>precision<b>1.000</b>" in html
    assert "q (unknown)" in html
    assert "incomplete lines" in html
    assert len(re.findall("<polyline", html)) == 4
    assert "nan" not in html


def test_least_scores_for_goals_are_on_the_page() -> None:
    example = TripleExample("abc", ())
    facts = [Fact("right", "a", "p", "c", score=0.875), Fact("wrong", "b", "p", "c", score=0.5)]
    judged = [Judged(example, (*facts, Fact("missed", "d", "p", "c")))]
    html = page(judged)
    assert "recall ≥" in html
    assert "precision ≥" not in html
    assert "<tr><td>0.5</td><td>0.87</td><td>1</td>" in html
    assert "<tr><td>0.9</td><td>–</td><td>–</td>" in html
    record = summarise(
        judged, Comparison(), frozenset({"p"}), scaling=PlattScaling(1.0, 0.5), target=0.9
    )
    html = report(record, judged, "model on data")
    assert "precision ≥" in html
    assert "before calibration" in html
    Page(html)


def test_a_page_about_nothing() -> None:
    html = page([])
    assert "<div>F1<b>–</b>" in html
    Page(html)
