"""What speaks for an entity that a mention may mean, and which of several comes first."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from quern.records import Candidate

NEARLY = 0.9  # fit from which on a name counts as found, a part of a coordination, too
_FAR = 1 << 30  # the place of what is not near


class Found(NamedTuple):
    """What speaks for a candidate.

    Attributes:
        key: see ``Proposal``; so are ``fit``, ``labelled`` and ``total``.
        popularity: of the entity, -1 where it is not known.
        place: among those that are near by meaning, from 0.
    """

    key: str
    fit: float
    labelled: int
    total: int
    popularity: float
    place: int = _FAR

    @classmethod
    def of(cls, candidate: Candidate, fit: float, labelled: int = 0, total: int = 0) -> Found:
        """What a name of the base says."""
        popularity = -1.0 if candidate.popularity is None else candidate.popularity
        return cls(candidate.key, fit, labelled, total, popularity)

    @classmethod
    def near(cls, place: int) -> Found:
        """What a place by meaning says."""
        return cls("", 0.0, 0, 0, -1.0, place)

    @property
    def sure(self) -> bool:
        """Whether it counts as found by its name."""
        return self.labelled > 0 or self.fit >= NEARLY


def keep(found: dict[str, Found], id_: str, new: Found) -> None:
    """Add what speaks for an entity to what else does."""
    old = found.get(id_, new)
    named = max(old, new, key=lambda each: each.fit)
    told = max(old, new, key=lambda each: each.labelled)
    popularity, place = max(old.popularity, new.popularity), min(old.place, new.place)
    found[id_] = Found(named.key, named.fit, told.labelled, told.total, popularity, place)


def ordered(found: Mapping[str, Found]) -> list[str]:
    """The best first: those found by name, then by the better place, by spelling or by meaning.

    A fit and a cosine are no numbers of one kind; places are. Of two that are equal, the one by
    meaning is first, since a name that is only similar is seldom meant.
    """
    by_name = sorted(found, key=lambda id_: rank(id_, found[id_]))
    sure = [id_ for id_ in by_name if found[id_].sure]
    spelt = [id_ for id_ in by_name[len(sure) :] if found[id_].key]
    places = {id_: found[id_].place for id_ in by_name[len(sure) :]}
    for place, id_ in enumerate(spelt):
        places[id_] = min(place, places[id_])
    near = {id_: found[id_].place for id_ in places}
    return sure + sorted(places, key=lambda id_: (places[id_], near[id_], id_))


def rank(id_: str, found: Found) -> tuple[float, float, float, str]:
    """Sorts by what names say, the best first."""
    return -found.labelled, -found.fit, -found.popularity, id_
