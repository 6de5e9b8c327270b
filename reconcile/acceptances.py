"""
Decisions about breaks that outlive a run: which are accepted, why, until when, up to which amount, by whom.

`acceptances.csv` beside the run folders is the record: lines are added, never changed, so that it shows who decided
what and when; the last line of an item counts. It is plain CSV, and may be edited by hand or written by others: where
the header lacks a column that a new line needs, it is given it. Knows its form, and which acceptances stand on a
business date. Whether a break is still the one that was accepted is for the matching to see: it knows what the break
is now.
"""

from __future__ import annotations

import csv
import io
import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path

import pyarrow as pa

from reconcile.disk import disk_errors, locked, replacing, sync
from reconcile.errors import AcceptanceError
from reconcile.money import EXPONENTS, AmountError, format_amount, parse_amount
from reconcile.schema import ACCEPTANCES
from reconcile.spreadsheet import guarded, unguarded

NAME = "acceptances.csv"

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
Columns of the file. `decision` is `accept` or `withdraw`; `at_stake` and `cap` are decimals of `currency_code`;
`accepted_on` is the business date from which it counts, `until` the last one, empty for no end; `reference` and
`recorded_at` (UTC where it names no zone) are for people, and for a run that is matched again.
"""

_MOST_CHARACTERS = 1_000


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
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        return []
    except (OSError, UnicodeDecodeError) as error:
        raise AcceptanceError(f"{path}: cannot be read: {error}", hint="it is CSV in UTF-8") from error
    reader = csv.DictReader(io.StringIO(text, newline=""), strict=True)
    try:
        lacking = [name for name in ("item_id", "accepted_on", "reason") if name not in (reader.fieldnames or ())]
        if lacking:
            raise AcceptanceError(
                f'{path}:1: there is no column "{lacking[0]}"', hint=f"the columns are {', '.join(COLUMNS)}"
            )
        return [_decision(row, path, reader.line_num) for row in reader if any(_cells(row))]
    except csv.Error as error:
        raise AcceptanceError(f"{path}:{reader.line_num}: is not CSV: {error}", hint="correct the line") from error


def append_decisions(path: Path, decisions: Sequence[Decision]) -> None:
    """
    Add `decisions` to the end of `path`, all or none, and see them safely on disk.

    Raises AcceptanceError when what is there cannot be read, OutputError when the file cannot be written.
    """
    with disk_errors(path), locked(path.with_name(f".{path.name}.lock")):  # two may decide at once
        read_decisions(path)  # nothing is added to a record that nobody can read
        there = path.read_bytes() if path.exists() else b""
        text = io.StringIO(newline="")
        writer = csv.writer(text, lineterminator="\n")
        if not there:
            writer.writerow(COLUMNS)
        names = _header(there) if there else list(COLUMNS)
        rows = [_as_row(decision) for decision in decisions]
        # Without its column a withdrawal would be an acceptance, and one with an end would have none.
        if lacking := [name for name in COLUMNS if name not in names and any(row[name] for row in rows)]:
            names += lacking
            with replacing(path) as partial:
                partial.write_bytes(_with_header(there, names))
        writer.writerows([row.get(name, "") for name in names] for row in rows)
        gap = b"" if not there or there.endswith(b"\n") else b"\n"
        with path.open("ab") as file:
            file.write(gap + text.getvalue().encode())
            file.flush()
            os.fsync(file.fileno())
        sync(path.parent)


def standing(decisions: Iterable[Decision], business_date: date) -> pa.Table:
    """
    Return the acceptances that may hold on `business_date`, as ACCEPTANCES sorted by item_id: the last of each item.

    Decisions of later business dates have no influence, so that a date can be run again and gives the same answer.
    """
    last: dict[str, Decision] = {}
    for decision in decisions:
        if decision.accepted_on <= business_date:
            last[decision.item_id] = decision
    kept = [one for _, one in sorted(last.items()) if one.accepts and (one.until is None or business_date <= one.until)]
    return pa.table(
        {
            "item_id": [one.item_id for one in kept],
            "status": [one.status for one in kept],
            "at_stake_cents": [one.cents for one in kept],
            "currency_code": [one.currency_code for one in kept],
            "cap_cents": [one.cap_cents for one in kept],
            "accepted_reason": [one.reason for one in kept],
            "accepted_until": [one.until for one in kept],
        },
        schema=ACCEPTANCES,
    )


def _decision(row: dict[str | None, str | list[str] | None], path: Path, line: int) -> Decision:
    def problem(column: str, what: str) -> AcceptanceError:
        return AcceptanceError(
            f'{path}:{line}: column "{column}": {what}', hint="correct the line; decisions are never passed over"
        )

    if None in row:
        raise problem(COLUMNS[-1], "there are more cells than columns")
    cells = {str(name): unguarded(str(value or "")).strip() for name, value in row.items()}

    def day(column: str) -> date | None:
        text = cells.get(column, "")
        try:
            return date.fromisoformat(text) if text else None
        except ValueError:
            raise problem(column, f'"{text}" is not a date like 2026-11-20') from None

    code = cells.get("currency_code", "").upper() or None

    def cents(column: str) -> int | None:
        text = cells.get(column, "")
        if not text:
            return None
        if counted := re.fullmatch(r"(-?[0-9]{1,18}) minor units", text):  # of a currency that is not known
            return int(counted[1])
        if code is None or code not in EXPONENTS:
            raise problem("currency_code", f'"{code or ""}" is no currency of the amount {text}')
        try:
            return parse_amount(text, code)
        except AmountError as error:
            raise problem(column, str(error)) from None

    for column in ("item_id", "reason"):
        if not cells.get(column):
            raise problem(column, "is empty")
    accepted_on = day("accepted_on")
    if accepted_on is None:
        raise problem("accepted_on", "is empty")
    decision = cells.get("decision") or "accept"
    if decision not in ("accept", "withdraw"):
        raise problem("decision", f'"{decision}" is neither accept nor withdraw')
    return Decision(
        item_id=cells["item_id"],
        accepted_on=accepted_on,
        reason=cells["reason"][:_MOST_CHARACTERS],
        accepts=decision == "accept",
        status=cells.get("status") or None,
        cents=cents("at_stake"),
        currency_code=code,
        cap_cents=cents("cap"),
        until=day("until"),
        by=cells.get("by") or None,
        reference=cells.get("reference") or None,
        recorded_at=_moment(cells.get("recorded_at", "")),
    )


def _moment(text: str) -> datetime | None:
    """The instant in `text`, where it is one: it is for people, and no line is refused for it."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _cells(row: dict[str | None, str | list[str] | None]) -> list[str]:
    return [str(value).strip() for value in row.values() if value]


