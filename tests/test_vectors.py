"""Word vectors: training them on raw text, their file, and models that read them."""

from __future__ import annotations

import gzip
import json
import random
from collections import Counter
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")

import msgspec
import numpy as np
import onnx
from click.testing import CliRunner
from hypothesis import example, given
from onnx import numpy_helper
from safetensors.numpy import load_file, save

import quern
from corpus import corpus
from nasty import texts
from quern.card import card
from quern.cli.vectors import command
from quern.data import texts_of
from quern.errors import DataError, TrainingError
from quern.folder import ModelFolder
from quern.runtime import Graph
from quern.text import (
    UNKNOWN,
    CodecRules,
    TextCodec,
    Window,
    frequent,
    is_han,
    normalise,
    split,
)
from quern.train import skipgram
from quern.train.checkpoint import Checkpoint, State
from quern.train.encoders import EncoderSettings, Pretrained
from quern.train.fit import Fit, Start
from quern.train.int8 import write_int8
from quern.train.loop import Schedule
from quern.train.masked import MaskedItems
from quern.train.pretraining import Pretraining, PretrainingPlan
from quern.train.skipgram import SkipGram, sentences
from quern.train.triple_items import TripleItems
from quern.train.triple_training import Plan
from quern.train.triples import EncoderGraph, TripleNet
from quern.train.word_vectors import WordVectors
from quern.triples import Thresholds, TripleFitting, TripleSettings

TRAIN, DEV = corpus(120), corpus(20, seed=1)
WORDS = ("云州", "青石镇", "王", "works", "出生", "norden", "公司")
PLAN = Plan(
    settings=TripleSettings(dim=24, gram_dim=8, dilations=(1, 2), heads=2, head_dim=8),
    schedule=Schedule(epochs=2, batch_size=32, rate=4e-3, precision="fp32", threads=1),
    rules=CodecRules(min_count=1, buckets=512, window=40, overlap=20),
)


def made_up(words: tuple[str, ...] = WORDS, dim: int = 5, seed: int = 0) -> WordVectors:
    rng = np.random.default_rng(seed)
    return WordVectors.of(words, rng.normal(size=(len(words), dim)).astype(np.float32))


def silent(_: int) -> None:
    pass


def train(files: list[Path], plan: SkipGram, work: Path) -> skipgram.Trained:
    return skipgram.train(files, plan, work, silent, lambda total: silent)


# -- words of raw text ------------------------------------------------------------------


@given(texts())
@example("ﷺ")
@example("\U0003134b")
def test_no_letter_or_digit_is_lost(text: str) -> None:
    units = [normalise(text[a:b])[0] for a, b in split(text)]
    whole = (unit for unit in units if unit.split() == [unit])
    # Python may be older than a Han character, and not know it for a letter.
    wanted = "".join(unit for unit in whole if is_han(unit) or unit[0].isalnum())
    found = list(sentences(text))
    assert all(words and all(words) for words in found)
    assert "".join("".join(words) for words in found) == wanted
    assert all(not any(map(str.isspace, word)) for words in found for word in words)


def test_chinese_is_cut_and_all_else_is_words_as_it_stands() -> None:
    assert list(sentences("他在北京大学学习。Ada WORKS in 17 cities, 真的!")) == [
        ["他", "在", "北京大学", "学习"],
        ["ada", "works", "in", "17", "cities", "真的"],
    ]
    assert list(sentences("北京\n大学，北京 大学")) == [["北京"], ["大学", "北京", "大学"]]


