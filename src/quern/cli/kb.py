"""``quern kb``: knowledge bases, filled, asked and changed."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Literal

import click

from quern.cli import options
from quern.cli.console import note, progress
from quern.cli.kb_encode import encode
from quern.cli.table import columns
from quern.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from quern.kb import KnowledgeBase
    from quern.kb.importing import Report
    from quern.records import Entity

_BASE = click.argument("base", type=click.Path(path_type=Path))
_FORMS = ("jsonl", "ccks2019", "csv", "ctd", "rdf")  # as quern.kb.readers has them


@click.group("kb")
def command() -> None:
    """Knowledge bases: entities in one file, found by what they are called.

    \b
    Examples:
      quern kb import films.kb films.jsonl
      quern kb search films.kb "石橋夜話"
      quern kb add films.kb f-17 石桥夜话 --alias "Night Talks" --type film
      quern kb find films.kb notes.txt
    """


command.add_command(encode)


@command.command("import")
@_BASE
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--format",
    "form",
    type=click.Choice(_FORMS),
    help="What the files hold; without it, their names say so.",
)
@click.option(
    "--existing",
    type=click.Choice(["refuse", "replace", "skip"]),
    default="refuse",
    show_default=True,
    help="What to do with an entity whose id is there already.",
)
@click.option("--ignore", multiple=True, metavar="FIELD", help="A field or column to leave out.")
@click.option(
    "--language", multiple=True, help="Of RDF: the language whose labels are names, best first."
)
@click.option("--skip-bad", is_flag=True, help="Leave out lines that cannot be read, and say so.")
def import_(
    base: Path,
    files: tuple[Path, ...],
    form: str | None,
    existing: Literal["refuse", "replace", "skip"],
    ignore: tuple[str, ...],
    language: tuple[str, ...],
    skip_bad: bool,
) -> None:
    """Put the entities of FILES into BASE.

    BASE is made if it is missing.

    \b
    name of file     what it holds (docs/knowledge-base.md shows each)
    .jsonl           {"id", "name", "aliases", "description", "types", "facts", "popularity"}
                     a line, or the kb_data of CCKS2019
    .csv             a table with a head: id, name, aliases, …, fact:PREDICATE
    .tsv             a vocabulary of CTD
    .nt, .ttl        N-Triples and Turtle (extra 'rdf')
    With .gz behind it, each is read through gzip.

    All is imported or nothing, also if it is stopped midway.
    """
    from quern.kb.readers import Reading

    missing = [str(path) for path in files if path.is_dir() or not path.exists()]
    if missing:
        raise DataError(f"no such file: {', '.join(missing)}")
    reading = Reading(form, ignore, language)
    with _opened(base, create=True) as kb:
        with progress("importing", None, "entities") as advance:
            report = kb.import_files(files, reading, existing, advance, skip_bad=skip_bad)
        _tell(report)
        note(f"{base}: {len(kb):,} entities")


def _tell(report: Report) -> None:
    said = [("added", report.added), ("replaced", report.replaced), ("skipped", report.skipped)]
    note(", ".join(f"{count:,} {what}" for what, count in said if count or what == "added"))
    for path, lines in report.bad.items():
        note(f"{path}: {len(lines):,} line(s) left out:")
        for line in lines:
            note(f"  {path}:{line.line}: {line.why}")


@command.command("stats")
@_BASE
@options.table_or_json
def stats(base: Path, form: Literal["table", "json"]) -> None:
    """Say what BASE holds."""
    import msgspec

    with _opened(base) as kb:
        found = kb.stats()
    if form == "json":
        click.echo(msgspec.json.encode(found))
        return
    columns([[key, f"{value:,}"] for key, value in msgspec.to_builtins(found).items()], ["", ""])


@command.command("search")
@_BASE
@click.argument("name")
@click.option("--limit", type=click.IntRange(1), default=10, show_default=True)
@click.option(
    "--min-score",
    type=click.FloatRange(0, 1),
    default=0.5,
    show_default=True,
    help="Leave out names that are less similar; 1 for the very name only.",
)
@options.table_or_json
def search(
    base: Path, name: str, limit: int, min_score: float, form: Literal["table", "json"]
) -> None:
    """Look for what NAME may stand for in BASE.

    Those of the very name come first, which matches in any case, width, script and punctuation
    (score 1), then such that are written almost like it, in another order of words, or
    abbreviated.
    """
    import msgspec

    with _opened(base) as kb:
        found = kb.candidates(name, limit, least=min_score)
    if form == "json":
        click.echo(msgspec.json.encode(found))
    elif found:
        rows = [[f"{c.score:.2f}", c.id, c.name, c.key] for c in found]
        columns(rows, ["score", "id", "name", "found by"])
    else:
        note(f"{base}: no name like '{name}'")


@command.command("show")
@_BASE
@click.argument("ids", nargs=-1, required=True)
def show(base: Path, ids: tuple[str, ...]) -> None:
    """Print the entities of BASE that have IDS, a JSON line each."""
    with _opened(base) as kb:
        _write([_entity(kb, id_) for id_ in ids], sys.stdout.buffer)


@command.command("export")
@_BASE
@click.argument("out", required=False, type=click.Path(path_type=Path))
@click.option("--overwrite", is_flag=True, help="Replace a file that is there.")
def export(base: Path, out: Path | None, overwrite: bool) -> None:
    """Write all entities of BASE as JSON lines.

    They go to the file OUT or to standard output. What is imported from there is what was
    exported.
    """
    from quern.data import writing

    with _opened(base) as kb:
        if out is None:
            _write(kb, sys.stdout.buffer)
            return
        if out.exists() and out.samefile(base):
            raise DataError(f"{out}: is the base itself; choose another name")
        if out.exists() and not overwrite:
            raise DataError(f"{out}: exists already; choose another name or pass --overwrite")
        with writing(out) as stream:
            _write(kb, stream)
        note(f"wrote {out}: {len(kb):,} entities")


@command.command("find")
@_BASE
@click.argument("files", nargs=-1, type=click.Path(path_type=Path))
@click.option(
    "--every", is_flag=True, help="All names, also such as overlap; not the longest only."
)
def find(base: Path, files: tuple[Path, ...], every: bool) -> None:
    """Find names of BASE in texts.

    The texts are FILES, or standard input; each gives a JSON line. .txt files hold a text a
    line, .jsonl files a "text"; both may be gzipped.
    """
    import msgspec

    with _opened(base) as kb:
        for file, line, text, matches in _found(kb, files, every):
            keys = list(dict.fromkeys(match.key for match in matches))
            ids = {key: [c.id for c in found] for key, found in kb.named(keys).items()}
            spans = [
                {"start": m.start, "end": m.end, "text": m.text, "ids": ids[m.key]} for m in matches
            ]
            row = {"file": file, "line": line, "text": text, "names": spans}
            click.echo(msgspec.json.encode(row))


def _found(kb: KnowledgeBase, files: tuple[Path, ...], every: bool) -> Iterator[Any]:
    from quern.data import Document, documents, form_of, open_bytes

    def read() -> Iterator[tuple[str, Document]]:
        for file in files:
            with open_bytes(file) as stream:
                yield from ((str(file), d) for d in documents(stream, form_of(file), str(file)))
        if not files:
            stdin = documents(sys.stdin.buffer, "txt", "standard input")
            yield from (("-", document) for document in stdin)

    waiting: list[tuple[str, Document]] = []

    def texts() -> Iterator[str]:
        for file, document in read():
            waiting.append((file, document))
            yield document.text

    for matches in kb.names.find_many(texts(), every=every):
        file, document = waiting.pop(0)
        yield file, document.line, document.text, matches


_NAME = click.option("--name", help="What it is mostly called.")
_DESCRIPTION = click.option("--description", help="What it is.")
_POPULARITY = click.option("--popularity", type=click.FloatRange(0), help="How often it is meant.")
_FACT = click.option(
    "--fact",
    "facts",
    multiple=True,
    nargs=2,
    metavar="PREDICATE OBJECT",
    help="A fact; repeatable.",
)


@command.command("add")
@_BASE
@click.argument("id_", metavar="ID")
@click.argument("name")
@click.option("--alias", "aliases", multiple=True, help="What else it is called; repeatable.")
@click.option("--type", "types", multiple=True, help="What kind of thing it is; repeatable.")
@_FACT
@_DESCRIPTION
@_POPULARITY
def add(
    base: Path,
    id_: str,
    name: str,
    aliases: tuple[str, ...],
    types: tuple[str, ...],
    facts: tuple[tuple[str, str], ...],
    description: str | None,
    popularity: float | None,
) -> None:
    """Add one entity to BASE.

    Whoever has BASE open finds it from the next question on.
    """
    from quern.records import Entity

    with _opened(base) as kb:
        kb.add(Entity(id_, name, aliases, description or "", types, facts, popularity))


@command.command("edit")
@_BASE
@click.argument("id_", metavar="ID")
@_NAME
@click.option("--alias", "aliases", multiple=True, help="An alias to add; repeatable.")
@click.option("--drop-alias", "dropped", multiple=True, help="An alias to drop; repeatable.")
@_DESCRIPTION
@_POPULARITY
def edit(
    base: Path,
    id_: str,
    name: str | None,
    aliases: tuple[str, ...],
    dropped: tuple[str, ...],
    description: str | None,
    popularity: float | None,
) -> None:
    """Change one entity of BASE.

    Its names, description or popularity, that is; the rest stays.
    """
    import msgspec

    given = {"name": name, "description": description, "popularity": popularity}
    changed = {key: value for key, value in given.items() if value is not None}

    def edited(before: Entity) -> Entity:
        for alias in dropped:
            if alias not in before.aliases:
                raise DataError(f"entity '{id_}' has no alias '{alias}'; see quern kb show")
        kept = [alias for alias in before.aliases if alias not in dropped]
        both = tuple(dict.fromkeys([*kept, *aliases]))
        return msgspec.structs.replace(before, aliases=both, **changed)

    with _opened(base) as kb:
        kb.edit(id_, edited)


@command.command("remove")
@_BASE
@click.argument("ids", nargs=-1)
@click.option("--ids", "file", type=click.File("rb"), help="A file of ids, one a line.")
def remove(base: Path, ids: tuple[str, ...], file: IO[bytes] | None) -> None:
    """Remove the entities of BASE that have IDS, all of them or none."""
    from quern.data import documents

    listed = documents(file or (), "txt", file.name if file else "")
    gone = [*ids, *(document.text.strip() for document in listed)]
    if not gone:
        raise click.UsageError("no id is given; name some, or a file of them with --ids")
    with _opened(base) as kb:
        note(f"{kb.remove_all(gone):,} removed")


@contextmanager
def _opened(base: Path, *, create: bool = False) -> Iterator[KnowledgeBase]:
    from quern.kb import KnowledgeBase

    with KnowledgeBase.open(base, create=create) as kb:
        yield kb


def _entity(kb: KnowledgeBase, id_: str) -> Entity:
    entity = kb.get(id_)
    if entity is None:
        raise DataError(f"{kb.path}: no entity '{id_}'; look for it with: quern kb search")
    return entity


def _write(entities: Iterable[Entity], stream: IO[bytes]) -> None:
    import msgspec

    encode = msgspec.json.Encoder().encode
    for entity in entities:
        stream.write(encode(entity) + b"\n")
