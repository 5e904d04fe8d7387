"""What the votes of fold models bring for labels with gaps, which duie has as it was published.

The incomplete lines of duie lack about 30 % of their triples. Models that were trained on the
set by folds vote on them, as ``quern clean`` does. How often they are right is told in two ways:
by the facts that complete lines of the set state too, and by labels hidden from complete lines.
"""

from __future__ import annotations

import random
import re
import sys
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from benchmarks import sets
from benchmarks.options import Options, Outcome
from quern import shipped
from quern.cleaning import Proposal, propose, read_proposals, repaired
from quern.data import data_hash, read_triples, writing
from quern.errors import DataError
from quern.evaluation.judging import was_sought
from quern.folder import MANIFEST, ModelFolder
from quern.metrics import Counts
from quern.records import TripleExample
from quern.triples import TripleModel

HIDDEN = 0.3  # the share of labels that duie's incomplete lines lack
ALIKE = 0.8  # shared trigrams of characters, from which on two texts are nearly the same
_FOLD = re.compile(r"fold-(\d+)")
_CHUNK = 512

Key = tuple[str, str, str]


def cases(options: Options) -> list[str]:
    """The set with incomplete lines."""
    return ["duie"]


def run(case: str, options: Options) -> Outcome:
    """Let fold models vote, confirm what they propose, and write the mended labels."""
    source = sets.triples_path(options.data, case, "train")
    marked = sets.MADE / f"{case}.jsonl"
    sets.write(marked, sets.examples(source))
    folders = folds(options.models, marked)
    examples = read_triples(marked)
    gaps = [example for example in examples if not example.complete]
    whole = [example for example in examples if example.complete]
    models = [shipped.load(folder) for folder in folders]
    proposals = voted(models, gaps, _kept_votes(case, marked, folders))
    added = [p for p in proposals if p.action == "add" and p.votes == len(folders)]
    target = sets.MADE / f"{case}-repaired.jsonl"
    with writing(target) as stream:
        stream.writelines(repaired(marked, added))
    print(f"  {target}: {len(added):,} triples added", file=sys.stderr)
    figures = {
        "folds": len(folders),
        "trained_on": _trained_on(folders, source, marked),
        "lines": len(gaps),
        "labels": sum(len(example.triples) for example in gaps),
        "added": len(added),
        "doubted": sum(p.action == "remove" for p in proposals),
        "by_votes": confirmed(proposals, Evidence(whole)),
        "hiding": hiding(models, whole, options.seed),
    }
    return Outcome(figures, [source])


# -- the models -------------------------------------------------------------------------------


def folds(models: Sequence[str], marked: Path) -> list[Path]:
    """The folders ``fold-0`` to ``fold-K``, in that order, given singly or by what holds them.

    Raises:
        DataError: there are none, or not all of one training by folds.
    """
    given = [Path(model) for model in models]
    found = [
        part
        for path in given
        for part in ([path] if (path / MANIFEST).is_file() else path.glob("fold-*"))
        if (part / MANIFEST).is_file()
    ]
    numbered = {int(match[1]): path for path in found if (match := _FOLD.fullmatch(path.name))}
    if len(numbered) < 2 or sorted(numbered) != list(range(len(found))):
        raise DataError(
            "this wants all models of one training by folds, named fold-0, fold-1, …; train them by"
            f"\n  quern train triples {marked} --dev DATA/triples/duie/dev.jsonl --folds 8 --out "
            "FOLDS --allow absent --allow border --set augment=0.5\n"
            "and pass them with --model FOLDS"
        )
    return [numbered[number] for number in sorted(numbered)]


def _trained_on(folders: Sequence[Path], source: Path, marked: Path) -> str:
    """The file they read; of the published one they cannot know which lines have gaps."""
    known = {data_hash(marked): "marked lines", data_hash(source): "published lines"}
    hashes = {ModelFolder(folder).manifest.data for folder in folders}
    return known.get(hashes.pop() or "", "other lines") if len(hashes) == 1 else "several files"


# -- votes ------------------------------------------------------------------------------------


def _kept_votes(case: str, marked: Path, folders: Sequence[Path]) -> Path:
    """Where the votes of just these models on just these lines are kept."""
    files = [folder / name for folder in folders for name in _graphs_and_manifest(folder)]
    return sets.MADE / f"{case}-proposals-{data_hash(marked, *files)[:12]}.jsonl"


def _graphs_and_manifest(folder: Path) -> list[str]:
    return sorted(path.name for path in (*folder.glob("*.onnx"), folder / MANIFEST))


def voted(
    models: Sequence[TripleModel], examples: Sequence[TripleExample], kept: Path
) -> list[Proposal]:
    """What more than half of the models propose; read again from ``kept`` where it is there."""
    if kept.is_file():
        print(f"  {kept.name}: voted already", file=sys.stderr)
        return read_proposals(kept)
    most = len(models) // 2 + 1
    found = list(propose(models, examples, add=most, advance=_progress(len(examples))))
    with writing(kept) as stream:
        stream.writelines(msgspec.json.encode(proposal) + b"\n" for proposal in found)
    return found


