"""A made-up, seeded corpus of labelled triples, Chinese and English, for tests."""

from __future__ import annotations

import random

from quern.records import LabelledTriple, TripleExample

_SURNAMES = "王李张刘陈杨黄赵吴周徐孙马朱胡郭何林高罗"
_GIVEN = "伟芳娜敏静丽强磊军洋勇艳杰涛明超霞平刚桂英华玉兰"
_CITIES = ["临安", "云州", "青石镇", "白沙", "北陵", "Graymouth", "Tilbury", "Eastvale", "Norden"]
_FIRMS = ["蓝鲸书局", "星海公司", "晨光社", "Halden Works", "Orrin & Co", "Mill Street Press"]
_FIRST = ["Ada", "Boris", "Clara", "Dmitri", "Elsa", "Felix", "Greta", "Hugo", "Ines", "Jonas"]
_LAST = ["Marlow", "Vance", "Okafor", "Lindqvist", "Petrov", "Sato", "Duarte", "Keller"]

_TEMPLATES: list[tuple[str, list[tuple[str, str, str]]]] = [
    ("{p}的父亲是{q}。", [("p", "父亲", "q")]),
    ("{p}出生于{c},后来加入{f}", [("p", "出生地", "c"), ("p", "任职", "f")]),
    ("{p}和{q}都在{f}工作", [("p", "任职", "f"), ("q", "任职", "f")]),
    ("昨天{c}下了一场大雨。", []),
    ("{P} was born in {c} and works for {f}.", [("P", "born in", "c"), ("P", "works for", "f")]),
    ("{P}, father of {Q}, lives in {c}.", [("Q", "father", "P"), ("P", "lives in", "c")]),
    ("It rained in {c} all day.", []),
]
_WEATHER = ["昨天北陵下了一场大雨。", "It rained in Norden all day. "]


def corpus(count: int, seed: int = 0) -> list[TripleExample]:
    """``count`` sentences with their triples; the same for the same seed."""
    rng = random.Random(seed)
    return [_sentence(rng, line) for line in range(1, count + 1)]


def _sentence(rng: random.Random, line: int) -> TripleExample:
    template, facts = rng.choice(_TEMPLATES)
    p, q = rng.sample([a + b for a in _SURNAMES for b in _GIVEN], 2)
    capital_p, capital_q = rng.sample([f"{a} {b}" for a in _FIRST for b in _LAST], 2)
    names = {"p": p, "q": q, "P": capital_p, "Q": capital_q}
    names |= {"c": rng.choice(_CITIES), "f": rng.choice(_FIRMS)}
    triples = tuple(LabelledTriple(names[s], r, names[o]) for s, r, o in facts)
    weather = "".join(rng.choice(_WEATHER) for _ in range(rng.choice((0, 0, 1, 3))))
    return TripleExample(weather + template.format(**names), triples, line=line)
