"""What models make of the descriptions of entities, kept beside them."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

import msgspec

from quern.errors import StoreError
from quern.kb.store import Store


def read(store: Store, model: str, wanted: Sequence[tuple[str, str]]) -> dict[str, bytes]:
    """What is kept of some entities, in one query.

    Args:
        store: of the knowledge base.
        model: what tells the model from others.
        wanted: ids, each with the hash of the description as it is now; what was made of
            another one is not given.

    Returns:
        By id; of entities that nothing is kept of, nothing.

    Raises:
        StoreError: the file cannot be read.
    """
    asked = dict(wanted)
    rows = store.rows(
        "SELECT e.id, k.text, k.content FROM json_each(?) AS asked"
        " JOIN entities AS e ON e.id = asked.value"
        " JOIN encodings AS k ON k.entity = e.number AND k.model = ?",
        [msgspec.json.encode(list(asked)).decode(), model],
    )
    return {id_: content for id_, text, content in rows if asked[id_] == text}


def keep(store: Store, model: str, rows: Sequence[tuple[str, str, bytes]]) -> None:
    """Keep what a model made of entities: id, hash of the description, content.

    It can be made again at any time. So nobody waits for another writer to keep it, and in a
    file that may not be written to nothing is kept.
    """
    with suppress(StoreError), store.transaction(patient=False, told=False):
        store.run_many(
            "INSERT OR REPLACE INTO encodings (entity, model, text, content)"
            " SELECT number, ?, ?, ? FROM entities WHERE id = ?",
            ((model, text, content, id_) for id_, text, content in rows),
        )
