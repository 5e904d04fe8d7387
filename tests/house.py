"""The rules of the house as functions over source text; ``test_house.py`` runs and proves them."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SRC = ROOT / "src"

MAX_FILE, MAX_FUNCTION, MAX_PARAMETERS = 400, 60, 8

EXTRAS = ("train", "serve", "scale")  # the parts of the package that an extra brings to life
HEAVY = (
    "faiss",
    "fastapi",
    "gensim",
    "matplotlib",
    "nltk",
    "onnx",
    "onnxscript",
    "pyarrow",
    "pyoxigraph",
    "qdrant_client",
    "ray",
    "rjieba",
    "rouge_score",
    "sacrebleu",
    "sentencepiece",
    "starlette",
    "torch",
    "tqdm",
    "uvicorn",
)
TRAIN_ONLY = ("gensim", "onnx", "onnxscript", "rjieba", "sentencepiece", "torch")
PICKLES = ("cPickle", "cloudpickle", "dill", "joblib", "marshal", "pickle", "shelve")


@dataclass(frozen=True)
class Layer:
    """One storey: it may use the storeys below, and its own only where ``sideways`` says so."""

    members: tuple[str, ...]
    sideways: bool = True


# From the ground up. A new module under src/quern gets its place here.
LAYERS = (
    Layer(("errors", "records")),
    Layer(("text",)),
    Layer(
        (
            *("alignment", "calibration", "data", "embedding", "folder", "index", "kb"),
            *("metrics", "page", "priors", "runtime", "schema", "settings", "store"),
        )
    ),
    Layer(("links", "ranks", "sentences", "titles", "triples"), sideways=False),
    Layer(
        (
            "bench",
            "card",
            "cleaning",
            "doctor",
            "ensemble",
            "evaluation",
            "faq",
            "graphs",
            "reader",
            "shipped",
            "similar",
            "tasks",
            "vector_store",
        )
    ),
    Layer(EXTRAS, sideways=False),
    Layer(("__main__", "cli")),
)
FLOOR = {name: floor for floor, layer in enumerate(LAYERS) for name in layer.members}


@dataclass(frozen=True)
class Source:
    """One Python file: the dotted name it is imported by, where it lies, what it says."""

    module: str
    path: str
    text: str

    @cached_property
    def tree(self) -> ast.Module:
        """The file, parsed."""
        return ast.parse(self.text, self.path)

    @property
    def part(self) -> str:
        """The name directly under ``quern`` that the file belongs to; empty for the root."""
        return part_of(self.module)

    def fault(self, line: int, what: str) -> str:
        """One finding, in the form that editors can jump to."""
        return f"{self.path}:{line}: {what}"


def part_of(module: str) -> str:
    """``quern.text.codec`` → ``text``; ``quern`` → the empty string."""
    return module.partition(".")[2].partition(".")[0]


def read_sources(top: Path, base: Path) -> list[Source]:
    """Every Python file under ``top``, named as if imported from ``base``."""
    found = []
    for path in sorted(top.rglob("*.py")):
        steps = path.relative_to(base).with_suffix("").parts
        module = ".".join(steps[:-1] if steps[-1] == "__init__" else steps)
        found.append(Source(module, str(path.relative_to(ROOT)), path.read_text("utf-8")))
    return found


def imports(source: Source) -> Iterator[tuple[int, str]]:
    """Line and full dotted name of everything imported, at any depth, lazily or for types only.

    ``from quern.text import TextCodec`` gives ``quern.text.TextCodec``; a bare ``import quern``
    gives what is then asked of it, ``quern.x``.
    """
    package = source.module.split(".")
    if not source.path.endswith("__init__.py"):
        package = package[:-1]
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, a.name) for a in node.names if a.name != "quern")
        elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            if node.value.id == "quern":
                yield node.lineno, f"quern.{node.attr}"
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else []
            start = ".".join([*above, *([node.module] if node.module else [])])
            yield from ((node.lineno, f"{start}.{alias.name}") for alias in node.names)
        elif isinstance(node, ast.Call) and _called(node) in ("import_module", "__import__"):
            for value in node.args[:1]:
                if isinstance(value, ast.Constant) and isinstance(value.value, str):
                    yield node.lineno, value.value


def _called(call: ast.Call) -> str:
    """The last name of what is called: ``a.b.c()`` → ``c``."""
    if isinstance(call.func, ast.Attribute):
        return call.func.attr
    return call.func.id if isinstance(call.func, ast.Name) else ""


def layer_faults(source: Source) -> list[str]:
    """Imports that do not go down, and modules that have no floor."""
    if not source.part:
        return []  # the root resolves public names on first use; the light import watches it
    if source.part not in FLOOR:
        where = "give it a place in LAYERS in tests/house.py"
        return [source.fault(1, f"module '{source.part}' stands on no floor: {where}")]
    own, faults = FLOOR[source.part], []
    for line, target in imports(source):
        part = part_of(target)
        if target.split(".")[0] != "quern" or part in (source.part, "__version__"):
            continue
        if part not in FLOOR:
            faults.append(source.fault(line, f"import '{part}' from the module that defines it"))
        elif FLOOR[part] > own:
            faults.append(source.fault(line, f"'{source.part}' looks up to '{part}'"))
        elif FLOOR[part] == own and not LAYERS[own].sideways:
            faults.append(source.fault(line, f"'{source.part}' and '{part}' must not meet"))
    return faults


def cycle_faults(sources: Iterable[Source]) -> list[str]:
    """Files that import each other in a ring (the root, which is lazy, left out)."""
    files = {source.module: source for source in sources if source.part}
    uses = {
        name: {_file_of(target, files) for _, target in imports(source)} - {"", name}
        for name, source in files.items()
    }
    while free := {name for name, used in uses.items() if not used}:
        uses = {name: used - free for name, used in uses.items() if name not in free}
    rings = {name for name in uses if name in _reach(name, uses)}
    return [files[name].fault(1, f"imports itself by way of {sorted(rings)}") for name in rings]


def _file_of(target: str, files: dict[str, Source]) -> str:
    """The longest beginning of a dotted name that is a file, or the empty string."""
    while target and target not in files:
        target = target.rpartition(".")[0]
    return target


def _reach(start: str, uses: dict[str, set[str]]) -> set[str]:
    """All that can be reached from ``start`` in one step or more."""
    seen: set[str] = set()
    open_ends = set(uses[start])
    while open_ends:
        name = open_ends.pop()
        seen.add(name)
        open_ends |= uses.get(name, set()) - seen
    return seen


def train_only_faults(source: Source) -> list[str]:
    """Imports of torch and onnx outside ``train``, lazy ones too."""
    if source.part == "train":
        return []
    return [
        source.fault(line, f"only quern.train may import {target.split('.')[0]}")
        for line, target in imports(source)
        if target.split(".")[0] in TRAIN_ONLY
    ]


def size_faults(source: Source) -> list[str]:
    """Files, functions and parameter lists over the ceilings."""
    faults = []
    lines = len(source.text.splitlines())
    if lines > MAX_FILE:
        faults.append(source.fault(1, f"{lines} lines, the ceiling is {MAX_FILE}"))
    for function in _functions(source):
        named, length = function.name, (function.end_lineno or 0) - function.lineno + 1
        if length > MAX_FUNCTION:
            what = f"{named} has {length} lines, the ceiling is {MAX_FUNCTION}"
            faults.append(source.fault(function.lineno, what))
        spec = function.args
        every = [*spec.posonlyargs, *spec.args, *spec.kwonlyargs]
        every += [extra for extra in (spec.vararg, spec.kwarg) if extra]
        count = len(every) - (bool(every) and every[0].arg in ("self", "cls"))
        if count > MAX_PARAMETERS and not _is_verb(function):
            what = f"{named} has {count} parameters, the ceiling is {MAX_PARAMETERS}"
            faults.append(source.fault(function.lineno, what))
    return faults


def _is_verb(function: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    """A verb of the command line has a parameter for each of its options."""
    return any(
        isinstance(mark, ast.Call) and _called(mark) == "command"
        for mark in function.decorator_list
    )


def _functions(source: Source) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(source.tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def kwargs_faults(source: Source) -> list[str]:
    """Public functions and methods that take ``**kwargs``."""
    return [
        source.fault(function.lineno, f"{function.name} takes **{function.args.kwarg.arg}")
        for function in _public(source.tree.body)
        if function.args.kwarg
    ]


def _public(body: list[ast.stmt]) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    """Functions and methods a caller can name; those inside functions are nobody's business."""
    for node in body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            if not node.name.startswith("_") or node.name.startswith("__"):
                yield node
        elif isinstance(node, ast.ClassDef):
            if not node.name.startswith("_"):
                yield from _public(node.body)
        elif isinstance(node, ast.If | ast.Try):
            yield from _public([*node.body, *node.orelse])


