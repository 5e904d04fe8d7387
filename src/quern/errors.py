"""Every error quern raises on purpose: the fact, then the next step."""

from __future__ import annotations


class QuernError(Exception):
    """Base of all errors a user can mend; the CLI prints it without a traceback and exits 1."""


class DataError(QuernError):
    """A data file, or a line in it, is not what the task needs."""


class FolderError(QuernError):
    """A model folder is missing, unknown, incomplete or does not fit together."""


class StoreError(QuernError):
    """A knowledge base or an index is missing, busy, damaged or of a newer version.

    Or it cannot be reached, or lacks what is asked.
    """


class BusyError(StoreError):
    """Another process is writing to a knowledge base, and did not give way."""


class TextError(QuernError):
    """A text or vocabulary cannot be encoded as asked."""


class VectorError(QuernError):
    """A vector or its id is not what an index takes."""


class TrainingError(QuernError):
    """Training met a non-finite value or cannot be resumed."""


class MissingExtra(QuernError):
    """A verb needs packages of an extra that is not installed."""

    def __init__(self, what: str, extra: str) -> None:
        """Name what was asked and the line that installs the extra."""
        super().__init__(f"{what} needs the '{extra}' extra: pip install 'quern[{extra}]'")
