"""Similar documents by a model that is easy to follow: found, left out, changed, kept."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from quern.cli.similar import command
from quern.data import StoredDocument, read_collection
from quern.errors import DataError, StoreError
from quern.faq import Faq
from quern.records import FaqEntry
from quern.similar import Similar
from quern.vector_store import store as module
from test_faq import Letters

DOCUMENTS = [
    StoredDocument("tram", "the tram to the harbour", line=1),
    StoredDocument("train", "a train to the harbour", line=2),
    StoredDocument("violin", "fiddle", "violin", 3),
]


@pytest.fixture
def model(monkeypatch: pytest.MonkeyPatch) -> Letters:
    made = Letters()
    monkeypatch.setattr(module, "find", Path)
    monkeypatch.setattr(module, "load_encoder", lambda path: made)
    return made


@pytest.fixture
def similar(tmp_path: Path, model: Letters) -> Similar:
    return Similar.build(tmp_path / "d.similar", DOCUMENTS, "letters")


def ids(found: list[list]) -> list[list[str]]:
    return [[document.id for document in documents] for documents in found]


def test_the_nearest_come_first(similar: Similar) -> None:
    (found,) = similar.ask(["the tram to the harbour"])
    assert [d.id for d in found] == ["tram", "train", "violin"]
    scores = [d.score for d in found]
    assert scores[0] == pytest.approx(1)
    assert scores == sorted(scores, reverse=True)
    assert ids(similar.ask(["the tram", "fiddle"], top=1)) == [["tram"], ["violin"]]


def test_a_title_is_read_before_the_text(similar: Similar) -> None:
    (found,) = similar.ask(["violin\nfiddle"], top=1)
    assert (found[0].title, found[0].text) == ("violin", "fiddle")
    assert found[0].score == pytest.approx(1)


def test_what_is_less_like_is_not_shown(similar: Similar) -> None:
    (every,) = similar.ask(["the tram to the harbour"])
    for least in (every[1].score, 0.5, -1.0):
        (found,) = similar.ask(["the tram to the harbour"], least=least)
        assert found == [d for d in every if d.score >= least]
    assert similar.ask(["zzz"], least=0.1) == [[]]


def test_nothing_is_like_a_text_without_a_letter(similar: Similar) -> None:
    assert ids(similar.ask(["?!", "fiddle"], top=1)) == [[], ["violin"]]


def test_like_a_document_but_not_itself(similar: Similar) -> None:
    assert ids(similar.like(["tram", "violin"], top=1)) == [["train"], ["train"]]
    assert ids(similar.like(["tram"])) == [["train", "violin"]]
    with pytest.raises(DataError, match="no document 'bus'; see them with: quern similar show"):
        similar.like(["bus"])


def test_changes_are_whole_or_not_made(similar: Similar) -> None:
    before = similar.ask(["harbour", "fiddle"])
    with pytest.raises(DataError, match="no document 'bus'"):
        similar.remove(["tram", "bus"])
    with pytest.raises(DataError, match="line 9: '!!': nothing in it can be read; leave it out"):
        similar.add([StoredDocument("bus", "bus"), StoredDocument("odd", "!!", line=9)])
    with pytest.raises(DataError, match="document 'tram' is there with other words"):
        similar.add([StoredDocument("tram", "bus")])
    assert similar.ask(["harbour", "fiddle"]) == before
    assert similar.ids == ["tram", "train", "violin"]


def test_what_is_added_is_found_and_read_once(similar: Similar, model: Letters) -> None:
    model.read.clear()
    assert similar.add([*DOCUMENTS, StoredDocument("bus", "bus")]) == 1
    assert model.read == ["bus"]
    assert ids(similar.ask(["bus"], top=1)) == [["bus"]]
    assert similar.remove(["bus", "bus", "tram"]) == 2
    assert ids(similar.ask(["the tram to the harbour", "bus"], top=1))[0] == ["train"]
    with Similar.open(similar.path) as again:
        assert again.ids == similar.ids == ["train", "violin"]
        assert again.ask(["bus", "tram"]) == similar.ask(["bus", "tram"])
    assert similar.remove(["train", "violin"]) == 2
    assert similar.ask(["tram"]) == [[]]
    assert len(similar) == 0


def test_what_another_changes_counts_at_the_next_question(similar: Similar) -> None:
    similar.ask(["bus"])
    with Similar.open(similar.path) as other:
        other.add([StoredDocument("bus", "bus")])
    assert ids(similar.ask(["bus"], top=1)) == [["bus"]]


def test_a_faq_is_no_file_of_documents(tmp_path: Path, similar: Similar) -> None:
    faq = Faq.build(tmp_path / "a.faq", [FaqEntry("a", "A", ("b",))], "letters")
    with pytest.raises(StoreError, match="not a file of similar documents of quern's"):
        Similar.open(faq.path)
    with pytest.raises(StoreError, match="not a FAQ of quern's"):
        Faq.open(similar.path)
    with pytest.raises(StoreError, match="make one with: quern similar build"):
        Similar.open(tmp_path / "none")


def test_another_model_is_refused(similar: Similar, model: Letters) -> None:
    model.identity = "others"
    with pytest.raises(StoreError, match=r"build it again with this one \(quern similar build\)"):
        Similar.open(similar.path)


# -- files ------------------------------------------------------------------------------------


def write(path: Path, *rows: object) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    return path


def test_lines_of_texts_and_of_titles(tmp_path: Path) -> None:
    path = write(
        tmp_path / "d.jsonl",
        {"text": "tram", "id": 7},
        {"body": "fiddle", "title": "violin", "labels": ["a"]},
        {"text": "tram", "id": "7"},
        {"text": "fiddle", "title": "violin"},
    )
    found = read_collection(path)
    assert found.documents[0] == StoredDocument("7", "tram", "", 1)
    assert (found.documents[1].text, found.documents[1].title) == ("fiddle", "violin")
    assert (len(found.documents), found.repeated, found.wordless) == (2, 2, 0)


def test_bad_lines_are_named(tmp_path: Path) -> None:
    path = write(
        tmp_path / "d.jsonl", {"text": "a", "id": 1}, {"text": "b", "id": 1}, {"text": "?"}
    )
    with pytest.raises(DataError) as caught:
        read_collection(path)
    said = str(caught.value)
    assert f"{path}: 2 line(s) cannot be read" in said
    assert f"{path}:2: id '1' has another document in line 1" in said
    assert f"{path}:3: no letter in it, so nothing is like it" in said
    assert said.endswith("leave such out with: --allow wordless")
    write(path, {"text": "a"}, {"text": "?"})
    found = read_collection(path, allow_wordless=True)
    assert (len(found.documents), found.wordless) == (1, 1)
    write(path, {"text": "a", "body": "b"}, {"id": 1})
    with pytest.raises(DataError, match=r'2: a line has one of "text" and "body"'):
        read_collection(path)


# -- the verbs --------------------------------------------------------------------------------


def run(*args: str | Path, given: str | None = None, fails: int = 0) -> Result:
    result = CliRunner().invoke(command, list(map(str, args)), input=given)
    assert result.exit_code == fails, result.output + repr(result.exception)
    return result


def test_the_verbs_in_turn(tmp_path: Path, model: Letters) -> None:
    lines = [{"text": d.text, "title": d.title, "id": d.id} for d in DOCUMENTS]
    data = write(tmp_path / "d.jsonl", *lines, lines[0], {"text": "?"})
    out = tmp_path / "d.similar"
    words = ("build", data, "--model", "letters", "--out", out)
    assert "no letter in it" in str(run(*words, fails=1).exception)
    words = (*words, "--allow", "wordless")
    assert run(*words).stderr == (
        f"wrote {out}: 3 documents; 1 lines said the same again; 1 without a letter left out\n"
    )
    assert "exists already" in str(run(*words, fails=1).exception)
    run(*words, "--overwrite", "--search", "exact")
    assert (
        "exact, approximate, auto, or an address"
        in run(*words, "--overwrite", "--search", "x", fails=2).output
    )
    index = ("--index", out)
    shown = run("ask", *index, "the tram", "fiddle", "?!", "--format", "table", "--top", "1")
    assert "violin" in shown.stdout
    assert "?!: nothing is like it\n" in shown.stdout
    assert "3 texts, 2 of them like some document" in shown.stderr
    asked = write(tmp_path / "ask.jsonl", {"text": "the tram", "id": "q"})
    told = run("ask", *index, "--input", asked, "fiddle", "--like", "tram", "--format", "jsonl",
               "--top", "1")  # fmt: skip
    like, text, line = map(json.loads, told.stdout.splitlines())
    assert (like["id"], like["documents"][0]["id"]) == ("tram", "train")
    assert (text["text"], text["documents"][0]["id"]) == ("fiddle", "violin")
    assert (line["file"], line["line"], line["id"]) == (str(asked), 1, "q")
    assert line["documents"][0]["id"] == "tram"
    assert run("ask", *index, "zzz", "--least", "0.9", "--format", "jsonl").stdout == (
        '{"text":"zzz","documents":[]}\n'
    )
    assert "no text is given" in run("ask", *index, fails=2).output
    more = write(tmp_path / "more.jsonl", lines[1], {"text": "bus", "id": "bus"})
    assert run("add", *index, more).stderr == "1 documents added; 1 were there already\n"
    assert "1 documents removed" in run("remove", *index, "tram").stderr
    shown = run("show", *index)
    assert [json.loads(row)["id"] for row in shown.stdout.splitlines()] == [
        "train",
        "violin",
        "bus",
    ]
    assert "3 documents; model letters, search exact" in shown.stderr
    assert json.loads(run("show", *index, "bus").stdout)["text"] == "bus"
    assert "no document 'tram'" in str(run("show", *index, "tram", fails=1).exception)
