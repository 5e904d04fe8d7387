"""What a teacher says of texts, on disk: read once, looked up at random in constant memory."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice, pairwise
from pathlib import Path
from typing import IO, Any, NamedTuple

import msgspec
import numpy as np
from msgspec import UNSET
from numpy.typing import NDArray

from quern.alignment import UnitSpan
from quern.errors import TrainingError
from quern.text import Encoding, Window
from quern.text.codec import RULES
from quern.triples import Floats, Scores, Thresholds, TripleModel

FLOOR = 0.02  # a probability below it counts as 0
LIKELY = 0.05  # least probability of the ends of a subject that the teacher is asked about
# For each start, the nearest end of each level: so no surer end hides behind a weak one.
ASKED = [Thresholds(LIKELY, level, FLOOR, FLOOR) for level in (0.9, 0.7, 0.5, 0.3, 0.1, LIKELY)]

# Where the teacher tells spans, all ends that may go with a start.
ASKED_SPANS = [Thresholds(LIKELY, LIKELY, FLOOR, FLOOR, FLOOR)]

# A window ends in `texts.bin` at `characters` (bytes of UTF-8) and in `rows.bin` at `rows`. Its
# first row are the marks of subjects, the second its spans, every other the objects of a subject.
_WINDOW = np.dtype(
    [("text", "<i4"), ("before", "<i4"), ("units", "<i4"), ("characters", "<i8"), ("rows", "<i8")]
)
_ROW = np.dtype([("first", "<u2"), ("last", "<u2"), ("hits", "<i8")])
_HIT = np.dtype([("unit", "<u2"), ("column", "<u2"), ("p", "<f2")])
_NOBODY, _OWN = (0, 0), 2  # rows of a window that belong to no subject
_FILES = ("texts.bin", "windows.bin", "rows.bin", "hits.bin")
_STATE = "state.json"
_BLOCK = 1 << 18  # windows counted together

Hits = NDArray[np.void]  # of `_HIT`: places in an array (units, columns)


class Soft(NamedTuple):
    """What the teacher says of one window; places count from its first unit.

    Attributes:
        text: the window's slice of its text, after ``before`` units that stand before it. It is
            cut and numbered as in its text, but for words that reach beyond its ends.
        before: 0 or 1; a unit's numbers say whether white space stands before it.
        units: of the window itself.
        marks: probabilities of starts and ends of subjects, columns 0 and 1.
        spans: probabilities of spans, first unit by last; none where the teacher does not tell.
        objects: for each subject that the teacher was asked about, the probabilities of its
            objects: starts of label k in column 2k, ends in column 2k + 1.
    """

    text: str
    before: int
    units: int
    marks: Hits
    spans: Hits
    objects: dict[UnitSpan, Hits]


def dense(hits: Hits, length: int, columns: int) -> Floats:
    """Hits as an array (length, columns)."""
    array = np.zeros((length, columns), dtype=np.float32)
    array[hits["unit"], hits["column"]] = hits["p"]
    return array


def soften(encoding: Encoding, window: Window, scores: Scores) -> Soft:
    """A teacher's scores of a window as they are kept."""
    first, stop = window
    before = min(first, 1)
    start, end = encoding.starts[first - before], encoding.ends[stop - 1]
    units, sides = np.nonzero(scores.subjects >= FLOOR)
    marks = zip(units.tolist(), sides.tolist(), scores.subjects[units, sides], strict=True)
    objects = {
        subject: _hits(
            (unit, 2 * label + side, p) for side, hits in enumerate(both) for unit, label, p in hits
        )
        for subject, both in scores.objects.items()
    }
    spans = _hits(_spans(scores, stop - first))
    return Soft(encoding.text[start:end], before, stop - first, _hits(marks), spans, objects)


