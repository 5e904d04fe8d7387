"""Files of entities, in the formats that knowledge bases come in."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from quern.data import numbered_lines, open_bytes, to_the_end
from quern.errors import DataError
from quern.kb.readers import jsonl, rdf, tables
from quern.kb.readers.rows import Reading, Row

__all__ = ["FORMS", "Reading", "Row", "rows_of"]

FORMS: dict[str, Callable[[Path, Reading], Iterator[Row]]] = {
    "jsonl": jsonl.entities,
    "ccks2019": jsonl.ccks2019,
    "csv": tables.csv_entities,
    "ctd": tables.ctd_entities,
    "rdf": rdf.entities,
}
_SUFFIXES = {".jsonl": "jsonl", ".csv": "csv", ".tsv": "ctd", ".nt": "rdf", ".ttl": "rdf"}


def rows_of(path: Path, reading: Reading) -> Iterator[Row]:
    """What a file holds, line by line: an entity, or why it is none.

    Raises:
        DataError: the file cannot be read, or its format cannot be told.
    """
    return FORMS[reading.form or form_of(path)](path, reading)


def form_of(path: Path) -> str:
    """The format of a file, by its name, and JSON lines by the first of them.

    Raises:
        DataError: the name says nothing of it, or the file cannot be read.
    """
    bare = path.with_suffix("") if path.suffix == ".gz" else path
    form = _SUFFIXES.get(bare.suffix.lower())
    if form is None:
        known = ", ".join(sorted(_SUFFIXES))
        raise DataError(
            f"{path}: its name does not say what it holds (known: {known}, or with .gz); "
            f"say so with --format"
        )
    if form == "jsonl":
        with open_bytes(path) as stream:
            first = next(to_the_end(numbered_lines(stream), str(path)), (0, b""))[1]
        return "ccks2019" if jsonl.is_ccks2019(first) else "jsonl"
    return form
