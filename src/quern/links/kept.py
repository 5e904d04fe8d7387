"""What was made of the entities met last."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from threading import Lock
from typing import Generic, TypeVar

from quern.records import Entity

_MOST = 20_000  # entities

_T = TypeVar("_T")


class Kept(Generic[_T]):
    """Keeps what depends on an entity alone, of so many of them; one that was edited is another.

    Several threads may share it.
    """

    def __init__(self, most: int = _MOST) -> None:
        """Of ``most`` entities at most."""
        self._most = most
        self._kept: OrderedDict[str, tuple[Entity, _T]] = OrderedDict()
        self._lock = Lock()

    def __len__(self) -> int:
        """Entities that something is kept of."""
        return len(self._kept)

    def of(self, entities: Mapping[str, Entity]) -> dict[str, _T]:
        """What is kept of some entities, given and asked for by their ids."""
        found = {}
        with self._lock:
            for id_, entity in entities.items():
                before = self._kept.get(id_)
                if before is not None and (before[0] is entity or before[0] == entity):
                    found[id_] = before[1]
                    self._kept.move_to_end(id_)
        return found

    def keep(self, entities: Mapping[str, Entity], made: Mapping[str, _T]) -> None:
        """Keep what was ``made`` of some entities, by their ids."""
        with self._lock:
            for id_, one in made.items():
                self._kept[id_] = entities[id_], one
                self._kept.move_to_end(id_)
            while len(self._kept) > self._most:
                self._kept.popitem(last=False)
