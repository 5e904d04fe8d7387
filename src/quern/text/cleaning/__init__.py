"""Texts as people post them, made ready to be read by a model."""

from quern.text.cleaning.cleaner import STEPS, Cleaner, CleaningSettings, clean
from quern.text.cleaning.named import MARKS, Treatment

__all__ = ["MARKS", "STEPS", "Cleaner", "CleaningSettings", "Treatment", "clean"]
