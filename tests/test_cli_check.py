"""``quern check``: the page, the JSON object, and the exit status."""

from __future__ import annotations

import gzip
import io
import json
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner, Result

import quern.cli.check as check
import quern.cli.checked as checked
from quern.cli import main
from quern.data import scan_triples
from quern.doctor import Report, examine

TRAIN = """\
{"text": "Ada Moor owns the mill.", "triples": [["Ada Moor", "owns", "mill"]]}
{"text": "Ada likes the lake.", "triples": [["Ada", "likes", "pond"]]}

{"text": "岳明和岳明的妹妹岳青。", "triples": [["岳明", "妹妹", "岳青"]]}
{"text": "Bea"}
"""
DEV = """\
{"text": "Bea owns the lake.", "triples": [
 {"subject": "Bea", "subject_type": "person", "predicate": "owns", "object": "lake"}]}
{"text": "Ada Moor owns the mill.", "triples": [["Ada Moor", "owns", "mill"]], "complete": false}
""".replace("[\n ", "[")
SOUND = '{"text": "Ada owns the mill.", "triples": [["Ada", "owns", "mill"]]}\n'


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    Path("train.jsonl").write_text(TRAIN, encoding="utf-8")
    Path("dev.jsonl").write_text(DEV, encoding="utf-8")
    Path("sound.jsonl").write_text(SOUND, encoding="utf-8")
    return tmp_path


def run(*words: str) -> Result:
    return CliRunner().invoke(check.command, ["triples", *words])


def lines(text: str) -> list[str]:
    """Lines with anything on them, without the white space that tables leave at their ends."""
    return [line.rstrip() for line in text.splitlines() if line.strip()]


PAGE = """\
train: train.jsonl
dev:   dev.jsonl
                                       train         dev
 ───────────────────────────────────────────────────────
 lines                                     4           2
 lines that cannot be read                 1           0
 texts                                     3           2
 texts without triples                     0           0
 texts with incomplete labels              0           1
 texts with some predicates only           0           0
 triples                                   3           2
 labels lost                               1           0
 labels placed by guess                    1           0
 units of a text, median                   6           5
 units of a text, most                    11           6
 texts in several windows          0 (0.0 %)   0 (0.0 %)
 units behind a first window           0.0 %       0.0 %
 best F1 within reach                 80.0 %     100.0 %
 best precision                      100.0 %     100.0 %
 best recall                          66.7 %     100.0 %
 best F1 with pairing=nearest         80.0 %     100.0 %
of dev in train as well: 1 text(s), 1 triple(s) (50.0 %)
train: units of a text (a window holds 256)
   1–8  ████████████████████████████████████████ 2
  9–12  ████████████████████ 1
dev: units of a text (a window holds 256)
  1–8  ████████████████████████████████████████ 2
 predicate   train   dev
 ─────────────────────────────────────────
 owns            1     2   few
 likes           1     0   few, not in dev
 妹妹            1     0   few, not in dev
 predicate   subject type   object type   train   dev
 ────────────────────────────────────────────────────
 owns        –              –                 1     1
 owns        person         –                 0     1
STOP train.jsonl: lines that cannot be read: 1
  train.jsonl:5: Object missing required field `triples`
  → mend them; docs/data.md shows the forms that a line can have
STOP train.jsonl: labels that do not stand in their text: 1
  train.jsonl:2: 'pond' (likes) does not stand in the text
  → write both ends as the text has them; or train without them: --allow absent
note train.jsonl: labels placed by guess: a string stands more than once and has no offset: 1
  train.jsonl:4: '岳明' (妹妹) occurs 2 times and has no offset
  → give subject_start/object_start to say which place is meant; without them the two places \
nearest to each other are taken
note train.jsonl: predicates with few examples: 3
  'owns': 1
  'likes': 1
  '妹妹': 1
  → label more texts with them, or join them with a predicate that says much the same
note train.jsonl: predicates that dev does not have: 2
  'likes': 1 in train, 0 in dev
  '妹妹': 1 in train, 0 in dev
  → move some of their lines to dev: no score says how well they are found
note dev.jsonl: dev texts that stand in train as well: 1
  dev.jsonl:2: train line 1
  → take them out of one of the two: a score on texts already seen is too high
Training would refuse this data. train: lines that cannot be read: 1; \
train: labels that do not stand in their text: 1
"""


def test_the_page() -> None:
    result = run("train.jsonl", "--dev", "dev.jsonl", "--few", "2")
    assert lines(result.stdout) == PAGE.splitlines()
    assert result.stderr == ""
    assert result.exit_code == 1


