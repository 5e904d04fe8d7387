"""The table of tasks: what opens a model folder of each."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import msgspec

from quern.alignment import Label
from quern.errors import FolderError
from quern.folder import ModelFolder
from quern.triples import Thresholds, TripleModel


def _open_triples(folder: ModelFolder, threads: int) -> TripleModel:
    manifest = folder.manifest
    return TripleModel(
        folder.codec,
        msgspec.convert(manifest.labels, list[Label]),
        folder.graph("encoder", threads),
        folder.graph("objects", threads),
        msgspec.convert(manifest.thresholds, Thresholds),
        manifest.reading,
        manifest.calibration,
    )


TASKS: dict[str, Callable[[ModelFolder, int], TripleModel]] = {
    "triples": _open_triples,
}

ENCODER = "encoder"  # the task of a folder that no graph comes with


def load(path: str | Path, *, threads: int = 1) -> TripleModel:
    """Open a model folder.

    Args:
        path: the folder.
        threads: threads for each run of a graph; more workers serve better than more threads.

    Raises:
        FolderError: it is not a model folder, or one this quern cannot read.
    """
    folder = ModelFolder(Path(path))
    if folder.manifest.task == ENCODER:
        raise FolderError(
            f"{path}: an encoder to start trainings from (--init), not a model that reads"
        )
    opener = TASKS.get(folder.manifest.task)
    if opener is None:
        raise FolderError(
            f"{path}: task '{folder.manifest.task}' is unknown; known: {', '.join(TASKS)}"
        )
    try:
        return opener(folder, threads)
    except msgspec.ValidationError as error:
        raise FolderError(f"{path}: quern.json: {error}") from error
