"""What a title model learns from: documents, and what people called them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from quern.records import TitleExample
from quern.runtime import padded
from quern.text import TextCodec, Window
from quern.titles import END, Pieces, Reading, TitleFitting, TitleSettings, read, source_arrays
from quern.titles.pieces import OTHER, PAD, START, plain
from quern.train.batches import Order, Places, forget_words, permuted
from quern.train.cosine import cosines
from quern.train.loop import hash_seed
from quern.train.titles import Looks, Made, Read, TitleNet

_SCALE = 20.0  # of the cosines of documents and titles
_FAR = 1e4
_LEAST = 1e-12  # of what is taken over; below it nothing can be learned
OF_TITLES = "title."  # before the names of what the network reads of titles


class TitleItem(NamedTuple):
    """A document with its title; of the document only what is read."""

    line: int
    body: str
    title: str


class Lost(NamedTuple):
    """What of the data is not learned from, counted.

    Attributes:
        empty: lines whose document or title has no unit.
        bodies: documents that go on behind what is read of them.
        units: of all documents, that are not read.
        of: all units of all documents.
        cut: titles that go on behind what is learned of them.
        characters: of titles, that no piece has.
    """

    empty: list[int]
    bodies: int = 0
    units: int = 0
    of: int = 0
    cut: int = 0
    characters: int = 0


class TitleItems:
    """The documents of a training.

    Only texts are held: numbers would take a hundred times their room.

    Attributes:
        items: in the order of the lines.
        lost: what is not learned from.
    """

    def __init__(
        self,
        examples: Sequence[TitleExample],
        codec: TextCodec,
        pieces: Pieces,
        settings: TitleSettings,
        fitting: TitleFitting,
    ) -> None:
        """Look at every document once."""
        self.codec, self.pieces = codec, pieces
        self.settings, self.fitting = settings, fitting
        self.items: list[TitleItem] = []
        lengths: list[int] = []
        empty: list[int] = []
        counts: Counter[str] = Counter()
        for example in examples:
            reading = self.read(example.body)
            steps, stop = self._steps(example.title, reading), reading.window.stop
            if not (steps and stop):
                empty.append(example.line)
                continue
            body = example.body[: int(reading.encoding.ends[stop - 1])]
            self.items.append(TitleItem(example.line, body, example.title))
            lengths.append(stop)
            every = reading.encoding.length
            counts.update(bodies=int(every > stop), units=every - stop, of=every)
            counts.update(cut=int(len(steps) >= settings.longest), characters=steps.count(OTHER))
        self.lost = Lost(empty, **counts)
        self._lengths = np.array(lengths, dtype=np.int64)

    def __len__(self) -> int:
        """Documents."""
        return len(self.items)

    def read(self, body: str) -> Reading:
        """What is read of a document."""
        return read(self.codec, self.pieces, body, self.settings.limit)

    def _steps(self, title: str, reading: Reading) -> list[int]:
        return self.pieces.targets(title, reading.source if self.settings.copy else None)

    def lengths(self, items: Places) -> NDArray[np.integer]:
        """Units of some items."""
        return self._lengths[items]

    def order(self, size: int, seed: int, epoch: int) -> Order:
        """The batches of an epoch."""

        def drawn(places: Places) -> Places:
            return permuted(places, len(self), [seed, epoch])

        return Order(len(self), size, [seed, epoch, 1], drawn, self.lengths)

    def lines(self, items: Sequence[int]) -> list[int]:
        """Line numbers of some items."""
        return [self.items[i].line for i in items]

    def collate(self, items: Sequence[int], seed: Sequence[int]) -> dict[str, Tensor]:
        """Arrays of a batch: of the documents, of the titles as steps, and as texts."""
        batch = [self.items[i] for i in items]
        return self.arrays([(item.body, item.title) for item in batch], seed)

    def arrays(
        self, pairs: Sequence[tuple[str, str]], seed: Sequence[int] | None
    ) -> dict[str, Tensor]:
        """The same of documents and titles; without a seed, as they are read in use."""
        readings = [self.read(body) for body, _ in pairs]
        length = padded(max(reading.window.stop for reading in readings))
        parts = [(reading.encoding, reading.window) for reading in readings]
        arrays: dict[str, NDArray[np.generic]] = {**self.codec.arrays(parts, length)}
        if seed is not None:
            forget_words(arrays, self.fitting.unknown, np.random.default_rng(seed))
        arrays |= source_arrays(readings, length, self.pieces)
        titles = [self._steps(title, r) for (_, title), r in zip(pairs, readings, strict=True)]
        arrays |= _steps_of(titles, self.settings.longest)
        if self.fitting.vector_weight:
            arrays |= self._titles([title for _, title in pairs])
        found = {name: torch.from_numpy(array) for name, array in arrays.items()}
        if seed is not None and self.fitting.sampling:
            generator = torch.Generator().manual_seed(hash_seed(seed))
            drawn = torch.rand(found["previous"].shape, generator=generator)
            found["own"] = (drawn < self.fitting.sampling) & (found["previous"] != START)
        return found

    def _titles(self, titles: Sequence[str]) -> dict[str, NDArray[np.int32]]:
        """Titles as the network reads texts."""
        encodings = [self.codec.encode(plain(title)) for title in titles]
        stops = [min(encoding.length, self.settings.limit) for encoding in encodings]
        parts = [(e, Window(0, stop)) for e, stop in zip(encodings, stops, strict=True)]
        arrays = self.codec.arrays(parts, padded(max(stops)))
        return {OF_TITLES + name: array for name, array in arrays.items()}

    # -- the loss -------------------------------------------------------------------------

    def loss(self, net: nn.Module, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        """The loss of a batch, by its terms; those of steps are means over all steps."""
        assert isinstance(net, TitleNet)
        of_text = net.read(batch)
        made, looks = self._made(net, of_text, batch)
        told = _told(batch["targets"])
        likely, smooth = step_scores(net, made, looks, batch["targets"])
        smoothing = self.fitting.smoothing
        with torch.autocast("cpu", enabled=False):
            terms = {"title": -((1 - smoothing) * likely + smoothing * smooth).mean()}
            if self.settings.covers:
                seen = made.attention.cumsum(1) - made.attention
                again = torch.minimum(made.attention, seen).sum(-1)[told].mean()
                terms["coverage"] = self.settings.coverage * again
        if self.fitting.vector_weight:
            terms["vectors"] = self.fitting.vector_weight * self._near(net, of_text, batch)
        return terms

    def _made(self, net: TitleNet, of_text: Read, batch: dict[str, Tensor]) -> tuple[Made, Looks]:
        """All steps, told what stands before them in the title, or what the network would say."""
        looks = Looks(of_text.states, batch["sources"])
        begun, previous = net.begun(of_text).float(), batch["previous"]
        with torch.autocast("cpu", enabled=False):
            if "own" in batch:
                # Scheduled sampling in two passes (Mihaylova and Martins, 2019): the first, told
                # the title, says what the network would have written at each step.
                with torch.no_grad():
                    first = net.decoder(begun, previous, looks)
                    said = net.decoder.mixture(first, looks.sources, batch["room"]).argmax(-1)
                said = torch.cat([previous[:, :1], said[:, :-1].to(previous.dtype)], dim=1)
                previous = torch.where(batch["own"], said, previous)
            return net.decoder(begun, previous, looks), looks

    def _near(self, net: TitleNet, of_text: Read, batch: dict[str, Tensor]) -> Tensor:
        """Each document is nearest to its own title among those of the batch, and back."""
        names = [name for name in batch if name.startswith(OF_TITLES)]
        of_titles = net.read({name.removeprefix(OF_TITLES): batch[name] for name in names})
        with torch.autocast("cpu", enabled=False):
            near = _SCALE * cosines(net.vectors(of_text), net.vectors(of_titles))
            own = torch.arange(len(near))
            return (F.cross_entropy(near, own) + F.cross_entropy(near.t(), own)) / 2


def step_scores(net: TitleNet, made: Made, looks: Looks, targets: Tensor) -> tuple[Tensor, Tensor]:
    """Of each step of the titles that is known, (steps,).

    Returns:
        The log probability of the step that stands there, and the mean of those of all pieces.
    """
    told = _told(targets)
    logits = net.decoder.logits(made.out[told])
    wanted, pieces = targets[told].long(), logits.shape[-1]
    whole = torch.logsumexp(logits, dim=-1)
    own = logits.gather(1, wanted.clamp(max=pieces - 1).unsqueeze(1)).squeeze(1) - whole
    smooth = logits[:, END:].mean(-1) - whole
    if not net.settings.copy:
        return own, smooth
    own = torch.where(wanted < pieces, own, torch.full_like(own, -_FAR))
    rows = told.nonzero()[:, 0]
    same = looks.sources[rows] == wanted.unsqueeze(1)
    taken = (made.attention[told] * same).sum(-1)
    gate = made.gate[told].squeeze(-1)
    copied = F.logsigmoid(-gate) + torch.log(taken + _LEAST)
    return torch.logaddexp(F.logsigmoid(gate) + own, copied), smooth


def _told(targets: Tensor) -> Tensor:
    """Where there is a step, and what it is can be said."""
    return (targets != PAD) & (targets != OTHER)


def _steps_of(titles: Sequence[Sequence[int]], longest: int) -> dict[str, NDArray[np.int32]]:
    """Titles as what each step is told and what it is to say; ``END`` is the last step."""
    rows = [[*steps, END][:longest] for steps in titles]
    targets = np.full((len(rows), max(map(len, rows))), PAD, dtype=np.int32)
    for row, steps in zip(targets, rows, strict=True):
        row[: len(steps)] = steps
    previous = np.full_like(targets, START)
    previous[:, 1:] = targets[:, :-1]
    return {"targets": targets, "previous": previous}
