"""The page docs/cli.md, generated from the verbs themselves."""

from __future__ import annotations

import click

from quern.cli import cli


def pages(command: click.Command, path: str) -> list[tuple[str, str]]:
    """``(command line, help text)`` of a command and of all below it."""
    # As when it is called: click keeps the first help option that it makes for a command.
    names = cli.context_settings["help_option_names"]
    context = click.Context(
        command,
        info_name=path,
        max_content_width=96,
        terminal_width=96,
        help_option_names=names,
    )
    found = [(path, command.get_help(context))]
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            child = command.get_command(context, name)
            assert child is not None
            found += pages(child, f"{path} {name}")
    return found


def reference() -> str:
    """The whole page as Markdown."""
    parts = [
        "# Command line",
        "Generated from the code by `make docs`; a test compares the two.",
    ]
    for path, text in pages(cli, "quern"):
        parts.append(f"## {path}\n\n```text\n{text.rstrip()}\n```")
    return "\n\n".join(parts) + "\n"


def main() -> None:
    """Print the page."""
    click.echo(reference(), nl=False)


if __name__ == "__main__":
    main()