def _spans(scores: Scores, length: int) -> Iterator[tuple[int, int, float]]:
    """Spans, each no more probable than that its ends begin and end something.

    A teacher was never told of pairs of which neither end is one, and may say anything there.
    """
    ends = scores.subjects[:length].copy()
    for (first, last), both in scores.objects.items():
        sure = min(scores.subjects[first, 0], scores.subjects[last, 1])
        for side, hits in enumerate(both):
            for unit, _, p in hits:
                ends[unit, side] = max(ends[unit, side], min(p, sure))
    for (first, last), p in scores.spans.items():
        likely = min(p, float(ends[first, 0]), float(ends[last, 1]))
        if likely >= FLOOR:
            yield first, last, likely


def _hits(places: Iterable[tuple[int, int, float]]) -> Hits:
    return np.array(list(places), dtype=_HIT)


class SoftTargets:
    """A teacher's answers, as ``build`` has written them, window by window."""

    def __init__(self, path: Path) -> None:
        """Open a folder; nothing is read until it is asked for.

        Raises:
            TrainingError: there is none, or the teacher has not read all.
        """
        self.path = path
        if not _state(path).whole:
            raise TrainingError(f"{path}: the teacher has not read all texts yet")
        kinds = (np.dtype("u1"), _WINDOW, _ROW, _HIT)
        parts = (_mapped(path / name, kind) for name, kind in zip(_FILES, kinds, strict=True))
        self._texts, self._windows, self._rows, self._hits = parts

    def __len__(self) -> int:
        """Windows."""
        return len(self._windows)

    @property
    def lengths(self) -> NDArray[np.int32]:
        """Units of every window."""
        return self._windows["units"]

    @property
    def texts(self) -> NDArray[np.int32]:
        """The number of every window's text, in the order in which texts were read."""
        return self._windows["text"]

    def told(self, first: int) -> tuple[int, int]:
        """Texts from number ``first`` on in which the teacher sees a likely subject, and others."""
        counts, last = [0, 0], [first - 1] * 2
        for at in range(0, len(self), _BLOCK):
            block = self._windows[at : at + _BLOCK]
            likely = np.diff(block["rows"], prepend=self._end(at - 1, "rows")) > _OWN
            for which, numbers in enumerate((block["text"][likely], block["text"])):
                new = np.unique(numbers[numbers > last[which]])  # numbers of texts only rise
                counts[which] += len(new)
                last[which] = max([last[which], *new[-1:].tolist()])
        told, every = counts
        return told, every - told

    def __getitem__(self, index: int) -> Soft:
        """What the teacher says of one window, from 0."""
        window = self._windows[index]
        from_text, from_row = (self._end(index - 1, of) for of in ("characters", "rows"))
        text = self._texts[from_text : window["characters"]].tobytes()
        rows = self._rows[from_row : window["rows"]]
        borders = [int(self._rows[from_row - 1]["hits"]) if from_row else 0, *rows["hits"].tolist()]
        marks, spans, *objects = (self._hits[a:b] for a, b in pairwise(borders))
        subjects = zip(rows["first"][_OWN:].tolist(), rows["last"][_OWN:].tolist(), strict=True)
        return Soft(
            text.decode("utf-8", "surrogatepass"),
            int(window["before"]),
            int(window["units"]),
            marks,
            spans,
            dict(zip(subjects, objects, strict=True)),
        )

    def _end(self, index: int, of: str) -> int:
        return int(self._windows[index][of]) if index >= 0 else 0


def build(
    path: Path,
    source: Any,
    texts: Iterable[str],
    teacher: TripleModel,
    advance: Callable[[int], None],
) -> SoftTargets:
    """Let a teacher read texts and write down what it says; go on where it was stopped.

    Args:
        path: a folder; what it holds from the same ``source`` stays.
        source: what tells texts and teacher from any other, as JSON can hold it.
        texts: to be read, the same in the same order at every call.
        teacher: who reads.
        advance: called with the number of texts read.
    """
    source = msgspec.json.decode(msgspec.json.encode([RULES, FLOOR, ASKED, source]))
    state = _state(path)
    if state.source != source:
        shutil.rmtree(path, ignore_errors=True)
        path.mkdir(parents=True)
        state = _State(source)
    if not state.whole:
        _read(path, state, texts, teacher, advance)
    return SoftTargets(path)


