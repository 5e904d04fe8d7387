"""One training of a title model: prepare, run, write the folder, measure it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain
from pathlib import Path
from statistics import fmean
from typing import Any, NamedTuple, Protocol

import msgspec
import torch
from safetensors.numpy import save_file
from torch import Tensor

from quern import folder
from quern.alignment import Problem
from quern.errors import DataError
from quern.records import TitleExample
from quern.runtime import Graph
from quern.tasks import TITLE_PIECES, load_titles
from quern.text import CodecRules, TextCodec, normalise, split
from quern.titles import (
    GREEDY,
    RESERVED,
    Pieces,
    TitleFitting,
    TitleModel,
    TitleSettings,
)
from quern.titles.pieces import SPACE
from quern.train.checkpoint import Checkpoint
from quern.train.encoders import Pretrained
from quern.train.export import ExportedGraph, export, parity
from quern.train.loop import Epoch, Schedule, Step, Trainer, Weights
from quern.train.title_items import TitleItems, step_scores
from quern.train.title_pieces import fit_pieces
from quern.train.titles import EncodeGraph, Looks, StepGraph, TitleNet
from quern.train.training import (
    begin,
    codec_of,
    example_inputs,
    finish,
    manifest,
    named,
    prepare,
)
from quern.train.word_vectors import WordVectors

SCHEDULE = Schedule(epochs=12, fine_epochs=3, patience=3, batch_size=32, rate=1e-3, average=0.999)
_SCORED = 300  # dev texts that are given titles after each epoch
_AT_ONCE = 32


class TitlePlan(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All that decides what a training yields, besides the data."""

    settings: TitleSettings = TitleSettings()
    fitting: TitleFitting = TitleFitting()
    schedule: Schedule = SCHEDULE
    rules: CodecRules = CodecRules()
    about: folder.About = folder.About()


class Graphs(NamedTuple):
    """The two graphs of a title model."""

    encode: ExportedGraph
    step: ExportedGraph


