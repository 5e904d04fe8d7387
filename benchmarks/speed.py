"""Sentences per second: model folders end to end, beside an encoder of BERT-base's size."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from benchmarks import encoder, sets
from benchmarks.options import CACHE, Options, Outcome
from quern import bench, shipped
from quern.errors import DataError
from quern.folder import ModelFolder
from quern.text import TextCodec, han_share
from quern.triples import TripleModel

THREADS = (1, 2)
LENGTHS = (10, 30, 100, 300, 1000, 3000, 10_000)
_CHARACTERS = 30_000  # read at each length in a pass
_MOSTLY_HAN = 0.2
_ENCODER = "encoder of BERT-base's size"


class Subject(NamedTuple):
    """A model folder to measure."""

    name: str
    path: Path
    language: str


def cases(options: Options) -> list[str]:
    """For each language among the models: one and two threads; and lengths of text."""
    languages = sorted({subject.language for subject in subjects(options)})
    return [f"{lang}-{part}" for lang in languages for part in (*_NAMES, "lengths")]


_NAMES = {f"{count}-thread{'s' * (count > 1)}": count for count in THREADS}


def run(case: str, options: Options) -> Outcome:
    """Measure the models of one language."""
    language, _, part = case.partition("-")
    ours = [subject for subject in subjects(options) if subject.language == language]
    if not ours:
        raise DataError(f"{case}: none of the models reads this language")
    path = sets.triples_path(options.data, sets.TEXTS[language], "dev")
    texts = [example.text for example in sets.examples(path)]
    if part == "lengths":
        figures = by_length(ours, " " if language == "en" else "", texts, options.rounds)
    else:
        figures = beside_encoder(ours, bench.spread(texts, options.texts), _NAMES[part], options)
    return Outcome({"language": language, **figures}, [path])


def subjects(options: Options) -> list[Subject]:
    """The given folders, or the shipped ones, each with the language of its vocabulary.

    Raises:
        DataError: none is given and none ships.
    """
    names = options.models or tuple(shipped.names("triples"))
    if not names:
        raise DataError("no model to measure: pass --model FOLDER (none ships yet)")
    found = []
    for name in names:
        path = shipped.find(name)
        found.append(Subject(path.name, path, language_of(ModelFolder(path).codec)))
    return found


def language_of(codec: TextCodec) -> str:
    """The language that a codec was fitted on, by the script of its units."""
    return "zh" if han_share(" ".join(codec.vocabulary)) >= _MOSTLY_HAN else "en"


# -- beside the encoder -----------------------------------------------------------------


def beside_encoder(
    ours: Sequence[Subject], texts: list[str], threads: int, options: Options
) -> dict[str, Any]:
    """Passes of each model and of the encoder in turn, over the same texts.

    Ours run ``threads`` workers with one thread each, the encoder one worker with as many.
    """
    language = ours[0].language
    codec = ModelFolder(ours[0].path).codec
    units = {text: codec.encode(text).length for text in texts}
    vocabulary = encoder.VOCABULARY[language]
    graph = encoder.graph_path(CACHE, vocabulary)
    rival = encoder.Encoder(graph, encoder.tokens(units, vocabulary, options.seed), threads)
    contenders = [
        *(bench.Contender(s.name, shipped.load(s.path), threads) for s in ours),
        bench.Contender(_ENCODER, rival),
    ]
    rounds = _rounds(contenders, texts, options.rounds)
    *passes, theirs = list(zip(*rounds, strict=True))
    return {
        "threads": threads,
        "texts": len(texts),
        "units_per_text": sum(units.values()) / len(texts),
        "rounds": options.rounds,
        "encoder": {"megabytes": graph.stat().st_size / 1e6, **_builtins(bench.speed(theirs))},
        "models": [
            {
                **about(subject),
                **_builtins(bench.speed(of_model)),
                "times_the_encoder": _builtins(bench.ratio(of_model, theirs)),
            }
            for subject, of_model in zip(ours, passes, strict=True)
        ],
    }


def _rounds(
    contenders: Sequence[bench.Contender], texts: list[str], count: int
) -> list[list[bench.Pass]]:
    rounds = []
    for done in bench.alternate(contenders, texts):
        rounds.append(done)
        each = ", ".join(
            f"{c.name} {p.batched:,.0f}" for c, p in zip(contenders, done, strict=True)
        )
        print(f"  round {len(rounds)} of {count}, texts/s: {each}", file=sys.stderr)
        if len(rounds) == count:
            break
    return rounds


def about(subject: Subject) -> dict[str, Any]:
    """A folder's name, precision and size."""
    folder = ModelFolder(subject.path)
    return {
        "model": subject.name,
        "precision": folder.manifest.precision,
        "megabytes": folder.size() / 1e6,
    }


def _builtins(value: object) -> Any:
    return msgspec.to_builtins(value)


# -- by length --------------------------------------------------------------------------


def by_length(
    ours: Sequence[Subject], joint: str, texts: Sequence[str], rounds: int
) -> dict[str, Any]:
    """Texts and characters per second for texts of equal length, one thread, in batches."""
    whole = joint.join(texts)
    models = []
    for subject in ours:
        model = shipped.load(subject.path)
        rows = [length_row(model, whole, length, rounds) for length in LENGTHS]
        models.append({**about(subject), "lengths": rows})
    return {"threads": 1, "rounds": rounds, "models": models}


def length_row(model: TripleModel, whole: str, length: int, rounds: int) -> dict[str, Any]:
    """Figures at one length; the texts are cut from ``whole`` one after the other."""
    texts = cut(whole, length, max(4, _CHARACTERS // length))
    model(texts)
    rates = []
    for _ in range(rounds):
        start = time.perf_counter()
        model(texts)
        rates.append(len(texts) / (time.perf_counter() - start))
    speed = bench.interval(rates)
    return {
        "characters": length,
        "texts": len(texts),
        "texts_per_second": _builtins(speed),
        "characters_per_second": speed.value * length,
    }


def cut(whole: str, length: int, count: int) -> list[str]:
    """At most ``count`` pieces of ``length`` characters; a short ``whole`` is repeated."""
    if len(whole) < length:
        whole *= -(-length // max(len(whole), 1))
    starts = range(0, len(whole) - length + 1, length)
    return [whole[at : at + length] for at in list(starts)[:count]]
