"""The table of tasks: what opens a model folder of each."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import msgspec

from quern.alignment import Label
from quern.errors import FolderError
from quern.folder import ModelFolder
from quern.runtime import Averaged, Runs
from quern.triples import ReadsTriples, Thresholds, TripleModel, TripleUnion


def _open_triples(folder: ModelFolder, threads: int) -> ReadsTriples:
    if families := folder.families():
        models = [_joint(family, threads) for family in families]
        return TripleUnion(models, folder.manifest.calibration)
    return _joint(folder, threads)


def _joint(folder: ModelFolder, threads: int) -> TripleModel:
    encoders, objects = folder.graphs("encoder", threads), folder.graphs("objects", threads)
    if len(encoders) == 1:
        return _triples(folder, encoders[0], objects[0])
    return _triples(
        folder, Averaged(encoders, ["subjects", "spans"]), Averaged(objects, ["objects"])
    )


def _triples(folder: ModelFolder, encoder: Runs, objects: Runs) -> TripleModel:
    manifest = folder.manifest
    return TripleModel(
        folder.codec,
        msgspec.convert(manifest.labels, list[Label]),
        encoder,
        objects,
        msgspec.convert(manifest.thresholds, Thresholds),
        manifest.reading,
        manifest.calibration,
        folder.priors,
    )


TASKS: dict[str, Callable[[ModelFolder, int], ReadsTriples]] = {
    "triples": _open_triples,
}

ENCODER = "encoder"  # the task of a folder that no graph comes with


def load(path: str | Path, *, threads: int = 1) -> ReadsTriples:
    """Open a model folder, or one of several joined.

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


def load_one(path: str | Path, *, threads: int = 1) -> TripleModel:
    """Open a folder whose graphs are run and decoded together.

    Raises:
        FolderError: see ``load``; or several models are joined there.
    """
    model = load(path, threads=threads)
    if isinstance(model, TripleModel):
        return model
    raise FolderError(f"{path}: a union of models; take one of the folders in it")


def members(path: str | Path, *, threads: int = 1) -> list[TripleModel]:
    """Open the members of an ensemble or a union one by one; a single model is its only member.

    Raises:
        FolderError: see ``load``.
    """
    folder = ModelFolder(Path(path))
    if families := folder.families():
        return [model for each in families for model in members(each.path, threads=threads)]
    alone = load_one(path, threads=threads)
    if folder.manifest.members == 1:
        return [alone]
    graphs = zip(folder.graphs("encoder", threads), folder.graphs("objects", threads), strict=True)
    return [_triples(folder, encoder, objects) for encoder, objects in graphs]
