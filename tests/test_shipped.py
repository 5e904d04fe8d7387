"""The models that ship: found by name, chosen by script, whole, small, and true to the laws."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import quern
from quern.data import read_links
from quern.errors import FolderError
from quern.evaluation.given import judge_entities
from quern.evaluation.link_figures import summarise_choices
from quern.folder import ModelFolder
from quern.kb import KnowledgeBase
from quern.links import Linker
from quern.shipped import HOME, TripleReader, find, language, names
from quern.tasks import load_entities, load_links

EXAMPLES = Path(__file__).parent.parent / "examples"
ZH = EXAMPLES.joinpath("zh.txt").read_text(encoding="utf-8").splitlines()
EN = EXAMPLES.joinpath("en.txt").read_text(encoding="utf-8").splitlines()
ODD = ["", " \t", "?", "王", "x" * 3000, "程以南的妻子叫苏小婉。" * 90, "a b " * 700, "\ud800 ½ İ"]


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("程以南的妻子叫苏小婉。", "zh"),
        ("Ada Moor owns the mill.", "en"),
        ("《Spring Comes Early》是 Ada Moor 演唱的歌曲", "zh"),
        ("The painter Qi Baishi (齐白石) was born in 1864 in Xiangtan, Hunan.", "en"),
        ("", "en"),
        ("1864 — 1957", "en"),
    ],
)
def test_the_script_chooses_the_language(text: str, wanted: str) -> None:
    assert language(text) == wanted


def test_both_languages_ship() -> None:
    assert {"zh-triples", "en-triples", "zh-triples-fast"} == set(names("triples"))


def test_a_small_linker_ships() -> None:
    assert (names("links"), names("entities")) == (["zh-links"], ["zh-entities"])


def test_the_linker_tells_namesakes_apart(tmp_path: Path) -> None:
    """On the texts of the demo that no training saw, far above what fits best by name."""
    examples = read_links(EXAMPLES / "links-dev.jsonl")
    with KnowledgeBase.open(tmp_path / "demo.kb", create=True) as base:
        base.import_files([EXAMPLES / "kb.jsonl"])
        finder = load_links(find("zh-links"), kb=base.names)
        chooser = load_entities(find("zh-entities"))
        chosen = summarise_choices(list(judge_entities(chooser, base, examples)))
        links = Linker(finder, chooser, base)([example.text for example in examples])
    assert chosen.linked.accuracy is not None and chosen.linked.first is not None
    assert chosen.linked.accuracy > 0.8 > chosen.linked.first + 0.1
    wanted = {(n, *m.place, m.kb_id) for n, e in enumerate(examples) for m in e.mentions}
    found = {(n, each.start, each.end, each.id) for n, of in enumerate(links) for each in of}
    assert len(wanted & found) > 0.75 * len(wanted)


@pytest.mark.parametrize("name", names())
def test_a_shipped_model_is_small_whole_and_has_its_card(name: str) -> None:
    folder = ModelFolder(find(name))
    assert sum(file.stat().st_size for file in folder.path.iterdir()) < 10_000_000
    assert not list(folder.path.glob("*.safetensors"))
    card = (folder.path / "README.md").read_text(encoding="utf-8")
    for part in ("## Data and licence", "## Scores", "## Speed", "## Limits"):
        assert part in card
    for unknown in ("not stated", "Not measured"):
        assert unknown not in card
    assert next(iter(folder.metrics()["dev"].values())) > 0.3
    for graph in folder.path.glob("*.onnx"):
        files = re.findall(rb"[a-z_/]{3,}\.py", graph.read_bytes())  # not by chance, in weights
        assert not files, "a graph names files of the machine it came from"


@pytest.mark.parametrize("name", names("triples"))
def test_alone_in_a_batch_shuffled_and_padded_are_the_same(name: str) -> None:
    model = quern.load(name)
    texts = [*ZH, *EN, *ODD]
    together = model(texts)
    assert [model([text])[0] for text in texts] == together
    assert model(texts[::-1]) == together[::-1]
    for text, triples in zip(texts, together, strict=True):
        for triple in triples:
            for span in (triple.subject, triple.object):
                assert text[span.start : span.end] == span.text
            assert 0 < triple.score <= 1


def test_plain_facts_are_found() -> None:
    reader = TripleReader()
    found = [{t.key for t in reading.triples} for reading in reader([ZH[0], EN[2]])]
    assert ("石桥夜话", "作者", "林暮云") in found[0]
    assert ("Harrow & Finch", "CEO", "Daniel Okoye") in found[1]


def test_a_long_document_is_read_to_its_end() -> None:
    """The facts of single sentences are found again where they stand among many."""
    sentences = [text for text in ZH if quern.load("zh-triples")([text])[0]]
    document = "\n".join(sentences * 4)
    alone = {t.key for triples in quern.load("zh-triples")(sentences) for t in triples}
    (found,) = quern.load("zh-triples")([document])
    quarter = len(document) // 4
    for part in range(4):
        held = {t.key for t in found if part * quarter <= t.subject.start < (part + 1) * quarter}
        assert len(held & alone) >= len(alone) * 0.9


def test_a_folder_goes_before_a_shipped_name(tmp_path: Path) -> None:
    assert find("zh-triples") == HOME / "zh-triples"
    with pytest.raises(FolderError, match="not a model folder"):
        quern.load(tmp_path)


def test_the_preset_chooses_among_the_shipped_models() -> None:
    readings = TripleReader(preset="fast")([ZH[0], EN[2]])
    assert [reading.model for reading in readings] == ["zh-triples-fast", "en-triples"]
    assert all(reading.triples for reading in readings)


def test_one_reader_keeps_to_its_model() -> None:
    readings = TripleReader("zh-triples")([ZH[0], EN[2]])
    assert [reading.model for reading in readings] == ["zh-triples", "zh-triples"]