def test_sound_data_ends_with_0() -> None:
    result = run("sound.jsonl", "--few", "1")
    assert result.exit_code == 0
    assert "STOP" not in result.stdout
    assert "note" not in result.stdout
    assert lines(result.stdout)[-1] == "Training would take this data as it is."


def test_notes_alone_end_with_0() -> None:
    result = run("sound.jsonl", "--few", "2")
    assert "note sound.jsonl: predicates with few examples: 1" in lines(result.stdout)
    assert result.exit_code == 0


@pytest.mark.parametrize("form", ["text", "json"])
@pytest.mark.parametrize(
    ("words", "status"),
    [
        (["train.jsonl"], 1),  # a bad line and a lost label
        (["dev.jsonl"], 0),
        (["sound.jsonl", "--dev", "lost.jsonl"], 0),  # dev only counts
        (["lost.jsonl"], 1),
        (["sound.jsonl", "--dev", "bad.jsonl"], 1),
        (["empty.jsonl"], 1),
        (["sound.jsonl", "--dev", "empty.jsonl"], 1),
    ],
    ids=str,
)
def test_the_exit_status_says_whether_training_takes_it(
    words: list[str], status: int, form: str
) -> None:
    Path("lost.jsonl").write_text(TRAIN.splitlines()[1], encoding="utf-8")
    Path("bad.jsonl").write_text(SOUND + "{}", encoding="utf-8")
    Path("empty.jsonl").write_text("\n")
    assert run(*words, "--format", form).exit_code == status


def test_the_json_object_is_the_report() -> None:
    result = run("train.jsonl", "--dev", "dev.jsonl", "--format", "json", "--few", "3")
    wanted = examine(scan_triples(Path("train.jsonl")), scan_triples(Path("dev.jsonl")), few=3)
    assert msgspec.json.decode(result.stdout, type=Report) == wanted
    assert result.exit_code == 1


def test_the_json_object_is_found_under_these_names() -> None:
    found = json.loads(run("train.jsonl", "--format", "json").stdout)
    assert found["accepted"] is False
    assert found["train"]["lost"] == 1
    assert found["dev"] is None
    assert found["findings"][1] == {
        "kind": "absent",
        "file": "train",
        "stops": True,
        "count": 1,
        "what": "labels that do not stand in their text",
        "next_step": "write both ends as the text has them; or train without them: --allow absent",
        "places": [{"line": 2, "detail": "'pond' (likes) does not stand in the text"}],
    }


def test_ten_cases_are_listed_or_all() -> None:
    Path("odd.jsonl").write_text("{}\n" * 12)
    short, whole = run("odd.jsonl").stdout, run("odd.jsonl", "--all").stdout
    assert "  odd.jsonl:10: Object missing required field `text`\n" in short
    assert "odd.jsonl:11:" not in short
    assert "\n  … and 2 more (--all lists them)\n  → mend them" in short
    assert "  odd.jsonl:12: Object missing required field `text`\n  → mend them" in whole
    assert "more (--all" not in whole


def test_ten_cases_are_in_the_json_object_or_all() -> None:
    Path("odd.jsonl").write_text("{}\n" * 12)
    for words, listed in (([], 10), (["--all"], 12)):
        finding = json.loads(run("odd.jsonl", "--format", "json", *words).stdout)["findings"][0]
        assert (finding["count"], len(finding["places"])) == (12, listed)


def _many(file: str, types: Iterable[str]) -> None:
    rows = [
        {
            "text": f"Ada owns mill {n}.",
            "triples": [
                {"subject": "Ada", "predicate": f"p{n}", "object": "mill", "object_type": t}
                for t in types
            ],
        }
        for n in range(26)
    ]
    Path(file).write_text("\n".join(map(json.dumps, rows)))


def test_twenty_five_predicates_are_listed_or_all() -> None:
    _many("many.jsonl", ["a"])
    short, whole = run("many.jsonl", "--few", "0"), run("many.jsonl", "--few", "0", "--all")
    assert "… and 1 predicates more (--all lists them)" in lines(short.stdout)
    assert sum(line.startswith(" p") for line in lines(short.stdout)) == 1 + 25
    assert sum(line.startswith(" p") for line in lines(whole.stdout)) == 1 + 26


