"""``quern evaluate`` for models of links: mentions, choices, or both from end to end."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING

import click

from quern.cli import options
from quern.cli.console import counted
from quern.cli.evaluate_tables import (
    Asked,
    hash_of,
    refuse_unreached,
    write_calibration,
    write_intervals,
    write_json,
    write_page,
    write_scores,
)
from quern.cli.table import numbers
from quern.data import read_links
from quern.evaluation.wording import HEADS, figures_row, number
from quern.folder import ModelFolder

if TYPE_CHECKING:
    from collections.abc import Mapping

    from quern.evaluation.link_figures import ChoiceEvaluation, LinkEvaluation
    from quern.evaluation.linking import FindsLinks, JudgedLinks, Kind
    from quern.evaluation.mentions import MentionEvaluation
    from quern.kb import KnowledgeBase
    from quern.links import EntityModel


# -- mentions ----------------------------------------------------------------------------


def evaluate_mentions(folder: ModelFolder, asked: Asked) -> None:
    """Score a folder that finds mentions."""
    from quern.evaluation.link_report import report_mentions
    from quern.evaluation.mentions import judge_mentions, summarise_mentions
    from quern.tasks import load_links

    examples = read_links(asked.data)
    with ExitStack() as stack:
        model = load_links(folder.path, kb=options.names_of(asked.kb, stack))
        answers = judge_mentions(model, examples, asked.threads)
        judged = list(counted(answers, "evaluating", total=len(examples), unit="texts"))
    evaluation = summarise_mentions(judged, asked.target)
    head = _head(asked, {"model": folder})
    if asked.page is not None:
        title = f"{folder.path.name} on {asked.data.name}"
        write_page(asked.page, report_mentions(evaluation, judged, title, asked.errors))
    if asked.form == "json":
        write_json(head, evaluation)
    else:
        _write_mentions(evaluation)
    refuse_unreached(asked.data, evaluation.target, [f for text in judged for f in text.facts])


def _write_mentions(evaluation: MentionEvaluation) -> None:
    from quern.evaluation.link_wording import of_mentions

    for line in of_mentions(evaluation):
        click.echo(line)
    numbers([figures_row("all", evaluation.overall)], ("mentions", *HEADS))
    write_intervals(evaluation.interval)
    write_scores(evaluation.curve, evaluation.at_recall, evaluation.target)
    write_calibration(evaluation.calibration)


# -- choices -----------------------------------------------------------------------------


def evaluate_choices(folder: ModelFolder, asked: Asked) -> None:
    """Score a folder that chooses entities, the labelled mentions given."""
    from quern.evaluation.link_figures import summarise_choices
    from quern.evaluation.link_report import report_choices

    with options.opened(asked.kb) as kb:
        judged = _judge_choices(_chooser(folder), kb, asked)
        evaluation = summarise_choices(judged)
        head = _head(asked, {"model": folder})
        if asked.page is not None:
            title = f"{folder.path.name} on {asked.data.name}"
            page = report_choices(evaluation, judged, kb.entities, title, asked.errors)
            write_page(asked.page, page)
    if asked.form == "json":
        write_json(head, evaluation)
    else:
        _write_choices(evaluation)


def _judge_choices(model: EntityModel, kb: KnowledgeBase, asked: Asked) -> list[JudgedLinks]:
    from quern.evaluation.given import judge_entities

    examples = read_links(asked.data)
    judged = judge_entities(model, kb, examples, asked.threads)
    return list(counted(judged, "choosing", total=len(examples), unit="texts"))


def _write_choices(evaluation: ChoiceEvaluation) -> None:
    from quern.evaluation.link_wording import ACCURACY_HEADS, accuracies, of_choices, recalls

    for line in of_choices(evaluation):
        click.echo(line)
    numbers(accuracies(evaluation), ("given mentions", *ACCURACY_HEADS))
    click.echo(recalls(evaluation))
    numbers([figures_row("NIL", evaluation.nils)], ("answers", *HEADS))
    _write_kinds(evaluation.kinds)
    write_calibration(evaluation.calibration)


def _write_kinds(counted: Mapping[Kind, int]) -> None:
    from quern.evaluation.link_wording import kinds

    rows = [[words, number(count)] for words, count in kinds(counted)]
    if rows:
        numbers(rows, ("error", "mentions"))


# -- from end to end ---------------------------------------------------------------------


def evaluate_linking(folder: ModelFolder, entities: ModelFolder, asked: Asked) -> None:
    """Score a folder that finds mentions together with one that chooses entities."""
    from quern.evaluation.link_figures import summarise_choices, summarise_links
    from quern.evaluation.link_report import report_links
    from quern.evaluation.linking import judge_found

    with options.opened(asked.kb) as kb:
        model = _chooser(entities)
        given = _judge_choices(model, kb, asked)
        found = judge_found(_linker(folder, model, kb), given, asked.threads)
        judged = list(counted(found, "linking", total=len(given), unit="texts"))
        evaluation = summarise_links(judged, summarise_choices(given))
        head = _head(asked, {"model": folder, "entities": entities})
        if asked.page is not None:
            title = f"{folder.path.name} and {entities.path.name} on {asked.data.name}"
            page = report_links(evaluation, judged, kb.entities, title, asked.errors)
            write_page(asked.page, page)
    if asked.form == "json":
        write_json(head, evaluation)
    else:
        _write_links(evaluation)


def _write_links(evaluation: LinkEvaluation) -> None:
    from quern.evaluation.link_wording import link_rows, of_links

    for line in of_links(evaluation):
        click.echo(line)
    numbers([figures_row(*row) for row in link_rows(evaluation)], ("found", *HEADS))
    write_intervals(evaluation.interval)
    _write_kinds(evaluation.kinds)
    write_calibration(evaluation.calibration)
    click.echo("\nWith the labelled mentions given:")
    _write_choices(evaluation.given)


# -- what all share ----------------------------------------------------------------------


def _chooser(folder: ModelFolder) -> EntityModel:
    from quern.tasks import load_entities

    return load_entities(folder.path)


def _linker(folder: ModelFolder, model: EntityModel, kb: KnowledgeBase) -> FindsLinks:
    from quern.links import Linker
    from quern.tasks import load_links

    return Linker(load_links(folder.path, kb=kb.names), model, kb)


def _head(asked: Asked, folders: Mapping[str, ModelFolder]) -> dict[str, object]:
    """What was evaluated; a note where it was trained on the very same file."""
    digest = hash_of(asked.data, *(folder.manifest.data for folder in folders.values()))
    named: dict[str, object] = {name: str(folder.path) for name, folder in folders.items()}
    return {**named, "data": str(asked.data), "data_sha256": digest}
