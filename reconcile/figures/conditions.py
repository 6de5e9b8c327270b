"""
Conditions on items: which of them somebody asks for, as a value, and as SQL for these.

The one place that knows what is asked for by the words that people type: a listing, the page and a notebook that are
given the same conditions show the same rows. Reads no file, and does not know which names there are: `questions` does.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, fields
from types import MappingProxyType
from typing import Any

from reconcile.errors import SettingsError
from reconcile.figures.summary import NO_CURRENCY
from reconcile.files.duckdb import text_literal
from reconcile.keys import pattern_of
from reconcile.matching.policy import LABEL_OF, Status
from reconcile.money import CURRENCIES, AmountError, parse_amount

NOTHING = NO_CURRENCY
"""What is typed for items that have no currency, market, date …"""

STATES = ("new", "open", "reopened")
"""States of a break."""

NAMED: Mapping[str, str] = MappingProxyType(
    {
        "currency": "at_stake_currency_code",
        "method": "order_method",
        "market": "market_name",
        "gateway": "payment_gateway_name",
    }
)
"""Conditions on a name, and the column of ITEMS that has it."""

_SEARCHED = (
    "break_id", "item_id", "payment_id", "reference", "payment_reference", "order_reference", "order_number",
    "order_id",
)  # fmt: skip
_AMOUNT = re.compile(r"(?P<before>[A-Za-z]*)\s*(?P<amount>[^A-Za-z]*[^A-Za-z\s])\s*(?P<behind>[A-Za-z]*)")
_DAYS = re.compile(r"(?P<sign>>=|<=|>|<|)\s*(?P<days>[0-9]{1,6})|(?P<first>[0-9]{1,6})\s*-\s*(?P<last>[0-9]{1,6})")
_MOST_TOLD = 30  # of what there is


@dataclass(frozen=True, slots=True)
class Least:
    """An amount that an item puts at stake at least, in minor units of its currency."""

    cents: int
    currency_code: str


@dataclass(frozen=True, slots=True)
class Days:
    """Days from `first` to `last`; null where there is no end, both null: no date says how many."""

    first: int | None = None
    last: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Conditions:
    """
    What is asked of items: values of one condition are alternatives, conditions hold together, empty ones ask nothing.

    `currency` and `min_amount` are of what is at stake, `age` counts from the first night of a break, `data_age` from
    the dates in the data. In a name (NAMED) upper and lower case are the same, and `*` stands for any characters; null:
    it has none. `text` is part of a reference, a number or an id.
    """

    status: tuple[str, ...] = ()
    state: tuple[str, ...] = ()
    min_amount: tuple[Least, ...] = ()
    age: tuple[Days, ...] = ()
    data_age: tuple[Days, ...] = ()
    currency: tuple[str | None, ...] = ()
    method: tuple[str | None, ...] = ()
    market: tuple[str | None, ...] = ()
    gateway: tuple[str | None, ...] = ()
    text: tuple[str, ...] = ()
    accepted: bool | None = None

    @classmethod
    def of(cls, *, accepted: bool | None = None, **words: str | Iterable[str]) -> Conditions:
        """
        Return the conditions that are written so: `status="missing_order", min_amount=["100EUR", "999SEK"], age=">3"`.

        Raises SettingsError, by the option of that name, for what is none of them, with what is nearest to it.
        """
        read: dict[str, Any] = {}
        for name, given in words.items():
            if name not in _READ:
                raise SettingsError(f"there is no condition {name}", hint=f"there are {', '.join(_READ)}, accepted")
            option, several = f"--{name.replace('_', '-')}", [given] if isinstance(given, str) else given
            read[name] = tuple(_READ[name](word.strip(), option) for word in several)
        return cls(accepted=accepted, **read)

    @property
    def asked(self) -> tuple[str, ...]:
        """The names of the conditions that ask for something."""
        return tuple(one.name for one in fields(self) if getattr(self, one.name) not in ((), None))


ALL_ITEMS = Conditions()
"""Asks nothing."""


def chosen_from(items: str, asked: Conditions, *, accepted: str = "accepted_reason IS NOT NULL") -> str:
    """
    Return SQL for a table: those of `items`, SQL for a table of ITEMS and maybe more, that are `asked` for.

    `accepted` is SQL for whether a break is accepted.
    """
    alternatives = [
        [f"status = {text_literal(one)}" for one in asked.status],
        [f"state = {text_literal(one)}" for one in asked.state],
        [_least_sql(one) for one in asked.min_amount],
        [_days_sql("age_days", one) for one in asked.age],
        [_days_sql("data_age_days", one) for one in asked.data_age],
        *([name_sql(column, one) for one in getattr(asked, name)] for name, column in NAMED.items()),
        [f"contains(lower({column}), {text_literal(one.lower())})" for one in asked.text for column in _SEARCHED],
        [] if asked.accepted is None else [f"({accepted}) IS {'TRUE' if asked.accepted else 'NOT TRUE'}"],
    ]
    together = " AND ".join(f"({' OR '.join(one)})" for one in alternatives if one)
    return f"(SELECT * FROM {items} WHERE {together or 'TRUE'})"


def name_sql(column: str, name: str | None) -> str:
    """Return SQL that is true where `column` is `name`, in which `*` stands for any characters; null: empty."""
    if name is None:
        return f"{column} IS NULL"
    return f"regexp_matches(lower({column}), {text_literal(pattern_of([name.lower()]))})"


def _least_sql(least: Least) -> str:
    return f"{NAMED['currency']} = {text_literal(least.currency_code)} AND at_stake_cents >= {least.cents}"


def _days_sql(column: str, days: Days) -> str:
    ends = ((">=", days.first), ("<=", days.last))
    return " AND ".join(f"{column} {sign} {end}" for sign, end in ends if end is not None) or f"{column} IS NULL"


def unknown(word: str, option: str, noun: str, there: Iterable[str]) -> SettingsError:
    """Return the error of a `word` given to `option` that is no `noun`: what is nearest to it, and what is `there`."""
    names = sorted(there)
    told = [*names[:_MOST_TOLD], *([f"{len(names) - _MOST_TOLD} more"] if len(names) > _MOST_TOLD else [])]
    hint = f"there {'is' if len(told) == 1 else 'are'} {', '.join(told)}" if told else "there is none"
    return SettingsError(f'{option} "{word}": there is no such {noun}{_nearest(word, names)}', hint=hint)


def _nearest(word: str, names: Iterable[str]) -> str:
    by_word = {said.casefold(): name for name in names for said in (name, LABEL_OF.get(name, name))}
    close = difflib.get_close_matches(word.casefold(), by_word, n=1, cutoff=0.6)
    return f" (did you mean {by_word[close[0]]}?)" if close else ""


def _status(word: str, option: str) -> str:
    by_word = {said.casefold(): str(status) for status in Status for said in (status, LABEL_OF[status])}
    if (status := by_word.get(word.casefold())) is not None:
        return status
    raise unknown(word, option, "status", Status)


def _state(word: str, option: str) -> str:
    if word.casefold() in STATES:
        return word.casefold()
    raise unknown(word, option, "state", STATES)


def _least(word: str, option: str) -> Least:
    written = _AMOUNT.fullmatch(word)
    codes = [code for code in written.group("before", "behind") if code] if written else []
    if written is None or len(codes) != 1:
        raise SettingsError(f'{option} "{word}": is not an amount with its currency', hint="write it like 100EUR")
    code = codes[0].upper()
    if code not in CURRENCIES:
        what = f"there is no currency {codes[0]}{_nearest(codes[0], CURRENCIES)}"
        raise SettingsError(f'{option} "{word}": {what}', hint="write an ISO 4217 code: 100EUR")
    try:
        return Least(parse_amount(written["amount"], code), code)
    except AmountError as error:
        raise SettingsError(f"{option} {error}", hint="write it like 1234.50EUR") from error


def _days(word: str, option: str) -> Days:
    if word == NOTHING:
        return Days()
    written = _DAYS.fullmatch(word)
    if written is None:
        hint = f'write ">3", "<=30", 7, 4-7, or {NOTHING} for what has no date; the quotes keep > and < from the shell'
        raise SettingsError(f'{option} "{word}": is not a number of days', hint=hint)
    if written["days"] is None:
        return Days(int(written["first"]), int(written["last"]))
    days = int(written["days"])
    ends = {">": (days + 1, None), ">=": (days, None), "<": (None, days - 1), "<=": (None, days)}
    return Days(*ends.get(written["sign"], (days, days)))


def _name(word: str, option: str) -> str | None:
    return None if word == NOTHING else word


def _text(word: str, option: str) -> str:
    return word


_READ: Mapping[str, Callable[[str, str], Any]] = MappingProxyType(
    {
        "status": _status,
        "state": _state,
        "min_amount": _least,
        "age": _days,
        "data_age": _days,
        **dict.fromkeys(NAMED, _name),
        "text": _text,
    }
)
