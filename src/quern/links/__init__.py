"""Links: what is named in a text.

After Su Jianlin, "百度实体链接比赛后记：行为建模和实体链接" (2019): names are looked up first; then
a network that is told where they stand finds the starts and ends of mentions.
"""

from quern.links.background import Background, Options
from quern.links.candidates import Candidates, CandidateSettings
from quern.links.decoding import (
    LINK_SPAN,
    LinkThresholds,
    apart,
    candidates,
    decode_mentions,
    link_grid,
    mention_span_targets,
    mention_targets,
)
from quern.links.dictionary import FEATURES, Dictionary, FindsNames, Habit, NameHit
from quern.links.entities import Decision, EntityModel, Linker
from quern.links.matching import HabitFilter, MatchReader
from quern.links.model import MentionModel, MentionScores, ReadsMentions, gather, name_marks
from quern.links.settings import (
    ENTITY_PRESETS,
    LINK_PRESETS,
    EntityFitting,
    EntitySettings,
    LinkFitting,
    LinkSettings,
)

__all__ = [
    "ENTITY_PRESETS",
    "FEATURES",
    "LINK_PRESETS",
    "LINK_SPAN",
    "Background",
    "CandidateSettings",
    "Candidates",
    "Decision",
    "Dictionary",
    "EntityFitting",
    "EntityModel",
    "EntitySettings",
    "FindsNames",
    "Habit",
    "HabitFilter",
    "LinkFitting",
    "LinkSettings",
    "LinkThresholds",
    "Linker",
    "MatchReader",
    "MentionModel",
    "MentionScores",
    "NameHit",
    "Options",
    "ReadsMentions",
    "apart",
    "candidates",
    "decode_mentions",
    "gather",
    "link_grid",
    "mention_span_targets",
    "mention_targets",
    "name_marks",
]