class TitleTraining:
    """A training that can be run, gone on with, and written."""

    task = "titles"

    def __init__(
        self,
        train: Sequence[TitleExample],
        dev: Sequence[TitleExample],
        plan: TitlePlan,
        init: Pretrained | None = None,
        vectors: WordVectors | None = None,
    ) -> None:
        """Fit codec and pieces, build the network and its graphs.

        Args:
            train: documents with their titles.
            dev: documents to choose by; the first 300 are given titles after each epoch.
            plan: settings.
            init: an encoder to start from.
            vectors: of words, read beside the units.

        Raises:
            DataError: there is nothing to learn from or to choose by, or the network has no
                encoder that could start from ``init`` or read ``vectors``.
            TrainingError: ``init`` is not of the shape that ``plan`` asks for.
        """
        self.plan, self.dev = plan, list(dev)
        prepare(plan.schedule)
        texts = chain.from_iterable((e.body, e.title) for e in train)
        self.codec = codec_of(texts, plan.rules, init, vectors)
        self.pieces = Pieces(fit_pieces((e.title for e in train), plan.settings.pieces))
        self.items = TitleItems(train, self.codec, self.pieces, plan.settings, plan.fitting)
        self._scored = TitleItems(
            self.dev[:_SCORED], self.codec, self.pieces, plan.settings, plan.fitting
        )
        if not (len(self.items) and len(self._scored)):
            raise DataError(
                "training needs documents with titles, to learn from and to choose by; "
                "of these no document with a unit has a title with one"
            )
        self.net = TitleNet(plan.settings, self.codec, len(self.pieces))
        self._init, self._vectors = init, vectors
        if self.net.encoder is not None:
            begin(self.net.encoder, plan.settings, self.codec, init, vectors)
            if init is not None:
                begin_pieces(self.net, self.codec, self.pieces, init)
        elif init is not None or vectors is not None:
            raise DataError(
                f"reading={plan.settings.reading} has no convolutions, which --init and --vectors "
                "are for; take reading=conv"
            )
        self.trainer = Trainer(self.net, self.items, plan.schedule)
        self._graphs = export_titles(self.net, self.codec)

    @property
    def problems(self) -> list[Problem]:
        """None: what is cut is counted and told."""
        return []

    @property
    def identity(self) -> dict[str, str | None]:
        """Nothing but data and plan."""
        return {}

    @property
    def notes(self) -> list[str]:
        """What to say of the data before training begins."""
        lost, settings = self.items.lost, self.plan.settings
        told = [f"{len(self.pieces.listed):,} pieces to spell titles with"]
        if lost.bodies:
            told.append(
                f"{lost.bodies:,} documents go on behind the {settings.limit} units that are read "
                f"(limit): {lost.units / lost.of:.1%} of all units"
            )
        if lost.cut:
            told.append(f"{lost.cut:,} titles are cut after {settings.longest} steps (longest)")
        if lost.characters:
            told.append(f"{lost.characters:,} characters of titles are too rare to be a piece")
        if lost.empty:
            lines = ", ".join(map(str, lost.empty[:5]))
            told.append(f"{len(lost.empty):,} lines without a unit left out: {lines} …")
        return told

    def run(self, checkpoint: Checkpoint | None = None) -> Iterator[Step | Epoch]:
        """Train; see ``Trainer.run``."""
        yield from self.trainer.run(self._dev_scores, checkpoint)

    def write(self, path: Path, *, data: str | None, overwrite: bool = False) -> dict[str, Any]:
        """Write the folder and measure it as users will run it.

        Args:
            path: the folder to write.
            data: SHA-256 of the training file, None where it was no file.
            overwrite: replace a model folder that is there.

        Returns:
            What was measured, as it stands in ``metrics.json``.
        """
        arrays = named(self.trainer.best)
        pieces = msgspec.json.encode(self.pieces.listed)
        with folder.writing(path, overwrite=overwrite) as temporary:
            self.codec.save(temporary / folder.CODEC)
            (temporary / "encode.onnx").write_bytes(self._graphs.encode.refill(arrays))
            (temporary / "step.onnx").write_bytes(self._graphs.step.refill(arrays))
            (temporary / TITLE_PIECES).write_bytes(pieces)
            save_file(arrays | named(dict(self.net.named_buffers())), temporary / folder.WEIGHTS)
            about = manifest(self.task, self.plan, self.codec, self._init, self._vectors)
            parts = {TITLE_PIECES: folder.fingerprint(pieces)}
            about = msgspec.structs.replace(about, data=data, parts=parts)
            folder.write_json(temporary / folder.MANIFEST, about)
            with self.trainer.using(self.trainer.best):
                metrics = {
                    "dev": self._figures(load_titles(temporary)),
                    "dev_texts": len(self._scored),
                    "epochs": self.trainer.state.history,
                }
            finish(temporary, path.name, metrics)
        return metrics

    def _dev_scores(self, weights: Weights) -> dict[str, float]:
        arrays, threads = named(weights), self.plan.schedule.threads
        encode, step = (Graph(graph.refill(arrays), threads) for graph in self._graphs)
        with self.trainer.using(weights):
            model = TitleModel(self.codec, encode, step, self.pieces, self.plan.settings)
            return self._figures(model)

    def _figures(self, model: TitleModel) -> dict[str, float]:
        """How near the titles of a model with the network's weights are to the given ones."""
        return overlap(model, self._scored.items) | {"token_loss": self._token_loss()}

    def _token_loss(self) -> float:
        """Mean over the steps of the dev titles of minus their log probability."""
        self.net.eval()
        pairs = [(item.body, item.title) for item in self._scored.items]
        scores = []
        for at in range(0, len(pairs), _AT_ONCE):
            batch = self._scored.arrays(pairs[at : at + _AT_ONCE], None)
            with torch.no_grad():
                of_text = self.net.read(batch)
                looks = Looks(of_text.states, batch["sources"])
                made = self.net.decoder(self.net.begun(of_text), batch["previous"], looks)
                scores.append(step_scores(self.net, made, looks, batch["targets"])[0])
        return -float(torch.cat(scores).mean())


