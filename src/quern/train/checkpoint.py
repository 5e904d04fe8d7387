"""Where an unfinished training stands, on disk: tensors and a little JSON, no pickle."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

import msgspec
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from quern.errors import TrainingError


class State(msgspec.Struct):
    """All of a training that is not a tensor.

    Attributes:
        stage: 0 at the full rate, 1 at the fine rate, 2 done.
        epoch: epochs behind us.
        stage_start: the epoch at which this stage began.
        stale: epochs since the last better score.
        averaged: steps that the average has seen.
        score: best dev score so far.
        history: the facts of all epochs.
    """

    stage: int = 0
    epoch: int = 0
    stage_start: int = 0
    stale: int = 0
    averaged: int = 0
    score: float = -1.0
    history: list[dict[str, Any]] = []


class Checkpoint:
    """A folder that holds the last good state of one training."""

    def __init__(self, path: Path, identity: dict[str, Any]) -> None:
        """``identity`` is what must be the same for a training to be gone on with."""
        self.path = path
        self.identity: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(identity))

    @property
    def exists(self) -> bool:
        """Whether there is a state to go on from."""
        return (self.path / "state.json").is_file()

    def resumes(self, *, resume: bool, overwrite: bool) -> bool:
        """Whether to go on from here.

        Raises:
            TrainingError: there is something to go on from, and nobody said what to do with it.
        """
        if self.exists and not (resume or overwrite):
            raise TrainingError(
                f"{self.path}: an unfinished training; go on with --resume, "
                "or start again with --overwrite"
            )
        return self.exists and resume

    def save(self, tensors: dict[str, Tensor], state: State) -> None:
        """Replace the saved state; a kill at any moment leaves the old or the new one whole."""
        self.path.mkdir(parents=True, exist_ok=True)
        name = f"epoch-{state.epoch}-{state.stage}.safetensors"
        self._write(name, save({n: t.contiguous() for n, t in tensors.items()}))
        record = {"identity": self.identity, "tensors": name, "state": state}
        self._write("state.json", msgspec.json.encode(record))
        for old in self.path.glob("*.safetensors"):
            if old.name != name:
                old.unlink()

    def _write(self, name: str, content: bytes) -> None:
        temporary = self.path / f".{name}.part"
        with temporary.open("wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        temporary.replace(self.path / name)

    def load(self) -> tuple[dict[str, Tensor], State]:
        """Read the saved state.

        Raises:
            TrainingError: none is there, it is damaged, or belongs to another training.
        """
        try:
            record = msgspec.json.decode((self.path / "state.json").read_bytes())
            state = msgspec.convert(record["state"], State)
            tensors = load((self.path / record["tensors"]).read_bytes())
        except (OSError, KeyError, msgspec.DecodeError, SafetensorError) as error:
            raise TrainingError(f"{self.path}: no checkpoint to resume from: {error}") from error
        for key, value in self.identity.items():
            if record["identity"].get(key) != value:
                raise TrainingError(
                    f"{self.path}: belongs to another training: its {key} is "
                    f"{record['identity'].get(key)!r}, now {value!r}; "
                    "resume with the same data and settings, or start without --resume"
                )
        return tensors, state

    def remove(self) -> None:
        """Delete the saved state once the training has ended well."""
        shutil.rmtree(self.path, ignore_errors=True)
