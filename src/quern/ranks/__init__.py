"""Ranks: for a text, the best items of a catalogue."""

from quern.ranks.model import RankModel
from quern.ranks.settings import RANK_PRESETS, RankFitting, RankSettings

__all__ = ["RANK_PRESETS", "RankFitting", "RankModel", "RankSettings"]
