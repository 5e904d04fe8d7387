"""Which mentions of a document are of one thing, where the knowledge base does not say so."""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from quern.graphs.records import LOCAL, VALUE, Node
from quern.links.abbreviations import abbreviations
from quern.records import TOGETHER
from quern.text.keys import keys_of
from quern.text.units import is_han


class Place(NamedTuple):
    """A mention, and what is known of what it means.

    Attributes:
        start: where it begins, in code points.
        end: where it ends.
        text: its words.
        node: what it means by the knowledge base, None where that lacks it.
        type: of what it means, empty where nothing says so.
    """

    start: int
    end: int
    text: str
    node: Node | None
    type: str = ""


def resolve(text: str, places: Sequence[Place]) -> list[Node]:
    """The node of each mention.

    What the base knows is what it says. Of the rest, those of one name are one thing; a short form
    that the text explains is its long form; a name that is the beginning or the end of just one
    longer name before it is that one's ("Mara Holt … Holt"). Two types make two things.
    """
    keys = keys_of([place.text for place in places])
    longer = _longer(text, places, keys)
    types = _types(places, keys, longer)
    known = {keys[i]: place.node for i, place in enumerate(places) if place.node is not None}
    names: dict[str, str] = {}
    for place, key in zip(places, keys, strict=True):
        names.setdefault(key, place.text)
    nodes = []
    for place, key in zip(places, keys, strict=True):
        if place.node is not None:
            nodes.append(place.node)
            continue
        full = longer.get(key, key)
        node = known.get(full) if full != key else None
        nodes.append(node or local(names[full], full, place.type or types[full]))
    return nodes


def local(name: str, key: str, type_: str) -> Node:
    """What stands for a thing that the knowledge base lacks: the same name and type, one node."""
    digest = hashlib.sha256(f"{key}\0{type_}".encode("utf-8", "surrogatepass")).hexdigest()
    return Node(f"{LOCAL}{digest[:16]}", name, (type_,) if type_ else ())


def parts_of(node: Node) -> tuple[Node, ...]:
    """The nodes that one stands for: several where several entities are meant together."""
    ids, names = node.id.split(TOGETHER), node.name.split(TOGETHER)
    if len(ids) == 1 or not node.known:
        return (node,)
    names = names if len(names) == len(ids) else [node.name] * len(ids)
    return tuple(Node(*each, node.types) for each in zip(ids, names, strict=True))


def value(text: str, type_: str = "") -> Node:
    """What stands for a plain value."""
    said = " ".join(text.split())
    return Node(f"{VALUE}{said}", said, (type_,) if type_ else ())


def _longer(text: str, places: Sequence[Place], keys: Sequence[str]) -> dict[str, str]:
    """By the key of a short name, that of the one longer name it stands for."""
    first: dict[str, int] = {}
    for place, key in zip(places, keys, strict=True):
        first[key] = min(place.start, first.get(key, place.start))
    known = {key for place, key in zip(places, keys, strict=True) if place.node is not None}
    short = abbreviations(text)
    explained = dict(zip(keys_of(list(short)), keys_of(list(short.values())), strict=True))
    holders: dict[str, list[str]] = defaultdict(list)
    for other in first:
        for part in _parts(other):
            holders[part].append(other)
    found: dict[str, str] = {}
    for key in first:
        if key in known:
            continue
        if explained.get(key) in first:
            found[key] = explained[key]
            continue
        fits = [other for other in holders.get(key, ()) if first[other] < first[key]]
        longest = [one for one in fits if all(o == one or o in _parts(one) for o in fits)]
        if len(longest) == 1:
            found[key] = longest[0]
    return {key: found.get(other, other) for key, other in found.items()}


def _parts(name: str) -> set[str]:
    """What a name begins or ends with: whole words, or two Han signs at least of Han alone."""
    words = name.split(" ")
    parts = {" ".join(words[:at]) for at in range(1, len(words))}
    parts |= {" ".join(words[at:]) for at in range(1, len(words))}
    if all(map(is_han, name)):
        parts |= {name[:at] for at in range(2, len(name))}
        parts |= {name[-at:] for at in range(2, len(name))}
    return parts


def _types(
    places: Sequence[Place], keys: Sequence[str], longer: Mapping[str, str]
) -> dict[str, str]:
    """By the key of a name, its type where mentions agree on one; else none."""
    told: dict[str, Counter[str]] = defaultdict(Counter)
    for place, key in zip(places, keys, strict=True):
        of = told[longer.get(key, key)]
        if place.type:
            of[place.type] += 1
    return defaultdict(str, {key: next(iter(of)) for key, of in told.items() if len(of) == 1})
