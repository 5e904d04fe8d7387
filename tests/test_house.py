"""The house rules hold for src/quern, and every rule is able to fail."""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest

import house
from house import Source

PACKAGE = house.read_sources(house.SRC / "quern", house.SRC)
PYTHON = PACKAGE + [
    source
    for folder in ("tests", "benchmarks", "examples")
    for source in house.read_sources(house.ROOT / folder, house.ROOT)
]

Rule = Callable[[Source], list[str]]
RULES: list[Rule] = [
    house.layer_faults,
    house.train_only_faults,
    house.size_faults,
    house.kwargs_faults,
    house.print_faults,
    house.except_faults,
]


def snippet(module: str, text: str) -> Source:
    """A file that exists only here."""
    return Source(module, module.replace(".", "/") + ".py", text)


def test_the_walk_finds_the_package() -> None:
    modules = {source.module for source in PACKAGE}
    assert {"quern.errors", "quern.records"} <= modules


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_rule_holds(rule: Rule) -> None:
    faults = [fault for source in PACKAGE for fault in rule(source)]
    assert not faults, "\n".join(faults)


def test_no_ring_of_imports() -> None:
    faults = house.cycle_faults(PACKAGE)
    assert not faults, "\n".join(faults)


def test_no_pickle_anywhere() -> None:
    faults = [fault for source in PYTHON for fault in house.pickle_faults(source)]
    assert not faults, "\n".join(faults)


def test_base_modules_import_light() -> None:
    modules = house.base_modules(PACKAGE)
    faults = house.light_import_faults(house.SRC, modules, house.HEAVY)
    assert not faults, "\n".join(faults)


def test_the_root_and_the_command_line_start_without_numpy() -> None:
    heavy = (*house.HEAVY, "numpy", "onnxruntime")
    faults = house.light_import_faults(house.SRC, ["quern", "quern.cli"], heavy)
    assert not faults, "\n".join(faults)


def test_no_module_has_two_floors() -> None:
    assert len(house.FLOOR) == sum(len(layer.members) for layer in house.LAYERS)


LONG_BODY = "def long():\n" + "    x = 1\n" * 60
NINE = "a, b, c, d, e, f, g, h, i"

BAD = [
    # rule, module, text, a word of the finding
    (house.layer_faults, "quern.text.codec", "import quern.data", "looks up to 'data'"),
    (house.layer_faults, "quern.text.codec", "from ..triples import f", "looks up to 'triples'"),
    (house.layer_faults, "quern.text.codec", "from .. import cli", "looks up to 'cli'"),
    (house.layer_faults, "quern.runtime", "from quern import train", "looks up to 'train'"),
    (house.layer_faults, "quern.data", "def f():\n    import quern.tasks", "quern/data.py:2: "),
    (house.layer_faults, "quern.data", "import_module('quern.cli.verbs')", "looks up to 'cli'"),
    (house.layer_faults, "quern.triples", "from quern.links import decode", "must not meet"),
    (house.layer_faults, "quern.train.fit", "from quern.serve import app", "must not meet"),
    (house.layer_faults, "quern.reader", "from quern import Graph", "module that defines it"),
    (house.layer_faults, "quern.reader", "import quern\nquern.load()", "py:2: import 'load'"),
    (house.layer_faults, "quern.data", "import quern\nquern.tasks.load()", "up to 'tasks'"),
    (house.layer_faults, "quern.attic", "x = 1", "LAYERS in tests/house.py"),
    (house.train_only_faults, "quern.runtime", "import torch.nn", "torch"),
    (house.train_only_faults, "quern.cli", "def f():\n    from onnx import load", "onnx"),
    (house.size_faults, "quern.data", "x = 1\n" * 401, "401 lines"),
    (house.size_faults, "quern.data", LONG_BODY, "long has 61 lines"),
    (house.size_faults, "quern.data", f"def f({NINE}): ...", "f has 9 parameters"),
    (house.size_faults, "quern.data", "async def f(a, b, c, d, e, f, *g, h, **i): ...", "has 9"),
    (house.size_faults, "quern.data", f"class A:\n    def f(self, {NINE}): ...", "f has 9"),
    (house.kwargs_faults, "quern.data", "def f(**options): ...", "f takes **options"),
    (house.kwargs_faults, "quern.data", "class A:\n    def __init__(self, **k): ...", "**k"),
    (house.kwargs_faults, "quern.data", "if True:\n    async def f(**k): ...", "**k"),
    (house.print_faults, "quern.data", "def f():\n    print('x')", "quern/data.py:2: print"),
    (house.except_faults, "quern.cli", "try:\n    x\nexcept:\n    pass", "name the errors"),
    (house.except_faults, "quern.cli", "try:\n    x\nexcept Exception:\n    pass", "name"),
    (house.except_faults, "quern.cli", "try:\n    x\nexcept (E, BaseException):\n    y", "py:3:"),
    (house.pickle_faults, "quern.folder", "import pickle", "pickle"),
    (house.pickle_faults, "quern.folder", "from joblib import dump", "joblib"),
    (house.pickle_faults, "quern.train.fit", "torch.save(state, path)", "torch.save"),
    (house.pickle_faults, "quern.index", "np.load(path, allow_pickle=True)", "allow_pickle"),
]


