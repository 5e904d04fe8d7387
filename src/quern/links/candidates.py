"""The entities that a mention may mean, before anything of its context is read.

By the very name; by what training texts meant by it; by a name that differs in a word that often
stands for another; by similar spelling; by meaning, where a rank model is given. A short form that
the text explains has the candidates of its long form, too, and a mention of several things those of
each.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple, Protocol, TypeVar

import msgspec

from quern.links.abbreviations import abbreviations, expanded
from quern.links.coordinations import coordinated
from quern.links.entity_counts import EntityCounts, own_labels
from quern.links.exchanges import Exchanges
from quern.links.found import NEARLY, Found, keep, ordered, rank
from quern.links.meaning import Finds
from quern.priors import home_of
from quern.records import NIL, TOGETHER, Candidate, Entity, LinkExample, together
from quern.text.keys import keys_of

_T = TypeVar("_T")
Own = Mapping[tuple[str, str], int]


class Base(Protocol):
    """What is asked of a knowledge base."""

    def named(self, keys: Sequence[str]) -> dict[str, list[Candidate]]:
        """The entities of names, by their keys."""

    def candidates_many(
        self, names: Sequence[str], limit: int = 10, *, least: float = 0.5
    ) -> list[list[Candidate]]:
        """For each of some names its entities and those of similar ones."""

    def entities(self, ids: Iterable[str]) -> dict[str, Entity]:
        """The entities of ids, those that there are."""

    def encodings(self, model: str, wanted: Sequence[tuple[str, str]]) -> dict[str, bytes]:
        """What a model keeps of entities, by id and hash of their description."""

    def keep_encodings(self, model: str, rows: Sequence[tuple[str, str, bytes]]) -> None:
        """Keep that, where the base can be written to."""


class CandidateSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which entities are looked at.

    Attributes:
        candidates: at most so many of a mention.
        similar: least score of a name that is only similar; 1 looks for none. They are looked
            for where fewer than ``enough`` others are labelled or fit nearly.
        enough: see ``similar``; more than 1 finds some entities that would be missed, with
            several times as many candidates and as much time.
        prior_share: as in the article, of a name that training texts labelled ``prior_count``
            times or more, only the entities that make up this share of its labels are kept; 1
            keeps all.
        prior_count: see ``prior_share``.
        meanings: of the entities nearest by meaning, so many are among the candidates, where a
            rank model is given.
    """

    candidates: int = 16
    similar: float = 0.5
    enough: int = 1
    meanings: int = 16
    prior_share: float = 1.0
    prior_count: int = 5

    def __post_init__(self) -> None:
        if self.candidates < 1:
            raise ValueError("candidates must be at least 1")
        if self.meanings < 0:
            raise ValueError("meanings must be at least 0")
        if not (0 < self.similar <= 1 and 0 < self.prior_share <= 1):
            raise ValueError("similar and prior_share must be above 0 and at most 1")


class Proposal(msgspec.Struct, frozen=True):
    """An entity that a mention may mean.

    Attributes:
        entity: it, or several put together, with the id ``A|B``.
        key: of the name that fits.
        fit: how well: 1 for the same name, less for one like it, 0 where only labels say so.
        labelled: how often training texts meant it by this name.
        total: how often they labelled this name.
        known: how often they meant it by any name.
    """

    entity: Entity
    key: str
    fit: float
    labelled: int = 0
    total: int = 0
    known: int = 0


class _Asked(NamedTuple):
    """A mention, as it is looked up.

    Attributes:
        names: the mention, and what it is short for.
        ways: see ``coordinated``.
        home: of its text.
        own: labels of its text that count for nothing.
    """

    names: list[str]
    ways: list[list[str]]
    home: int
    own: Own


