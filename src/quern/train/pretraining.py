"""One pre-training of an encoder: prepare, run for so many hours, write the folder."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec

from quern import __version__, folder
from quern.card import write_card
from quern.data import data_hash
from quern.text import CodecRules, TextCodec
from quern.train import encoders, raw
from quern.train.checkpoint import Checkpoint
from quern.train.encoders import EncoderSettings, Pretrained
from quern.train.loop import Epoch, Schedule, Step, Trainer, Weights
from quern.train.masked import MaskedItems, MaskedNet, guessed
from quern.train.training import prepare, without_about

_PART = 1_000_000  # units an epoch; after each the state is saved


class PretrainingPlan(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All that decides what a pre-training yields, besides the texts and the time.

    Attributes:
        settings: of the encoder.
        schedule: ``epochs`` are parts of a million units; the fine stage is left out.
        rules: of the codec; ``min_count`` and ``max_units`` decide the vocabulary.
        reading: units up to which sentences are put together.
        about: what only its maker can say.
    """

    settings: EncoderSettings = EncoderSettings()
    schedule: Schedule = Schedule(epochs=100_000, fine_epochs=0, batch_size=128, patience=100_000)
    rules: CodecRules = CodecRules(min_count=5, max_units=20_000)
    reading: int = 64
    about: folder.About = folder.About()


class Pretraining:
    """A pre-training that can be run, gone on with, and written."""

    def __init__(
        self,
        files: Sequence[Path],
        plan: PretrainingPlan,
        work: Path,
        *,
        init: Pretrained | None = None,
        advance: Callable[[int], None] = lambda characters: None,
    ) -> None:
        """Read the texts (once; they stay in ``work``) and build the network.

        Args:
            files: raw text.
            plan: settings.
            work: a folder for what is kept while the training is under way.
            init: an encoder to go on from; its codec is kept.
            advance: called while texts are read, with the number of characters.

        Raises:
            DataError: a file cannot be read, or there is no text.
        """
        self.plan, self.work = plan, work
        prepare(plan.schedule)
        self.corpus = raw.build(work / "raw", files, plan.reading, advance)
        if init is None:
            self.codec = TextCodec(self.corpus.vocabulary(plan.rules), plan.rules)
        else:
            self.codec = init.codec
        parts = max(1, len(self.corpus.units) // _PART)
        self.items = MaskedItems(self.corpus, self.codec, parts, plan.schedule.seed)
        self.net = MaskedNet(plan.settings, self.codec)
        self._started = None if init is None else init.started
        if init is not None:
            init.start(self.net.encoder, plan.settings, self.codec)
        self.trainer = Trainer(self.net, self.items, plan.schedule)
        self._scored = MaskedNet(plan.settings, self.codec)
        self._files = files

    def checkpoint(self) -> Checkpoint:
        """Where this pre-training keeps its state while it runs."""
        plan = without_about(self.plan)
        identity = {
            "texts": [len(self.corpus.units), len(self.corpus.ends)],
            "plan": msgspec.to_builtins(plan),
        }
        return Checkpoint(self.work / "state", identity)

    @property
    def hours(self) -> float:
        """Hours spent on steps so far."""
        return sum(fact["seconds"] for fact in self.trainer.state.history) / 3600

    def run(self, hours: float, checkpoint: Checkpoint | None = None) -> Iterator[Step | Epoch]:
        """Train until so many hours have been spent, all runs together."""
        facts = self.trainer.run(self._scores, checkpoint)
        while self.hours < hours:
            for fact in facts:
                yield fact
                if isinstance(fact, Epoch):
                    break
            else:
                return

    def write(self, path: Path, *, overwrite: bool = False) -> dict[str, Any]:
        """Write the encoder with the weights that guessed best."""
        best = self.trainer.best
        weights = {n.removeprefix("encoder."): t for n, t in best.items() if n[:8] == "encoder."}
        about = {
            "settings": msgspec.to_builtins(self.plan.settings),
            "data": data_hash(*self._files),
            "quern": __version__,
            "started": self._started,
            "about": self.plan.about,
        }
        metrics = {
            "held_out": self._scores(best),
            "units": len(self.corpus.units),
            "units_seen": _PART * len(self.trainer.state.history),
            "hours": self.hours,
            "epochs": self.trainer.state.history,
        }
        with folder.writing(path, overwrite=overwrite) as temporary:
            encoders.write(temporary, weights, self.codec, about)
            write_card(temporary, path.name, metrics)
        return metrics

    def _scores(self, weights: Weights) -> dict[str, float]:
        self._scored.load_state_dict(weights)
        return guessed(self._scored, self.items, self.plan.schedule.batch_size)
