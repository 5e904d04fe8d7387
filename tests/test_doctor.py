"""The data doctor: every finding, the figures, and the best score that decoding can reach."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpus import corpus
from quern.alignment import AlignedTriple, Label, align, outside
from quern.data import BadLine, scan_triples
from quern.doctor import KINDS, Place, Report, TypePair, examine, reachable
from quern.doctor.report import Best, Bin
from quern.records import LabelledSpan, LabelledTriple, TripleExample
from quern.text import CodecRules, TextCodec, Vocabulary, Window

SMALL = CodecRules(window=8, overlap=2)


def row(text: str, *triples: tuple[str, str, str] | LabelledTriple, line: int = 1) -> TripleExample:
    labels = (t if isinstance(t, LabelledTriple) else LabelledTriple(*t) for t in triples)
    return TripleExample(text, tuple(labels), line=line)


MILL = row("Ada owns the mill.", ("Ada", "owns", "mill"))


def looked(predicates: tuple[str, ...], *triples: tuple[str, str, str], line: int) -> TripleExample:
    """The text of ``MILL``, with only some predicates looked for."""
    return msgspec.structs.replace(row(MILL.text, *triples, line=line), predicates=predicates)


LAKE = row("Bea owns the lake.", ("Bea", "owns", "lake"), line=2)


def at(start: int | None, end: int, predicate: str = "owns") -> LabelledTriple:
    """Ada and the mill of ``MILL``, looked for at some characters."""
    return LabelledTriple("Ada", predicate, "mill", start, end)


def typed(subject_type: str | None, object_type: str | None) -> LabelledTriple:
    return LabelledTriple("Ada", "owns", "mill", subject_type=subject_type, object_type=object_type)


# -- findings ----------------------------------------------------------------------------------


class Case(NamedTuple):
    kind: str
    file: str
    train: list[TripleExample | BadLine]
    dev: list[TripleExample | BadLine] | None
    places: list[Place]


NESTED = row(
    "She works for the Mill of Halden Works.",
    ("She", "works_for", "Mill of Halden Works"),
    ("She", "works_for", "Halden"),
)
INNER_SUBJECT = row(
    "Mill of Halden Works makes flour; Halden is a town.",
    ("Mill of Halden Works", "makes", "flour"),
    LabelledTriple("Halden", "is", "town", subject_start=8),
)
# Two objects that together are one of another predicate: spans bring one too many.
JOINED = row(
    "Ada owns Mill and Lake.",
    ("Ada", "owns", "Mill"),
    ("Ada", "owns", "Lake"),
    ("Ada", "likes", "Mill and Lake"),
)
FAR = row("Ada, as all of us in this town know, owns the mill.", ("Ada", "owns", "mill"))
CASES = [
    Case("bad", "train", [MILL, BadLine(7, "odd")], None, [Place(7, "odd")]),
    Case("bad", "dev", [MILL], [LAKE, BadLine(9, "odd")], [Place(9, "odd")]),
    Case("nothing", "train", [row("Rain.")], None, [Place(0, "1 text(s), not one triple")]),
    Case("nothing", "dev", [MILL], [], [Place(0, "0 text(s), not one triple")]),
    Case(
        "absent",
        "train",
        [MILL, row("A mill.", ("Ada", "owns", "lake"), line=4)],
        None,
        [
            Place(
                4,
                "'Ada' (owns) does not stand in the text; 'lake' (owns) does not stand in the text",
            )
        ],
    ),
    Case(
        "absent",
        "dev",
        [MILL],
        [LAKE, row("A mill.", ("Ada", "owns", "mill"), line=4)],
        [Place(4, "'Ada' (owns) does not stand in the text")],
    ),
    Case(
        "offset",
        "train",
        [row(MILL.text, at(1, 13), at(0, 13))],
        None,
        [Place(1, "'Ada' (owns) does not stand at character 1")],
    ),
    Case(  # a negative offset counts from nowhere
        "offset",
        "dev",
        [MILL],
        [LAKE, row(MILL.text + " ", at(-19, 99), at(0, 13), line=3)],
        [
            Place(
                3,
                "'Ada' (owns) does not stand at character -19; "
                "'mill' (owns) does not stand at character 99",
            )
        ],
    ),
    Case(
        "border",
        "train",
        [row("Adam owns the mill.", ("Ada", "owns", "mill"))],
        None,
        [Place(1, "'Ada' (owns) cuts through a word or number")],
    ),
    Case(
        "window",
        "train",
        [FAR],
        None,
        [Place(1, "the ends of 'owns' stretch over 14 units, and no window holds them all")],
    ),
    Case(
        "ambiguous",
        "train",
        [row("Ada and Ada: the mill is owned.", ("Ada", "owns", "mill"))],
        None,
        [Place(1, "'Ada' (owns) occurs 2 times and has no offset")],
    ),
    Case(
        "surplus",
        "train",
        [JOINED],
        None,
        [Place(1, "decoding also gives ('Ada', 'owns', 'Mill and Lake')")],
    ),
    Case(
        "spelling",
        "train",
        [row("ADA owns the mill.", ("Ada", "owns", "ｍill"))],
        None,
        [Place(1, "('Ada', 'owns', 'ｍill'); the text: ('ADA', 'owns', 'mill')")],
    ),
    Case(
        "edges",
        "train",
        [row(MILL.text, (" Ada", "owns", "mill"))],
        None,
        [Place(1, "(' Ada', 'owns', 'mill')")],
    ),
    Case(
        "conflict",
        "train",
        [MILL, LAKE, row(MILL.text, ("Ada", "likes", "mill"), line=3)],
        None,
        [Place(3, "the text of line 1")],
    ),
    Case(
        "conflict",
        "train",
        [
            looked(("owns",), ("Ada", "owns", "mill"), line=1),
            looked(("likes",), ("Ada", "likes", "mill"), line=2),
            looked(("owns", "likes"), ("Ada", "likes", "mill"), line=3),
        ],
        None,
        [Place(3, "the text of line 1")],
    ),
    Case(  # another place of the same fact is no contradiction
        "duplicate",
        "train",
        [MILL, row(MILL.text, at(0, 13), line=5), row(MILL.text, at(0, 13), line=6)],
        None,
        [Place(5, "the text of line 1"), Place(6, "the text of line 1")],
    ),
    Case(
        "repeated",
        "train",
        [row(MILL.text, at(0, 13), at(None, 13), at(0, 13))],
        None,
        [Place(1, "('Ada', 'owns', 'mill') stands 2 times")],
    ),
    Case(
        "entity",
        "train",
        [
            TripleExample(
                MILL.text,
                MILL.triples,
                entities=(
                    LabelledSpan("Ada", 0),
                    LabelledSpan("Ada", 0, end=3),
                    LabelledSpan("Ada", 0, end=4),
                    LabelledSpan("mill", 12),
                ),
                line=2,
            )
        ],
        None,
        [Place(2, "'Ada' at character 0 to 4"), Place(2, "'mill' at character 12")],
    ),
    Case("empty", "train", [MILL, row(" \u3000", line=3)], None, [Place(3, "no text")]),
    Case(
        "unlearned",
        "dev",
        [MILL],
        [LAKE, row("x y", ("x", "is", "y"))],
        [Place(0, "'is': 0 in train, 1 in dev")],
    ),
    Case(
        "unmeasured",
        "train",
        [MILL, row("x y", ("x", "is", "y"))],
        [LAKE],
        [Place(0, "'is': 1 in train, 0 in dev")],
    ),
    Case(
        "untyped",
        "train",
        [row(MILL.text, typed(None, None), typed("person", None))],
        None,
        [Place(0, "'owns': 1 of 2 without types")],
    ),
    Case(
        "overlap",
        "dev",
        [MILL, LAKE],
        [row(MILL.text, *MILL.triples, line=8)],
        [Place(8, "train line 1")],
    ),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.kind}-{case.file}")
def test_a_finding_is_made_alone_and_names_its_cases(case: Case) -> None:
    report = examine(case.train, case.dev, CodecRules(window=12, overlap=0), few=0)
    assert [(f.kind, f.file) for f in report.findings] == [(case.kind, case.file)]
    [finding] = report.findings
    assert list(finding.places) == case.places
    assert finding.count == len(case.places)
    assert finding.what == KINDS[case.kind].what


def test_every_kind_has_a_case() -> None:
    assert {case.kind for case in CASES} | {"few"} == set(KINDS)


def test_few_examples_are_fewer_than_the_number_given() -> None:
    three = [row(f"Ada owns mill {n}.", ("Ada", "owns", "mill")) for n in range(3)]
    assert examine(three, few=3).findings == ()
    [finding] = examine(three, few=4).findings
    assert (finding.kind, finding.places) == ("few", (Place(0, "'owns': 3"),))
    dev = [row("Rain is wet.", ("Rain", "is", "wet"))]  # none at all is another matter
    assert [f.kind for f in examine(three, dev, few=1).findings] == ["unlearned", "unmeasured"]


def test_sound_data_has_no_finding_and_is_accepted() -> None:
    report = examine([MILL], [LAKE], few=0)
    assert report.findings == ()
    assert report.accepted


STOPPING = {"bad": "both", "nothing": "both"} | dict.fromkeys(
    ("absent", "offset", "border", "window"), "train"
)


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.kind}-{case.file}")
def test_training_is_stopped_by_what_it_would_lose(case: Case) -> None:
    report = examine(case.train, case.dev, CodecRules(window=12, overlap=0), few=0)
    stops = STOPPING.get(case.kind) in ("both", case.file)
    assert report.findings[0].stops == stops
    assert report.accepted != stops


def test_a_lost_label_in_dev_is_a_note_with_a_next_step_of_its_own() -> None:
    lost = row("A mill.", ("Ada", "owns", "mill"))
    in_train, in_dev = examine([lost, MILL], [lost, LAKE], few=0).findings[:2]
    assert (in_train.file, in_train.stops) == ("train", True)
    assert "--allow absent" in in_train.next_step
    assert (in_dev.file, in_dev.stops) == ("dev", False)
    assert "counts as missed" in in_dev.next_step


def test_findings_stand_in_the_order_of_the_table_train_before_dev() -> None:
    odd = [row("Ada and Ada: the mill.", ("Ada", "owns", "mill")), BadLine(2, "odd")]
    found = [(f.kind, f.file) for f in examine(odd, odd, few=2).findings]
    assert found == [
        ("bad", "train"),
        ("bad", "dev"),
        ("ambiguous", "train"),
        ("ambiguous", "dev"),
        ("few", "train"),
        ("overlap", "dev"),
    ]


def test_only_the_first_places_are_kept_where_that_is_asked() -> None:
    report = examine([MILL, *(BadLine(n, "odd") for n in range(2, 9))], few=0)
    [finding] = report.first(2).findings
    assert finding.places == (Place(2, "odd"), Place(3, "odd"))
    assert finding.count == 7
    assert len(report.findings[0].places) == 7


def test_the_figures_of_a_file() -> None:
    rows = [
        MILL,
        BadLine(2, "odd"),
        TripleExample("Ada owns the mill and the lake.", MILL.triples, complete=False, line=3),
        TripleExample("", (), predicates=("owns",), line=4),
        row("A mill.", ("Ada", "owns", "mill"), line=5),
        row("Ada and Ada and the mill.", ("Ada", "owns", "mill"), line=6),
    ]
    train = examine(rows).train
    assert (train.lines, train.bad, train.texts) == (6, 1, 5)
    assert (train.bare, train.incomplete, train.partial) == (1, 1, 1)
    assert (train.triples, train.lost, train.guessed) == (4, 1, 1)


def test_a_label_with_two_faults_is_lost_once() -> None:
    both = row("A mill. A mill.", ("Ada", "owns", "lake"), ("Ada", "owns", "mill"))
    train = examine([both]).train
    assert (train.lost, train.guessed) == (2, 0)
    half = row("A mill. A mill.", ("mill", "owns", "lake"))
    [finding] = examine([half], few=0).findings
    assert (finding.kind, finding.count) == ("absent", 1)


def test_lengths_are_counted_in_units_and_windows() -> None:
    texts = ["", "a b c", "a b c 1 2 3 4 5", "一二三四五六七八九", "a " * 20]
    lengths = examine([row(text) for text in texts], rules=SMALL).train.lengths
    assert (lengths.median, lengths.longest, lengths.several) == (8, 20, 2)
    assert lengths.beyond == (1 + 12) / (3 + 8 + 9 + 20)
    assert lengths.bins == (
        Bin(0, 0, 1),
        Bin(1, 8, 2),
        Bin(9, 12, 1),
        Bin(13, 16, 0),
        Bin(17, 24, 1),
    )


def test_the_histogram_leaves_out_empty_bins_at_its_ends() -> None:
    [only] = examine([row("a " * 12)]).train.lengths.bins
    assert only == Bin(9, 12, 1)
    assert examine([]).train.lengths.bins == ()


def test_predicates_are_counted_the_most_frequent_first() -> None:
    train = [
        row("x y", ("x", "is", "y")),
        row(MILL.text, typed("person", "firm"), typed("person", "mill"), typed("person", "mill")),
    ]
    dev = [row(MILL.text, typed("town", "firm")), row("x y", ("x", "was", "y"))]
    owns, is_, was = examine(train, dev).predicates
    assert (owns.name, owns.train, owns.dev) == ("owns", 3, 1)
    assert owns.types == (
        TypePair("person", "mill", 2, 0),
        TypePair("person", "firm", 1, 0),
        TypePair("town", "firm", 0, 1),
    )
    assert (is_.name, is_.train, is_.dev) == ("is", 1, 0)
    assert (was.name, was.train, was.dev) == ("was", 0, 1)


def test_lines_that_look_for_different_predicates_add_to_each_other() -> None:
    one = looked(("owns",), ("Ada", "owns", "mill"), line=1)
    two = looked(("likes",), ("Ada", "likes", "mill"), line=2)
    assert examine([one, two], few=0).findings == ()
    again = looked(("owns",), ("Ada", "owns", "mill"), line=3)
    [finding] = examine([one, two, again], few=0).findings
    assert (finding.kind, finding.places) == ("duplicate", (Place(3, "the text of line 1"),))


def test_what_dev_shares_with_train_is_counted() -> None:
    dev = [MILL, row("Ada: the mill, a lake.", *MILL.triples, ("Ada", "owns", "lake"))]
    shared = examine([MILL], dev).shared
    assert shared is not None
    assert (shared.texts, shared.triples, shared.share) == (1, 2, 2 / 3)
    assert examine([MILL]).shared is None


# -- the best score ------------------------------------------------------------------------------


def best(*rows: TripleExample, rules: CodecRules | None = None) -> Best:
    return examine(rows, rules=rules).train.best


def test_plain_labels_can_be_had_without_a_mistake() -> None:
    assert best(MILL, LAKE) == Best(1.0, 1.0, 1.0)


def with_nearest(*rows: TripleExample) -> Best:
    return examine(rows).train.best_with_nearest


def test_nested_labels_can_be_had() -> None:
    assert best(NESTED, INNER_SUBJECT) == Best(1.0, 1.0, 1.0)


def test_with_nearest_a_nested_object_costs_precision_and_recall() -> None:
    # Wanted two; decoding gives "Mill of Halden" and "Halden", one of them right.
    assert with_nearest(NESTED) == Best(0.5, 0.5, 0.5)


def test_with_nearest_a_nested_subject_costs_recall_alone() -> None:
    assert with_nearest(INNER_SUBJECT) == Best(2 / 3, 1.0, 0.5)


def test_joined_objects_cost_precision_unless_with_nearest() -> None:
    assert best(JOINED) == Best(6 / 7, 0.75, 1.0)
    assert with_nearest(JOINED) == Best(1.0, 1.0, 1.0)


def test_a_lost_label_costs_recall() -> None:
    absent = row("A mill.", ("Ada", "owns", "mill"))
    assert best(MILL, absent) == Best(2 / 3, 1.0, 0.5)
    assert best(FAR, rules=SMALL) == Best(0.0, 1.0, 0.0)


def test_a_label_in_other_letters_is_never_right() -> None:
    assert best(row("ADA owns the mill.", ("Ada", "owns", "mill"))) == Best(0.0, 0.0, 0.0)


def test_a_triple_of_a_later_window_is_found_in_it() -> None:
    far = row("a " * 20 + "Ada owns mill", ("Ada", "owns", "mill"))
    assert best(far, rules=SMALL) == Best(1.0, 1.0, 1.0)


OWNS = Label("owns")
WHOLE = [Window(0, 8)]


def test_with_nearest_an_inner_span_takes_the_end_of_the_outer_one() -> None:
    outer, inner = AlignedTriple((0, 0), OWNS, (1, 5)), AlignedTriple((0, 0), OWNS, (2, 3))
    assert reachable([outer, inner], WHOLE, "nearest") == {
        inner,
        AlignedTriple((0, 0), OWNS, (1, 3)),
    }


def test_with_nearest_nested_spans_of_two_predicates_do_not_meet() -> None:
    triples = [
        AlignedTriple((0, 0), OWNS, (1, 5)),
        AlignedTriple((0, 0), Label("likes"), (2, 3)),
    ]
    assert reachable(triples, WHOLE, "nearest") == set(triples)


def test_with_nearest_a_span_nested_only_in_one_window_comes_back_from_the_other() -> None:
    outer = AlignedTriple((4, 4), OWNS, (5, 7))
    inner = AlignedTriple((4, 4), OWNS, (6, 6))
    last = AlignedTriple((4, 4), OWNS, (9, 9))
    assert outer not in reachable([outer, inner], [Window(0, 8)], "nearest")
    assert last in reachable([outer, inner, last], [Window(0, 8), Window(4, 12)], "nearest")
    assert last not in reachable([outer, inner, last], [Window(0, 8)], "nearest")


SPANS = st.tuples(st.integers(0, 11), st.integers(0, 11)).map(lambda s: (min(s), max(s)))
LABELS = st.sampled_from([OWNS, Label("likes"), Label("owns", "person", "mill")])


@given(SPANS, LABELS, SPANS)
def test_a_triple_alone_always_comes_back(
    subject: tuple[int, int], label: Label, object_: tuple[int, int]
) -> None:
    triple = AlignedTriple(subject, label, object_)
    for pairing in ("nearest", "spans"):
        assert reachable([triple], [Window(0, 12)], pairing) == {triple}


UNITS = st.integers(0, 11).map(lambda n: (n, n))


@given(st.lists(st.builds(AlignedTriple, UNITS, LABELS, UNITS), max_size=6))
def test_spans_of_one_unit_always_come_back(triples: list[AlignedTriple]) -> None:
    assert reachable(triples, [Window(0, 12)], "nearest") == set(triples)


# -- beside training -----------------------------------------------------------------------------

WORDS = st.sampled_from(["Ada", "mill", "Mill", "Ada mill", " Ada", "Ad", "lake", "。"])
STARTS = st.none() | st.integers(-2, 12)
TEXTS = st.lists(st.sampled_from(["Ada", "mill", "of", "Adam", "。", "a a a a a"]), max_size=6)
TRIPLES = st.builds(LabelledTriple, WORDS, st.just("owns"), WORDS, STARTS, STARTS)


@given(st.builds(TripleExample, TEXTS.map(" ".join), st.lists(TRIPLES, max_size=3).map(tuple)))
def test_the_doctor_loses_what_training_loses(example: TripleExample) -> None:
    codec = TextCodec(Vocabulary(()), SMALL)
    encoding = codec.encode(example.text)
    placed, problems = align(example, encoding, codec)
    problems += outside(example, placed, codec.windows(encoding))
    train = examine([example], rules=SMALL).train
    assert bool(train.lost) == any(problem.lost for problem in problems)
    assert train.lost <= len(example.triples)


def test_a_made_up_corpus_is_sound_but_for_its_repeats() -> None:
    report: Report = examine(corpus(200), corpus(50, seed=1), few=0)
    assert report.accepted
    assert report.train.best == Best(1.0, 1.0, 1.0)
    assert {f.kind for f in report.findings} <= {"duplicate", "overlap", "ambiguous"}


# -- the page --------------------------------------------------------------------------------------

PAGE = (Path(__file__).parent.parent / "docs" / "data.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("kind", KINDS)
def test_the_page_explains_every_finding(kind: str) -> None:
    assert f"\n| {KINDS[kind].what} | " in PAGE


def test_the_examples_of_the_page_are_sound_data(tmp_path: Path) -> None:
    of_triples = PAGE[: PAGE.index("## Facts without texts")]
    blocks = re.findall(r"```json\n(\{\"text\".*?)```", of_triples, re.DOTALL)
    (tmp_path / "page.jsonl").write_text("".join(blocks), encoding="utf-8")
    report = examine(scan_triples(tmp_path / "page.jsonl"), few=0)
    assert report.findings == ()
    assert report.train.lines == "".join(blocks).count("\n") == 8
