"""How fast ``quern prepare`` cleans lines and what it holds; what steps leave to be copied."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Sequence
from itertools import count
from pathlib import Path
from typing import Any

import msgspec

from benchmarks import sets
from benchmarks.memory import Verb, figures_of, stages, watch
from benchmarks.options import CACHE, Options, Outcome
from quern.data import writing
from quern.doctor import examine_titles
from quern.errors import DataError
from quern.records import TitleExample
from quern.settings import with_words
from quern.text.cleaning import Cleaner, CleaningSettings

_WORKERS = {"one-worker": 1, "two-workers": 2}
_SETTINGS: dict[str, tuple[str, ...]] = {
    "default": (),
    "blocks marked": ("code=mark",),
    "code marked": ("code=mark", "inline=mark"),
}


def cases(options: Options) -> list[str]:
    """One for each number of workers, and what is left of titles in bodies."""
    return [*_WORKERS, "copying"]


def run(case: str, options: Options) -> Outcome:
    """Clean a file from its beginning to its end, or look at what cleaning leaves."""
    source = sets.issues(options.data)["train"]
    if case == "copying":
        issues = sets.issues_of(source)
        left = {name: _left(issues, words) for name, words in _SETTINGS.items()}
        return Outcome({"as given": _left(issues, None), **left}, [source])
    posts, lines = _posts(source, options.megabytes)
    with tempfile.TemporaryDirectory(prefix="preparing-", dir=CACHE) as folder:
        work, out = Path(folder), Path(folder) / "clean.jsonl"
        words = ["prepare", str(posts), "--out", str(out), "--workers", str(_WORKERS[case])]
        words += [part for word in options.words for part in ("--set", word)]
        start = time.perf_counter()
        samples, ended = watch(Verb(words), [posts.name], work, 60 * options.minutes)
        seconds = time.perf_counter() - start
        said = (work / "log.txt").read_text(encoding="utf-8").splitlines()
        if not ended:
            raise DataError(f"quern prepare was not done in {options.minutes} minutes: --minutes")
        with out.open("rb") as stream:
            written = sum(1 for _ in stream)
    if written != lines:
        raise DataError(f"{lines} lines were given to quern prepare, {written} came back")
    figures = {
        "workers": _WORKERS[case],
        "set": list(options.words),
        "megabytes": posts.stat().st_size / 1e6,
        "lines": lines,
        "seconds": seconds,  # starting included
        "lines_per_second": lines / seconds,
        "megabytes_per_second": posts.stat().st_size / 1e6 / seconds,
        "peak_megabytes": max(sample.anonymous for sample in samples),
        "peak_with_mapped_files": max(one.anonymous + one.mapped for one in samples),
        "stages": [figures_of(stage) for stage in stages(samples)],
        "said": said,
    }
    return Outcome(figures, [source])


def _left(issues: Sequence[sets.Issue], words: Sequence[str] | None) -> dict[str, Any]:
    """What could be copied of titles from bodies, and how long these are, titles as given."""
    clean = str if words is None else Cleaner(with_words(CleaningSettings(), words))
    bodies = ((clean(issue.body or ""), issue.title) for issue in issues)
    report = examine_titles(TitleExample(body, title) for body, title in bodies if body and title)
    limit = report.train.body_limits[1]
    return {
        "documents": report.train.titles,
        "title_words_in_body": report.train.copied,
        "units_median": report.train.bodies.median,
        "units_of_99_in_100": limit.units,
    }


def _posts(source: Path, megabytes: int) -> tuple[Path, int]:
    """A file of so much text, written once, and its lines: issues, each with its own number."""
    path = CACHE / "raw" / f"issues-{megabytes}.jsonl"
    if path.exists():
        with path.open("rb") as stream:
            return path, sum(1 for _ in stream)
    path.parent.mkdir(parents=True, exist_ok=True)
    issues, written = sets.issues_of(source), 0
    with writing(path) as stream:
        for number in count():
            issue = issues[number % len(issues)]
            row = {"id": number, "title": issue.title, "body": f"{issue.body or ''}\n{number}"}
            written += stream.write(msgspec.json.encode(row) + b"\n")
            if written >= megabytes * 1e6:
                return path, number + 1
    raise AssertionError("numbers do not end")


def table(lines: list[dict[str, Any]]) -> str:
    """The newest result of every case, in Markdown."""
    head = ["case", "lines", "lines/s", "MB/s", "peak, MB", "with mapped files, MB"]
    rows = [head, ["---"] * len(head)]
    for case, figures in {line["case"]: line["figures"] for line in lines}.items():
        if case == "copying":
            continue
        keys = ("lines", "lines_per_second", "megabytes_per_second", "peak_megabytes")
        cells = [figures[key] for key in (*keys, "peak_with_mapped_files")]
        rows.append([case, *(f"{cell:,.0f}" for cell in cells)])
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)
