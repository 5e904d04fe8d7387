"""Which entities training texts meant by which names."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import msgspec

from quern.errors import FolderError
from quern.priors import home_of
from quern.records import NIL, LinkExample, ids_of, together
from quern.text.keys import keys_of
from quern.text.vocabulary import SURROGATE

_SEVERAL = 0  # home of what several texts say


class Counted(NamedTuple):
    """How often a name means an entity, and the only text that says so; 0 where several do."""

    times: int
    home: int = _SEVERAL


class EntityCounts:
    """For the key of each labelled name the entities that it meant, and how often.

    A text never sees its own answers: what it alone says does not count in it, in training and
    in reading; in training, all that its own labels add is taken off as well.
    """

    def __init__(self, counts: Mapping[str, Mapping[str, Counted]]) -> None:
        """Take the counts, by key and by id (``NIL`` for none)."""
        self.counts = {key: dict(of_key) for key, of_key in counts.items()}
        self._of_entity: Counter[str] = Counter()
        self._alone: Counter[tuple[str, int]] = Counter()  # what one text alone says, by its home
        for of_key in self.counts.values():
            for id_, (count, home) in of_key.items():
                self._of_entity[id_] += count
                if home != _SEVERAL:
                    self._alone[id_, home] += count

    @classmethod
    def learn(cls, examples: Iterable[LinkExample]) -> EntityCounts:
        """Count the labels of texts; a text counts once, however many lines it stands on."""
        found: dict[str, dict[str, Counted]] = defaultdict(dict)
        for example in {each.text: each for each in reversed(list(examples))}.values():
            home = home_of(example.text)
            for (key, id_), count in own_labels(example).items():
                before = found[key].get(id_)
                told = Counted(count, home)
                if before is not None:
                    told = Counted(before.times + count, _SEVERAL)
                found[key][id_] = told
        return cls(found)

    def __len__(self) -> int:
        """Names."""
        return len(self.counts)

    def of(self, key: str, home: int, own: Mapping[tuple[str, str], int]) -> dict[str, int]:
        """The entities that a name meant elsewhere, and how often; ``NIL`` for none.

        Args:
            key: of the name.
            home: of the text in which it stands, by ``home_of``.
            own: the labels of this text, where it was learned from, by ``own_labels``.
        """
        found = {}
        for id_, (count, only) in self.counts.get(key, {}).items():
            left = 0 if only == home else count - own.get((key, id_), 0)
            if left > 0:
                found[id_] = left
        return found

    def known(self, id_: str, home: int, own: Mapping[tuple[str, str], int]) -> int:
        """How often an entity was meant elsewhere, by any name; see ``of``."""
        ours = sum(count for (_, of), count in own.items() if of == id_) if own else 0
        return max(0, self._of_entity[id_] - max(ours, self._alone[id_, home]))

    # -- on disk --------------------------------------------------------------------------

    def payload(self) -> bytes:
        """As bytes; the same counts give the same."""
        rows = [
            (key, id_, *counted)
            for key, of_key in sorted(self.counts.items())
            if not SURROGATE.search(key)
            for id_, counted in sorted(of_key.items())
        ]
        columns: Sequence[Sequence[object]] = list(zip(*rows, strict=True)) or [[], [], [], []]
        return msgspec.json.encode(columns)

    @classmethod
    def read(cls, content: bytes) -> EntityCounts:
        """The counts of a ``payload``.

        Raises:
            FolderError: it is none.
        """
        form = tuple[list[str], list[str], list[int], list[int]]
        try:
            columns = msgspec.json.decode(content, type=form)
            found: dict[str, dict[str, Counted]] = defaultdict(dict)
            for key, id_, count, home in zip(*columns, strict=True):
                found[key][id_] = Counted(count, home)
        except (msgspec.DecodeError, UnicodeDecodeError, ValueError) as error:
            raise FolderError(f"counts of entities cannot be read: {error}") from error
        return cls(found)


def own_labels(example: LinkExample | None) -> Counter[tuple[str, str]]:
    """How often a text labels a name, by its key, with an entity; each place once."""
    if example is None:
        return Counter()
    mentions = list({mention.place: mention for mention in example.mentions}.values())
    keys = keys_of([mention.mention for mention in mentions])
    ids = [NIL if m.kb_id is None else together(ids_of(m.kb_id)) for m in mentions]
    return Counter(zip(keys, ids, strict=True))
