"""Raw text as numbers on disk: read once, then drawn from at random in constant memory."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from quern.data import texts_of
from quern.errors import DataError
from quern.text import CodecRules, Encoding, TextCodec, Vocabulary, normalise, split

_SURFACES = 1_000_000  # distinct ones kept apart; the rest is one unit, known by nothing
_REST = "\ufffd"
_LONGEST = 128  # units of a piece
_UNITS, _ENDS, _SURFACE_LIST = "units.bin", "ends.bin", "surfaces.json"
_SOURCE = "source.json"
_NONE = np.zeros((0, 0), dtype=np.int32)


class Surfaces(NamedTuple):
    """The distinct units of a corpus as they stand in the text, and how often each was met."""

    surfaces: list[str]
    counts: list[int]


class RawCorpus:
    """Pieces of text, a few sentences each, as rows of a table of surfaces.

    A unit on disk is four bytes: twice its row, and one more after white space. All that grows
    with the texts is mapped from files; nothing of it is held.

    Attributes:
        units: of all pieces, one after another.
        ends: (pieces,), where each piece ends in ``units``.
    """

    def __init__(self, path: Path) -> None:
        """Open what ``build`` has written."""
        self.units: NDArray[np.int32] = np.memmap(path / _UNITS, dtype=np.int32, mode="r")
        self.ends: NDArray[np.int64] = np.memmap(path / _ENDS, dtype=np.int64, mode="r")
        self._listed = path / _SURFACE_LIST

    def surfaces(self) -> Surfaces:
        """The table, read anew: it is large, and wanted only at the beginning."""
        listed = self._listed.read_bytes()
        return Surfaces(*msgspec.json.decode(listed, type=tuple[list[str], list[int]]))

    def lengths(self, pieces: NDArray[np.int64]) -> NDArray[np.int64]:
        """Units of some pieces."""
        return self.ends[pieces] - np.where(pieces > 0, self.ends[pieces - 1], 0)

    def piece(self, index: int) -> NDArray[np.int32]:
        """The units of one piece, as they stand on disk."""
        return self.units[self.ends[index - 1] if index else 0 : self.ends[index]]

    def vocabulary(self, rules: CodecRules) -> Vocabulary:
        """The most frequent units, folded."""
        surfaces, counts = self.surfaces()
        folded = (normalise(surface)[0] for surface in surfaces)
        return Vocabulary.of_counts(
            zip(folded, counts, strict=True), rules.min_count, rules.max_units
        )

    def table(self, codec: TextCodec) -> NDArray[np.int32]:
        """(surfaces, 2 + slots), the numbers of every surface."""
        surfaces, _ = self.surfaces()
        width = len(codec.numbers(_REST))
        numbers = chain.from_iterable(map(codec.numbers, surfaces))
        return np.fromiter(numbers, np.int32, len(surfaces) * width).reshape(-1, width)


def build(
    path: Path,
    files: Iterable[Path],
    reading: int,
    advance: Callable[[int], None],
) -> RawCorpus:
    """Read ``files`` once and write the corpus to ``path``; kept if it is there, of these files.

    Args:
        path: a folder; it appears only when it is whole.
        files: ``.txt`` (a text a line) or ``.jsonl`` (its ``text``), gzipped or not.
        reading: units up to which sentences are put together; a longer sentence stands alone.
        advance: called after every text, with its characters.

    Raises:
        DataError: a file cannot be read, or there is no text in them.
    """
    files = list(files)
    source = _source(files, reading)
    if not path.exists() or (path / _SOURCE).read_bytes() != source:
        part = path.with_name(path.name + ".part")
        shutil.rmtree(part, ignore_errors=True)
        part.mkdir(parents=True)
        _write(part, texts_of(files), reading, advance)
        (part / _SOURCE).write_bytes(source)
        shutil.rmtree(path, ignore_errors=True)
        part.rename(path)
    return RawCorpus(path)


def _source(files: Sequence[Path], reading: int) -> bytes:
    """What a corpus was made from: other files, or changed ones, want another."""
    try:
        stats = [(str(file.resolve()), file.stat()) for file in files]
    except OSError as error:
        raise DataError(f"{error.filename}: cannot be read: {error.strerror}") from error
    listed = [(name, stat.st_size, stat.st_mtime_ns) for name, stat in stats]
    return msgspec.json.encode((listed, reading))


def _write(
    path: Path,
    texts: Iterator[str],
    reading: int,
    advance: Callable[[int], None],
) -> None:
    cutter = TextCodec(Vocabulary(()), CodecRules(window=_LONGEST, overlap=0))
    rows = {_REST: 0}
    counts = np.zeros(1, dtype=np.int64)
    total = 0
    with (path / _UNITS).open("wb") as units, (path / _ENDS).open("wb") as ends:
        for text in texts:
            advance(len(text))
            spans = split(text)
            # `or` is safe: row 0 is the rest, which `_row` gives as well.
            found = [rows.get(text[a:b]) or _row(text[a:b], rows) for a, b in spans]
            borders = np.array(spans, dtype=np.int64).reshape(-1, 2)
            starts, stops = borders[:, 0], borders[:, 1]
            spaced = starts > np.append(-1, stops)[:-1]
            numbers = (2 * np.array(found, dtype=np.int32) + spaced).astype(np.int32)
            for first, stop in cutter.windows(Encoding(text, starts, stops, _NONE), reading):
                units.write(numbers[first:stop].tobytes())
                total += stop - first
                ends.write(np.int64(total).tobytes())
            counts = _added(counts, numbers >> 1, len(rows))
    if not total:
        raise DataError('no text in the files given; expected a text a line, or JSON with "text"')
    (path / _SURFACE_LIST).write_bytes(
        msgspec.json.encode((list(rows), counts[: len(rows)].tolist()))
    )


def _row(surface: str, rows: dict[str, int]) -> int:
    """The row of a surface that may be new, while there is room."""
    return rows.setdefault(surface, len(rows)) if len(rows) < _SURFACES else rows.get(surface, 0)


def _added(counts: NDArray[np.int64], rows: NDArray[np.int32], size: int) -> NDArray[np.int64]:
    if size > len(counts):
        counts = np.concatenate([counts, np.zeros(size, dtype=np.int64)])
    np.add.at(counts, rows, 1)
    return counts
