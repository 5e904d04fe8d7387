"""A model folder in 8-bit integers, scored beside the one that it came from."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

import msgspec

from quern import bench, evaluation, folder
from quern.alignment import standing
from quern.card import write_card
from quern.embedding import Embedder
from quern.errors import DataError, FolderError
from quern.evaluation.given import choice_figures, tune_entities
from quern.evaluation.mentions import calibrate_mentions, score_mentions
from quern.evaluation.ranking import ranking_figures
from quern.evaluation.retrieval import retrieval_figures
from quern.kb import KnowledgeBase
from quern.links import Decision, EntityModel, FindsNames, MentionModel
from quern.ranks import RankSettings
from quern.records import (
    Link,
    LinkExample,
    Mention,
    RankExample,
    SentenceExample,
    TitleExample,
    TripleExample,
)
from quern.runtime import Arrays, Graph, Results
from quern.sentences import SentenceSettings
from quern.tasks import (
    load,
    load_entities,
    load_links,
    load_one,
    load_ranks,
    load_sentences,
    load_titles,
)
from quern.titles import GREEDY, TitleModel
from quern.train.quantise import quantise, recorded
from quern.train.title_training import overlap
from quern.triples import Thresholds, TripleModel

_NO_MENTIONS = "the labelled texts hold no mentions; nothing could be scored"
_CALIBRATION = 512  # texts from which the scales of the activations are fixed
_TITLED = 128  # documents for the same: each is asked about at every step of its titles
_SECONDS = 10.0  # for measuring the speed of both
_RUNS = 24  # recorded batches of each graph
_KEPT = 512  # batches held while recording, at most
_EAGER = Thresholds(0.05, 0.05, 0.5, 0.5)  # so that texts without facts show subjects too
# Products with one row for a whole text or subject: too small to gain from 8 bits, and the
# runtime's integer product of a single row differs from that of several in the last bit.
_ONE_ROW = (
    *("net.relations.", "net.objects.reader.", "net.objects.subject."),
    *("net.matcher.joined.", "net.matcher.out.", "net.matcher.scalars."),
    *("net.out.", "net.bag_out.", "net.pooling.weigh."),  # of sentences
    *("net.begin.", "net.vector."),  # of titles
)
# Marks of what is known: tiny, and the texts that fix the scales may hold nothing known.
_MARKS = ("net.subjects.known.", "net.objects.known.", "net.head.names.")


class _Recorder:
    """Stands in for a graph and keeps some of what it was asked, evenly spread."""

    def __init__(self, graph: Graph) -> None:
        self.runs: list[Arrays] = []
        self._graph = graph
        self._asked, self._every = 0, 1

    def __call__(self, inputs: Arrays) -> Results:
        """Run the graph."""
        if self._asked % self._every == 0:
            self.runs.append(recorded(inputs))
        self._asked += 1
        if len(self.runs) == _KEPT:
            self.runs, self._every = self.runs[::2], 2 * self._every
        return self._graph(inputs)


def write_int8(
    source: Path, out: Path, examples: Sequence[TripleExample], *, overwrite: bool = False
) -> dict[str, Any]:
    """Write ``source`` in int8 and score both on ``examples`` through the same code.

    Args:
        source: a model folder in fp32.
        out: the folder to write.
        examples: labelled texts, typical of use and not among the training data.
        overwrite: replace a model folder that is there.

    Returns:
        ``metrics.json`` of the new folder: its figures as ``dev``, the source's as ``fp32``.

    Raises:
        FolderError: ``source`` is in int8 already, an ensemble or a union.
        DataError: no text of ``examples`` has a triple.
    """
    given = _checked(source)
    if not any(example.triples for example in examples):
        raise DataError("the labelled texts hold no triples; nothing could be scored")
    texts = [example.text for example in examples]
    runs = _record(given, texts[:_CALIBRATION])
    with folder.writing(out, overwrite=overwrite) as temporary:
        _quantise(given, temporary, runs)
        metrics = {
            "dev": evaluation.score(load(temporary), examples).figures(),
            "fp32": evaluation.score(load(source), examples).figures(),
            "dev_texts": len(examples),
            "calibration": evaluation.calibrate(temporary, examples),
            "speed": _speed(load(source), load(temporary), given, texts),
        }
        write_card(temporary, out.name, metrics)
    return metrics


def write_links_int8(
    source: Path,
    out: Path,
    examples: Sequence[LinkExample],
    kb: FindsNames | None = None,
    *,
    overwrite: bool = False,
) -> dict[str, Any]:
    """The same for a model that finds mentions; see ``write_int8``.

    Args:
        source: a model folder in fp32.
        out: the folder to write.
        examples: labelled texts.
        kb: the names of a knowledge base, for a model that was trained with such.
        overwrite: replace a model folder that is there.
    """
    given = _checked(source)
    if not any(example.mentions for example in examples):
        raise DataError(_NO_MENTIONS)
    texts = [example.text for example in examples]
    old = load_links(source, kb=kb)
    recorder = _Recorder(given.graph("mentions"))
    recording = MentionModel(given.codec, recorder, old.thresholds, old.names, old.reading)
    recording(texts[:_CALIBRATION])
    with folder.writing(out, overwrite=overwrite) as temporary:
        _quantise(given, temporary, {"mentions": recorder.runs})
        new = load_links(temporary, kb=kb)
        metrics = {
            "dev": score_mentions(new, examples).figures(),
            "fp32": score_mentions(old, examples).figures(),
            "dev_texts": len(examples),
            "calibration": calibrate_mentions(temporary, new, examples),
            "speed": _speed(old, new, given, texts),
        }
        write_card(temporary, out.name, metrics)
    return metrics


def write_entities_int8(
    source: Path,
    out: Path,
    examples: Sequence[LinkExample],
    kb: KnowledgeBase,
    *,
    overwrite: bool = False,
) -> dict[str, Any]:
    """The same for a model that chooses entities; see ``write_int8``.

    Args:
        source: a model folder in fp32.
        out: the folder to write.
        examples: labelled texts.
        kb: the knowledge base whose entities the labels name.
        overwrite: replace a model folder that is there.
    """
    given = _checked(source)
    if not any(example.mentions for example in examples):
        raise DataError(_NO_MENTIONS)
    held = [standing(example) for example in examples]
    encode, match = (_Recorder(given.graph(name)) for name in ("encode", "match"))
    old = load_entities(source)
    old.identity = None  # what is only measured leaves nothing in the base
    recording = EntityModel(given.codec, encode, match, old.settings, old.background)
    tune_entities(recording, kb, held[:_CALIBRATION])
    with folder.writing(out, overwrite=overwrite) as temporary:
        _quantise(given, temporary, {"encode": encode.runs, "match": match.runs})
        new = load_entities(temporary)
        new.identity = None
        threshold, fitted = tune_entities(new, kb, held)
        manifest = msgspec.structs.replace(
            folder.ModelFolder(temporary).manifest,
            thresholds={"nil": threshold},
            calibration=fitted.scaling,
        )
        folder.write_json(temporary / folder.MANIFEST, manifest)
        new.decision = Decision(threshold, fitted.scaling)
        mentions = {e.text: [Mention(*m.place, m.mention, 1.0) for m in e.mentions] for e in held}
        before, after = (_Given(model, mentions, kb) for model in (old, new))
        metrics = {
            "dev": choice_figures(new, kb, examples),
            "fp32": choice_figures(old, kb, examples),
            "dev_texts": len(examples),
            "calibration": fitted.row(),
            "speed": _speed(before, after, given, list(mentions)),
        }
        write_card(temporary, out.name, metrics)
    return metrics


def write_sentences_int8(
    source: Path, out: Path, examples: Sequence[SentenceExample], *, overwrite: bool = False
) -> dict[str, Any]:
    """The same for a model of sentences; see ``write_int8``.

    Args:
        source: a model folder in fp32.
        out: the folder to write.
        examples: sentences in groups, which are ranked among themselves.
        overwrite: replace a model folder that is there.
    """
    given = _checked(source)
    if len({example.group for example in examples}) in (0, len(examples)):
        raise DataError("no two of the sentences are of one group; nothing could be scored")
    texts = [example.text for example in examples]
    old, recorder = load_sentences(source), _Recorder(given.graph("encode"))
    settings = msgspec.convert(given.manifest.settings, SentenceSettings)
    Embedder(given.codec, recorder, settings)(texts[:_CALIBRATION])
    with folder.writing(out, overwrite=overwrite) as temporary:
        _quantise(given, temporary, {"encode": recorder.runs})
        new = load_sentences(temporary)
        metrics = {
            "dev": retrieval_figures(new, examples),
            "fp32": retrieval_figures(old, examples),
            "dev_texts": len(examples),
            "speed": _speed(_Asked(old), _Asked(new), given, texts),
        }
        write_card(temporary, out.name, metrics)
    return metrics


def write_ranks_int8(
    source: Path, out: Path, examples: Sequence[RankExample], *, overwrite: bool = False
) -> dict[str, Any]:
    """The same for a model of ranks, whose items keep their vectors; see ``write_int8``.

    Args:
        source: a model folder in fp32.
        out: the folder to write.
        examples: texts with their items.
        overwrite: replace a model folder that is there.
    """
    given, old = _checked(source), load_ranks(source)
    if not any(set(old.ids).intersection(example.items) for example in examples):
        raise DataError("no text names an item of the model's catalogue; nothing could be scored")
    texts = [example.text for example in examples]
    recorder = _Recorder(given.graph("encode"))
    settings = msgspec.convert(given.manifest.settings, RankSettings)
    Embedder(given.codec, recorder, settings)(texts[:_CALIBRATION])
    with folder.writing(out, overwrite=overwrite) as temporary:
        _quantise(given, temporary, {"encode": recorder.runs})
        new = load_ranks(temporary)
        metrics = {
            "dev": ranking_figures(new, examples),
            "fp32": ranking_figures(old, examples),
            "dev_texts": len(examples),
            "items": len(old.ids),
            "speed": _speed(_Asked(old.embedder), _Asked(new.embedder), given, texts),
        }
        write_card(temporary, out.name, metrics)
    return metrics


def write_titles_int8(
    source: Path, out: Path, examples: Sequence[TitleExample], *, overwrite: bool = False
) -> dict[str, Any]:
    """The same for a model of titles; see ``write_int8``.

    Args:
        source: a model folder in fp32.
        out: the folder to write.
        examples: documents with their titles.
        overwrite: replace a model folder that is there.
    """
    given, old = _checked(source), load_titles(source)
    if not examples:
        raise DataError("there are no documents with titles; nothing could be scored")
    texts = [example.body for example in examples]
    encode, step = _Recorder(given.graph("encode")), _Recorder(given.graph("step"))
    recording = TitleModel(given.codec, encode, step, old.pieces, old.settings)
    recording(texts[:_TITLED])
    with folder.writing(out, overwrite=overwrite) as temporary:
        _quantise(given, temporary, {"encode": encode.runs, "step": step.runs})
        new = load_titles(temporary)
        metrics = {
            "dev": overlap(new, examples),
            "fp32": overlap(old, examples),
            "dev_texts": len(examples),
            "speed": _speed(_greedy(old), _greedy(new), given, texts),
        }
        write_card(temporary, out.name, metrics)
    return metrics


def _greedy(model: TitleModel) -> _Asked:
    return _Asked(lambda texts: model(texts, 1, GREEDY))


class _Asked:
    """Reads texts as other models do, so that it can be timed as they are."""

    def __init__(self, ask: Callable[[Sequence[str]], Iterable[Any]]) -> None:
        self._ask = ask

    def __call__(self, texts: Sequence[str], min_score: float = 0.0) -> list[Any]:
        """What is made of every text."""
        return list(self._ask(texts))


class _Given:
    """Links texts whose mentions are known."""

    def __init__(
        self, model: EntityModel, mentions: Mapping[str, Sequence[Mention]], kb: KnowledgeBase
    ) -> None:
        self._model, self._mentions, self._kb = model, mentions, kb

    def __call__(self, texts: Sequence[str], min_score: float = 0.0) -> list[list[Link]]:
        """The links of every text."""
        return self._model.link(texts, [self._mentions[text] for text in texts], self._kb)


def _checked(source: Path) -> folder.ModelFolder:
    """A folder that can be quantised."""
    given = folder.ModelFolder(source)
    if given.manifest.precision != "fp32":
        raise FolderError(f"{source}: is in {given.manifest.precision}; export the fp32 folder")
    if given.manifest.members > 1:
        raise FolderError(f"{source}: an ensemble; export its members, then quern ensemble")
    if given.manifest.families > 1:
        raise FolderError(f"{source}: a union; export its families, then quern ensemble --union")
    return given


def _quantise(given: folder.ModelFolder, out: Path, runs: Mapping[str, Sequence[Arrays]]) -> None:
    """Write all of a folder but what is measured; ``runs`` are what its graphs were asked."""
    for name, inputs in runs.items():
        step = max(1, len(inputs) // _RUNS)
        graph = f"{name}.onnx"
        quantise(given.path / graph, out / graph, inputs[::step], _ONE_ROW + _MARKS)
    for name in (folder.CODEC, folder.PRIORS, folder.NAMES, *given.manifest.parts):
        if inner := os.path.dirname(name):
            folder.embed(given.path / inner, out, inner)
        elif (given.path / name).exists():
            shutil.copyfile(given.path / name, out / name)
    manifest = msgspec.structs.replace(given.manifest, precision="int8")
    folder.write_json(out / folder.MANIFEST, manifest)


def _speed(
    old: bench.Reader, new: bench.Reader, given: folder.ModelFolder, texts: Sequence[str]
) -> dict[str, Any]:
    """Texts per second of both, taking turns, one thread each."""
    contenders = [bench.Contender("int8", new), bench.Contender("fp32", old)]
    some = bench.sample(contenders, texts, _SECONDS)
    rounds = bench.within(bench.alternate(contenders, some), _SECONDS, time.perf_counter)
    ours, theirs = zip(*rounds, strict=True)
    return {
        "texts_per_second": bench.speed(ours).batched.value,
        "times_fp32": bench.ratio(ours, theirs).batched.value,
        "units_per_text": fmean(given.codec.encode(text).length for text in some),
        "machine": bench.machine(),
    }


def _record(given: folder.ModelFolder, texts: Sequence[str]) -> dict[str, list[Arrays]]:
    recorders = {name: _Recorder(given.graph(name)) for name in ("encoder", "objects")}
    model = load_one(given.path)
    model = TripleModel(
        given.codec,
        model.labels,
        recorders["encoder"],
        recorders["objects"],
        model.thresholds,
        model.reading,
        priors=model.priors,
    )
    for _ in model.scores([given.codec.encode(text) for text in texts], [_EAGER]):
        pass
    return {name: recorder.runs for name, recorder in recorders.items()}
