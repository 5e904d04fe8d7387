"""Print constraints that hold every dependency at its lower bound: ``>=`` becomes ``==``."""

import re
import tomllib
from pathlib import Path

pyproject = tomllib.loads((Path(__file__).parent.parent / "pyproject.toml").read_text("utf-8"))
project = pyproject["project"]
extras = project["optional-dependencies"]
optional = [
    each
    for name in ("train", "rdf", "ann", "served", "evaluate", "parquet")
    for each in extras[name]
]
for requirement in project["dependencies"] + optional:
    name, lowest = re.fullmatch(r"([\w-]+)>=([\d.]+)(?:,<[\d.]+)?", requirement).groups()
    print(f"{name}=={lowest}")
