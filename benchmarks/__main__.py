"""``python -m benchmarks NAME --data DIR``: measure, and append to ``results/<name>.jsonl``."""

from __future__ import annotations

import argparse
import importlib
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple, cast

from benchmarks import records
from benchmarks.options import RESULTS, ROOT, Benchmark, Options
from quern.errors import QuernError


class Entry(NamedTuple):
    """A benchmark; the quick ones run where none is named."""

    summary: str
    quick: bool


BENCHMARKS = {
    "speed": Entry("sentences per second, beside an encoder of BERT-base's size", True),
    "footprint": Entry("size of a base install, time and memory of a first answer", True),
    "ensemble_speed": Entry("hours that 16 models take for 100,000 texts", True),
    "training_speed": Entry("examples per second, and 2,000 lines to a usable model", True),
    "cooccurrence": Entry("recall, and false positives where names only stand together", True),
    "knowledge_base": Entry("import, size, look-ups and edits of knowledge bases", False),
    "name_lookup": Entry("names found in texts by hashes, beside an automaton", False),
    "index_speed": Entry("nearest vectors, exact and approximate: build, ask, change", False),
    "sentences_accuracy": Entry("sentences of one meaning found, beside tf-idf", False),
    "sentences_speed": Entry("sentences given vectors a second; training with many groups", False),
    "ranks_accuracy": Entry("labels and duplicates of issues found in a catalogue", False),
    "similar_accuracy": Entry("issues that say the same found by vectors, beside tf-idf", False),
    "titles_accuracy": Entry("BLEU and ROUGE of titles, beside first words (hours)", False),
    "titles_speed": Entry("titles a second, greedy and by beams", False),
    "links_accuracy": Entry("F1 of mentions: names matched, filtered, and models", False),
    "entities_accuracy": Entry("which entity is meant, mentions given, beside tf-idf", False),
    "links_speed": Entry("texts linked in a second, end to end, and memory", False),
    "triples_accuracy": Entry("F1 on public sets, trained here or given (hours)", False),
    "triples_ablation": Entry("what each part of training brings on duie (hours)", False),
    "memory": Entry("memory of every verb over 1 GB of raw text (hours)", False),
    "preparing": Entry("lines cleaned in a second, by one process and two, and memory", False),
    "label_repair": Entry("votes of fold models on the incomplete lines of duie", False),
}


def main(words: Sequence[str] | None = None) -> int:
    """Run what is asked for; the exit status."""
    parser = _parser()
    given = parser.parse_args(words)
    unknown = [name for name in given.names if name not in BENCHMARKS]
    if unknown:
        parser.error(f"no benchmark {', '.join(unknown)}; there are {', '.join(BENCHMARKS)}")
    if given.list:
        for name, entry in BENCHMARKS.items():
            print(f"{name:18}{entry.summary}{'' if entry.quick else ' [only when named]'}")
        return 0
    if given.table:
        return _tables(given.names, given.results)
    options = Options(
        data=None if given.data is None else given.data.resolve(),
        models=tuple(_absolute(model) for model in given.model),
        cases=tuple(given.case),
        seed=given.seed,
        texts=given.texts,
        rounds=given.rounds,
        megabytes=given.megabytes,
        minutes=given.minutes,
        init=None if given.init is None else given.init.resolve(),
        vectors=None if given.vectors is None else given.vectors.resolve(),
        preset=given.preset,
        words=tuple(given.words),
        results=given.results.resolve(),
    )
    names = given.names or [name for name, entry in BENCHMARKS.items() if entry.quick]
    warning = records.busy()
    if warning and not given.alone:
        print(f"benchmarks: {warning}", file=sys.stderr)
    failed = [name for name in names if not _attempt(name, options, given.alone)]
    return 1 if failed else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME")
    parser.add_argument("--list", action="store_true", help="name the benchmarks and stop")
    parser.add_argument(
        "--table", action="store_true", help="show stored results as a Markdown table and stop"
    )
    parser.add_argument("--data", type=Path, help="folder of the data sets")
    parser.add_argument(
        "--model", action="append", default=[], help="model folder or shipped name; repeatable"
    )
    parser.add_argument(
        "--case", action="append", default=[], help="only this part of it; repeatable"
    )
    parser.add_argument("--init", type=Path, help="encoder that trainings start from")
    parser.add_argument("--vectors", type=Path, help="word vectors that trainings read")
    parser.add_argument(
        "--preset", choices=("full", "fast"), help="of what is trained, in place of the recipe's"
    )
    parser.add_argument(
        "--set", action="append", default=[], dest="words", metavar="KEY=VALUE",
        help="setting that comes after the recipe's; repeatable",
    )  # fmt: skip
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--texts", type=int, default=128, help="texts in a pass of speed")
    parser.add_argument("--rounds", type=_rounds, default=5, help="passes of speed and footprint")
    parser.add_argument(
        "--megabytes", type=int, default=1000, help="raw text that memory and preparing read"
    )
    parser.add_argument("--minutes", type=float, default=60, help="after which memory stops a verb")
    parser.add_argument("--results", type=Path, default=RESULTS, help="folder to append to")
    parser.add_argument("--alone", action="store_true", help=argparse.SUPPRESS)
    return parser


