"""The table of tasks: what opens a model folder of each."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from quern.alignment import Label
from quern.errors import FolderError
from quern.folder import ModelFolder, fingerprint
from quern.runtime import Averaged, Runs
from quern.triples import ReadsTriples, Thresholds, TripleModel, TripleUnion

if TYPE_CHECKING:
    from quern.embedding import Encodes
    from quern.links import EntityModel, FindsNames, MentionModel
    from quern.ranks import RankModel
    from quern.sentences import SentenceModel
    from quern.titles import TitleModel


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


def _open_links(folder: ModelFolder, threads: int, kb: FindsNames | None = None) -> MentionModel:
    # Only here: what knows knowledge bases costs readers of triples a tenth of their start.
    from quern.links import Dictionary, LinkSettings, LinkThresholds, MentionModel

    manifest, content = folder.manifest, folder.names()
    of_base = msgspec.convert(manifest.settings, LinkSettings).names == "base"
    if of_base and kb is None:
        raise FolderError(
            f"{folder.path}: looks up the names of a knowledge base; give one (--kb FILE)"
        )
    return MentionModel(
        folder.codec,
        folder.graph("mentions", threads),
        msgspec.convert(manifest.thresholds, LinkThresholds),
        None if content is None else Dictionary.read(content, kb if of_base else None),
        manifest.reading,
        manifest.calibration,
    )


def _open_entities(folder: ModelFolder, threads: int) -> EntityModel:
    from quern.links import (
        Background,
        CandidateSettings,
        Decision,
        EntityModel,
        EntitySettings,
    )

    manifest, known = folder.manifest, folder.manifest.settings
    settings = msgspec.convert(_fields(known, EntitySettings), EntitySettings)
    looked_at = msgspec.convert(_fields(known, CandidateSettings), CandidateSettings)
    inner = folder.inner(MEANING)
    meaning = None if inner is None else _open_ranks(inner, threads)
    background = Background.read(looked_at, folder.part, meaning)
    encode, match = folder.graph("encode", threads), folder.graph("match", threads)
    decision = Decision(manifest.thresholds["nil"], manifest.calibration)
    # Encodings depend on this graph and the codec; on what is read of a description, too.
    told_apart = f"{manifest.codec}{folder.graph_hash('encode')}{settings.described}"
    identity = fingerprint(told_apart.encode())
    return EntityModel(folder.codec, encode, match, settings, background, decision, identity)


def _open_ranks(folder: ModelFolder, threads: int) -> RankModel:
    from quern.embedding import Embedder
    from quern.ranks import RankModel, RankSettings

    settings = msgspec.convert(folder.manifest.settings, RankSettings)
    ids = msgspec.json.decode(folder.part(RANK_IDS), type=list[str])
    vectors, *rows = (
        _table(folder, name, (len(ids), settings.vector_dim))
        for name in (RANK_VECTORS, RANK_ROWS)
        if name in folder.manifest.parts or name == RANK_VECTORS
    )
    encode = folder.graph("encode", threads)
    embedder = Embedder(folder.codec, encode, settings, _identity(folder))
    return RankModel(embedder, ids, vectors, settings.items, *rows)


def _table(folder: ModelFolder, name: str, shape: tuple[int, int]) -> NDArray[np.float32]:
    """A part of a folder that is a table of numbers."""
    try:
        table = np.load(io.BytesIO(folder.part(name)), allow_pickle=False)
        return np.asarray(table, dtype=np.float32).reshape(shape)
    except ValueError as error:
        raise FolderError(f"{folder.path}: {name}: {error}") from error


def _open_sentences(folder: ModelFolder, threads: int) -> SentenceModel:
    from quern.sentences import SentenceModel, SentenceSettings

    settings = msgspec.convert(folder.manifest.settings, SentenceSettings)
    encode = folder.graph("encode", threads)
    return SentenceModel(folder.codec, encode, settings, _identity(folder))


def _identity(folder: ModelFolder) -> str:
    """What tells the vectors of a folder from any other's: they depend on graph and codec."""
    return fingerprint(f"{folder.manifest.codec}{folder.graph_hash('encode')}".encode())


def _open_titles(folder: ModelFolder, threads: int) -> TitleModel:
    from quern.titles import Pieces, TitleModel, TitleSettings

    settings = msgspec.convert(folder.manifest.settings, TitleSettings)
    pieces = Pieces(msgspec.json.decode(folder.part(TITLE_PIECES), type=list[str]))
    encode, step = folder.graph("encode", threads), folder.graph("step", threads)
    return TitleModel(folder.codec, encode, step, pieces, settings, _identity(folder))


def _fields(settings: Mapping[str, Any], of: type[msgspec.Struct]) -> dict[str, Any]:
    """Of the settings in a manifest, those that one struct has."""
    return {key: value for key, value in settings.items() if key in of.__struct_fields__}