class Candidates:
    """Proposes entities of one knowledge base, as it is at the moment of asking."""

    def __init__(
        self,
        kb: Base,
        counts: EntityCounts,
        settings: CandidateSettings | None = None,
        exchanges: Exchanges | None = None,
        meaning: Finds | None = None,
    ) -> None:
        """Put together what is known of names, and what finds entities by meaning."""
        self._kb, self._counts, self._meaning = kb, counts, meaning
        self._settings = settings or CandidateSettings()
        self._exchanges = exchanges or Exchanges({})
        self.narrowed = (
            0  # names, of mentions or of parts, of which the article's prior left out candidates
        )

    def of_texts(
        self,
        texts: Sequence[str],
        places: Sequence[Sequence[tuple[int, int]]],
        own: Sequence[LinkExample | None] | None = None,
    ) -> list[list[list[Proposal]]]:
        """For each text, for each place in it, what it may mean, the best-fitting first.

        Args:
            texts: any strings.
            places: where the mentions of each begin and end.
            own: the labels of each, where it is among those that the counts were learned from.

        Raises:
            StoreError: the base cannot be read.
        """
        asked = [
            of_text
            for text, at, example in zip(texts, places, own or [None] * len(texts), strict=True)
            for of_text in self._asked(text, at, own_labels(example))
        ]
        found = self._found(asked)
        ids = {part for of_one in found for id_ in of_one for part in id_.split(TOGETHER)}
        entities = self._kb.entities(ids)
        rows = iter(zip(asked, found, strict=True))
        return [[self._proposals(*next(rows), entities) for _ in at] for at in places]

    # -- names --------------------------------------------------------------------------

    def _asked(self, text: str, at: Sequence[tuple[int, int]], own: Own) -> list[_Asked]:
        short = abbreviations(text)
        home = home_of(text)
        asked = []
        for start, end in at:
            mention = text[start:end]
            names = list(dict.fromkeys([mention, expanded(mention, short)]))
            ways = [way for name in names for way in coordinated(name)]
            asked.append(_Asked(names, ways, home, own))
        return asked

    def _found(self, asked: Sequence[_Asked]) -> list[dict[str, Found]]:
        """By id what speaks for each candidate; two queries for the names of all mentions."""
        lookup = _Lookup(self._kb)
        lookup.ask(name for one in asked for name in (*one.names, *_flat(one.ways)))
        found = [self._by_name(one, one.names, lookup) for one in asked]
        varied = [self._varied(one, lookup) for one in asked]
        lookup.ask_keys(key for of_one in varied for key in of_one)
        for of_one, one, keys in zip(found, asked, varied, strict=True):
            for key, fit in keys.items():
                for id_, candidate in self._meant(key, fit, one, lookup):
                    keep(of_one, id_, candidate)
        for of_one, one in zip(found, asked, strict=True):
            if one.ways:
                self._add_together(of_one, one, lookup)
        if self._settings.similar < 1:
            self._add_similar(found, asked, lookup)
        if self._meaning is not None and self._settings.meanings:
            self._add_by_meaning(found, asked, self._meaning)
        return found

    def _by_name(self, one: _Asked, names: Sequence[str], lookup: _Lookup) -> dict[str, Found]:
        """By the very name, and by what training texts meant by it."""
        found: dict[str, Found] = {}
        for name in names:
            key = lookup.key(name)
            labelled = self._counts.of(key, one.home, one.own)
            total = sum(labelled.values())
            of_name = {
                c.id: Found.of(c, 1.0, labelled.get(c.id, 0), total) for c in lookup.named(key)
            }
            for id_, count in labelled.items():
                if id_ != NIL:
                    of_name.setdefault(id_, Found(key, 0.0, count, total, -1.0))
            self._narrow(of_name, labelled, total)
            for id_, new in of_name.items():
                keep(found, id_, new)
        return found

    def _meant(
        self, key: str, fit: float, one: _Asked, lookup: _Lookup
    ) -> Iterator[tuple[str, Found]]:
        """What another name that a mention may stand for means, in the base or by labels."""
        for candidate in lookup.named(key):
            yield candidate.id, Found.of(candidate, fit)
        for id_ in self._counts.of(key, one.home, one.own):
            if id_ != NIL:
                yield id_, Found(key, fit, 0, 0, -1.0)

    def _narrow(self, found: dict[str, Found], labelled: Mapping[str, int], total: int) -> None:
        """Keep only those on which the labels of a name concentrate, where settings say so."""
        settings = self._settings
        if settings.prior_share >= 1 or total < settings.prior_count:
            return
        kept, sum_ = set(), 0
        for id_, count in sorted(labelled.items(), key=lambda item: (-item[1], item[0])):
            if sum_ >= settings.prior_share * total:
                break
            kept.add(id_)
            sum_ += count
        dropped = [id_ for id_ in found if id_ not in kept]
        self.narrowed += bool(dropped)
        for id_ in dropped:
            del found[id_]

    def _varied(self, one: _Asked, lookup: _Lookup) -> dict[str, float]:
        varied: dict[str, float] = {}
        for name in one.names:
            for key, fit in self._exchanges.varied(lookup.key(name)).items():
                varied[key] = max(fit, varied.get(key, 0.0))
        return varied

    def _add_together(self, found: dict[str, Found], one: _Asked, lookup: _Lookup) -> None:
        """Several entities that are meant together, if each of several names is one's."""
        for way in one.ways:
            best = []
            for name in way:
                of_part = self._by_name(one, [name], lookup)
                near = {i: f for i, f in of_part.items() if f.sure}
                if not near:
                    near = self._nearly(name, lookup)
                if not near:
                    break
                best.append(min(near, key=lambda id_: rank(id_, near[id_])))
            parts = list(dict.fromkeys(best))
            if len(best) == len(way) and len(parts) > 1 and not any(TOGETHER in p for p in parts):
                keep(found, together(parts), Found(lookup.key(way[0]), 1.0, 0, 0, -1.0))
                return

    def _nearly(self, name: str, lookup: _Lookup) -> dict[str, Found]:
        """By a name that differs in number or in a word that often stands for another."""
        varied = self._exchanges.varied(lookup.key(name))
        keys = {key: fit for key, fit in varied.items() if fit >= NEARLY}
        lookup.ask_keys(keys)
        return {c.id: Found.of(c, fit) for key, fit in keys.items() for c in lookup.named(key)}

    def _add_similar(
        self, found: Sequence[dict[str, Found]], asked: Sequence[_Asked], lookup: _Lookup
    ) -> None:
        """Of similar names, where few others are labelled or fit nearly."""
        few = [
            (of_one, one.names)
            for of_one, one in zip(found, asked, strict=True)
            if sum(f.sure for f in of_one.values()) < self._settings.enough
        ]
        similar = lookup.similar(_flat(names for _, names in few), self._settings)
        for of_one, names in few:
            for candidate in _flat(similar[name] for name in names):
                keep(of_one, candidate.id, Found.of(candidate, candidate.score))

    def _add_by_meaning(
        self, found: Sequence[dict[str, Found]], asked: Sequence[_Asked], meaning: Finds
    ) -> None:
        """Those nearest to the words of a mention, or to what it is short for."""
        said = dict.fromkeys(one.names[-1] for one in asked)
        near = dict(zip(said, meaning.search(list(said), self._settings.meanings), strict=True))
        for of_one, one in zip(found, asked, strict=True):
            for place, item in enumerate(near[one.names[-1]]):
                keep(of_one, item.id, Found.near(place))

    # -- entities -----------------------------------------------------------------------

    def _proposals(
        self, one: _Asked, found: dict[str, Found], entities: Mapping[str, Entity]
    ) -> list[Proposal]:
        proposals: list[Proposal] = []
        for id_ in ordered(found):
            parts = [entities.get(part) for part in id_.split(TOGETHER)]
            there = [part for part in parts if part is not None]
            if len(there) == len(parts) and len(proposals) < self._settings.candidates:
                key, fit, labelled, total, *_ = found[id_]
                known = self._counts.known(id_, one.home, one.own)
                proposals.append(Proposal(_joined(there), key, fit, labelled, total, known))
        return proposals


