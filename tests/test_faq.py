"""A FAQ by a model that is easy to follow: what is answered, refused, tuned, changed, kept."""

from __future__ import annotations

import json
import sqlite3
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

from quern import shipped
from quern.cli.faq import command
from quern.data import read_faq, read_faq_examples
from quern.errors import DataError, FolderError, MissingExtra, StoreError
from quern.faq import Faq
from quern.faq.tuning import Judged, decide, tune
from quern.index import ExactIndex, ServedIndex
from quern.records import FaqEntry, FaqExample
from quern.vector_store import store as module

# The database in memory looks at everything anyway, and says so when it is asked to.
IN_MEMORY = pytest.mark.filterwarnings("ignore:Local mode performs exact")


class Letters:
    """A text by its letters: vectors of texts with the same letters are the same."""

    dim, identity = 26, "letters"

    def __init__(self) -> None:
        self.read: list[str] = []

    def __call__(self, texts: list[str]) -> np.ndarray:
        self.read += texts
        rows = np.zeros((len(texts), self.dim), dtype=np.float32)
        for row, text in zip(rows, texts, strict=True):
            for letter in text.lower():
                if "a" <= letter <= "z":
                    row[ord(letter) - 97] += 1
        lengths = np.linalg.norm(rows, axis=1, keepdims=True)
        return np.divide(rows, lengths, out=rows, where=lengths > 0)


ENTRIES = [
    FaqEntry("pay", "By card.", ("how to pay", "may I pay by card"), 1),
    FaqEntry("open", "At nine.", ("when do you open", "opening hours"), 2),
    FaqEntry("post", "In two days.", ("how long does a parcel take",), 3),
]


@pytest.fixture
def model(monkeypatch: pytest.MonkeyPatch) -> Letters:
    made = Letters()
    monkeypatch.setattr(module, "find", Path)
    monkeypatch.setattr(module, "load_encoder", lambda path: made)
    return made


@pytest.fixture
def faq(tmp_path: Path, model: Letters) -> Faq:
    return Faq.build(tmp_path / "shop.faq", ENTRIES, "letters")


def test_the_best_answers_come_once_with_their_nearest_phrasing(faq: Faq) -> None:
    (reply,) = faq.ask(["pay how to"], top=2)
    assert reply.answered
    assert (reply.answers[0].id, reply.answers[0].question) == ("pay", "how to pay")
    assert reply.answers[0].score == pytest.approx(1)
    assert len({a.id for a in reply.answers}) == 2
    assert reply.answers[0].probability is None


