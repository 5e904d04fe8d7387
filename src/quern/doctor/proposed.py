"""Labelled mentions held against a knowledge base: can their entities be chosen at all?"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence

import msgspec

from quern.data import BadLine
from quern.doctor.findings import File, Place, findings
from quern.doctor.links import LINK_KINDS, LinkFile, LinkReport, Reach
from quern.evaluation.link_figures import FIRST, RecallAt
from quern.evaluation.linking import LinkFact, Proposes, judge_choices, labelled_ids
from quern.kb import KnowledgeBase
from quern.links.candidates import Candidates, CandidateSettings, Proposal
from quern.links.entity_counts import EntityCounts
from quern.links.exchanges import Exchanges
from quern.records import Entity, Link, LinkExample, ids_of

Rows = Sequence[LinkExample | BadLine]


def examine_candidates(
    report: LinkReport,
    train: Rows,
    dev: Rows | None,
    kb: KnowledgeBase,
    advance: Callable[[int], None] = lambda count: None,
) -> LinkReport:
    """Add to a report how many entities are candidates, and which mentions miss theirs.

    Candidates are those that training proposes: a text of ``train`` does not see what its own
    labels say of a name.

    Args:
        report: of the same rows.
        train: examples to train on.
        dev: examples to choose by.
        kb: the knowledge base.
        advance: is told how many texts are done.

    Raises:
        StoreError: the base cannot be read.
    """
    files: dict[File, list[LinkExample]] = {"train": _standing(train)}
    if dev is not None:
        files["dev"] = _standing(dev)
    exchanges = Exchanges.learn(kb)
    counts = EntityCounts.learn(files["train"])
    candidates = Candidates(kb, counts, CandidateSettings(candidates=max(FIRST)), exchanges)
    known = kb.entities(labelled_ids([each for of_one in files.values() for each in of_one]))
    own = {example.text: example for example in files["train"]}
    reached, found = {}, []
    for name, examples in files.items():
        # Dev is proposed to as it will be scored.
        propose = _leaving_out(candidates, own if name == "train" else {})
        facts: list[tuple[LinkExample, LinkFact]] = []
        for judged in judge_choices(_none, propose, set(known), examples):
            facts += [(judged.example, fact) for fact in judged.facts]
            advance(1)
        reached[name] = reach([fact for _, fact in facts])
        found += findings(name, _missed(facts, known), LINK_KINDS)
    order = list(LINK_KINDS)
    return msgspec.structs.replace(
        report,
        train=_with(report.train, reached["train"]),
        dev=None if report.dev is None else _with(report.dev, reached["dev"]),
        findings=tuple(sorted((*report.findings, *found), key=lambda f: order.index(f.kind))),
    )


def reach(facts: Sequence[LinkFact]) -> Reach:
    """How many labelled mentions have their entity in the base, and among the candidates."""
    linked = [fact for fact in facts if fact.wanted is not None and fact.known]
    ranks = [fact.rank for fact in linked if fact.rank is not None]
    return Reach(
        linked=len(linked),
        lacking=sum(not fact.known for fact in facts),
        unproposed=len(linked) - len(ranks),
        candidates=tuple(
            RecallAt(k, sum(rank <= k for rank in ranks) / len(linked) if linked else None)
            for k in FIRST
        ),
    )


def _standing(rows: Rows) -> list[LinkExample]:
    """Examples with those mentions that stand where they are said to; others are lost anyway."""
    examples = []
    for row in rows:
        if isinstance(row, LinkExample):
            there = [m for m in row.mentions if row.text[slice(*m.place)] == m.mention]
            examples.append(msgspec.structs.replace(row, mentions=tuple(there)))
    return examples


def _none(texts: Sequence[str], mentions: object) -> list[list[Link]]:
    """No answers: only candidates are asked for."""
    return [[] for _ in texts]


def _leaving_out(candidates: Candidates, own: dict[str, LinkExample]) -> Proposes:
    def propose(
        texts: Sequence[str], places: Sequence[Sequence[tuple[int, int]]]
    ) -> list[list[list[Proposal]]]:
        return candidates.of_texts(texts, places, [own.get(text) for text in texts])

    return propose


def _missed(
    facts: Iterable[tuple[LinkExample, LinkFact]], known: dict[str, Entity]
) -> dict[str, list[Place]]:
    found: dict[str, list[Place]] = defaultdict(list)
    for example, fact in facts:
        ids = sorted(ids_of(fact.wanted))
        if not fact.known:
            lacking = ", ".join(id_ for id_ in ids if id_ not in known)
            found["lacking"].append(Place(example.line, f"'{fact.text}': {lacking}"))
        elif fact.wanted is not None and fact.rank is None:
            called = ", ".join(f"'{known[id_].name}' ({id_})" for id_ in ids)
            found["unproposed"].append(Place(example.line, f"'{fact.text}': {called}"))
    return found


def _with(file: LinkFile, reached: Reach) -> LinkFile:
    return msgspec.structs.replace(file, reach=reached)
