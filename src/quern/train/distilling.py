"""The journey from a teacher and texts to a student's folder.

After Hinton, Vinyals and Dean, "Distilling the Knowledge in a Neural Network", 2015; Su does so
with triples ("基于DGCNN和概率图的轻量级信息抽取模型", 2019).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
from msgspec import UNSET

from quern import evaluation, folder
from quern.alignment import Label
from quern.data import data_hash, read_triples, texts_of
from quern.errors import DataError
from quern.priors import Priors
from quern.records import TripleExample
from quern.tasks import load_one
from quern.text import TextCodec
from quern.train import soft
from quern.train.fit import Start, split_by_hash
from quern.train.journey import Journey
from quern.train.loop import Epoch, Step
from quern.train.soft_items import SoftItems
from quern.train.triple_training import Plan, TripleTraining
from quern.triples import TripleModel


class DistillingPlan(Plan, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All that decides what a student becomes, besides its teacher and the texts.

    Attributes:
        trust: weight of the labels where they are complete; the rest is the teacher's.
    """

    trust: float = 0.5

    def __post_init__(self) -> None:
        if not 0 <= self.trust <= 1:
            raise ValueError("trust must lie between 0 and 1")


class Texts(NamedTuple):
    """What there is to learn from and to choose by.

    Attributes:
        labelled: labelled lines, if any.
        raw: files of texts without labels, ``.txt`` or ``.jsonl``, gzipped or not.
        dev: labelled lines to choose by; without them every tenth labelled text.
    """

    labelled: Path | Sequence[TripleExample] | None = None
    raw: Sequence[Path] = ()
    dev: Path | Sequence[TripleExample] | None = None


class Distilling(Journey):
    """One model learns from what another, or an ensemble, says of texts."""

    def __init__(
        self,
        teacher: Path,
        texts: Texts,
        plan: DistillingPlan | None = None,
        *,
        allow: Collection[str] = (),
        start: Start | None = None,
    ) -> None:
        """Read and check the data, and build the student; the teacher reads in ``read``.

        Args:
            teacher: folder of a triple model.
            texts: what it is asked about.
            plan: settings.
            allow: kinds of loss to accept: "absent", "border", "window".
            start: an encoder, word vectors and facts for the student to start from.

        Raises:
            FolderError: ``teacher`` is no triple model.
            DataError: there are no texts, the labels are not the teacher's, the student would
                read otherwise, or labels would be lost that ``allow`` does not name.
        """
        start = start or Start()
        plan, begun = start.planned(plan or DistillingPlan()), start.opened()
        self.facts = begun.facts
        self.teacher: TripleModel = load_one(teacher, threads=plan.schedule.threads)
        examples, dev = _labelled(texts)
        _check_labels(examples, self.teacher.labels)
        self.raw = RawTexts(texts.raw, {example.text for example in [*examples, *dev]})
        fit = TextCodec.fit if begun.encoder is None else begun.encoder.codec_for
        words = () if begun.vectors is None else begun.vectors.words
        codec = fit(chain((example.text for example in examples), self.raw), plan.rules, words)
        if not examples and not self.raw.count:
            raise DataError("no texts to learn from: give labelled lines, raw texts, or both")
        _check_reading(codec, self.teacher, plan)
        self._examples = examples
        of_teacher = self.teacher.labels, self.teacher.reading
        told = plan.settings.pairing == "spans", self._priors(plan)
        self.items = SoftItems(examples, codec, *of_teacher, plan.fitting, plan.trust, *told)
        self._source = {
            "teacher": _hash_of_model(teacher),
            "labelled": folder.fingerprint(msgspec.json.encode(examples)),
            "raw": data_hash(*texts.raw),
            "left_out": folder.fingerprint(msgspec.json.encode([e.text for e in dev])),
        }
        data = data_hash(texts.labelled) if isinstance(texts.labelled, Path) else None
        self.student = TripleTraining(
            self.items, dev, plan, begun.encoder, vectors=begun.vectors, facts=begun.facts
        )
        super().__init__(self.student, data, {**begun.identity, **self._source}, allow)

    def read(
        self,
        out: Path,
        *,
        resume: bool = False,
        overwrite: bool = False,
        advance: Callable[[int], None] = lambda texts: None,
    ) -> None:
        """Let the teacher read all texts, once; what it says is kept until ``out`` is written.

        Args:
            out: the model folder that will be written.
            resume: see ``run``.
            overwrite: see ``run``.
            advance: called with the number of texts read.

        Raises:
            TrainingError: an unfinished training is in the way.
        """
        checkpoint = self.checkpoint(out)
        if checkpoint.resumes(resume=resume, overwrite=overwrite):
            checkpoint.load()  # refuses before the teacher begins
        texts = chain((example.text for example in self._examples), self.raw)
        answers = checkpoint.path / "answers"
        self.items.listen(soft.build(answers, self._source, texts, self.teacher, advance))

    def run(
        self,
        out: Path,
        *,
        resume: bool = False,
        overwrite: bool = False,
        report: Callable[[Step | Epoch], None] | None = None,
    ) -> dict[str, Any]:
        """Let the teacher read what it has not yet, train, and write ``out``; see ``Journey``."""
        self.read(out, resume=resume, overwrite=overwrite)
        return super().run(out, resume=resume, overwrite=overwrite, report=report)

    def _priors(self, plan: Plan) -> Priors | None:
        if not plan.settings.priors:
            return None
        if not self.facts and not any(example.triples for example in self._examples):
            raise DataError(
                "priors=true takes triples from labelled lines or facts; give some, or leave it out"
            )
        return Priors.learn(self._examples, self.teacher.labels, self.facts)

    def _write(self, out: Path, *, overwrite: bool) -> dict[str, Any]:
        taught = folder.Taught(
            teacher=self._source["teacher"], labelled=len(self._examples), raw=self.raw.count
        )
        figures = evaluation.score(self.teacher, self.student.dev).figures()
        return self.student.write(
            out, data=self.data, taught=taught, beside={"teacher": figures}, overwrite=overwrite
        )


