"""Entities as tables: CSV with named columns, and the tab-separated files of CTD."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from pathlib import Path

from quern.data import decoded, not_utf8, numbered_lines, open_bytes, to_the_end
from quern.errors import DataError
from quern.kb.readers.rows import Reading, Row
from quern.records import Entity

# Of a cell, in characters; much more than Python's own limit, yet a quotation mark that is never
# closed is noticed before the rest of a huge file has been read.
csv.field_size_limit(1 << 24)
_SEVERAL = "|"  # between the parts of a cell
_COLUMNS = ("id", "name", "aliases", "description", "types", "popularity")
_FACT = "fact:"  # before the predicate, in the head of a column of objects


def csv_entities(path: Path, reading: Reading) -> Iterator[Row]:
    """Comma-separated, with a head: ``id``, ``name``, other parts of an entity, ``fact:…``.

    A cell of aliases, types or facts holds several with a ``|`` between them.
    """
    with open_bytes(path) as stream:
        lines = csv.reader(decoded(stream, str(path)), strict=True)
        head: list[str] | None = None
        before = 0
        try:
            for cells in lines:
                line, before = before + 1, lines.line_num
                if head is None:
                    head = _head(cells, path, reading)
                elif cells:
                    yield line, _row(head, cells, reading)
        except csv.Error as error:
            raise DataError(f"{path}:{lines.line_num}: {error}; mend the quotes") from error


def _head(cells: Sequence[str], path: Path, reading: Reading) -> list[str]:
    head = [cell.strip() for cell in cells]
    wanted = f"known are {', '.join(_COLUMNS)}, and {_FACT}PREDICATE"
    for column in head:
        if column not in (*_COLUMNS, *reading.ignore) and not column.startswith(_FACT):
            raise DataError(
                f"{path}:1: unknown column '{column}'; {wanted}. "
                f"Rename it, or leave it out with --ignore"
            )
    kept = set(head) - set(reading.ignore)
    missing = [column for column in ("id", "name") if column not in kept]
    if missing or len(set(head)) < len(head):
        what = f"no column '{missing[0]}'" if missing else "a column stands twice"
        raise DataError(f"{path}:1: {what}; {wanted}")
    return head


def _row(head: Sequence[str], cells: Sequence[str], reading: Reading) -> Entity | str:
    if len(cells) != len(head):
        return f"{len(cells)} cells, the head has {len(head)} columns"
    row = {key: cell for key, cell in zip(head, cells, strict=True) if key not in reading.ignore}
    try:
        popularity = float(row["popularity"]) if row.get("popularity", "").strip() else None
    except ValueError:
        return f"popularity is '{row['popularity']}', which is no number"
    return Entity(
        row["id"].strip(),
        row["name"],
        _several(row.get("aliases", "")),
        row.get("description", ""),
        _several(row.get("types", "")),
        tuple(
            (column.removeprefix(_FACT), object_)
            for column, cell in row.items()
            if column.startswith(_FACT)
            for object_ in _several(cell)
        ),
        popularity,
    )


def _several(cell: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in cell.split(_SEVERAL) if part.strip())


def ctd_entities(path: Path, reading: Reading) -> Iterator[Row]:
    """Tab-separated with ``#`` before comments, the last of which names the columns.

    Of a CTD vocabulary, the column that ends with ``Name`` first gives the name, the one that
    ends with ``ID`` the id, ``Synonyms`` the aliases, ``Definition`` the description and
    ``SlimMappings`` the types. Whatever else a line holds becomes facts.
    """
    head: list[str] = []
    begun = False
    with open_bytes(path) as stream:
        for number, line in to_the_end(numbered_lines(stream), str(path)):
            fault = not_utf8(line)
            if fault:
                yield number, fault
            elif begun and line.startswith(b"#") and b"\t" in line:
                yield number, "a '#' names columns, and stands before the first entity"
            elif line.startswith(b"#"):
                columns = [cell.strip() for cell in line.decode()[1:].split("\t")]
                head = columns if len(columns) > 1 else head
            elif not head:
                raise DataError(
                    f"{path}:{number}: no line before it names the columns, as in "
                    "'# DiseaseName<TAB>DiseaseID<TAB>…'; put one there, or use --format csv"
                )
            else:
                begun = True
                yield number, _ctd_row(head, line.decode().split("\t"), reading)


def _ctd_row(head: Sequence[str], cells: Sequence[str], reading: Reading) -> Entity | str:
    if len(cells) > len(head):
        return f"{len(cells)} cells, the head has {len(head)} columns"
    row = {key: cell for key, cell in zip(head, cells, strict=False) if key not in reading.ignore}
    name = next((key for key in row if key.endswith("Name")), None)
    id_ = next((key for key in row if key.endswith("ID")), None)
    if name is None or id_ is None:
        return "no cell under a column that ends with 'Name', or none under one with 'ID'"
    used = (name, id_, "Synonyms", "Definition", "SlimMappings")
    return Entity(
        row[id_].strip(),
        row[name].strip(),
        _several(row.get("Synonyms", "")),
        row.get("Definition", "").strip(),
        _several(row.get("SlimMappings", "")),
        tuple((key, part) for key in row if key not in used for part in _several(row[key])),
    )
