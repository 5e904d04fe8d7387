"""The saved part of a knowledge base's two indexes, and how it is brought up to date.

Names are numbered as they come. The saved part knows the names up to a number; what came since,
and what is gone since, every reader picks up by itself (see ``names.py`` and ``similar.py``).
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from quern.kb.hashset import Hashes, HashSet
from quern.kb.store import Store
from quern.text.grams import grams_of_names
from quern.text.keys import keyed
from quern.text.windows import hashes_of_each, hashes_of_names

MANY = 20_000  # names that came or went since, from which on the saved part is renewed
PART = 16_384  # postings in a row
_LOT = 250_000  # names of a segment, at most
_CHUNK = 20_000  # names hashed at a time
_STALE = 4  # a quarter of the names gone, and all is made anew


class Saved(NamedTuple):
    """What the saved part knows.

    Attributes:
        generation: which one it is; a newer one has a higher number.
        upto: the number of the last name in it.
        gone: up to which entry of what is gone it has been brought.
        longest: pieces of the longest name.
        hashes: of all names (see ``hashes_of_names``), in ascending order.
    """

    generation: int
    upto: int
    gone: int
    longest: int
    hashes: Hashes


def generation(store: Store) -> int:
    """The number of the saved part; 0 for none."""
    return int(store.rows("SELECT coalesce(max(generation), 0) FROM name_index")[0][0])


def load(store: Store) -> Saved:
    """Read the saved part; an empty one where nothing was saved yet."""
    rows = store.rows("SELECT generation, upto, gone, longest, hashes FROM name_index")
    if not rows:
        return Saved(0, 0, 0, 0, np.zeros(0, dtype=np.uint64))
    number, upto, gone, longest, hashes = rows[0]
    return Saved(number, upto, gone, longest, np.frombuffer(hashes, dtype="<u8"))


def pending(store: Store) -> int:
    """How many names came or went since the saved part was written."""
    (row,) = store.rows(
        "SELECT coalesce((SELECT max(number) FROM names), 0) - coalesce(max(upto), 0),"
        " coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'gone'), 0)"
        " - coalesce(max(gone), 0) FROM name_index"
    )
    return max(0, int(row[0])) + int(row[1])


def present(store: Store, keys: list[str]) -> dict[int, bool]:
    """For the hash of each of some keys, whether any name has it."""
    there = {
        key
        for (key,) in store.rows(
            "SELECT DISTINCT key FROM names WHERE key IN (SELECT value FROM json_each(?))",
            [msgspec.json.encode(keys).decode()],
        )
    }
    which, hashes = hashes_of_each(keyed(keys))
    return {
        hashed: keys[at] in there
        for at, hashed in zip(which.tolist(), hashes.tolist(), strict=True)
    }


def renew(store: Store, *, anew: bool = False) -> None:
    """Bring the saved part up to date, inside a transaction; ``anew`` forgets it first."""
    saved = load(store)
    ((gone,),) = store.rows("SELECT count(*) FROM gone WHERE name <= ?", [saved.upto])
    if anew or gone * _STALE > saved.upto:
        for table in ("segments", "postings", "gone"):
            store.run(f"DELETE FROM {table}")
        saved = Saved(saved.generation, 0, 0, 0, saved.hashes[:0])
    known = HashSet(saved.hashes)
    since = store.rows("SELECT DISTINCT key FROM gone WHERE seq > ?", [saved.gone])
    known.change(present(store, [key for (key,) in since]))
    hashes, longest, upto = known.merged(), saved.longest, saved.upto
    names = store.stream("SELECT number, key FROM names WHERE number > ? ORDER BY number", [upto])
    lots = [hashes]
    while lot := list(islice(names, _LOT)):
        upto = lot[-1][0]
        found, long = _write_segment(store, lot)
        lots.append(found)
        longest = max(longest, long)
    # The names that went before they were saved are known to no reader of what follows.
    store.run("DELETE FROM gone WHERE name > ? AND name <= ?", [saved.upto, upto])
    last = store.rows("SELECT seq FROM sqlite_sequence WHERE name = 'gone'")
    reached = last[0][0] if last else 0
    content = np.unique(np.concatenate(lots)).tobytes()
    store.run("DELETE FROM name_index")
    store.run(
        "INSERT INTO name_index VALUES (?, ?, ?, ?, ?)",
        (saved.generation + 1, upto, reached, longest, content),
    )


def _write_segment(store: Store, lot: list[tuple[int, str]]) -> tuple[Hashes, int]:
    """Save the n-grams of a lot of names; their hashes, and the longest one's pieces."""
    first = lot[0][0]
    numbers = np.array([number - first for number, _ in lot], dtype=np.uint32)
    hashes, grams, names, longest = [], [], [], 0
    for at in range(0, len(lot), _CHUNK):
        written = keyed([key for _, key in lot[at : at + _CHUNK]])
        found, long = hashes_of_names(written)
        longest = max(longest, long)
        hashes.append(found)
        of_names = grams_of_names(written)
        grams.append(of_names.grams)
        names.append(numbers[at : at + _CHUNK][of_names.names])
    # Twice as much memory would be taken if the parts were kept.
    joined_grams, joined_names = np.concatenate(grams), np.concatenate(names)
    grams.clear()
    names.clear()
    save_segment(store, first, joined_grams, joined_names)
    return np.concatenate(hashes), longest


def save_segment(
    store: Store, first: int, grams: NDArray[np.int64], names: NDArray[np.uint32]
) -> None:
    """Write postings, as lists of names (from ``first`` on, which counts 0) by their n-gram."""
    sizes = np.bincount(names[grams > 0], minlength=int(names.max(initial=0)) + 1)
    order = np.argsort(grams, kind="stable")
    grams, names = grams[order], names[order]
    bounds = np.flatnonzero(np.append(True, grams[1:] != grams[:-1]))[: len(grams)]
    store.run(
        "INSERT INTO segments VALUES (?, ?, ?, ?)",
        (
            first,
            np.minimum(sizes, 65_535).astype("<u2").tobytes(),
            grams[bounds].astype("<i8").tobytes(),
            np.append(bounds, len(grams)).astype("<u4").tobytes(),
        ),
    )
    rows = _parts(first, names.astype("<u4", copy=False))
    store.run_many("INSERT INTO postings VALUES (?, ?, ?)", rows)


def _parts(first: int, names: NDArray[np.uint32]) -> Iterator[tuple[int, int, bytes]]:
    for part, at in enumerate(range(0, len(names), PART)):
        yield first, part, names[at : at + PART].tobytes()
