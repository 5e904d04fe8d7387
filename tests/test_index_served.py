"""What can go wrong with a server, told and not waited for."""

from __future__ import annotations

import socket
import threading
import time
from http.server import BaseHTTPRequestHandler, HTTPServer

import numpy as np
import pytest

qdrant = pytest.importorskip("qdrant_client")

pytestmark = pytest.mark.filterwarnings("ignore:Local mode performs exact:UserWarning")

from quern.errors import StoreError
from quern.index import ServedIndex, create_index, open_index


@pytest.fixture
def client():
    return qdrant.QdrantClient(":memory:")


def test_a_collection_is_what_is_opened(client):
    index = ServedIndex.made(client, "ours", 2)
    index.add([1, 2], np.eye(2))
    again = ServedIndex(client, "ours")
    assert (again.dim, len(again)) == (2, 2)
    again.remove([1])
    assert index.search(np.eye(2), 5).ids.tolist() == [[2], [2]]  # all who use it see it
    index.save()


def test_collections_that_are_not_ours(client):
    with pytest.raises(StoreError, match="has no collection 'ours'; create it first"):
        ServedIndex(client, "ours")
    ServedIndex.made(client, "ours", 2)
    with pytest.raises(StoreError, match="'ours' exists already; open it, or name another"):
        ServedIndex.made(client, "ours", 2)
    config = qdrant.models.VectorParams(size=2, distance=qdrant.models.Distance.EUCLID)
    client.create_collection("theirs", vectors_config=config)
    with pytest.raises(StoreError, match="must hold one vector a point, compared by inner"):
        ServedIndex(client, "theirs")


def test_many_vectors_go_in_lots(client, monkeypatch):
    monkeypatch.setattr("quern.index.served._NUMBERS", 6)
    index = ServedIndex.made(client, "ours", 2)
    rows = np.stack([np.cos(np.arange(20)), np.sin(np.arange(20))], axis=1)
    index.add(np.arange(20), rows)
    assert index.search(rows, 1).ids[:, 0].tolist() == list(range(20))
    with pytest.raises(StoreError, match="id 20 is not in the index; nothing was removed"):
        index.remove(np.arange(1, 21))
    assert len(index) == 20
    index.remove(np.arange(1, 20))
    assert len(index) == 1


def test_vectors_that_vanish_while_it_is_asked(client, monkeypatch):
    index = ServedIndex.made(client, "ours", 2)
    index.add([1], np.eye(2)[:1])
    monkeypatch.setattr(ServedIndex, "__len__", lambda self: 2)
    with pytest.raises(StoreError, match="was changed while it was asked; ask again"):
        index.search(np.eye(2), 2)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def test_nobody_answers():
    address = f"http://127.0.0.1:{free_port()}"
    start = time.monotonic()
    for reach in (
        lambda: open_index(f"{address}/vectors"),
        lambda: create_index("served", 2, f"{address}/vectors"),
    ):
        with pytest.raises(StoreError) as caught:
            reach()
        assert str(caught.value).startswith(f"{address}: no answer (")
        assert str(caught.value).endswith("see that the server runs and is reached there")
    assert time.monotonic() - start < 5


def test_an_answer_that_takes_too_long():
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        start = time.monotonic()
        with pytest.raises(StoreError, match=r"no answer \(timed out\)"):
            ServedIndex.open(f"http://127.0.0.1:{silent.getsockname()[1]}/vectors", seconds=1)
        assert time.monotonic() - start < 5


def test_a_server_that_refuses():
    class Refusing(BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append((self.path, self.headers["api-key"]))
            self.send_error(403)

        def log_message(self, *words):
            pass

    asked = []
    server = HTTPServer(("127.0.0.1", 0), Refusing)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        with pytest.raises(StoreError, match=r"collection 'vectors': refused: .*403 \(Forbidden"):
            ServedIndex.open(f"http://127.0.0.1:{server.server_port}/below/vectors")
    finally:
        server.shutdown()
        server.server_close()
    assert asked == [("/below/collections/vectors/exists", None)]  # and only once


@pytest.mark.parametrize(
    "address",
    [
        "None",
        "ftp://host/vectors",
        "http://host",
        "http:///vectors",
        "http://a:b@host/y",
        "http://host:x/y",
    ],
)
def test_what_is_no_address(address):
    with pytest.raises(StoreError, match=f"^{address}: not an address"):
        create_index("served", 2, address)
