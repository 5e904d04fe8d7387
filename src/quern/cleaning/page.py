"""Proposals as one HTML page to accept or refuse them on."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from importlib.resources import files
from itertools import groupby

import msgspec

from quern import page as html
from quern.cleaning.votes import Proposal
from quern.evaluation import Fact
from quern.evaluation.report import marked


def page(proposals: Sequence[Proposal], title: str) -> str:
    """The page: every proposal with its votes in its text, a box to tick, a button to save.

    Args:
        proposals: in the order of their lines.
        title: plain text.
    """
    adds = sum(proposal.action == "add" for proposal in proposals)
    lines = groupby(enumerate(proposals), key=lambda item: item[1].line)
    body = [
        f"<p>{adds:,} to add, {len(proposals) - adds:,} to remove. Tick what is right, save, and "
        "carry it out with <code>quern clean FILE --apply accepted.jsonl --out NEW</code>.</p>",
        '<form><button type="button" id="all">tick all</button> '
        '<button type="button" id="none">tick none</button> '
        '<a id="save" download="accepted.jsonl" href="#">save <b id="count">0</b> accepted</a>'
        "</form>",
        *(_line([*group]) for _, group in lines),
    ]
    style = files("quern.evaluation").joinpath("report.css").read_text("utf-8")
    script = files("quern.cleaning").joinpath("page.js").read_text("utf-8")
    return html.whole(title, body, style, script)


def _line(group: Sequence[tuple[int, Proposal]]) -> str:
    first = group[0][1]
    facts = [_fact(proposal) for _, proposal in group]
    items = "".join(_item(number, proposal) for number, proposal in group)
    return (
        f'<article><div class="soft">line {first.line}</div>'
        f'<p class="text" dir="auto">{marked(first.text, facts)}</p><ul>{items}</ul></article>'
    )


def _item(number: int, proposal: Proposal) -> str:
    kind = "right" if proposal.action == "add" else "wrong"
    subject, predicate, object_ = (escape(part) for part in proposal.triple)
    said = f" {proposal.votes} of {proposal.of} votes"
    said += "" if proposal.score is None else f", score {proposal.score:.2f}"
    said += "" if proposal.sought else ", not looked for in this line"
    # In the page the proposal stands as the very line that the button saves.
    line = escape(msgspec.json.encode(proposal).decode(), quote=True)
    return (
        f'<li><label><input type="checkbox" data-line="{line}"> '
        f'<span class="kind {kind}">{proposal.action}</span>'
        f"<bdi>{subject}</bdi> → <b>{predicate}</b> → <bdi>{object_}</bdi>"
        f'<span class="soft">{said}</span></label></li>'
    )


def _fact(proposal: Proposal) -> Fact:
    subject, predicate, object_ = proposal.triple
    ends = []
    for part, start in (
        (subject, proposal.subject_start),
        (object_, proposal.object_start),
    ):
        at = proposal.text.find(part) if start is None else start
        ends.append(None if at < 0 else (at, at + len(part)))
    status = "right" if proposal.action == "add" else "wrong"
    return Fact(status, subject, predicate, object_, *ends)  # type: ignore[arg-type]
