"""The tables of a knowledge base, as numbered steps; a file says which it has taken."""

from __future__ import annotations

from quern.store import Kind

APPLICATION = 0x5155524E  # "QURN", by which a file is known as ours

SORTED_NAMES = "CREATE INDEX names_by_key ON names (key, entity)"

# Numbers of rows are not used twice, so that what is stored elsewhere by number never points at
# another thing.
MIGRATIONS: tuple[tuple[str, ...], ...] = (
    (
        "CREATE TABLE about (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID",
        # aliases, types and facts are JSON, NULL for none.
        "CREATE TABLE entities (number INTEGER PRIMARY KEY AUTOINCREMENT,"
        " id TEXT NOT NULL UNIQUE, name TEXT NOT NULL, aliases TEXT, description TEXT NOT NULL,"
        " types TEXT, facts TEXT, popularity REAL)",
        # Every key once for each entity that has it.
        "CREATE TABLE names (number INTEGER PRIMARY KEY AUTOINCREMENT,"
        " key TEXT NOT NULL, entity INTEGER NOT NULL)",
        SORTED_NAMES,
        # Names that are gone, for readers that know them; kept until the index is made anew.
        "CREATE TABLE gone (seq INTEGER PRIMARY KEY AUTOINCREMENT,"
        " name INTEGER NOT NULL, key TEXT NOT NULL)",
        # The index: hashes of names up to a number, and what is gone of them up to a seq.
        "CREATE TABLE name_index (generation INTEGER PRIMARY KEY, upto INTEGER NOT NULL,"
        " gone INTEGER NOT NULL, longest INTEGER NOT NULL, hashes BLOB NOT NULL)",
        # N-grams of names, a segment for each lot of names that follow each other in number.
        "CREATE TABLE segments (first INTEGER PRIMARY KEY, sizes BLOB NOT NULL,"
        " grams BLOB NOT NULL, bounds BLOB NOT NULL)",
        "CREATE TABLE postings (segment INTEGER NOT NULL, part INTEGER NOT NULL,"
        " names BLOB NOT NULL, PRIMARY KEY (segment, part))",
    ),
    (
        # What a model made of the description of an entity, with the hash of that description.
        "CREATE TABLE encodings (entity INTEGER NOT NULL, model TEXT NOT NULL,"
        " text TEXT NOT NULL, content BLOB NOT NULL, PRIMARY KEY (entity, model))",
    ),
    (
        # What documents say, each row by one document, so that one can be forgotten again. Nodes
        # are named by ids: of entities, or of what the base lacks.
        "CREATE TABLE documents (number INTEGER PRIMARY KEY AUTOINCREMENT,"
        " id TEXT NOT NULL UNIQUE, hash TEXT NOT NULL)",
        "CREATE TABLE nodes (id TEXT NOT NULL, document INTEGER NOT NULL, name TEXT NOT NULL,"
        " types TEXT, PRIMARY KEY (id, document)) WITHOUT ROWID",
        "CREATE TABLE mentions (document INTEGER NOT NULL, start INTEGER NOT NULL,"
        " stop INTEGER NOT NULL, words TEXT NOT NULL, node TEXT NOT NULL, score REAL NOT NULL,"
        " PRIMARY KEY (document, start, stop, node)) WITHOUT ROWID",
        "CREATE TABLE evidence (subject TEXT NOT NULL, predicate TEXT NOT NULL,"
        " object TEXT NOT NULL, document INTEGER NOT NULL, subject_start INTEGER NOT NULL,"
        " subject_stop INTEGER NOT NULL, object_start INTEGER NOT NULL,"
        " object_stop INTEGER NOT NULL, score REAL NOT NULL, PRIMARY KEY (subject, predicate,"
        " object, document, subject_start, subject_stop, object_start, object_stop)) WITHOUT ROWID",
        "CREATE INDEX evidence_by_object ON evidence (object)",
        "CREATE INDEX evidence_by_predicate ON evidence (predicate)",
        "CREATE INDEX evidence_by_document ON evidence (document)",
        "CREATE INDEX nodes_by_document ON nodes (document)",
        "CREATE INDEX nodes_by_name ON nodes (name)",
        "CREATE INDEX mentions_by_node ON mentions (node)",
        # The sentences that facts were read in.
        "CREATE TABLE passages (document INTEGER NOT NULL, start INTEGER NOT NULL,"
        " words TEXT NOT NULL, PRIMARY KEY (document, start)) WITHOUT ROWID",
    ),
)

KNOWLEDGE_BASE = Kind("knowledge base", APPLICATION, MIGRATIONS, "quern kb import {path} FILE")
