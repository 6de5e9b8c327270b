"""
Decisions about breaks that outlive a run: which are accepted, why, until when, up to which amount, by whom.

`acceptances.csv` beside the run folders is the record: lines are added, never changed, so that it shows who decided
what and when; the last line of a break counts. It is plain CSV, and may be edited by hand or written by others: where
its header has no column that a new line needs, a longer header is added, for the lines that follow. Knows its form.
Which acceptances stand on a business date, and whether a break is still what was accepted, is known to `acceptances`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path

from reconcile.errors import AcceptanceError
from reconcile.files.csv_text import CsvTable, NotCsv, csv_line, csv_table
from reconcile.files.disk import append, disk_errors, locked
from reconcile.files.formula_guard import guarded, unguarded
from reconcile.money import EXPONENTS, MOST_CENTS, AmountError, format_amount, parse_amount
from reconcile.runs.records import ACCEPTANCES_NAME

NAME = ACCEPTANCES_NAME

COLUMNS = (
    "item_id",
    "accepted_on",
    "decision",
    "status",
    "at_stake",
    "currency_code",
    "cap",
    "until",
    "reason",
    "by",
    "reference",
    "recorded_at",
)
"""
Columns of the file. `item_id` is the break_id of a break, or its item_id; `decision` is `accept` or `withdraw`;
`at_stake` and `cap` are decimals of `currency_code`; `accepted_on` is the business date from which it counts, `until`
the last one, empty for no end; `reference` and `recorded_at` (UTC where it names no zone) are for people, and for a run
that is matched again.
"""

MOST_CHARACTERS = 1_000
"""Of a reason, and of who gives it: what is longer is refused when it is given."""

_QUOTES = "correct the line: put text with a comma, a quote or a line break in quotes, and double the quotes inside it"
_TEXTS = ("reason", "by", "reference")
_COUNTED = re.compile(r"(-?[0-9]{1,19}) minor units")  # of a currency that is not known, or too many


@dataclass(frozen=True, slots=True)
class Decision:
    """
    One line of the record; `cents` and `cap_cents` are minor units of `currency_code`.

    `status` and `cents` are those of the break when it was accepted: it returns when they change. With a cap it may
    put at stake up to that, as long as its status stays.
    """

    item_id: str
    accepted_on: date
    reason: str
    accepts: bool = True
    status: str | None = None
    cents: int | None = None
    currency_code: str | None = None
    cap_cents: int | None = None
    until: date | None = None
    by: str | None = None
    reference: str | None = None
    recorded_at: datetime | None = None


def read_decisions(path: Path) -> list[Decision]:
    """
    Return the decisions in `path`, oldest first; none when there is no such file.

    Raises AcceptanceError naming the line and column that cannot be read: a decision is never passed over.
    """
    text = _text(path)
    if text is None:
        return []
    lines, _ = _lines(_table(text, path), path)
    return [_decision(line) for line in lines]


def append_decisions(path: Path, decisions: Sequence[Decision]) -> None:
    """
    Add `decisions` to the end of `path`, all or none, and see them safely on disk.

    Raises AcceptanceError when what is there cannot be read or a string cannot be kept, OutputError when the file
    cannot be written.
    """
    for decision in decisions:
        check_texts(decision)
    rows = [_as_row(decision) for decision in decisions]
    with disk_errors(path), locked(path.with_name(f".{path.name}.lock")):  # two may decide at once
        written = _text(path) or ""
        there = written or csv_line(COLUMNS)
        table = _table(there, path)
        lines, names = _lines(table, path)
        _ = [_decision(line) for line in lines]  # nothing is added to a record that nobody can read
        # Without its column a withdrawal would be an acceptance, and one with an end would have none.
        lacking = [name for name in COLUMNS if name not in names and any(row[name] for row in rows)]
        names = (*names, *lacking)
        new = [names] if lacking or not written else []
        new += [tuple(row.get(name, "") for name in names) for row in rows]
        ending = "\n" if written and not written.endswith("\n") else ""
        added = "".join(csv_line(cells, delimiter=table.delimiter) for cells in new)
        append(path, (ending + added).encode())


def check_texts(decision: Decision) -> None:
    """Raise AcceptanceError when a string of `decision` would not come back from the record as it was given."""
    for name in _TEXTS:
        text = getattr(decision, name) or ""
        if name != "reference" and len(text) > MOST_CHARACTERS:  # a reference is what the data say, however long
            raise AcceptanceError(
                f"{name}: has {len(text):,} characters: {MOST_CHARACTERS:,} is the most that is kept",
                hint="shorten it, and refer to a document for details",
            )
        if name != "reference" and "\0" in text:
            problem = f"{name}: character {text.index(chr(0)) + 1} is a NUL, which no spreadsheet keeps"
            raise AcceptanceError(problem, hint="leave it out")
        try:
            text.encode()
        except UnicodeEncodeError as error:
            raise AcceptanceError(
                f"{name}: character {error.start + 1} is not text in UTF-8",
                hint="write it again: it was cut in the middle of a character, or comes from another encoding",
            ) from None


def _text(path: Path) -> str | None:
    try:
        return path.read_bytes().decode("utf-8-sig")
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise AcceptanceError(f"{path}: cannot be read: {error}", hint="it is CSV in UTF-8") from error


def _table(text: str, path: Path) -> CsvTable:
    try:
        table = csv_table(text, frozenset(COLUMNS))
    except NotCsv as error:
        raise AcceptanceError(f"{path}:{error.line}: {error.problem}", hint=_QUOTES) from error
    missing = [name for name in ("item_id", "accepted_on", "reason") if name not in table.names]
    if missing:
        raise AcceptanceError(
            f'{path}:1: there is no column "{missing[0]}"', hint=f"the columns are {', '.join(COLUMNS)}"
        )
    return table


def _lines(table: CsvTable, path: Path) -> tuple[list[_Line], tuple[str, ...]]:
    """Return the lines of decisions, and the columns of those that are added to them."""
    lines, names = [], table.names
    for row in table.rows:
        if row.cells[: len(names)] == names and set(row.cells[len(names) :]) <= set(COLUMNS):
            names = row.cells  # a header for what follows
            continue
        if len(row.cells) > len(names):
            raise AcceptanceError(f"{path}:{row.line}: there are more cells than columns", hint=_QUOTES)
        lines.append(_Line(path, row.line, dict(zip(names, row.cells, strict=False))))
    return lines, names


class _Line:
    """
    The cells of one line by their columns, as strings, days and amounts; raises AcceptanceError naming the
    column.
    """

    def __init__(self, path: Path, number: int, cells: Mapping[str, str]) -> None:
        self._where = f"{path}:{number}"
        texts = {name: unguarded(cell) for name, cell in cells.items()}
        # Strings come back as they were; around a date, a word or an amount blanks mean nothing.
        self._cells = {name: text if name in _TEXTS else text.strip() for name, text in texts.items()}
        counted = any(_COUNTED.fullmatch(self[name] or "") for name in ("at_stake", "cap"))
        code = texts.get("currency_code", "")
        # Of a code that is not known the amounts are counted; it then is what a break has, to the letter.
        self.currency_code = (code if counted else code.strip().upper()) or None

    def __getitem__(self, column: str) -> str | None:
        return self._cells.get(column) or None

    def needed(self, column: str) -> str:
        text = self[column] or ""
        if not text.strip():
            raise self.problem(column, "is empty")
        return text

    def day(self, column: str) -> date | None:
        text = self[column]
        try:
            return date.fromisoformat(text) if text else None
        except ValueError:
            raise self.problem(column, f'"{text}" is not a date like 2026-11-20') from None

    def cents(self, column: str) -> int | None:
        text, code = self[column], self.currency_code
        if not text:
            return None
        if counted := _COUNTED.fullmatch(text):
            return int(counted[1])
        if code is None or code not in EXPONENTS:
            raise self.problem("currency_code", f'"{code or ""}" is not a currency for the amount {text}')
        try:
            return parse_amount(text, code)
        except AmountError as error:
            raise self.problem(column, str(error)) from None

    def problem(self, column: str, what: str) -> AcceptanceError:
        hint = "correct the line; decisions are never skipped"
        return AcceptanceError(f'{self._where}: column "{column}": {what}', hint=hint)


def _decision(line: _Line) -> Decision:
    item_id, reason = line.needed("item_id"), line.needed("reason")
    accepted_on = line.day("accepted_on")
    if accepted_on is None:
        raise line.problem("accepted_on", "is empty")
    decision = line["decision"] or "accept"
    if decision not in ("accept", "withdraw"):
        raise line.problem("decision", f'"{decision}" is neither accept nor withdraw')
    return Decision(
        item_id=item_id,
        accepted_on=accepted_on,
        reason=reason,
        accepts=decision == "accept",
        status=line["status"],
        cents=line.cents("at_stake"),
        currency_code=line.currency_code,
        cap_cents=line.cents("cap"),
        until=line.day("until"),
        by=line["by"],
        reference=line["reference"],
        recorded_at=_moment(line["recorded_at"] or ""),
    )


def _moment(text: str) -> datetime | None:
    """The instant in `text`, where it is one: it is for people, and no line is refused for it."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _as_row(decision: Decision) -> dict[str, str]:
    def amount(cents: int | None) -> str:
        if cents is not None and abs(cents) > MOST_CENTS:  # a difference may be more than an amount that is read
            return f"{cents} minor units"
        return "" if cents is None else format_amount(cents, decision.currency_code or "")

    recorded_at = decision.recorded_at or datetime.now(UTC)
    return {
        "item_id": decision.item_id,
        "accepted_on": decision.accepted_on.isoformat(),
        "decision": "accept" if decision.accepts else "withdraw",
        "status": decision.status or "",
        "at_stake": amount(decision.cents),
        "currency_code": guarded(decision.currency_code or ""),
        "cap": amount(decision.cap_cents),
        "until": decision.until.isoformat() if decision.until else "",
        "reason": guarded(decision.reason),
        "by": guarded(decision.by or ""),
        "reference": guarded(decision.reference or ""),
        "recorded_at": recorded_at.isoformat(timespec="seconds"),
    }
