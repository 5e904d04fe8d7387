"""``quern evaluate`` on choices and from end to end; the models are tables."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner, Result

import quern.cli.evaluate_links as verb
from quern.cli import cli
from quern.evaluation.link_figures import summarise_choices, summarise_links
from quern.evaluation.mentions import summarise_mentions
from quern.folder import CODEC, FORMAT, MANIFEST, Manifest, write_json
from quern.kb import KnowledgeBase
from quern.text import CodecRules, TextCodec
from test_linking_figures import BASE, EXAMPLES, FAKE, Fake


class FakeModel:
    """As ``quern.links.EntityModel``, for any base."""

    def __init__(self, fake: Fake) -> None:
        self.fake = fake
        self.link = lambda texts, mentions, kb: fake.choose(texts, mentions)
        self.of_texts = fake.propose

    def candidates(self, kb: KnowledgeBase) -> FakeModel:
        """As ``quern.links.Candidates``, for no base but the one that was opened."""
        assert kb.get("f-1") is not None
        return self


def folder(path: Path, task: str) -> Path:
    """As much of a model folder as says what it does."""
    path.mkdir()
    codec = TextCodec.fit(["abc"], CodecRules(min_count=1))
    codec.save(path / CODEC)
    manifest = Manifest(
        format=FORMAT,
        task=task,
        settings={},
        labels=[],
        thresholds={},
        codec=codec.fingerprint,
        data=None,
        precision="fp32",
        quern="0",
    )
    write_json(path / MANIFEST, manifest)
    return path


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with labelled texts, a base, and models."""
    rows = [
        {
            "text": e.text,
            "mentions": [
                {"mention": m.mention, "start": m.start, "kb_id": m.kb_id} for m in e.mentions
            ],
        }
        for e in EXAMPLES
    ]
    lines = "".join(json.dumps(row) + "\n" for row in rows)
    (tmp_path / "dev.jsonl").write_text(lines, "utf-8")
    with KnowledgeBase.open(tmp_path / "kb", create=True) as kb:
        kb.load(BASE.values())
    folder(tmp_path / "links", "links")
    folder(tmp_path / "entities", "entities")
    FAKE.found = {e.text: [m.place for m in e.mentions][:2] for e in EXAMPLES}
    monkeypatch.setattr(verb, "_chooser", lambda folder: FakeModel(FAKE))
    monkeypatch.setattr(verb, "_linker", lambda folder, model, kb: model.fake.find)
    return tmp_path


def run(home: Path, model: str, *words: str | Path) -> Result:
    """A call of ``quern evaluate``."""
    told = ["evaluate", home / model, home / "dev.jsonl", *words]
    return CliRunner().invoke(cli, [str(word) for word in told])


CHOICES = """\
3 texts, 8 labelled mentions, 2 of them NIL.
1 mention labelled with an id that the base lacks: wrong whatever is answered, and only counted \
among all.

 given mentions                mentions   right   accuracy   95 % interval   best-fitting   at most
 ──────────────────────────────────────────────────────────────────────────────────────────────────
 entity in the base                   5       2      0.400   0.000 – 1.000          0.200     0.800
 all, NIL where labelled              8       3      0.375   0.000 – 0.667          0.125     0.750
 entity among the candidates          4       2      0.500   0.000 – 1.000          0.250     1.000

recall of the candidates, entity in the base: 0.200 at 1, 0.800 at 5, 0.800 at 16

 answers   wanted   given   right   precision   recall      F1
 ─────────────────────────────────────────────────────────────
 NIL            2       2       1       0.500    0.500   0.500


 error                      mentions
 ───────────────────────────────────
 wrong candidate                   1
 not a candidate                   1
 not in the base                   1
 NIL instead of an entity          1
 entity instead of NIL             1


 score       given   mean score   share right
 ────────────────────────────────────────────
 0.7 – 0.8       2        0.700         0.500
 0.9 – 1.0       5        0.900         0.400

expected calibration error 0.414
"""


def test_the_tables_of_a_choice(home: Path) -> None:
    page = home / "errors.html"
    said = run(home, "entities", "--kb", home / "kb", "--report", page, "--errors", "2")
    assert said.exit_code == 0, said.output
    assert [line.rstrip() for line in said.stdout.splitlines()] == CHOICES.splitlines()
    html = page.read_text("utf-8")
    assert "<h1>entities on dev.jsonl</h1>" in html
    assert "Ely is a town." in html and html.count("<article>") == 2


def test_the_tables_from_end_to_end(home: Path) -> None:
    page = home / "errors.html"
    words = ["--entities", home / "entities", "--kb", home / "kb"]
    said = run(home, "links", *words, "--report", page)
    assert said.exit_code == 0, said.output
    rows = [line.split() for line in said.stdout.splitlines()]
    assert ["mentions", "8", "6", "6", "1.000", "0.750", "0.857"] in rows
    # Ann, Mill and Kim; Pat could be right, too.
    assert ["links", "8", "6", "3", "0.500", "0.375", "0.429"] in rows
    assert ["links,", "at", "most", "8", "6", "4", "0.667", "0.500", "0.571"] in rows
    assert ["not", "found", "2"] in rows
    assert said.stdout.endswith(CHOICES.splitlines()[-1] + "\n")
    assert "With the labelled mentions given:" in said.stdout
    assert "<h1>links and entities on dev.jsonl</h1>" in page.read_text("utf-8")


def test_json(home: Path) -> None:
    words = ["--kb", home / "kb", "--format", "json"]
    choice = json.loads(run(home, "entities", *words).stdout)
    assert list(choice)[:3] == ["model", "data", "data_sha256"]
    assert choice["linked"]["accuracy"] == 0.4
    both = json.loads(run(home, "links", "--entities", home / "entities", *words).stdout)
    assert list(both)[:4] == ["model", "entities", "data", "data_sha256"]
    assert both["given"] == {name: choice[name] for name in both["given"]}


def test_what_does_not_fit_is_refused(home: Path) -> None:
    assert "give one (--kb FILE)" in run(home, "entities").stderr
    for model, *words in (
        ("entities", "--kb", home / "kb", "--entities", home / "entities"),
        ("entities", "--kb", home / "kb", "--target-precision", "0.9"),
        ("entities", "--kb", home / "kb", "--strict"),
        ("links", "--kb", home / "kb", "--entities", home / "entities", "--without", "types"),
    ):
        said = run(home, str(model), *words)
        assert said.exit_code == 2 and "is not for a model such as" in said.stderr


def test_the_page_of_fields_names_every_field() -> None:
    text = (Path(__file__).parent.parent / "docs" / "evaluation.md").read_text("utf-8")
    given = summarise_choices([])
    records = [summarise_mentions([]), given, summarise_links([], given)]
    fields = {field for record in records for field in record.__struct_fields__}
    fields |= set(msgspec.to_builtins(given.linked)) | {"k"}
    assert [field for field in sorted(fields) if f"`{field}`" not in text] == []
