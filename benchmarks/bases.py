"""The knowledge bases of the sets of links, imported once and kept beside the models."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec

from benchmarks import sets
from benchmarks.options import CACHE
from quern.data import data_hash, open_bytes, read_links
from quern.kb import KnowledgeBase
from quern.records import Entity, LabelledMention, LinkExample

BASES = {"ncbi-disease": "ctd-medic", "zhwiki-namesakes": "zhwiki"}  # of each set
PLAIN = "-plain"  # behind the name of a base: without popularities
OTHER_ID = "alt_id"  # the predicate under which ctd-medic gives further ids of an entity
_BRACKET = re.compile(r"(.+?)\s*[(（](.+)[)）]")  # "name (kind)"


class _Page(msgspec.Struct):
    id: str
    title: str
    text: str


def of_pages(paths: Sequence[Path]) -> Iterator[Entity]:
    """Articles: name and type by the title, "name (type)"; the first paragraph describes.

    How long an article is says how popular its subject is.
    """
    decoder = msgspec.json.Decoder(_Page)
    for path in paths:
        with open_bytes(path) as stream:
            for page in map(decoder.decode, stream):
                match = _BRACKET.fullmatch(page.title)
                name, types = (match[1], (match[2],)) if match else (page.title, ())
                aliases = () if name == page.title else (page.title,)
                described, length = page.text.split("\n")[0], float(len(page.text))
                yield Entity(page.id, name, aliases, described, types, popularity=length)


def base_of(data: Path | None, name: str) -> Path:
    """The file of a knowledge base, imported where it is not yet; see ``PLAIN``.

    Raises:
        DataError: what it is made of is not there.
    """
    of = name.removesuffix(PLAIN)
    sources = sets.pages(data) if of == "zhwiki" else [sets.base_path(data, of)]
    path = CACHE / "bases" / f"{name}-{data_hash(*sources)[:12]}.kb"
    if not path.is_file():
        path.parent.mkdir(parents=True, exist_ok=True)
        with KnowledgeBase.open(path, create=True) as base:
            if of == "zhwiki":
                pages = of_pages(sources)
                base.load(pages if of == name else map(_unpopular, pages))
            else:
                base.import_files(sources)
    return path


def examples_of(path: Path, base: KnowledgeBase) -> list[LinkExample]:
    """Labelled texts, their ids as the base has them.

    Of ``ctd-medic`` labels often name an entity by another id than the base, which gives that as
    a fact; any such id is put right. One that is nowhere in the base stays.
    """
    ids = {other: entity.id for entity in base for other in _other_ids(entity)}
    ids |= {entity.id: entity.id for entity in base}

    def known(mention: LabelledMention) -> LabelledMention:
        if mention.kb_id is None:
            return mention
        parts = dict.fromkeys(ids.get(part, part) for part in mention.kb_id.split("|"))
        return msgspec.structs.replace(mention, kb_id="|".join(parts))

    return [
        msgspec.structs.replace(each, mentions=tuple(map(known, each.mentions)))
        for each in read_links(path)
    ]


def _unpopular(entity: Entity) -> Entity:
    return msgspec.structs.replace(entity, popularity=None)


def _other_ids(entity: Entity) -> Iterator[str]:
    for predicate, value in entity.facts:
        if predicate == OTHER_ID:
            yield value.removeprefix("DO:")
