"""Accepted proposals → a new file of labels; all else in its lines stays as it was."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec

from quern.cleaning.votes import Key, Proposal
from quern.data import numbered_lines, open_bytes
from quern.errors import DataError


def read_proposals(path: Path) -> list[Proposal]:
    """Read proposals, a JSON object a line.

    Raises:
        DataError: a line is none.
    """
    decoder = msgspec.json.Decoder(Proposal)
    found = []
    with open_bytes(path) as stream:
        for number, line in numbered_lines(stream):
            try:
                found.append(decoder.decode(line))
            except (msgspec.DecodeError, UnicodeDecodeError) as error:
                raise DataError(
                    f"{path}:{number}: not a proposal of quern clean: {error}"
                ) from error
    return found


def repaired(path: Path, proposals: Iterable[Proposal]) -> Iterator[bytes]:
    """The lines of a labelled file with proposals carried out, the others as they were.

    Blank lines and a byte order mark are left out, and every line ends in a newline.

    A predicate that a line's labels said nothing about, and that is added to it, counts as
    looked for from then on.

    Raises:
        DataError: a proposal was made for another text than stands in its line, or for a
            line that is not there.
    """
    of_line: dict[int, list[Proposal]] = defaultdict(list)
    for proposal in proposals:
        of_line[proposal.line].append(proposal)
    with open_bytes(path) as stream:
        for number, line in numbered_lines(stream):
            mine = of_line.pop(number, None)
            yield (line if mine is None else _changed(path, number, line, mine)) + b"\n"
    if of_line:
        raise DataError(f"{path}: has no line {min(of_line)}, for which there is a proposal")


def _changed(path: Path, number: int, line: bytes, proposals: Sequence[Proposal]) -> bytes:
    row: dict[str, Any] = msgspec.json.decode(line)
    triples: list[Any] = row["triples"]
    for proposal in proposals:
        if row["text"] != proposal.text:
            raise DataError(
                f"{path}:{number}: holds another text than the proposal was made for; "
                "make proposals for this file with quern clean"
            )
        if proposal.action == "remove":
            triples = [triple for triple in triples if _key(triple) != proposal.triple]
        elif proposal.triple not in map(_key, triples):
            triples = [*triples, _label(proposal, like=triples)]
            predicates = row.get("predicates")
            if predicates is not None and proposal.triple[1] not in predicates:
                row["predicates"] = [*predicates, proposal.triple[1]]
    row["triples"] = triples
    return msgspec.json.encode(row)


def _key(triple: Any) -> Key:
    if isinstance(triple, dict):
        return triple["subject"], triple["predicate"], triple["object"]
    subject, predicate, object_ = triple
    return subject, predicate, object_


def _label(proposal: Proposal, like: Sequence[Any]) -> Any:
    """The label, in the form that the line's others have."""
    if not any(isinstance(triple, dict) for triple in like):
        return list(proposal.triple)
    subject, predicate, object_ = proposal.triple
    label: dict[str, Any] = {"subject": subject, "predicate": predicate, "object": object_}
    if proposal.subject_start is not None and proposal.object_start is not None:
        label["subject_start"] = proposal.subject_start
        label["object_start"] = proposal.object_start
    return label
