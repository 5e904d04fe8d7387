"""Plans of training from a preset and ``KEY=VALUE`` words."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec

from quern.links import LINK_PRESETS
from quern.links.settings import ENTITY_PRESETS
from quern.ranks import RANK_PRESETS
from quern.sentences import SENTENCE_PRESETS
from quern.settings import with_words
from quern.titles import TITLE_PRESETS
from quern.train.entity_training import EntityPlan
from quern.train.link_training import LinkPlan
from quern.train.linker_training import LinkerPlan
from quern.train.rank_training import RankPlan
from quern.train.sentence_training import SentencePlan
from quern.train.title_training import TitlePlan
from quern.train.triple_training import Plan
from quern.triples import PRESETS


def plan(preset: str, words: Sequence[str]) -> Plan:
    """A training plan from a preset and ``KEY=VALUE`` words.

    Raises:
        DataError: a word is not of that form, names no setting, or its value does not fit.
    """
    return with_words(Plan(settings=PRESETS[preset]), words)


def link_plan(preset: str, words: Sequence[str]) -> LinkPlan:
    """A plan for mentions; see ``plan``."""
    return with_words(LinkPlan(settings=LINK_PRESETS[preset]), words)


def entity_plan(preset: str, words: Sequence[str]) -> EntityPlan:
    """A plan for the choice of entities; see ``plan``."""
    return with_words(EntityPlan(settings=ENTITY_PRESETS[preset]), words)


def linker_plan(preset: str, words: Sequence[str]) -> LinkerPlan:
    """A plan for both together; see ``plan``."""
    both = LinkerPlan(mentions=LINK_PRESETS[preset], entities=ENTITY_PRESETS[preset])
    return with_words(both, words)


def sentence_plan(preset: str, words: Sequence[str]) -> SentencePlan:
    """A plan for sentences; see ``plan``."""
    return with_words(SentencePlan(settings=SENTENCE_PRESETS[preset]), words)


def rank_plan(preset: str, words: Sequence[str]) -> RankPlan:
    """A plan for ranks; see ``plan``."""
    return with_words(RankPlan(settings=RANK_PRESETS[preset]), words)


def title_plan(preset: str, words: Sequence[str]) -> TitlePlan:
    """A plan for titles; see ``plan``."""
    return with_words(TitlePlan(settings=TITLE_PRESETS[preset]), words)


def listed(of: msgspec.Struct | None = None) -> Iterator[tuple[str, str]]:
    """Every setting of a plan (of triples, by default) with its default, for the help page."""
    for part in msgspec.to_builtins(of or Plan()).values():
        for key, value in part.items():
            yield key, msgspec.json.encode(value).decode()
