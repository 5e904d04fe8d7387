"""The data doctor: what labelled data holds, what training would lose of it, what is odd."""

from quern.doctor.ceiling import reachable
from quern.doctor.examination import examine
from quern.doctor.findings import KINDS, Finding, Place
from quern.doctor.links import LINK_KINDS, LinkFile, LinkReport, Reach, examine_links
from quern.doctor.proposed import examine_candidates
from quern.doctor.ranks import (
    RANK_KINDS,
    CatalogueFile,
    RankFile,
    RankReport,
    examine_ranks,
)
from quern.doctor.report import FileReport, Lengths, Predicate, Report, Shared, TypePair
from quern.doctor.sentences import (
    SENTENCE_KINDS,
    SentenceFile,
    SentenceReport,
    examine_sentences,
)

__all__ = [
    "KINDS",
    "LINK_KINDS",
    "RANK_KINDS",
    "SENTENCE_KINDS",
    "CatalogueFile",
    "FileReport",
    "Finding",
    "Lengths",
    "LinkFile",
    "LinkReport",
    "Place",
    "Predicate",
    "RankFile",
    "RankReport",
    "Reach",
    "Report",
    "SentenceFile",
    "SentenceReport",
    "Shared",
    "TypePair",
    "examine",
    "examine_candidates",
    "examine_links",
    "examine_ranks",
    "examine_sentences",
    "reachable",
]
