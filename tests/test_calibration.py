"""Scores that mean the share that is right: the line, the fit, the folder, the model."""

from __future__ import annotations

import random
import shutil
from itertools import pairwise
from pathlib import Path

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fake_model import fake_model
from quern.calibration import PlattScaling
from quern.errors import FolderError
from quern.evaluation import Comparison, fit_scaling, judge, recalibrate, summarise
from quern.evaluation.summary import calibration
from quern.folder import MANIFEST, ModelFolder, write_json
from quern.records import LabelledTriple, TripleExample
from quern.shipped import find
from quern.tasks import load
from quern.triples import TripleModel

SCORES = st.floats(0, 1)
SCALINGS = st.builds(PlattScaling, st.floats(0.1, 10), st.floats(-50, 50))

# -- the line ----------------------------------------------------------------------------------


@given(SCALINGS, st.lists(SCORES, min_size=2))
def test_order_is_kept_and_scores_stay_shares(scaling: PlattScaling, scores: list[float]) -> None:
    found = [scaling(score) for score in sorted(scores)]
    assert all(0 <= score <= 1 for score in found)
    assert all(one <= other + 1e-12 for one, other in pairwise(found))


@given(SCORES)
def test_the_identity_leaves_scores_as_they_are(score: float) -> None:
    assert PlattScaling()(score) == pytest.approx(score, abs=2.0**-22)


@given(st.floats(0.2, 4), st.floats(-2, 2), st.floats(0.05, 0.95))
def test_the_inverse_leads_back(slope: float, offset: float, score: float) -> None:
    scaling = PlattScaling(slope, offset)
    assert scaling.inverse(scaling(score)) == pytest.approx(score, abs=1e-6)


@pytest.mark.parametrize("bad", [(0.0, 0.0), (-1.0, 0.0), (float("inf"), 0.0), (1.0, float("nan"))])
def test_a_line_that_does_not_rise_is_refused(bad: tuple[float, float]) -> None:
    with pytest.raises(ValueError, match="slope above 0"):
        PlattScaling(*bad)


# -- the fit -----------------------------------------------------------------------------------


@given(st.lists(st.tuples(SCORES, st.booleans()), max_size=40))
def test_any_facts_give_a_rising_line(rows: list[tuple[float, bool]]) -> None:
    fitted = PlattScaling.fit([score for score, _ in rows], [right for _, right in rows])
    assert 0.1 <= fitted.slope <= 10
    assert np.isfinite(fitted.offset)


@given(st.lists(st.tuples(SCORES, st.booleans()), min_size=1, max_size=40), st.randoms())
def test_the_order_of_facts_says_nothing(
    rows: list[tuple[float, bool]], random: random.Random
) -> None:
    mixed = random.sample(rows, len(rows))
    one, other = (PlattScaling.fit(*map(list, zip(*some, strict=True))) for some in (rows, mixed))
    assert one.slope == pytest.approx(other.slope, rel=1e-3, abs=1e-3)
    assert one.offset == pytest.approx(other.offset, rel=1e-3, abs=1e-3)


def test_no_facts_give_the_identity() -> None:
    assert PlattScaling.fit([], []) == PlattScaling()


def test_a_fit_finds_the_line_that_was_drawn() -> None:
    rng = np.random.default_rng(1)
    true = PlattScaling(0.6, -0.4)
    scores = rng.beta(3, 1, 20_000).tolist()
    right = [bool(rng.random() < true(score)) for score in scores]
    fitted = PlattScaling.fit(scores, right)
    assert fitted.slope == pytest.approx(true.slope, abs=0.05)
    assert fitted.offset == pytest.approx(true.offset, abs=0.08)


@given(st.lists(SCORES, min_size=30, max_size=60), st.integers(0, 9))
def test_the_mean_score_becomes_the_share_that_is_right(scores: list[float], seed: int) -> None:
    rng = random.Random(seed)
    right = [rng.random() < 0.5 for _ in scores]
    fitted = PlattScaling.fit(scores, right)
    mean = sum(map(fitted, scores)) / len(scores)
    assert mean == pytest.approx(sum(right) / len(right), abs=2 / len(scores) + 0.01)


def test_scores_that_rank_the_wrong_way_are_flattened_not_turned() -> None:
    fitted = PlattScaling.fit([0.1] * 30 + [0.9] * 30, [True] * 30 + [False] * 30)
    assert fitted.slope == 0.1
    assert fitted(0.1) < fitted(0.9)


# -- a model that boasts ------------------------------------------------------------------------

NAMES = [f"n{chr(97 + i)}" for i in range(20)]


def boaster() -> TripleModel:
    """Gives every fact a score above 0.5; half of the best are right, a tenth of the worst."""
    marks = dict.fromkeys(NAMES, (1.0, 1.0))
    objects = {("runs", n): ((p := 0.55 + 0.02 * i), p) for i, n in enumerate(NAMES)}
    return fake_model([" ".join([*NAMES, "."])], marks, objects)


def labelled(count: int, complete: bool = True, seed: int = 3) -> list[TripleExample]:
    rng = random.Random(seed)
    examples = []
    for line in range(count):
        i = rng.randrange(len(NAMES))
        name = NAMES[i]
        share = 0.1 + 0.4 * i / len(NAMES)
        label = (LabelledTriple(name, "runs", name),) if rng.random() < share else ()
        examples.append(TripleExample(f"{name} .", label, complete, line=line))
    return examples