def print_faults(source: Source) -> list[str]:
    """Calls of ``print`` outside ``cli``."""
    if source.part == "cli":
        return []
    return [
        source.fault(node.lineno, "print belongs in cli/")
        for node in ast.walk(source.tree)
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "print"
    ]


def except_faults(source: Source) -> list[str]:
    """Handlers that catch everything."""
    faults = []
    for node in ast.walk(source.tree):
        if not isinstance(node, ast.ExceptHandler):
            continue
        caught = node.type.elts if isinstance(node.type, ast.Tuple) else [node.type]
        names = ["" if kind is None else ast.unparse(kind) for kind in caught]
        if set(names) & {"", "Exception", "BaseException"}:
            faults.append(source.fault(node.lineno, "name the errors that are expected here"))
    return faults


def pickle_faults(source: Source) -> list[str]:
    """Pickle and its kin, by import or by the calls that use it underneath."""
    faults = [
        source.fault(line, f"no pickle: {target.split('.')[0]}")
        for line, target in imports(source)
        if target.split(".")[0] in PICKLES
    ]
    for node in ast.walk(source.tree):
        if not isinstance(node, ast.Call):
            continue
        if ast.unparse(node.func) in ("torch.load", "torch.save"):
            faults.append(source.fault(node.lineno, "torch.save and torch.load pickle"))
        if any(word.arg == "allow_pickle" for word in node.keywords) and not _refuses(node):
            faults.append(source.fault(node.lineno, "allow_pickle must stay False"))
    return faults