def test_twenty_five_pairs_of_types_are_listed_or_all() -> None:
    _many("many.jsonl", ["a", "b"])
    short, whole = run("many.jsonl", "--few", "0"), run("many.jsonl", "--few", "0", "--all")
    assert "… and 27 pairs more (--all lists them)" in lines(short.stdout)
    assert sum(line.startswith(" p") for line in lines(short.stdout)) == 2 + 25 + 25
    assert sum(line.startswith(" p") for line in lines(whole.stdout)) == 2 + 26 + 52


def test_windows_are_cut_as_asked() -> None:
    Path("long.jsonl").write_text(
        json.dumps({"text": "Ada " + "a " * 30 + "mill", "triples": [["Ada", "owns", "mill"]]})
    )
    assert run("long.jsonl").exit_code == 0
    result = run("long.jsonl", "--window", "16", "--overlap", "4")
    assert result.exit_code == 1
    text = lines(result.stdout)
    words = [line.split() for line in text]
    assert ["texts", "in", "several", "windows", "1", "(100.0", "%)"] in words
    assert ["units", "behind", "a", "first", "window", "50.0", "%"] in words
    assert "train: units of a text (a window holds 16)" in text
    assert (
        "  long.jsonl:1: the ends of 'owns' stretch over 32 units, and no window holds them all"
        in text
    )
    assert run("long.jsonl", "--window", "32", "--overlap", "31").exit_code == 0


def test_a_gzipped_file_is_read() -> None:
    with gzip.open("train.jsonl.gz", "wb") as stream:
        stream.write(TRAIN.encode())
    packed, plain = run("train.jsonl.gz").stdout, run("train.jsonl").stdout
    assert packed.replace("train.jsonl.gz", "train.jsonl") == plain


@pytest.mark.parametrize(
    ("share", "told"),
    [
        (0.0, "0.0 %"),
        (0.0004, "< 0.1 %"),
        (0.001, "0.1 %"),
        (0.5, "50.0 %"),
        (0.9994, "99.9 %"),
        (0.9996, "> 99.9 %"),
        (1.0, "100.0 %"),
    ],
)
def test_a_share_that_is_not_all_is_not_told_as_all(share: float, told: str) -> None:
    assert checked.percent(share) == told


@pytest.mark.parametrize(
    ("share", "bar"), [(0.0, ""), (0.0001, "▏"), (0.0125, "▌"), (0.025, "█"), (1.0, "█" * 40)]
)
def test_a_bar_is_as_long_as_its_share(share: float, bar: str) -> None:
    assert checked._bar(share) == bar


# -- called wrongly ----------------------------------------------------------------------------

WRONG = [
    ([], "Missing argument 'TRAIN'."),
    (
        ["sound.jsonl", "--window", "8", "--overlap", "8"],
        "Invalid value for '--overlap': 8 is not less than --window (8)",
    ),
    (["sound.jsonl", "--window", "0"], "Invalid value for '--window': 0 is not in the range x>=1."),
    (["sound.jsonl", "--few", "-1"], "Invalid value for '--few': -1 is not in the range x>=0."),
    (
        ["sound.jsonl", "--format", "xml"],
        "Invalid value for '--format': 'xml' is not one of 'text', 'json'.",
    ),
]


@pytest.mark.parametrize(("words", "message"), WRONG, ids=lambda value: str(value)[:40])
def test_a_wrong_call_ends_with_2(words: list[str], message: str) -> None:
    result = run(*words)
    assert result.exit_code == 2
    assert result.stdout == ""
    assert f"Error: {message}" in result.stderr


@pytest.mark.parametrize("words", [["no.jsonl"], ["sound.jsonl", "--dev", "no.jsonl"]])
def test_a_missing_file_is_one_message(
    words: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["quern", "check", "triples", *words])
    with pytest.raises(SystemExit) as stopped:
        main()
    assert stopped.value.code == 1
    out, err = capsys.readouterr()
    assert (out, err) == ("", "quern: no.jsonl: cannot be read: No such file or directory\n")


# -- progress ------------------------------------------------------------------------------------


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_terminal_is_shown_progress_over_the_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def counted(items: Iterable[object], *about: object) -> Iterator[object]:
        asked.append(about)
        yield from items

    monkeypatch.setattr(checked, "counted", counted)
    assert len(list(checked.rows(scan_triples, Path("train.jsonl")))) == 4
    monkeypatch.setattr(sys, "stderr", _Terminal())
    assert len(list(checked.rows(scan_triples, Path("train.jsonl")))) == 4
    assert asked == [
        ("checking train.jsonl", None, "lines"),
        ("checking train.jsonl", 4, "lines"),
    ]
