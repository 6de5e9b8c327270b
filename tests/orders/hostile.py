"""Hostile and odd files as cases: what stands in one, and exactly what must come of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

from reconcile.errors import OrderFileError

CENTS = "reference,amount_cents,currency_code\n"
UNITS = "reference,amount,currency\n"
ROW = "A,1,EUR\n"

Row = tuple[str | None, int, str, int]
A = ("A", 1, "EUR", 2)
"""What ROW below CENTS is read as: reference, minor units, currency and line."""


@dataclass(frozen=True)
class Case:
    """
    A file and its outcome: rows (or how many), and the beginnings of the reasons for rejects by line; or a refusal.

    `refused` are words of the error, `hint` words of its hint, `line` its line.
    """

    name: str
    content: bytes | str
    rows: Sequence[Row] | int = ()
    rejects: Sequence[tuple[int, str]] = ()
    refused: str | None = None
    hint: str = ""
    line: int | None = None
    file: str = "orders.csv"
    declared: dict[str, Any] = field(default_factory=dict)


def read_as(name: str, content: bytes | str, *rows: Row, rejects: Sequence[tuple[int, str]] = (), **more: Any) -> Case:
    """Return the case of a file that is read."""
    file = more.pop("file", "orders.csv")
    return Case(name, content, more.pop("count", rows), rejects, file=file, declared=more)


def refused(
    name: str, content: bytes | str, words: str, *, hint: str = "", line: int | None = None, **more: Any
) -> Case:
    """Return the case of a file that is refused whole."""
    file = more.pop("file", "orders.csv")
    return Case(name, content, refused=words, hint=hint, line=line, file=file, declared=more)


def cases(*all_of_them: Case) -> pytest.MarkDecorator:
    """Return the mark that runs a test once for each case."""
    return pytest.mark.parametrize("case", all_of_them, ids=lambda case: case.name)


def check(case: Case, read: Any) -> None:
    """Read the file of `case` and compare everything that came of it."""
    if case.refused is not None:
        with pytest.raises(OrderFileError) as caught:
            read(case.content, case.file, **case.declared)
        error = caught.value
        assert case.refused in error.message
        assert case.hint in (error.hint or "")
        assert case.line is None or error.line == case.line
        return
    outcome = read(case.content, case.file, **case.declared)
    found = outcome.columns("reference", "amount_cents", "currency_code", "source_line")
    reasons = [(int(line), reason) for line, _, _, reason in outcome.reasons]
    if isinstance(case.rows, int):
        assert len(found) == case.rows
    else:
        assert found == list(case.rows)
    assert [line for line, _ in reasons] == [line for line, _ in case.rejects]
    assert all(reason.startswith(start) for (_, reason), (_, start) in zip(reasons, case.rejects, strict=True)), reasons
    assert all(row["remedy"] for row in outcome.rejects)
