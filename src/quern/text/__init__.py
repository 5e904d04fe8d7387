"""Text in, numbers out, and the way back."""

from quern.text.codec import CodecRules, Encoding, TextCodec, Window
from quern.text.features import GRAM_SLOTS, SHAPES
from quern.text.normalise import normalise
from quern.text.phrases import PHRASES, phrases
from quern.text.sentences import sentence_ends
from quern.text.tally import Tally, frequent
from quern.text.units import han_share, is_han, split, word_spans, wordless, words_in
from quern.text.vocabulary import PAD, RESERVED, UNKNOWN, Vocabulary
from quern.text.words import Words

__all__ = [
    "GRAM_SLOTS",
    "PAD",
    "PHRASES",
    "RESERVED",
    "SHAPES",
    "UNKNOWN",
    "CodecRules",
    "Encoding",
    "Tally",
    "TextCodec",
    "Vocabulary",
    "Window",
    "Words",
    "frequent",
    "han_share",
    "is_han",
    "normalise",
    "phrases",
    "sentence_ends",
    "split",
    "word_spans",
    "wordless",
    "words_in",
]