def _as_row(decision: Decision) -> dict[str, str]:
    def amount(cents: int | None) -> str:
        return "" if cents is None or decision.currency_code is None else format_amount(cents, decision.currency_code)

    recorded_at = decision.recorded_at or datetime.now(UTC)
    return {
        "item_id": decision.item_id,
        "accepted_on": decision.accepted_on.isoformat(),
        "decision": "accept" if decision.accepts else "withdraw",
        "status": decision.status or "",
        "at_stake": amount(decision.cents),
        "currency_code": decision.currency_code or "",
        "cap": amount(decision.cap_cents),
        "until": decision.until.isoformat() if decision.until else "",
        "reason": guarded(decision.reason),
        "by": guarded(decision.by or ""),
        "reference": guarded(decision.reference or ""),
        "recorded_at": recorded_at.isoformat(timespec="seconds"),
    }


def _with_header(there: bytes, names: Sequence[str]) -> bytes:
    """Return the file `there` with the names of its columns in place of its header; its lines stay as they are."""
    text = there.decode("utf-8-sig")
    reader = csv.reader(io.StringIO(text, newline=""))
    next(reader)
    lines = list(io.StringIO(text, newline=""))[reader.line_num :]
    header = io.StringIO(newline="")
    csv.writer(header, lineterminator="\n").writerow(names)
    return (header.getvalue() + "".join(lines)).encode()


def _header(there: bytes) -> list[str]:
    return next(csv.reader(io.StringIO(there.decode("utf-8-sig"), newline="")))
