"""Rules for predicates: what each does, the laws of all together, files, and the command line."""

from __future__ import annotations

import json
import threading
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner, Result
from hypothesis import given
from hypothesis import strategies as st

import quern
import quern.cli.evaluate as evaluate
import quern.cli.evaluate_triples as evaluate_triples
import quern.cli.extract as extract
from fake_model import fake_model
from quern.errors import DataError
from quern.records import Span, Triple
from quern.schema import RULES, Ends, PredicateRules, Schema
from quern.shipped import TripleReader

EXAMPLE = Path(__file__).parent.parent / "examples" / "schema.json"


def schema(**predicates: dict[str, object]) -> Schema:
    return Schema({n: msgspec.convert(r, PredicateRules) for n, r in predicates.items()})


def triple(text: str, subject: str, predicate: str, object_: str, score: float = 0.5) -> Triple:
    """Ends where they stand first in the text."""
    s, o = (
        Span(text.index(part), text.index(part) + len(part), part) for part in (subject, object_)
    )
    return Triple(s, predicate, o, score)


def short(triples: list[Triple]) -> list[tuple[str, str, str, float]]:
    return [(*t.key, t.score) for t in triples]


# -- each rule ------------------------------------------------------------------------


def test_types_drop_what_has_another_type_and_leave_what_has_none() -> None:
    text = "Ada Moor runs the mill in Halden."
    plain = triple(text, "Ada Moor", "runs", "mill")
    person, place = (
        msgspec.structs.replace(plain, subject_type=kind) for kind in ("person", "town")
    )
    rules = schema(runs={"types": {"subject": ["person", "firm"]}})
    assert rules.apply(text, [plain, person, place]) == [plain, person]
    assert rules.counts == {("types", "dropped"): 1}


@pytest.mark.parametrize(
    ("given_", "wanted"),
    [
        ("石桥", "石桥夜话"),  # a part
        ("《石桥夜话》", "石桥夜话"),  # with the marks
        ("桥夜话》", "石桥夜话"),
        ("小说《石桥夜话》", "石桥夜话"),  # with what stands around
        ("小说《石桥", "石桥夜话"),
        ("石桥夜话", "石桥夜话"),
        ("小说", "小说"),  # outside
        ("《石桥夜话》和《渡口", "《石桥夜话》和《渡口"),  # in two pairs
        ("散文", "散文"),  # a pair that is never closed
    ],
)
def test_marks(given_: str, wanted: str) -> None:
    text = "小说《石桥夜话》和《渡口来信》的作者林暮云还写过《散文\n集》。"
    rules = schema(作者={"marks": {"subject": ["《》"]}})
    [found] = rules.apply(text, [triple(text, given_, "作者", "林暮云")])
    assert found == triple(text, wanted, "作者", "林暮云")
    assert rules.counts["marks", "changed"] == int(given_ != wanted)


def test_marks_may_be_the_same_on_both_sides_nested_and_padded() -> None:
    text = 'Ada Moor sang " Slow Water (live) " in Halden.'
    straight = schema(sang={"marks": {"object": ['""']}})
    assert short(straight.apply(text, [triple(text, "Ada Moor", "sang", "Water")])) == [
        ("Ada Moor", "sang", "Slow Water (live)", 0.5)
    ]
    both = schema(sang={"marks": {"object": ['""', "()"]}})
    for part, whole in (("liv", "live"), ("Slow", "Slow Water (live)")):
        [found] = both.apply(text, [triple(text, "Ada Moor", "sang", part)])
        assert found.object.text == whole
        assert both.apply(text, [found]) == [found]


def test_what_marks_make_the_same_stands_once_with_the_larger_score() -> None:
    text = "《盐田》由周砚秋导演。"
    found = [triple(text, s, "导演", "周砚秋", p) for s, p in (("盐", 0.4), ("《盐田", 0.8))]
    rules = schema(导演={"marks": {"subject": ["《》"]}})
    assert short(rules.apply(text, found)) == [("盐田", "导演", "周砚秋", 0.8)]
    assert rules.counts == {("marks", "changed"): 2, ("marks", "dropped"): 1}


def test_value_must_match_whole() -> None:
    text = "The mill opened in 1994 , after May 1994 ."
    found = [triple(text, "mill", "opened", date) for date in ("1994", "May 1994")]
    rules = schema(opened={"value": r"\d{4}"})
    assert rules.apply(text, found) == found[:1]
    assert rules.counts == {("value", "dropped"): 1}


