"""The command line: one file for each verb, loaded when it is called."""

from __future__ import annotations

import importlib
import os
import sys

import click

from quern import __version__
from quern.errors import QuernError

VERBS = {
    "prepare": "Clean texts: HTML, Markdown, code, addresses, white space.",
    "check": "Look at labelled data before training: what fits, what is lost, what is odd.",
    "train": "Train a model on labelled data and write its folder.",
    "clean": "Let models vote on labels: what to add, what to remove.",
    "pretrain": "Teach an encoder to read raw text, for trainings to start from.",
    "ensemble": "Put several models into one folder that averages or joins what they say.",
    "vectors": "Train vectors of words on raw text, for trainings to read beside the units.",
    "distill": "Teach one model what an ensemble says of labelled and raw text.",
    "evaluate": "Score a model on labelled data; optionally write a report of its errors.",
    "bench": "Measure a model's speed (and score) on your own file.",
    "extract": "Read facts out of texts.",
    "read": "Read texts into a graph of linked facts.",
    "link": "Find what is named in texts.",
    "rank": "Find the best items of a catalogue for texts.",
    "title": "Give titles to documents.",
    "vectors-of": "Give the vector of each text.",
    "faq": "Keep questions and answers: build, ask, tune, add, remove.",
    "similar": "Keep documents and find those like a text: build, ask, add, remove.",
    "kb": "Keep a knowledge base: import entities, search, change, find their names in texts.",
    "store": "Ask, change and export graphs that were read: query, why, conflicts, forget.",
    "info": "Say what a model folder holds, or which models there are.",
    "export": "Write a model folder in another form, such as int8.",
}


class _Verbs(click.Group):
    """Verbs by name, imported one at a time, so that --help stays quick."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in VERBS:
            return None
        command = importlib.import_module(f"quern.cli.{cmd_name.replace('-', '_')}").command
        assert isinstance(command, click.Command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Verbs"):
            formatter.write_dl(list(VERBS.items()))


@click.group(
    cls=_Verbs,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Results go to standard output, all else to standard error. "
    "Exit status: 0 done, 1 could not be done, 2 called wrongly.",
)
@click.version_option(__version__, prog_name="quern")
def cli() -> None:
    """A hand mill for text: raw text in, linked knowledge out.

    \b
    First steps:
      quern extract notes.txt                      facts, by the models that come with quern
      quern check triples train.jsonl              is my data fit for training?
      quern train triples train.jsonl --dev dev.jsonl --out model
      quern extract --model model notes.txt        facts, by my own model
    """


def main() -> None:
    """Run the command line; errors a user can mend are printed without a traceback."""
    try:
        cli(prog_name="quern")
    except QuernError as error:
        _fail(str(error))
    except BrokenPipeError:
        # The reader went away; there is nobody to tell, and Python's own flush would complain.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except OSError as error:
        _fail(f"{error.filename or 'output'}: {error.strerror or error}")
    except MemoryError:
        _fail("out of memory; try a smaller --batch-size or fewer --threads")


def _fail(message: str) -> None:
    click.echo(f"quern: {message}", err=True)
    sys.exit(1)
