"""
Which declarations would read order files that cannot be read as they are: each is tried on the files before it is told.

Goes from one problem to the next, as a user would, and tells all of them at once, with one command line that a shell
takes and what it would read. What two declarations would read in two ways is told both ways. Declares nothing: the
reading of a run never guesses.
"""

from __future__ import annotations

import re
import shlex
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from reconcile.errors import OrderFileError, SettingsError
from reconcile.money import EXPONENTS, SYMBOLS, format_amount
from reconcile.orders.cells.remedies import CONTINUES, quoted
from reconcile.orders.databases.url import OrdersQuery
from reconcile.orders.format import COLUMN_OPTIONS, DETECTED, OrderFormat
from reconcile.orders.opening import OrderPaths
from reconcile.orders.proposals.cells import Declared, for_amounts, for_dates
from reconcile.orders.proposals.columns import AGAINST, Column, amounts_among, columns_of
from reconcile.orders.proposals.heads import Head, cells_of, head_of
from reconcile.orders.proposals.words import is_plain, options_of
from reconcile.orders.rejects import Reject

_MOST_STEPS = 10
_MOST_OTHERS = 6
_MOST_SEPARATORS = 3
_MOST_SKIPPED = 8
_SAID = ("that is usually without tax", "that is the open amount, not the total")  # beside each column, too
_NOT_OF_FILES = ("amount_basis", "time_zone")  # are settings of other rooms
_SKIP = "add --skip-rows "
_MOST_CELLS = 300
_CODE = re.compile(r"(?:in|than) ([A-Z]{3})\b")
_DATE = " date "


@dataclass(frozen=True, slots=True)
class Proposal:
    """
    Declarations by name that were tried, and what they read.

    `condition` is what has to be so, where that is for people to say; `problems` are all that was in the way; `notes`
    what to know besides.
    """

    declared: Declared
    head: Head
    condition: str | None
    problems: tuple[str, ...]
    notes: tuple[str, ...]

    @property
    def words(self) -> str:
        """What to add, and what that reads."""
        added = f"add {options_of(self.declared)}: {_reads(self.head)}"
        return f"{self.condition}, {added}" if self.condition else added


def hint_of(proposals: Sequence[Proposal], paths: OrderPaths, form: OrderFormat) -> str:
    """Return what to do beside what `form` declares, in words and as command lines that show what it does."""
    own = {name: getattr(form, name) for name in form.__struct_fields__ if name not in _NOT_OF_FILES}
    own = {name: value for name, value in own.items() if value != getattr(DETECTED, name)}
    names = " ".join(str(path) if is_plain(str(path)) else quoted(str(path)) for path in _given(paths))
    commands = [f"  reconcile orders inspect {names} {options_of({**own, **one.declared})}" for one in proposals]
    notes = dict.fromkeys(note for one in proposals for note in one.notes)
    return "\n".join(["; ".join(["; or ".join(one.words for one in proposals), *notes]), *commands])


def propose(paths: OrderPaths, form: OrderFormat) -> list[Proposal]:
    """
    Return what would have to be declared beside `form` so that the files in `paths` are read; nothing where none helps.

    Several are for people to choose between. Reads the beginning of the files, several times. Nothing is proposed for
    queries, addresses and standard input.
    """
    if any(isinstance(path, OrdersQuery) or "://" in str(path) or str(path) == "-" for path in _given(paths)):
        return []
    searches, found = [_Search(paths, form)], []
    try:
        for search in searches:  # it grows while there are choices
            found.append(search.run())
            others = (_Search(paths, form, other, condition) for condition, other in search.others)
            searches += [one for one in others if one.chosen not in [known.chosen for known in searches]]
            del searches[_MOST_OTHERS:]
    except (OSError, SettingsError):
        return []
    start = searches[0].start
    return [one for one in found if one is not None and (start is None or one.head.rejected_rows < start)]


