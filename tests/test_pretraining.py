"""Pre-training: raw text on disk, hidden units, and what starts from an encoder."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

torch = pytest.importorskip("torch")

import msgspec
import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from safetensors.numpy import load

from corpus import corpus
from nasty import texts
from quern.errors import DataError, FolderError, TrainingError
from quern.folder import About
from quern.records import TripleExample
from quern.text import PAD, UNKNOWN, CodecRules, TextCodec, Vocabulary
from quern.train import raw
from quern.train.encoders import UNIT_ROWS, EncoderSettings, Pretrained
from quern.train.fit import Fit, Start, fit
from quern.train.loop import Epoch, Schedule
from quern.train.masked import HIDDEN, SAMPLED, MaskedItems, MaskedNet, hide, masked_loss
from quern.train.pretraining import Pretraining, PretrainingPlan
from quern.train.triple_training import Plan, TripleTraining
from quern.triples import TripleSettings

SETTINGS = EncoderSettings(dim=24, gram_dim=8, dilations=(1, 2))
PLAN = PretrainingPlan(
    settings=SETTINGS,
    schedule=Schedule(
        epochs=12, fine_epochs=0, batch_size=32, rate=2e-2, precision="fp32", threads=1
    ),
    rules=CodecRules(min_count=2, buckets=512),
    about=About(data_name="made up"),
)


@pytest.fixture(scope="module")
def text(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Raw text of 600 sentences."""
    path = tmp_path_factory.mktemp("raw") / "raw.txt"
    path.write_text("\n".join(example.text for example in corpus(600)), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def encoder(text: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small encoder."""
    out = tmp_path_factory.mktemp("encoder") / "encoder"
    pretraining = Pretraining([text], PLAN, out.with_name("work"))
    for _ in pretraining.run(hours=1):
        pass
    pretraining.write(out)
    return out


# -- raw text ---------------------------------------------------------------------------


def built(folder: Path, lines: list[str], reading: int = 64) -> raw.RawCorpus:
    file = folder / "raw.jsonl.gz"
    rows = [json.dumps({"text": line}) + "\n" for line in lines]
    file.write_bytes(gzip.compress("".join(rows).encode()))
    return raw.build(folder / "corpus", [file], reading, lambda characters: None)


# A file cannot hold lone surrogates.
lines_of_text = st.lists(texts().map(lambda s: s.encode("utf-8", "ignore").decode()), min_size=1)


@given(lines_of_text, st.integers(1, 80))
def test_pieces_are_what_the_codec_makes_of_the_texts(lines: list[str], reading: int) -> None:
    codec = TextCodec.fit(lines, CodecRules(min_count=1, window=128, overlap=0))
    wanted = [
        found.features[first:stop]
        for found in map(codec.encode, lines)
        for first, stop in codec.windows(found, reading)
    ]
    with TemporaryDirectory() as name:
        folder = Path(name)
        if not wanted:
            with pytest.raises(DataError, match="no text"):
                built(folder, lines, reading)
            return
        corpus_ = built(folder, lines, reading)
        table = corpus_.table(codec)
        lengths = corpus_.lengths(np.arange(len(wanted)))
        assert lengths.tolist() == [len(piece) for piece in wanted]
        for index, features in enumerate(wanted):
            piece = corpus_.piece(index)
            found = table[piece >> 1]
            found[:, 1] += piece & 1
            assert np.array_equal(found, features)


def test_the_vocabulary_is_what_fitting_gives(tmp_path: Path) -> None:
    lines = [example.text for example in corpus(200)]
    rules = CodecRules(min_count=3, max_units=50)
    assert (
        built(tmp_path, lines).vocabulary(rules).units
        == TextCodec.fit(lines, rules).vocabulary.units
    )


def test_what_cannot_be_kept_apart_is_one_unit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(raw, "_SURFACES", 3)
    found = built(tmp_path, ["one two three four"])
    assert found.surfaces() == (["\ufffd", "one", "two"], [2, 1, 1])
    assert (found.piece(0) >> 1).tolist() == [1, 2, 0, 0]


def test_other_texts_are_read_and_the_same_are_not_read_again(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("one two")
    (tmp_path / "b.txt").write_text("three four five")
    read: list[int] = []

    def lengths(name: str) -> list[int]:
        found = raw.build(tmp_path / "corpus", [tmp_path / name], 64, read.append)
        return found.lengths(np.arange(len(found.ends))).tolist()

    assert [lengths("a.txt"), lengths("a.txt"), lengths("b.txt")] == [[2], [2], [3]]
    assert read == [7, 15]


def test_a_broken_file_leaves_no_corpus(tmp_path: Path) -> None:
    file = tmp_path / "raw.jsonl"
    file.write_text('{"text": "whole"}\n{"text": ', encoding="utf-8")
    with pytest.raises(DataError, match=r"raw\.jsonl:2: "):
        raw.build(tmp_path / "corpus", [file], 64, lambda characters: None)
    assert not (tmp_path / "corpus").exists()


def first_batch(items: MaskedItems) -> list[int]:
    return next(iter(items.order(32, 0, 0)))


# -- hiding -----------------------------------------------------------------------------


@given(st.integers(1, 200), st.integers(0, 1000))
def test_a_share_of_the_units_is_hidden(length: int, seed: int) -> None:
    hidden = hide(length, np.random.default_rng(seed))
    assert max(1, int(HIDDEN * length)) <= hidden.sum() <= HIDDEN * length + 4


def test_a_batch_says_nothing_of_hidden_units_and_keeps_the_rest(
    text: Path, tmp_path: Path
) -> None:
    items = Pretraining([text], PLAN, tmp_path).items
    chosen = first_batch(items)[:16]
    batch = items.collate(chosen, [1, 2, 3])
    shape = batch["units"].shape
    full = np.zeros((*shape, batch["grams"].shape[-1] + 2), dtype=np.int32)
    for row, index in enumerate(chosen):
        piece = items._corpus.piece(index)
        full[row, : len(piece)] = items._table[piece >> 1]
        full[row, : len(piece), 1] += piece & 1
    hidden = (batch["units"] == UNKNOWN) & (batch["shapes"] == 0)
    kept = ~hidden.numpy()
    assert np.array_equal(batch["units"].numpy()[kept], full[..., 0][kept])
    assert np.array_equal(batch["shapes"].numpy()[kept], full[..., 1][kept])
    assert np.array_equal(batch["grams"].numpy()[kept], full[..., 2:][kept])
    assert not batch["grams"][hidden].any()
    real = batch["targets"] != PAD
    places, targets = batch["places"][real].numpy(), batch["targets"][real].numpy()
    assert np.array_equal(full[..., 0].ravel()[places], targets)
    assert hidden.numpy().ravel()[places].all() and (targets > UNKNOWN).all()


def test_batches_of_one_length_have_one_shape_and_padding_does_not_count(
    text: Path, tmp_path: Path
) -> None:
    running = Pretraining([text], PLAN, tmp_path)
    items, net = running.items, running.net.eval()
    drawn = [items.collate(first_batch(items), [n]) for n in range(20)]
    assert len({int((batch["targets"] != PAD).sum()) for batch in drawn}) > 1
    assert len({batch["targets"].shape for batch in drawn}) == 1
    batch = drawn[0]
    real = batch["targets"] != PAD
    bare = {**batch, "places": batch["places"][real], "targets": batch["targets"][real]}
    with torch.no_grad():
        padded, alone = masked_loss(net, batch)["masked"], masked_loss(net, bare)["masked"]
    assert padded.item() == pytest.approx(alone.item(), rel=1e-5)


def test_a_pass_reads_every_piece_once_and_none_that_is_held_out(
    text: Path, tmp_path: Path
) -> None:
    items = Pretraining([text], PLAN, tmp_path).items
    items._parts = 3
    for turn in (0, 1):
        epochs = [items.order(8, 5, 3 * turn + part) for part in range(3)]
        seen = [i for batches in epochs for batch in batches for i in batch]
        assert sorted([*seen, *items.held_out]) == list(range(len(items._corpus.ends)))
    first = list(items.order(8, 5, 0))
    assert first == list(items.order(8, 5, 0)) != list(items.order(8, 5, 3))


def test_the_loss_over_all_candidates_is_the_cross_entropy() -> None:
    codec = TextCodec(Vocabulary("abcdefgh"), CodecRules(buckets=16))
    torch.manual_seed(0)
    net = MaskedNet(SETTINGS, codec).eval()
    names = torch.arange(len(codec.vocabulary))
    batch = {
        "units": torch.tensor([[2, 3, 4, 1, 5, 0, 0, 0]]),
        "shapes": torch.tensor([[5, 5, 5, 0, 5, 0, 0, 0]]),
        "grams": torch.zeros(1, 8, 8, dtype=torch.long),
        "places": torch.tensor([3]),
        "targets": torch.tensor([6]),
        "sampled": names,
        "frequent": torch.zeros(len(names)),
    }
    with torch.no_grad():
        logits = net.score(net(batch))
        wanted = torch.nn.functional.cross_entropy(logits, batch["targets"])
        assert masked_loss(net, batch)["masked"].item() == pytest.approx(wanted.item(), abs=1e-5)


def test_candidates_are_sampled_as_often_as_the_loss_believes(text: Path, tmp_path: Path) -> None:
    items = Pretraining([text], PLAN, tmp_path).items
    drawn = [items.collate(first_batch(items)[:1], [n])["sampled"] for n in range(200)]
    counts = torch.bincount(torch.cat(drawn), minlength=len(items._frequent)).double() / 200
    expected = items._frequent.double().exp()
    assert expected.sum().item() == pytest.approx(SAMPLED)
    assert (counts - expected).abs().max().item() < 0.1 * expected.max().item()


# -- the training -----------------------------------------------------------------------


def test_it_learns_to_guess(encoder: Path) -> None:
    metrics = msgspec.json.decode((encoder / "metrics.json").read_bytes())
    course = [fact["scores"]["accuracy"] for fact in metrics["epochs"]]
    assert len(course) == 12
    assert metrics["held_out"]["accuracy"] == max(course) > 0.3


def test_its_card_says_how_well(encoder: Path) -> None:
    card = (encoder / "README.md").read_text(encoding="utf-8")
    accuracy = msgspec.json.decode((encoder / "metrics.json").read_bytes())["held_out"]["accuracy"]
    assert card.startswith("# encoder\n\nTask: encoder. Precision: fp16. Size: ")
    assert f"{accuracy:.1%} of the hidden units" in card
    assert "--init encoder" in card


def test_a_resumed_run_equals_an_unbroken_one(text: Path, tmp_path: Path) -> None:
    whole = Pretraining([text], PLAN, tmp_path)
    for _ in whole.run(hours=1):
        pass
    broken = Pretraining([text], PLAN, tmp_path)
    epochs = 0
    for fact in broken.run(1, broken.checkpoint()):
        epochs += isinstance(fact, Epoch)
        if epochs == 2:
            break
    again = Pretraining([text], PLAN, tmp_path)
    again.trainer.restore(again.checkpoint())
    assert again.trainer.state.epoch == 1
    for _ in again.run(hours=1):
        pass
    assert whole.trainer.best.keys() == again.trainer.best.keys()
    for name, tensor in whole.trainer.best.items():
        assert torch.equal(tensor, again.trainer.best[name]), name


def test_time_ends_it(text: Path, tmp_path: Path) -> None:
    pretraining = Pretraining([text], PLAN, tmp_path)
    assert sum(isinstance(fact, Epoch) for fact in pretraining.run(hours=1e-9)) == 1
    assert not list(pretraining.run(hours=1e-9))


# -- starting from it ---------------------------------------------------------------------

TRIPLES = Plan(
    settings=TripleSettings(dim=24, gram_dim=8, dilations=(1, 2), heads=2, head_dim=8),
    schedule=Schedule(epochs=1, threads=1, precision="fp32"),
)


def test_a_training_starts_from_its_weights(encoder: Path) -> None:
    pretrained = Pretrained(encoder)
    new = TripleExample("zyx zyx", (), line=1)
    training = TripleTraining([*corpus(50), new], corpus(10, 1), TRIPLES, pretrained)
    theirs, ours = pretrained.codec.vocabulary, training.codec.vocabulary
    assert set(ours.units) == {*theirs.units, "zyx"}
    assert training.codec.rules == pretrained.codec.rules
    whole = MaskedNet(SETTINGS, pretrained.codec).encoder
    pretrained.start(whole, SETTINGS, pretrained.codec)
    started = dict(training.net.encoder.named_parameters())
    for name, parameter in whole.named_parameters():
        assert parameter.abs().sum() > 0 or name == "embedding.position"
        if name != UNIT_ROWS:
            assert torch.equal(parameter, started[name])
    old, rows = whole.embedding.unit.weight, started[UNIT_ROWS]
    for unit in theirs:
        assert torch.equal(old[theirs.id(unit)], rows[ours.id(unit)])
    assert not (old == rows[ours.id("zyx")]).all(1).any()


def test_the_vocabulary_holds_the_training_texts_before_the_rest(encoder: Path) -> None:
    pretrained = Pretrained(encoder)
    texts = ["zyx zyx", "wvu wvu", "once"]
    codec = pretrained.codec_for(texts, CodecRules(max_units=5))
    assert codec.vocabulary.units == ("wvu", "zyx", *pretrained.codec.vocabulary.units[:3])
    assert codec.rules == pretrained.codec.rules


def test_another_shape_is_refused_with_the_way_out(encoder: Path) -> None:
    plan = msgspec.structs.replace(TRIPLES, settings=TripleSettings(gram_dim=8))
    with pytest.raises(TrainingError) as caught:
        Fit(corpus(50), corpus(10, 1), plan, start=Start(encoder))
    assert str(caught.value) == (
        f"{encoder}: has dim=24, the network to train has dim=128; pass --set dim=24, "
        "or pre-train another encoder"
    )


def test_a_trained_model_can_be_started_from_too(encoder: Path, tmp_path: Path) -> None:
    named = msgspec.structs.replace(TRIPLES, about=About(data_name="a corpus"))
    model = tmp_path / "model"
    fit(corpus(50), model, corpus(10, 1), named, start=Start(encoder))
    started = Fit(corpus(50), corpus(10, 1), TRIPLES, start=Start(model))
    weights = load((model / "weights.safetensors").read_bytes())
    for name, parameter in started.training.net.encoder.named_parameters():
        assert np.array_equal(parameter.detach().numpy(), weights[f"net.encoder.{name}"])


def test_a_card_says_on_what_the_weights_were_trained_before(encoder: Path, tmp_path: Path) -> None:
    named = msgspec.structs.replace(TRIPLES, about=About(data_name="a corpus"))
    fit(corpus(50), tmp_path / "1", corpus(10, 1), named, start=Start(encoder))
    fit(corpus(50), tmp_path / "2", corpus(10, 1), TRIPLES, start=Start(tmp_path / "1"))
    of_encoder, of_model = (Pretrained(path).identity for path in (encoder, tmp_path / "1"))
    said = [(tmp_path / number / "README.md").read_text("utf-8") for number in "12"]
    for page, data, weights in zip(
        said, ("made up", "made up; a corpus"), (of_encoder, of_model), strict=True
    ):
        assert (
            f"Started from weights that were trained on: {data} (SHA-256 of the weights: "
            f"`{weights}`)."
        ) in page


def test_an_encoder_does_not_read_and_what_has_no_weights_is_no_start(encoder: Path) -> None:
    import quern
    from quern.shipped import find

    with pytest.raises(FolderError, match="an encoder to start trainings from"):
        quern.load(encoder)
    with pytest.raises(
        FolderError,
        match="holds no weights to start from; give a folder",
    ):
        Pretrained(find("zh-triples"))


def test_another_encoder_is_another_training(encoder: Path, tmp_path: Path) -> None:
    examples, dev = corpus(50), corpus(10, 1)
    with_it = Fit(examples, dev, TRIPLES, start=Start(encoder))
    for _ in with_it.training.run(with_it.checkpoint(tmp_path / "m")):
        pass
    plan = msgspec.structs.replace(TRIPLES, rules=CodecRules())
    with pytest.raises(TrainingError, match="belongs to another training: its init is"):
        Fit(examples, dev, plan).run(tmp_path / "m", resume=True)
