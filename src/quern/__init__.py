"""quern: a hand mill for text. Raw text in, linked knowledge out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from quern.faq import Faq as Faq
    from quern.kb import KnowledgeBase as KnowledgeBase
    from quern.reader import Reader as Reader
    from quern.schema import Schema as Schema
    from quern.shipped import load as load
    from quern.similar import Similar as Similar
    from quern.train.fit import fit as fit

__version__ = "0.1.0"
__all__ = ["Faq", "KnowledgeBase", "Reader", "Schema", "Similar", "__version__", "fit", "load"]

_HOMES = {
    "fit": "quern.train.fit",
    "load": "quern.shipped",
    "Faq": "quern.faq",
    "KnowledgeBase": "quern.kb",
    "Reader": "quern.reader",
    "Schema": "quern.schema",
    "Similar": "quern.similar",
}


def __getattr__(name: str) -> Any:
    """Resolve public names on first use, so that importing quern costs nothing."""
    if name not in _HOMES:
        raise AttributeError(f"module 'quern' has no attribute '{name}'")
    import importlib

    return getattr(importlib.import_module(_HOMES[name]), name)
