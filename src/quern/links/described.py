"""An entity as it is read: its name, and all that tells it from its namesakes."""

from __future__ import annotations

import hashlib

from quern.records import Entity


def described(entity: Entity) -> str:
    """What is read of an entity, a line for each part; the first line is its name.

    Types come before aliases and description, which may be long; facts are ``predicate：object``.
    """
    lines = [entity.name, "；".join(entity.types), "；".join(entity.aliases), entity.description]
    lines += [f"{predicate}：{object_}" for predicate, object_ in entity.facts]
    return "\n".join(line for line in lines if line)


def text_hash(text: str) -> str:
    """What tells one description from another; it changes with every edit."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:32]
