"""Memory of long trainings."""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Callable
from typing import cast

_TRIM_THRESHOLD, _TOP_PAD, _MMAP_THRESHOLD = -1, -2, -3  # from glibc's malloc.h


def keep_freed() -> None:
    """Tell glibc to keep freed memory for the next step instead of giving it back.

    A training step frees and asks for the same hundreds of megabytes again; handing pages
    back to the kernel each time costs a fifth of the step. Does nothing elsewhere.
    """
    mallopt = _glibc("mallopt")
    if mallopt is not None:
        mallopt(_MMAP_THRESHOLD, 1 << 30)
        mallopt(_TRIM_THRESHOLD, (1 << 31) - 1)
        mallopt(_TOP_PAD, 1 << 28)


def give_back() -> None:
    """Hand freed memory back to the system.

    Batches differ in length, and so do the holes that they leave; scoring leaves others. What
    is still in use, such as caches, stays: it has to be kept small elsewhere. Faulting the pages
    in again takes about as long as a step. Does nothing where the C library is not glibc.
    """
    trim = _glibc("malloc_trim")
    if trim is not None:
        trim(0)


def _glibc(name: str) -> Callable[..., int] | None:
    if not sys.platform.startswith("linux"):
        return None
    try:
        return cast("Callable[..., int]", getattr(ctypes.CDLL("libc.so.6"), name))
    except (OSError, AttributeError):
        return None  # another C library, such as musl
