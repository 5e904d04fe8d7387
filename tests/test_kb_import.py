"""Files into knowledge bases: every format, every bad line, nothing by halves."""

from __future__ import annotations

import gzip
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quern.errors import DataError, MissingExtra
from quern.kb import KnowledgeBase
from quern.kb.entities import check
from quern.kb.readers import Reading, form_of
from quern.records import Entity

JSONL = """\
{"id": "m", "name": "石桥磨坊", "aliases": ["石坊"], "description": "磨面的。", "types": ["place"],
 "facts": [["in", "云州"]], "popularity": 2}
{"id": 7, "name": "云州"}

"""
MILL = Entity("m", "石桥磨坊", ("石坊",), "磨面的。", ("place",), (("in", "云州"),), 2.0)
TOWN = Entity("7", "云州")


def put(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def read(file: Path, reading: Reading | None = None, **options) -> list[Entity]:
    with KnowledgeBase.open(":memory:", create=True) as base:
        base.import_files([file], reading, **options)
        return list(base)


def refused(file: Path, reading: Reading | None = None, **options) -> str:
    with pytest.raises(DataError) as caught:
        read(file, reading, **options)
    return str(caught.value).replace(f"{file.parent}/", "")


# -- formats ------------------------------------------------------------------------------------


def test_our_lines(tmp_path: Path) -> None:
    text = "\ufeff" + JSONL.replace(",\n", ",")
    assert read(put(tmp_path / "a.jsonl", text)) == [MILL, TOWN]
    (tmp_path / "a.jsonl.gz").write_bytes(gzip.compress(text.encode()))
    assert read(tmp_path / "a.jsonl.gz") == [MILL, TOWN]


def test_lines_of_ccks2019(tmp_path: Path) -> None:
    line = (
        '{"alias": ["石坊"], "subject_id": "10", "subject": "石桥磨坊", "type": ["Place"], "data": '
        '[{"predicate": "摘要", "object": "磨面的。"}, {"predicate": "位于", "object": "云州"}, '
        '{"predicate": "摘要", "object": "又一段。"}]}'
    )
    facts = (("位于", "云州"), ("摘要", "又一段。"))
    file = put(tmp_path / "kb_data.jsonl", line)
    assert read(file) == [Entity("10", "石桥磨坊", ("石坊",), "磨面的。", ("Place",), facts)]
    put(file, line.replace('"type": ["Place"]', '"kind": 1'))
    assert "unknown field `kind`; leave it out with --ignore" in refused(file)


def test_csv(tmp_path: Path) -> None:
    text = (
        'id,name,aliases,description,types,popularity,fact:in\nm,石桥磨坊,石坊,"磨面的。",place,2,'
        '云州\n\n7,云州,,,,,\n8,"a ""b""",x | y,"two\nlines",,,p|q\n'
    )
    odd = Entity("8", 'a "b"', ("x", "y"), "two\nlines", (), (("in", "p"), ("in", "q")))
    assert read(put(tmp_path / "a.csv", text)) == [MILL, TOWN, odd]


def test_a_long_cell(tmp_path: Path) -> None:
    (entity,) = read(put(tmp_path / "a.csv", f"id,name,description\n7,云州,{'城' * 200_000}\n"))
    assert len(entity.description) == 200_000


@pytest.mark.parametrize("name", ["a.jsonl.gz", "a.csv.gz", "a.ttl.gz"])
def test_gzip_that_breaks_off_or_is_none(tmp_path: Path, name: str) -> None:
    whole = gzip.compress(bytes(range(33, 127)) * 99)
    for broken in (b"no gzip", whole[:30], whole[:30] + b"\xff" * 30):
        (tmp_path / name).write_bytes(broken)
        assert refused(tmp_path / name).startswith(name)


def test_ctd(tmp_path: Path) -> None:
    text = (
        "# Report of a day\n#\n# Fields:\n# DiseaseName\tDiseaseID\tAltDiseaseIDs\tDefinition\t"
        "ParentIDs\tSynonyms\tSlimMappings\n#\nMill Cough\tX:1\tY:2|Y:3\tDry.\tX:0\tFlour Lung|"
        "Cough, Mill\tLungs\nOther\tX:2\t\t\t\t\n"
    )
    facts = (("AltDiseaseIDs", "Y:2"), ("AltDiseaseIDs", "Y:3"), ("ParentIDs", "X:0"))
    assert read(put(tmp_path / "a.tsv", text)) == [
        Entity("X:1", "Mill Cough", ("Flour Lung", "Cough, Mill"), "Dry.", ("Lungs",), facts),
        Entity("X:2", "Other"),
    ]


TURTLE = """\
@prefix rdfs: <http://www.w3.org/2000/01/rdf-schema#> .
@prefix skos: <http://www.w3.org/2004/02/skos/core#> .
@prefix e: <http://mill.example/> .
e:m a e:Place ; rdfs:label "Stone Mill"@en , "石桥磨坊"@zh ; skos:altLabel "石坊"@zh ;
  rdfs:comment "Grinds."@en , "磨面的。"@zh ; e:in e:t ; e:since 1804 .
e:t e:near e:m .
"""


def test_rdf(tmp_path: Path) -> None:
    base = "http://mill.example/"
    mill = Entity(
        f"{base}m",
        "石桥磨坊",
        ("Stone Mill", "石坊"),
        "磨面的。",
        (f"{base}Place",),
        (
            (f"{base}in", f"{base}t"),
            (f"{base}since", "1804"),
            ("http://www.w3.org/2000/01/rdf-schema#comment", "Grinds."),
        ),
    )
    town = Entity(f"{base}t", "t", facts=((f"{base}near", f"{base}m"),))
    file = put(tmp_path / "a.ttl", TURTLE)
    assert read(file, Reading(languages=("zh",))) == [mill, town]
    for other in ("b.TTL", "c.rdf"):
        again = put(tmp_path / other, TURTLE)
        assert read(again, Reading("rdf", languages=("zh",))) == [mill, town]
    file_of_blanks = put(tmp_path / "d.ttl", TURTLE + "e:t e:by [] .")
    assert "is pointed at, and has no id outside this file" in refused(file_of_blanks)
    assert read(file_of_blanks, Reading(ignore=(f"{base}by",)))[1] == town
    (english, _) = read(file)
    assert (english.name, english.aliases) == ("Stone Mill", ("石桥磨坊", "石坊"))
    put(file, TURTLE.replace("@zh", "@zh-Hans"))
    assert read(file, Reading(languages=("ZH",))) == [mill, town]
    assert read(file, Reading(languages=("z",)))[0].name == "Stone Mill"
    label = "<http://www.w3.org/2000/01/rdf-schema#label>"
    lines = f'<{base}m> {label} "Mill" .\n_:b {label} "Blank" .\n'
    file = put(tmp_path / "a.nt", lines)
    assert read(file, skip_bad=True) == [Entity(f"{base}m", "Mill")]
    assert "a.nt:2: _:b is said something of, and has no id outside this file" in refused(file)


def test_rdf_that_is_none_and_the_extra_that_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = put(tmp_path / "a.ttl", TURTLE + "e:m e:in .\n")
    assert refused(file).startswith("a.ttl:7: not RDF: ")
    monkeypatch.setitem(sys.modules, "pyoxigraph", None)
    with pytest.raises(MissingExtra) as caught:
        read(file)
    wanted = "reading RDF needs the 'rdf' extra: pip install 'quern[rdf]'"
    assert str(caught.value) == wanted


def test_a_name_that_says_nothing_of_the_format(tmp_path: Path) -> None:
    assert refused(put(tmp_path / "a.txt", "")) == (
        "a.txt: its name does not say what it holds (known: .csv, .jsonl, .nt, .tsv, .ttl, "
        "or with .gz); say so with --format"
    )
    assert form_of(put(tmp_path / "a.TTL", "")) == "rdf"
    assert read(put(tmp_path / "a.txt", '{"id": 7, "name": "云州"}'), Reading("jsonl")) == [TOWN]


# -- what cannot be read --------------------------------------------------------------------------

LINES = [
    ('{"id": "a"}', "Object missing required field `name`"),
    ('{"id": "a", "name": "b", "x": 1}',
     "Object contains unknown field `x`; leave it out with --ignore, or make it one of the facts"),
    ('{"id": "a|b", "name": "b"}',
     "the id 'a|b' holds a '|', which joins several ids into one; "
     "put another character in its place"),
    ('{"id": "7", "name": "b"}', "the id '7' is there already"),
]  # fmt: skip


@pytest.mark.parametrize("ignore", [(), ("x",)])
def test_a_line_that_nests_without_end_is_named(tmp_path: Path, ignore: tuple[str, ...]) -> None:
    deep = "[" * 100_000 + "]" * 100_000
    file = put(tmp_path / "a.jsonl", '{"id": 1, "name": "b", "x": ' + deep + "}")
    assert refused(file, Reading(ignore=ignore)).startswith("a.jsonl: 1 line(s) cannot be read")


@pytest.mark.parametrize(("line", "why"), LINES, ids=lambda value: str(value)[:20])
def test_a_bad_line_is_named_and_nothing_imported(tmp_path: Path, line: str, why: str) -> None:
    good = '{"id": 7, "name": "云州"}\n'
    file = put(tmp_path / "a.jsonl", good + line + "\n" + good.replace("7", "8"))
    said = refused(file)
    taken = "; --existing replace or --existing skip says what to do where an id is there already"
    assert said == (
        f"a.jsonl: 1 line(s) cannot be read:\n  a.jsonl:2: {why}\n"
        "Mend them, or leave them out with --skip-bad"
        f"{taken if 'already' in why else ''}. Nothing was imported."
    )
    assert [entity.id for entity in read(file, skip_bad=True)] == ["7", "8"]


def test_what_is_left_out_by_name_is_no_fault(tmp_path: Path) -> None:
    file = put(tmp_path / "a.jsonl", '{"id": 7, "name": "云州", "x": 1, "y": 2}')
    assert read(file, Reading(ignore=("x", "y"))) == [TOWN]
    assert "unknown field `y`" in refused(file, Reading(ignore=("x",)))
    file = put(tmp_path / "a.csv", "id,name,x\n7,云州,1\n")
    assert read(file, Reading(ignore=("x",))) == [TOWN]
    assert "no column 'name'" in refused(file, Reading(ignore=("x", "name")))


def test_another_encoding_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_bytes('{"id": 7, "name": "云州"}'.encode("gb18030"))
    assert "a.jsonl:1: not UTF-8 (" in refused(tmp_path / "a.jsonl")
    (tmp_path / "a.csv").write_bytes("id,name\n7,云州\n".encode("gb18030"))
    assert refused(tmp_path / "a.csv").startswith("a.csv:2: not UTF-8 (")


TABLES = [
    ("a.csv", "id,title\n", "a.csv:1: unknown column 'title'; known are id, name, aliases, "
     "description, types, popularity, and fact:PREDICATE. Rename it, or leave it out with "
     "--ignore"),
    ("a.csv", "id,types\n", "a.csv:1: no column 'name'; known are id, name, aliases, "
     "description, types, popularity, and fact:PREDICATE"),
    ("a.csv", 'id,name\n7,"' + "x" * (1 << 24) + "y", "a.csv:2: field larger than field limit"),
    ("a.csv", 'id,name\n7,"x"y\n', "a.csv:2: ',' expected after '\"'; mend the quotes"),
    ("a.csv", "id,name\n7,x,y\n", "a.csv:2: 3 cells, the head has 2 columns"),
    ("a.csv", "id,name,popularity\n7,x,y\n", "a.csv:2: popularity is 'y', which is no number"),
    ("a.tsv", "x\ty\n", "a.tsv:1: no line before it names the columns, as in "
     "'# DiseaseName<TAB>DiseaseID<TAB>…'; put one there, or use --format csv"),
    ("a.tsv", "# A\tB\nx\ty\n", "a.tsv:2: no cell under a column that ends with 'Name', or "
     "none under one with 'ID'"),
    ("a.tsv", "# AName\tAID\nx\n", "a.tsv:2: no cell under a column"),
    ("a.tsv", "# AName\tAID\nx\t1\n# end\n#y\t2", "a.tsv:4: a '#' names columns, and stands"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "text", "why"), TABLES, ids=lambda value: str(value)[:20])
def test_bad_tables_are_named(tmp_path: Path, name: str, text: str, why: str) -> None:
    assert why in refused(put(tmp_path / name, text))


# -- again and again ------------------------------------------------------------------------------


def test_what_becomes_of_ids_that_are_taken(tmp_path: Path) -> None:
    first = put(tmp_path / "a.jsonl", '{"id": 7, "name": "旧"}\n{"id": 8, "name": "别"}\n')
    second = put(tmp_path / "b.jsonl", '{"id": 7, "name": "云州"}\n{"id": 9, "name": "新"}\n')
    with KnowledgeBase.open(tmp_path / "a.kb", create=True) as base:
        assert base.import_files([first])[:3] == (2, 0, 0)
        assert base.import_files([second], existing="skip")[:3] == (1, 0, 1)
        assert base.import_files([second], existing="replace")[:3] == (0, 2, 0)
        assert [entity.name for entity in base] == ["云州", "别", "新"]
        assert base.candidates("旧", least=1) == []
        assert base.import_files([first, second], existing="replace")[:3] == (0, 4, 0)
        assert [entity.name for entity in base] == ["云州", "别", "新"]


def test_an_id_twice_in_one_file_of_a_new_base(tmp_path: Path) -> None:
    text = '{"id": 7, "name": "旧"}\n' * 3 + '{"id": 7, "name": "云州"}\n'
    file = put(tmp_path / "a.jsonl", text)
    assert read(file, existing="replace") == [TOWN]
    assert [entity.name for entity in read(file, existing="skip")] == ["旧"]
    assert "3 line(s) cannot be read" in refused(file)


def fit(entity: Entity) -> bool:
    try:
        check(entity)
    except ValueError:
        return False
    return True


_TEXT = st.text(st.characters(codec="utf-8"), max_size=6)
_ENTITY = st.builds(
    Entity,
    _TEXT,
    _TEXT,
    st.lists(_TEXT, max_size=2).map(tuple),
    _TEXT,
    st.lists(_TEXT, max_size=2).map(tuple),
    st.lists(st.tuples(_TEXT, _TEXT), max_size=2).map(tuple),
    st.none() | st.floats(0, allow_infinity=False),
).filter(fit)


@settings(max_examples=50)
@given(st.lists(_ENTITY, max_size=4, unique_by=lambda entity: entity.id))
def test_what_is_exported_comes_in_again(entities: list[Entity]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "a.jsonl"
        file.write_bytes(b"\n".join(map(msgspec.json.encode, entities)))
        assert read(file) == entities


# -- stopped midway ----------------------------------------------------------------------

_SLOWLY = """
import os, sys
from pathlib import Path
from quern.kb import KnowledgeBase

done = 0

def advance(count):
    global done
    done += count
    print(done, flush=True)
    sys.stdin.readline()

with KnowledgeBase.open(sys.argv[1]) as base:
    base.import_files([Path(sys.argv[2])], None, "replace", advance)
"""


def test_killed_midway_nothing_of_it_is_there(tmp_path: Path) -> None:
    path = tmp_path / "a.kb"
    rows = [msgspec.json.encode(Entity(str(n), f"磨坊{n}")) for n in range(12_000)]
    (tmp_path / "a.jsonl").write_bytes(b"\n".join(rows))
    with KnowledgeBase.open(path, create=True) as base:
        base.load([Entity("0", "旧"), Entity("x", "别")])
        before = [list(base), base.names.find("磨坊11旁的旧"), base.candidates("旧")]
    command = [sys.executable, "-c", _SLOWLY, str(path), str(tmp_path / "a.jsonl")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stdout.readline() == b"5000\n"
        process.stdin.write(b"\n")
        process.stdin.flush()
        assert process.stdout.readline() == b"10000\n"
        os.kill(process.pid, signal.SIGKILL)
    with KnowledgeBase.open(path) as base:
        assert [list(base), base.names.find("磨坊11旁的旧"), base.candidates("旧")] == before
        assert base.import_files([tmp_path / "a.jsonl"], existing="replace")[:2] == (11_999, 1)
        assert len(base) == 12_001
        assert base.names.find("磨坊11999")[0].text == "磨坊11999"


def test_an_edit_is_in_force_within_five_milliseconds(tmp_path: Path) -> None:
    """On a machine at rest it takes about one; the median of many says so on a busy one, too."""
    with KnowledgeBase.open(tmp_path / "a.kb", create=True) as base:
        base.load(Entity(str(n), f"磨坊{n}") for n in range(2_000))
        taken = []
        for n in range(50):
            began = time.thread_time()
            base.add(Entity(f"n{n}", f"新坊{n}"))
            assert base.names.find(f"在新坊{n}旁")[0].text == f"新坊{n}"
            taken.append(time.thread_time() - began)
    assert sorted(taken)[25] < 0.005
