"""Keys of names: what is folded, what is not, and that offsets hold."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nasty import texts
from quern.text.grams import counterparts, grams_of_names
from quern.text.hashing import PrefixHashes
from quern.text.keys import INSIDE, key_of, keyed, keys_of
from quern.text.script import simplified
from quern.text.windows import WIDTH, Windows, hashes_of_names

SAME = [
    ("台灣大學", "台湾大学"),
    ("石橋夜話", "《石桥夜话》"),
    ("让·雅克", "让-雅克", "让雅克", "讓・雅克"),
    ("Type-2 Diabetes", "type 2 diabetes", "TYPE２ DIABETES"),
    ("Tilbury, Essex", "Tilbury Essex"),
    ("J.R. Marlow", "J. R. Marlow", "j r marlow"),
    ("Straße", "STRASSE"),
    ("Café", "Cafe\u0301"),
    ("R&D", "R & D"),
    ("17K小说", "17k 小说", "１７K小說"),
    ("㈱", "(株)", "株"),
    ("Dr. Vale", "Dr Vale"),
    ("❤", "❤\ufe0f"),
    ("葛城", "葛\U000e0100城"),
    ("?!", "？\x00！", "?\udc80!"),
]
OTHER = [
    ("C", "C++", "C#"),
    ("上海", "上，海", "上。海", "上「海"),
    ("AB C", "A BC"),
    ("Moor: Halden", "Moor Halden"),
    ("the mill Rome", "the mill. Rome"),
    ("x2", "x²y"),
]


@pytest.mark.parametrize("names", SAME)
def test_names_that_are_one(names: tuple[str, ...]) -> None:
    assert len({key_of(name) for name in names}) == 1


@pytest.mark.parametrize("names", OTHER)
def test_names_that_are_not(names: tuple[str, ...]) -> None:
    assert key_of(names[0]) not in {key_of(name) for name in names[1:]}


def test_keys_read_well() -> None:
    assert keys_of(["Deletion 5p (whole)", "C++", "臺灣", "!?", " ", "½ pint"]) == [
        "deletion 5 p|whole",
        "c++",
        "台湾",
        "!?",
        "",
        "1⁄2 pint",
    ]


def test_the_table_of_scripts_is_one_to_one_and_settled() -> None:
    table = simplified()
    assert len(table) > 3000
    assert not table.keys() & {ord(new) for new in table.values()}


@given(texts())
def test_a_key_is_its_own_key(text: str) -> None:
    assert key_of(key_of(text)) == key_of(text)


@given(st.lists(texts(6), max_size=6))
def test_together_as_alone(several: list[str]) -> None:
    assert keys_of(several) == [key_of(text) for text in several]


@given(texts())
def test_every_stretch_is_the_key_of_its_slice(text: str) -> None:
    written = keyed([text])
    stream = written.codes.tobytes().decode("utf-32-le")
    stretches = Windows(written).short(0, len(written.firsts))
    for first, last in zip(stretches.first.tolist(), stretches.last.tolist(), strict=True):
        start, end = written.starts[first], written.ends[last]
        assert INSIDE not in (start, end)
        assert stream[written.firsts[first] : written.lasts[last]] == key_of(text[start:end])


@given(st.lists(texts(4), max_size=5))
def test_pieces_stand_in_their_own_text(several: list[str]) -> None:
    written = keyed(several)
    assert written.pieces[0] == 0
    assert written.pieces[-1] == len(written.firsts)
    for number, text in enumerate(several):
        ends = written.ends[written.pieces[number] : written.pieces[number + 1]]
        assert all(end <= len(text) for end in ends)


@given(st.text(max_size=40), st.text(max_size=40))
def test_hashes_tell_strings_apart_wherever_they_stand(one: str, other: str) -> None:
    codes = np.array([ord(c) for c in one + other + one], dtype=np.uint32)
    borders = np.cumsum([0, len(one), len(other), len(one)])
    first, middle, last = PrefixHashes(codes)(borders[:-1], borders[1:]).tolist()
    assert first == last
    assert (first == middle) == (one == other)


def test_a_long_name_is_known_by_its_beginning() -> None:
    long = " ".join(f"{chr(97 + n)}{chr(97 + n)}" for n in range(WIDTH + 1))
    assert len(hashes_of_names(keyed([long]))[0]) == 2
    assert len(hashes_of_names(keyed([long[:-3]]))[0]) == 1
    assert hashes_of_names(keyed([long, "…"]))[1] == WIDTH + 1


def grams(name: str) -> set[int]:
    return set(grams_of_names(keyed([name])).grams.tolist())


def test_grams_do_not_mind_the_order_of_words() -> None:
    assert {g for g in grams("mill owner") if g > 0} == {g for g in grams("owner mill") if g > 0}


def test_a_wrong_character_of_three_leaves_something() -> None:
    assert len(grams("岳小青") & grams("岳晓青")) == 3


def test_an_abbreviation_and_what_it_stands_for_are_counterparts() -> None:
    of = {name: {g for g in grams(name) if g < 0} for name in ("HMB", "Halden Mill Bureau", "G6pd")}
    long = np.array(sorted(of["Halden Mill Bureau"]))
    assert set(counterparts(long).tolist()) & of["HMB"]
    assert not set(counterparts(long).tolist()) & of["Halden Mill Bureau"]
    assert not set(counterparts(long).tolist()) & of["G6pd"]


@given(st.lists(texts(6), max_size=6))
def test_grams_together_as_alone(several: list[str]) -> None:
    together = grams_of_names(keyed(several))
    for number, text in enumerate(several):
        assert set(together.grams[together.names == number].tolist()) == grams(text)
