"""Options that several verbs share, so that they mean the same everywhere."""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar

import click

if TYPE_CHECKING:
    from quern.kb import KnowledgeBase
    from quern.kb.names import Names

Form = Literal["table", "jsonl"]
_F = TypeVar("_F", bound=Callable[..., Any])

threads = click.option(
    "--threads",
    type=click.IntRange(1),
    default=1,
    show_default=True,
    help="Chunks of texts worked on at the same time.",
)

table_or_json = click.option(
    "--format",
    "form",
    type=click.Choice(["table", "json"]),
    default="table",
    show_default=True,
    help="A table to look at, or one JSON object.",
)

overwrite = click.option("--overwrite", is_flag=True, help="Replace a model folder that is there.")

out = click.option("--out", type=click.Path(path_type=Path), required=True, help="Folder to write.")

preset = click.option(
    "--preset",
    type=click.Choice(["full", "fast"]),
    default="full",
    show_default=True,
    help="full: the better scores. fast: half the layers, no attention, several times the speed.",
)

init = click.option(
    "--init",
    type=click.Path(path_type=Path),
    help="Folder of an encoder (quern pretrain) or of a trained model, to start from.",
)

vectors = click.option(
    "--vectors",
    type=click.Path(path_type=Path),
    help="File of word vectors to read beside the units (quern vectors).",
)

allow = click.option(
    "--allow",
    multiple=True,
    type=click.Choice(["absent", "border", "window"]),
    help="Go on without labels that do not occur, cut through a word, or fit no window.",
)

resume = click.option("--resume", is_flag=True, help="Go on from where an earlier run was stopped.")

text_input = click.option(
    "--input",
    "kind",
    type=click.Choice(["txt", "jsonl"]),
    help='How to read the input: a text a line, or JSON lines with a "text" or "body". '
    "[default: by each file's name; txt for standard input]",
)

ask_input = click.option(
    "--input",
    "files",
    multiple=True,
    type=click.Path(path_type=Path),
    help='File of texts, one a line, or .jsonl with a "text"; - for standard input.',
)

ask_input_form = click.option(
    "--input-form",
    "kind",
    type=click.Choice(["txt", "jsonl"]),
    help="How to read --input. [default: by each file's name; txt for standard input]",
)


def _kind_of_index(_ctx: click.Context, _param: click.Parameter, kind: str) -> str:
    if kind not in ("auto", "exact", "approximate") and "://" not in kind:
        raise click.BadParameter(f"{kind}: exact, approximate, auto, or an address")
    return kind


def kind_of_index(name: str) -> Callable[[_F], _F]:
    """The option ``name``, which says how vectors are searched."""
    return click.option(
        name,
        "index",
        default="auto",
        show_default=True,
        callback=_kind_of_index,
        help="How vectors are searched: exact, approximate (extra 'ann'), auto for what suits "
        "their number, or the address of a database, http://host:6333/name (extra 'served').",
    )


kb = click.option(
    "--kb",
    type=click.Path(path_type=Path),
    help="Knowledge base (quern kb), for a model that looks up the names of one or chooses "
    "among its entities.",
)

base = click.option(
    "--kb",
    type=click.Path(path_type=Path),
    required=True,
    help="Knowledge base (quern kb) whose entities are meant.",
)


def opened(path: Path | None) -> KnowledgeBase:
    """The base that ``--kb`` names, which must be given."""
    from quern.kb import KnowledgeBase

    if path is None:
        raise click.UsageError("a choice of entities wants a knowledge base; give one (--kb FILE)")
    return KnowledgeBase.open(path)


def names_of(path: Path | None, stack: ExitStack) -> Names | None:
    """The names of the base that ``--kb`` names; it is closed with ``stack``."""
    if path is None:
        return None
    from quern.kb import KnowledgeBase

    return stack.enter_context(KnowledgeBase.open(path)).names


form = click.option(
    "--format",
    "form",
    type=click.Choice(["table", "jsonl"]),
    help="A table to look at, or one JSON object for each text. "
    "[default: table on a terminal, else jsonl]",
)


def form_of_output(form: Form | None) -> Form:
    """What ``--format`` says, or what suits standard output."""
    return form or ("table" if sys.stdout.isatty() else "jsonl")


dev = click.option(
    "--dev",
    type=click.Path(path_type=Path),
    help="Labelled data to choose by. [default: every tenth text of TRAIN, held out]",
)

settings = click.option(
    "--set",
    "words",
    multiple=True,
    metavar="KEY=VALUE",
    help="A setting, such as seed=3, epochs=20, unknown=0.1 (docs/training.md lists them).",
)