def _refuses(call: ast.Call) -> bool:
    given = [word.value for word in call.keywords if word.arg == "allow_pickle"]
    return all(isinstance(value, ast.Constant) and value.value is False for value in given)


_PROBE = """
import importlib, json, sys
sys.path.insert(0, sys.argv[1])
watched, brought = sys.argv[2].split(","), {}
for name in sys.argv[3:]:
    importlib.import_module(name)
    for heavy in watched:
        if heavy in sys.modules:
            brought.setdefault(heavy, name)
print(json.dumps(brought))
"""


def light_import_faults(base: Path, modules: Iterable[str], heavy: Iterable[str]) -> list[str]:
    """Import ``modules`` in a fresh process; name every heavy package that came in, and by whom."""
    command = [sys.executable, "-c", _PROBE, str(base), ",".join(heavy), *modules]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    if done.returncode:
        return [f"the import itself failed:\n{done.stderr}"]
    brought: dict[str, str] = json.loads(done.stdout)
    return [f"import {by} brings in {package}" for package, by in brought.items()]


def base_modules(sources: Iterable[Source]) -> list[str]:
    """What a base install can import: everything but the extras (and what runs when imported)."""
    return [
        source.module
        for source in sources
        if source.part not in EXTRAS and not source.module.endswith("__main__")
    ]