@IN_MEMORY
@pytest.mark.parametrize("kind", ["exact", "approximate", "http://nowhere:6333/faq"])
def test_it_answers_alike_by_every_index(
    kind: str, faq: Faq, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("faiss")
    client = pytest.importorskip("qdrant_client").QdrantClient(":memory:")
    monkeypatch.setattr("quern.index.served._connected", lambda *given: (client, "faq"))
    other = Faq.build(tmp_path / "other.faq", ENTRIES, "letters", index=kind)
    asked = ["pay", "opening", "parcel", "!"]
    more = [FaqEntry("quiz", "On Mondays.", ("quiz", "questions"))]
    for change in (
        lambda each: None,
        lambda each: each.add(more),
        lambda each: each.remove(["pay"]),
    ):
        assert change(faq) == change(other)
        assert faq.ask(asked, top=5) == other.ask(asked, top=5)
    with Faq.open(other.path) as again:
        assert again.ask(asked, top=5) == faq.ask(asked, top=5)


@IN_MEMORY
def test_what_a_database_lost_is_added_again(
    tmp_path: Path, model: Letters, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = pytest.importorskip("qdrant_client").QdrantClient(":memory:")
    monkeypatch.setattr("quern.index.served._connected", lambda *given: (client, "faq"))
    made = Faq.build(tmp_path / "s.faq", ENTRIES, "letters", index="http://nowhere:6333/faq")
    made._index.now().remove([1, 2])
    with Faq.open(made.path) as again:
        assert again.ask(["how to pay"])[0].answers[0].question == "how to pay"


class Killed(Exception):
    """Ends a change in the middle."""


@IN_MEMORY
@pytest.mark.parametrize("change", ["add", "remove"])
def test_a_database_never_holds_more_than_the_file(
    change: str, tmp_path: Path, model: Letters, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Else what a later kill leaves out could not be seen by counting.
    client = pytest.importorskip("qdrant_client").QdrantClient(":memory:")
    monkeypatch.setattr("quern.index.served._connected", lambda *given: (client, "faq"))
    made = Faq.build(tmp_path / "s.faq", ENTRIES, "letters", index="http://nowhere:6333/faq")

    def broken(index: ServedIndex, *given: object) -> None:
        raise Killed

    with monkeypatch.context() as patched, pytest.raises(Killed):
        patched.setattr(ServedIndex, change, broken)
        if change == "add":
            made.add([FaqEntry("quiz", "On Mondays.", ("quiz",))])
        else:
            made.remove(["pay"])
    assert client.count("faq").count <= made.phrasings
    for again in (made, Faq.open(made.path)):
        found = again.ask(["how to pay"], top=9)[0].answers
        assert sorted(a.id for a in found) == sorted(made.ids)
    assert client.count("faq").count == made.phrasings


@IN_MEMORY
def test_what_left_the_database_alone_comes_back(
    tmp_path: Path, model: Letters, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = pytest.importorskip("qdrant_client").QdrantClient(":memory:")
    monkeypatch.setattr("quern.index.served._connected", lambda *given: (client, "faq"))
    made = Faq.build(tmp_path / "s.faq", ENTRIES, "letters", index="http://nowhere:6333/faq")
    whole = ServedIndex.remove

    def broken(index: ServedIndex, *given: object) -> None:
        whole(index, *given)
        raise Killed

    with monkeypatch.context() as patched, pytest.raises(Killed):
        patched.setattr(ServedIndex, "remove", broken)
        made.remove(["pay"])
    assert made.ids == ["pay", "open", "post"]
    for again in (made, Faq.open(made.path)):
        assert again.ask(["how to pay"])[0].answers[0].id == "pay"


def test_few_answers_are_not_looked_for_everywhere(
    tmp_path: Path, model: Letters, monkeypatch: pytest.MonkeyPatch
) -> None:
    questions = tuple("a" * i + "b" * j for i in range(1, 9) for j in range(1, 9))
    made = Faq.build(tmp_path / "t.faq", [FaqEntry("a", "A", questions)], "letters")
    asked: list[int] = []
    search = ExactIndex.search
    monkeypatch.setattr(
        ExactIndex, "search", lambda index, rows, k: asked.append(k) or search(index, rows, k)
    )
    assert [a.id for a in made.ask(["ab"], top=3)[0].answers] == ["a"]
    assert asked == [4]


@IN_MEMORY
def test_a_collection_in_use_is_not_built_upon(
    tmp_path: Path, model: Letters, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Two FAQs count their phrasings alike: one would answer with the vectors of the other.
    client = pytest.importorskip("qdrant_client").QdrantClient(":memory:")
    monkeypatch.setattr("quern.index.served._connected", lambda *given: (client, "faq"))
    path, address = tmp_path / "s.faq", "http://nowhere:6333/faq"
    made = Faq.build(path, ENTRIES, "letters", index=address)
    before = made.ask(["how to pay"])
    model.read.clear()
    for other in (path, tmp_path / "other.faq"):
        assert refused(
            StoreError,
            lambda other=other: Faq.build(
                other, ENTRIES[1:], "letters", index=address, overwrite=True
            ),
        ) == (
            f"{address}: is in use, perhaps by the file that is to be replaced; name another "
            "collection, or delete this one in the database"
        )
    assert not (tmp_path / "other.faq").exists()
    assert not model.read
    with Faq.open(path) as again:
        assert again.ask(["how to pay"]) == before


@pytest.mark.parametrize(
    ("missing", "index", "said"),
    [
        ("faiss", "approximate", "an approximate index needs the 'ann' extra: "
         "pip install 'quern[ann]'"),
        ("qdrant_client", "http://h:1/x", "an index in a database needs the 'served' extra: "
         "pip install 'quern[served]'"),
    ],
)  # fmt: skip
def test_a_missing_extra_is_told_before_anything_is_read(
    missing: str,
    index: str,
    said: str,
    tmp_path: Path,
    model: Letters,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, missing, None)
    path = tmp_path / "x.faq"
    assert refused(MissingExtra, lambda: Faq.build(path, ENTRIES, "letters", index=index)) == said
    assert not model.read
    assert not list(tmp_path.iterdir())


def test_all_answers_come_if_they_are_asked_for(faq: Faq) -> None:
    (reply,) = faq.ask(["hours"], top=50)
    assert sorted(a.id for a in reply.answers) == ["open", "pay", "post"]
    scores = [a.score for a in reply.answers]
    assert scores == sorted(scores, reverse=True)


def test_a_question_that_cannot_be_read_has_no_answer(faq: Faq) -> None:
    reply, other = faq.ask(["???", "opening hours"])
    assert (reply.answered, reply.answers) == (False, ())
    assert other.answers[0].id == "open"


def test_marks_mean_nothing_to_a_model_that_gives_them_a_direction(
    faq: Faq, model: Letters, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Letters, "__call__", lambda self, texts: np.eye(26)[[3 for _ in texts]])
    assert faq.ask(["?!"])[0].answers == ()
    assert refused(DataError, lambda: faq.add([FaqEntry("odd", "O", ("!!",), 7)])) == (
        "line 7: '!!': nothing in it can be read; leave it out"
    )


def test_near_ties_are_told(tmp_path: Path, model: Letters) -> None:
    entries = [
        FaqEntry("a", "A", ("abc",)),
        FaqEntry("b", "B", ("cba",)),
        FaqEntry("c", "C", ("z",)),
    ]
    (reply,) = Faq.build(tmp_path / "t.faq", entries, "letters").ask(["bca"])
    assert (reply.ties, [a.id for a in reply.answers[:2]]) == (1, ["a", "b"])


def test_it_is_the_same_when_it_is_opened_again(faq: Faq) -> None:
    asked = ["pay", "open", "parcel", "zzz"]
    with Faq.open(faq.path) as again:
        assert again.ask(asked) == faq.ask(asked)
        assert (again.ids, again.phrasings) == (["pay", "open", "post"], 5)


def test_only_what_is_new_is_read(faq: Faq, model: Letters) -> None:
    model.read.clear()
    more = [
        FaqEntry("pay", "By card.", ("how to pay", "payment")),
        FaqEntry("fee", "None.", ("is there a fee",)),
    ]
    assert faq.add(more) == 2
    assert model.read == ["payment", "is there a fee"]
    assert faq.ask(["payment"])[0].answers[0].question == "payment"
    assert faq.ask(["fee is there a"])[0].answers[0].id == "fee"
    assert faq.remove(["fee", "open"]) == 3
    assert {a.id for a in faq.ask(["fee opening"], top=9)[0].answers} == {"pay", "post"}
    with Faq.open(faq.path) as again:
        assert again.ask(["payment", "fee"], top=9) == faq.ask(["payment", "fee"], top=9)


def test_what_another_changes_counts_at_the_next_question(faq: Faq) -> None:
    faq.ask(["pay"])
    with Faq.open(faq.path) as other:
        other.add([FaqEntry("quiz", "On Mondays.", ("quiz",))])
        assert faq.ask(["quiz"])[0].answers[0].id == "quiz"
        other.remove(["quiz"])
    assert "quiz" not in {a.id for a in faq.ask(["quiz"], top=9)[0].answers}


def test_what_another_writes_while_one_waits_is_not_missed(faq: Faq) -> None:
    faq.ask(["pay"])
    other, begun = Faq.open(faq.path), threading.Event()

    def write() -> None:
        with other._store.transaction():
            other._put([FaqEntry("quiz", "On Mondays.", ("quiz",))], None)
            begun.set()
            time.sleep(0.2)

    writer = threading.Thread(target=write)
    writer.start()
    assert begun.wait(10)
    faq.add([FaqEntry("jazz", "On Fridays.", ("jazz",))])
    writer.join()
    assert [faq.ask([each])[0].answers[0].id for each in ("quiz", "jazz")] == ["quiz", "jazz"]
    other.close()


def test_an_index_that_fails_is_made_anew(faq: Faq, monkeypatch: pytest.MonkeyPatch) -> None:
    index = faq._index.now()
    monkeypatch.setattr(index, "add", lambda *given: refuse())

    def refuse() -> None:
        raise StoreError("the database is away")

    more = [FaqEntry("quiz", "On Mondays.", ("quiz",))]
    assert refused(StoreError, lambda: faq.add(more)) == "the database is away"
    assert faq.ask(["quiz"])[0].answers[0].id == "quiz"


def test_an_answer_without_an_id_is_known_by_its_words(faq: Faq, tmp_path: Path) -> None:
    row = {"question": "card", "answer": "By card."}
    assert faq.add(read_faq(write(tmp_path / "more.jsonl", row))) == 1
    assert faq.ids == ["pay", "open", "post"]
    assert faq.entry("pay").questions == ("how to pay", "may I pay by card", "card")
    rows = [{"question": "a", "answer": "A"}, {"question": "b", "answer": "A", "id": "a"}]
    mixed = Faq.build(tmp_path / "m.faq", read_faq(write(tmp_path / "m.jsonl", *rows)), "letters")
    assert [(id_, mixed.entry(id_).questions) for id_ in mixed.ids] == [("a", ("a", "b"))]


def test_what_is_given_twice_counts_once(faq: Faq) -> None:
    twice = [FaqEntry("n", "N", ("x", "x")), FaqEntry("n", "N", ("y", "x"))]
    assert faq.add(twice) == 2
    assert faq.entry("n").questions == ("x", "y")
    both = [FaqEntry("m", "M", ("u",)), FaqEntry("m", "other", ("v",))]
    assert "answer 'm' is there with other words" in refused(DataError, lambda: faq.add(both))
    assert faq.entry("m") is None


def refused(error: type[Exception], call) -> str:
    with pytest.raises(error) as caught:
        call()
    return str(caught.value)


def test_changes_are_whole_or_not_made(faq: Faq) -> None:
    before = faq.ask(["pay", "open"], top=9)
    assert refused(DataError, lambda: faq.remove(["pay", "nobody"])) == (
        f"{faq.path}: no answer 'nobody'; see them with: quern faq show"
    )
    more = [FaqEntry("new", "N", ("new",)), FaqEntry("odd", "O", ("!!",), 7)]
    assert refused(DataError, lambda: faq.add(more)) == (
        "line 7: '!!': nothing in it can be read; leave it out"
    )
    assert refused(DataError, lambda: faq.add([FaqEntry("pay", "In cash.", ("cash",))])) == (
        f"{faq.path}: answer 'pay' is there with other words; remove it first "
        f"(quern faq remove {faq.path} pay), or give the new one another id"
    )
    assert faq.ask(["pay", "open"], top=9) == before
    assert faq.ids == ["pay", "open", "post"]


def test_a_build_that_fails_leaves_nothing(tmp_path: Path, model: Letters) -> None:
    bad = [*ENTRIES, FaqEntry("odd", "O", ("?",), 9)]
    refused(DataError, lambda: Faq.build(tmp_path / "x.faq", bad, "letters"))
    assert list(tmp_path.iterdir()) == []
    made = Faq.build(tmp_path / "x.faq", ENTRIES, "letters")
    refused(DataError, lambda: Faq.build(tmp_path / "x.faq", bad, "letters", overwrite=True))
    assert made.ids == ["pay", "open", "post"]
    assert refused(StoreError, lambda: Faq.build(tmp_path / "x.faq", ENTRIES, "letters")) == (
        f"{tmp_path / 'x.faq'}: exists already; choose another name, or pass --overwrite"
    )


def test_the_old_one_stays_until_the_new_one_is_in_its_place(
    faq: Faq, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(*given: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(Path, "replace", killed)
        Faq.build(faq.path, ENTRIES[1:], "letters", overwrite=True)
    with Faq.open(faq.path) as again:
        assert again.ids == ["pay", "open", "post"]
    assert Faq.build(faq.path, ENTRIES[1:], "letters", overwrite=True).ids == ["open", "post"]


def test_a_model_that_moved_is_asked_for(faq: Faq, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "find", shipped.find)
    assert refused(FolderError, lambda: Faq.open(faq.path)) == (
        f"{faq.path}: its model is no longer at letters; say where it is now (--model)"
    )


def test_another_model_is_refused(faq: Faq, model: Letters) -> None:
    model.identity = "others"
    assert refused(StoreError, lambda: Faq.open(faq.path)) == (
        f"{faq.path}: was built with another model, whose vectors are not like these; build it "
        "again with this one (quern faq build), or name that one (--model)"
    )


def test_other_files_are_refused(tmp_path: Path, model: Letters) -> None:
    path = tmp_path / "a.faq"
    assert refused(StoreError, lambda: Faq.open(path)) == (
        f"{path}: no such FAQ; make one with: quern faq build QUESTIONS --model MODEL --out {path}"
    )
    path.write_text("nothing of ours, but long enough to be looked at" * 50)
    assert refused(StoreError, lambda: Faq.open(path)) == f"{path}: not a FAQ"
    other = tmp_path / "b.faq"
    with sqlite3.connect(other) as connection:
        connection.execute("CREATE TABLE t (x)")
    connection.close()
    assert refused(StoreError, lambda: Faq.open(other)) == (
        f"{other}: a database, but not a FAQ of quern's"
    )


# -- tuning -------------------------------------------------------------------------------

JUDGED = [
    Judged(0.9, True, True),
    Judged(0.8, False, True),
    Judged(0.7, True, True),
    Judged(0.6, False, False),
    Judged(0.5, True, True),
    Judged(0.4, False, False),
]


def test_decisions_by_hand() -> None:
    at = decide(JUDGED, 0.65)
    assert (at.accuracy, at.refused) == (pytest.approx(2 / 4), pytest.approx(1.0))
    assert (at.answered, at.precision) == (pytest.approx(3 / 6), pytest.approx(2 / 3))
    assert decide(JUDGED, 1.0).precision is None


def test_both_sides_count_alike() -> None:
    # At 0.65: 1/2 and 1; at 0.45: 3/4 and 1/2; at 0.55: 1/2 and 1/2.
    assert tune(JUDGED, -1.0).after.threshold == pytest.approx(0.65)
    many = [*JUDGED, *[Judged(0.5, True, True)] * 20]
    assert tune(many, -1.0).after.threshold == pytest.approx(0.45)


def test_a_precision_is_reached_by_the_lowest_threshold() -> None:
    assert tune(JUDGED, -1.0, 0.9).after.threshold == pytest.approx(0.85)
    assert tune(JUDGED, -1.0, 0.65).after.threshold == pytest.approx(0.65)
    assert tune(JUDGED, -1.0, 0.6).after.threshold == pytest.approx(0.45)
    never = [Judged(0.5, False, True), Judged(0.4, True, True)]
    assert refused(DataError, lambda: tune(never, -1.0, 0.8)).startswith(
        "no threshold reaches a precision of 0.8; the best is 0.500. Ask for less"
    )


EXAMPLES = [
    *[FaqExample(question, e.id) for e in ENTRIES for question in e.questions],
    *[FaqExample(text, None, 7) for text in ("zebra", "jazz", "quux", "kkk", "vvv")],
]


def test_what_cannot_be_read_counts_as_refused(faq: Faq) -> None:
    examples = [FaqExample("???", None), FaqExample("!", "open"), FaqExample("how to pay", "pay")]
    before = faq.tune(examples, keep=False).before
    assert (before.threshold, before.refused, before.accuracy) == (-1.0, 1.0, 0.5)
    assert (before.answered, before.precision) == (pytest.approx(1 / 3), 1.0)
    assert faq.tune(examples[:2], keep=False).after.threshold == -1.0


def test_what_was_tuned_is_kept(faq: Faq) -> None:
    dry = faq.tune(EXAMPLES, keep=False)
    assert faq.threshold is None
    kept = faq.tune(EXAMPLES)
    assert dry == kept
    assert faq.threshold == kept.after.threshold
    assert (kept.after.accuracy, kept.after.refused) == (1, 1)
    with Faq.open(faq.path) as again:
        yes, no = again.ask(["how to pay", "zebra"])
    assert (yes.answered, no.answered) == (True, False)
    assert yes.answers[0].probability > 0.5 > no.answers[0].probability
    assert no.answers  # what came nearest is shown
    assert faq.ask(["zebra"], threshold=-1.0)[0].answered
    assert faq.tune(EXAMPLES).before == kept.after
    for file, where in (("", "line 4"), ("dev.jsonl", "dev.jsonl:4")):
        wrong = [FaqExample("x", "nobody", 4, file)]
        assert refused(DataError, lambda wrong=wrong: faq.tune(wrong)) == (
            f"{where}: no answer 'nobody'; see them with: quern faq show"
        )


# -- files ----------------------------------------------------------------------------------


def write(path: Path, *rows: object) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    return path


def test_lines_of_one_answer_are_joined(tmp_path: Path) -> None:
    path = write(
        tmp_path / "q.jsonl",
        {"question": "a", "answer": "A", "id": 1},
        {"questions": ["b", "a", "b"], "answer": "A", "id": 1},
        {"question": "c", "answer": "C"},
        {"question": "d", "answer": "C"},
    )
    one, two = read_faq(path)
    assert (one.id, one.questions) == ("1", ("a", "b"))
    assert (two.questions, len(two.id)) == (("c", "d"), 12)
    table = tmp_path / "q.csv"
    table.write_text('\ufeffanswer,question,id\r\n"A\nB",a,1\r\n"A\nB",b,1\r\n', "utf-8")
    assert read_faq(table) == [FaqEntry("1", "A\nB", ("a", "b"), 2)]


def test_bad_lines_are_named(tmp_path: Path) -> None:
    path = write(
        tmp_path / "q.jsonl",
        {"question": "a", "answer": "A", "id": 1},
        {"question": "b", "answer": "B", "id": 1},
        {"question": " ", "answer": "B"},
        {"answer": "B"},
        {"question": "a", "answer": ""},
        {"questions": ["a", "?!"], "answer": "A"},
    )
    said = refused(DataError, lambda: read_faq(path))
    assert f"{path}: 5 line(s) cannot be read:" in said
    assert f"{path}:2: id '1' has another answer in line 1" in said
    assert f"{path}:3: a question is empty" in said
    assert f'{path}:4: a line has one of "question" and "questions"' in said
    assert f'{path}:5: "answer" is empty' in said
    assert f"{path}:6: a question has no letter: '?!'" in said
    table = tmp_path / "q.csv"
    table.write_text("q,a\nx,y\n", "utf-8")
    assert refused(DataError, lambda: read_faq(table)).startswith(
        f"{table}:1: its columns are q, a; wanted are question, answer, and perhaps id"
    )
    table.write_text("question,answer\nx\n", "utf-8")
    assert f"{table}:2: 1 cells, the head has 2 columns" in refused(
        DataError, lambda: read_faq(table)
    )
    path.write_text("", "utf-8")
    assert refused(DataError, lambda: read_faq(path)).startswith(f"{path}: no lines; expected")
    path.write_text('{"question": "x"}\n', "utf-8")
    assert "missing required field `id`" in refused(DataError, lambda: read_faq_examples(path))


def test_the_examples_fit_together() -> None:
    examples = Path(__file__).parent.parent / "examples"
    entries = read_faq(examples / "faq.jsonl")
    asked = read_faq_examples(examples / "faq-dev.jsonl")
    known = {question for entry in entries for question in entry.questions}
    assert len(known) == sum(len(entry.questions) for entry in entries)
    assert {each.id for each in asked} - {None} <= {entry.id for entry in entries}
    assert not known & {each.question for each in asked}  # else there would be nothing to find
    assert sum(each.id is None for each in asked) * 3 == len(asked)


# -- the verbs --------------------------------------------------------------------------------


def run(*args: str | Path, given: str | None = None, fails: int = 0) -> Result:
    result = CliRunner().invoke(command, list(map(str, args)), input=given)
    assert result.exit_code == fails, result.output + repr(result.exception)
    return result


def test_the_verbs_in_turn(tmp_path: Path, model: Letters) -> None:
    lines = [{"questions": e.questions, "answer": e.answer, "id": e.id} for e in ENTRIES]
    data, out = write(tmp_path / "q.jsonl", *lines), tmp_path / "shop.faq"
    dev = write(tmp_path / "dev.jsonl", *({"question": e.question, "id": e.id} for e in EXAMPLES))
    words = ("build", data, "--model", "letters", "--out", out)
    assert f"wrote {out}: 3 answers to 5 questions" in run(*words).stderr
    assert "exists already" in str(run(*words, fails=1).exception)
    run(*words, "--overwrite")
    asked = run("ask", out, "how to pay", "--format", "jsonl")
    assert "not tuned" in asked.stderr
    assert json.loads(asked.stdout)["answers"][0]["id"] == "pay"
    told = json.loads(run("tune", out, dev, "--format", "json").stdout)
    assert told["after"]["accuracy"] == 1
    shown = run("ask", out, "how to pay", "zebra", "--format", "table").stdout
    assert "By card." in shown
    assert "zebra: no answer; nearest came" in shown
    assert run("ask", out, "?!", "--format", "table").stdout == "?!: no answer\n\n"
    held = write(tmp_path / "ask.jsonl", {"text": "how to pay", "id": "q1"})
    held.write_text(held.read_text("utf-8") + "nonsense\n", "utf-8")
    broken = run("ask", out, "zebra", "--input", held, "--format", "jsonl", fails=1)
    assert f"{held}:2: " in str(broken.exception)
    first, second = map(json.loads, broken.stdout.splitlines())  # what stands before is answered
    assert "file" not in first
    assert {key: second[key] for key in ("file", "line", "id", "question")} == {
        "file": str(held), "line": 1, "id": "q1", "question": "how to pay"
    }  # fmt: skip
    given = '{"text": "zebra"}\n'
    piped = run("ask", out, "--input", "-", "--input-form", "jsonl", "--format", "jsonl",
                given=given)  # fmt: skip
    assert json.loads(piped.stdout)["question"] == "zebra"
    many = run("ask", out, "--input", "-", "--format", "jsonl", given="how to pay\nzebra\n")
    assert [json.loads(line)["answered"] for line in many.stdout.splitlines()] == [True, False]
    more = write(tmp_path / "more.jsonl", {"question": "quiz", "answer": "On Mondays.", "id": "q"})
    assert "1 phrasings added" in run("add", out, more).stderr
    assert "1 answers removed, with 1 phrasings" in run("remove", out, "q").stderr
    rows = [json.loads(line) for line in run("show", out).stdout.splitlines()]
    assert [row["id"] for row in rows] == ["pay", "open", "post"]
    assert "threshold" in run("show", out, "pay").stderr
    assert "no question is given" in run("ask", out, fails=2).output
    assert (
        "exact, approximate, auto, or an address"
        in run(*words, "--overwrite", "--index", "fast", fails=2).output
    )