class _Lookup:
    """Names that were asked for, their keys, and the entities that have them."""

    def __init__(self, kb: Base) -> None:
        self._kb = kb
        self._keys: dict[str, str] = {}
        self._named: dict[str, list[Candidate]] = {}

    def ask(self, names: Iterable[str]) -> None:
        new = [name for name in dict.fromkeys(names) if name not in self._keys]
        self._keys.update(zip(new, keys_of(new), strict=True) if new else ())
        self.ask_keys(self._keys[name] for name in new)

    def ask_keys(self, keys: Iterable[str]) -> None:
        new = [key for key in dict.fromkeys(keys) if key not in self._named]
        self._named.update(self._kb.named(new) if new else {})

    def key(self, name: str) -> str:
        return self._keys[name]

    def named(self, key: str) -> list[Candidate]:
        return self._named[key]

    def similar(
        self, names: Iterable[str], settings: CandidateSettings
    ) -> dict[str, list[Candidate]]:
        asked, most = list(dict.fromkeys(names)), settings.candidates
        found = self._kb.candidates_many(asked, most, least=settings.similar)
        return dict(zip(asked, found, strict=True))


def _flat(several: Iterable[Sequence[_T]]) -> Iterator[_T]:
    return (each for of_one in several for each in of_one)


def _joined(parts: Sequence[Entity]) -> Entity:
    """Several entities as one."""
    if len(parts) == 1:
        return parts[0]
    return Entity(
        TOGETHER.join(part.id for part in parts),
        TOGETHER.join(part.name for part in parts),
        tuple(alias for part in parts for alias in part.aliases),
        "\n".join(part.description for part in parts if part.description),
        tuple(dict.fromkeys(type_ for part in parts for type_ in part.types)),
        tuple(fact for part in parts for fact in part.facts),
    )