_Sizes = tuple[int, int, int, int]


class _State(msgspec.Struct):
    """How far the teacher has come: texts, bytes of each file, and what was written in them."""

    source: Any = None
    texts: int = 0
    sizes: _Sizes = (0, 0, 0, 0)
    whole: bool = False


def _state(path: Path) -> _State:
    try:
        return msgspec.json.decode((path / _STATE).read_bytes(), type=_State)
    except (OSError, msgspec.DecodeError):
        return _State()  # nothing there that could be gone on with


def _read(
    path: Path,
    state: _State,
    texts: Iterable[str],
    teacher: TripleModel,
    advance: Callable[[int], None],
) -> None:
    for name, size in zip(_FILES, state.sizes, strict=True):
        (path / name).touch()
        os.truncate(path / name, size)  # what was written after the state was
    advance(state.texts)
    left = islice(texts, state.texts, None)
    while some := list(islice(left, teacher.chunk)):
        state.sizes = _append(path, state, _answers(teacher, some))
        state.texts += len(some)
        _save(path, state)
        advance(len(some))
    state.whole = True
    _save(path, state)


def _answers(teacher: TripleModel, texts: Sequence[str]) -> Iterator[tuple[int, Soft]]:
    """What the teacher says of every window, in the order of texts and windows."""
    encodings = [teacher.codec.encode(text) for text in texts]
    asked = ASKED if teacher.thresholds.span is UNSET else ASKED_SPANS
    said = {
        (i, window): soften(encodings[i], window, scores)
        for i, window, scores in teacher.scores(encodings, asked)
    }
    for i, window in sorted(said):
        yield i, said[i, window]


def _append(path: Path, state: _State, answers: Iterable[tuple[int, Soft]]) -> _Sizes:
    """Write answers at the end of the files; gives their new sizes."""
    texts: list[bytes] = []
    windows: list[tuple[int, ...]] = []
    rows: list[tuple[int, ...]] = []
    hits: list[Hits] = []
    characters, _, of_rows, of_hits = state.sizes
    before, count = of_rows // _ROW.itemsize, of_hits // _HIT.itemsize
    for i, soft in answers:
        texts.append(soft.text.encode("utf-8", "surrogatepass"))
        characters += len(texts[-1])
        for subject, found in [(_NOBODY, soft.marks), (_NOBODY, soft.spans), *soft.objects.items()]:
            hits.append(found)
            count += len(found)
            rows.append((*subject, count))
        windows.append((state.texts + i, soft.before, soft.units, characters, before + len(rows)))
    parts = (
        b"".join(texts),
        np.array(windows, dtype=_WINDOW).tobytes(),
        np.array(rows, dtype=_ROW).tobytes(),
        b"".join(found.tobytes() for found in hits),
    )
    for name, part in zip(_FILES, parts, strict=True):
        with (path / name).open("ab") as stream:
            _write(stream, part)
    a, b, c, d = (old + len(part) for old, part in zip(state.sizes, parts, strict=True))
    return a, b, c, d


def _save(path: Path, state: _State) -> None:
    with (path / f".{_STATE}.part").open("wb") as stream:
        _write(stream, msgspec.json.encode(state))
    (path / f".{_STATE}.part").replace(path / _STATE)


def _write(stream: IO[bytes], content: bytes) -> None:
    stream.write(content)
    stream.flush()
    os.fsync(stream.fileno())


def _mapped(path: Path, kind: np.dtype[Any]) -> NDArray[Any]:
    if not path.stat().st_size:  # nothing can be mapped of an empty file
        return np.zeros(0, dtype=kind)
    return np.memmap(path, dtype=kind, mode="r")
