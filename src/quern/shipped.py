"""The models that come with quern, by name and by the script of a text."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple, get_args

from quern import tasks
from quern.errors import FolderError
from quern.folder import MANIFEST, ModelFolder
from quern.records import Triple
from quern.schema import Schema
from quern.text import han_share
from quern.triples import ReadsTriples

if TYPE_CHECKING:
    from quern.kb import KnowledgeBase
    from quern.links import EntityModel, MentionModel
    from quern.ranks import RankModel
    from quern.sentences import SentenceModel
    from quern.titles import TitleModel

HOME = Path(__file__).parent / "models"
_MOSTLY_HAN = 0.2  # a Chinese text may be full of Latin names and digits

Language = Literal["zh", "en"]
Preset = Literal["full", "fast"]
LANGUAGES: tuple[Language, ...] = get_args(Language)


def names(task: str | None = None) -> list[str]:
    """Names of the shipped models, of all or of those that do one task."""
    folders = [manifest.parent for manifest in HOME.glob(f"*/{MANIFEST}")]
    return sorted(
        folder.name
        for folder in folders
        if task is None or ModelFolder(folder).manifest.task == task
    )


def find(model: str | Path) -> Path:
    """The folder of a model given by path or by the name of a shipped one.

    Raises:
        FolderError: neither a folder nor a known name.
    """
    path = Path(model)
    if path.exists() or str(model) not in names():
        if not path.exists():
            raise FolderError(
                f"{model}: no such folder, and no model of that name ships with quern; "
                f"shipped: {', '.join(names()) or 'none'}"
            )
        return path
    return HOME / str(model)


def language(text: str) -> Language:
    """The language a text is taken for, by the script of its units."""
    return "zh" if han_share(text) >= _MOSTLY_HAN else "en"


def _triples_of(language: Language, preset: Preset) -> str:
    fast = f"{language}-triples-fast"
    return fast if preset == "fast" and fast in names() else f"{language}-triples"


def load(
    model: str | Path, *, kb: KnowledgeBase | None = None, threads: int = 1
) -> ReadsTriples | MentionModel | EntityModel | SentenceModel | RankModel | TitleModel:
    """Open a model folder, or a shipped model by its name.

    Args:
        model: path of a folder, or a name such as ``zh-triples``.
        kb: a knowledge base, for a model that looks up the names of one.
        threads: threads for each run of a graph; more workers serve better than more threads.

    Raises:
        FolderError: it is not a model folder, or one this quern cannot read.
    """
    return tasks.load_any(find(model), kb=None if kb is None else kb.names, threads=threads)


def load_triples(model: str | Path, *, threads: int = 1) -> ReadsTriples:
    """Open a model that reads triples; see ``load``."""
    return tasks.load(find(model), threads=threads)


class Reading(NamedTuple):
    """The facts of one text and the model that read them."""

    model: str
    triples: list[Triple]


class TripleReader:
    """Reads triples with one model, or with the shipped one that fits each text's script."""

    def __init__(
        self,
        model: str | Path | None = None,
        preset: Preset = "full",
        schema: Schema | None = None,
    ) -> None:
        """Open ``model``; without one, the shipped models are opened as texts need them.

        Where no ``fast`` model ships for a language, the full one reads it.
        The rules of ``schema`` are applied to what the model gives.
        """
        self._schema = schema
        self._shipped = {language: _triples_of(language, preset) for language in LANGUAGES}
        self._models: dict[str, ReadsTriples] = {}
        self._only = None if model is None else str(model)
        if self._only is not None:
            self._models[self._only] = load_triples(self._only)

    def __call__(
        self, texts: Sequence[str], min_score: float = 0.0, uncertain: float | None = None
    ) -> list[Reading]:
        """Read the triples of every text; see ``TripleModel``."""
        chosen = [self._only or self._shipped[language(text)] for text in texts]
        readings: dict[int, Reading] = {}
        for name in dict.fromkeys(chosen):
            indices = [i for i, of in enumerate(chosen) if of == name]
            found = self._model(name)([texts[i] for i in indices], min_score, uncertain)
            for i, triples in zip(indices, found, strict=True):
                kept = self._schema.apply(texts[i], triples) if self._schema else triples
                readings[i] = Reading(name, kept)
        return [readings[i] for i in range(len(texts))]

    def predicates(self) -> set[str]:
        """What is known to the models that this reader may open."""
        may_open = [self._only] if self._only else self._shipped.values()
        folders = [ModelFolder(find(name)) for name in may_open]
        return {label["predicate"] for folder in folders for label in folder.manifest.labels}

    def _model(self, name: str) -> ReadsTriples:
        model = self._models.get(name)
        if model is None:
            model = self._models[name] = load_triples(name)
        return model
