from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

import quern.cli.evaluate as verb
import quern.cli.evaluate_triples as of_triples
from fake_model import fake_model
from quern.calibration import PlattScaling
from quern.data import data_hash
from quern.errors import DataError, FolderError

LINES = [
    {"text": "Ann runs Mill .", "triples": [["Ann", "runs", "Mill"]]},
    {"text": "Bob runs 磨坊 .", "triples": [["Bob", "runs", "磨坊"], ["Bob", "来自", "Ely"]]},
    {"text": "Carl met Mill .", "triples": []},
]
SURE = (0.9, 0.9)
MODEL = fake_model(
    [str(line["text"]) for line in LINES],
    {"ann": SURE, "bob": SURE, "carl": (0.6, 0.6)},
    {("runs", "mill"): SURE, ("runs", "磨"): (0.7, 0.0), ("runs", "坊"): (0.0, 0.8)},
)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return write(tmp_path / "test.jsonl", LINES)


def write(path: Path, lines: list[dict[str, object]]) -> Path:
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), "utf-8")
    return path


def run(*args: str | Path, trained_on: str | None = None) -> Result:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(verb, "_of_other_task", lambda model: None)
        patch.setattr(of_triples, "_open", lambda model: (MODEL, trained_on))
        return CliRunner().invoke(verb.command, ["a-model", *map(str, args)])


TABLES = """\
3 texts, compared by words; a fact counts once a text.
1 label on 1 line can be found by no model and counted as missed: 1 not in the text.
1 label of predicates unknown to the model: 来自.

 lines   wanted   given   right   precision   recall      F1
 ───────────────────────────────────────────────────────────
 all          3       3       2       0.667    0.667   0.667

95 % intervals over texts: precision 0.000 – 1.000, recall 0.500 – 1.000, F1 0.000 – 1.000

 predicate        wanted   given   right   precision   recall      F1
 ────────────────────────────────────────────────────────────────────
 runs                  2       3       2       0.667    1.000   0.800
 来自 (unknown)        1       0       0           –    0.000   0.000


 least score   wanted   given   right   precision   recall      F1
 ─────────────────────────────────────────────────────────────────
 0.0                3       3       2       0.667    0.667   0.667
 0.1                3       3       2       0.667    0.667   0.667
 0.2                3       3       2       0.667    0.667   0.667
 0.3                3       3       2       0.667    0.667   0.667
 0.4                3       3       2       0.667    0.667   0.667
 0.5                3       3       2       0.667    0.667   0.667
 0.6                3       2       2       1.000    0.667   0.800
 0.7                3       1       1       1.000    0.333   0.500
 0.8                3       1       1       1.000    0.333   0.500
 0.9                3       0       0           –    0.000   0.000


 recall ≥   least score   given   right   precision   recall      F1
 ───────────────────────────────────────────────────────────────────
 0.5               0.62       2       2       1.000    0.667   0.800
 0.7                  –       –       –           –        –       –
 0.9                  –       –       –           –        –       –


 score       given   mean score   share right
 ────────────────────────────────────────────
 0.5 – 0.6       1        0.540         0.000
 0.6 – 0.7       1        0.630         1.000
 0.8 – 0.9       1        0.810         1.000

expected calibration error 0.367
"""


def test_the_tables(data: Path) -> None:
    result = run(data)
    assert result.exit_code == 0, result.output
    assert result.stderr == ""
    assert [line.rstrip() for line in result.stdout.splitlines()] == TABLES.splitlines()


def test_json_is_what_the_page_documents(data: Path) -> None:
    result = run(data, "--format", "json")
    record = json.loads(result.stdout)
    assert list(record) == [
        *("model", "data", "data_sha256", "format", "quern", "comparison", "lines", "left_out"),
        *("unjudged", "overall", "interval", "complete", "incomplete", "predicates", "curve"),
        *("at_recall", "target", "calibration", "unreachable"),
    ]
    assert record["model"] == "a-model"
    assert record["data_sha256"] == data_hash(data)
    assert record["overall"]["f1"] == pytest.approx(4 / 6)
    assert record["unreachable"] == {"lines": 1, "labels": 1, "reasons": {"absent": 1}}
    assert run(data, "--format", "json", "--threads", "2").stdout == result.stdout