def test_an_inverse_is_known_from_one_side_and_added_behind_its_source() -> None:
    text = "程以南的妻子叫苏小婉，住在云州。"
    wife, home = triple(text, "程以南", "妻子", "苏小婉", 0.7), triple(text, "程以南", "住", "云州")
    wife = msgspec.structs.replace(wife, subject_type="男", object_type="女")
    for one, other in (("丈夫", "妻子"), ("妻子", "丈夫")):
        rules = schema(**{one: {"inverse": other}})
        found = rules.apply(text, [wife, home])
        assert found == [
            wife,
            Triple(wife.object, "丈夫", wife.subject, 0.7, "女", "男"),
            home,
        ]
        assert rules.counts == {("inverse", "added"): 1}


def test_an_inverse_that_is_there_is_not_doubled_but_takes_the_larger_score() -> None:
    text = "Northlight is owned by Vesterhav."
    up = triple(text, "Northlight", "owner", "Vesterhav", 0.4)
    down = triple(text, "Vesterhav", "owns", "Northlight", 0.9)
    rules = schema(owner={"inverse": "owns"})
    assert [t.score for t in rules.apply(text, [up, down])] == [0.9, 0.9]
    assert rules.counts == {("inverse", "changed"): 1}
    unsure = msgspec.structs.replace(up, uncertain=True)
    assert rules.apply(text, [unsure, down])[0] == msgspec.structs.replace(up, score=0.9)


def test_what_is_added_stands_up_to_the_rules_of_its_predicate() -> None:
    text = "Ada Moor founded “Slow Water”, with Tom."
    work = triple(text, "Ada Moor", "founded", "Slow")
    typed = msgspec.structs.replace(work, object_type="band")
    for refusing in (
        {"marks": {"subject": ["“”"]}},
        {"value": "[a-z]+"},
        {"types": {"subject": ["firm"]}},
    ):
        rules = schema(founded={"inverse": "founder"}, founder=refusing)
        assert rules.apply(text, [typed]) == [typed]


def test_symmetric() -> None:
    text = "Ada Moor is married to Tomas Reyes."
    rules = schema(spouse={"symmetric": True})
    found = rules.apply(text, [triple(text, "Ada Moor", "spouse", "Tomas Reyes", 0.6)])
    assert short(found) == [
        ("Ada Moor", "spouse", "Tomas Reyes", 0.6),
        ("Tomas Reyes", "spouse", "Ada Moor", 0.6),
    ]
    assert rules.counts == {("symmetric", "added"): 1}
    assert rules.without("symmetric").apply(text, found[:1]) == found[:1]


def test_single_keeps_the_best_object_wherever_it_stands() -> None:
    text = "Ada , born in Halden , raised in Ely , came home to Halden ."
    last = text.rindex("Halden")
    found = [
        triple(text, "Ada", "born", "Halden", 0.5),
        triple(text, "Ada", "born", "Ely", 0.8),
        Triple(Span(0, 3, "Ada"), "born", Span(last, last + 6, "Halden"), 0.9),
        triple(text, "Halden", "born", "Ely", 0.1),
    ]
    rules = schema(born={"single": True})
    assert rules.apply(text, found) == [found[0], found[2], found[3]]
    assert rules.counts == {("single", "dropped"): 1}


def test_single_prefers_the_certain_and_takes_the_other_side_along() -> None:
    text = "Ada , Tom , Bob"
    wrong = msgspec.structs.replace(triple(text, "Ada", "husband", "Tom", 0.9), uncertain=True)
    right = triple(text, "Ada", "husband", "Bob", 0.8)
    rules = schema(husband={"single": True, "inverse": "wife"})
    assert short(rules.apply(text, [wrong, right])) == [
        ("Ada", "husband", "Bob", 0.8),
        ("Bob", "wife", "Ada", 0.8),
    ]
    assert rules.counts == {("inverse", "added"): 2, ("single", "dropped"): 2}


# -- laws -----------------------------------------------------------------------------

NAMES = ("owns", "owner", "met", "born")
MARKS = ("《》", "“”", '""')
TYPES = ("a", "b")


def ends(values: tuple[str, ...]) -> st.SearchStrategy[Ends]:
    some = st.lists(st.sampled_from(values), max_size=2).map(tuple)
    return st.builds(Ends, subject=some, object=some)


