"""Encoders: how one is built, kept in a folder of its own, and given to a network to start from."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.numpy import load, save
from torch import Tensor

from quern import folder
from quern.errors import FolderError, TrainingError
from quern.tasks import ENCODER
from quern.text import TextCodec
from quern.train.layers import Encoder, UnitEmbedding


class EncoderSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The part of a network that every task can share; see ``TripleSettings`` for each field."""

    dim: int = 128
    gram_dim: int = 32
    dilations: tuple[int, ...] = (1, 2, 5, 1, 2, 5, 1, 2, 5, 1, 1, 1)
    dropout: float = 0.1
    gate_dropout: float = 0.1

    @classmethod
    def of(cls, settings: msgspec.Struct) -> EncoderSettings:
        """The encoder's part of a task's settings."""
        return cls(**{name: getattr(settings, name) for name in cls.__struct_fields__})

    def build(self, codec: TextCodec) -> Encoder:
        """An encoder with random weights, sized by the codec's vocabulary."""
        rules = codec.rules
        embedding = UnitEmbedding(
            len(codec.vocabulary), rules.buckets, self.gram_dim, self.dim, rules.window + 8
        )
        return Encoder(embedding, self.dim, self.dilations, self.dropout, self.gate_dropout)


class Pretrained:
    """A pre-trained encoder, read from its folder.

    Attributes:
        codec: the one it was trained with; what starts from it reads by it, too.
        settings: of its network.
        identity: what tells it from any other.
    """

    def __init__(self, path: Path) -> None:
        """Read ``path``.

        Raises:
            FolderError: it is not the folder of an encoder, or damaged.
        """
        opened = folder.ModelFolder(path)
        if opened.manifest.task != ENCODER:
            raise FolderError(
                f"{path}: holds a model for '{opened.manifest.task}', not an encoder to start "
                "from; quern pretrain makes one"
            )
        self.path, self.codec = path, opened.codec
        try:
            self.settings = msgspec.convert(opened.manifest.settings, EncoderSettings)
            content = (path / folder.WEIGHTS).read_bytes()
            self._weights = load(content)
        except (OSError, msgspec.ValidationError, SafetensorError) as error:
            raise FolderError(f"{path}: cannot be read: {error}") from error
        self.identity = folder.fingerprint(content)

    def start(self, encoder: Encoder, settings: EncoderSettings) -> None:
        """Copy the weights into ``encoder``, which has ``settings``.

        Raises:
            TrainingError: the two are not of one shape.
        """
        for name in ("dim", "gram_dim", "dilations"):
            ours, theirs = getattr(settings, name), getattr(self.settings, name)
            if ours != theirs:
                raise TrainingError(
                    f"{self.path}: has {name}={_said(theirs)}, the network to train has "
                    f"{name}={_said(ours)}; pass --set {name}={_said(theirs)}, or pre-train "
                    "another encoder"
                )
        with torch.no_grad():
            for name, parameter in encoder.named_parameters():
                parameter.copy_(torch.from_numpy(self._weights[name].astype(np.float32)))


def write(
    path: Path, weights: Mapping[str, Tensor], codec: TextCodec, about: Mapping[str, Any]
) -> None:
    """Put an encoder into a folder being written; halves of numbers will do to start from.

    Args:
        path: the folder.
        weights: by their names in ``Encoder``.
        codec: that it was trained with.
        about: the manifest's other fields.
    """
    codec.save(path / folder.CODEC)
    halves = {name: tensor.numpy().astype(np.float16) for name, tensor in weights.items()}
    (path / folder.WEIGHTS).write_bytes(save(halves))
    manifest = folder.Manifest(
        format=folder.FORMAT,
        task=ENCODER,
        labels=[],
        thresholds={},
        codec=codec.fingerprint,
        precision="fp16",
        **about,
    )
    folder.write_json(path / folder.MANIFEST, manifest)


def _said(value: Any) -> str:
    return msgspec.json.encode(value).decode()
