"""The model card: a page a person reads before using a model, written from the folder."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from quern.folder import CARD, METRICS, Manifest, ModelFolder, Started, Taught, write_json
from quern.text import CodecRules

_UNSTATED = "not stated"


def write_card(path: Path, name: str, metrics: Mapping[str, Any]) -> None:
    """Write what was measured on a folder that is otherwise whole, and its card.

    Args:
        path: the folder.
        name: what the card calls it where its maker does not say.
        metrics: what was measured.
    """
    write_json(path / METRICS, metrics)
    (path / CARD).write_text(card(ModelFolder(path), name), encoding="utf-8")


def card(folder: ModelFolder, name: str) -> str:
    """The card of a model folder, as Markdown; every figure comes from the folder itself.

    Args:
        folder: the folder, perhaps not yet under its final name.
        name: what to call the model where its maker does not say.
    """
    name = folder.manifest.about.name or name
    tasks = {
        "encoder": _encoder,
        "links": _links,
        "entities": _entities,
        "sentences": _sentences,
        "ranks": _ranks,
        "titles": _titles,
    }
    of_task = tasks.get(folder.manifest.task, _triples)
    return "\n".join([*_head(folder, name), *of_task(folder, name)]) + "\n"


def _head(folder: ModelFolder, name: str) -> list[str]:
    manifest, about = folder.manifest, folder.manifest.about
    return [
        f"# {name}",
        "",
        f"Task: {manifest.task}. Precision: {manifest.precision}. "
        f"Size: {folder.size() / 1e6:.1f} MB. Written by quern {manifest.quern}.",
        "",
        "## Data and licence",
        "",
        f"Trained on: {about.data_name or _UNSTATED} "
        f"(SHA-256 of the training file: `{manifest.data or 'not a file'}`).",
        "",
        *_started(manifest.started),
        *_taught(manifest.taught),
        f"Licence of the data: {about.licence or _UNSTATED}.",
        "",
    ]


def _started(started: Started | None) -> list[str]:
    if started is None:
        return []
    return [
        f"Started from weights that were trained on: {started.data_name or _UNSTATED} "
        f"(SHA-256 of the weights: `{started.weights}`).",
        "",
    ]


def _taught(taught: Taught | None) -> list[str]:
    if taught is None:
        return []
    return [
        f"Distilled: it learned from what a teacher (SHA-256 `{taught.teacher}`) says of "
        f"{taught.labelled:,} labelled lines and {taught.raw:,} texts without labels.",
        "",
    ]


def _encoder(folder: ModelFolder, name: str) -> list[str]:
    metrics, vocabulary = folder.metrics(), len(folder.codec.vocabulary)
    held_out = metrics["held_out"]
    return [
        "## Scores",
        "",
        f"After {metrics['units_seen'] / 1e6:,.0f} million units of text in "
        f"{metrics['hours']:.1f} hours, {held_out['accuracy']:.1%} of the hidden units of "
        f"held-out text are guessed, among {vocabulary:,} "
        f"(cross entropy {held_out['loss']:.3f} nats).",
        "",
        "## Limits",
        "",
        folder.manifest.about.limits
        or "It reads nothing by itself; it helps most with few labels on text of its own kind.",
        "",
        "## Use",
        "",
        f"```sh\nquern train triples train.jsonl --out model --init {name}\n```",
    ]


def _triples(folder: ModelFolder, name: str) -> list[str]:
    manifest, metrics = folder.manifest, folder.metrics()
    about = manifest.about
    predicates = sorted({str(label["predicate"]) for label in manifest.labels})
    return [
        "## Scores",
        "",
        *_scores(metrics),
        *_calibration(folder),
        "",
        "## Speed",
        "",
        *_speed(folder),
        "",
        "## What it reads",
        "",
        f"{len(predicates)} predicates: {', '.join(predicates)}.",
        *_words(folder),
        "",
        "## Limits",
        "",
        about.limits or "Trained on one kind of text; expect less on any other.",
        *_known(folder),
        *_reading(folder),
        *_nested(manifest),
        "",
        "## Use",
        "",
        f"```sh\nquern extract --model {name} notes.txt\n```",
    ]


def _page(folder: ModelFolder, scores: Sequence[str], limits: Sequence[str], use: str) -> list[str]:
    """What is said of a model: its scores, its speed, its limits, and the command that runs it."""
    said = folder.manifest.about.limits
    return [
        "## Scores",
        "",
        *scores,
        "",
        "## Speed",
        "",
        *_speed(folder),
        "",
        "## Limits",
        "",
        said or "Trained on one kind of text; expect less on any other.",
        *limits,
        "",
        "## Use",
        "",
        f"```sh\n{use}\n```",
    ]


def _links(folder: ModelFolder, name: str) -> list[str]:
    manifest, metrics = folder.manifest, folder.metrics()
    names = manifest.settings.get("names")
    looked_up = {
        "base": "It looks up the names of a knowledge base, which must be given to it.",
        "labels": "It looks up the names that its training texts label.",
    }.get(str(names), "It looks up no names.")
    only = (
        "A mention begins and ends where names do." if manifest.settings.get("names_gate") else ""
    )
    base = " --kb kb.sqlite" if names == "base" else ""
    scores = [
        *_scores(metrics, "Mentions by their places"),
        *_calibration(folder),
    ]
    limits = [
        f"{looked_up} {only}".rstrip(),
        _cut(manifest.reading, folder.codec.rules, "a mention longer than a window is not found."),
        "Of mentions that overlap, one is given.",
    ]
    return _page(folder, scores, limits, f"quern link --model {name}{base} notes.txt")


def _entities(folder: ModelFolder, name: str) -> list[str]:
    manifest, metrics = folder.manifest, folder.metrics()
    settings = manifest.settings
    rows = [
        f"| {part} | {row['mentions']:,} | {row['accuracy']:.4f} | {row['first']:.4f} | "
        f"{row['ceiling']:.4f} |"
        for part, row in metrics.items()
        if isinstance(row, dict) and row.get("accuracy") is not None
    ]
    scores = [
        "Share of the mentions, given to it, whose entity is right (NIL right where it is "
        "labelled), measured on this folder; what it would be if the candidate that fits best were "
        "always taken; and the most that can be right, as the entity is a candidate.",
        "",
        "| data | mentions | accuracy | first | ceiling |",
        "| --- | --- | --- | --- | --- |",
        *rows,
        *_calibration(folder),
    ]
    limits = [
        f"It chooses among {settings['candidates']} entities at most, by what they are called; it "
        f"looks at {settings['context']} units on either side of a mention and reads "
        f"{settings['described']} of a description. It wants the knowledge base that it was "
        "trained for; what is changed there counts at once.",
    ]
    return _page(
        folder, scores, limits, f"quern link --model LINKS --entities {name} --kb BASE notes.txt"
    )


def _sentences(folder: ModelFolder, name: str) -> list[str]:
    metrics = folder.metrics()
    keys = ("top1", "top5", "top10", "mrr")
    rows = [
        f"| {part} | {' | '.join(f'{row[key]:.4f}' for key in keys)} |"
        for part, row in metrics.items()
        if isinstance(row, dict) and "top1" in row
    ]
    rules = folder.codec.rules
    scores = [
        f"Of {metrics.get('dev_texts', 0):,} sentences, ranked among themselves, the share that "
        "has one of its group among the nearest 1, 5 and 10, and the mean of 1 / rank, measured "
        "on this folder.",
        "",
        "| data | 1 | 5 | 10 | 1 / rank |",
        "| --- | --- | --- | --- | --- |",
        *rows,
    ]
    limits = [
        f"A text of more than {rules.window} units is read in windows, and its vector is the mean "
        "of theirs. What a cosine means depends on the data: find a threshold on your own.",
    ]
    return _page(
        folder, scores, limits, f"quern vectors-of --model {name} sentences.txt --out vectors.npy"
    )


def _ranks(folder: ModelFolder, name: str) -> list[str]:
    manifest, metrics = folder.manifest, folder.metrics()
    keys = ("mrr", "recall1", "recall10", "recall50")
    rows = [
        f"| {part} | {' | '.join(f'{row[key]:.4f}' for key in keys)} |"
        for part, row in metrics.items()
        if isinstance(row, dict) and "recall10" in row
    ]
    made = {"free": "by itself", "text": "from its text", "both": "by itself and from its text"}
    return [
        "## Scores",
        "",
        f"For {metrics.get('dev_texts', 0):,} texts, the mean of 1 / rank of the first right item "
        f"among all {metrics.get('items', 0):,}, and the share of a text's items among the best 1, "
        "10 and 50, measured on this folder.",
        "",
        "| data | 1 / rank | 1 | 10 | 50 |",
        "| --- | --- | --- | --- | --- |",
        *rows,
        "",
        "## Limits",
        "",
        manifest.about.limits or "Trained on one kind of text; expect less on any other.",
        f"It learned a vector for each item {made[manifest.settings['items']]}.",
        "",
        "## Use",
        "",
        f"```sh\nquern rank --model {name} texts.txt\n```",
    ]


def _titles(folder: ModelFolder, name: str) -> list[str]:
    manifest, metrics = folder.manifest, folder.metrics()
    settings = manifest.settings
    rows = [
        f"| {part} | {row['rouge_l']:.4f} |"
        for part, row in metrics.items()
        if isinstance(row, dict) and "rouge_l" in row
    ]
    takes = "takes words over from the document" if settings["copy"] else "takes nothing over"
    scores = [
        f"Of {metrics.get('dev_texts', 0):,} documents, the mean F1 of the longest common "
        "subsequence of the given title and the one it writes (ROUGE-L over units, case aside; "
        "greedy), measured on this folder.",
        "",
        "| data | ROUGE-L |",
        "| --- | --- |",
        *rows,
    ]
    limits = [
        f"Of a document it reads the first {settings['limit']} units; a title has "
        f"{settings['longest']} steps at most. It {takes}. A title may say what the document "
        "does not: read it before you use it.",
    ]
    return _page(folder, scores, limits, f"quern title --model {name} documents.jsonl")


def _scores(metrics: dict[str, Any], what: str = "Triples as strings") -> list[str]:
    rows = [
        f"| {part} | {row['f1']:.4f} | {row['precision']:.4f} | {row['recall']:.4f} |"
        for part, row in metrics.items()
        if isinstance(row, dict) and "f1" in row
    ]
    if not rows:
        return ["Not measured."]
    return [
        f"{what}, micro-averaged, measured on this folder.",
        "",
        "| data | F1 | precision | recall |",
        "| --- | --- | --- | --- |",
        *rows,
    ]


def _calibration(folder: ModelFolder) -> list[str]:
    row = folder.metrics().get("calibration") or {}
    before, after = row.get("before"), row.get("after")
    said = "facts" if folder.manifest.task == "triples" else "mentions"
    if before is None:
        return []
    if folder.manifest.calibration is None:
        error = f"Scores are not calibrated; the expected calibration error is {before:.3f}."
        return ["", error]
    return [
        "",
        f"Scores are calibrated on {row['facts']:,} {said} (Platt scaling). Expected calibration "
        f"error: {before:.3f} before, {after:.3f} after, on texts the fit had not seen.",
    ]


def _speed(folder: ModelFolder) -> list[str]:
    speed = folder.metrics().get("speed")
    if not speed and folder.manifest.task == "triples":
        return ["Not measured; `quern bench` measures it on your texts."]
    if not speed:
        return ["Not measured."]
    return [
        f"{speed['texts_per_second']:,.0f} texts a second on one thread "
        f"({speed['units_per_text']:.0f} units a text, {speed['machine']}), "
        "text handling and decoding included."
    ]


def _known(folder: ModelFolder) -> list[str]:
    if folder.priors is None:
        return []
    return [
        f"It carries {len(folder.priors):,} known triples and is told where they stand in a text; "
        "it may favour what is known over what the text says."
    ]


def _reading(folder: ModelFolder) -> list[str]:
    manifest = folder.manifest
    if manifest.families == 1:
        return [_cut(manifest.reading, folder.codec.rules)]
    return [
        f"A union of {manifest.families} models, which lie in it with cards of their own. What one "
        "of them gives is given; a fact of several has the highest of their scores."
    ]


def _nested(manifest: Manifest) -> list[str]:
    if manifest.families > 1 or "span" in manifest.thresholds:
        return []
    return ["Two facts whose ends nest within each other under one predicate can be confused."]


def _words(folder: ModelFolder) -> list[str]:
    words, vectors = len(folder.codec.words), folder.manifest.vectors
    if not words:
        return []
    said = f"Beside the units of a text it reads vectors of {words:,} words, trained on raw text"
    return ["", f"{said} (SHA-256 of the vectors: `{vectors or 'several'}`)."]


def _cut(
    reading: int | None,
    rules: CodecRules,
    end: str = "a fact that reaches beyond what is read at once is not found.",
) -> str:
    cut = f"windows of {rules.window} units that overlap by {rules.overlap}"
    if reading is None:
        return f"It reads {cut}; {end}"
    return (
        f"It reads whole sentences, together up to {reading} units, and a longer sentence "
        f"by itself (above {rules.window} units in {cut}); {end}"
    )
