"""What measuring does with what it measured; nothing here depends on how long anything takes."""

from __future__ import annotations

import itertools
import json
import math
import threading
from pathlib import Path
from types import SimpleNamespace

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from benchmarks import __main__ as runner
from benchmarks import encoder, footprint, records, sets, speed, triples_accuracy
from benchmarks.options import Options, Outcome
from fake_model import fake_model
from quern import bench, shipped
from quern.bench import Contender, Interval, Measured, Pass, Ratio
from quern.cli import bench as verb
from quern.errors import DataError
from quern.text import TextCodec

TEXTS = ["程以南生于云州", "苏小婉", "云州下雨", "Ada lives in Norden"]

# -- intervals ----------------------------------------------------------------------------


def test_an_interval_is_students_on_logarithms() -> None:
    found = bench.interval([1.0, math.e**2])
    assert found.value == pytest.approx(math.e)
    assert math.log(found.high) == pytest.approx(1 + 12.706)
    assert math.log(found.low) == pytest.approx(1 - 12.706)


def test_equal_samples_have_no_width_and_one_sample_no_interval() -> None:
    found = bench.interval([7.0] * 4)
    assert (found.low, found.value, found.high) == pytest.approx((7, 7, 7))
    with pytest.raises(ValueError, match="two samples"):
        bench.interval([7.0])


def test_students_t_goes_on_after_its_table() -> None:
    assert bench._t(1) == 12.706
    assert bench._t(30) == 2.042
    assert bench._t(31) == pytest.approx(2.0395, abs=1e-3)
    assert bench._t(120) == pytest.approx(1.980, abs=1e-3)


rates = st.lists(st.floats(1e-3, 1e6), min_size=2, max_size=50)


@given(rates, st.floats(1e-3, 1e3))
def test_an_interval_holds_its_value_and_scales(samples: list[float], factor: float) -> None:
    found = bench.interval(samples)
    assert found.low <= found.value * (1 + 1e-9)
    assert found.value <= found.high * (1 + 1e-9)
    scaled = bench.interval([factor * sample for sample in samples])
    assert scaled.value == pytest.approx(factor * found.value)


# -- passes -------------------------------------------------------------------------------


def test_texts_are_spread_over_all() -> None:
    texts = [str(i) for i in range(10)]
    assert bench.spread(texts, 5) == ["0", "2", "4", "6", "8"]
    assert bench.spread(texts, 99) == texts
    assert len(set(bench.spread(texts, 7))) == 7


