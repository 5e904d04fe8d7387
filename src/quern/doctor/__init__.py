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
from quern.doctor.titles import (
    PROPOSED,
    TITLE_KINDS,
    Coverage,
    Limit,
    TitleFile,
    TitleReport,
    examine_titles,
)

__all__ = [
    "KINDS",
    "LINK_KINDS",
    "PROPOSED",
    "RANK_KINDS",
    "SENTENCE_KINDS",
    "TITLE_KINDS",
    "CatalogueFile",
    "Coverage",
    "FileReport",
    "Finding",
    "Lengths",
    "Limit",
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
    "TitleFile",
    "TitleReport",
    "TypePair",
    "examine",
    "examine_candidates",
    "examine_links",
    "examine_ranks",
    "examine_sentences",
    "examine_titles",
    "reachable",
]
