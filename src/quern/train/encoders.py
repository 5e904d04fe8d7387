"""Encoders: how one is built, kept in a folder of its own, and given to a network to start from."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import chain, islice
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
from quern.text import RESERVED, CodecRules, TextCodec, Vocabulary
from quern.train.layers import Encoder, UnitEmbedding

OF_NET = "net.encoder."  # before the names of an encoder's weights in a whole network's
UNIT_ROWS = "embedding.unit.weight"  # the one table with a row for each unit
PLACES = "embedding.position"  # with a row for each place of what is read at once
WORD_PROJECTION = "embedding.word_out.weight"  # which no encoder has learned


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

    def build(self, codec: TextCodec, places: int | None = None) -> Encoder:
        """An encoder with random weights, sized by the codec's vocabulary.

        It tells ``places`` units apart by where they stand: those of a window, if not given.
        """
        rules = codec.rules
        places = places or rules.window + 8
        embedding = UnitEmbedding(
            len(codec.vocabulary), rules.buckets, self.gram_dim, self.dim, places
        )
        return Encoder(embedding, self.dim, self.dilations, self.dropout, self.gate_dropout)


class Pretrained:
    """A pre-trained encoder, read from its folder, or that of a trained model.

    Attributes:
        codec: the one it was trained with.
        settings: of its network.
        identity: what tells it from any other.
        data_name: of all data that it was trained on, as its makers name it.
    """

    def __init__(self, path: Path) -> None:
        """Read ``path``.

        Raises:
            FolderError: it holds no weights to start from, or is damaged.
        """
        opened = folder.ModelFolder(path)
        if not (path / folder.WEIGHTS).is_file():
            raise FolderError(
                f"{path}: holds no weights to start from; give a folder that quern pretrain or "
                "quern train wrote"
            )
        self.path, self.codec = path, opened.codec
        fields = EncoderSettings.__struct_fields__
        settings = {key: value for key, value in opened.manifest.settings.items() if key in fields}
        try:
            self.settings = msgspec.convert(settings, EncoderSettings)
            content = (path / folder.WEIGHTS).read_bytes()
            weights = load(content)
        except (OSError, msgspec.ValidationError, SafetensorError) as error:
            raise FolderError(f"{path}: cannot be read: {error}") from error
        prefix = "" if opened.manifest.task == ENCODER else OF_NET
        self._weights = {
            name.removeprefix(prefix): array
            for name, array in weights.items()
            if name.startswith(prefix)
        }
        self.identity = folder.fingerprint(content)
        before = opened.manifest.started
        names = [before.data_name if before else "", opened.manifest.about.data_name]
        self.data_name = "; ".join(filter(None, names))

    @property
    def started(self) -> folder.Started:
        """What a manifest says of a network that starts from here."""
        return folder.Started(weights=self.identity, data_name=self.data_name)

    def codec_for(
        self, texts: Iterable[str], rules: CodecRules, words: Iterable[str] = ()
    ) -> TextCodec:
        """The codec of a network that starts from this encoder and learns from ``texts``.

        It knows the units that would be fitted on the texts, then those of the encoder, most
        frequent first, ``rules.max_units`` in all. How text is cut and hashed is the encoder's.
        """
        fitted = TextCodec.fit(texts, rules).vocabulary
        more = (unit for unit in self.codec.vocabulary if unit not in fitted)
        units = islice(chain(fitted, more), rules.max_units)
        return TextCodec(Vocabulary(units), self.codec.rules, words)

    def start(self, encoder: Encoder, settings: EncoderSettings, codec: TextCodec) -> None:
        """Copy the weights into ``encoder``.

        Units that are new to them, and places beyond theirs, keep what they have. Words
        count as new to them all: they say nothing at first.

        Args:
            encoder: what is to start from here.
            settings: its settings.
            codec: its codec.

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
        theirs = self.codec.vocabulary
        known = [i for i, unit in enumerate(codec.vocabulary, RESERVED) if unit in theirs]
        from_ = [theirs.id(codec.vocabulary.units[i - RESERVED]) for i in known]
        reserved = list(range(RESERVED))
        with torch.no_grad():
            for name, parameter in encoder.named_parameters():
                if name == WORD_PROJECTION:
                    parameter.zero_()
                    continue
                weights = torch.from_numpy(self._weights[name].astype(np.float32))
                if name == UNIT_ROWS:
                    parameter[reserved + known] = weights[reserved + from_]
                elif name == PLACES:
                    parameter[: len(weights)] = weights[: len(parameter)]
                else:
                    parameter.copy_(weights)


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
