"""The SQLite file of a knowledge base."""

from __future__ import annotations

from quern import store
from quern.kb.migrations import KNOWLEDGE_BASE

PATIENCE = store.PATIENCE  # seconds that a writer waits for another one


class Store(store.Store):
    """One connection to a knowledge base; see ``quern.store.Store``."""

    kind = KNOWLEDGE_BASE
