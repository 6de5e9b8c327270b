"""
Texts and paths as DuckDB reads them where a parameter cannot stand: in a scan, a COPY, a comment.
"""

from __future__ import annotations

from pathlib import Path


def text_literal(text: str) -> str:
    """Return `text` as an SQL text."""
    quoted = text.replace("'", "''")
    return f"'{quoted}'"


def path_literal(path: Path) -> str:
    """Return `path` as an SQL text that names exactly this file: DuckDB reads *, ? and [ as a pattern."""
    return text_literal("".join(f"[{sign}]" if sign in "*?[" else sign for sign in str(path.absolute())))
