"""Model folders: written whole or not at all, and refused where they do not fit together."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Any

import msgspec
import pytest

from quern import folder
from quern.errors import FolderError
from quern.folder import CODEC, MANIFEST, METRICS, Manifest, ModelFolder, write_json, writing
from quern.text import TextCodec, Vocabulary

OLD = TextCodec(Vocabulary(["ada", "字"]))
OTHER = TextCodec(Vocabulary(["eve"]))


def manifest(codec: TextCodec = OLD) -> Manifest:
    """What a small model would say of itself."""
    return Manifest(
        format=folder.FORMAT,
        task="triples",
        settings={"dim": 8},
        labels=[{"predicate": "父亲"}],
        thresholds={"subject_start": 0.5},
        codec=codec.fingerprint,
        data=None,
        precision="fp32",
        quern="0.1.0",
    )


def write_model(path: Path, codec: TextCodec = OLD) -> Path:
    """A model folder without graphs."""
    path.mkdir(exist_ok=True)
    write_json(path / MANIFEST, manifest(codec))
    codec.save(path / CODEC)
    return path


def change(path: Path, **keys: Any) -> None:
    """Write other values into a manifest."""
    raw = msgspec.json.decode((path / MANIFEST).read_bytes())
    write_json(path / MANIFEST, {**raw, **keys})


def tree(path: Path) -> dict[str, bytes | None]:
    """Everything under ``path``, hidden files too."""
    return {
        str(p.relative_to(path)): p.read_bytes() if p.is_file() else None for p in path.rglob("*")
    }


def refusal(path: Path) -> str:
    """What is said when ``path`` is opened."""
    with pytest.raises(FolderError) as refused:
        ModelFolder(path)
    return str(refused.value)


# -- writing ------------------------------------------------------------------------


def test_what_is_written_stands_there_at_the_end_and_not_before(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "down" / "model"
    with writing(path) as temporary:
        (temporary / "a.txt").write_text("new")
        assert not path.exists()
        assert temporary.parent == path.parent  # the same disk, so that a rename is enough
    assert tree(tmp_path / "deep" / "down") == {"model": None, "model/a.txt": b"new"}
    assert path.stat().st_mode & 0o777 == 0o755


def test_a_folder_is_replaced_where_that_was_asked(tmp_path: Path) -> None:
    path = write_model(tmp_path / "model")
    with writing(path, overwrite=True) as temporary:
        (temporary / "a.txt").write_text("new")
        assert ModelFolder(path).manifest == manifest()
    assert tree(tmp_path) == {"model": None, "model/a.txt": b"new"}


def test_an_empty_folder_may_be_replaced(tmp_path: Path) -> None:
    (tmp_path / "model").mkdir()
    with writing(tmp_path / "model", overwrite=True) as temporary:
        (temporary / "a.txt").write_text("new")
    assert tree(tmp_path) == {"model": None, "model/a.txt": b"new"}


def test_a_folder_of_models_is_replaced_where_its_parts_are_named(tmp_path: Path) -> None:
    path = tmp_path / "both"
    path.mkdir()
    for name in ("one", "other"):
        write_model(path / name)
    before = tree(tmp_path)
    for parts in ((), ("one",)):
        assert_not_replaced(path, parts)
    assert tree(tmp_path) == before
    with writing(path, overwrite=True, parts=("one", "other")) as temporary:
        write_model(temporary / "one")
    assert "one/quern.json" in tree(path) and not (path / "other").exists()
    (path / "other").mkdir()
    (path / "other" / "dear.txt").write_text("Dear Ada")
    assert_not_replaced(path, ("one", "other"))


def assert_not_replaced(path: Path, parts: tuple[str, ...]) -> None:
    """Nothing is written over ``path``."""
    refused = pytest.raises(FolderError, match="is not a model folder, it will not be replaced")
    with refused, writing(path, overwrite=True, parts=parts):
        pytest.fail("nothing should be written")


@pytest.mark.parametrize("overwrite", [False, True])
@pytest.mark.parametrize("error", [KeyError, KeyboardInterrupt, FolderError])
def test_an_error_leaves_nothing_and_keeps_the_old(
    tmp_path: Path, overwrite: bool, error: type[BaseException]
) -> None:
    path = tmp_path / "model"
    if overwrite:
        write_model(path)
    before = tree(tmp_path)
    with pytest.raises(error, match="midway"), writing(path, overwrite=overwrite) as temporary:
        (temporary / "a.txt").write_text("half")
        raise error("midway")
    assert tree(tmp_path) == before


def test_an_existing_folder_is_not_replaced_unasked(tmp_path: Path) -> None:
    path = write_model(tmp_path / "model")
    before = tree(tmp_path)
    with pytest.raises(FolderError) as refused, writing(path):
        pytest.fail("nothing should be written")
    assert str(refused.value) == (
        f"{path}: exists already; choose another name or pass --overwrite"
    )
    assert tree(tmp_path) == before


@pytest.mark.parametrize("kind", ["folder", "file"])
def test_what_is_no_model_is_never_replaced(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "letters"
    if kind == "folder":
        path.mkdir()
        (path / "dear.txt").write_text("Dear Ada")
    else:
        path.write_text("Dear Ada")
    before = tree(tmp_path)
    with pytest.raises(FolderError) as refused, writing(path, overwrite=True):
        pytest.fail("nothing should be written")
    assert str(refused.value) == f"{path}: is not a model folder, it will not be replaced"
    assert tree(tmp_path) == before


def test_a_full_disk_is_named_and_keeps_the_old(tmp_path: Path) -> None:
    path = write_model(tmp_path / "model")
    before = tree(tmp_path)
    with pytest.raises(FolderError) as refused, writing(path, overwrite=True) as temporary:
        (temporary / "a.txt").write_text("half")
        raise OSError(errno.ENOSPC, "No space left on device")
    assert str(refused.value) == f"{path}: cannot be written: No space left on device"
    assert tree(tmp_path) == before


def test_an_error_without_a_number_is_told_in_its_own_words(tmp_path: Path) -> None:
    with pytest.raises(FolderError) as refused, writing(tmp_path / "model"):
        raise OSError("the tape is torn")
    assert str(refused.value) == f"{tmp_path}/model: cannot be written: the tape is torn"


@pytest.mark.parametrize("failing", [1, 2])
def test_a_rename_that_fails_brings_the_old_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failing: int
) -> None:
    path = write_model(tmp_path / "model")
    before, rename, calls = tree(tmp_path), Path.rename, 0

    def refuse(self: Path, target: Path) -> Path:
        nonlocal calls
        calls += 1
        if calls == failing:
            raise PermissionError(errno.EACCES, "Permission denied")
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", refuse)
    with pytest.raises(FolderError) as refused, writing(path, overwrite=True) as temporary:
        (temporary / "a.txt").write_text("new")
    assert str(refused.value) == f"{path}: cannot be written: Permission denied"
    assert tree(tmp_path) == before


def test_a_name_that_no_disk_takes_is_refused(tmp_path: Path) -> None:
    long, under = tmp_path / ("m" * 300), tmp_path / "file" / "model"
    (tmp_path / "file").write_text("")
    for path, why in ((long, errno.ENAMETOOLONG), (under, None)):
        with pytest.raises(FolderError) as refused, writing(path):
            pytest.fail("nothing should be written")
        said = str(refused.value)
        assert said.startswith(f"{path}: cannot be written: ")
        assert why is None or said.endswith(os.strerror(why))
    assert tree(tmp_path) == {"file": b""}


# -- opening ------------------------------------------------------------------------


def test_a_folder_says_what_it_holds(tmp_path: Path) -> None:
    path = write_model(tmp_path / "model")
    opened = ModelFolder(path)
    assert opened.manifest == manifest()
    assert opened.codec.fingerprint == OLD.fingerprint
    assert opened.metrics() == {}
    write_json(path / METRICS, {"f1": 0.5})
    (path / "encoder.onnx").write_bytes(b"12345")
    (path / "weights.safetensors").write_bytes(b"not needed to run")
    assert opened.metrics() == {"f1": 0.5}
    sizes = [(path / name).stat().st_size for name in (MANIFEST, CODEC)]
    assert opened.size() == sum(sizes) + 5


def test_where_there_is_no_model_it_says_what_is_there(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "full").mkdir()
    for name in "gfedcba":
        (tmp_path / "full" / name).touch()
    said = {name: refusal(tmp_path / name) for name in ("none", "empty", "full")}
    assert said == {
        name: f"{tmp_path}/{name}: not a model folder, no quern.json ({what})"
        for name, what in (
            ("none", "no such folder"),
            ("empty", "it holds nothing"),
            ("full", "it holds a, b, c, d, e"),
        )
    }


@pytest.mark.parametrize("known", [0, 2, "1", None])
def test_an_unknown_format_is_refused(tmp_path: Path, known: Any) -> None:
    path = write_model(tmp_path / "model")
    change(path, format=known, more="keys of a later quern")
    assert refusal(path) == (
        f"{path}/quern.json: format {known!r}, this quern reads 1; "
        "use the version of quern that wrote it, or train again"
    )


@pytest.mark.parametrize(
    ("keys", "why"),
    [
        ({"colour": "blue"}, "Object contains unknown field `colour`"),
        ({"labels": "all"}, "Expected `array`, got `str` - at `$.labels`"),
        ({"about": {"author": "Ada"}}, "Object contains unknown field `author` - at `$.about`"),
    ],
)
def test_a_manifest_that_is_not_as_it_should_be_is_refused(
    tmp_path: Path, keys: dict[str, Any], why: str
) -> None:
    path = write_model(tmp_path / "model")
    change(path, **keys)
    assert refusal(path) == f"{path}/quern.json: {why}"


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "Input data was truncated"),
        (b"[1]", "format None, this quern reads 1; use the version of quern that wrote it, or "
                 "train again"),
        (b'{"format": 1}', "Object missing required field `task`"),
        (b'{"format": 1, "task": "\xff"}',
         "'utf-8' codec can't decode byte 0xff in position 0: invalid start byte"),
    ],
)  # fmt: skip
def test_a_manifest_that_cannot_be_read_is_refused(
    tmp_path: Path, content: bytes, why: str
) -> None:
    path = write_model(tmp_path / "model")
    (path / MANIFEST).write_bytes(content)
    assert refusal(path) == f"{path}/quern.json: {why}"


def test_a_folder_mixed_from_two_models_is_refused(tmp_path: Path) -> None:
    path = write_model(tmp_path / "model")
    OTHER.save(path / CODEC)
    assert refusal(path) == (
        f"{path}: codec.json has fingerprint {OTHER.fingerprint[:12]}, quern.json wants "
        f"{OLD.fingerprint[:12]}; the folder was mixed from two models"
    )


def test_a_folder_without_its_codec_is_refused(tmp_path: Path) -> None:
    path = write_model(tmp_path / "model")
    (path / CODEC).unlink()
    assert refusal(path).startswith(f"{path}/codec.json: not a codec: ")


def test_a_folder_that_may_not_be_looked_into_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_model(tmp_path / "model")

    def refuse(self: Path) -> bytes:
        raise PermissionError(errno.EACCES, "Permission denied")

    for method in ("read_bytes", "is_file"):
        with monkeypatch.context() as patch:
            patch.setattr(Path, method, refuse)
            assert refusal(path) == f"{path}/quern.json: cannot be read: Permission denied"


@pytest.mark.parametrize("content", [b"{", b'{"f1": "\xff"}'])
def test_metrics_that_cannot_be_read_are_named(tmp_path: Path, content: bytes) -> None:
    path = write_model(tmp_path / "model")
    (path / METRICS).write_bytes(content)
    with pytest.raises(FolderError) as refused:
        ModelFolder(path).metrics()
    assert str(refused.value).startswith(f"{path}/metrics.json: cannot be read: ")


class FakeGraph:
    """Opens anything, and bears the stamp that is written there."""

    def __init__(self, path: Path, threads: int) -> None:
        self.stamp = path.read_text() or None
        self.threads = threads


def test_a_graph_of_another_training_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(folder, "Graph", FakeGraph)
    path = write_model(tmp_path / "model")
    opened = ModelFolder(path)
    own, other = OLD.fingerprint, OTHER.fingerprint
    (path / "own.onnx").write_text(own)
    assert opened.graph("own", threads=3).threads == 3  # type: ignore[attr-defined]
    for stamp, shown in ((other, other[:12]), ("", "none")):
        (path / "other.onnx").write_text(stamp)
        with pytest.raises(FolderError) as refused:
            opened.graph("other")
        assert str(refused.value) == (
            f"{path}/other.onnx: trained with codec {shown}, the folder holds {own[:12]}; "
            "take both from one training"
        )


def test_a_missing_graph_is_named(tmp_path: Path) -> None:
    path = write_model(tmp_path / "model")
    with pytest.raises(FolderError) as refused:
        ModelFolder(path).graph("objects")
    assert str(refused.value) == f"{path}/objects.onnx: missing from the model folder"
