"""A measurement as a line of JSON, with all that is needed to repeat it."""

from __future__ import annotations

import datetime
import importlib.metadata
import os
import platform
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

import quern
from benchmarks.options import ROOT, Options, Outcome
from quern.bench import machine
from quern.data import data_hash

_PACKAGES = ("numpy", "onnxruntime", "torch")


def record(name: str, case: str, outcome: Outcome, options: Options) -> dict[str, Any]:
    """One line of ``results/<name>.jsonl``; it names no host and no path."""
    commit, dirty = revision(ROOT)
    return {
        "benchmark": name,
        "case": case,
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "quern": quern.__version__,
        "commit": commit,
        "dirty": dirty,
        "seed": options.seed,
        "data": data_hash(*outcome.data) if outcome.data else None,
        "machine": machine(),
        "versions": versions(),
        "figures": rounded(outcome.figures),
    }


def rounded(value: Any) -> Any:
    """Figures with five digits that count; more would be noise."""
    if isinstance(value, float):
        return float(f"{value:.5g}")
    if isinstance(value, dict):
        return {key: rounded(inner) for key, inner in value.items()}
    return [rounded(inner) for inner in value] if isinstance(value, list | tuple) else value


def versions() -> dict[str, str | None]:
    """Versions of Python and of the packages that speed depends on; None where absent."""
    found: dict[str, str | None] = {"python": platform.python_version()}
    for package in _PACKAGES:
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            found[package] = None
    return found


def revision(root: Path) -> tuple[str | None, bool | None]:
    """The commit of a checkout and whether tracked files differ from it; None outside git.

    The results themselves are left out: a measurement does not change what is measured.
    """
    commit = _git(root, ["rev-parse", "--short=12", "HEAD"])
    if commit is None:
        return None, None
    changed = _git(root, ["status", "--porcelain", "--", ".", ":!benchmarks/results"])
    return commit, bool(changed)


def _git(root: Path, words: Sequence[str]) -> str | None:
    try:
        done = subprocess.run(
            ["git", *words], cwd=root, capture_output=True, text=True, check=False, timeout=60
        )
    except OSError:
        return None  # no git
    return done.stdout.strip() if done.returncode == 0 else None


def append(folder: Path, line: dict[str, Any]) -> Path:
    """Add a record to the file of its benchmark."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{line['benchmark']}.jsonl"
    with path.open("ab") as stream:
        stream.write(msgspec.json.encode(line) + b"\n")
    return path


def read(folder: Path, name: str) -> list[dict[str, Any]]:
    """The records of a benchmark; none where it was never run."""
    path = folder / f"{name}.jsonl"
    if not path.is_file():
        return []
    return [msgspec.json.decode(line) for line in path.read_bytes().splitlines()]


def busy() -> str | None:
    """A warning where other work is under way, as figures would then mean little."""
    load = os.getloadavg()[0]
    if load < 0.5:
        return None
    return f"the machine is at work already (load {load:.1f}); speeds measured now mean little"
