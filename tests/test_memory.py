"""How the memory of a verb is watched: what stands in a process's own files, and its figures."""

from __future__ import annotations

import gzip
import json
import sys
from pathlib import Path

import pytest

from benchmarks import memory
from benchmarks.memory import Sample, Verb, figures_of, raw_text, stages, table, watch
from quern.data import texts_of
from quern.errors import DataError

pytestmark = pytest.mark.skipif(
    not Path("/proc/self/fdinfo").exists(), reason="memory is read from /proc"
)


def reading(slope: float, file: str = "raw.txt") -> list[Sample]:
    """A process that reads a MB a second and takes ``slope`` MB for each."""
    return [Sample(i, file, i * 10**6, 100 + slope * i, 30) for i in range(101)]


def test_a_slope_is_found_and_none_where_memory_is_flat() -> None:
    flat, steep = figures_of(reading(0)), figures_of(reading(0.25))
    assert flat["slope_per_100_megabytes"] == pytest.approx(0, abs=1e-9)
    assert steep["slope_per_100_megabytes"] == pytest.approx(25)
    assert (steep["megabytes_read"], steep["peak_megabytes"]) == (100, 125)
    assert steep["peak_by_quarter"] == [106, 112.25, 118.5, 125]
    assert figures_of(reading(0.5, file=""))["slope_per_minute"] == pytest.approx(30)


def test_what_grows_only_at_first_has_no_slope() -> None:
    warm = [one._replace(anonymous=min(one.seconds, 20)) for one in reading(0)]
    assert figures_of(warm)["slope_per_100_megabytes"] == pytest.approx(0, abs=1e-9)


def test_a_file_that_is_read_again_is_another_stage() -> None:
    samples = [*reading(0), *reading(0), *reading(0, file=""), *reading(0, file="words.txt")]
    assert [stage[0].file for stage in stages(samples)] == ["raw.txt", "raw.txt", "", "words.txt"]
    figures = {"stages": [figures_of(stage) for stage in stages(samples)]}
    page = table([{"case": "vectors", "figures": figures}])
    assert page.count("| vectors | raw.txt | 100 | 100 | 100 100 100 100 | +0.00 per 100 mega") == 2
    assert "| vectors | at work | 100 |" in page


def test_a_process_is_followed_through_its_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    raw = tmp_path / "raw.txt"
    raw.write_bytes(b"x" * 10**6)
    script = tmp_path / "reader.py"
    script.write_text(
        "import sys, time\n"
        "kept = []\n"
        "with open(sys.argv[-1], 'rb', buffering=0) as stream:\n"
        "    while stream.read(10 ** 5):\n"
        "        kept.append(bytearray(b'x' * 4 * 10 ** 6))\n"
        "        time.sleep(0.05)\n"
        "if 'fail' in sys.argv:\n"
        "    sys.exit('no more')\n"
    )
    wrapper = tmp_path / "python"
    wrapper.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{script}" "$@"\n')
    wrapper.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(wrapper))
    monkeypatch.setattr(memory, "_SECONDS", 0.02)
    samples, ended = watch(Verb([str(raw)]), ["raw.txt"], tmp_path, 60)
    read = max(stages(samples), key=len)
    assert ended and read[0].file == "raw.txt"
    figures = figures_of(read)
    assert figures["slope_per_100_megabytes"] == pytest.approx(4000, rel=0.3)
    assert not watch(Verb([str(raw)]), ["raw.txt"], tmp_path, 0.2)[1]
    with pytest.raises(DataError, match="no more"):
        watch(Verb(["fail", str(raw)]), ["raw.txt"], tmp_path, 60)


@pytest.mark.parametrize("form", ["txt", "jsonl"])
def test_no_two_texts_are_the_same(
    form: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memory, "CACHE", tmp_path)
    source = tmp_path / "pages-0.jsonl.gz"
    with gzip.open(source, "wt", encoding="utf-8") as stream:
        for name in ("磨坊", "青石镇"):
            stream.write(json.dumps({"text": f"{name}在河边。\n\n{name}很老。" * 500}) + "\n")
    path = raw_text([source], 1, form)
    texts = list(texts_of([path]))
    assert len(set(texts)) == len(texts) and 1e6 <= path.stat().st_size < 1.1e6
    assert ("\n" in texts[0]) == (form == "jsonl")
    written = path.stat().st_mtime_ns
    assert raw_text([source], 1, form).stat().st_mtime_ns == written
