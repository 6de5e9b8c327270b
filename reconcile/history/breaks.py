"""
Breaks of a published run, and what people decide about them: accepted, withdrawn, by hand or in a spreadsheet.

A published run is never changed: a decision is a line in `acceptances.csv` beside the run folders and holds from the
run on whose break it was made, when that date or a later one runs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from types import MappingProxyType

import pyarrow as pa

from reconcile.errors import AcceptanceError, OutputError
from reconcile.files.arrow import compute as pc
from reconcile.files.arrow import whole_column
from reconcile.history import decisions
from reconcile.history.acceptances import Acceptances, standing
from reconcile.history.decision_sheet import amount_text, break_of, cap_in, line_of, reason_in, until_in
from reconcile.history.decisions import Decision, append_decisions, read_decisions
from reconcile.history.published import CHANGED, breaks_in
from reconcile.money import AmountError, format_amount, parse_amount
from reconcile.runs.folder import out_of, published, read_manifest
from reconcile.runs.run_folder import RunFolder
from reconcile.schema import ITEMS, Row

SHORT_ID = 8
"""Characters with which a break id begins in lists: they name it too, where it is the only one that begins so."""

_OFFERED = 5  # breaks that an error lists
# Under [match.clean] a reference is written in other ways on the sides than it is compared.
_NAMES = ("item_id", "payment_id", "reference", "payment_reference", "order_reference", "order_number")


def latest_run(out: Path) -> Path:
    """Return the run folder of the latest date in `out`. Raises OutputError when there is none."""
    folders = published(out)
    if not folders:
        raise OutputError(f"{out}: it contains no run", hint="name the folder of the runs with --out")
    return folders[-1]


IS_ACCEPTED = "starts_with(decision, 'accepted')"
"""SQL over `decided_breaks`: whether a break is accepted by now."""


def decided_breaks(folder: Path) -> pa.Table:
    """
    Return the breaks of the run folder `folder` in the order of its file: ITEMS, and what is decided about each by now.

    Beside the columns: `currency_code`, and `decision`: `accepted` in this run, `accepted since` or `withdrawn since`
    by a decision made after it, else null.
    Raises OutputError when `folder` is no run folder, AcceptanceError when the decisions cannot be read.
    """
    on = read_manifest(folder).business_date
    breaks = _read(folder)
    decided = _decisions(breaks, folder, on)
    was_accepted = pc.is_valid(breaks.column("accepted_reason"))
    of_run = pc.if_else(pc.fill_null(decided.column("stands"), False), "accepted", "withdrawn since")
    since = pc.if_else(decided.column("holds"), "accepted since", pa.scalar(None, pa.string()))
    return breaks.append_column("decision", pc.if_else(was_accepted, of_run, since))


@dataclass(frozen=True, slots=True)
class Grounds:
    """
    Why breaks are accepted, until when, and by whom.

    `cap` is a decimal amount of a break's currency up to which it stays accepted.
    """

    reason: str
    until: date | None = None
    cap: str | None = None
    by: str | None = None


def accept(folder: Path, named: Sequence[str], grounds: Grounds, *, every: bool = False) -> list[Decision]:
    """
    Accept the breaks of `folder` that `named` names, by reference, order number, payment id, break id or item id.

    With `every` one name may stand for several breaks. Returns the decisions as recorded.
    Raises AcceptanceError when a name fits no break or several, or a figure makes no sense; then nothing is recorded.
    """
    on = read_manifest(folder).business_date
    _check_reason(grounds.reason)
    _check_until(grounds.until, on)
    breaks = _breaks(folder)
    made = [_accepted(row, on, grounds) for name in named for row in _named(breaks, folder, name, every=every)]
    append_decisions(out_of(folder) / decisions.NAME, made)
    return made


def withdraw(folder: Path, named: Sequence[str], *, reason: str, by: str | None = None) -> list[Decision]:
    """Take back the acceptances of the breaks that `named` names; else as `accept`."""
    on = read_manifest(folder).business_date
    _check_reason(reason)
    breaks, stand = _breaks(folder), _standing(folder, on)
    made = []
    for name in named:
        rows = [row for row in _named(breaks, folder, name, every=True) if row["item_id"] in stand]
        if not rows:
            raise AcceptanceError(f'"{name}": is not accepted', hint="`reconcile breaks list --accepted` shows what is")
        made += [
            Decision(row["break_id"], on, reason, accepts=False, by=by, reference=row["reference"]) for row in rows
        ]
    append_decisions(out_of(folder) / decisions.NAME, made)
    return made


def write_sheet(folder: Path, destination: Path, *, labels: Mapping[str, str] = MappingProxyType({})) -> int:
    """
    Write the breaks of `folder` as a file to decide in, and return how many; what stands is filled in.

    It is a workbook where `destination` ends with .xlsx, else CSV; the columns are `decision_sheet.SHEET`. `labels` are
    the names of statuses where people read them.
    Raises OutputError when the file cannot be written.
    """
    from reconcile.history.sheet_files import write_lines  # loads spreadsheets, which no listing needs

    on = read_manifest(folder).business_date
    rows = _breaks(folder)
    stand = _standing(folder, on)
    write_lines(destination, (line_of(row, stand.get(row["item_id"], {}), labels) for row in rows), on=on)
    return len(rows)


def accept_sheet(folder: Path, sheet: Path, *, encoding: str | None = None) -> list[Decision]:
    """
    Record what was filled in in `sheet`, a file as `write_sheet` writes it; what stands already is left out.

    `encoding` is that of a CSV file which is not in Unicode.
    Raises AcceptanceError naming line and column when a row is of no break of `folder`, or of one that has changed
    since; then nothing is recorded.
    """
    from reconcile.history.sheet_files import lines_filled_in

    on = read_manifest(folder).business_date
    breaks = _breaks(folder)
    by_id = {row[name]: row for name in ("break_id", "item_id") for row in breaks}
    stand = _standing(folder, on)
    made: dict[str, tuple[int, Decision]] = {}
    for line, cells in lines_filled_in(sheet, encoding=encoding):
        try:
            row = break_of(cells, by_id)
            known = stand.get(row["item_id"], {})
            decision = _decided_in(cells, row, on, known, encoding)
            _check_agrees(decision, made.get(decision.item_id))
        except AcceptanceError as error:
            raise AcceptanceError(f"{sheet}:{line}: {error.message}", hint=error.hint) from None
        same = (known.get("accepted_reason"), known.get("accepted_until"), known.get("cap_cents"))
        if same != (decision.reason, decision.until, decision.cap_cents):
            made.setdefault(decision.item_id, (line, decision))
    taken = [decision for _, decision in made.values()]
    if taken:
        append_decisions(out_of(folder) / decisions.NAME, taken)
    return taken


def _breaks(folder: Path) -> list[Row]:
    return _read(folder).to_pylist()


def _read(folder: Path) -> pa.Table:
    """The breaks of the run in `folder`: ITEMS, and `currency_code`, of what is at stake."""
    breaks = breaks_in(RunFolder(folder).breaks, hint=CHANGED)
    return breaks.append_column("currency_code", breaks.column("at_stake_currency_code"))


def _decisions(breaks: pa.Table, folder: Path, on: date) -> pa.Table:
    """What is decided by now about each of `breaks`, those of the run in `folder`: ACCEPTANCES, and if it `holds`."""
    acceptances = Acceptances(standing(read_decisions(out_of(folder) / decisions.NAME), on))
    items = {name: whole_column(breaks.column(name)) for name in ITEMS.names}
    return pa.table({**acceptances.decided(items), "holds": acceptances.hold(items)})


def _standing(folder: Path, on: date) -> dict[str, Row]:
    """The acceptances that stand by now, by the item_id of the break of the run in `folder` that they are about."""
    breaks = _read(folder)
    ids = map(str, breaks.column("item_id").to_pylist())
    decided = zip(ids, _decisions(breaks, folder, on).to_pylist(), strict=True)
    return {item_id: decision for item_id, decision in decided if decision["stands"]}


def _named(breaks: Sequence[Row], folder: Path, name: str, *, every: bool) -> list[Row]:
    rows = [row for row in breaks if row["break_id"] == name]  # another's item_id may be the same
    rows = rows or [row for row in breaks if any(row[key] == name for key in _NAMES)]
    if not rows and len(name) >= SHORT_ID:
        begun = [row for row in breaks if row["break_id"].startswith(name) or row["item_id"].startswith(name)]
        rows = begun if len(begun) == 1 else []
    if not rows:
        raise AcceptanceError(
            f'"{name}": is not a break in {folder}',
            hint="`reconcile breaks list --text` finds it by a part of its name",
        )
    if len(rows) > 1 and not every:
        offered = "\n".join(
            f"  {row['break_id']}  {row['status']}  {amount_text(row['at_stake_cents'], row['currency_code'])} "
            f"{row['currency_code'] or ''}".rstrip()
            for row in rows[:_OFFERED]
        )
        more = f"\n  and {len(rows) - _OFFERED} more" if len(rows) > _OFFERED else ""
        raise AcceptanceError(
            f'"{name}": {len(rows)} breaks have it\n{offered}{more}', hint="name one by its break id, or add --all"
        )
    return rows


def _accepted(row: Row, on: date, grounds: Grounds) -> Decision:
    cents, code = row["at_stake_cents"], row["currency_code"]
    cap, cap_cents = grounds.cap, None
    if cap:
        if code is None:
            raise AcceptanceError(f"cap {cap}: the break has no currency", hint="accept it without a cap")
        try:
            cap_cents = parse_amount(cap, code)
        except AmountError as error:
            raise AcceptanceError(f"cap: {error}", hint=f"write it as an amount of {code}, like 12.50") from error
        if cap_cents < cents:
            raise AcceptanceError(
                f"cap {cap}: {format_amount(cents, code)} {code} are at stake already",
                hint="a cap is the largest amount that may be at stake; give a higher one, or none",
            )
    decision = Decision(
        item_id=row["break_id"],
        accepted_on=on,
        reason=grounds.reason,
        status=row["status"],
        cents=cents if code is not None else None,
        currency_code=code,
        cap_cents=cap_cents,
        until=grounds.until,
        by=grounds.by or None,
        reference=row["reference"] or None,
    )
    decisions.check_texts(decision)
    return decision


def _decided_in(cells: Mapping[str, str], row: Row, on: date, known: Row, encoding: str | None) -> Decision:
    """What the line `cells` decides about the break `row`, where by now `known` stands."""
    reason = reason_in(cells, known.get("accepted_reason"), encoding)
    until = until_in(cells, known.get("accepted_until"))
    cap = cap_in(cells, row["currency_code"], known.get("cap_cents"))
    _check_until(until, on)
    return _accepted(row, on, Grounds(reason, until, cap, cells.get("accept_by")))


def _check_agrees(decision: Decision, made: tuple[int, Decision] | None) -> None:
    if made is not None and made[1] != decision:
        raise AcceptanceError(f"line {made[0]} decides otherwise about this break", hint="leave one of them")


def _check_reason(reason: str) -> None:
    if not reason.strip():
        raise AcceptanceError("the reason is empty", hint="give a reason, which the report shows")


def _check_until(until: date | None, on: date) -> None:
    if until is not None and until < on:
        raise AcceptanceError(f"until {until} is before the run of {on}", hint="give a later date, or none")
