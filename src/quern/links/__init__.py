"""Links: what is named in a text.

After Su Jianlin, "百度实体链接比赛后记：行为建模和实体链接" (2019): names are looked up first; then
a network that is told where they stand finds the starts and ends of mentions.
"""

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
from quern.links.matching import HabitFilter, MatchReader
from quern.links.model import MentionModel, MentionScores, ReadsMentions, gather, name_marks
from quern.links.settings import LINK_PRESETS, LinkFitting, LinkSettings

__all__ = [
    "FEATURES",
    "LINK_PRESETS",
    "LINK_SPAN",
    "Dictionary",
    "FindsNames",
    "Habit",
    "HabitFilter",
    "LinkFitting",
    "LinkSettings",
    "LinkThresholds",
    "MatchReader",
    "MentionModel",
    "MentionScores",
    "NameHit",
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
