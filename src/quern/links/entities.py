"""The model that says which entity of a knowledge base each mention means."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain, pairwise
from typing import NamedTuple

import numpy as np

from quern.calibration import PlattScaling
from quern.errors import TextError
from quern.links.background import Background, Options, Place
from quern.links.candidates import Base, Candidates
from quern.links.choosing import NIL_THRESHOLD, decide
from quern.links.described import described, text_hash
from quern.links.encodings import Encoded, padded_states
from quern.links.kept import Kept
from quern.links.model import ReadsMentions
from quern.links.pairs import (
    Floats,
    Pair,
    contexts,
    match_arrays,
    object_marks,
    objects_in,
    of_mentions,
    read_described,
)
from quern.links.settings import EntitySettings
from quern.records import TOGETHER, Choice, Entity, Link, Mention
from quern.runtime import Arrays, Runs, batches, padded
from quern.text import Encoding, TextCodec, Window

SHOWN = 5  # candidates in an answer


class Decision(NamedTuple):
    """How one answer is made of the probabilities of the candidates.

    Attributes:
        nil: see ``choosing.decide``.
        calibration: how probabilities become shares, None where they are given as they are.
    """

    nil: float = NIL_THRESHOLD
    calibration: PlattScaling | None = None


class EntityModel:
    """Chooses with two graphs: one encodes texts and descriptions, one compares the two."""

    batch_size = 32  # windows or descriptions per run
    pair_batch = 128  # pairs per run
    chunk = 256  # texts whose results are held at once

    def __init__(
        self,
        codec: TextCodec,
        encode: Runs,
        match: Runs,
        settings: EntitySettings,
        background: Background,
        decision: Decision | None = None,
        identity: str | None = None,
    ) -> None:
        """Put the parts of a model folder together.

        Args:
            codec: cuts texts and descriptions.
            encode: the graph of both.
            match: the graph of pairs.
            settings: of the network.
            background: proposes candidates.
            decision: makes an answer of their probabilities.
            identity: what tells the encodings of this model from those of any other; without
                it none are kept.
        """
        self.codec, self.settings = codec, settings
        self.background, self.identity = background, identity
        self.decision = decision or Decision()
        self._encode, self._match = encode, match
        self._kept: Kept[Encoded] = Kept()

    def candidates(self, kb: Base) -> Candidates:
        """What proposes entities of a knowledge base to this model."""
        return self.background.candidates(kb)

    def link(
        self, texts: Sequence[str], mentions: Sequence[Sequence[Mention]], kb: Base
    ) -> list[list[Link]]:
        """Say which entity each mention means.

        Args:
            texts: any strings.
            mentions: those of each text.
            kb: the knowledge base, as it is now.

        Returns:
            For each text a link for each of its mentions, in their order.

        Raises:
            TextError: ``texts`` is one string, or a mention does not stand where it says.
            StoreError: the knowledge base cannot be read.
        """
        _check(texts, mentions)
        places = [[(m.start, m.end) for m in of_text] for of_text in mentions]
        weighed = self.weigh(texts, places, kb)
        return [
            [self._link(mention, choices) for mention, choices in zip(ms, of_text, strict=True)]
            for ms, of_text in zip(mentions, weighed, strict=True)
        ]

    def _link(self, mention: Mention, choices: Sequence[Choice]) -> Link:
        sure = self.decision.calibration or float
        id_, score = decide(choices, self.decision.nil)
        shown = tuple(Choice(c.id, c.name, sure(c.score)) for c in choices[:SHOWN])
        start, end, text, found = mention.start, mention.end, mention.text, mention.score
        return Link(start, end, text, found, id_, sure(score), shown)

    def weigh(
        self,
        texts: Sequence[str],
        places: Sequence[Sequence[Place]],
        kb: Base,
        options: Sequence[Sequence[Options]] | None = None,
    ) -> Iterator[list[list[Choice]]]:
        """For each place in each text all candidates, the best first.

        Their scores are probabilities, not calibrated; what is left of 1 is that of NIL.

        Args:
            texts: any strings.
            places: of the mentions of each; there is more than white space at each.
            kb: the knowledge base.
            options: what each mention may mean, if that is known already.
        """
        for at in range(0, len(texts), self.chunk):
            some, where = texts[at : at + self.chunk], places[at : at + self.chunk]
            if options is None:
                proposer = self.candidates(kb)
                offers: Sequence[Sequence[Options]] = self.background.options(proposer, some, where)
            else:
                offers = options[at : at + self.chunk]
            encodings = [self.codec.encode(text) for text in some]
            logits = iter(self._logits(encodings, where, offers, kb))
            for of_text in offers:
                yield [_choices(option, next(logits)) for option in of_text]

    # -- what is compared ---------------------------------------------------------------

    def _logits(
        self,
        encodings: Sequence[Encoding],
        places: Sequence[Sequence[Place]],
        options: Sequence[Sequence[Options]],
        kb: Base,
    ) -> list[Floats]:
        """The logits of the candidates of every mention, text by text."""
        mentions = [
            (i, context, option)
            for i, (encoding, at) in enumerate(zip(encodings, places, strict=True))
            for context, option in zip(
                contexts(self.codec, encoding, at, self.settings.context), options[i], strict=True
            )
        ]
        offered = chain.from_iterable(option.proposals for _, _, option in mentions)
        entities = self.encoded(kb, {proposal.entity.id: proposal.entity for proposal in offered})
        states = self._states({(i, c.window): encodings[i] for i, c, o in mentions if o.proposals})
        sides: list[_Sides] = []
        for i, context, option in mentions:
            if not option.proposals:
                continue
            around = states[i, context.window][context.first - context.window.first :]
            none = np.zeros(len(context.place), dtype=np.float32)
            for proposal, told in zip(option.proposals, option.scalars, strict=True):
                encoded, marks = entities[proposal.entity.id], none
                if proposal.entity.facts:
                    spans = objects_in(encodings[i], self.codec, proposal.entity.facts)
                    marks = object_marks(context, spans)
                sides.append(_Sides(Pair(context, encoded, marks, told), around, encoded))
        logits = self._matched(sides)
        borders = np.cumsum([0, *(len(option.proposals) for _, _, option in mentions)])
        return [logits[a:b] for a, b in pairwise(borders)]

    def _matched(self, sides: Sequence[_Sides]) -> Floats:
        """The logit of each pair; only such of the same padded shape share a run."""
        logits = np.zeros(len(sides), dtype=np.float32)
        shapes: dict[tuple[int, int], list[int]] = {}
        for n, (pair, _, entity) in enumerate(sides):
            shape = padded(len(pair.context.place)), padded(entity.length)
            shapes.setdefault(shape, []).append(n)
        for shape, numbers in shapes.items():
            for at in range(0, len(numbers), self.pair_batch):
                group = numbers[at : at + self.pair_batch]
                inputs = _inputs([sides[n] for n in group], shape, self.settings.match_dim)
                logits[group] = self._match(inputs)["logits"]
        return logits

    def _states(
        self, windows: Mapping[tuple[int, Window], Encoding]
    ) -> dict[tuple[int, Window], Floats]:
        """The states of windows of texts, as many as each has units."""
        keys = list(windows)
        parts = [(windows[key], key[1]) for key in keys]
        return {keys[n]: states for n, states in self._encoded(parts)}

    def _encoded(self, parts: Sequence[tuple[Encoding, Window]]) -> Iterator[tuple[int, Floats]]:
        lengths = [window.stop - window.first for _, window in parts]
        for group in batches(lengths, self.batch_size):
            inputs = self.codec.arrays([parts[n] for n in group], padded(lengths[group[-1]]))
            for row, n in zip(self._encode(inputs)["states"], group, strict=True):
                yield n, row[: lengths[n]]

    # -- entities -----------------------------------------------------------------------

    def encoded(self, kb: Base, entities: Mapping[str, Entity]) -> dict[str, Encoded]:
        """What is compared of entities, by their ids; the base keeps it for the next time."""
        found = self._kept.of(entities)
        new = {id_: entity for id_, entity in entities.items() if id_ not in found}
        made = self._made(kb, new) if new else {}
        self._kept.keep(new, made)
        return found | made

    def _made(self, kb: Base, entities: Mapping[str, Entity]) -> dict[str, Encoded]:
        """The same by what the base keeps, or else by the graph."""
        texts = {id_: described(entity) for id_, entity in entities.items()}
        hashes = _hashes(texts)
        found: dict[str, Encoded] = {}
        if self.identity is not None:
            kept = kb.encodings(self.identity, list(hashes.items()))
            width = self.settings.match_dim
            found = {id_: Encoded.read(content, width) for id_, content in kept.items()}
        new = [id_ for id_ in texts if id_ not in found]
        read = [read_described(self.codec, texts[id_], self.settings.described) for id_ in new]
        for n, states in self._encoded([(each.encoding, each.window) for each in read]):
            found[new[n]] = Encoded.of(read[n], states)
        rows = [(id_, hashes[id_], found[id_].payload()) for id_ in new if id_ in hashes]
        if self.identity is not None and rows:
            kb.keep_encodings(self.identity, rows)
        return found

    def keep(self, kb: Base, entities: Mapping[str, Entity]) -> int:
        """Let a base keep what is compared of entities; gives of how many it does."""
        self._made(kb, entities)
        texts = {id_: described(entity) for id_, entity in entities.items()}
        return len(kb.encodings(self.identity or "", list(_hashes(texts).items())))


def _hashes(texts: Mapping[str, str]) -> dict[str, str]:
    """What tells descriptions from others; several entities together are none of the base's."""
    return {id_: text_hash(text) for id_, text in texts.items() if TOGETHER not in id_}


