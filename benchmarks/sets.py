"""The data sets that benchmarks read; they lie outside the repository."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import msgspec

from benchmarks.options import CACHE
from quern.data import numbered_lines, open_bytes, read_triples, writing
from quern.errors import DataError
from quern.records import (
    LabelledMention,
    LabelledTriple,
    LinkExample,
    SentenceExample,
    SentencePair,
    TripleExample,
)

Part = Literal["train", "dev", "test"]

# The parts that each set has.
TRIPLES: dict[str, tuple[Part, ...]] = {
    "duie": ("train", "dev"),
    "webnlg-star": ("train", "dev", "test"),
    "conll04": ("train", "dev", "test"),
    "knowledgenet": ("train", "dev"),
}
TITLES = ("rust-issues", "git-commits", "lcsts")
MADE = CACHE / "labels"  # what is made of the sets here; git ignores it
TEXTS = {"zh": "duie", "en": "knowledgenet"}  # whose dev texts are read where speed is measured


class _Pair(msgspec.Struct):
    a: str
    b: str
    label: float


class Issue(msgspec.Struct):
    """A report on a software project, as its trackers have it."""

    id: int
    title: str = ""
    body: str | None = ""
    labels: list[str] = []


class _Marked(msgspec.Struct):
    labels: str = ""


def triples_path(data: Path | None, name: str, part: Part) -> Path:
    """Where a part of a set of triples lies; see ``_path``."""
    return _path(data, f"triples/{name}/{part}.jsonl")


def links_path(data: Path | None, name: str, part: Part) -> Path:
    """Where a part of a set of links lies; see ``_path``."""
    return _path(data, f"linking/{name}/{part}.jsonl")


def base_path(data: Path | None, name: str) -> Path:
    """Where the entities of a knowledge base lie; see ``_path``."""
    return _path(data, f"linking/{name}/kb.jsonl.gz")


def synonyms_path(data: Path | None, name: str) -> Path:
    """Where groups of synonymous sentences lie; see ``_path``."""
    return _path(data, f"similar/tongyiju/{name}.tsv.gz")


def pairs_path(data: Path | None, name: str) -> Path:
    """Where labelled pairs of sentences lie; see ``_path``."""
    return _path(data, f"similar/pairs/{name}.jsonl")


def synonyms(path: Path) -> list[SentenceExample]:
    """Lines of a group, a tab and a sentence."""
    found = []
    with open_bytes(path) as stream:
        for number, line in numbered_lines(stream):
            group, _, text = line.decode().partition("\t")
            if text.strip():
                found.append(SentenceExample(text, group, None, number))
    return found


def sentence_pairs(path: Path) -> list[SentencePair]:
    """Lines of two sentences and whether they mean the same."""
    with open_bytes(path) as stream:
        rows = [msgspec.json.decode(line, type=_Pair) for _, line in numbered_lines(stream)]
    return [SentencePair(row.a, row.b, float(row.label)) for row in rows]


def intents(data: Path | None, name: str) -> dict[str, list[Path]]:
    """The files of the parts of a set of intents; queries out of scope are in dev and in test."""
    files = {
        "banking77": {"train": ["train"], "test": ["test"]},
        "clinc150": {"train": ["train"], "dev": ["val", "oos_val"], "test": ["test", "oos_test"]},
    }
    return {
        part: [_path(data, f"similar/{name}/{file}.jsonl") for file in of]
        for part, of in files[name].items()
    }


def titles(data: Path | None, name: str) -> tuple[Path, Path, Path]:
    """Where train, dev and test of a set of titles lie; see ``_path``."""
    train, dev, test = (
        _path(data, f"titles/{name}/{part}.jsonl.gz") for part in ("train", "dev", "test")
    )
    return train, dev, test


def issues(data: Path | None) -> dict[str, Path]:
    """The files of a set of issues: three parts, and which issues are said to repeat others."""
    parts = zip(("train", "dev", "test"), titles(data, "rust-issues"), strict=True)
    return {**dict(parts), "duplicates": _path(data, "titles/rust-issues/duplicates.tsv")}


def issues_of(path: Path) -> list[Issue]:
    """The issues of a part."""
    with open_bytes(path) as stream:
        return [msgspec.json.decode(line, type=Issue) for _, line in numbered_lines(stream)]


def duplicates_of(path: Path) -> list[tuple[str, str]]:
    """Ids of issues, and of those that they are said to repeat; a head comes first."""
    with open_bytes(path) as stream:
        rows = [line.decode().split("\t") for _, line in numbered_lines(stream)][1:]
    return [(new, old) for new, old, *_ in rows]


def pages(data: Path | None) -> list[Path]:
    """The files of articles of Chinese Wikipedia.

    Raises:
        DataError: no folder was given, or they are not in it.
    """
    wanted = "zhwiki/pages-*.jsonl.gz"
    if data is None:
        raise DataError(f"this needs data: pass --data with the folder that holds {wanted}")
    found = sorted(data.glob(wanted))
    if not found:
        raise DataError(f"{data}: holds no {wanted}; pass another folder with --data")
    return found


def _path(data: Path | None, wanted: str) -> Path:
    """Where a file of the data lies.

    Raises:
        DataError: no folder was given, or the file is not in it.
    """
    if data is None:
        raise DataError(f"this needs data: pass --data with the folder that holds {wanted}")
    path = data / wanted
    if not path.is_file():
        raise DataError(f"{path} is missing; put it there, or pass another folder with --data")
    return path


def mended_path(name: str) -> Path:
    """Where ``label_repair`` puts the mended labels of a set.

    Raises:
        DataError: it has not been run.
    """
    path = MADE / f"{name}-repaired.jsonl"
    if not path.is_file():
        raise DataError(
            f"{path} is missing; python -m benchmarks label_repair --case {name} makes it"
        )
    return path


def examples(path: Path) -> list[TripleExample]:
    """Labelled lines, with what their "labels" mark says of how they were labelled.

    Lines of one kind were labelled for some predicates only: those that occur among them.
    A kind that ends with "complete" was labelled for all of them, one that ends with
    "INCOMPLETE" not even for its own throughout.
    """
    with open_bytes(path) as stream:
        kinds = {
            number: msgspec.json.decode(line, type=_Marked).labels
            for number, line in numbered_lines(stream)
        }
    found = read_triples(path)
    sought: dict[str, set[str]] = {}
    for example in found:
        predicates = {triple.predicate for triple in example.triples}
        sought.setdefault(kinds[example.line], set()).update(predicates)

    def marked(example: TripleExample) -> TripleExample:
        kind = kinds[example.line]
        if not kind or kind.endswith("complete"):
            return example
        return msgspec.structs.replace(
            example,
            complete=not kind.endswith("INCOMPLETE"),
            predicates=tuple(sorted(sought[kind])),
        )

    return [marked(example) for example in found]


def write(path: Path, examples: Sequence[TripleExample]) -> None:
    """Write labelled lines so that ``quern train`` reads what ``examples`` makes of their marks.

    Entities are left out; no set that needs this has any.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with writing(path) as stream:
        for example in examples:
            bare = all(triple == LabelledTriple(*triple.key) for triple in example.triples)
            row: dict[str, Any] = {
                "text": example.text,
                "triples": [triple.key if bare else triple for triple in example.triples],
            }
            if not example.complete:
                row["complete"] = False
            if example.predicates is not None:
                row["predicates"] = example.predicates
            stream.write(msgspec.json.encode(row) + b"\n")


def joined(examples: Sequence[TripleExample], count: int = 6) -> list[TripleExample]:
    """Long texts made of ``count`` short ones, to see whether a model can read such."""
    groups = [examples[at : at + count] for at in range(0, len(examples), count)]
    return [
        TripleExample(
            text="\n".join(example.text for example in group),
            triples=tuple(
                LabelledTriple(*triple.key) for example in group for triple in example.triples
            ),
        )
        for group in groups
    ]


def joined_links(examples: Sequence[LinkExample], count: int = 6) -> list[LinkExample]:
    """The same for labelled mentions, each at its new place."""
    long = []
    for at in range(0, len(examples), count):
        text, mentions = "", []
        for example in examples[at : at + count]:
            text += "\n" if text else ""
            for each in example.mentions:
                moved = LabelledMention(each.mention, len(text) + each.start, each.kb_id)
                mentions.append(moved)
            text += example.text
        long.append(LinkExample(text, tuple(mentions)))
    return long