@st.composite
def schemas(draw: st.DrawFn) -> Schema:
    rules = st.builds(
        PredicateRules,
        types=ends(TYPES),
        marks=ends(MARKS),
        value=st.sampled_from([None, None, "[^ ]*", ".*[xy].*"]),
        single=st.booleans(),
    )
    predicates = {name: draw(rules) for name in NAMES}
    for name, field, value in (("owns", "inverse", "owner"), ("met", "symmetric", True)):
        if draw(st.booleans()):
            predicates[name] = msgspec.structs.replace(predicates[name], **{field: value})
    return Schema(predicates)


@st.composite
def readings(draw: st.DrawFn) -> tuple[str, list[Triple]]:
    text = draw(st.text('xyz 《》“”"\n', min_size=1, max_size=24))

    def span() -> Span:
        start = draw(st.integers(0, len(text) - 1))
        end = draw(st.integers(start + 1, min(len(text), start + 6)))
        return Span(start, end, text[start:end])

    kinds = st.sampled_from([None, *TYPES])
    return text, [
        Triple(
            span(),
            draw(st.sampled_from([*NAMES, "new"])),
            span(),
            draw(st.sampled_from([0.2, 0.5, 0.9])),
            draw(kinds),
            draw(kinds),
            draw(st.sampled_from([True, msgspec.UNSET])),
        )
        for _ in range(draw(st.integers(0, 6)))
    ]


@given(schemas(), readings())
def test_applied_twice_is_applied_once(rules: Schema, reading: tuple[str, list[Triple]]) -> None:
    text, triples = reading
    once = rules.apply(text, triples)
    assert rules.apply(text, once) == once


@given(schemas(), readings())
def test_offsets_are_true_and_nothing_is_added_twice(
    rules: Schema, reading: tuple[str, list[Triple]]
) -> None:
    text, triples = reading
    found = rules.apply(text, triples)
    for each in found:
        for span in (each.subject, each.object):
            assert text[span.start : span.end] == span.text != ""
    new = [t.strict_key for t in found if t.strict_key not in {t.strict_key for t in triples}]
    assert len(new) == len(set(new))


@given(schemas(), readings())
def test_counts_account_for_every_triple(rules: Schema, reading: tuple[str, list[Triple]]) -> None:
    text, triples = reading
    found = rules.apply(text, triples)
    total = dict.fromkeys(("dropped", "added", "changed"), 0)
    for (_, effect), count in rules.counts.items():
        total[effect] += count
    assert len(found) == len(triples) - total["dropped"] + total["added"]
    if not any(total.values()):
        assert found == triples


@given(schemas(), readings())
def test_with_all_rules_off_nothing_changes(
    rules: Schema, reading: tuple[str, list[Triple]]
) -> None:
    text, triples = reading
    silent = rules.without(*RULES)
    assert silent.apply(text, triples) == triples
    assert silent.counts.total() == 0


@given(schemas(), readings())
def test_what_stays_keeps_its_order(rules: Schema, reading: tuple[str, list[Triple]]) -> None:
    text, triples = reading
    keys = [t.strict_key for t in rules.without("marks").apply(text, triples)]
    before = list(dict.fromkeys(t.strict_key for t in triples))
    assert [k for k in dict.fromkeys(keys) if k in before] == [k for k in before if k in keys]


def test_threads_count_together() -> None:
    text = "Ada met Tom ."
    rules = schema(met={"symmetric": True})
    found = [triple(text, "Ada", "met", "Tom")]

    def work() -> None:
        for _ in range(500):
            rules.apply(text, found)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert rules.counts == {("symmetric", "added"): 2000}


# -- files ----------------------------------------------------------------------------

