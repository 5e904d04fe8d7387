"""Vectors of texts as a Parquet file, for other programs."""

from __future__ import annotations

from typing import IO

import numpy as np
from numpy.typing import NDArray

from quern.cli.streaming import Source
from quern.errors import MissingExtra

_ROWS = 8192  # of a row group: enough that readers are quick, few enough to hold


class ParquetRows:
    """A row for each text: ``file``, ``line``, ``id`` (null where it has none), ``vector``."""

    def __init__(self, stream: IO[bytes], dim: int) -> None:
        """Begin a file.

        Args:
            stream: to write to.
            dim: numbers in a vector.

        Raises:
            MissingExtra: pyarrow is not installed.
        """
        try:
            import pyarrow
            import pyarrow.parquet
        except ModuleNotFoundError as error:
            raise MissingExtra("writing Parquet", "parquet") from error
        self._arrow = pyarrow
        self._schema = pyarrow.schema(
            [
                ("file", pyarrow.string()),
                ("line", pyarrow.int64()),
                ("id", pyarrow.string()),
                ("vector", pyarrow.list_(pyarrow.float32(), dim)),
            ]
        )
        self._writer = pyarrow.parquet.ParquetWriter(stream, self._schema)
        self._sources: list[Source] = []
        self._vectors: list[NDArray[np.float32]] = []

    def __call__(self, lot: list[Source], vectors: NDArray[np.float32]) -> None:
        """Write some."""
        self._sources += lot
        self._vectors.append(vectors)
        if len(self._sources) >= _ROWS:
            self._flush()

    def end(self, shape: tuple[int, int]) -> None:
        """All are written."""
        self._flush()
        self._writer.close()

    def _flush(self) -> None:
        if not self._sources:
            return
        arrow, vectors = self._arrow, np.concatenate(self._vectors).astype(np.float32)
        columns = [
            arrow.array([source.file for source in self._sources], arrow.string()),
            arrow.array([source.document.line for source in self._sources], arrow.int64()),
            arrow.array([source.document.id for source in self._sources], arrow.string()),
            arrow.FixedSizeListArray.from_arrays(arrow.array(vectors.ravel()), vectors.shape[1]),
        ]
        self._writer.write_table(arrow.table(columns, schema=self._schema))
        self._sources, self._vectors = [], []
