"""Several models as one: their probabilities averaged, or the facts that they decode joined."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from quern import __version__, evaluation, folder
from quern.alignment import Label
from quern.card import write_card
from quern.errors import DataError, FolderError
from quern.folder import ModelFolder
from quern.priors import Priors
from quern.records import TripleExample
from quern.tasks import load, load_one

_GRAPHS = ("encoder", "objects")
_Labels = list[Label]
_T = TypeVar("_T")


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
    folders = _opened(sources, examples)
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
            started=_common([f.manifest.started for f in folders]),
            taught=_common([f.manifest.taught for f in folders]),
            vectors=_common([f.manifest.vectors for f in folders]),
        )
        folder.write_json(temporary / folder.MANIFEST, manifest)
        tuned, _ = evaluation.tune(load_one(temporary), examples)
        manifest = msgspec.structs.replace(manifest, thresholds=msgspec.to_builtins(tuned))
        folder.write_json(temporary / folder.MANIFEST, manifest)
        return _measured(temporary, out.name, sources, examples)


def write_union(
    sources: Sequence[Path],
    out: Path,
    examples: Sequence[TripleExample],
    *,
    overwrite: bool = False,
) -> dict[str, Any]:
    """Put models into one folder that gives what any of them gives, and score it beside each.

    After Su, "基于DGCNN和概率图的轻量级信息抽取模型" (2019), who joins models with priors and
    models without. Each keeps its thresholds; the joint scores are calibrated anew.

    Args:
        sources: folders of triple models, whatever they know; a union counts as its families.
        out: the folder to write.
        examples: labelled texts to calibrate and score on.
        overwrite: replace a model folder that is there.

    Returns:
        ``metrics.json`` of the new folder; see ``write_ensemble``.

    Raises:
        FolderError: fewer than two models, or one for another task.
        DataError: no text of ``examples`` has a triple.
    """
    opened = _opened(sources, examples)
    folders = [family for each in opened for family in each.families() or [each]]
    found = {label for each in folders for label in msgspec.convert(each.manifest.labels, _Labels)}
    abouts = [each.manifest.about for each in folders]
    with folder.writing(out, overwrite=overwrite) as temporary:
        shutil.copyfile(folders[0].path / folder.CODEC, temporary / folder.CODEC)
        for number, each in enumerate(folders):
            left = shutil.ignore_patterns(folder.WEIGHTS, folder.CURVES)
            shutil.copytree(each.path, temporary / folder.family(number), ignore=left)
        manifest = folder.Manifest(
            format=folder.FORMAT,
            task="triples",
            settings={},
            labels=msgspec.to_builtins(sorted(found, key=lambda label: label.sort_key)),
            thresholds={},
            codec=folders[0].manifest.codec,
            data=_common([each.manifest.data for each in folders]),
            precision=_common([each.manifest.precision for each in folders]) or "mixed",
            quern=__version__,
            families=len(folders),
            about=folder.About(
                data_name=_listed([about.data_name for about in abouts]),
                licence=_listed([about.licence for about in abouts]),
                limits=_listed([about.limits for about in abouts]),
            ),
        )
        folder.write_json(temporary / folder.MANIFEST, manifest)
        return _measured(temporary, out.name, sources, examples)


def _opened(sources: Sequence[Path], examples: Sequence[TripleExample]) -> list[ModelFolder]:
    if len(sources) < 2:
        raise FolderError("an ensemble needs two models or more")
    if not any(example.triples for example in examples):
        raise DataError("the labelled texts hold no triples; nothing could be scored")
    folders = [ModelFolder(path) for path in sources]
    for each in folders:
        if (task := each.manifest.task) != "triples":
            raise FolderError(f"{each.path}: a model for '{task}', not for triples")
    return folders


def _measured(
    temporary: Path, name: str, sources: Sequence[Path], examples: Sequence[TripleExample]
) -> dict[str, Any]:
    """Calibrate and score the folder, write its metrics and its card."""
    metrics = {
        "calibration": evaluation.calibrate(temporary, examples),
        "dev": evaluation.score(load(temporary), examples).figures(),
        "dev_texts": len(examples),
        "members": {str(path): evaluation.score(load(path), examples).f1 for path in sources},
    }
    write_card(temporary, name, metrics)
    return metrics


def _check(folders: Sequence[ModelFolder]) -> None:
    first = folders[0]
    for other in folders:
        ours, theirs = first.manifest, other.manifest
        if theirs.families > 1:
            raise FolderError(
                f"{other.path}: a union, whose families decode by themselves; join it by --union"
            )
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


def _listed(values: Sequence[str]) -> str:
    """What is stated, each once."""
    return "; ".join(dict.fromkeys(filter(None, values)))


def _common(values: Sequence[_T]) -> _T | None:
    """The value that all share, if they do."""
    return values[0] if all(value == values[0] for value in values) else None