KNOWN = "the rules are types, marks, value, inverse, symmetric, single (docs/data.md)"
SHAPE = 'expected one object {"predicates": {NAME: {RULE: …}}}; see docs/data.md'
BAD = [
    ('{"predicates": ', "not JSON: Expecting value: line 1 column 16 (char 15)"),
    ("[]", SHAPE),
    ('{"predicates": {}}', SHAPE),
    ('{"predicates": {"met": {}}, "more": 1}', SHAPE),
    (
        '{"predicates": {"met": {"invers": "met by"}}}',
        f"'met': Object contains unknown field `invers`; {KNOWN}",
    ),
    (
        '{"predicates": {"met": {"single": "yes"}}}',
        f"'met': Expected `bool`, got `str` - at `$.single`; {KNOWN}",
    ),
    (
        '{"predicates": {"met": {"types": {"subjekt": ["a"]}}}}',
        f"'met': Object contains unknown field `subjekt` - at `$.types`; {KNOWN}",
    ),
    ('{"predicates": {"met": {}, "met": {}}}', "'met' stands twice in one object; join the two"),
    (
        '{"predicates": {"met": {"marks": {"object": ["<<>>"]}}}}',
        "'met': marks '<<>>' are no pair; give two marks, opening and closing, such as '《》'",
    ),
    (
        '{"predicates": {"born": {"value": "(1"}}}',
        "'born': value '(1' is no regular expression: missing ), unterminated subpattern at "
        "position 0; see docs.python.org/3/library/re.html",
    ),
    (
        '{"predicates": {"met": {"inverse": "met"}}}',
        "'met' is named as its own inverse; write \"symmetric\": true instead",
    ),
    (
        '{"predicates": {"met": {"inverse": "met by", "symmetric": true}}}',
        "'met' is symmetric, and 'met by' is its inverse; a symmetric predicate is its own "
        "inverse: leave one out",
    ),
    (
        '{"predicates": {"丈夫": {"inverse": "妻子"}, "妻子": {"inverse": "爱人"}}}',
        "'妻子' has two inverses, '丈夫' and '爱人'; leave one out",
    ),
    (
        '{"predicates": {"父亲": {"inverse": "孩子"}, "母亲": {"inverse": "孩子"}}}',
        "'孩子' has two inverses, '父亲' and '母亲'; leave one out",
    ),
    (
        '{"predicates": {"owns": {"inverse": "met"}, "met": {"symmetric": true}}}',
        "'met' has two inverses, 'met' and 'owns'; leave one out",
    ),
]


@pytest.mark.parametrize(("content", "why"), BAD)
def test_a_bad_file_is_named_with_the_next_step(tmp_path: Path, content: str, why: str) -> None:
    path = tmp_path / "rules.json"
    path.write_text(content, "utf-8")
    with pytest.raises(DataError) as caught:
        Schema.load(path)
    assert str(caught.value) == f"{path}: {why}"


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError) as caught:
        Schema.load(tmp_path / "none.json")
    assert (
        str(caught.value) == f"{tmp_path / 'none.json'}: cannot be read: No such file or directory"
    )
    (tmp_path / "gb.json").write_bytes('{"predicates": {"妻子": {}}}'.encode("gb18030"))
    with pytest.raises(DataError, match=r"gb\.json: not UTF-8 \(.* at byte 17\); save it as"):
        Schema.load(tmp_path / "gb.json")


def test_a_byte_order_mark_is_no_fault(tmp_path: Path) -> None:
    path = tmp_path / "rules.json"
    path.write_text('\ufeff{"predicates": {"met": {"symmetric": true}}}', "utf-8")
    assert quern.Schema.load(path).mirrors == {"met": "met"}


def test_the_example_of_the_page_is_a_schema(tmp_path: Path) -> None:
    page = EXAMPLE.parent.parent.joinpath("docs", "data.md").read_text("utf-8")
    start = page.index('{"predicates"')
    path = tmp_path / "rules.json"
    path.write_text(page[start : page.index("```", start)], "utf-8")
    rules = Schema.load(path)
    for rule in RULES:
        stated = [getattr(of, rule) for of in rules.predicates.values()]
        assert any(value != getattr(PredicateRules(), rule) for value in stated), rule


def test_the_example_fits_the_shipped_model() -> None:
    rules = Schema.load(EXAMPLE)
    ruled, bare = TripleReader("zh-triples", schema=rules), TripleReader("zh-triples")
    assert set(rules.names) <= ruled.predicates() < TripleReader().predicates()
    texts = EXAMPLE.with_name("zh.txt").read_text("utf-8").splitlines()
    for text, after, before in zip(texts, ruled(texts), bare(texts), strict=True):
        assert after.triples == rules.apply(text, before.triples)
        assert after.model == before.model


# -- the command line -----------------------------------------------------------------

TEXTS = ["Ann met Bob .", "Carl met Bob ."]
SURE = (0.9, 0.9)
MODEL = fake_model(
    TEXTS, {"ann": SURE, "carl": (0.6, 0.6)}, {("met", "bob"): SURE, ("saw", "bob"): SURE}
)


@pytest.fixture
def rules_file(tmp_path: Path) -> Path:
    path = tmp_path / "rules.json"
    predicates = {"met": {"symmetric": True}, "saw": {"value": "B", "inverse": "seen by"}}
    predicates["knew"] = {"single": True}
    path.write_text(json.dumps({"predicates": predicates}), "utf-8")
    return path


