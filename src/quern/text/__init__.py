"""Text in, numbers out, and the way back."""

from quern.text.codec import CodecRules, Encoding, TextCodec, Window
from quern.text.features import GRAM_SLOTS, SHAPES
from quern.text.normalise import normalise
from quern.text.units import han_share, split
from quern.text.vocabulary import RESERVED, UNKNOWN, Vocabulary

__all__ = [
    "GRAM_SLOTS",
    "RESERVED",
    "SHAPES",
    "UNKNOWN",
    "CodecRules",
    "Encoding",
    "TextCodec",
    "Vocabulary",
    "Window",
    "han_share",
    "normalise",
    "split",
]
