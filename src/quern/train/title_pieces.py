"""The pieces that titles are spelled with, fitted on the titles to learn from."""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

import sentencepiece

from quern.text import Tally, split
from quern.titles.pieces import forms, plain

_ROOM = 8  # what the library wants beside the characters


def fit_pieces(titles: Iterable[str], most: int) -> list[str]:
    """At most ``most`` pieces: every character that has room, and what often stands together.

    The pieces are those of a unigram language model (Kudo, "Subword Regularization", 2018), fitted
    on the units of the titles, each counted as often as it stands.

    Args:
        titles: to learn from.
        most: pieces; of characters, the most frequent are taken.
    """
    tally = Tally()
    for title in titles:
        title = plain(title)
        tally.update(forms(title, split(title)))
    characters: Counter[str] = Counter()
    for form, count in tally.counts.items():
        for character in form:
            characters[character] += count
    ranked = sorted(characters, key=lambda c: (-characters[c], c))[:most]
    kept = set(ranked)
    told = {form: n for form, n in tally.counts.items() if kept.issuperset(form) and len(form) > 1}
    found = _unigram(told, most) if told and most > len(kept) + _ROOM else []
    longer = [piece for piece in found if len(piece) > 1]
    return [*ranked, *longer[: most - len(ranked)]]


def _unigram(counts: Mapping[str, int], most: int) -> list[str]:
    """The pieces of a unigram model, the most probable first."""
    written = io.BytesIO()
    with TemporaryDirectory() as place:
        table = Path(place) / "units.tsv"
        lines = (f"{form}\t{count}\n" for form, count in sorted(counts.items()))
        table.write_text("".join(lines), encoding="utf-8")
        sentencepiece.SentencePieceTrainer.train(
            input=str(table),
            input_format="tsv",
            model_writer=written,
            model_type="unigram",
            vocab_size=most,
            hard_vocab_limit=False,
            character_coverage=1.0,
            normalization_rule_name="identity",
            add_dummy_prefix=False,
            remove_extra_whitespaces=False,
            max_sentence_length=1 << 20,
            num_threads=1,
            minloglevel=2,
        )
    model = sentencepiece.SentencePieceProcessor(model_proto=written.getvalue())
    ids = range(model.get_piece_size())
    return [model.id_to_piece(i) for i in ids if not (model.is_control(i) or model.is_unknown(i))]