@given(st.integers(0, 300), st.integers(1, 40))
def test_texts_that_are_too_many_are_thinned_evenly(count: int, most: int) -> None:
    texts = [str(i) for i in range(count)]
    kept, found = bench.thinned(iter(texts), most)
    assert (found, len(kept) <= most) == (count, True)
    assert kept == texts[:: int(kept[1])] if len(kept) > 1 else kept == texts[:1]
    assert len(kept) > min(count - 1, most // 2 - 1)


def test_rounds_stop_before_the_time_is_over_but_not_before_the_third() -> None:
    def spent(seconds: float) -> int:
        clock = iter(range(0, 10_000, 2))  # every look at it takes two seconds
        return sum(1 for _ in bench.within(iter(range(100)), seconds, lambda: next(clock)))

    assert spent(1) == bench.LEAST_ROUNDS
    assert spent(10) == 5
    assert spent(11) == 5
    assert spent(10_000) == 100


def test_contenders_take_turns() -> None:
    calls: list[str] = []
    contenders = [Contender(name, lambda texts, n=name: calls.append(n)) for name in "AB"]
    rounds = bench.alternate(contenders, ["x"])
    first, second = next(rounds), next(rounds)
    assert [len(first), len(second)] == [2, 2]
    assert "".join(calls) == "AB" + 2 * "AABB"  # warm-up; then in batches and singly, in turn


@pytest.mark.parametrize("workers", [1, 2, 3])
def test_a_pass_reads_every_text_once_each_way(workers: int) -> None:
    lock, calls = threading.Lock(), []

    def read(texts: list[str]) -> None:
        with lock:
            calls.append(list(texts))

    texts = [str(i) for i in range(700)]
    done = bench._pass(Contender("x", read, workers), texts)
    batches, single = [c for c in calls if len(c) > 1], [c for c in calls if len(c) == 1]
    assert sorted(itertools.chain(*batches)) == sorted(texts)
    assert sorted(itertools.chain(*single)) == sorted(texts)
    assert max(map(len, batches)) <= 256
    assert len(done.latencies) == len(texts)
    assert done.batched > 0 and done.single > 0


@pytest.mark.parametrize(("seconds", "count"), [(20, 100), (2, 10), (0.01, 1), (9000, 1000)])
def test_the_sample_leaves_time_for_ten_rounds(
    monkeypatch: pytest.MonkeyPatch, seconds: float, count: int
) -> None:
    now = 0.0

    def read(texts: list[str]) -> None:
        nonlocal now
        now += 0.01 * len(texts)

    monkeypatch.setattr(bench, "time", SimpleNamespace(perf_counter=lambda: now))
    texts = [str(i) for i in range(1000)]
    found = bench.sample([Contender("x", read)], texts, seconds)
    assert abs(len(found) - count) <= 1
    assert now <= max(seconds / 10, 0.01) + 0.011


def test_percentiles_are_over_all_single_readings() -> None:
    passes = [Pass(100, 50, [0.001 * i for i in range(51)]), Pass(100, 50, [0.05] * 50)]
    latency = bench.speed(passes).latency_ms
    assert latency.count == 101
    assert latency.p50 == pytest.approx(50)
    assert latency.p99 == pytest.approx(50)


def test_a_ratio_pairs_the_rounds() -> None:
    ours = [Pass(20, 10, []), Pass(200, 100, [])]
    theirs = [Pass(10, 10, []), Pass(100, 100, [])]
    found = bench.ratio(ours, theirs)
    # The machine was ten times as fast in one round, and the ratio does not waver.
    assert (found.batched.low, found.batched.high) == pytest.approx((2, 2))
    assert found.single.value == pytest.approx(1)


# -- the verdict --------------------------------------------------------------------------


def measured(name: str, precision: str, f1: float | None) -> Measured:
    flat = Interval(1, 1, 1)
    return Measured(
        model=name,
        precision=precision,
        megabytes=1.0,
        speed=bench.Speed(flat, flat, bench.Latency(1, 1, 1, 1)),
        score=None if f1 is None else {"f1": f1},
    )


def times(low: float, high: float) -> Ratio:
    return Ratio(Interval((low + high) / 2, low, high), Interval(1, 1, 1))


@pytest.mark.parametrize(
    ("ratio", "f1", "words"),
    [
        (times(1.5, 2.5), 0.8, []),
        (times(1.5, 2.5), None, []),
        (times(1.5, 2.5), 0.797, []),  # just what is allowed
        (times(1.5, 2.5), 0.9, []),
        (times(1.0, 3.0), 0.8, ["2.00 times"]),
        (times(0.5, 0.7), 0.8, ["0.60 times"]),
        (times(1.5, 2.5), 0.7969, ["loses 0.31 points"]),
        (times(0.9, 1.5), 0.5, ["1.20 times", "loses 30.00 points"]),
        (times(math.nan, math.nan), 0.8, ["nan"]),
    ],
)
def test_an_int8_folder_must_be_faster_and_as_good(
    ratio: Ratio, f1: float | None, words: list[str]
) -> None:
    whole = measured("whole", "fp32", None if f1 is None else 0.8)
    found = bench.verdict(measured("small", "int8", f1), whole, ratio)
    assert found is not None
    assert (found.model, found.blessed) == ("small", not words)
    assert len(found.reasons) == len(words)
    assert all(word in reason for word, reason in zip(words, found.reasons, strict=True))


def test_the_int8_folder_is_judged_on_whichever_side_it_stands() -> None:
    small, whole = measured("small", "int8", 0.8), measured("whole", "fp32", 0.8)
    slower = bench.verdict(whole, small, times(0.4, 0.5))  # whole is half as fast: small is faster
    assert slower is not None and slower.model == "small" and slower.blessed
    faster = bench.verdict(whole, small, times(0.9, 1.1))
    assert faster is not None and faster.model == "small" and not faster.blessed


@pytest.mark.parametrize("precision", ["fp32", "int8"])
def test_two_of_a_kind_are_only_compared(precision: str) -> None:
    pair = measured("a", precision, 0.8), measured("b", precision, 0.1)
    assert bench.verdict(*pair, times(0.1, 0.2)) is None


# -- memory and machine -------------------------------------------------------------------


def test_peak_memory_is_read_where_the_system_says_it(tmp_path: Path) -> None:
    status = tmp_path / "status"
    status.write_text("Name:\tx\nVmPeak:\t9 kB\nVmHWM:\t  2048 kB\nVmRSS:\t1 kB\n")
    assert bench.peak_memory(status) == 2048 * 1024
    elsewhere = bench.peak_memory(tmp_path / "none")
    assert 1e6 < elsewhere < 1e12


def test_the_machine_is_told_in_words(tmp_path: Path) -> None:
    cpuinfo = tmp_path / "cpuinfo"
    cpuinfo.write_text("processor\t: 0\nmodel name\t: Mill 3000 @ 2 GHz\n")
    assert bench.machine(cpuinfo).startswith("Mill 3000 @ 2 GHz, ")
    assert "core" in bench.machine(tmp_path / "none")


# -- the verb -----------------------------------------------------------------------------


@pytest.fixture
def folders(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two names that stand for folders; ``small`` is int8 and, in the rounds, twice as fast."""
    model = fake_model(TEXTS, {"苏": (0.9, 0.9)}, {("生于", "州"): (0.9, 0.9)})

    def folder(path: Path) -> SimpleNamespace:
        precision = "int8" if path.name == "small" else "fp32"
        return SimpleNamespace(manifest=SimpleNamespace(precision=precision), size=lambda: 10**6)

    monkeypatch.setattr(shipped, "find", Path)
    monkeypatch.setattr(shipped, "load_triples", lambda name: model)
    monkeypatch.setattr(verb, "ModelFolder", folder)
    rates = {"small": 200.0, "slow": 50.0}

    def rounds(contenders: list[Contender], texts: list[str]) -> object:
        return itertools.repeat(
            [Pass(rates.get(c.name, 100.0), 80.0, [0.001] * len(texts)) for c in contenders], 4
        )

    monkeypatch.setattr(bench, "alternate", rounds)


def run(*words: object) -> SimpleNamespace:
    done = CliRunner().invoke(verb.command, [str(word) for word in words])
    error = None if isinstance(done.exception, SystemExit) else done.exception
    return SimpleNamespace(code=done.exit_code, out=done.stdout, err=done.stderr, error=error)


@pytest.fixture
def plain(tmp_path: Path) -> Path:
    path = tmp_path / "texts.txt"
    path.write_text("\n".join(TEXTS), encoding="utf-8")
    return path


@pytest.fixture
def labelled(tmp_path: Path) -> Path:
    path = tmp_path / "dev.jsonl"
    rows = [
        {"text": TEXTS[0], "triples": [["程以南", "生于", "云州"]]},
        {"text": "", "triples": []},
    ]
    path.write_text("\n".join(json.dumps(row) for row in rows), encoding="utf-8")
    return path


@pytest.mark.usefixtures("folders")
def test_a_plain_file_gets_speeds_and_no_score(plain: Path) -> None:
    done = run("whole", plain)
    assert done.code == 0
    assert "100 (100 to 100)" in done.out
    assert "1.00, 1.00, 1.00" in done.out
    assert "4 of 4 texts" in done.out
    assert "f1" not in done.out
    assert "measuring" in done.err and "measuring" not in done.out


@pytest.mark.usefixtures("folders")
def test_a_labelled_file_gets_a_score_too(labelled: Path) -> None:
    done = run("whole", labelled, "--format", "json")
    assert done.code == 0, done.err
    report = json.loads(done.out)
    assert report["models"][0]["score"] == {"f1": 0.0, "precision": 1.0, "recall": 0.0}
    assert report["models"][0]["speed"]["batched"]["value"] == pytest.approx(100)
    assert (report["texts"], report["rounds"], report["threads"]) == (2, 4, 1)
    assert report["ratio"] is None and report["verdict"] is None
    assert report["peak_megabytes"] > 1


@pytest.mark.usefixtures("folders")
def test_an_int8_folder_is_blessed_or_refused(plain: Path, labelled: Path) -> None:
    good = run("small", labelled, "--against", "whole")
    assert (good.code, "small is blessed\n" in good.err) == (0, True)
    assert "2.00 (2.00 to 2.00)" in good.out
    unscored = run("small", plain, "--against", "whole")
    assert unscored.code == 0 and "no labels" in unscored.err
    bad = run("small", plain, "--against", "small-but-fp32", "--format", "json")
    assert bad.code == 0
    assert json.loads(bad.out)["verdict"]["blessed"] is True


@pytest.mark.usefixtures("folders")
def test_a_refusal_says_why_and_exits_1(plain: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    even = [Pass(100.0, 80.0, [0.001])] * 2
    monkeypatch.setattr(bench, "alternate", lambda contenders, texts: itertools.repeat(even, 3))
    done = run("small", plain, "--against", "whole")
    assert done.code == 1
    assert "small is not blessed" in done.err
    assert "1.00 times as fast as whole" in done.err
    assert "texts/s in batches" in done.out  # the figures are shown all the same


@pytest.mark.usefixtures("folders")
def test_files_that_cannot_be_measured(tmp_path: Path) -> None:
    empty = tmp_path / "empty.txt"
    empty.write_text("\n\n")
    assert "no texts" in str(run("whole", empty).error)
    broken = tmp_path / "broken.jsonl"
    broken.write_text('{"text": "a"}\n{"text"\n')
    assert "broken.jsonl:2" in str(run("whole", broken).error)
    mixed = tmp_path / "mixed.jsonl"
    mixed.write_text('{"text": "a", "triples": []}\n{"text": "b"}\n')
    assert "mixed.jsonl:2" in str(run("whole", mixed).error)


# -- benchmarks/ --------------------------------------------------------------------------


def test_a_record_can_be_repeated_and_names_no_place(tmp_path: Path) -> None:
    data = tmp_path / "data.jsonl"
    data.write_text("{}\n")
    outcome = Outcome({"rate": 1 / 3, "deep": [{"n": 3, "x": (123456.7,)}]}, [data])
    line = records.record("speed", "zh-1-thread", outcome, Options(data=tmp_path, seed=7))
    assert set(line) == {
        *("benchmark", "case", "date", "quern", "commit", "dirty"),
        *("seed", "data", "machine", "versions", "figures"),
    }
    assert line["figures"] == {"rate": 0.33333, "deep": [{"n": 3, "x": [123460.0]}]}
    assert (line["seed"], len(line["data"])) == (7, 64)
    assert set(line["versions"]) == {"python", "numpy", "onnxruntime", "torch"}
    path = records.append(tmp_path / "results", line)
    records.append(tmp_path / "results", line)
    written = path.read_text()
    assert path.name == "speed.jsonl"
    assert [json.loads(row) for row in written.splitlines()] == [line, line]
    assert str(tmp_path) not in written


def test_outside_a_checkout_there_is_no_commit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert records.revision(tmp_path) == (None, None)
    monkeypatch.setenv("PATH", "")
    assert records.revision(tmp_path) == (None, None)


def test_missing_data_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"pass --data .* triples/duie/dev\.jsonl"):
        sets.triples_path(None, "duie", "dev")
    with pytest.raises(DataError, match=r"triples/duie/dev\.jsonl is missing"):
        sets.triples_path(tmp_path, "duie", "dev")


def test_incomplete_lines_are_read_as_such(tmp_path: Path) -> None:
    path = tmp_path / "train.jsonl"
    marks = ["a-complete", "b-INCOMPLETE", None]
    rows = [{"text": "x", "triples": []} | ({"labels": m} if m else {}) for m in marks]
    path.write_text("\n\n".join(json.dumps(row) for row in rows))
    assert [example.complete for example in sets.examples(path)] == [True, False, True]


def test_the_runner_lists_and_refuses(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert runner.main(["--list"]) == 0
    listed = capsys.readouterr().out
    assert all(name in listed for name in runner.BENCHMARKS)
    for words in (["nope"], ["speed", "--rounds", "1"]):
        with pytest.raises(SystemExit) as stop:
            runner.main(words)
        assert stop.value.code == 2
    words = ["triples_accuracy", "--alone", "--results", str(tmp_path)]
    assert runner.main([*words, "--data", str(tmp_path), "--case", "duie"]) == 1
    assert "triples/duie/train.jsonl is missing" in capsys.readouterr().err
    assert runner.main([*words, "--case", "nope"]) == 1
    assert "it has duie" in capsys.readouterr().err
    assert runner.main([*words, "--model", "x"]) == 1
    assert "--case" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_every_benchmark_has_a_module_and_every_set_a_recipe() -> None:
    for name in runner.BENCHMARKS:
        assert (Path(runner.__file__).parent / f"{name}.py").is_file()
    assert {recipe.of for recipe in triples_accuracy.RECIPES.values()} == set(sets.TRIPLES)


def test_pieces_have_the_length_that_was_asked() -> None:
    assert speed.cut("abcdefghij", 3, 2) == ["abc", "def"]
    assert speed.cut("abcdefghij", 3, 9) == ["abc", "def", "ghi"]
    assert speed.cut("ab", 5, 9) == ["ababa"]


def test_the_language_is_the_vocabularys() -> None:
    assert speed.language_of(TextCodec.fit(["云州下雨了,云州下雨了 the the"])) == "zh"
    assert (
        speed.language_of(TextCodec.fit(["the rain in the 云云 town in town was rain was"])) == "en"
    )


def test_the_encoder_gets_a_token_a_unit_and_two_more() -> None:
    rows = encoder.tokens({"a": 3, "b": 9000}, vocabulary=50, seed=0)
    assert [len(rows["a"]), len(rows["b"])] == [5, encoder.LONGEST]
    inputs = encoder.padded([rows["a"], rows["b"][:7]])
    assert inputs["ids"].shape == inputs["mask"].shape == (2, 7)
    assert inputs["mask"].sum(axis=1).tolist() == [5, 7]


def test_packages_are_weighed_by_their_own_files(tmp_path: Path) -> None:
    for name, size in (("small", 10), ("large", 1000), ("pip", 99)):
        home = tmp_path / f"{name}-1.dist-info"
        home.mkdir()
        (tmp_path / f"{name}.py").write_bytes(b"x" * size)
        (home / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1\n")
        (home / "RECORD").write_text(f"{name}.py,,\n{name}-1.dist-info/gone,,\n")
    assert list(footprint.package_sizes(tmp_path).items()) == [("large", 1e-3), ("small", 1e-5)]


def test_every_recipe_is_a_plan() -> None:
    pytest.importorskip("torch")
    from benchmarks import training_speed
    from quern.train.settings import plan

    recipes = [recipe[1:3] for recipe in triples_accuracy.RECIPES.values()]
    for preset, words in (*recipes, training_speed.QUICK):
        plan(preset, [*words, "seed=1"])


def test_generated_examples_have_64_units_and_lose_no_label() -> None:
    pytest.importorskip("torch")
    from benchmarks.training_speed import UNITS, generated
    from quern.alignment import align

    examples = generated(30, seed=1)
    assert examples == generated(30, seed=1) != generated(30, seed=2)
    codec = TextCodec.fit(example.text for example in examples)
    for example in examples:
        encoding = codec.encode(example.text)
        placed, problems = align(example, encoding, codec)
        assert encoding.length == UNITS
        assert placed and not problems


def test_what_a_training_reports_becomes_figures() -> None:
    pytest.importorskip("torch")
    from benchmarks.training import Watch
    from quern.train.loop import Epoch

    watch = Watch()
    assert watch.figures()["examples_per_second"] is None
    for epoch, (score, best) in enumerate([(0.1, True), (0.5, True), (0.4, False)]):
        watch(Epoch(0, epoch, {}, {"f1": score}, best, seconds=2.0, items=100))
    figures = watch.figures()
    assert figures["examples_per_second"] == 50
    assert (figures["epochs"], figures["best_epoch"]) == (3, 2)
    assert [score for _, score in figures["course"]] == [0.1, 0.5, 0.4]
    assert figures["seconds_to_best"] > 0
