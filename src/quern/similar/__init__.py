"""Similar documents: kept in one file, and found by a text like them."""

from quern.similar.similar import Similar, SimilarDocument

__all__ = ["Similar", "SimilarDocument"]
