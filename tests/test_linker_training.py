"""Both models of links from one training: an encoder that they share, two folders of their own."""

from __future__ import annotations

import shutil
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from statistics import fmean

import pytest

torch = pytest.importorskip("torch")

import msgspec
import numpy as np
from safetensors.numpy import load_file
from torch import nn

from namesakes import entities
from quern.errors import DataError
from quern.kb import KnowledgeBase
from quern.links import EntityFitting, LinkSettings
from quern.records import LabelledMention, LinkExample
from quern.train.batches import InTurn
from quern.train.fit import Start
from quern.train.linker_fit import LinkerFit
from quern.train.linker_training import LinkerPlan, LinkerTraining
from quern.train.loop import Epoch, Step
from test_entity_training import DEV, NAMES, RULES, SMALL, TRAIN
from test_entity_training import plan as entity_plan
from test_link_training import SMALL as SMALL_LINKS

FEW = (TRAIN[:60], DEV[:20])


def plan(mentions: LinkSettings = SMALL_LINKS) -> LinkerPlan:
    """A plan that trains in seconds."""
    schedule = entity_plan(epochs=2, fine_epochs=0).schedule
    return LinkerPlan(mentions=mentions, entities=SMALL, schedule=schedule, rules=RULES)


@pytest.fixture(scope="module")
def kb(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KnowledgeBase]:
    """A base of all names."""
    path = tmp_path_factory.mktemp("base") / "names.kb"
    with KnowledgeBase.open(path, create=True) as opened:
        opened.load(entities(NAMES))
        yield opened


class Run:
    """A training from its beginning to its folders, and all it said of itself."""

    def __init__(self, kb: KnowledgeBase, out: Path) -> None:
        self.out = out
        self.facts: list[Step | Epoch] = []
        journey = LinkerFit(*FEW, kb, plan())
        self.metrics = journey.run(out, report=self.facts.append)
        assert isinstance(journey.training, LinkerTraining)
        self.training = journey.training