# What each task is told of where another was wanted.
TASKS: dict[str, str] = {
    "triples": "it reads facts: quern extract",
    "links": "it finds mentions: quern link --model",
    "entities": "it chooses entities: quern link --entities",
    "sentences": "it makes vectors of sentences: quern vectors-of",
    "ranks": "it finds items of a catalogue: quern rank",
    "titles": "it gives titles to documents: quern title",
}

# What the folder of a rank model holds besides; rows are what was learned of items beside texts.
RANK_IDS, RANK_VECTORS, RANK_ROWS = "items.json", "items.npy", "rows.npy"
MEANING = "meaning"  # the folder of the rank model that an entity model asks
TITLE_PIECES = "pieces.json"  # what a title model spells with
ENCODER = "encoder"  # the task of a folder that no graph comes with


def load(path: str | Path, *, threads: int = 1) -> ReadsTriples:
    """Open a folder that reads triples, or one of several joined.

    Args:
        path: the folder.
        threads: threads for each run of a graph; more workers serve better than more threads.

    Raises:
        FolderError: it is not a model folder, does another task, or is one this quern cannot
            read.
    """
    with _opened(path, "triples") as folder:
        return _open_triples(folder, threads)


def load_links(path: str | Path, *, kb: FindsNames | None = None, threads: int = 1) -> MentionModel:
    """Open a folder that finds mentions.

    Args:
        path: the folder.
        kb: the names of a knowledge base, for a model that was trained with such.
        threads: see ``load``.

    Raises:
        FolderError: see ``load``; or it wants a knowledge base.
    """
    with _opened(path, "links") as folder:
        return _open_links(folder, threads, kb)


def load_entities(path: str | Path, *, threads: int = 1) -> EntityModel:
    """Open a folder that chooses entities. See ``load``."""
    with _opened(path, "entities") as folder:
        return _open_entities(folder, threads)


def load_sentences(path: str | Path, *, threads: int = 1) -> SentenceModel:
    """Open a folder that makes vectors of sentences. See ``load``."""
    with _opened(path, "sentences") as folder:
        return _open_sentences(folder, threads)


def load_ranks(path: str | Path, *, threads: int = 1) -> RankModel:
    """Open a folder that finds the best items of its catalogue. See ``load``."""
    with _opened(path, "ranks") as folder:
        return _open_ranks(folder, threads)


def load_titles(path: str | Path, *, threads: int = 1) -> TitleModel:
    """Open a folder that gives titles to documents. See ``load``."""
    with _opened(path, "titles") as folder:
        return _open_titles(folder, threads)


def load_encoder(path: str | Path, *, threads: int = 1) -> Encodes:
    """Open a folder for the vectors that it makes of texts: of sentences, for ranks, of titles.

    Args:
        path: the folder.
        threads: see ``load``.

    Raises:
        FolderError: see ``load``.
    """
    with _opened(path) as folder:
        if folder.manifest.task == "ranks":
            return _open_ranks(folder, threads).embedder
        if folder.manifest.task == "titles":
            return _Documents(_open_titles(folder, threads))
        _of_task(folder, "sentences")
        return _open_sentences(folder, threads)


class _Documents:
    """A model of titles by the vectors that it makes of documents."""

    def __init__(self, model: TitleModel) -> None:
        self.dim, self.identity, self._model = model.dim, model.identity, model

    def __call__(self, texts: Sequence[str]) -> NDArray[np.float32]:
        return self._model.vectors(texts)


def load_any(
    path: str | Path, *, kb: FindsNames | None = None, threads: int = 1
) -> ReadsTriples | MentionModel | EntityModel | SentenceModel | RankModel | TitleModel:
    """Open the folder of a model of any task; see ``load`` and ``load_links``."""
    task = ModelFolder(Path(path)).manifest.task
    if task == "links":
        return load_links(path, kb=kb, threads=threads)
    if task == "entities":
        return load_entities(path, threads=threads)
    if task == "sentences":
        return load_sentences(path, threads=threads)
    if task == "ranks":
        return load_ranks(path, threads=threads)
    if task == "titles":
        return load_titles(path, threads=threads)
    return load(path, threads=threads)


@contextmanager
def _opened(path: str | Path, wanted: str | None = None) -> Iterator[ModelFolder]:
    """A folder of some task, or of any that quern knows; what does not fit in it is named."""
    folder = ModelFolder(Path(path))
    task = folder.manifest.task
    if task == ENCODER:
        raise FolderError(
            f"{path}: an encoder to start trainings from (--init), not a model that reads"
        )
    if task not in TASKS:
        raise FolderError(f"{path}: task '{task}' is unknown; known: {', '.join(TASKS)}")
    if wanted is not None:
        _of_task(folder, wanted)
    try:
        yield folder
    except msgspec.ValidationError as error:
        raise FolderError(f"{path}: quern.json: {error}") from error


def _of_task(folder: ModelFolder, wanted: str) -> None:
    task = folder.manifest.task
    if task != wanted:
        raise FolderError(
            f"{folder.path}: does the task '{task}', and one of '{wanted}' is wanted; {TASKS[task]}"
        )


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