def test_a_corpus_counts_every_word_and_cuts_long_sentences(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(skipgram, "_LONGEST", 3)
    read = skipgram.Corpus(tmp_path / "words.txt")
    seen: list[int] = []
    read.read(["a b c d e f g", "", "a b! B c"], seen.append)
    assert (tmp_path / "words.txt").read_text().splitlines() == [
        "a b c",
        "d e f",
        "g",
        "a b",
        "b c",
    ]
    assert (read.total, read.sentences, seen) == (11, 5, [13, 0, 8])
    assert frequent(read.tally.counts, min_count=2, most=9) == {"b": 3, "a": 2, "c": 2}
    assert list(frequent(read.tally.counts, min_count=1, most=4)) == ["b", "a", "c", "d"]


# -- training ---------------------------------------------------------------------------


BAKING = ("bread", "oven", "flour", "baker", "dough")
SAILING = ("ship", "sail", "harbour", "captain", "rope")


@pytest.fixture(scope="module")
def raw(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Sentences on two matters that share no word, in two forms of file."""
    rng, folder = random.Random(0), tmp_path_factory.mktemp("raw")
    lines = [" ".join(rng.choices((BAKING, SAILING)[i % 2], k=6)) for i in range(1200)]
    (folder / "a.txt").write_text("\n".join(lines[:600]), encoding="utf-8")
    with gzip.open(folder / "b.jsonl.gz", "wt", encoding="utf-8") as stream:
        stream.write("".join(json.dumps({"text": line}) + "\n" for line in lines[600:]))
    return [folder / "a.txt", folder / "b.jsonl.gz"]


SKIPGRAM = SkipGram(dim=8, sample=0.0, epochs=5)


def test_words_of_one_matter_lie_together(raw: list[Path], tmp_path: Path) -> None:
    trained = train(raw, SKIPGRAM, tmp_path)
    assert (trained.words, trained.covered) == (7200, 1.0)
    assert not list(tmp_path.iterdir())
    table = trained.vectors.table()[1:]
    assert np.linalg.norm(table, axis=1) == pytest.approx(1, abs=0.02)
    near = table @ table.T
    baking = np.array([word in BAKING for word in trained.vectors.words])
    same = baking[:, None] == baking
    assert near[same].min() > near[~same].max()


def test_the_same_seed_gives_the_same_vectors(raw: list[Path], tmp_path: Path) -> None:
    first, again, other = (
        train(raw, msgspec.structs.replace(SKIPGRAM, seed=seed), tmp_path).vectors
        for seed in (1, 1, 2)
    )
    assert first.identity == again.identity != other.identity


def test_the_most_frequent_words_get_vectors(raw: list[Path], tmp_path: Path) -> None:
    trained = train(raw, msgspec.structs.replace(SKIPGRAM, max_words=3, epochs=1), tmp_path)
    counts = Counter(word for text in texts_of(raw) for word in text.split())
    ranked = sorted(counts, key=lambda word: (-counts[word], word))
    assert list(trained.vectors.words) == ranked[:3]
    assert trained.covered == pytest.approx(sum(counts[word] for word in ranked[:3]) / 7200)


@pytest.mark.parametrize("text", ["", "one two three", "。。。"])
def test_too_little_text_is_an_error(tmp_path: Path, text: str) -> None:
    (tmp_path / "a.txt").write_text(text, encoding="utf-8")
    with pytest.raises(DataError, match="no word is met 5 times or more in the files given"):
        train([tmp_path / "a.txt"], SKIPGRAM, tmp_path)


def test_settings_that_make_no_sense_are_refused() -> None:
    with pytest.raises(ValueError, match="numbers of 1 or more"):
        SkipGram(dim=0)


def test_every_setting_is_documented_with_its_default() -> None:
    page = (Path(__file__).parent.parent / "docs/training.md").read_text(encoding="utf-8")
    table = page[page.index("| setting | value") :].partition("\n\n")[0]
    rows = [[cell.strip(" `") for cell in row.split("|")[1:3]] for row in table.splitlines()[2:]]
    wanted = msgspec.to_builtins(SkipGram())
    assert {key: float(value) for key, value in rows} == wanted


def test_the_verb_writes_a_file(raw: list[Path], tmp_path: Path) -> None:
    out = tmp_path / "words.safetensors"
    words = [*map(str, raw), "--out", str(out), "--set", "dim=8", "--set", "epochs=1"]
    done = CliRunner().invoke(command, words, catch_exceptions=False)
    assert done.stdout == ""
    assert f"wrote {out}: 10 words, which are 100.0% of the text" in done.stderr
    assert WordVectors.load(out).codes.shape == (10, 8)
    with pytest.raises(DataError, match="exists already; choose another name or pass --overwrite"):
        CliRunner().invoke(command, words, catch_exceptions=False)


# -- the file ---------------------------------------------------------------------------


def test_a_file_comes_back_and_is_off_by_half_a_step(tmp_path: Path) -> None:
    vectors = np.random.default_rng(0).normal(size=(4, 9)).astype(np.float32)
    vectors[2] = 0
    written = WordVectors.of(("云州", "x", "new york", "y"), vectors)
    written.save(tmp_path / "v")
    read = WordVectors.load(tmp_path / "v")
    assert (read.words, read.identity) == (written.words, written.identity)
    assert np.array_equal(read.table(), written.table())
    assert not read.table()[0].any()
    step = np.abs(vectors).max(1, keepdims=True) / 127
    assert (np.abs(read.table()[1:] - vectors) <= 0.501 * step).all()


def test_what_is_no_file_of_vectors_is_refused(tmp_path: Path) -> None:
    path, whole = tmp_path / "v", made_up()
    whole.save(path)
    parts = load_file(path)
    bad = [
        path.read_bytes()[:-1],
        b"",
        save({"codes": parts["codes"]}),
        save(parts | {"codes": parts["codes"][1:]}),
        save(parts | {"codes": parts["codes"].astype(np.float32)}),
        save(parts | {"scales": np.full_like(parts["scales"], np.nan)}),
        save(parts | {"words": np.frombuffer(b"A\nb\nc\nd\ne\nf\ng", dtype=np.uint8)}),
        save(parts | {"words": np.frombuffer(b"\xff\n", dtype=np.uint8)}),
    ]
    for content in bad:
        path.write_bytes(content)
        with pytest.raises(DataError, match="not a file of word vectors"):
            WordVectors.load(path)
    with pytest.raises(DataError, match="cannot be read: No such file"):
        WordVectors.load(tmp_path / "nowhere")


# -- models that read them ----------------------------------------------------------------


@pytest.fixture(scope="module")
def journey(tmp_path_factory: pytest.TempPathFactory) -> Fit:
    path = tmp_path_factory.mktemp("vectors") / "v"
    made_up().save(path)
    return Fit(TRAIN, DEV, PLAN, start=Start(vectors=path))


@pytest.fixture(scope="module")
def model(journey: Fit, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small model with words, barely trained."""
    out = tmp_path_factory.mktemp("with") / "model"
    journey.run(out)
    return out


def network(vectors: WordVectors | None) -> TripleNet:
    """An untrained network over the codec of the training texts."""
    words = () if vectors is None else vectors.words
    codec = TextCodec.fit([example.text for example in TRAIN], PLAN.rules, words)
    net = TripleNet(PLAN.settings, codec, 7)
    if vectors is not None:
        net.encoder.embedding.read_words(torch.from_numpy(vectors.table()))
    return net.eval()


def words_of(graph: Path) -> np.ndarray:
    (table,) = (t for t in onnx.load(graph).graph.initializer if t.name.endswith("embedding.word"))
    return numpy_helper.to_array(table)


def test_a_folder_holds_the_vectors_as_they_were(model: Path) -> None:
    table = made_up().table()
    assert np.array_equal(words_of(model / "encoder.onnx"), table)
    weights = load_file(model / "weights.safetensors")
    assert np.array_equal(weights["net.encoder.embedding.word"], table)
    assert weights["net.encoder.embedding.word_out.weight"].any()
    folder = ModelFolder(model)
    assert folder.codec.words.listed == WORDS
    assert folder.manifest.vectors == made_up().identity
    assert "it reads vectors of 7 words" in card(folder, "model")


def test_the_written_model_reads_words(model: Path) -> None:
    codec = ModelFolder(model).codec
    encoding = codec.encode("王伟出生于云州 NORDEN")
    inputs = codec.arrays([(encoding, codec.windows(encoding)[0])], 8)
    assert inputs["words"].tolist() == [[3, 0, 5, 5, 0, 1, 1, 6]]
    graph = Graph(model / "encoder.onnx")
    hidden = graph(inputs)["hidden"]
    without = graph(inputs | {"words": np.zeros_like(inputs["words"])})["hidden"]
    assert np.abs(hidden - without).max() > 1e-3


@pytest.mark.parametrize("precision", ["fp32", "int8"])
def test_alone_in_a_batch_and_shuffled_are_the_same(
    model: Path, tmp_path: Path, precision: str
) -> None:
    if precision == "int8":
        write_int8(model, tmp_path / "int8", DEV)
        assert words_of_int8(tmp_path / "int8/encoder.onnx").itemsize == 1
    reader = quern.load(model if precision == "fp32" else tmp_path / "int8")
    texts = [example.text for example in DEV] + ["x", "云州" * 60, "Norden works 云 州"]

    def probabilities(some: list[str]) -> dict[tuple[str, int], bytes]:
        encodings = [reader.codec.encode(text) for text in some]
        return {
            (some[i], window.first): scores.subjects[: window.stop - window.first].tobytes()
            for i, window, scores in reader.scores(encodings, [Thresholds(1, 1, 1, 1)])
        }

    together = probabilities(texts)
    assert len(together) > len(texts)
    assert probabilities(texts[::-1]) == together
    for text in texts:
        assert probabilities([text]).items() <= together.items()


def words_of_int8(graph: Path) -> np.ndarray:
    tables = {t.name: t for t in onnx.load(graph).graph.initializer}
    (name,) = (n for n in tables if n.endswith("embedding.word_quantized"))
    return numpy_helper.to_array(tables[name])


def test_words_add_a_projection_to_learn_and_nothing_else(journey: Fit) -> None:
    torch.manual_seed(0)
    plain = network(None)
    torch.manual_seed(0)
    wordy = network(made_up())
    assert not list(plain.buffers())
    assert [name for name, _ in wordy.named_buffers()] == ["encoder.embedding.word"]
    theirs = dict(wordy.named_parameters())
    assert theirs.pop("encoder.embedding.word_out.weight").shape == (5, 24)
    for name, parameter in plain.named_parameters():
        assert torch.equal(parameter, theirs.pop(name))
    assert not theirs
    assert "encoder.embedding.word" not in journey.training.trainer.average


def test_other_vectors_are_another_training(journey: Fit, tmp_path: Path) -> None:
    ours = journey.checkpoint(tmp_path / "m")
    assert ours.identity["vectors"] == made_up().identity != made_up(seed=1).identity
    ours.save({}, State())
    for others in (None, made_up(seed=1).identity):
        with pytest.raises(TrainingError, match="belongs to another training: its vectors is"):
            Checkpoint(ours.path, ours.identity | {"vectors": others}).load()


def test_what_is_read_as_unknown_is_in_no_word(journey: Fit) -> None:
    known = journey.training
    items = TripleItems(TRAIN, known.codec, known.labels, TripleFitting(unknown=1.0))
    batch = items.collate(list(range(40)), [0, 0, 0])
    forgotten = batch["units"] == UNKNOWN
    assert forgotten.any()
    assert not batch["words"][forgotten].any()
    assert batch["words"].any()  # Han characters are never forgotten


# -- with an encoder ------------------------------------------------------------------------


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("encoder")
    (folder / "raw.txt").write_text("\n".join(e.text for e in TRAIN), encoding="utf-8")
    plan = PretrainingPlan(
        settings=EncoderSettings(dim=24, gram_dim=8, dilations=(1, 2)),
        schedule=Schedule(epochs=1, fine_epochs=0, precision="fp32", threads=1),
        rules=CodecRules(min_count=1, buckets=512),
    )
    pretraining = Pretraining([folder / "raw.txt"], plan, folder / "work")
    list(pretraining.run(hours=1e-9))
    pretraining.write(folder / "encoder")
    return folder / "encoder"


def test_an_encoder_given_words_starts_as_it_was(encoder: Path) -> None:
    pretrained = Pretrained(encoder)
    texts = [example.text for example in TRAIN]
    codec = pretrained.codec_for(texts, PLAN.rules, WORDS)
    assert codec.words.listed == WORDS
    settings = EncoderSettings.of(PLAN.settings)
    plain, wordy = settings.build(codec).eval(), settings.build(codec).eval()
    wordy.embedding.read_words(torch.from_numpy(made_up().table()))
    for one in (plain, wordy):
        pretrained.start(one, settings, codec)
    encoding = codec.encode("王伟出生于云州")
    arrays = codec.arrays([(encoding, Window(0, encoding.length))], 8)
    assert arrays["words"].any()
    batch = {name: torch.from_numpy(array) for name, array in arrays.items()}
    assert torch.equal(wordy(batch)[0], plain(batch)[0])
    wordy(batch)[0].sum().backward()
    assert wordy.embedding.word_out.weight.grad.any()  # and then it learns


def test_words_are_not_pretrained_with_hidden_units(encoder: Path) -> None:
    codec = TextCodec(Pretrained(encoder).codec.vocabulary, words=WORDS)
    with pytest.raises(TrainingError, match="word vectors cannot be pre-trained: the words around"):
        MaskedItems(None, codec, 1, 0)  # type: ignore[arg-type]


def test_torch_and_the_graph_agree_on_words(model: Path) -> None:
    net, codec = network(made_up()), ModelFolder(model).codec
    weights = load_file(model / "weights.safetensors")
    with torch.no_grad():
        for name, parameter in net.named_parameters():
            parameter.copy_(torch.from_numpy(weights[f"net.{name}"]))
    encodings = [codec.encode(example.text) for example in DEV]
    parts = [(e, w) for e in encodings for w in codec.windows(e)]
    inputs = codec.arrays(parts, 40)
    assert inputs["words"].any()
    with torch.no_grad():
        ours = EncoderGraph(net)({n: torch.from_numpy(a) for n, a in inputs.items()})
    theirs = Graph(model / "encoder.onnx")(inputs)
    assert np.abs(ours[0].numpy() - theirs["subjects"]).max() < 1e-5
    assert np.abs(ours[1].numpy() - theirs["hidden"]).max() < 1e-3