def begin_pieces(net: TitleNet, codec: TextCodec, pieces: Pieces, init: Pretrained) -> None:
    """Let pieces that are units which the encoder knows begin as its vectors of them.

    They are of length 1 in the mean, as the others are.
    """
    assert net.encoder is not None
    units = [normalise(piece.removeprefix(SPACE))[0] for piece in pieces.listed]
    known = [i for i, unit in enumerate(units) if unit in init.codec.vocabulary]
    if not known:
        return
    rows = [codec.vocabulary.id(units[i]) for i in known]
    with torch.no_grad():
        vectors = net.encoder.embedding.unit.weight[rows]
        columns = torch.tensor(known) + RESERVED
        net.decoder.pieces[:, columns] = vectors.t() / vectors.norm(dim=1).mean()


def export_titles(net: TitleNet, codec: TextCodec) -> Graphs:
    """Trace both graphs on small made-up batches and check them against torch."""
    settings = net.settings
    inputs = example_inputs(codec)
    axes = {key: {0: "texts", 1: "length"} for key in inputs}
    states = ["states"] if settings.attention else []
    encode = export(
        EncodeGraph(net), inputs, [*states, "hidden", "vectors"], axes, codec.fingerprint
    )
    weights = named({name: p.detach() for name, p in net.named_parameters()})
    parity(EncodeGraph(net), Graph(encode.refill(weights)), inputs)
    given = _example_step(net)
    axes = {name: {0: "texts", 1: "beams"} for name in ("previous", *settings.carried)}
    axes |= {name: {0: "texts", 1: "length"} for name in settings.looked_at}
    if settings.copy:
        axes["room"] = {0: "texts", 1: "new"}
    if settings.covers:
        axes["coverage"][2] = "length"
    names = ["log_probs", *(f"next_{name}" for name in settings.carried)]
    step = export(StepGraph(net), given, names, axes, codec.fingerprint)
    parity(StepGraph(net), Graph(step.refill(weights)), given)
    return Graphs(encode, step)


def _example_step(net: TitleNet) -> dict[str, Tensor]:
    """What one step is given: three documents of up to 16 units, two beams of each."""
    settings, pieces = net.settings, net.decoder.pieces.shape[1]
    generator = torch.Generator().manual_seed(0)
    sources = torch.randint(4, pieces + 5, (3, 16), generator=generator, dtype=torch.int32)
    sources[1, 9:] = 0
    there = (sources > 0).float()
    wide = settings.layers * settings.dim
    all_ = {
        "previous": torch.tensor([[1, 4], [5, pieces], [pieces + 1, 4]], dtype=torch.int32),
        "hidden": torch.rand(3, 2, wide, generator=generator) - 0.5,
        "feed": torch.rand(3, 2, settings.dim, generator=generator) - 0.5,
        "coverage": torch.rand(3, 2, 16, generator=generator) * there.unsqueeze(1),
        "states": torch.randn(3, 16, settings.dim, generator=generator) * there.unsqueeze(-1),
        "sources": sources,
        "room": torch.zeros(3, 5),
    }
    return {name: all_[name] for name in ("previous", *settings.carried, *settings.looked_at)}


class _Titled(Protocol):
    """A document and what a person called it."""

    @property
    def body(self) -> str:
        """The document."""

    @property
    def title(self) -> str:
        """Its title."""


def overlap(model: TitleModel, examples: Sequence[_Titled]) -> dict[str, float]:
    """The mean ``rouge_l`` of a model's greedy titles, as "rouge_l"."""
    found = model([example.body for example in examples], 1, GREEDY)
    common = [
        rouge_l(titles[0].text if titles else "", example.title)
        for titles, example in zip(found, examples, strict=True)
    ]
    return {"rouge_l": fmean(common)}


def rouge_l(found: str, wanted: str) -> float:
    """F1 of the longest common subsequence of units (Lin, "ROUGE", 2004), case aside.

    It is for choosing between epochs; figures that are published come from a library.
    """
    one, other = ([text[a:b] for a, b in split(text)] for text in (found.lower(), wanted.lower()))
    before = [0] * (len(other) + 1)
    for unit in one:
        row = [0]
        for place, same in enumerate(other):
            longest = before[place] + 1 if unit == same else max(row[place], before[place + 1])
            row.append(longest)
        before = row
    return 2 * before[-1] / (len(one) + len(other)) if one and other else 0.0
