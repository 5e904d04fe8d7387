"""What verbs share that apply a schema: its options, its warnings, its counts."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import Any

import click

from quern.cli.console import note
from quern.schema import EFFECTS, RULES, Rule, Schema


def schema_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options ``--schema`` and ``--without``."""
    without = click.option(
        "--without",
        multiple=True,
        type=click.Choice(RULES),
        help="A rule of the schema to leave out; may be given several times.",
    )
    schema = click.option(
        "--schema",
        "schema_file",
        type=click.Path(path_type=Path),
        help="Apply the rules for predicates in this file to the facts.",
    )
    return schema(without(command))


def read_schema(path: Path | None, without: Sequence[Rule]) -> Schema | None:
    """The schema that the options ask for, if they do.

    Raises:
        DataError: see ``Schema.load``.
    """
    if path is None:
        if without:
            raise click.UsageError("--without needs --schema, the file that holds the rules")
        return None
    return Schema.load(path).without(*without)


def tell_unknown(schema: Schema, known: Collection[str]) -> None:
    """Name the predicates of a schema that are not among the ``known`` ones of the model."""
    for name in schema.names:
        if name in known:
            continue
        if schema.mirrors.get(name) in known:
            why = f"it comes only as the inverse of '{schema.mirrors[name]}'"
        else:
            why = "its rules do nothing. See what is known with: quern info MODEL"
        note(f"schema: the model does not know '{name}'; {why}")


def tell_counts(schema: Schema | None) -> None:
    """Say what each rule did, a line for each that did anything."""
    if schema is None:
        return
    for rule in RULES:
        done = [(schema.counts[rule, effect], effect) for effect in EFFECTS]
        said = [f"{count:,} {effect}" for count, effect in done if count]
        if said:
            note(f"rule {rule}: {', '.join(said)}")
