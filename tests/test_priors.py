"""Known triples: found on unit borders, never those that only the text itself states."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nasty import texts
from quern.alignment import Label
from quern.data import read_facts
from quern.errors import DataError, FolderError
from quern.folder import CODEC, FORMAT, MANIFEST, PRIORS, Manifest, ModelFolder, fingerprint
from quern.folder import write_json as write
from quern.priors import Known, Priors, home_of, known_objects, known_subjects
from quern.records import LabelledTriple, TripleExample
from quern.runtime import Arrays, Results
from quern.text import CodecRules, TextCodec, Vocabulary, Window, normalise
from quern.text.search import Finder, Match, folded
from quern.triples import Thresholds, TripleModel

CODEC_ = TextCodec(Vocabulary(["字"]), CodecRules(window=12, overlap=4))
LABELS = [Label("父亲"), Label("born in"), Label("born in", "person", "town")]
PREDICATES = sorted({label.predicate for label in LABELS})

# -- finding strings --------------------------------------------------------------------


@given(texts(), st.lists(texts(2), max_size=6), st.data())
def test_strings_are_found_wherever_units_spell_them(
    text: str, strangers: list[str], data: st.DataObject
) -> None:
    encoding = CODEC_.encode(text)
    spans = [(i, j) for j in range(encoding.length) for i in range(j + 1)]
    spelled = {
        span: normalise(text[encoding.starts[span[0]] : encoding.ends[span[1]]])[0]
        for span in spans
    }
    known = data.draw(st.lists(st.sampled_from(spans), max_size=4)) if spans else []
    strings = sorted({spelled[span] for span in known} | {*map(folded, strangers)} - {""})
    wanted = [
        Match(*span, strings.index(said)) for span, said in spelled.items() if said in strings
    ]
    assert Finder(strings)(encoding) == sorted(wanted)


def test_half_a_word_or_character_is_not_found() -> None:
    encoding = CODEC_.encode("Ada Moor 3½ ＡＤＡ adam")
    strings = ["ada", "moor", "2", "3", "ada moor", "dam"]
    assert [match[:2] for match in Finder(strings)(encoding) if match.string == 0] == [
        (0, 0),
        (3, 3),
    ]
    assert {strings[match.string] for match in Finder(strings)(encoding)} == {
        "ada",
        "moor",
        "ada moor",
    }


# -- whose triples count ----------------------------------------------------------------

NAMES = ["甲", "乙", "丙丁", "Ada", "ada", "Ada Moor"]
names = st.sampled_from(NAMES)
triples = st.builds(LabelledTriple, names, st.sampled_from([*PREDICATES, "unheard of"]), names)
examples = st.builds(
    TripleExample,
    st.lists(names, max_size=6).map(" ".join),
    st.lists(triples, max_size=3).map(tuple),
)
corpora = st.lists(examples, max_size=6)


def features(priors: Priors, text: str) -> list[list[object]]:
    """All features of a text: for each window, of subjects and of every span's objects."""
    encoding = CODEC_.encode(text)
    windows = CODEC_.windows(encoding)
    rows = []
    for window, known in zip(windows, priors.find(encoding, windows), strict=True):
        length = window.stop - window.first
        spans = [(i, j) for j in range(length) for i in range(j + 1)]
        of_spans = known_objects([(known, span) for span in spans], len(LABELS), length)
        rows.append([known_subjects([known], length).tolist(), of_spans.tolist()])
    return rows


@given(corpora, st.lists(triples, max_size=3))
def test_a_text_never_sees_the_triples_that_it_alone_states(
    some: list[TripleExample], facts: list[LabelledTriple]
) -> None:
    whole = Priors.learn(some, LABELS, facts)
    for example in some:
        others = [other for other in some if other.text != example.text]
        without = Priors.learn(others, LABELS, facts)
        assert features(whole, example.text) == features(without, example.text)


def test_what_another_text_states_is_known_and_a_second_line_is_no_other_text() -> None:
    fact = LabelledTriple("甲", "父亲", "乙")
    one, other = TripleExample("甲 乙", (fact,)), TripleExample("乙 甲", (fact,))
    blank = features(Priors.learn([], LABELS), "甲 乙")
    assert features(Priors.learn([one, one], LABELS), "甲 乙") == blank
    assert features(Priors.learn([one, other], LABELS), "甲 乙") != blank
    assert features(Priors.learn([one], LABELS, [fact]), "甲 乙") != blank
    assert features(Priors.learn([one], LABELS), "乙 。 甲") != features(
        Priors.learn([], LABELS), "乙 。 甲"
    )


