"""JSONL in and out: lines read with their numbers, bad ones named."""

from quern.data.documents import Document, TextForm, documents, form_of, texts_of
from quern.data.lines import (
    SHOWN,
    BadLine,
    bad_lines,
    content_id,
    data_hash,
    decoded,
    not_utf8,
    numbered_lines,
    open_bytes,
    to_the_end,
    writing,
)
from quern.data.links import read_links, scan_links
from quern.data.preparing import Lot, Prepared, Preparing, lots, prepare
from quern.data.questions import read_faq, read_faq_examples
from quern.data.ranks import read_catalogue, read_ranks, read_table, scan_catalogue, scan_ranks
from quern.data.sentences import are_classes, read_pairs, read_sentences, scan_sentences
from quern.data.stored import Collection, StoredDocument, read_collection
from quern.data.titles import read_titles, scan_titles
from quern.data.triples import read_facts, read_triples, scan_triples

__all__ = [
    "SHOWN",
    "BadLine",
    "Collection",
    "Document",
    "Lot",
    "Prepared",
    "Preparing",
    "StoredDocument",
    "TextForm",
    "are_classes",
    "bad_lines",
    "content_id",
    "data_hash",
    "decoded",
    "documents",
    "form_of",
    "lots",
    "not_utf8",
    "numbered_lines",
    "open_bytes",
    "prepare",
    "read_catalogue",
    "read_collection",
    "read_facts",
    "read_faq",
    "read_faq_examples",
    "read_links",
    "read_pairs",
    "read_ranks",
    "read_sentences",
    "read_table",
    "read_titles",
    "read_triples",
    "scan_catalogue",
    "scan_links",
    "scan_ranks",
    "scan_sentences",
    "scan_titles",
    "scan_triples",
    "texts_of",
    "to_the_end",
    "writing",
]
