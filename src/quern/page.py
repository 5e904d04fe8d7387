"""An HTML page that needs nothing else: no network, no other file, no script but its own."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable
from html import escape


def whole(title: str, body: Iterable[str], style: str, script: str) -> str:
    """The page of some parts.

    Args:
        title: plain text.
        body: HTML, in which everything that came from a user is escaped.
        style: CSS.
        script: runs when the page has been read; nothing else can, whatever a text holds.
    """
    policy = f"default-src 'none'; style-src {_hash(style)}; script-src {_hash(script)}"
    parts = [
        "<!doctype html>",
        '<html lang="en">',
        '<meta charset="utf-8">',
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<title>{escape(title)}</title>",
        f"<style>{style}</style>",
        "<body>",
        f"<h1>{escape(title)}</h1>",
        *body,
        f"<script>{script}</script>",
        "</body>",
        "</html>",
    ]
    return "\n".join(parts) + "\n"


def _hash(code: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(code.encode()).digest()).decode()}'"
