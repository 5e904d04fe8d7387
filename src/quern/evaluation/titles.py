"""How near proposed titles come to given ones, and what they are like."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from quern import __version__
from quern.errors import MissingExtra
from quern.evaluation.figures import FORMAT, Interval, bootstrap_mean
from quern.records import Headline, TitleExample
from quern.text import han_share, words_in

if TYPE_CHECKING:
    from rouge_score.rouge_scorer import RougeScorer
    from sacrebleu.metrics.bleu import BLEU

_LOT = 256  # documents that a model is given at once

# Documents → titles proposed for each, the best first; perhaps none.
Proposes = Callable[[Sequence[str]], Sequence[Sequence[Headline]]]


class Rouge(msgspec.Struct, frozen=True):
    """F1 of what two titles share: words, pairs of words, the longest common subsequence."""

    rouge1: float
    rouge2: float
    rouge_l: float


class JudgedTitle(msgspec.Struct, frozen=True):
    """A document with its given title, and what was proposed.

    Attributes:
        example: the document.
        title: the best proposal, empty where there is none.
        score: that it came with, None where there is none.
        rouge: of the two titles.
    """

    example: TitleExample
    title: str
    score: float | None
    rouge: Rouge


class TitleHabits(msgspec.Struct, frozen=True):
    """What titles are like, beside their documents.

    Attributes:
        empty: titles without a word.
        words: mean number of words.
        novel: share of all words of titles that their documents lack; None without words.
        repeated_bigrams: share of titles in which two words in a row come again.
        repeated_trigrams: the same of three words.
        first_line: share of titles that are the first line of their document, word for word.
    """

    empty: int
    words: float
    novel: float | None
    repeated_bigrams: float
    repeated_trigrams: float
    first_line: float


class TitleFigures(msgspec.Struct, frozen=True):
    """The figures of proposed titles, beside those of the given ones where that says something.

    Words are Han characters, and runs of letters or of digits; case and width are folded, marks
    left out. BLEU alone cuts by the rules of sacrebleu.

    Attributes:
        format: version of this record.
        quern: version that measured.
        texts: how many documents.
        bleu: of the whole, from 0 to 1, a hundredth of what sacrebleu prints.
        bleu_signature: how sacrebleu came to it.
        rouge1: mean F1 of words in common.
        rouge2: of pairs of words in common.
        rouge_l: of the longest common subsequence.
        rouge_l_interval: where the last would lie for other documents of the kind (95 %, by
            bootstrap); None without documents.
        proposed: what the proposed titles are like.
        given: what the given ones are like.
    """

    format: int
    quern: str
    texts: int
    bleu: float
    bleu_signature: str
    rouge1: float
    rouge2: float
    rouge_l: float
    rouge_l_interval: Interval | None
    proposed: TitleHabits
    given: TitleHabits


class _Words:
    """Cuts for the ROUGE library, which asks for an object with this method."""

    def tokenize(self, text: str) -> list[str]:
        return words_in(text)


def evaluate_titles(
    model: Proposes, examples: Sequence[TitleExample], seed: int = 0
) -> TitleFigures:
    """Figures of what a model proposes for documents whose titles are known; see ``judge_titles``.

    Args:
        model: proposes titles.
        examples: documents with their titles.
        seed: of the bootstrap.
    """
    return summarise_titles(judge_titles(model, examples), seed)


def judge_titles(
    model: Proposes,
    examples: Sequence[TitleExample],
    advance: Callable[[int], None] | None = None,
) -> list[JudgedTitle]:
    """Hold the best title that is proposed for each document against the given one.

    Args:
        model: proposes titles.
        examples: documents with their titles.
        advance: told of every lot of documents.

    Raises:
        MissingExtra: the libraries of the extra ``evaluate`` are not installed.
    """
    compare = _rouge()
    judged = []
    for at in range(0, len(examples), _LOT):
        lot = examples[at : at + _LOT]
        for example, found in zip(lot, model([e.body for e in lot]), strict=True):
            title, score = (found[0].text, found[0].score) if found else ("", None)
            judged.append(JudgedTitle(example, title, score, compare(example.title, title)))
        if advance is not None:
            advance(len(lot))
    return judged


def summarise_titles(judged: Sequence[JudgedTitle], seed: int = 0) -> TitleFigures:
    """The figures of judged titles.

    Args:
        judged: by ``judge_titles``.
        seed: of the bootstrap.

    Raises:
        MissingExtra: see ``judge_titles``.
    """
    given, proposed = [j.example.title for j in judged], [j.title for j in judged]
    bleu = _libraries()[1](tokenize="zh" if han_share("\n".join(given)) > 0.5 else "13a")
    rouge = np.array([msgspec.structs.astuple(j.rouge) for j in judged]).reshape(-1, 3)
    one, two, longest = rouge.mean(axis=0).tolist() if judged else (0.0, 0.0, 0.0)
    bodies = [_Body(j.example.body) for j in judged]
    return TitleFigures(
        format=FORMAT,
        quern=__version__,
        texts=len(judged),
        bleu=bleu.corpus_score(proposed, [given]).score / 100 if judged else 0.0,
        bleu_signature=str(bleu.get_signature()) if judged else "",
        rouge1=one,
        rouge2=two,
        rouge_l=longest,
        rouge_l_interval=bootstrap_mean(rouge[:, 2].tolist(), seed=seed),
        proposed=_habits(proposed, bodies),
        given=_habits(given, bodies),
    )


class _Body:
    """The words of a document, and those of its first line that has any."""

    def __init__(self, text: str) -> None:
        self.words = frozenset(words_in(text))
        self.first_line = next(filter(None, map(words_in, text.splitlines())), [])


def _habits(titles: Sequence[str], bodies: Sequence[_Body]) -> TitleHabits:
    cut = [words_in(title) for title in titles]
    count, total = max(1, len(titles)), sum(map(len, cut))
    new = sum(
        word not in body.words for words, body in zip(cut, bodies, strict=True) for word in words
    )
    same = sum(
        bool(words) and words == body.first_line for words, body in zip(cut, bodies, strict=True)
    )
    return TitleHabits(
        empty=sum(not words for words in cut),
        words=total / count,
        novel=new / total if total else None,
        repeated_bigrams=sum(repeats(words, 2) for words in cut) / count,
        repeated_trigrams=sum(repeats(words, 3) for words in cut) / count,
        first_line=same / count,
    )


def repeats(words: Sequence[str], n: int) -> bool:
    """Whether some ``n`` words in a row come again."""
    grams = list(zip(*(words[i:] for i in range(n)), strict=False))
    return len(set(grams)) < len(grams)


def _rouge() -> Callable[[str, str], Rouge]:
    """Compares a given title with a proposed one."""
    scorer = _libraries()[0](["rouge1", "rouge2", "rougeL"], tokenizer=_Words())

    def compare(given: str, proposed: str) -> Rouge:
        found = scorer.score(given, proposed)
        return Rouge(*(float(found[k].fmeasure) for k in ("rouge1", "rouge2", "rougeL")))

    return compare


def _libraries() -> tuple[type[RougeScorer], type[BLEU]]:
    """Both at once, so that what is missing is told before a model reads anything."""
    try:
        from rouge_score.rouge_scorer import RougeScorer
        from sacrebleu.metrics.bleu import BLEU
    except ModuleNotFoundError as error:
        raise MissingExtra("scoring titles", "evaluate") from error
    return RougeScorer, BLEU
