"""What is known of names and entities before any text is read closely."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple, Protocol

from quern.links.candidates import Base, Candidates, CandidateSettings, Proposal
from quern.links.described import described
from quern.links.entity_counts import EntityCounts
from quern.links.exchanges import Exchanges
from quern.links.frequencies import Frequencies
from quern.links.meaning import Finds
from quern.links.pair_features import Floats, PairFeatures
from quern.records import Entity, LinkExample

COUNTS, EXCHANGES, FREQUENCIES = "counts.json", "exchanges.json", "frequencies.bin"

Place = tuple[int, int]  # where a mention begins and ends, in code points


class Options(NamedTuple):
    """What a mention may mean, the best-fitting first.

    Attributes:
        proposals: the candidates.
        scalars: (candidates, ``SCALARS``), of each with the mention.
    """

    proposals: Sequence[Proposal]
    scalars: Floats


class Lists(Protocol):
    """Anything whose entities can be gone through more than once."""

    def __iter__(self) -> Iterator[Entity]:
        """All entities."""


class Background:
    """Proposes candidates and says what speaks for each, by counts over texts and a base.

    Attributes:
        settings: which candidates are looked at.
        counts: which entities training texts meant.
        exchanges: words that stand for each other.
        meaning: finds entities by what a mention says, where there is such a model.
        features: what is compared of a mention and a candidate.
    """

    def __init__(
        self,
        settings: CandidateSettings,
        counts: EntityCounts,
        exchanges: Exchanges,
        frequencies: Frequencies,
        meaning: Finds | None = None,
    ) -> None:
        """Put together what was counted."""
        self.settings, self.counts, self.exchanges = settings, counts, exchanges
        self.meaning = meaning
        self.features = PairFeatures(frequencies)

    @classmethod
    def learn(
        cls,
        settings: CandidateSettings,
        examples: Sequence[LinkExample],
        entities: Lists,
        meaning: Finds | None = None,
    ) -> Background:
        """Count over labelled texts and the entities of a knowledge base."""
        frequencies = Frequencies.learn(map(described, entities))
        exchanges = Exchanges.learn(entities)
        return cls(settings, EntityCounts.learn(examples), exchanges, frequencies, meaning)

    def candidates(self, kb: Base) -> Candidates:
        """What proposes entities of a knowledge base."""
        return Candidates(kb, self.counts, self.settings, self.exchanges, self.meaning)

    def options(
        self,
        candidates: Candidates,
        texts: Sequence[str],
        places: Sequence[Sequence[Place]],
        own: Sequence[LinkExample | None] | None = None,
    ) -> list[list[Options]]:
        """For each text, what each of its mentions may mean.

        Args:
            candidates: of the knowledge base, see ``candidates``.
            texts: any strings.
            places: of the mentions of each.
            own: the labels of each, where it is among those that were learned from.

        Raises:
            StoreError: the base cannot be read.
        """
        proposed = candidates.of_texts(texts, places, own)
        scalars = self.features.of_texts(texts, places, proposed)
        return [
            [Options(*of_place) for of_place in zip(*of_text, strict=True)]
            for of_text in zip(proposed, scalars, strict=True)
        ]

    # -- on disk --------------------------------------------------------------------------

    def payloads(self) -> dict[str, bytes]:
        """The content of each file that a folder keeps of it."""
        return {
            COUNTS: self.counts.payload(),
            EXCHANGES: self.exchanges.payload(),
            FREQUENCIES: self.features.frequencies.payload(),
        }

    @classmethod
    def read(
        cls,
        settings: CandidateSettings,
        part: Callable[[str], bytes],
        meaning: Finds | None = None,
    ) -> Background:
        """What gave some ``payloads``.

        Args:
            settings: which candidates are looked at.
            part: gives the content of a file.
            meaning: finds entities by what a mention says.

        Raises:
            FolderError: a file is missing, or holds something else.
        """
        return cls(
            settings,
            EntityCounts.read(part(COUNTS)),
            Exchanges.read(part(EXCHANGES)),
            Frequencies.read(part(FREQUENCIES)),
            meaning,
        )
