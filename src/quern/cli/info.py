"""``quern info``: what a model folder holds, or which models there are."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal

import click
import msgspec

from quern.cli import options
from quern.cli.table import columns
from quern.folder import Manifest, ModelFolder
from quern.links import Dictionary
from quern.shipped import find, names

# What the score that decides is called in metrics.json, by the tasks that have it.
_SCORES = {
    "f1": "F1",
    "accuracy": "accuracy",
    "top1": "top-1",
    "recall1": "recall@1",
    "rouge_l": "ROUGE-L",
}


@click.command("info")
@click.argument("model", required=False)
@options.table_or_json
def command(model: str | None, form: Literal["table", "json"]) -> None:
    """Say what MODEL holds; without MODEL, list the models that ship with quern.

    \b
    Examples:
      quern info
      quern info zh-triples
      quern info my-model --format json
    """
    if model is None:
        folders = {name: ModelFolder(find(name)) for name in names()}
        if form == "json":
            click.echo(msgspec.json.encode([_facts(n, f) for n, f in folders.items()]))
        else:
            rows = [list(_row(name, folder)) for name, folder in folders.items()]
            columns(rows, ["model", "task", "labels", "precision", "MB", "dev score"])
        return
    folder = ModelFolder(find(model))
    facts = _facts(model, folder)
    if form == "json":
        click.echo(msgspec.json.encode(facts))
        return
    # What the model does without (word vectors, priors) needs no line to look at.
    columns([[key, _text(value)] for key, value in facts.items() if value], ["", ""])


def _facts(name: str, folder: ModelFolder) -> dict[str, Any]:
    manifest, rules = folder.manifest, folder.codec.rules
    scores = {k: v for k, v in folder.metrics().items() if _told(v)}
    return {
        "model": name,
        "folder": str(folder.path),
        "task": manifest.task,
        "labels": [
            " ".join(
                filter(None, (label["subject_type"], label["predicate"], label["object_type"]))
            )
            for label in manifest.labels
        ],
        "precision": manifest.precision,
        "bytes": folder.size(),
        "settings": manifest.settings,
        "thresholds": manifest.thresholds,
        "reading": _reading(manifest),
        "window": f"{rules.window} units, overlap {rules.overlap}",
        "known_triples": sum(len(f.priors or ()) for f in folder.families() or [folder]),
        "names": _names(folder),
        "vocabulary": len(folder.codec.vocabulary),
        "words": len(folder.codec.words),
        "codec": manifest.codec,
        "data": manifest.data,
        "vectors": manifest.vectors,
        "started": msgspec.to_builtins(manifest.started),
        "taught": msgspec.to_builtins(manifest.taught),
        "about": msgspec.to_builtins(manifest.about),
        "scores": scores,
        "quern": manifest.quern,
    }


def _names(folder: ModelFolder) -> int:
    content = folder.names()
    return 0 if content is None else len(Dictionary.read(content))


def _row(name: str, folder: ModelFolder) -> Iterator[str]:
    yield from (name, folder.manifest.task, str(len(folder.manifest.labels)))
    yield from (folder.manifest.precision, f"{folder.size() / 1e6:.1f}")
    yield _told(folder.metrics().get("dev"))


def _told(figures: object) -> str:
    """The score that decides among some figures, in words; empty where there is none."""
    if not isinstance(figures, dict):
        return ""
    found = [f"{said} {figures[key]:.3f}" for key, said in _SCORES.items() if key in figures]
    return ", ".join(found)


def _reading(manifest: Manifest) -> str:
    if manifest.families > 1:
        return f"{manifest.families} models, each in its own way"
    units = manifest.reading
    return "windows" if units is None else f"whole sentences, together up to {units} units"


def _text(value: object) -> str:
    if isinstance(value, list):
        return f"{len(value)}: " + ", ".join(map(str, value))
    if isinstance(value, dict):
        return ", ".join(f"{k} {_text(v)}" for k, v in value.items() if v not in ("", None))
    return f"{value:.4f}" if isinstance(value, float) else str(value)
