"""What readers are given, and what they give."""

from __future__ import annotations

from typing import NamedTuple

from quern.records import Entity

Row = tuple[int, Entity | str]  # the line (of RDF the statement), and why there is no entity


class Reading(NamedTuple):
    """How files are read.

    Attributes:
        form: the format; None to tell it by the file's name.
        ignore: fields or columns to leave out.
        languages: of RDF, those whose names come first, the best one first.
    """

    form: str | None = None
    ignore: tuple[str, ...] = ()
    languages: tuple[str, ...] = ()
