"""What models make of entities and a base keeps: found again, stale after a change, not needed."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec.structs import replace

from quern.kb import KnowledgeBase
from quern.kb.migrations import APPLICATION, MIGRATIONS
from quern.links.described import described, text_hash
from quern.records import Entity

MILL = Entity("m", "石橋磨坊", ("Stone Mill",), "磨面的地方。", ("place",), (("in", "云州"),))
TOWN = Entity("t", "云州")


@pytest.fixture
def kb(tmp_path: Path) -> Iterator[KnowledgeBase]:
    with KnowledgeBase.open(tmp_path / "a.kb", create=True) as base:
        base.load([MILL, TOWN])
        yield base


def hash_of(entity: Entity) -> str:
    return text_hash(described(entity))


def test_many_entities_in_one_query(kb: KnowledgeBase) -> None:
    assert kb.entities(["t", "m", "x", "t"]) == {"m": MILL, "t": TOWN}
    assert kb.entities([]) == {}


def test_a_description_has_all_that_tells_namesakes_apart() -> None:
    assert described(MILL) == "石橋磨坊\nplace\nStone Mill\n磨面的地方。\nin：云州"
    assert described(TOWN) == "云州"
    read = [{"name": "磨坊"}, {"aliases": ()}, {"description": "。"}, {"types": ()}, {"facts": ()}]
    hashes = {hash_of(replace(MILL, **change)) for change in read}
    assert len({*hashes, hash_of(MILL)}) == 6
    # How often an entity is meant is not read.
    assert hash_of(replace(MILL, popularity=3.0)) == hash_of(MILL)


def test_what_is_kept_is_given_for_its_model_and_its_text(kb: KnowledgeBase) -> None:
    wanted = [(entity.id, hash_of(entity)) for entity in (MILL, TOWN)]
    assert kb.encodings("one", wanted) == {}
    kb.keep_encodings("one", [(*wanted[0], b"\x00m"), (*wanted[1], b"t"), ("gone", "h", b"x")])
    kb.keep_encodings("two", [(*wanted[0], b"other")])
    assert kb.encodings("one", wanted) == {"m": b"\x00m", "t": b"t"}
    assert kb.encodings("two", wanted) == {"m": b"other"}
    with KnowledgeBase.open(kb.path) as second:
        assert second.encodings("one", wanted[:1]) == {"m": b"\x00m"}


def test_a_change_counts_at_the_next_request(kb: KnowledgeBase) -> None:
    before = hash_of(MILL)
    kb.keep_encodings("one", [("m", before, b"old")])
    kb.edit("m", lambda mill: Entity("m", mill.name, description="磨玉米的地方。"))
    edited = kb.get("m")
    assert edited is not None
    after = hash_of(edited)
    assert kb.encodings("one", [("m", after)]) == {}
    kb.keep_encodings("one", [("m", after, b"new")])
    assert kb.encodings("one", [("m", after)]) == {"m": b"new"}
    assert kb._store.rows("SELECT count(*) FROM encodings") == [(1,)]


def test_nothing_is_left_of_what_was_removed(kb: KnowledgeBase) -> None:
    kb.keep_encodings("one", [("m", hash_of(MILL), b"m"), ("t", hash_of(TOWN), b"t")])
    kb.remove("m")
    kb.add(MILL)
    assert kb.encodings("one", [("m", hash_of(MILL)), ("t", hash_of(TOWN))]) == {"t": b"t"}
    assert kb._store.rows("SELECT count(*) FROM encodings") == [(1,)]


def test_who_cannot_write_goes_on(kb: KnowledgeBase) -> None:
    wanted = [("m", hash_of(MILL))]
    kb._store.run("PRAGMA query_only = 1")
    kb.keep_encodings("one", [(*wanted[0], b"m")])
    assert kb.encodings("one", wanted) == {}
    kb._store.run("PRAGMA query_only = 0")
    with KnowledgeBase.open(kb.path, patience=60) as second, second._store.transaction():
        kb.keep_encodings("one", [(*wanted[0], b"m")])  # while another writes, and at once
        assert kb.encodings("one", wanted) == {}
    kb.keep_encodings("one", [(*wanted[0], b"m")])
    assert kb.encodings("one", wanted) == {"m": b"m"}


def test_a_base_of_before_gets_the_table(tmp_path: Path) -> None:
    path = tmp_path / "old.kb"
    with sqlite3.connect(path) as connection:
        for statement in MIGRATIONS[0]:
            connection.execute(statement)
        connection.execute(f"PRAGMA application_id = {APPLICATION}")
        connection.execute("PRAGMA user_version = 1")
        connection.execute("INSERT INTO entities (id, name, description) VALUES ('t', '云州', '')")
    connection.close()
    with KnowledgeBase.open(path) as base:
        base.keep_encodings("one", [("t", hash_of(TOWN), b"t")])
        assert base.encodings("one", [("t", hash_of(TOWN))]) == {"t": b"t"}
