"""The forms that a graph can be written in, by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import IO, Literal

from quern.data import writing
from quern.errors import DataError
from quern.graphs.exports import graphml, neo4j, rdf
from quern.graphs.exports.kept import Kept

Form = Literal["ntriples", "turtle", "jsonld", "graphml", "neo4j"]
_Write = Callable[[Kept, IO[bytes]], None]

FORMS: Mapping[Form, tuple[str, _Write]] = {
    "ntriples": (".nt", rdf.write_ntriples),
    "turtle": (".ttl", rdf.write_turtle),
    "jsonld": (".jsonld", rdf.write_jsonld),
    "graphml": (".graphml", graphml.write_graphml),
}


def export(kept: Kept, path: Path, form: Form | None = None) -> Form:
    """Write a graph to a file, or to a folder for Neo4j.

    Args:
        kept: the graph.
        path: the file; a folder for ``neo4j``.
        form: by the name of the file, where not given.

    Returns:
        The form.

    Raises:
        DataError: the form is not known, or the disk refuses.
    """
    if form is None:
        form = _form_of(path)
    if form == "neo4j":
        try:
            path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise DataError(f"{path}: cannot be made: {error.strerror}") from error
        for name, write in ((neo4j.NODES, neo4j.write_nodes), (neo4j.FACTS, neo4j.write_facts)):
            with writing(path / name) as stream:
                write(kept, stream)
        return form
    with writing(path) as stream:
        FORMS[form][1](kept, stream)
    return form


def _form_of(path: Path) -> Form:
    for form, (ending, _) in FORMS.items():
        if path.suffix == ending:
            return form
    known = ", ".join(ending for ending, _ in FORMS.values())
    raise DataError(f"{path}: its name does not say the form ({known}); give --format")