class RawTexts:
    """Texts of files, read anew whenever they are gone through.

    Attributes:
        count: of the texts given, once they were gone through.
        left_out: of those that are known already.
    """

    def __init__(self, files: Sequence[Path], known: Collection[str]) -> None:
        """``known`` texts have labels, or would flatter the score if they were learned from."""
        self.count = self.left_out = 0
        self._files, self._known = files, known

    def __iter__(self) -> Iterator[str]:
        """The texts; what is empty is passed over."""
        self.count = self.left_out = 0
        for text in texts_of(self._files):
            if text in self._known:
                self.left_out += 1
            elif text.strip():
                self.count += 1
                yield text


def _labelled(texts: Texts) -> tuple[list[TripleExample], list[TripleExample]]:
    """What to learn from and what to choose by."""
    known, dev = (
        read_triples(given) if isinstance(given, Path) else list(given or ())
        for given in (texts.labelled, texts.dev)
    )
    if texts.dev is not None:
        return known, dev
    if not known:
        raise DataError("labelled lines are needed to choose by; give dev data")
    return split_by_hash(known)


def _check_labels(examples: Sequence[TripleExample], labels: Collection[Label]) -> None:
    found = {Label.of(triple) for example in examples for triple in example.triples}
    strange = sorted(found - set(labels), key=lambda label: label.sort_key)
    if strange:
        names = ", ".join(" ".join(filter(None, msgspec.structs.astuple(k))) for k in strange[:5])
        raise DataError(
            f"the teacher knows nothing of {len(strange)} label(s) of the labelled lines: {names}; "
            "train it on them first, or leave them out"
        )


def _check_reading(codec: TextCodec, teacher: TripleModel, plan: Plan) -> None:
    ours, theirs = codec.rules, teacher.codec.rules
    if (ours.window, ours.overlap) != (theirs.window, theirs.overlap):
        raise DataError(
            f"the teacher reads windows of {theirs.window} units that overlap by "
            f"{theirs.overlap}, the student windows of {ours.window} that overlap by "
            f"{ours.overlap}; pass --set window={theirs.window} --set overlap={theirs.overlap} "
            "(with --init they are the encoder's)"
        )
    if plan.fitting.reading not in (None, teacher.reading):
        raise DataError(
            f"a student reads as much at once as its teacher (reading={teacher.reading}); "
            f"leave out reading={plan.fitting.reading}"
        )
    if plan.settings.pairing == "spans" and teacher.thresholds.span is UNSET:
        raise DataError(
            "the teacher pairs starts with the nearest ends and tells no spans that a student with "
            "pairing=spans could learn; leave it out, or train a teacher with it"
        )


def _hash_of_model(path: Path) -> str:
    opened = folder.ModelFolder(path)
    graphs = [
        f"{name}.onnx" for kind in ("encoder", "objects") for name in opened.graph_names(kind)
    ]
    return data_hash(*(path / name for name in (folder.MANIFEST, folder.CODEC, *graphs)))
