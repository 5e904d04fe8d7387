"""Sentence models in 8 bits: nearly the same vectors, whatever the company, and small tables."""

from __future__ import annotations

from pathlib import Path

import pytest

torch = pytest.importorskip("torch")

import numpy as np
import onnx

from quern.errors import DataError, FolderError
from quern.folder import ModelFolder
from quern.records import SentenceExample
from quern.sentences import SentenceFitting, SentenceSettings
from quern.tasks import load_sentences
from quern.text import CodecRules
from quern.train import int8
from quern.train.loop import Schedule
from quern.train.sentence_training import SentencePlan, SentenceTraining

FRAMES = ("请问{}怎么{}", "我想{1}{0}", "how to {1} the {0}", "{0}{1},谢谢", "{1} {0}")
EXAMPLES = [
    SentenceExample(frame.format(thing, deed), f"{thing}-{deed}", None, 1)
    for thing in ("水表", "钥匙", "会议室", "locker", "invoice")
    for deed in ("登记", "更换", "cancel", "book")
    for frame in FRAMES
]
TEXTS = [*(e.text for e in EXAMPLES), "", "表", "水表 登记 locker " * 30]
READINGS = [("bag", "mean"), ("conv", "attention"), ("gru", "last"), ("both", "max")]


@pytest.fixture(params=READINGS, ids=lambda param: "-".join(param))
def folder(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A model of each kind, hardly trained."""
    reading, pooling = request.param
    monkeypatch.setattr(int8, "_SECONDS", 0.1)
    plan = SentencePlan(
        settings=SentenceSettings(
            reading=reading, pooling=pooling, dim=32, gram_dim=8, dilations=(1, 2), phrases=512,
            phrase_dim=16, vector_dim=16,
        ),
        fitting=SentenceFitting(loss="contrastive", scale=10.0),
        schedule=Schedule(
            epochs=1, fine_epochs=0, batch_size=32, rate=3e-3, precision="fp32", threads=1
        ),
        rules=CodecRules(min_count=1, buckets=512, window=24, overlap=8),
    )  # fmt: skip
    training = SentenceTraining(EXAMPLES, EXAMPLES, plan)
    for _ in training.run():
        pass
    training.write(tmp_path / "whole", data=None)
    return tmp_path / "whole"


def test_a_vector_is_nearly_the_same_and_its_own(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "small"
    metrics = int8.write_sentences_int8(folder, out, EXAMPLES)
    assert ModelFolder(out).manifest.precision == "int8"
    assert metrics["dev"]["top1"] == pytest.approx(metrics["fp32"]["top1"], abs=0.1)
    assert metrics["fp32"] == ModelFolder(folder).metrics()["dev"]
    whole, small = load_sentences(folder), load_sentences(out)
    assert whole.identity != small.identity
    together = small(TEXTS)
    assert np.einsum("ij,ij->i", together, whole(TEXTS))[: len(EXAMPLES)].min() > 0.98
    assert np.array_equal(together, np.stack([small([text])[0] for text in TEXTS]))
    order = np.random.default_rng(0).permutation(len(TEXTS))
    assert np.array_equal(together[order], small([TEXTS[i] for i in order]))
    assert not together[len(EXAMPLES)].any()
    # Tables are most of a bag, and none of them is wider than 8 bits.
    held = onnx.load(out / "encode.onnx").graph.initializer
    tables = {
        tensor.name: tensor.data_type
        for tensor in held
        if tensor.name.startswith("net.bag.") and np.prod(tensor.dims) >= 512
    }
    assert set(tables.values()) <= {onnx.TensorProto.UINT8, onnx.TensorProto.INT8}
    assert bool(tables) is (ModelFolder(folder).manifest.settings["reading"] in ("bag", "both"))
    with pytest.raises(FolderError, match="is in int8; export the fp32 folder"):
        int8.write_sentences_int8(out, tmp_path / "again", EXAMPLES)
    with pytest.raises(DataError, match="no two of the sentences are of one group"):
        int8.write_sentences_int8(folder, tmp_path / "none", EXAMPLES[::5])
    assert not (tmp_path / "none").exists()