def run_evaluate(tmp_path: Path, *words: str | Path) -> Result:
    data = tmp_path / "test.jsonl"
    labels = [[["Ann", "met", "Bob"], ["Bob", "met", "Ann"]], [["Carl", "met", "Bob"]]]
    lines = [{"text": t, "triples": of} for t, of in zip(TEXTS, labels, strict=True)]
    data.write_text("".join(json.dumps(line) + "\n" for line in lines), "utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(evaluate, "_of_other_task", lambda model: None)
        patch.setattr(evaluate_triples, "_open", lambda model: (MODEL, None))
        return CliRunner().invoke(evaluate.command, ["a-model", str(data), *map(str, words)])


UNKNOWN = (
    "schema: the model does not know 'knew'; its rules do nothing. "
    "See what is known with: quern info MODEL\n"
    "schema: the model does not know 'seen by'; it comes only as the inverse of 'saw'\n"
)


def test_evaluate_scores_what_the_rules_leave(tmp_path: Path, rules_file: Path) -> None:
    result = run_evaluate(tmp_path, "--schema", rules_file, "--format", "json")
    assert result.exit_code == 0, result.output
    assert result.stderr == UNKNOWN + "rule value: 2 dropped\nrule symmetric: 2 added\n"
    record = json.loads(result.stdout)
    assert record["schema"] == str(rules_file)
    assert record["without"] == []
    figures = record["overall"]
    assert (figures["wanted"], figures["given"], figures["right"]) == (3, 4, 3)


def test_rules_can_be_left_out(tmp_path: Path, rules_file: Path) -> None:
    words = ("--schema", rules_file, "--without", "value", "--without", "symmetric")
    result = run_evaluate(tmp_path, *words, "--format", "json")
    assert result.stderr == UNKNOWN + "rule inverse: 2 added\n"
    assert json.loads(result.stdout)["without"] == ["value", "symmetric"]
    assert json.loads(result.stdout)["overall"]["given"] == 6


def test_the_report_names_the_schema(tmp_path: Path, rules_file: Path) -> None:
    page = tmp_path / "errors.html"
    run_evaluate(tmp_path, "--schema", rules_file, "--report", page)
    assert "<h1>a-model with rules.json on test.jsonl</h1>" in page.read_text("utf-8")


def test_without_wants_a_schema_and_a_rule(tmp_path: Path, rules_file: Path) -> None:
    result = run_evaluate(tmp_path, "--without", "single")
    assert result.exit_code == 2
    assert "--without needs --schema, the file that holds the rules" in result.stderr
    assert run_evaluate(tmp_path, "--schema", rules_file, "--without", "doubt").exit_code == 2


def run_extract(*words: str | Path, stdin: str) -> Result:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("quern.shipped.load_triples", lambda model: MODEL)
        known = {label.predicate for label in MODEL.labels}
        patch.setattr(TripleReader, "predicates", lambda self: known)
        return CliRunner().invoke(extract.command, list(map(str, words)), input=stdin)


@pytest.mark.parametrize("threads", ["1", "3"])
def test_extract_writes_what_the_rules_leave(rules_file: Path, threads: str) -> None:
    lines = "\n".join(TEXTS * 300)
    result = run_extract("--schema", rules_file, "--threads", threads, stdin=lines)
    assert result.exit_code == 0, result.output
    assert result.stderr == (
        f"{UNKNOWN}600 texts, 1,200 facts\nrule value: 600 dropped\nrule symmetric: 600 added\n"
    )
    row = json.loads(result.stdout.splitlines()[0])
    ends = [(t["subject"]["text"], t["predicate"], t["object"]["text"]) for t in row["triples"]]
    assert ends == [("Ann", "met", "Bob"), ("Bob", "met", "Ann")]
    for t in row["triples"]:
        for end in (t["subject"], t["object"]):
            assert row["text"][end["start"] : end["end"]] == end["text"]


def test_a_schema_that_cannot_be_is_an_error_before_the_work(tmp_path: Path) -> None:
    path = tmp_path / "rules.json"
    path.write_text('{"predicates": {"met": {"inverse": "met"}}}', "utf-8")
    result = run_extract("--schema", path, stdin=TEXTS[0])
    assert (result.stdout, result.stderr) == ("", "")
    assert isinstance(result.exception, DataError)