def test_a_changed_text_keeps_its_home() -> None:
    priors = Priors.learn([TripleExample("甲 乙", (LabelledTriple("甲", "父亲", "乙"),))], LABELS)
    changed = CODEC_.encode("甲 乙 丙")
    assert priors.find(changed, [Window(0, 3)]) == [{(0, 0): [(0, (1, 1))]}]
    assert priors.find(changed, [Window(0, 3)], home_of("甲 乙")) == [{}]


# -- what is known ------------------------------------------------------------------------


def known(text: str, facts: Sequence[LabelledTriple], windows: Sequence[Window]) -> list[Known]:
    return Priors.learn([], LABELS, facts).find(CODEC_.encode(text), windows)


def test_pairs_are_those_of_one_triple_within_one_window() -> None:
    facts = [LabelledTriple("甲", "父亲", "乙"), LabelledTriple("丙丁", "父亲", "甲")]
    text = "甲 乙 丙 丁 甲。丙丁"
    assert known(text, facts, [Window(0, 8)]) == [
        {
            (0, 0): [(0, (1, 1))],
            (4, 4): [(0, (1, 1))],
            (6, 7): [(0, (0, 0)), (0, (4, 4))],
        }
    ]
    assert known(text, facts, [Window(1, 5), Window(2, 8)]) == [
        {(3, 3): [(0, (0, 0))]},
        {(4, 5): [(0, (2, 2))]},
    ]


def test_without_types_a_triple_stands_for_all_labels_of_its_predicate() -> None:
    bare = LabelledTriple("ADA ", "born in", "甲")
    typed = LabelledTriple("Ada", "born in", "甲", subject_type="person", object_type="town")
    other = LabelledTriple("Ada", "born in", "甲", subject_type="ship")
    window = [Window(0, 2)]
    assert known("Ada 甲", [bare], window) == [{(0, 0): [(1, (1, 1)), (2, (1, 1))]}]
    assert known("Ada 甲", [typed], window) == [{(0, 0): [(2, (1, 1))]}]
    assert known("Ada 甲", [other], window) == [{}]


def test_features_mark_starts_and_ends() -> None:
    [found] = known("丙丁 Ada Moor", [LabelledTriple("丙丁", "父亲", "Ada Moor")], [Window(0, 4)])
    assert known_subjects([found, {}], 5).tolist() == [
        [[1, 0], [0, 1], [0, 0], [0, 0], [0, 0]],
        [[0, 0]] * 5,
    ]
    objects = known_objects([(found, (0, 1)), (found, (0, 2)), ({}, (0, 1))], 3, 5)
    assert objects.shape == (3, 5, 3, 2)
    assert np.argwhere(objects).tolist() == [[0, 2, 0, 0], [0, 3, 0, 1]]


# -- on disk --------------------------------------------------------------------------------


@given(corpora, corpora, st.randoms(use_true_random=False))
def test_priors_are_written_and_read_back_in_one_form(
    some: list[TripleExample], more: list[TripleExample], random: object
) -> None:
    priors = Priors.learn([*some, *more], LABELS)
    shuffled = [*some, *more]
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert Priors.learn(shuffled, LABELS).payload() == priors.payload()
    back = Priors.read(priors.payload())
    assert back.payload() == priors.payload()
    assert len(back) == len(priors)
    for example in [*some, *more]:
        assert features(back, example.text) == features(priors, example.text)
    parts = [Priors.learn(some, LABELS), Priors.learn(more, LABELS)]
    assert Priors.merged(parts).payload() == priors.payload()


def test_what_no_file_can_hold_is_left_out() -> None:
    facts = [LabelledTriple("甲\ud800", "父亲", "乙"), LabelledTriple("甲", "父亲", "乙")]
    priors = Priors.learn([], LABELS, facts)
    assert len(priors) == 1
    assert priors.payload() == '{"strings":["乙","甲"],"facts":[[0,[1,0,0]]]}'.encode()


