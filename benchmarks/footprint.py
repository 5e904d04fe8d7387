"""What a base install weighs, and how long a first answer takes."""

from __future__ import annotations

import importlib.metadata
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.options import CACHE, ROOT, Options, Outcome
from quern.errors import DataError

_NOT_OURS = ("pip", "setuptools", "wheel")  # come with the environment
_SENTENCES = {
    "zh": "《磨坊集》是林远舟创作的散文集，由青石书局出版",
    "en": "Clara Marlow was born in Tilbury and works for Halden Works.",
}
# The console script's own lines, and then the peak, which a parent cannot read of its child:
# after a fork the child's peak begins at the parent's.
_PEAK = """
import sys
from quern.cli import main
sys.argv[0] = "quern"
try:
    main()
finally:
    from pathlib import Path
    status = Path("/proc/self/status").read_text()
    peak = next(line.split()[1] for line in status.splitlines() if line.startswith("VmHWM"))
    print("peak", peak, file=sys.stderr)
"""


def cases(options: Options) -> list[str]:
    """One: install, then the verbs of what was installed."""
    return ["base-install"]


def run(case: str, options: Options) -> Outcome:
    """Install into a fresh environment, from wheels alone, and run it there."""
    CACHE.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=CACHE) as folder:
        home = Path(folder) / "venv"
        figures = {"install": install(home)}
        quern = [str(home / "bin" / "quern")]
        figures["help"] = cold(home, [*quern, "--help"], 2 * options.rounds + 1)
        commands = _extracts(home, options)
        for name, words in commands.items():
            figures[f"extract {name}"] = cold(home, [*quern, *words], 2 * options.rounds + 1)
    return Outcome(figures)


def install(home: Path) -> dict[str, Any]:
    """Make the environment; how many packages it then has, and how large they are."""
    subprocess.run([sys.executable, "-m", "venv", str(home)], check=True)
    python = str(home / "bin" / "python")
    # Wheels alone: had any package to be compiled, this would fail.
    words = ["install", "--quiet", "--only-binary", ":all:", "-c", "constraints.txt", "."]
    start = time.perf_counter()
    subprocess.run(
        [python, "-m", "pip", "--disable-pip-version-check", *words], check=True, cwd=ROOT
    )
    seconds = time.perf_counter() - start
    [site] = home.glob("lib/python*/site-packages")  # lib64 is a link to it
    sizes = package_sizes(site)
    return {
        "wheels_only": True,
        "packages": len(sizes),
        "megabytes": sum(sizes.values()),
        "seconds": seconds,
        "megabytes_by_package": sizes,
    }


def package_sizes(site: Path) -> dict[str, float]:
    """Megabytes of every package in a folder of packages, compiled files too, largest first."""
    sizes = {}
    for package in importlib.metadata.distributions(path=[str(site)]):
        name = package.metadata["Name"]
        if name.lower() not in _NOT_OURS:
            paths = [Path(str(package.locate_file(file))) for file in package.files or ()]
            sizes[name] = sum(path.stat().st_size for path in paths if path.is_file()) / 1e6
    return dict(sorted(sizes.items(), key=lambda item: -item[1]))


def _extracts(home: Path, options: Options) -> dict[str, list[str]]:
    """A command for one sentence by each given model, or for a sentence of each language."""
    files = {}
    for language, sentence in _SENTENCES.items():
        files[language] = home / f"{language}.txt"
        files[language].write_text(sentence + "\n", encoding="utf-8")
    if options.models:
        return {
            f"{Path(model).name} {language}": ["extract", "--model", model, str(file)]
            for model in options.models
            for language, file in files.items()
        }
    shipped = json.loads(_output(home, ["quern", "info", "--format", "json"]) or "[]")
    if not shipped:
        raise DataError("no model to start: pass --model FOLDER (none ships yet)")
    return {language: ["extract", str(file)] for language, file in files.items()}


def _output(home: Path, words: Sequence[str]) -> str:
    command = [str(home / "bin" / words[0]), *words[1:]]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def cold(home: Path, command: Sequence[str], times: int) -> dict[str, Any]:
    """Run a command in new processes: seconds of the first and the median run, peak memory."""
    seconds = []
    for _ in range(times):
        start = time.perf_counter()
        _quiet(command)
        seconds.append(time.perf_counter() - start)
    figures = {"runs": times, "first_seconds": seconds[0], "seconds": statistics.median(seconds)}
    if Path("/proc/self/status").exists():
        shim = [str(home / "bin" / "python"), "-c", _PEAK, *command[1:]]
        peaks = [int(_quiet(shim).stderr.split("peak ")[-1]) * 1024 / 1e6 for _ in range(3)]
        figures["peak_megabytes"] = statistics.median(peaks)
    return figures


def _quiet(command: Sequence[str]) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise DataError(f"{Path(command[0]).name} failed: {done.stderr.strip()}")
    return done
