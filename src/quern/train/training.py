"""What the trainings of all tasks share: how they begin, and how their folder is finished."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence, Sized
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import msgspec
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from quern import __version__, folder
from quern.alignment import Problem
from quern.card import write_card
from quern.text import GRAM_SLOTS, SHAPES, CodecRules, TextCodec
from quern.train.checkpoint import Checkpoint
from quern.train.curves import draw
from quern.train.encoders import EncoderSettings, Pretrained
from quern.train.layers import Encoder
from quern.train.loop import Epoch, Schedule, Step, Trainer, hash_seed
from quern.train.memory import keep_freed
from quern.train.word_vectors import WordVectors


class Scheduled(Protocol):
    """The settings of a training."""

    @property
    def about(self) -> folder.About:
        """What only its maker can say of the model."""

    @property
    def schedule(self) -> Schedule:
        """How the network is trained."""


class Planned(Scheduled, Protocol):
    """The settings of a training of one network."""

    @property
    def settings(self) -> msgspec.Struct:
        """Those of the network."""


class Shared(NamedTuple):
    """What a network has in common with another one."""

    codec: TextCodec
    encoder: Encoder


class Training(Protocol):
    """A training of any task, on its way to a folder."""

    @property
    def task(self) -> str:
        """What ``quern check`` calls it."""

    @property
    def trainer(self) -> Trainer:
        """Runs the loop."""

    @property
    def plan(self) -> Scheduled:
        """Its settings: a struct."""

    @property
    def items(self) -> Sized:
        """What it learns from."""

    @property
    def dev(self) -> Sized:
        """What it is chosen by."""

    @property
    def problems(self) -> Sequence[Problem]:
        """Labels that do not fit, or are placed by guess."""

    @property
    def identity(self) -> Mapping[str, str | None]:
        """What else than data and plan must be the same to go on from a checkpoint."""

    @property
    def notes(self) -> Sequence[str]:
        """What to say of the data before training begins."""

    def run(self, checkpoint: Checkpoint | None = None) -> Iterator[Step | Epoch]:
        """Train."""

    def write(self, path: Path, *, data: str | None, overwrite: bool = False) -> dict[str, Any]:
        """Write the folder and give what was measured on it."""


def prepare(schedule: Schedule) -> None:
    """Make torch do the same each time, with the schedule's threads and seed."""
    keep_freed()
    torch.set_num_threads(schedule.threads)
    torch.use_deterministic_algorithms(True)
    # What is not initialised is never read here; filling it costs a tenth of a step.
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    torch.manual_seed(hash_seed([schedule.seed]))


def codec_of(
    texts: Iterable[str], rules: CodecRules, init: Pretrained | None, vectors: WordVectors | None
) -> TextCodec:
    """The codec of a network that learns from ``texts``, and starts from ``init`` if from any."""
    words = () if vectors is None else vectors.words
    return (TextCodec.fit if init is None else init.codec_for)(texts, rules, words)


def begin(
    encoder: Encoder,
    settings: msgspec.Struct,
    codec: TextCodec,
    init: Pretrained | None,
    vectors: WordVectors | None,
) -> None:
    """Give a new encoder what it starts from.

    Raises:
        TrainingError: ``init`` is not of the shape that ``settings`` ask for.
    """
    if vectors is not None:
        encoder.embedding.read_words(torch.from_numpy(vectors.table()))
    if init is not None:
        init.start(encoder, EncoderSettings.of(settings), codec)


def manifest(
    task: str,
    plan: Planned,
    codec: TextCodec,
    init: Pretrained | None,
    vectors: WordVectors | None,
) -> folder.Manifest:
    """A manifest with what is said alike of every trained network; the rest is for the task."""
    return folder.Manifest(
        format=folder.FORMAT,
        task=task,
        settings=msgspec.to_builtins(plan.settings),
        labels=[],
        thresholds={},
        codec=codec.fingerprint,
        data=None,
        vectors=None if vectors is None else vectors.identity,
        started=None if init is None else init.started,
        precision="fp32",
        quern=__version__,
        about=plan.about,
    )


def named(weights: Mapping[str, Tensor]) -> dict[str, NDArray[np.float32]]:
    """Weights under the names that they have in the graphs."""
    return {f"net.{name}": tensor.numpy() for name, tensor in weights.items()}


def example_inputs(codec: TextCodec) -> dict[str, Tensor]:
    """A small made-up batch, (3, 16), to trace graphs on."""
    generator = torch.Generator().manual_seed(0)

    def draw(least: int, below: int, *size: int) -> Tensor:
        return torch.randint(least, below, size, generator=generator, dtype=torch.int32)

    units = draw(1, len(codec.vocabulary), 3, 16)
    units[1, 9:] = 0
    inputs = {
        "units": units,
        "shapes": draw(1, SHAPES, 3, 16),
        "grams": draw(0, codec.rules.buckets, 3, 16, GRAM_SLOTS),
    }
    return inputs | ({"words": draw(0, len(codec.words) + 1, 3, 16)} if codec.words else {})


def finish(path: Path, name: str, metrics: Mapping[str, Any]) -> None:
    """The same as ``write_card``, with curves from the history under ``epochs``."""
    draw(metrics["epochs"], path / folder.CURVES)
    write_card(path, name, metrics)


def without_about(plan: Any) -> Any:
    """A plan without what only the card says; it may change while a training is stopped."""
    return msgspec.structs.replace(plan, about=folder.About())