def _rounds(word: str) -> int:
    if not word.isdecimal() or int(word) < 2:
        raise argparse.ArgumentTypeError("a number from 2 on is wanted, as one has no spread")
    return int(word)


def _absolute(model: str) -> str:
    path = Path(model)
    return str(path.resolve()) if path.exists() else model


def _tables(names: Sequence[str], results: Path) -> int:
    """Print the stored results of the benchmarks that can show them as a table."""
    for name in names or BENCHMARKS:
        module = importlib.import_module(f"benchmarks.{name}")
        lines = records.read(results, name)
        if hasattr(module, "table") and lines:
            print(module.table(lines))
        elif names:
            why = "has no results yet" if hasattr(module, "table") else "shows no table"
            print(f"benchmarks: {name} {why}", file=sys.stderr)
            return 1
    return 0


def _attempt(name: str, options: Options, alone: bool) -> bool:
    """Run the cases of a benchmark; False where one could not be run."""
    try:
        benchmark = cast(Benchmark, importlib.import_module(f"benchmarks.{name}"))
        known = benchmark.cases(options)
        unknown = set(options.cases) - set(known)
        if unknown:
            names = ", ".join(sorted(unknown))
            raise QuernError(f"{name} has no case {names}; it has {', '.join(known)}")
        cases = [case for case in known if not options.cases or case in options.cases]
        if alone:
            for case in cases:
                _measure(name, case, benchmark, options)
            return True
    except QuernError as error:
        print(f"benchmarks: {name}: {error}", file=sys.stderr)
        return False
    except ModuleNotFoundError as error:
        print(f"benchmarks: {name} needs {error.name}: run it by make bench", file=sys.stderr)
        return False
    done = [_in_new_process(name, case, options) for case in cases]  # each, also after a failure
    return all(done)


def _measure(name: str, case: str, benchmark: Benchmark, options: Options) -> None:
    print(f"{name}: {case}", file=sys.stderr)
    line = records.record(name, case, benchmark.run(case, options), options)
    path = records.append(options.results, line)
    print(f"{name}: {case}: written to {path.name}", file=sys.stderr)


def _in_new_process(name: str, case: str, options: Options) -> bool:
    """Run a case by itself, so that its memory and its threads are its own."""
    words = [name, "--alone", "--case", case, "--results", str(options.results)]
    words += [] if options.data is None else ["--data", str(options.data)]
    words += [] if options.init is None else ["--init", str(options.init)]
    words += [] if options.vectors is None else ["--vectors", str(options.vectors)]
    words += [] if options.preset is None else ["--preset", options.preset]
    for name_of, values in (("model", options.models), ("set", options.words)):
        words += [part for value in values for part in (f"--{name_of}", value)]
    for option in ("seed", "texts", "rounds", "megabytes", "minutes"):
        words += [f"--{option}", str(getattr(options, option))]
    command = [sys.executable, "-m", "benchmarks", *words]
    return subprocess.run(command, cwd=ROOT, check=False).returncode == 0


if __name__ == "__main__":
    sys.exit(main())
