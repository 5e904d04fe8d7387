"""The training loop: a generator of facts. Printing, saving and stopping are the caller's."""

from __future__ import annotations

import math
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from statistics import fmean
from typing import Any, Literal, NamedTuple, Protocol

import msgspec
import torch
from torch import Tensor, nn

from quern.errors import TrainingError
from quern.train.batches import Batches
from quern.train.checkpoint import Checkpoint, State
from quern.train.finite import first_not_finite
from quern.train.memory import give_back
from quern.train.row_table import RowTable

_TIDY = 1000  # steps after which freed memory is handed back; so it is after every epoch


class Schedule(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How a network is trained; the defaults are the triple article's.

    Attributes:
        epochs: at most so many epochs at ``rate``.
        fine_epochs: then at most so many at ``fine_rate``; None for as many.
        batch_size: texts a step.
        rate: Adam's learning rate after the warm-up.
        fine_rate: learning rate of the second stage, which starts from the best weights.
        warmup: epochs over which the rate rises from 0.
        average: decay of the exponential moving average of the weights, which is what is
            scored and kept.
        patience: epochs without a better dev score after which a stage ends.
        clip: largest norm of the gradient.
        seed: decides initial weights, order, sampling and dropout.
        precision: "bf16" computes matrix products in bfloat16 (twice as fast where the
            processor has it), "fp32" does not, "auto" looks.
        threads: threads of torch; the result depends on it in the last digits.
    """

    epochs: int = 40
    fine_epochs: int | None = None
    batch_size: int = 64
    rate: float = 1e-3
    fine_rate: float = 1e-4
    warmup: float = 1.0
    average: float = 0.9999
    patience: int = 5
    clip: float = 5.0
    seed: int = 0
    precision: Literal["auto", "fp32", "bf16"] = "auto"
    threads: int = 2

    def bf16(self) -> bool:
        """Whether to compute in bfloat16 on this machine."""
        if self.precision == "auto":
            return bool(torch.cpu._is_avx512_bf16_supported())
        return self.precision == "bf16"


class Task(Protocol):
    """What the loop needs to know of a task."""

    def order(self, size: int, seed: int, epoch: int) -> Batches:
        """The batches of an epoch: indices of items, ``size`` in each."""

    def collate(self, items: Sequence[int], seed: Sequence[int]) -> dict[str, Tensor]:
        """The batch of some items; all chance in it comes from ``seed``."""

    def lines(self, items: Sequence[int]) -> list[int]:
        """Line numbers of some items in the training file."""

    def loss(self, net: nn.Module, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        """The terms of the loss, by name."""


class Step(msgspec.Struct, frozen=True):
    """One step was taken."""

    stage: int
    epoch: int
    step: int
    steps: int
    losses: dict[str, float]
    items: int
    seconds: float


class Epoch(msgspec.Struct, frozen=True):
    """One epoch ended and was scored on dev.

    ``losses`` are means over the steps that had them.
    """

    stage: int
    epoch: int
    losses: dict[str, float]
    scores: dict[str, float]
    best: bool
    seconds: float
    items: int


Weights = dict[str, Tensor]
Evaluate = Callable[[Weights], Mapping[str, float]]


class Trained(NamedTuple):
    """What a training came to: the best weights, and the facts of its epochs."""

    weights: Weights
    epochs: list[dict[str, Any]]


class Trainer:
    """State of one training: network, optimiser, average, and where it stands."""

    def __init__(
        self,
        net: nn.Module,
        task: Task,
        schedule: Schedule,
        tables: Mapping[str, RowTable] | None = None,
    ) -> None:
        """Nothing is trained until ``run``; ``tables`` are what the task learns beside ``net``."""
        self.net, self.task, self.schedule = net, task, schedule
        self.tables = dict(tables or {})
        self.average: Weights = {n: p.detach().clone() for n, p in net.named_parameters()}
        self.best: Weights = {}
        self.state = State()
        self.optimiser = self._adam(schedule.rate)
        self._bf16 = schedule.bf16()

    def run(self, evaluate: Evaluate, checkpoint: Checkpoint | None) -> Iterator[Step | Epoch]:
        """Train to the end, or go on from where ``checkpoint`` stands.

        Args:
            evaluate: scores weights on dev; the first of its scores decides.
            checkpoint: where to save after every epoch; None saves nothing.

        Yields:
            A fact after every step and every epoch. ``best`` holds the best weights at the end.

        Raises:
            TrainingError: a loss or gradient is not finite.
        """
        while self.state.stage < 2:
            if self._stage_over():
                self._next_stage()
            else:
                yield from self._epoch(evaluate, checkpoint)
            if checkpoint is not None:
                checkpoint.save(self._tensors(), self.state)
            give_back()

    @property
    def trained(self) -> Trained:
        """What it came to so far."""
        return Trained(self.best, self.state.history)

    def _stage_over(self) -> bool:
        state = self.state
        limit = self.schedule.epochs
        if state.stage and self.schedule.fine_epochs is not None:
            limit = self.schedule.fine_epochs
        return state.epoch - state.stage_start >= limit or state.stale >= self.schedule.patience

    def _next_stage(self) -> None:
        self.state.stage += 1
        self.state.stage_start, self.state.stale = self.state.epoch, 0
        self.use_best()
        self.average = {name: tensor.clone() for name, tensor in self.best.items()}
        self.state.averaged = 0
        self.optimiser = self._adam(self.schedule.fine_rate)

    def _epoch(self, evaluate: Evaluate, checkpoint: Checkpoint | None) -> Iterator[Step | Epoch]:
        state, schedule = self.state, self.schedule
        order = self.task.order(schedule.batch_size, schedule.seed, state.epoch)
        began, items = time.perf_counter(), 0
        terms: dict[str, list[float]] = defaultdict(list)
        for number, batch in enumerate(order, 1):
            start = time.perf_counter()
            if state.stage == 0:
                progress = (state.epoch + number / len(order)) / max(schedule.warmup, 1e-9)
                self._rate(schedule.rate * min(1.0, progress))
            losses = self._step(batch, [schedule.seed, state.epoch, number], checkpoint)
            items += len(batch)
            if number % _TIDY == 0:
                give_back()
            for name, value in losses.items():
                terms[name].append(value)
            yield Step(
                state.stage,
                state.epoch,
                number,
                len(order),
                losses,
                len(batch),
                time.perf_counter() - start,
            )
        seconds = time.perf_counter() - began
        scores = dict(evaluate(self.average))
        score = next(iter(scores.values()))
        better = score > state.score
        if better:
            state.score, state.stale = score, 0
            self.best = {name: tensor.clone() for name, tensor in self.average.items()}
            for table in self.tables.values():
                table.mark()
        elif state.score > 0:  # patience begins when something has been learned
            state.stale += 1
        means = {name: fmean(values) for name, values in terms.items()}
        fact = Epoch(state.stage, state.epoch, means, scores, better, seconds, items)
        state.history.append(msgspec.to_builtins(fact))
        state.epoch += 1
        yield fact

    def _step(
        self, batch: Sequence[int], seed: list[int], checkpoint: Checkpoint | None
    ) -> dict[str, float]:
        arrays = self.task.collate(batch, seed)
        terms = self._terms(arrays, seed)
        self.optimiser.zero_grad(set_to_none=True)
        torch.stack(list(terms.values())).sum().backward()
        norm = nn.utils.clip_grad_norm_(self.net.parameters(), self.schedule.clip, foreach=True)
        losses = {name: float(term.detach()) for name, term in terms.items()}
        found = [float(norm), *losses.values(), *(t.largest() for t in self.tables.values())]
        if not all(map(math.isfinite, found)):
            where = first_not_finite(self.net, lambda: self._terms(arrays, seed))
            raise TrainingError(self._not_finite(losses, where, batch, checkpoint))
        self.optimiser.step()
        for table in self.tables.values():
            table.learn(self.optimiser.param_groups[0]["lr"])
        self._follow()
        return losses

    def _terms(self, arrays: dict[str, Tensor], seed: list[int]) -> dict[str, Tensor]:
        """The terms of the loss; the same again for the same batch and weights."""
        # Dropout draws from torch's global generator; seeding each step makes it resumable.
        torch.manual_seed(hash_seed(seed))
        self.net.train()
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=self._bf16):
            return self.task.loss(self.net, arrays)

    def _follow(self) -> None:
        """Move the average; its decay rises with its age, so short trainings average little."""
        self.state.averaged += 1
        age = self.state.averaged
        decay = min(self.schedule.average, (1 + age) / (10 + age))
        with torch.no_grad():
            torch._foreach_lerp_(
                list(self.average.values()), [p.detach() for p in self.net.parameters()], 1 - decay
            )

    def _not_finite(
        self,
        losses: dict[str, float],
        where: str | None,
        batch: Sequence[int],
        checkpoint: Checkpoint | None,
    ) -> str:
        bad = [f"loss '{name}'" for name, value in losses.items() if not math.isfinite(value)]
        bad += [
            f"gradient of '{name}'"
            for name, p in self.net.named_parameters()
            if p.grad is not None and not bool(torch.isfinite(p.grad).all())
        ]
        bad += [
            f"gradient of '{name}'"
            for name, table in self.tables.items()
            if not math.isfinite(table.largest())
        ]
        if where is None:
            first = "every layer's output is finite, so it arises in the loss or its gradients"
        else:
            first = f"first in the output of {repr(where) if where else 'the network'}"
        kept = f"; last good checkpoint: {checkpoint.path}" if checkpoint is not None else ""
        lines = ", ".join(map(str, sorted(self.task.lines(batch))))
        return (
            f"not finite in epoch {self.state.epoch}: {', '.join(bad[:5]) or 'gradient norm'}; "
            f"{first}; the batch holds lines {lines}{kept}"
        )

    def _adam(self, rate: float) -> torch.optim.Adam:
        return torch.optim.Adam(self.net.parameters(), lr=rate, fused=True)

    def _rate(self, rate: float) -> None:
        for group in self.optimiser.param_groups:
            group["lr"] = rate

    def _set(self, weights: Weights) -> None:
        with torch.no_grad():
            for name, parameter in self.net.named_parameters():
                parameter.copy_(weights[name])

    def use_best(self) -> None:
        """Let the network, and tables that are part of it, have the best weights from now on."""
        self._set(self.best)
        for table in self.tables.values():
            table.go_back()

    @contextmanager
    def using(self, weights: Weights) -> Iterator[None]:
        """Let the network have these weights, and then its own again."""
        own = {name: p.detach().clone() for name, p in self.net.named_parameters()}
        self._set(weights)
        try:
            yield
        finally:
            self._set(own)

    # -- checkpoints ----------------------------------------------------------------

    def _tensors(self) -> Weights:
        tensors = {f"net.{n}": p.detach() for n, p in self.net.named_parameters()}
        tensors |= {f"average.{n}": t for n, t in self.average.items()}
        tensors |= {f"best.{n}": t for n, t in self.best.items()}
        for name, parameter in self.net.named_parameters():
            for key, value in self.optimiser.state.get(parameter, {}).items():
                tensors[f"adam.{key}.{name}"] = value
        for name, table in self.tables.items():
            tensors |= {f"table.{name}.{key}": value for key, value in table.tensors().items()}
        return tensors

    def restore(self, checkpoint: Checkpoint) -> None:
        """Go on from a checkpoint as if nothing had happened."""
        tensors, self.state = checkpoint.load()
        part = {
            prefix: {
                n[len(prefix) + 1 :]: t for n, t in tensors.items() if n.startswith(f"{prefix}.")
            }
            for prefix in ("net", "average", "best", "adam")
        }
        self._set(part["net"])
        for name, table in self.tables.items():
            prefix = f"table.{name}."
            held = {n.removeprefix(prefix): t for n, t in tensors.items() if n.startswith(prefix)}
            table.restore(held)
        # A file keeps no order; the average is followed in the order of the parameters.
        names = [name for name, _ in self.net.named_parameters()]
        self.average = {name: part["average"][name] for name in names}
        self.best = {name: part["best"][name] for name in names if part["best"]}
        self.optimiser = self._adam(
            self.schedule.rate if self.state.stage == 0 else self.schedule.fine_rate
        )
        for name, parameter in self.net.named_parameters():
            keys = ("step", "exp_avg", "exp_avg_sq")
            state = {k: part["adam"][f"{k}.{name}"] for k in keys if f"{k}.{name}" in part["adam"]}
            if state:
                self.optimiser.state[parameter] = state


def hash_seed(parts: Sequence[int]) -> int:
    """One seed out of several numbers."""
    value = 0
    for part in parts:
        value = (value * 1_000_003 + part + 1) % (1 << 63)
    return value