def _progress(total: int) -> Callable[[int], None]:
    done = 0

    def advance(texts: int) -> None:
        nonlocal done
        done += texts
        print(f"  {done:,} of {total:,} lines voted on", file=sys.stderr)

    return advance


# -- confirming -------------------------------------------------------------------------------


class Evidence:
    """What complete lines say of a fact that is proposed for another line.

    It says that the fact is one that people label, not that the other line states it.
    """

    def __init__(self, complete: Sequence[TripleExample]) -> None:
        """Take in complete lines."""
        self.facts = {triple.key for example in complete for triple in example.triples}
        self._lines = list(complete)
        self._trigrams = [trigrams(example.text) for example in complete]
        self._holders: dict[str, list[int]] = defaultdict(list)
        for number, of_line in enumerate(self._trigrams):
            for trigram in of_line:
                self._holders[trigram].append(number)

    def twin(self, text: str) -> TripleExample | None:
        """The complete line with the most like text, if it is nearly the same."""
        mine = trigrams(text)
        shared = Counter(number for trigram in mine for number in self._holders.get(trigram, ()))

        def likeness(number: int) -> float:
            return shared[number] / (len(mine) + len(self._trigrams[number]) - shared[number])

        best = max(shared, key=likeness, default=None)
        return self._lines[best] if best is not None and likeness(best) >= ALIKE else None


def trigrams(text: str) -> set[str]:
    """Runs of three letters, digits or Han characters; marks and white space are left out."""
    bare = "".join(filter(str.isalnum, text))
    return {bare[at : at + 3] for at in range(len(bare) - 2)}


def confirmed(proposals: Iterable[Proposal], evidence: Evidence) -> dict[str, dict[str, int]]:
    """Proposals to add, by the votes for them, and what complete lines say of them.

    ``elsewhere`` counts those whose subject, predicate and object are labelled in a complete
    line, word for word. ``twins`` counts those for which a complete line with nearly the same
    text, in which both ends occur, was labelled for the predicate, and ``twins_agree`` those
    of them that it has. ``not_sought`` counts predicates that the line was not labelled for.
    """
    found: dict[int, Counter[str]] = defaultdict(Counter)
    twins: dict[str, TripleExample | None] = {}
    for proposal in proposals:
        if proposal.action != "add":
            continue
        if proposal.text not in twins:
            twins[proposal.text] = evidence.twin(proposal.text)
        subject, predicate, object_ = proposal.triple
        counts = found[proposal.votes]
        counts["proposed"] += 1
        counts["not_sought"] += not proposal.sought
        counts["elsewhere"] += proposal.triple in evidence.facts
        twin = twins[proposal.text]
        if twin and was_sought(twin, predicate) and subject in twin.text and object_ in twin.text:
            counts["twins"] += 1
            counts["twins_agree"] += any(triple.key == proposal.triple for triple in twin.triples)
    names = ("proposed", "not_sought", "elsewhere", "twins", "twins_agree")
    return {
        str(votes): {name: found[votes][name] for name in names}
        for votes in sorted(found, reverse=True)
    }


# -- hiding -----------------------------------------------------------------------------------


class Hidden(NamedTuple):
    """A line of which some facts are hidden."""

    kept: frozenset[Key]
    hidden: frozenset[Key]


def hide(example: TripleExample, share: float, seed: int) -> Hidden:
    """Hide each fact of a line with the same chance; the lot is drawn from seed and text."""
    lot = random.Random(f"{seed} {example.text}")
    facts = dict.fromkeys(triple.key for triple in example.triples)
    hidden = frozenset(fact for fact in facts if lot.random() < share)
    return Hidden(frozenset(facts) - hidden, hidden)


def hiding(
    models: Sequence[TripleModel], complete: Sequence[TripleExample], seed: int
) -> dict[str, Any]:
    """What each model proposes for complete lines of its own fold, with labels hidden from them.

    Only the model that was not trained on a line is asked; the others know its whole labels.
    A proposal of all votes has that one's too, so what all find is less than is said here.
    A proposal that nobody labelled counts as wrong, also where the labels are.
    """
    from quern.train.fit import Fold  # the one place that says which line lies in which fold

    counts, lines = Counts(), 0
    for number, model in enumerate(models):
        fold = Fold(number, len(models))
        unseen = [example for example in complete if fold.holds(example.text)]
        lines += len(unseen)
        for at in range(0, len(unseen), _CHUNK):
            some = unseen[at : at + _CHUNK]
            found = model([example.text for example in some])
            for example, triples in zip(some, found, strict=True):
                recovered(counts, example, {triple.key for triple in triples}, seed)
        print(f"  fold {number}: {len(unseen):,} complete lines read", file=sys.stderr)
    return {
        "share": HIDDEN,
        "lines": lines,
        "hidden": counts.wanted,
        "proposed": counts.given,
        **counts.figures(),
    }


def recovered(counts: Counts, example: TripleExample, found: set[Key], seed: int) -> None:
    """Count what is hidden of a line, what is found beyond the labels kept, and what is both."""
    kept, hidden = hide(example, HIDDEN, seed)
    counts.add(hidden, {fact for fact in found - kept if was_sought(example, fact[1])})
