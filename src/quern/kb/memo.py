"""Answers of a knowledge base that hold until someone writes to it."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable, Iterable, Mapping
from threading import Lock
from typing import Generic, TypeVar

_MOST = 20_000  # answers

_K = TypeVar("_K", bound=Hashable)
_T = TypeVar("_T")


class Memo(Generic[_K, _T]):
    """Keeps the answers given last, ``most`` of them, of one version of a store.

    Who asks first reads the version, then what is kept of it, then the store for the rest. So an
    answer is never older than the version that it is kept under, and one that another thread
    kept under a version before it is never given. Several threads may share it.
    """

    def __init__(self, most: int = _MOST) -> None:
        """Nothing is known yet."""
        self._most = most
        self._version: object = None
        self._kept: OrderedDict[_K, _T] = OrderedDict()
        self._lock = Lock()

    def __len__(self) -> int:
        """Answers that are kept."""
        return len(self._kept)

    def of(self, version: object, asked: Iterable[_K]) -> dict[_K, _T]:
        """What is kept of some questions under a version; another one's answers are forgotten."""
        with self._lock:
            if version != self._version:
                self._version = version
                self._kept.clear()
            found = {key: self._kept[key] for key in asked if key in self._kept}
            for key in found:
                self._kept.move_to_end(key)
        return found

    def keep(self, version: object, found: Mapping[_K, _T]) -> None:
        """Keep answers that were looked for when the store had a version, if it is still known."""
        with self._lock:
            if version == self._version:
                self._kept.update(found)
                while len(self._kept) > self._most:
                    self._kept.popitem(last=False)
