"""Files into a knowledge base: all of what they hold, or nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Literal, NamedTuple

import msgspec

from quern.data import BadLine, bad_lines
from quern.errors import DataError
from quern.kb import index
from quern.kb.entities import check
from quern.kb.readers import Reading, Row, rows_of
from quern.kb.store import Store
from quern.kb.tables import insert, leave_unsorted, sort_names, update
from quern.records import Entity

Existing = Literal["refuse", "replace", "skip"]
_AT_ONCE = 5_000  # entities written together


class Report(NamedTuple):
    """What an import did.

    Attributes:
        added: entities that are new.
        replaced: entities that stand in the place of what had their ids.
        skipped: entities that were left as they were.
        bad: lines that could not be read, where that was allowed, by file.
    """

    added: int
    replaced: int
    skipped: int
    bad: dict[Path, list[BadLine]]


class Importer:
    """Writes what files hold into a store, inside one transaction."""

    def __init__(self, store: Store, existing: Existing = "refuse") -> None:
        """``existing`` says what becomes of entities whose ids are taken."""
        self._store = store
        self._existing = existing
        # Into an empty base, names go much faster while nothing keeps them sorted.
        self._sorted = bool(store.rows("SELECT 1 FROM entities LIMIT 1"))
        if not self._sorted:
            leave_unsorted(store)
        self.added = self.replaced = self.skipped = self.refused = 0

    def __call__(self, entities: Sequence[Entity]) -> list[str | None]:
        """Write entities; for each of them why it may not be, None for those that were."""
        store = self._store
        ids = msgspec.json.encode([entity.id for entity in entities]).decode()
        query = "SELECT id, number FROM entities WHERE id IN (SELECT value FROM json_each(?))"
        numbers: dict[str, int] = dict(store.rows(query, [ids]))
        fresh: dict[str, Entity] = {}
        faults: list[str | None] = []
        for entity in entities:
            fault = None
            if entity.id not in numbers and entity.id not in fresh:
                fresh[entity.id] = entity
                self.added += 1
            elif self._existing == "refuse":
                fault = f"the id '{entity.id}' is there already"
                self.refused += 1
            elif self._existing == "skip":
                self.skipped += 1
            else:
                self.replaced += 1
                if entity.id in fresh:
                    fresh[entity.id] = entity
                else:
                    self._sort()
                    update(store, numbers[entity.id], entity)
            faults.append(fault)
        insert(store, list(fresh.values()))
        return faults

    def finish(self) -> None:
        """Bring the index up to date where much has changed."""
        self._sort()
        if index.pending(self._store) >= index.MANY or index.generation(self._store) == 0:
            index.renew(self._store)

    def _sort(self) -> None:
        if not self._sorted:
            sort_names(self._store)
            self._sorted = True


def import_entities(
    store: Store, entities: Iterable[Entity], existing: Existing = "refuse"
) -> Report:
    """Write entities, all or none.

    Raises:
        DataError: one of them cannot be kept, or its id is taken.
        StoreError: the file cannot be written to.
    """
    with store.transaction():
        write, rows = Importer(store, existing), iter(entities)
        while lot := list(islice(rows, _AT_ONCE)):
            for entity in lot:
                try:
                    check(entity)
                except ValueError as error:
                    raise DataError(str(error)) from error
            fault = next(filter(None, write(lot)), None)
            if fault:
                raise DataError(f"{fault}; existing='replace' or 'skip' says what to do with it")
        write.finish()
    return Report(write.added, write.replaced, write.skipped, {})


def import_files(
    store: Store,
    paths: Sequence[Path],
    reading: Reading,
    existing: Existing = "refuse",
    advance: Callable[[int], None] = lambda count: None,
    *,
    skip_bad: bool = False,
) -> Report:
    """Write what files hold, all or nothing.

    Args:
        store: where to.
        paths: the files, in any of the formats of ``readers``.
        reading: how they are read.
        existing: what becomes of entities whose ids are taken.
        advance: is told how many entities more have been read.
        skip_bad: go on without lines that cannot be read; they are reported.

    Raises:
        DataError: a file cannot be read, or lines of it (the first few are named).
        StoreError: the base cannot be written to.
    """
    with store.transaction():
        write = Importer(store, existing)
        bad: dict[Path, list[BadLine]] = {}
        for path in paths:
            rows = rows_of(path, reading)
            faults = list(_written(rows, write, advance))
            bad |= {path: sorted(faults, key=lambda fault: fault.line)} if faults else {}
        if bad and not skip_bad:
            path, faults = next(iter(bad.items()))
            step = "Mend them, or leave them out with --skip-bad"
            step += f"; {_TAKEN}" if write.refused else ""
            raise DataError(bad_lines(path, faults, f"{step}. Nothing was imported."))
        write.finish()
    return Report(write.added, write.replaced, write.skipped, bad)


_TAKEN = "--existing replace or --existing skip says what to do where an id is there already"


def _written(
    rows: Iterator[Row], write: Importer, advance: Callable[[int], None]
) -> Iterator[BadLine]:
    while lot := list(islice(rows, _AT_ONCE)):
        lines, entities = [], []
        for line, read in lot:
            if isinstance(read, str):
                yield BadLine(line, read)
                continue
            try:
                check(read)
            except ValueError as error:
                yield BadLine(line, str(error))
                continue
            lines.append(line)
            entities.append(read)
        for line, fault in zip(lines, write(entities), strict=True):
            if fault:
                yield BadLine(line, fault)
        advance(len(lot))
