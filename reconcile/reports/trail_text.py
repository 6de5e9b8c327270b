"""
An audit trail for people: times in their time zone, amounts as money, and nothing that says the same in other words.

Programs read the rows of TRAIL as they are.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from reconcile.days import zone_of
from reconcile.payments.trails import value_of
from reconcile.reports.terminal import grouped_amount
from reconcile.schema import Row

_MOST_CHARACTERS = 40
"""Of a value; what is longer is cut."""

_NOUNS = {"klarna_payments": "payment", "orders": "order"}
_VERBS = {"create": "created", "update": "updated", "destroy": "deleted"}


@dataclass(frozen=True, slots=True)
class _Change:
    """An attribute, its value before and after in words; empty where there is none."""

    attribute: str
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class Step:
    """One event in words: when, in a time zone, what it was, of what (`payment` or `order`), by whom, what changed."""

    at: str
    event: str
    noun: str
    who: str
    changes: tuple[_Change, ...]


def steps_of(rows: Sequence[Row], currency_code: str | None, time_zone: str) -> list[Step]:
    """
    Return the events of `rows`, those of TRAIL of one payment and its order, in their order.

    Amounts are in the currency that the order had then; `currency_code` is the one it has now.
    """
    zone, code = zone_of(time_zone), currency_code
    steps = []
    for changed in reversed([list(group) for _, group in groupby(rows, key=_event_of)]):
        head, earlier = changed[0], _currency_before(changed, code)
        steps.append(
            Step(
                f"{head['at'].astimezone(zone):%Y-%m-%d %H:%M:%S}",
                _VERBS.get(head["event"]) or str(head["event"]),
                _NOUNS[head["resource_type"]],
                head["who"] or "",
                tuple(_changes(changed, earlier, code)),
            )
        )
        code = earlier
    return steps[::-1]


def _event_of(row: Row) -> tuple[Any, ...]:
    return row["at"], row["resource_type"], row["event"], row["who"]


def _currency_before(rows: Sequence[Row], code: str | None) -> str | None:
    before = [value_of(row["before"]) for row in rows if row["attribute"] == "currency_code"]
    return next((one for one in before if isinstance(one, str)), code)


def _changes(rows: Sequence[Row], earlier: str | None, code: str | None) -> Iterator[_Change]:
    for row in rows:
        name = row["attribute"]
        if name is not None and not _repeats(name):
            yield _Change(name, _in_words(name, row["before"], earlier), _in_words(name, row["after"], code))


def _repeats(name: str) -> bool:
    """Whether an attribute says what another one, or the time of the event, says already."""
    return name == "updated_at" or name.startswith("formatted_") or name.endswith("_amount_float")


def _in_words(name: str, text: str | None, code: str | None) -> str:
    value = value_of(text)
    if name.endswith("_cents") and type(value) is int and code is not None:
        return f"{grouped_amount(value, code)} {code}"
    words = value if isinstance(value, str) else text or ""
    return words if len(words) <= _MOST_CHARACTERS else f"{words[: _MOST_CHARACTERS - 1]}…"
