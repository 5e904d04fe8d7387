"""Knowledge bases: entities in one file, found by what they are called."""

from quern.kb.base import LEAST, KnowledgeBase, Stats

__all__ = ["LEAST", "KnowledgeBase", "Stats"]
