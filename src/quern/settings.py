"""Settings as ``KEY=VALUE`` words: found by name in the parts of a plan, checked by type."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar

import msgspec

from quern.errors import DataError

_P = TypeVar("_P", bound=msgspec.Struct)


def with_words(plan: _P, words: Sequence[str]) -> _P:
    """Any plan, changed by ``KEY=VALUE`` words; a key is set in every part of it that has it.

    Raises:
        DataError: a word is not of that form, names no setting, or its value does not fit.
    """
    values = msgspec.to_builtins(plan)
    parts = [part for part in values.values() if isinstance(part, dict)] + [values]
    for word in words:
        key, equals, value = word.partition("=")
        having = [part for part in parts if key in part and not isinstance(part[key], dict)]
        if not equals or not having:
            known = sorted({k for p in parts for k, v in p.items() if not isinstance(v, dict)})
            raise DataError(f"--set {word}: expected KEY=VALUE with KEY one of: {', '.join(known)}")
        for part in having:
            part[key] = _parse(value, part[key])
    try:
        return msgspec.convert(values, type(plan))
    except msgspec.ValidationError as error:
        raise DataError(f"--set: {error}") from error


def _parse(value: str, default: Any) -> Any:
    if isinstance(default, str):
        return value
    try:
        return msgspec.json.decode(value)
    except msgspec.DecodeError:
        return value  # the conversion names the setting and the type it wants