def test_a_target_precision_names_its_least_score(data: Path) -> None:
    result = run(data, "--target-precision", "0.95")
    assert result.exit_code == 0
    lines = [line.split() for line in result.stdout.splitlines()]
    assert ["0.95", "0.62", "2", "2", "1.000", "0.667", "0.800"] in lines
    record = json.loads(run(data, "--target-precision", "0.95", "--format", "json").stdout)
    assert (record["target"]["goal"], record["target"]["min_score"]) == (0.95, 0.62)
    assert record["target"]["figures"]["recall"] == pytest.approx(2 / 3)


def test_a_target_out_of_reach_is_said_after_the_answer(data: Path, tmp_path: Path) -> None:
    wrong = write(tmp_path / "wrong.jsonl", [LINES[0], LINES[2], {**LINES[0], "triples": []}])
    result = run(wrong, "--target-precision", "0.95")
    assert isinstance(result.exception, DataError)
    assert str(result.exception) == (
        f"{wrong}: no least score reaches a precision of 0.95; the best is 0.500. "
        "Ask for less, or train on more labels"
    )
    assert "precision ≥" in result.stdout
    nothing = write(tmp_path / "nothing.jsonl", [{"text": "Nobody .", "triples": []}])
    result = run(nothing, "--target-precision", "0.95", "--format", "json")
    assert "none, as nothing was given" in str(result.exception)
    assert json.loads(result.stdout)["target"]["min_score"] is None
    assert run(data, "--target-precision", "0").exit_code == 2


def test_calibrated_scores_say_what_they_were(data: Path) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(MODEL, "calibration", PlattScaling(1.0, 2.0))
        result = run(data)
    assert result.exit_code == 0, result.output
    assert result.stdout.rstrip().endswith("(0.367 before calibration)")


def test_the_page_of_fields_names_every_field(data: Path) -> None:
    page = Path(__file__).parent.parent / "docs" / "evaluation.md"
    record = json.loads(run(data, "--format", "json").stdout)
    text = page.read_text("utf-8")

    def names(value: object) -> set[str]:
        if isinstance(value, dict):
            return set(value).union(*map(names, value.values()))
        return set().union(*map(names, value)) if isinstance(value, list) else set()

    assert [name for name in sorted(names(record)) if f"`{name}`" not in text] == []


def test_the_report_is_written_and_said_so(data: Path, tmp_path: Path) -> None:
    page = tmp_path / "errors.html"
    result = run(data, "--report", page, "--errors", "1")
    assert result.exit_code == 0
    assert result.stderr == f"{page}: written\n"
    html = page.read_text("utf-8")
    assert "<h1>a-model on test.jsonl</h1>" in html
    assert "1 of 2 texts with errors; 1 left out" in html


def test_a_report_into_no_folder_is_refused_before_the_work(data: Path, tmp_path: Path) -> None:
    result = run(data, "--report", tmp_path / "nowhere" / "errors.html")
    assert result.exit_code == 2
    assert "no such folder" in result.stderr


def test_data_that_the_model_was_trained_on_is_named(data: Path) -> None:
    result = run(data, trained_on=data_hash(data))
    assert result.stderr == (
        f"{data}: the model was trained on this very file; on new texts expect less\n"
    )


def test_strict(data: Path, tmp_path: Path) -> None:
    assert isinstance(run(data, "--strict").exception, DataError)
    fact = {"subject": "Ann", "subject_start": 0, "predicate": "runs", "object": "Mill"}
    lines = [*LINES, {"text": "Ann runs Mill .", "triples": [{**fact, "object_start": 9}]}]
    result = run(write(tmp_path / "placed.jsonl", lines), "--strict", "--format", "json")
    record = json.loads(result.stdout)
    assert record["comparison"] == {"places": True, "types": False}
    assert (record["lines"], record["left_out"]) == (2, 2)
    assert record["overall"]["right"] == 1


def test_no_model_of_that_name(data: Path) -> None:
    result = CliRunner().invoke(verb.command, ["no-such-model", str(data)])
    assert isinstance(result.exception, FolderError)
