"""A made-up base of namesakes, painters and rivers, and sentences that name them."""

from __future__ import annotations

import random
from collections.abc import Iterator

from quern.records import Entity, LabelledMention, LinkExample

SIGNS = "甲乙丙丁戊己庚辛壬癸子丑寅卯辰巳午未申酉戌亥"
_FRAMES = {
    "p": ("{}在城里办了画展。", "我见过{}画的山水。", "这幅画是{}的。"),
    "r": ("{}今年涨水了。", "桥下就是{}，水很急。", "我们在{}里游泳。"),
}


def names(count: int, seed: int) -> list[str]:
    """Different names of two signs."""
    rng = random.Random(seed)
    return list(dict.fromkeys("".join(rng.sample(SIGNS, 2)) for _ in range(count)))


def entities(of: list[str]) -> Iterator[Entity]:
    """Of each name a painter and a river."""
    for name in of:
        yield Entity(f"p-{name}", name, (), "一位画家，在城里办过画展，画过许多山水。", ("画家",))
        yield Entity(f"r-{name}", name, (), "一条河，水很急，年年涨水，有一座桥。", ("河",))


def corpus(of: list[str], count: int, seed: int) -> list[LinkExample]:
    """Sentences that name one of them, or somebody whom the base lacks."""
    rng = random.Random(seed)
    some = []
    for line in range(1, count + 1):
        kind, name = rng.choice("pr"), rng.choice(of)
        frame = rng.choice(_FRAMES[kind])
        known = rng.random() < 0.9
        shown = name if known else f"{name}子"
        label = LabelledMention(shown, frame.find("{}"), f"{kind}-{name}" if known else None)
        some.append(LinkExample(frame.format(shown), (label,), line=line))
    return some
