"""The data sets that benchmarks read; they lie outside the repository."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import msgspec

from quern.data import numbered_lines, open_bytes, read_triples
from quern.errors import DataError
from quern.records import LabelledTriple, TripleExample

Part = Literal["train", "dev", "test"]

# The parts that each set has.
TRIPLES: dict[str, tuple[Part, ...]] = {
    "duie": ("train", "dev"),
    "webnlg-star": ("train", "dev", "test"),
    "conll04": ("train", "dev", "test"),
    "knowledgenet": ("train", "dev"),
}
TEXTS = {"zh": "duie", "en": "knowledgenet"}  # whose dev texts are read where speed is measured


class _Marked(msgspec.Struct):
    labels: str = ""


def triples_path(data: Path | None, name: str, part: Part) -> Path:
    """Where a part of a set lies.

    Raises:
        DataError: no folder was given, or the file is not in it.
    """
    wanted = f"triples/{name}/{part}.jsonl"
    if data is None:
        raise DataError(f"this needs data: pass --data with the folder that holds {wanted}")
    path = data / wanted
    if not path.is_file():
        raise DataError(f"{path} is missing; put it there, or pass another folder with --data")
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