class _Search:
    def __init__(
        self, paths: OrderPaths, form: OrderFormat, declared: Declared | None = None, condition: str | None = None
    ) -> None:
        self._paths = paths
        self._form = form
        self.chosen = dict(declared or {})
        self._declared: dict[str, Any] = {}
        self._condition = condition
        self._problems: list[str] = []
        self._notes: list[str] = []
        self.others: list[tuple[str, Declared]] = []
        self.start: int | None = None  # rows that are rejected without anything declared

    def run(self) -> Proposal | None:
        head = None
        for _ in range(_MOST_STEPS):
            try:
                head = head_of(self._paths, self._now)
            except OrderFileError as error:
                head, step = None, self._for_error(error)
                self._problems.append(error.message)
            else:
                if not self._declared:
                    self.start = head.rejected_rows
                if not head.rejects or not (step := self._for_rejects(head)):
                    break
            if not step:
                break
            self._declared |= {name: self.chosen.get(name, value) for name, value in step.items()}
        if head is None or not self._declared or not head.table.num_rows:
            return None
        return Proposal(dict(self._declared), head, self._condition, tuple(self._problems), tuple(self._notes))

    @property
    def _now(self) -> OrderFormat:
        return replace(self._form, **self._declared)

    def _for_error(self, error: OrderFileError) -> Declared:
        """Return what may do away with an error, not tried yet."""
        if error.asks == "header_line":
            return self._choice("header_line", [(f"if the header is line {one}", one) for one in error.among[::-1]])
        if error.asks == "unit":
            ways = [("if amounts are whole minor units", "minor"), ("if they are not", "major")]
            return self._choice("amount_unit", ways)
        if error.asks is None:
            return self._encoding(error)
        if error.asks in COLUMN_OPTIONS and self._now.column(error.asks):
            return {}  # a column that the user has named is not there
        cells = cells_of(self._paths, self._now, header_line=error.line)
        if cells is None:
            return {}
        columns = columns_of(cells)
        among = [columns[at] for at in error.among if at < len(columns)]
        chosen = {"reference": self._key, "amount": self._amount, "currency": self._currency, "sign": self._sign}
        declared = chosen.get(error.asks, self._any)(error.asks, columns, among)
        is_said = error.asks == "amount" and error.why in _SAID
        if error.why and declared and not is_said:
            self._notes.append(error.why)
        return declared

    def _encoding(self, error: OrderFileError) -> Declared:
        if "is not UTF-8" not in error.message or self._now.encoding is not None:
            return {}
        self._notes += [error.hint] if error.hint else []
        return {"encoding": "cp1252"}

    def _key(self, role: str, columns: Sequence[Column], among: Sequence[Column]) -> Declared:
        usable = [one for one in among if one.is_key] or list(among)
        others = [one for one in columns if one.is_key and one.name and not one.is_amount and not one.is_sign]
        return self._named(role, usable or others, columns, "if the reference is in {}", is_sure=len(among) == 1)

    def _amount(self, role: str, columns: Sequence[Column], among: Sequence[Column]) -> Declared:
        if two := _two_sides(columns):
            return two
        usable = amounts_among([one for one in among if one.texts])
        if all(one.rank >= AGAINST for one in usable):  # then any other may be it as well
            usable += [one for one in amounts_among(columns) if one not in usable]
        best = [one for one in usable if not among and one.rank == usable[0].rank < AGAINST]
        ways = [(f"if the total is {one.shown}{one.against}", _name_of(one, columns)) for one in usable]
        if len(best) == 1:
            return self._choice("amount_column", ways[:1], is_sure=True)
        return self._choice("amount_column", ways[:_MOST_SEPARATORS])

    def _currency(self, role: str, columns: Sequence[Column], among: Sequence[Column]) -> Declared:
        if usable := [one for one in (*among, *columns) if one.is_currency]:
            return self._named(role, usable[:1], columns, "if {} is their currency", is_sure=not among)
        if self._now.currency is not None:  # a column that may be it is none
            return {"currency_column": ""}
        texts = [text for one in columns if one.is_amount for text in one.texts]
        codes = [code for code, signs in SYMBOLS.items() if any(sign in text for sign in signs for text in texts)]
        if len(codes) != 1:
            code = codes[0] if codes else "EUR"
            self._notes.append(f"write the code of all amounts in place of {code}: the files do not say it")
        return {"currency": codes[0] if codes else "EUR"}

    def _sign(self, role: str, columns: Sequence[Column], among: Sequence[Column]) -> Declared:
        ways = [("if amounts have no sign of their own", _name_of(one, columns)) for one in among[:1]]
        return self._choice("sign_column", [*ways, ("if they have one", "")])

    def _any(self, role: str, columns: Sequence[Column], among: Sequence[Column]) -> Declared:
        return self._named(role, among, columns, f"if the {role.replace('_', ' ')} is {{}}")

    def _named(
        self, role: str, usable: Sequence[Column], columns: Sequence[Column], words: str, *, is_sure: bool | None = None
    ) -> Declared:
        ways = [(words.format(one.shown), _name_of(one, columns)) for one in usable]
        return self._choice(f"{role}_column", ways, is_sure=len(ways) == 1 if is_sure is None else is_sure)

    def _choice(self, setting: str, ways: Sequence[tuple[str, Any]], *, is_sure: bool = False) -> Declared:
        """Return the first of several ways, and keep the others; who has chosen one already is not asked again."""
        if not ways:
            return {}
        if setting not in self.chosen and not is_sure:
            others = [(self._and(words), {**self.chosen, setting: value}) for words, value in ways[1:]]
            self._condition = self._and(ways[0][0])
            self.others += [one for one in others if one not in self.others]
        return {setting: ways[0][1]}

    def _and(self, condition: str) -> str:
        """Return `condition` beside those of earlier choices."""
        if self._condition is None or condition in self._condition:
            return condition
        return f"{self._condition} and {condition.removeprefix('if ')}"

    def _for_rejects(self, head: Head) -> Declared:
        """Return the declaration that leaves the fewest rejects of those that may help: fewer than there are."""
        best: tuple[tuple[int, int], Declared] | None = None
        for declared in self._ways(head):
            try:
                again = head_of(self._paths, replace(self._now, **declared))
            except (OrderFileError, SettingsError):
                continue
            left = again.left
            if (again.table.num_rows or again.rejects) and (best is None or left < best[0]):
                best = (left, declared)
        if best is None or best[0] >= head.left:
            return {}
        return best[1]

    def _ways(self, head: Head) -> list[Declared]:
        """Return what may do away with rejects, not tried yet on the files."""
        remedies = [one.remedy for one in head.rejects]
        ways: list[Declared] = [*self._of_amounts(head), *self._of_dates(head), *self._of_currencies(head)]
        if any(one.reason == "does not say debit or credit" for one in head.rejects):
            ways.append({"sign_column": ""})
        if CONTINUES in remedies:
            ways.append({"continuation_rows": "empty"})
        if any("--float-keys" in one for one in remedies):
            ways.append({"float_keys": "whole"})
        keyless = ("",) if 0 < head.keyless < head.table.num_rows else ()
        if patterns := (*_skipped(head.rejects), *self._odd_rows(head), *keyless):
            ways.append({"skip_rows": (*self._now.skip_rows, *dict.fromkeys(patterns))})
        return ways

    def _of_amounts(self, head: Head) -> list[Declared]:
        rejects = [one for one in head.rejects if one.value and _is_of_amount(one)]
        if not rejects:
            return []
        told = [found[1] for one in rejects if (found := _CODE.search(one.reason)) is not None]
        known = [code for code in head.table["currency_code"].to_pylist() if code]
        usual = Counter([*told, *known]).most_common(1)
        code = usual[0][0] if usual else self._now.currency or "EUR"
        cells = [(one.value or "", found[1] if (found := _CODE.search(one.reason)) else code) for one in rejects]
        good = zip(head.table["amount_raw"].to_pylist(), head.table["currency_code"].to_pylist(), strict=True)
        cells += [(text, of) for text, of in list(good)[:_MOST_CELLS] if text]
        ways = for_amounts(list(dict.fromkeys(cells)), self._now)[:_MOST_SEPARATORS]
        if any(one.reason.startswith("is not a whole number of minor") for one in rejects):
            ways.append({"amount_unit": "major"})
        return ways

    def _of_dates(self, head: Head) -> list[Declared]:
        texts = list(dict.fromkeys(one.value for one in head.rejects if _DATE in one.reason and one.value))
        if not texts or self._now.date_format is not None:
            return []
        formats = for_dates(texts, self._now)
        if not formats:
            return [{"ordered_on_column": ""}]
        ways = [(f'if "{texts[0]}" is {day}', how) for day, how in formats]
        return [self._choice("date_format", ways, is_sure=len(ways) == 1)]

    def _of_currencies(self, head: Head) -> list[Declared]:
        texts = {one.value for one in head.rejects if one.value and "currency code" in one.reason}
        codes = [code for code, signs in SYMBOLS.items() if texts & set(signs)]
        if not codes or self._now.currency is not None:
            return []
        return [self._choice("currency", [(f"if the symbol is that of {code}", code) for code in codes])]

    def _odd_rows(self, head: Head) -> list[str]:
        """Return how rows begin that have no digit anywhere, such as one of units below the header."""
        wanted = {(one.column, one.value) for one in head.rejects if one.column and one.value}
        cells = cells_of(self._paths, self._now, header_line=None) if wanted else None
        if cells is None:
            return []
        found = []
        for row in zip(*cells.columns, strict=True):
            is_wanted = any((name, text) in wanted for name, text in zip(cells.names, row, strict=True))
            if is_wanted and not any(sign.isdigit() for text in row for sign in text):
                found.append(next(text.strip() for text in row if text.strip()))
        return found if len(found) <= _MOST_SKIPPED else []