class _Sides(NamedTuple):
    """A pair with the states of both: of the text from the context's first unit on."""

    pair: Pair
    text: Floats
    entity: Encoded


def _inputs(sides: Sequence[_Sides], shape: tuple[int, int], width: int) -> Arrays:
    """What the graph of pairs takes; they are padded to the units of ``shape``."""
    pairs = [pair for pair, _, _ in sides]
    first, which = of_mentions(pairs)
    text = np.zeros((len(first), shape[0], width), dtype=np.float32)
    for row, n in enumerate(first):
        units = len(pairs[n].context.place)
        text[row, :units] = sides[n].text[:units]
    described = padded_states([entity for _, _, entity in sides], shape[1], width)
    return {**match_arrays(pairs, *shape), "text": text[which], "described": described}


def _choices(option: Options, logits: Floats) -> list[Choice]:
    """The candidates with their probabilities, the best first; NIL's logit is 0.

    The sum is exact, so that the order of the candidates does not matter.
    """
    highest = max([0.0, *logits.tolist()])
    odds = [math.exp(logit - highest) for logit in logits.tolist()]
    total = math.fsum([*odds, math.exp(-highest)])
    named = [(p.entity.id, p.entity.name) for p in option.proposals]
    choices = [Choice(*who, one / total) for who, one in zip(named, odds, strict=True)]
    return sorted(choices, key=lambda choice: (-choice.score, choice.id))


def _check(texts: Sequence[str], mentions: Sequence[Sequence[Mention]]) -> None:
    if isinstance(texts, str):
        raise TextError("one string was given where a list of texts is wanted: link([text], …)")
    for text, of_text in zip(texts, mentions, strict=True):
        for m in of_text:
            if text[m.start : m.end] != m.text or m.start < 0 or not m.text.strip():
                raise TextError(
                    f"the mention '{m.text}' does not stand at {m.start}–{m.end} of its text; "
                    "count in characters (code points) from 0"
                )


class Linker:
    """Finds what is named in texts and says which entities are meant."""

    def __init__(self, mentions: ReadsMentions, entities: EntityModel, kb: Base) -> None:
        """Put two models and a knowledge base together."""
        self.mentions, self.entities, self.kb = mentions, entities, kb

    def __call__(self, texts: Sequence[str], min_score: float = 0.0) -> list[list[Link]]:
        """The links of every text, in the order of their places.

        Args:
            texts: any strings.
            min_score: leave out mentions that score lower.

        Raises:
            TextError: ``texts`` is one string.
            StoreError: the knowledge base cannot be read.
        """
        return self.entities.link(texts, self.mentions(texts, min_score), self.kb)
