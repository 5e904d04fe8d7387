"""The file of a knowledge base: versions, other files, and several who use it at once."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from quern import __version__
from quern.errors import StoreError
from quern.kb import KnowledgeBase, index
from quern.kb.migrations import APPLICATION, KNOWLEDGE_BASE, MIGRATIONS
from quern.records import Entity
from quern.store import Kind, migrate
from quern.text import keys


def refused(path: Path) -> str:
    with pytest.raises(StoreError) as caught:
        KnowledgeBase.open(path)
    return str(caught.value).replace(f"{path.parent}/", "")


def with_steps(*more: tuple[str, ...]) -> Kind:
    """Knowledge bases of a later version."""
    return KNOWLEDGE_BASE._replace(steps=[*MIGRATIONS, *more])


def first_version(path: Path) -> None:
    """A file as the first version wrote it, by hand."""
    with sqlite3.connect(path) as connection:
        for statement in MIGRATIONS[0]:
            connection.execute(statement)
        connection.execute(f"PRAGMA application_id = {APPLICATION}")
        connection.execute("PRAGMA user_version = 1")
        connection.execute("INSERT INTO about VALUES ('quern', '0.1.0')")
        connection.execute("INSERT INTO about VALUES ('keys', '2')")
        connection.execute(
            "INSERT INTO entities (id, name, aliases, description) VALUES (?, ?, ?, ?)",
            ("m", "石橋磨坊", '["Stone Mill"]', ""),
        )
        connection.executemany(
            "INSERT INTO names (key, entity) VALUES (?, 1)", [("石桥磨坊",), ("stone mill",)]
        )
    connection.close()


def test_a_file_of_the_first_version_is_read(tmp_path: Path) -> None:
    path = tmp_path / "a.kb"
    first_version(path)
    with KnowledgeBase.open(path) as base:
        assert list(base) == [Entity("m", "石橋磨坊", ("Stone Mill",))]
        assert [match.text for match in base.names.find("石桥磨坊, STONE MILL")] == [
            "石桥磨坊",
            "STONE MILL",
        ]


def test_a_later_step_is_taken_whole_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "a.kb"
    first_version(path)
    connection = sqlite3.connect(path, isolation_level=None)
    good = ("ALTER TABLE entities ADD COLUMN seen INTEGER", "CREATE TABLE more (x)")
    with pytest.raises(sqlite3.OperationalError):
        migrate(connection, path, with_steps(good, ("CREATE TABLE more (x)",)))
    assert connection.execute("PRAGMA user_version").fetchone() == (1,)
    assert "seen" not in str(connection.execute("SELECT sql FROM sqlite_master").fetchall())
    migrate(connection, path, with_steps(good))
    migrate(connection, path, with_steps(good))
    assert connection.execute("SELECT id, seen FROM entities").fetchall() == [("m", None)]
    taken = len(MIGRATIONS) + 1
    assert connection.execute("PRAGMA user_version").fetchone() == (taken,)
    connection.close()


def test_a_file_of_a_newer_quern_is_refused_with_both_versions(tmp_path: Path) -> None:
    path = tmp_path / "a.kb"
    first_version(path)
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA user_version = 9")
        connection.execute("UPDATE about SET value = '7.2.0' WHERE key = 'quern'")
    connection.close()
    assert refused(path) == (
        f"a.kb: written by quern 7.2.0 (schema 9), this is quern {__version__} "
        f"(schema {len(MIGRATIONS)}); use quern 7.2.0 or newer"
    )


def test_names_made_by_other_rules_are_made_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.kb"
    first_version(path)
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE about SET value = '0' WHERE key = 'keys'")
        connection.execute("UPDATE names SET key = 'old ' || key")
    connection.close()
    with KnowledgeBase.open(path) as base:
        assert base.names.find("old 石桥磨坊")[0].text == "石桥磨坊"
        assert base.stats().pending == 0
    assert keys.RULES == 2, "raise the figure in first_version with it"


def test_other_files_are_not_touched(tmp_path: Path) -> None:
    assert refused(tmp_path / "none.kb") == (
        "none.kb: no such knowledge base; make one with: quern kb import none.kb FILE"
    )
    assert not (tmp_path / "none.kb").exists()
    (tmp_path / "text.kb").write_text("a text that is quite long enough to be no database" * 99)
    assert refused(tmp_path / "text.kb") == "text.kb: not a knowledge base"
    with sqlite3.connect(tmp_path / "other.kb") as connection:
        connection.execute("CREATE TABLE t (x)")
    connection.close()
    before = (tmp_path / "other.kb").read_bytes()
    assert refused(tmp_path / "other.kb") == (
        "other.kb: a database, but not a knowledge base of quern's"
    )
    assert (tmp_path / "other.kb").read_bytes() == before
    (tmp_path / "empty.kb").touch()
    assert refused(tmp_path / "empty.kb").startswith("empty.kb: no such knowledge base")
    assert (tmp_path / "empty.kb").read_bytes() == b""
    (tmp_path / "folder.kb").mkdir()
    assert refused(tmp_path / "folder.kb") == "folder.kb: a folder; a knowledge base is one file"
    with pytest.raises(StoreError, match="cannot be opened; is the folder there"):
        KnowledgeBase.open(tmp_path / "no" / "a.kb", create=True)


def test_readers_go_on_while_one_writes_and_a_second_writer_is_told(tmp_path: Path) -> None:
    path = tmp_path / "a.kb"
    first_version(path)
    with KnowledgeBase.open(path) as one, KnowledgeBase.open(path, patience=0.1) as two:
        with one._store.transaction():
            one._store.run("DELETE FROM names")
            assert two.names.find("石桥磨坊")[0].key == "石桥磨坊"
            assert two.candidates("stone mills")[0].id == "m"
            with pytest.raises(StoreError) as caught:
                two.add(Entity("n", "新"))
        assert str(caught.value) == (
            f"{path}: another process is writing to it; try again when that is done"
        )
        two.add(Entity("n", "新"))
        assert one.names.find("新石桥磨坊")[0].text == "新"


def test_a_reader_opens_at_once_while_one_writes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.kb"
    first_version(path)
    monkeypatch.setattr(index, "MANY", 1)
    with KnowledgeBase.open(path) as one:
        one.add(Entity("n", "新"))
        with one._store.transaction(), KnowledgeBase.open(path, patience=60) as two:
            assert two.names.find("新")[0].text == "新"
            assert two.stats().pending == 1
    with KnowledgeBase.open(path) as two:
        assert two.stats().pending == 0


def test_a_damaged_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / "a.kb"
    first_version(path)
    path.write_bytes(path.read_bytes()[:9_000])
    assert refused(path).startswith("a.kb: damaged; restore a copy, or save what is left")


def test_what_fails_in_a_transaction_leaves_no_trace(tmp_path: Path) -> None:
    path = tmp_path / "a.kb"
    first_version(path)
    with KnowledgeBase.open(path) as base:
        with pytest.raises(ZeroDivisionError), base._store.transaction():
            base._store.run("DELETE FROM entities")
            raise ZeroDivisionError
        assert len(base) == 1
        base.add(Entity("n", "新"))


_READER = """
import sys
from quern.kb import KnowledgeBase
with KnowledgeBase.open(sys.argv[1]) as base:
    for line in sys.stdin:
        print(len(base.names.find(line)), flush=True)
"""


def test_a_process_beside_hears_of_an_edit_at_once(tmp_path: Path) -> None:
    path = tmp_path / "a.kb"
    first_version(path)
    command = [sys.executable, "-c", _READER, str(path)]
    with (
        KnowledgeBase.open(path) as base,
        subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, encoding="utf-8"
        ) as process,
    ):
        assert process.stdin is not None
        assert process.stdout is not None

        def asked(text: str) -> int:
            assert process.stdin is not None
            assert process.stdout is not None
            process.stdin.write(text + "\n")
            process.stdin.flush()
            return int(process.stdout.readline())

        assert asked("新磨与石橋磨坊") == 1
        base.add(Entity("n", "新磨"))
        assert asked("新磨与石橋磨坊") == 2
        base.remove("m")
        base.rebuild()
        assert asked("新磨与石橋磨坊") == 1