@pytest.mark.parametrize(("rule", "module", "text", "word"), BAD)
def test_rule_catches(rule: Rule, module: str, text: str, word: str) -> None:
    faults = rule(snippet(module, text))
    assert len(faults) == 1
    assert word in faults[0]


GOOD = [
    (house.layer_faults, "quern.text.codec", "from . import normalise\nimport quern.errors"),
    (house.layer_faults, "quern.folder", "from quern import __version__"),
    (house.layer_faults, "quern.folder", "import quern\nVERSION = quern.__version__"),
    (house.layer_faults, "quern.data", "from quern.metrics import f1"),
    (house.layer_faults, "quern.cli.verbs", "from quern.train import fit"),
    (house.layer_faults, "quern.data", "import numpy\nimport quernel.cli"),
    (house.train_only_faults, "quern.train.loop", "import torch"),
    (house.train_only_faults, "quern.runtime", "import onnxruntime"),
    (house.size_faults, "quern.data", "x = 1\n" * 400),
    (house.size_faults, "quern.data", "@a(\n    1,\n)\n" + LONG_BODY.replace("    x = 1\n", "", 1)),
    (house.size_faults, "quern.data", "class A:\n    def f(self, a, b, c, d, e, f, g, h): ..."),
    (house.kwargs_faults, "quern.data", "def _f(**k): ...\nclass _A:\n    def f(self, **k): ..."),
    (house.kwargs_faults, "quern.data", "def f():\n    def g(**k): ...\n    return g"),
    (house.print_faults, "quern.cli.verbs", "print('x')"),
    (house.except_faults, "quern.data", "try:\n    x\nexcept (OSError, ValueError):\n    pass"),
    (house.pickle_faults, "quern.index", "np.load(path, allow_pickle=False)"),
]


@pytest.mark.parametrize(("rule", "module", "text"), GOOD)
def test_rule_lets_pass(rule: Rule, module: str, text: str) -> None:
    assert rule(snippet(module, text)) == []


def test_a_package_resolves_its_own_relative_imports() -> None:
    package = Source("quern.text", "quern/text/__init__.py", "from .codec import TextCodec")
    assert list(house.imports(package)) == [(1, "quern.text.codec.TextCodec")]


def test_a_ring_is_caught_and_those_who_only_use_it_are_not() -> None:
    ring = [
        snippet("quern.data", "from quern.store import Store"),
        snippet("quern.store", "def late():\n    import quern.data"),
        snippet("quern.triples", "import quern.data"),
        snippet("quern.errors", ""),
    ]
    faults = house.cycle_faults(ring)
    assert sorted(fault.split(":")[0] for fault in faults) == ["quern/data.py", "quern/store.py"]
    assert house.cycle_faults(ring[1:]) == []


def test_a_heavy_import_is_caught(tmp_path: Path) -> None:
    (tmp_path / "torch.py").write_text("")
    (tmp_path / "plain.py").write_text("")
    (tmp_path / "sly.py").write_text("import torch")
    faults = house.light_import_faults(tmp_path, ["plain", "sly"], house.HEAVY)
    assert faults == ["import sly brings in torch"]
    assert house.light_import_faults(tmp_path, ["plain"], house.HEAVY) == []


def test_a_broken_import_is_not_taken_for_a_light_one(tmp_path: Path) -> None:
    (tmp_path / "broken.py").write_text("import nowhere_at_all")
    [fault] = house.light_import_faults(tmp_path, ["broken"], house.HEAVY)
    assert "nowhere_at_all" in fault


def test_extras_are_not_base_modules() -> None:
    files = [snippet("quern.train.loop", ""), snippet("quern.data", ""), snippet("quern.scale", "")]
    assert house.base_modules(files) == ["quern.data"]


def test_the_version_is_the_same_in_both_places() -> None:
    project = tomllib.loads((house.ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    root = (house.SRC / "quern" / "__init__.py").read_text("utf-8")
    assert f'__version__ = "{project["version"]}"' in root