def _is_of_amount(reject: Reject) -> bool:
    told = ("is not an amount", "could be read two ways", "has more decimals", "is not a whole number", 'has "')
    return reject.reason.startswith(told)


def _skipped(rejects: Sequence[Reject]) -> tuple[str, ...]:
    """Return the patterns by which rows that are no orders are left out, as their remedies say."""
    found = [one.remedy.partition(_SKIP)[2] for one in rejects if _SKIP in one.remedy]
    # What follows the option are its value, as a shell takes it, and words in which a quote may stand alone.
    texts = [next(shlex.shlex(text, posix=True, punctuation_chars=",;"), "") for text in found]
    unique = tuple(dict.fromkeys(_shorter(text) for text in texts))
    return unique if len(unique) <= _MOST_SKIPPED else ()


def _shorter(text: str) -> str:
    """Return a rule of one sign as a pattern."""
    return f"{text[:3]}*" if len(text) > _MOST_SKIPPED and len(set(text)) == 1 else text


def _two_sides(columns: Sequence[Column]) -> Declared:
    """Return the columns of debits and credits, where a table has one each and no other amount."""
    sides = {
        side: [one for one in columns if one.name.strip().casefold() in words]
        for side, words in (("debit", ("debit", "soll", "debet", "debe", "dare", "débit")),
                            ("credit", ("credit", "haben", "kredit", "haber", "avere", "crédit")))
    }  # fmt: skip
    if all(len(found) == 1 for found in sides.values()):
        return {f"{side}_column": found[0].name for side, found in sides.items()}
    return {}


def _name_of(column: Column, columns: Sequence[Column]) -> str:
    is_unique = bool(column.name) and sum(one.name == column.name for one in columns) == 1
    return column.name if is_unique else f"#{column.at + 1}"


def _reads(head: Head) -> str:
    totals = Counter[str]()
    for row in head.table.select(["currency_code", "amount_cents"]).to_pylist():
        totals[row["currency_code"]] += row["amount_cents"]
    sums = ", ".join(
        f"{code} {format_amount(cents, code)}" for code, cents in sorted(totals.items()) if code in EXPONENTS
    )
    rows = head.table.num_rows
    what = f"{rows:,} row{'' if rows == 1 else 's'}" + ("" if head.is_all else " at the beginning")
    left = f", {head.left_out:,} left out" if head.left_out else ""
    return f"reads {what} ({sums}){left}, {head.rejected_rows:,} rejected"


def _given(paths: OrderPaths) -> list[object]:
    return [paths] if isinstance(paths, str | Path | OrdersQuery) else [getattr(path, "name", path) for path in paths]
