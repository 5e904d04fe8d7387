"""What the data doctor can find: how it is called, whether training stops for it, what to do."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Literal, NamedTuple

import msgspec

File = Literal["train", "dev", "catalogue", "vectors"]


class Place(msgspec.Struct, frozen=True):
    """One case of a finding; line 0 where it belongs to no line."""

    line: int
    detail: str


class Finding(msgspec.Struct, frozen=True):
    """All cases of one kind in one file.

    Attributes:
        kind: one of ``KINDS``.
        file: the file it was found in.
        stops: whether training refuses the data for it.
        count: how many cases there are.
        what: what was found, in words.
        next_step: what to do about it.
        places: the cases, or the first of them.
    """

    kind: str
    file: File
    stops: bool
    count: int
    what: str
    next_step: str
    places: tuple[Place, ...]

    def first(self, limit: int) -> Finding:
        """The same with at most ``limit`` places."""
        return msgspec.structs.replace(self, places=self.places[:limit])


class Kind(NamedTuple):
    """A kind of finding.

    ``stops`` names the files that training refuses for it. ``next_step`` is said of either
    file, unless ``dev`` says it otherwise for dev.
    """

    what: str
    next_step: str
    dev: str = ""
    stops: tuple[File, ...] = ()


_BOTH: tuple[File, ...] = ("train", "dev")
_TRAIN: tuple[File, ...] = ("train",)
_COUNTED = "dev is not learned from, but each counts as missed in every score"

# In the order of the report.
KINDS: dict[str, Kind] = {
    "bad": Kind(
        "lines that cannot be read",
        "mend them; docs/data.md shows the forms that a line can have",
        stops=_BOTH,
    ),
    "nothing": Kind(
        "files without a triple",
        "label some texts: training needs triples to learn from",
        dev="label some texts: training needs triples to choose the best weights by",
        stops=_BOTH,
    ),
    "absent": Kind(
        "labels that do not stand in their text",
        "write both ends as the text has them; or train without them: --allow absent",
        dev=f"write both ends as the text has them; {_COUNTED}",
        stops=_TRAIN,
    ),
    "offset": Kind(
        "labels whose offset does not point at them",
        "count offsets in characters (code points) from 0, or leave them out; "
        "or train without these labels: --allow absent",
        dev="count offsets in characters (code points) from 0, or leave them out",
        stops=_TRAIN,
    ),
    "border": Kind(
        "labels that cut through a word or number",
        "label whole words and numbers; or train without them: --allow border",
        dev=f"label whole words and numbers; {_COUNTED}",
        stops=_TRAIN,
    ),
    "window": Kind(
        "labels whose ends no window holds together",
        "raise overlap to as many units, and window above it (in training: --set overlap=… "
        "--set window=…); or train without them: --allow window",
        dev=f"raise overlap to as many units, and window above it; {_COUNTED}",
        stops=_TRAIN,
    ),
    "ambiguous": Kind(
        "labels placed by guess: a string stands more than once and has no offset",
        "give subject_start/object_start to say which place is meant; without them the two "
        "places nearest to each other are taken",
        dev="nothing, if words are compared; for scores by place give subject_start/object_start",
    ),
    "surplus": Kind(
        "labels that decoding cannot give without another",
        "nothing, if the texts say so: it costs what the best precision lacks",
    ),
    "spelling": Kind(
        "labels spelled unlike their text in case or width",
        "write them as the text has them: answers are slices of the text and are compared to "
        "the letter",
    ),
    "edges": Kind(
        "labels with white space at an edge",
        "take the white space off: no answer will ever have it",
    ),
    "conflict": Kind(
        "lines that repeat a text with other triples",
        "put all triples of a text on one line (each line teaches that nothing else is true), or "
        'say what each line was labelled for: "predicates"',
    ),
    "duplicate": Kind(
        "lines that repeat a text and its triples",
        "keep one of the lines, unless the text should weigh more",
    ),
    "repeated": Kind(
        "triples that stand twice on a line",
        "keep one of the two; the second changes nothing",
    ),
    "entity": Kind(
        "entities whose offsets do not point at their text",
        "count start and end in characters (code points) from 0, the end not included",
    ),
    "empty": Kind(
        "texts with nothing but white space",
        "take these lines out; there is nothing to read in them",
    ),
    "few": Kind(
        "predicates with few examples",
        "label more texts with them, or join them with a predicate that says much the same",
    ),
    "unlearned": Kind(
        "predicates that train does not have",
        "move some of their lines to train: a model cannot find what it was never shown",
    ),
    "unmeasured": Kind(
        "predicates that dev does not have",
        "move some of their lines to dev: no score says how well they are found",
    ),
    "untyped": Kind(
        "predicates with types on some labels and none on others",
        "give types to all labels of a predicate or to none: each pair of types is learned apart",
    ),
    "overlap": Kind(
        "dev texts that stand in train as well",
        "take them out of one of the two: a score on texts already seen is too high",
    ),
}


def findings(
    file: File, found: Mapping[str, Iterable[Place]], kinds: Mapping[str, Kind] = KINDS
) -> list[Finding]:
    """Findings of one file from the cases of each kind, in the order of ``kinds``."""
    results = []
    for name, kind in kinds.items():
        places = tuple(found.get(name, ()))
        if places:
            step = (kind.dev or kind.next_step) if file == "dev" else kind.next_step
            stops = file in kind.stops
            results.append(Finding(name, file, stops, len(places), kind.what, step, places))
    return results