def test_a_fit_helps_on_texts_it_has_not_seen() -> None:
    model, new = boaster(), labelled(600, seed=4)
    fitted = fit_scaling(model, labelled(600))
    assert fitted.scaling is not None
    assert fitted.before is not None
    assert fitted.after is not None
    assert (fitted.facts, fitted.before > 0.3, fitted.after < 0.1) == (600, True, True)
    model.calibration = fitted.scaling
    judged = list(judge(model, new))
    record = summarise(judged, Comparison(), frozenset({"runs"}), scaling=fitted.scaling)
    assert record.calibration is not None
    assert record.calibration.raw_error is not None
    assert record.calibration.error < 0.1 < 0.3 < record.calibration.raw_error
    model.calibration = None
    raw = calibration([fact for text in judge(model, new) for fact in text.facts], "complete")
    assert raw is not None
    assert record.calibration.raw_error == pytest.approx(raw.error, abs=1e-3)


def test_a_fit_starts_from_raw_scores() -> None:
    model = boaster()
    first = fit_scaling(model, labelled(200))
    model.calibration = PlattScaling(0.3, 2.0)
    assert fit_scaling(model, labelled(200)) == first
    assert model.calibration == PlattScaling(0.3, 2.0)


def test_incomplete_lines_are_left_out_where_there_are_others() -> None:
    complete, incomplete = labelled(200), labelled(300, complete=False, seed=9)
    alone, mixed = (fit_scaling(boaster(), some) for some in (complete, complete + incomplete))
    assert alone == mixed
    assert fit_scaling(boaster(), incomplete).facts == 300


def test_too_few_facts_leave_scores_alone() -> None:
    fitted = fit_scaling(boaster(), labelled(15))
    assert (fitted.scaling, fitted.facts, fitted.after) == (None, 15, None)
    assert fitted.before is not None
    assert fit_scaling(boaster(), []).before is None


def test_a_fit_that_does_not_help_is_not_kept() -> None:
    label = LabelledTriple("nk", "runs", "nk")  # its score is 0.75
    honest = [TripleExample("nk .", (label,) if i % 4 else ()) for i in range(200)]
    fitted = fit_scaling(boaster(), honest)
    assert fitted.before == pytest.approx(0, abs=1e-6)
    assert fitted.scaling is None


@given(SCALINGS, st.lists(st.sampled_from(NAMES), max_size=5), st.floats(0, 1))
def test_the_model_hands_out_calibrated_scores(
    scaling: PlattScaling, words: list[str], least: float
) -> None:
    model, text = boaster(), " ".join(words)
    (raw,) = model([text])
    model.calibration = scaling
    (found,) = model([text])
    wanted = [msgspec.structs.replace(t, score=scaling(t.score)) for t in raw]
    assert found == wanted
    assert model([text], min_score=least) == [[t for t in wanted if t.score >= least]]


# -- folders -----------------------------------------------------------------------------------

EN = (Path(__file__).parent.parent / "examples" / "en.txt").read_text("utf-8").splitlines()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return Path(shutil.copytree(find("en-triples"), tmp_path / "model"))


def test_a_folder_is_calibrated_and_says_so(folder: Path) -> None:
    model = load(folder)
    model.calibration = None
    (folder / "notes.txt").write_text("mine")
    examples = []
    for i, (text, triples) in enumerate(zip(EN, model(EN), strict=True)):
        facts = sorted({t.key for t in triples})[i % 2 :: 2]  # every other fact is right
        examples.append(TripleExample(text, tuple(LabelledTriple(*key) for key in facts)))
    row = recalibrate(folder, examples * 8)
    after = ModelFolder(folder)
    assert row["after"] < row["before"]
    assert after.metrics()["calibration"] == row
    assert after.metrics()["dev"] == ModelFolder(find("en-triples")).metrics()["dev"]
    assert after.manifest.calibration is not None
    assert f"{row['before']:.3f} before, {row['after']:.3f} after" in (
        folder / "README.md"
    ).read_text("utf-8")
    assert (folder / "notes.txt").read_text() == "mine"
    found = load(folder)(EN)
    raw = [
        [msgspec.structs.replace(t, score=after.manifest.calibration(t.score)) for t in triples]
        for triples in model(EN)
    ]
    assert found == raw
    assert recalibrate(folder, []) == {"facts": 0, "before": None, "after": None}
    assert ModelFolder(folder).manifest.calibration is None


def test_a_bad_calibration_is_refused(folder: Path) -> None:
    raw = msgspec.json.decode((folder / MANIFEST).read_bytes())
    raw["calibration"] = {"slope": -1, "offset": 0}
    write_json(folder / MANIFEST, raw)
    with pytest.raises(FolderError, match="slope above 0"):
        load(folder)


def test_a_folder_without_the_field_opens_as_before(folder: Path) -> None:
    raw = msgspec.json.decode((folder / MANIFEST).read_bytes())
    raw.pop("calibration", None)
    write_json(folder / MANIFEST, raw)
    assert load(folder).calibration is None
