"""Settings as ``KEY=VALUE`` words: found by name in the parts of a plan, checked by type."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from quern.errors import DataError
from quern.train.triple_training import Plan
from quern.triples import PRESETS

_PARTS = ("settings", "fitting", "schedule", "rules", "about")


def plan(preset: str, words: Sequence[str]) -> Plan:
    """A plan from a preset and ``KEY=VALUE`` words.

    Raises:
        DataError: a word is not of that form, names no setting, or its value does not fit.
    """
    values = {part: msgspec.to_builtins(getattr(Plan(), part)) for part in _PARTS}
    values["settings"] = msgspec.to_builtins(PRESETS[preset])
    for word in words:
        key, equals, value = word.partition("=")
        part = next((p for p in _PARTS if key in values[p]), None)
        if not equals or part is None:
            known = ", ".join(sorted(key for p in _PARTS for key in values[p]))
            raise DataError(f"--set {word}: expected KEY=VALUE with KEY one of: {known}")
        values[part][key] = _parse(value, values[part][key])
    try:
        return msgspec.convert(values, Plan)
    except msgspec.ValidationError as error:
        raise DataError(f"--set: {error}") from error


def listed() -> Iterator[tuple[str, str]]:
    """Every setting with its default, for the help page."""
    for part in _PARTS:
        for key, value in msgspec.to_builtins(getattr(Plan(), part)).items():
            yield key, msgspec.json.encode(value).decode()


def _parse(value: str, default: Any) -> Any:
    if isinstance(default, str):
        return value
    try:
        return msgspec.json.decode(value)
    except msgspec.DecodeError:
        return value  # the conversion names the setting and the type it wants