@pytest.mark.parametrize("content", [b"", b"[]", b"\xff", b'{"strings":[],"facts":[[0,[1,2]]]}'])
def test_what_are_no_priors_is_refused(content: bytes) -> None:
    with pytest.raises(FolderError, match="priors cannot be read"):
        Priors.read(content)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A model folder with priors, without graphs."""
    path = tmp_path / "model"
    path.mkdir()
    payload = Priors.learn([], LABELS, [LabelledTriple("甲", "父亲", "乙")]).payload()
    manifest = Manifest(
        format=FORMAT, task="triples", settings={}, labels=msgspec.to_builtins(LABELS),
        thresholds={}, codec=CODEC_.fingerprint, data=None, precision="fp32", quern="0.1.0",
        priors=fingerprint(payload),
    )  # fmt: skip
    write(path / MANIFEST, manifest)
    CODEC_.save(path / CODEC)
    (path / PRIORS).write_bytes(payload)
    (path / "encoder.onnx").write_bytes(b"12345")
    return path


def test_a_folder_gives_its_priors_and_counts_them(folder: Path) -> None:
    opened = ModelFolder(folder)
    assert opened.priors is not None
    assert len(opened.priors) == 1
    assert opened.size() == sum(path.stat().st_size for path in folder.iterdir())


def spoil(path: Path) -> None:
    path.write_bytes(path.read_bytes().replace("甲".encode(), "丙".encode()))


@pytest.mark.parametrize(
    ("harm", "said"),
    [(Path.unlink, "cannot be read: No such file"), (spoil, "take both from one training")],
)
def test_wrong_priors_are_refused(folder: Path, harm: Callable[[Path], None], said: str) -> None:
    harm(folder / PRIORS)
    with pytest.raises(FolderError, match=said):
        _ = ModelFolder(folder).priors


def test_a_folder_from_before_priors_has_none(folder: Path) -> None:
    raw = msgspec.json.decode((folder / MANIFEST).read_bytes())
    del raw["priors"], raw["families"]
    write(folder / MANIFEST, raw)
    assert ModelFolder(folder).priors is None
    assert ModelFolder(folder).families() == []


# -- files of facts -----------------------------------------------------------------------


def test_facts_are_read_in_both_forms(tmp_path: Path) -> None:
    path = tmp_path / "facts.jsonl"
    lines = ['["甲", "父亲", "乙"]', "", '{"subject": "丙", "predicate": "父亲", "object": "丁"}']
    path.write_text("\n".join(lines), encoding="utf-8")
    assert read_facts(path) == [
        LabelledTriple("甲", "父亲", "乙"),
        LabelledTriple("丙", "父亲", "丁"),
    ]


def test_bad_facts_are_named_with_file_and_line(tmp_path: Path) -> None:
    path = tmp_path / "facts.jsonl"
    path.write_bytes(b'["a", "p", "b"]\n["a", "p"]\n["a", "", "b"]\n{"subject": "a"}\n\xb8\xd8\n')
    with pytest.raises(DataError) as refused:
        read_facts(path)
    said = str(refused.value)
    assert said.startswith(f"{path}: 4 line(s) cannot be read:\n  {path}:2: Expected `array` of")
    assert f"\n  {path}:3: a triple has an empty part: ['a', '', 'b']\n" in said
    assert f"\n  {path}:5: not UTF-8" in said
    assert said.endswith(
        'Mend them: a line is {"subject": …, "predicate": …, "object": …} or a list of the three'
    )
    path.write_bytes(b"\n")
    with pytest.raises(DataError, match="no lines; a line is"):
        read_facts(path)


# -- reading --------------------------------------------------------------------------------


class Believer:
    """An encoder that takes for a subject what is known as one."""

    def __call__(self, inputs: Arrays) -> Results:
        marks = np.asarray(inputs["known"], dtype=np.float32)
        return {"subjects": marks}


def believe(inputs: Arrays) -> Results:
    """The objects' graph of a believer."""
    return {"objects": np.asarray(inputs["known_objects"], dtype=np.float32)}


@given(st.lists(st.lists(names, max_size=9).map(" ".join), max_size=5), corpora)
def test_a_model_that_believes_its_priors_reads_what_is_known(
    some: list[str], learned: list[TripleExample]
) -> None:
    distinct = [t for t in NAMES if t != "Ada Moor"]  # no span within another
    facts = [t for e in learned for t in e.triples if {t.subject, t.object} <= {*distinct}]
    priors = Priors.learn([], LABELS, facts)
    model = TripleModel(CODEC_, LABELS, Believer(), believe, Thresholds(), priors=priors)
    read = model(some)
    assert [model([text])[0] for text in some] == read
    assert model(some[::-1]) == read[::-1]
    for text, found in zip(some, read, strict=True):
        encoding = CODEC_.encode(text)
        said = {(t.subject.start, LABELS.index(Label(t.predicate, t.subject_type, t.object_type)))
                for t in found}  # fmt: skip
        windows = CODEC_.windows(encoding)
        wanted = {
            (int(encoding.starts[window.first + span[0]]), label)
            for window, pairs in zip(windows, priors.find(encoding, windows), strict=True)
            for span, objects in pairs.items()
            for label, _ in objects
        }
        assert said == wanted
