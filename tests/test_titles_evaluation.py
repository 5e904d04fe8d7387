"""Figures of proposed titles by hand, and the page of samples."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace

import msgspec
import pytest

from quern.cli.evaluate_tables import Asked
from quern.cli.evaluate_titles import evaluate_titles as evaluate_titles_verb
from quern.data import data_hash
from quern.errors import MissingExtra
from quern.evaluation.figures import bootstrap_mean
from quern.evaluation.title_report import samples, title_report
from quern.evaluation.titles import (
    evaluate_titles,
    judge_titles,
    repeats,
    summarise_titles,
)
from quern.records import Headline, TitleExample
from test_report import Page

EXAMPLES = [
    TitleExample("The tram to the harbour stood still.\nNobody knew why.", "Tram stands still"),
    TitleExample("violins!\n\nWho repairs old violins in town?", "Old violins, repaired", "v", 7),
    TitleExample("The fire brigade was at the theatre twice.", "Fire at the theatre"),
]


def says(*titles: str | None):
    """A model that proposes these titles in turn; None for no proposal."""
    rest = iter(titles)

    def model(texts: Sequence[str]) -> list[list[Headline]]:
        return [[] if (t := next(rest)) is None else [Headline(t, -1.0)] for _ in texts]

    return model


def test_given_titles_are_perfect() -> None:
    found = evaluate_titles(says(*(e.title for e in EXAMPLES)), EXAMPLES)
    assert (found.rouge1, found.rouge2, found.rouge_l) == (1, 1, 1)
    assert found.bleu == pytest.approx(1)
    assert found.rouge_l_interval == (1, 1)
    assert found.proposed == found.given
    assert found.texts == 3


def test_figures_by_hand() -> None:
    judged = judge_titles(says("TRAM still stands", "violins", None), EXAMPLES)
    one, two, three = judged
    # tram, still, stands: all three words; no pair of "tram stands still"; "tram still" in order.
    assert (one.rouge.rouge1, one.rouge.rouge2) == (1, 0)
    assert one.rouge.rouge_l == pytest.approx(2 / 3)
    # One of one word, one of three: 2 · 1 · (1/3) / (4/3).
    assert two.rouge.rouge1 == two.rouge.rouge_l == pytest.approx(1 / 2)
    assert (three.title, three.score, three.rouge.rouge1) == ("", None, 0)
    found = summarise_titles(judged)
    assert found.rouge1 == pytest.approx(1 / 2)
    assert found.rouge_l == pytest.approx((2 / 3 + 1 / 2) / 3)
    assert found.proposed.empty == 1
    assert found.proposed.words == pytest.approx(4 / 3)
    assert found.proposed.novel == pytest.approx(1 / 4)  # "stands"
    assert found.proposed.first_line == pytest.approx(1 / 3)  # "violins!"
    assert found.given.novel == pytest.approx(2 / 10)  # "stands", "repaired"
    assert found.given.first_line == 0


def test_what_comes_again_is_counted() -> None:
    titles = ("a b a b", "a b c d a b c", "a a b a")
    found = evaluate_titles(says(*titles), EXAMPLES).proposed
    assert found.repeated_bigrams == pytest.approx(2 / 3)
    assert found.repeated_trigrams == pytest.approx(1 / 3)
    assert not repeats([], 2)
    assert repeats("xxx", 2)


def test_chinese_is_cut_into_characters() -> None:
    examples = [TitleExample("港口的电车停运了。没有人知道原因。", "电车停运原因不明")]
    found = evaluate_titles(says("电车停运"), examples)
    assert found.rouge1 == found.rouge_l == pytest.approx(2 / 3)  # 4 of 4 and of 8
    assert found.rouge2 == pytest.approx(2 * 1 * (3 / 7) / (1 + 3 / 7))
    assert found.proposed.words == 4
    assert "tok:zh" in found.bleu_signature
    assert 0 < found.bleu < 1
    english = evaluate_titles(says(*[e.title for e in EXAMPLES]), EXAMPLES)
    assert "tok:13a" in english.bleu_signature


def test_nothing_to_judge_gives_no_figure_of_nothing() -> None:
    found = evaluate_titles(says(), [])
    assert (found.texts, found.rouge_l, found.rouge_l_interval) == (0, 0, None)
    assert found.proposed.novel is None


def test_the_interval_holds_the_mean_and_goes_by_the_seed() -> None:
    values = [0.0, 0.2, 0.3, 0.9, 1.0] * 10
    low, high = bootstrap_mean(values)
    assert low < sum(values) / len(values) < high
    assert bootstrap_mean(values) == (low, high) != bootstrap_mean(values, seed=1)
    wide = bootstrap_mean(values[:5])
    assert wide[1] - wide[0] > high - low
    assert bootstrap_mean([]) is None


@pytest.mark.parametrize("missing", ["rouge_score.rouge_scorer", "sacrebleu.metrics.bleu"])
def test_without_the_extra_it_says_so(missing: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, missing, None)
    with pytest.raises(MissingExtra, match=r"pip install 'quern\[evaluate\]'"):
        evaluate_titles(says(), EXAMPLES)  # and the model was not asked


# -- the page and the verb ------------------------------------------------------------------

ODD = [
    TitleExample("<b>The tram</b> stood still.", "Tram </p><script>", "<id>", 3),
    *[TitleExample(f"Car {n} stood still.", f"Car {n}", None, n) for n in range(4, 40)],
]
PROPOSED = ["tram & violins <script>", *[f"Car {n} stood" for n in range(4, 39)], None]


def test_the_page_holds_a_seeded_sample() -> None:
    judged = judge_titles(says(*PROPOSED), ODD)
    figures = summarise_titles(judged)
    whole = title_report(figures, judged, "ours <on> theirs")
    assert whole.count("<article>") == 37
    assert whole == title_report(figures, judged, "ours <on> theirs")
    few = title_report(figures, judged, "t", limit=5, seed=1)
    assert few.count("<article>") == 5
    assert "5 of 37 documents, drawn by chance (seed 1)" in few
    assert few != title_report(figures, judged, "t", limit=5, seed=2)
    lines = [each.example.line for each in samples(judged, 5, 1)]
    assert lines == sorted(set(lines))
    assert samples(judged, 0, 1) == []


def test_the_page_escapes_everything_and_marks_words() -> None:
    judged = judge_titles(says(*PROPOSED), ODD)
    whole = title_report(summarise_titles(judged), judged, "a <b> title")
    page = Page(whole)
    assert [tag for tag, _ in page.tags].count("script") == 1  # the page's own
    assert page.texts[0] == ODD[0].body
    marks = {(data, classes) for data, classes in page.pieces if classes}
    assert ("tram", frozenset({"right"})) in marks
    assert ("violins", frozenset({"missed"})) in marks
    assert ("script", frozenset({"right", "missed"})) in marks
    assert ("stood", frozenset({"right"})) not in marks
    assert '<span class="soft">none</span>' in whole
    assert "line 3 · id &lt;id&gt; · ROUGE-1 " in whole
    assert "log probability of a token -1.00" in whole


def test_the_verb_tells_the_same(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = tmp_path / "test.jsonl"
    rows = [{"body": e.body, "title": e.title} for e in EXAMPLES]
    data.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    manifest = SimpleNamespace(data=data_hash(data))
    folder = SimpleNamespace(path=tmp_path / "model", manifest=manifest)
    titles = ("TRAM still stands", "violins", None)
    asked = Asked(data, None, tmp_path / "page.html", 2, None, "json", 1)
    evaluate_titles_verb(folder, says(*titles), asked)
    out, err = capsys.readouterr()
    told = json.loads(out)
    assert told["rouge1"] == pytest.approx(1 / 2)
    assert told["proposed"]["empty"] == 1
    assert told["data"] == manifest.data
    assert "the model was trained on this very file" in err
    assert (tmp_path / "page.html").read_text("utf-8").count("<article>") == 2
    evaluate_titles_verb(folder, says(*titles), msgspec.structs.replace(asked, form="table"))
    out = capsys.readouterr().out
    assert re.search(r"ROUGE-1 +0\.500", out)
    assert re.search(r"titles without a word +1 +0\n", out)
