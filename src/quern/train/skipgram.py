"""Word vectors from raw text: skip-gram with negative sampling.

After Mikolov et al., "Distributed Representations of Words and Phrases and their
Compositionality" (2013), as the library gensim trains it.
"""

from __future__ import annotations

import logging
import tempfile
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

import msgspec
import numpy as np
import rjieba
from gensim.models import Word2Vec
from numpy.typing import NDArray

from quern.data import texts_of
from quern.errors import DataError
from quern.text import Tally, frequent, is_han, normalise, sentence_ends, split
from quern.train.word_vectors import WordVectors

_LONGEST = 10_000  # words of a sentence that gensim reads; it would pass over the rest

Advance = Callable[[int], None]


class SkipGram(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How word vectors are trained.

    Attributes:
        dim: components of a vector.
        min_count: a word met less often gets no vector.
        max_words: most words that get one, the most frequent first.
        window: words on either side that a word is to foretell, at most.
        negative: wrong words drawn for each right one.
        sample: share of the text above which a word is left out here and there.
        epochs: how often the text is gone through.
        seed: of the first vectors and all drawing.
        threads: of gensim; only with one do the same texts give the same vectors, since
            several write into one table as it happens.
    """

    dim: int = 64
    min_count: int = 5
    max_words: int = 30_000
    window: int = 5
    negative: int = 5
    sample: float = 1e-4
    epochs: int = 5
    seed: int = 0
    threads: int = 1

    def __post_init__(self) -> None:
        counts = (self.dim, self.min_count, self.max_words, self.window, self.negative)
        if min(*counts, self.epochs, self.threads) < 1 or not 0 <= self.sample < 1:
            raise ValueError("word vectors need numbers of 1 or more, and a sample below 1")


class Corpus:
    """The words of raw texts in a file, a sentence a line, and how often each was met.

    The texts are cut once and gone through several times, in constant memory.

    Attributes:
        path: the file.
        tally: of the words.
        sentences: lines of the file.
        total: words of the file.
    """

    def __init__(self, path: Path) -> None:
        """Nothing is read before ``read``."""
        self.path = path
        self.tally = Tally()
        self.sentences = self.total = 0

    def read(self, texts: Iterable[str], advance: Advance) -> None:
        """Cut ``texts`` into words; ``advance`` is told the characters of each."""
        with self.path.open("w", encoding="utf-8") as stream:
            for text in texts:
                for words in sentences(text):
                    self.tally.update(words)
                    self.total += len(words)
                    for at in range(0, len(words), _LONGEST):
                        stream.write(" ".join(words[at : at + _LONGEST]) + "\n")
                        self.sentences += 1
                advance(len(text))


class _Pass:
    """The sentences of a corpus, from the beginning each time it is iterated over."""

    def __init__(self, path: Path, advance: Advance) -> None:
        self._path, self._advance = path, advance

    def __iter__(self) -> Iterator[list[str]]:
        with self._path.open(encoding="utf-8", newline="\n") as stream:
            for line in stream:
                words = line.split()
                self._advance(len(words))
                yield words


def sentences(text: str) -> Iterator[list[str]]:
    """The words of each sentence, folded.

    What stands between Han characters is found by the segmenter jieba; any other run of
    letters or digits is a word as it is. Marks belong to no word, and neither does the odd
    character that folds into several words (``ﷺ``).
    """
    folded, origin = normalise(text)
    ends = [*sentence_ends(text), len(text)]
    words: list[str] = []
    han = ""  # characters that may be one word
    sentence, stop = 0, 0
    for a, b in split(text):
        unit = folded[a:b] if origin is None else normalise(text[a:b])[0]
        joins = is_han(unit)
        ended = a >= ends[sentence]
        if han and (ended or a > stop or not joins):
            words += rjieba.cut(han)
            han = ""
        if ended:
            sentence = bisect_right(ends, a)
            if words:
                yield words
            words = []
        if joins:
            han += unit
        elif unit[0].isalnum() and not any(map(str.isspace, unit)):
            words.append(unit)
        stop = b
    if han:
        words += rjieba.cut(han)
    if words:
        yield words


class Trained(msgspec.Struct, frozen=True):
    """Word vectors and what they were trained on.

    Attributes:
        vectors: what was trained.
        words: of the texts, counted as often as they stand there.
        covered: share of them that have a vector.
    """

    vectors: WordVectors
    words: int
    covered: float


def train(
    files: Sequence[Path],
    plan: SkipGram,
    work: Path,
    reading: Advance,
    learning: Callable[[int], Advance],
) -> Trained:
    """Train vectors of the words of ``files``.

    Args:
        files: ``.txt`` (a text a line) or ``.jsonl`` (its ``text``), gzipped or not.
        plan: settings.
        work: a folder with room for the words, about as much as the texts take.
        reading: called while the texts are read, with the number of characters.
        learning: called before training with the number of words to go through, all epochs
            together; gives what to call with the number of words that are done.

    Raises:
        DataError: a file cannot be read, or no word is met often enough.
    """
    with tempfile.TemporaryDirectory(prefix=".words.", dir=work) as folder:
        corpus = Corpus(Path(folder) / "words.txt")
        corpus.read(texts_of(files), reading)
        known = frequent(corpus.tally.counts, plan.min_count, plan.max_words)
        if not known:
            raise DataError(
                f"no word is met {plan.min_count} times or more in the files given "
                f"({corpus.total:,} words); give more text, or lower min_count"
            )
        vectors = _learned(corpus, known, plan, learning(plan.epochs * corpus.total))
    covered = sum(known.values()) / corpus.total
    return Trained(WordVectors.of(tuple(known), vectors), corpus.total, covered)


def _learned(
    corpus: Corpus, known: dict[str, int], plan: SkipGram, advance: Advance
) -> NDArray[np.float32]:
    """Vectors of the ``known`` words in their order, each of length 1.

    Training compares vectors by their direction; their length mostly says how often a word was
    met, which the network learns by itself.
    """
    logging.getLogger("gensim").setLevel(logging.ERROR)  # it takes small corpora for mistakes
    model = Word2Vec(
        vector_size=plan.dim,
        window=plan.window,
        min_count=1,  # the vocabulary is cut already
        sg=1,
        negative=plan.negative,
        sample=plan.sample,
        seed=plan.seed,
        workers=plan.threads,
        sorted_vocab=0,
    )
    model.build_vocab_from_freq(known, corpus_count=corpus.sentences)
    model.train(
        corpus_iterable=_Pass(corpus.path, advance),
        total_examples=corpus.sentences,
        epochs=plan.epochs,
    )
    return np.asarray(model.wv.get_normed_vectors(), dtype=np.float32)
