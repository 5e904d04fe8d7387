"""The model folder: what lies where, and how it is written whole or not at all."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any

import msgspec

from quern.calibration import PlattScaling
from quern.errors import FolderError
from quern.priors import Priors
from quern.runtime import Graph
from quern.text import TextCodec

FORMAT = 1
MANIFEST = "quern.json"
CODEC = "codec.json"
PRIORS = "priors.json"
NAMES = "names.json"
WEIGHTS = "weights.safetensors"
METRICS = "metrics.json"
CARD = "README.md"
CURVES = "curves.png"


class About(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What only the person who trains a model can say of it; it goes into the model card.

    Attributes:
        name: what the model is called.
        data_name: what it was trained on.
        licence: under which the data stands, and what that asks of users.
        limits: what the model should not be used for.
    """

    name: str = ""
    data_name: str = ""
    licence: str = ""
    limits: str = ""


class Taught(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a distilled model learned from.

    Attributes:
        teacher: SHA-256 of the model whose outputs it learned from.
        labelled: lines that had labels, too.
        raw: texts without labels.
    """

    teacher: str
    labelled: int
    raw: int


class Started(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a network started from.

    Attributes:
        weights: SHA-256 of the weights of an encoder, or of another model.
        data_name: the data that these had been trained on, as their maker names it.
    """

    weights: str
    data_name: str


class Manifest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What ``quern.json`` says of a model.

    Attributes:
        format: version of the folder's layout.
        task: which of quern's tasks the model does.
        settings: the task's settings, as the task itself defines them.
        labels: what the model tells apart, as the task itself defines it.
        thresholds: chosen on the dev data.
        calibration: how scores become shares, None where they are handed out as they are.
        members: how many models answer together, their probabilities averaged; the graphs of
            more than one are numbered from 0.
        reading: units up to which whole sentences are read together, None for windows
            without regard to sentences.
        families: how many models, each in a folder of its own, read side by side, their facts
            joined; 1 for a model of its own.
        priors: SHA-256 of the triples it knows already, None where it knows none.
        names: SHA-256 of the names it looks up and their habits, None where it looks up none.
        parts: SHA-256 of what else the task reads, by the names of the files.
        codec: fingerprint of the codec that all graphs were trained with.
        data: SHA-256 of the training file's bytes, None where it was not a file.
        vectors: SHA-256 of the word vectors that the model reads, None where it reads none.
        started: from what, None where from nothing.
        taught: by what model, None where labels alone were learned from.
        precision: "fp32" or "int8".
        quern: version that wrote the folder.
        about: what its maker says of it.
    """

    format: int
    task: str
    settings: dict[str, Any]
    labels: list[Any]
    thresholds: dict[str, float]
    codec: str
    data: str | None
    precision: str
    quern: str
    calibration: PlattScaling | None = None
    reading: int | None = None
    members: int = 1
    families: int = 1
    priors: str | None = None
    names: str | None = None
    parts: dict[str, str] = {}
    vectors: str | None = None
    started: Started | None = None
    taught: Taught | None = None
    about: About = About()


class ModelFolder:
    """A model folder that has been checked: known format, all parts, one fingerprint."""

    def __init__(self, path: Path) -> None:
        """Open ``path``.

        Raises:
            FolderError: no model there, a format or key this quern does not know, or a
                codec that the manifest does not name.
        """
        self.path = path
        self.manifest = _read_manifest(path)
        self.codec = TextCodec.load(path / CODEC)
        if self.codec.fingerprint != self.manifest.codec:
            raise FolderError(
                f"{path}: {CODEC} has fingerprint {self.codec.fingerprint[:12]}, "
                f"{MANIFEST} wants {self.manifest.codec[:12]}; the folder was mixed from two models"
            )

    def graph(self, name: str, threads: int = 1) -> Graph:
        """Open one of the folder's graphs.

        Raises:
            FolderError: the graph is missing, or was trained with another codec.
        """
        path = self.path / f"{name}.onnx"
        graph = Graph(path, threads)
        if graph.stamp != self.manifest.codec:
            raise FolderError(
                f"{path}: trained with codec {(graph.stamp or 'none')[:12]}, "
                f"the folder holds {self.manifest.codec[:12]}; take both from one training"
            )
        return graph

    def graph_hash(self, name: str) -> str:
        """SHA-256 of the bytes of one of the folder's graphs.

        Raises:
            FolderError: the graph cannot be read.
        """
        path = self.path / f"{name}.onnx"
        try:
            return fingerprint(path.read_bytes())
        except OSError as error:
            raise FolderError(f"{path}: cannot be read: {error.strerror}") from error

    def graphs(self, name: str, threads: int = 1) -> list[Graph]:
        """The graphs of one name, of every member.

        Raises:
            FolderError: see ``graph``.
        """
        return [self.graph(of_member, threads) for of_member in self.graph_names(name)]

    def graph_names(self, name: str) -> list[str]:
        """What the graphs of one name are called, of every member."""
        members = self.manifest.members
        return [name] if members == 1 else [f"{name}-{i}" for i in range(members)]

    @cached_property
    def priors(self) -> Priors | None:
        """The triples that the model knows already, if it makes use of any.

        Raises:
            FolderError: they are missing, or not those that the manifest names.
        """
        content = self._part(PRIORS, self.manifest.priors)
        return None if content is None else Priors.read(content)

    def names(self) -> bytes | None:
        """The content of what the model looks names up in, if it looks up any.

        Raises:
            FolderError: see ``priors``.
        """
        return self._part(NAMES, self.manifest.names)

    def part(self, name: str) -> bytes:
        """The content of a file that only one task reads.

        Raises:
            FolderError: it is missing, or not the one that the manifest names.
        """
        content = self._part(name, self.manifest.parts.get(name))
        if content is None:
            raise FolderError(f"{self.path}: {MANIFEST} names no {name}; take a whole folder")
        return content

    def _part(self, name: str, wanted: str | None) -> bytes | None:
        """The content of a file that the manifest names by its SHA-256."""
        if wanted is None:
            return None
        path = self.path / name
        try:
            content = path.read_bytes()
        except OSError as error:
            raise FolderError(f"{path}: cannot be read: {error.strerror}") from error
        if (found := fingerprint(content)) != wanted:
            raise FolderError(
                f"{path}: has SHA-256 {found[:12]}, {MANIFEST} wants {wanted[:12]}; "
                "take both from one training"
            )
        return content

    def families(self) -> list[ModelFolder]:
        """The folders of the models that are joined; of a model of its own, none.

        Raises:
            FolderError: one of them is not a model folder.
        """
        if self.manifest.families == 1:
            return []
        return [ModelFolder(self.path / family(n)) for n in range(self.manifest.families)]

    def inner(self, name: str) -> ModelFolder | None:
        """The folder of another model in this one, None where it has none of that name.

        Raises:
            FolderError: it is not the one that the manifest names, or not a model folder.
        """
        manifest = f"{name}/{MANIFEST}"
        if manifest not in self.manifest.parts:
            return None
        self.part(manifest)
        return ModelFolder(self.path / name)

    def size(self) -> int:
        """Bytes of all that is needed to run the model; of an encoder, to start from it."""
        own = [self.path / MANIFEST, self.path / CODEC]
        own += [self.path / PRIORS] if self.manifest.priors else []
        own += [self.path / NAMES] if self.manifest.names else []
        own += [self.path / name for name in self.manifest.parts if "/" not in name]
        if not self.families():
            own += [*self.path.glob("*.onnx")] or [self.path / WEIGHTS]
        parts = sum(part.stat().st_size for part in own)
        inner = filter(None, map(self.inner, map(os.path.dirname, self.manifest.parts)))
        return parts + sum(each.size() for each in (*self.families(), *inner))

    def metrics(self) -> dict[str, Any]:
        """What was measured on this folder, empty where nothing was."""
        path = self.path / METRICS
        try:
            return msgspec.json.decode(path.read_bytes()) if path.exists() else {}
        except (OSError, msgspec.DecodeError, UnicodeDecodeError) as error:
            raise FolderError(f"{path}: cannot be read: {error}") from error


def _read_manifest(path: Path) -> Manifest:
    file = path / MANIFEST
    try:
        if not file.is_file():
            holds = sorted(p.name for p in path.iterdir())[:5] if path.is_dir() else None
            it = "no such folder" if holds is None else f"it holds {', '.join(holds) or 'nothing'}"
            raise FolderError(f"{path}: not a model folder, no {MANIFEST} ({it})")
        raw = msgspec.json.decode(file.read_bytes())
        known = raw.get("format") if isinstance(raw, dict) else None
        if known != FORMAT:
            raise FolderError(
                f"{file}: format {known!r}, this quern reads {FORMAT}; "
                "use the version of quern that wrote it, or train again"
            )
        return msgspec.convert(raw, Manifest)
    except OSError as error:
        raise FolderError(f"{file}: cannot be read: {error.strerror}") from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise FolderError(f"{file}: {error}") from error


def family(number: int) -> str:
    """The name of the folder of one of several models that are joined."""
    return f"family-{number}"


def fingerprint(content: bytes) -> str:
    """SHA-256, to tell one from another."""
    return hashlib.sha256(content).hexdigest()


def write_json(path: Path, value: Any) -> None:
    """Write a record as indented JSON."""
    path.write_bytes(msgspec.json.format(msgspec.json.encode(value), indent=2) + b"\n")


@contextmanager
def writing(path: Path, *, overwrite: bool = False, parts: Collection[str] = ()) -> Iterator[Path]:
    """Write a folder whole or not at all: give a temporary sibling, rename it at the end.

    An existing folder is replaced only with ``overwrite``, and only after the new one is
    whole; on an error the old one stays as it was and nothing half-written is left.

    Args:
        path: the folder.
        overwrite: replace a model folder that is there.
        parts: names of the model folders in it, where it is none itself.

    Raises:
        FolderError: ``path`` exists and may not be replaced, or the disk refuses.
    """
    try:
        if path.exists() and not overwrite:
            raise FolderError(f"{path}: exists already; choose another name or pass --overwrite")
        if path.exists() and not _replaceable(path, parts):
            raise FolderError(f"{path}: is not a model folder, it will not be replaced")
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(prefix=f".{path.name}.", dir=path.parent))
    except OSError as error:
        raise FolderError(f"{path}: cannot be written: {error.strerror}") from error
    try:
        yield temporary
        os.chmod(temporary, 0o755)
        if path.exists():
            _replace(path, temporary)
        else:
            temporary.rename(path)
    except OSError as error:
        raise FolderError(f"{path}: cannot be written: {error.strerror or error}") from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def embed(source: Path, into: Path, name: str) -> dict[str, str]:
    """Copy a model folder into another, but for what only trainings read.

    Returns:
        What the manifest of the other has to name among its parts; see ``ModelFolder.inner``.
    """
    shutil.copytree(source, into / name, ignore=shutil.ignore_patterns(WEIGHTS))
    return {f"{name}/{MANIFEST}": fingerprint((into / name / MANIFEST).read_bytes())}


def _replace(path: Path, new: Path) -> None:
    """Put ``new`` in the place of ``path``, which comes back where that fails."""
    aside = Path(tempfile.mkdtemp(prefix=f".{path.name}.old.", dir=path.parent))
    old = aside / path.name
    try:
        path.rename(old)
        new.rename(path)
    finally:
        if not path.exists():
            old.rename(path)
        shutil.rmtree(aside)


def _replaceable(path: Path, parts: Collection[str] = ()) -> bool:
    """Whether there is a model, nothing, or nothing but models of these names."""
    if not path.is_dir():
        return False
    held = path.iterdir()
    return (path / MANIFEST).is_file() or all(p.name in parts and _replaceable(p) for p in held)
