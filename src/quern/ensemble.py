"""Several models as one: their probabilities are averaged before decoding."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from quern import __version__, evaluation, folder
from quern.card import card
from quern.errors import DataError, FolderError
from quern.folder import ModelFolder
from quern.priors import Priors
from quern.records import TripleExample
from quern.tasks import load

_GRAPHS = ("encoder", "objects")


def write_ensemble(
    sources: Sequence[Path],
    out: Path,
    examples: Sequence[TripleExample],
    *,
    overwrite: bool = False,
) -> dict[str, Any]:
    """Put models into one folder, tune its thresholds, and score it beside each of them.

    Args:
        sources: folders of triple models with the same codec and labels, such as
            ``train --folds`` writes; an ensemble counts as its members.
        out: the folder to write.
        examples: labelled texts to choose the thresholds by.
        overwrite: replace a model folder that is there.

    Returns:
        ``metrics.json`` of the new folder: its figures as ``dev``, each source's F1 as ``members``.

    Raises:
        FolderError: fewer than two models, or they do not fit together.
        DataError: no text of ``examples`` has a triple.
    """
    if len(sources) < 2:
        raise FolderError("an ensemble needs two models or more")
    if not any(example.triples for example in examples):
        raise DataError("the labelled texts hold no triples; nothing could be scored")
    folders = [ModelFolder(path) for path in sources]
    _check(folders)
    with folder.writing(out, overwrite=overwrite) as temporary:
        first = folders[0]
        shutil.copyfile(first.path / folder.CODEC, temporary / folder.CODEC)
        members = _copy_graphs(folders, temporary)
        known = [each.priors for each in folders if each.priors is not None]
        payload = Priors.merged(known).payload() if known else None
        if payload is not None:
            (temporary / folder.PRIORS).write_bytes(payload)
        manifest = msgspec.structs.replace(
            first.manifest,
            members=members,
            priors=None if payload is None else folder.fingerprint(payload),
            quern=__version__,
            precision=_common([f.manifest.precision for f in folders]) or "mixed",
            data=_common([f.manifest.data for f in folders]),
        )
        folder.write_json(temporary / folder.MANIFEST, manifest)
        tuned, _ = evaluation.tune(load(temporary), examples)
        manifest = msgspec.structs.replace(manifest, thresholds=msgspec.to_builtins(tuned))
        folder.write_json(temporary / folder.MANIFEST, manifest)
        metrics = {
            "calibration": evaluation.calibrate(temporary, examples),
            "dev": evaluation.score(load(temporary), examples).figures(),
            "dev_texts": len(examples),
            "members": {str(path): evaluation.score(load(path), examples).f1 for path in sources},
        }
        folder.write_json(temporary / folder.METRICS, metrics)
        page = card(ModelFolder(temporary), out.name)
        (temporary / folder.CARD).write_text(page, encoding="utf-8")
    return metrics


def _check(folders: Sequence[ModelFolder]) -> None:
    first = folders[0]
    for other in folders:
        ours, theirs = first.manifest, other.manifest
        if theirs.task != "triples":
            raise FolderError(f"{other.path}: a model for '{theirs.task}', not for triples")
        for what, same in (
            ("vocabulary", ours.codec == theirs.codec),
            ("labels", ours.labels == theirs.labels),
            ("pairing", _pairing(ours) == _pairing(theirs)),
        ):
            if not same:
                raise FolderError(
                    f"{other.path}: has another {what} than {first.path}; probabilities can only "
                    "be averaged of models that were trained together (quern train --folds)"
                )
        if (ours.priors is None) != (theirs.priors is None):
            raise FolderError(
                f"{first.path} and {other.path}: one has priors and the other has none; their "
                "probabilities cannot be averaged, but their facts can be joined (--union)"
            )


def _pairing(manifest: folder.Manifest) -> str:
    return str(manifest.settings.get("pairing", "nearest"))  # folders may be older than it


def _copy_graphs(folders: Sequence[ModelFolder], target: Path) -> int:
    number = 0
    for each in folders:
        for names in zip(*map(each.graph_names, _GRAPHS), strict=True):
            for name, kind in zip(names, _GRAPHS, strict=True):
                shutil.copyfile(each.path / f"{name}.onnx", target / f"{kind}-{number}.onnx")
            number += 1
    return number


def _common(values: Sequence[str | None]) -> str | None:
    """The value that all share, if they do."""
    return values[0] if all(value == values[0] for value in values) else None
