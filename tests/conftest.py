"""What all tests share: how hypothesis behaves."""

from __future__ import annotations

import os

from hypothesis import settings

# No deadline: a busy machine is no bug. `CI=1` looks at the same examples every time.
settings.register_profile("house", deadline=None, print_blob=True, derandomize="CI" in os.environ)
settings.load_profile("house")