@pytest.fixture(scope="module")
def whole(kb: KnowledgeBase, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A training that was never stopped."""
    return Run(kb, tmp_path_factory.mktemp("linker") / "whole")


def files(out: Path) -> dict[str, bytes]:
    """All but the scores, which say how many seconds they took."""
    return {
        str(path.relative_to(out)): path.read_bytes()
        for path in sorted(out.rglob("*"))
        if path.is_file() and path.name != "metrics.json"
    }


def test_each_folder_holds_its_own_network_and_the_encoder_of_both(whole: Run) -> None:
    one, other = (
        load_file(whole.out / of / "weights.safetensors") for of in ("mentions", "entities")
    )
    parts = whole.training.mentions, whole.training.entities
    for weights, part in zip((one, other), parts, strict=True):
        own = [*part.net.named_parameters(), *part.net.named_buffers()]
        assert set(weights) == {f"net.{name}" for name, _ in own}
    shared = {name for name in one if name.startswith("net.encoder.")}
    assert (
        shared
        == {name for name in other if name.startswith("net.encoder.")}
        == set(one) & set(other)
    )
    assert all(np.array_equal(one[name], other[name]) for name in shared)
    codecs = [(whole.out / of / "codec.json").read_bytes() for of in ("mentions", "entities")]
    assert codecs[0] == codecs[1]


@pytest.mark.slow
def test_the_same_seed_gives_the_same_files_also_after_a_stop(
    whole: Run, kb: KnowledgeBase, tmp_path: Path
) -> None:
    out = tmp_path / "whole"
    journey = LinkerFit(*FEW, kb, plan())
    checkpoint = journey.checkpoint(out)
    for fact in journey.training.run(checkpoint):
        if fact.epoch == 1:
            break  # the first epoch is saved once the second has begun
    shutil.copytree(whole.out, out)
    (out / "mentions" / "codec.json").write_text("spoilt", "utf-8")
    rest = LinkerFit(*FEW, kb, plan())
    metrics = rest.run(out, resume=True, overwrite=True)
    assert checkpoint.exists is False and len(metrics["mentions"]["epochs"]) == 2
    assert files(out) == files(whole.out)
    assert metrics["dev"] == whole.metrics["dev"]


def test_an_epoch_tells_of_both(whole: Run) -> None:
    epoch = next(fact for fact in whole.facts if isinstance(fact, Epoch))
    assert list(epoch.scores) == ["both", "f1", "precision", "recall", "accuracy"]
    f1, accuracy = epoch.scores["f1"], epoch.scores["accuracy"]
    assert accuracy > 0
    assert epoch.scores["both"] == pytest.approx(2 * f1 * accuracy / (f1 + accuracy))
    steps = [fact for fact in whole.facts if isinstance(fact, Step) and fact.epoch == epoch.epoch]
    assert sum(step.items for step in steps) == len(whole.training.items) == 120
    terms: dict[str, list[float]] = defaultdict(list)
    for step in steps:
        for name, value in step.losses.items():
            terms[name].append(value)
    assert {name: len(values) for name, values in terms.items()} == {
        **{"mentions": 4, "spans": 4},
        "entities": 4,
    }
    assert epoch.losses == {name: fmean(values) for name, values in terms.items()}
    assert whole.metrics["dev"].keys() >= {"f1", "accuracy", "ceiling"}


def test_an_encoder_to_start_from_is_trained_by_both(whole: Run, kb: KnowledgeBase) -> None:
    start = Start(whole.out / "mentions")
    names = msgspec.structs.replace(SMALL_LINKS, names="base")
    training = LinkerFit(*FEW, kb, plan(names), start=start).training
    assert isinstance(training, LinkerTraining)
    assert "names of the knowledge base" in training.notes[0]
    assert "mentions with candidates" in training.notes[1]
    net, items = training.net, training.items
    before = load_file(whole.out / "mentions" / "weights.safetensors")
    ours, theirs = "mentions.encoder.embedding.gram.weight", "net.encoder.embedding.gram.weight"
    parameters = dict(net.named_parameters())
    assert np.array_equal(parameters[ours].detach().numpy(), before[theirs])
    # What reading adds to a choice begins at 0; as long as it does, nothing reaches the encoder.
    nn.init.ones_(net.entities.matcher.out.weight)
    for item, own, other in (
        (0, "mentions.head.", "entities."),
        (len(items.mentions), "entities.matcher.", "mentions.head."),
    ):
        net.zero_grad()
        terms = items.loss(net, items.collate([item], [0]))
        torch.stack(list(terms.values())).sum().backward()
        moved = {name for name, parameter in parameters.items() if parameter.grad is not None}
        assert ours in moved and {name for name in parameters if name.startswith(own)} <= moved
        assert not any(name.startswith(other) for name in moved)
        assert items.lines([item]) == [1]


class Some:
    """Batches of numbered items, two in each."""

    def __init__(self, count: int) -> None:
        self.count = count

    def __len__(self) -> int:
        return self.count

    def __iter__(self) -> Iterator[list[int]]:
        return iter([[2 * n, 2 * n + 1] for n in range(self.count)])


def test_batches_are_taken_in_turn_and_each_once() -> None:
    turns = InTurn((0, Some(6)), (12, Some(3)))
    batches = list(turns)
    assert len(turns) == len(batches) == 9 and batches == list(turns)
    assert sorted(item for batch in batches for item in batch) == list(range(18))
    assert "".join("m" if batch[0] < 12 else "e" for batch in batches) == "memmemmem"
    assert list(InTurn((0, Some(0)), (0, Some(2)))) == [[0, 1], [2, 3]]


def test_what_cannot_be_trained_is_said(kb: KnowledgeBase, tmp_path: Path) -> None:
    lost = LinkExample("甲乙来了。", (LabelledMention("丙丁", 0, "p"),), line=7)
    with pytest.raises(DataError) as refused:
        LinkerFit([*TRAIN[:9], lost], DEV, kb, plan())
    # Absent for both networks, and one label all the same.
    assert str(refused.value).startswith("1 label(s) would be lost:\n  line 7: '丙丁'")
    assert "(quern check links names every one)" in str(refused.value)
    with pytest.raises(DataError, match="needs mentions in both the training and the dev data"):
        LinkerFit(TRAIN, [LinkExample("雨。", ())], kb, plan())
    with pytest.raises(DataError, match="facts are known triples"):
        LinkerFit(*FEW, kb, plan(), start=Start(facts=[]))
    unknown = pytest.raises(DataError, match="has no candidate for any labelled mention")
    with KnowledgeBase.open(tmp_path / "empty.kb", create=True) as empty, unknown:
        LinkerFit(*FEW, empty, plan())


def test_settings_that_cannot_be_are_refused() -> None:
    with pytest.raises(ValueError, match="share an encoder"):
        LinkerPlan(mentions=SMALL_LINKS)
    with pytest.raises(ValueError, match="frozen must be false"):
        LinkerPlan(choosing=EntityFitting())
