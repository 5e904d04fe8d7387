"""Texts in one file that are found by their vectors: what FAQs and similar documents share."""

from quern.vector_store.rows import VectorRows
from quern.vector_store.store import VectorStore

__all__ = ["VectorRows", "VectorStore"]
