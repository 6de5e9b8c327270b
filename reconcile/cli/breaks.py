"""`reconcile breaks`: list the breaks of a run, accept them, decide about many in a spreadsheet."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from reconcile.cli import console
from reconcile.cli.listing import Layout, format_option, show
from reconcile.cli.options import Session, command, decision_options, run_options

if TYPE_CHECKING:
    from reconcile.schema import Row


@click.group(short_help="List the breaks of a run, and decide about them.")
def breaks() -> None:
    """Breaks of a run: list them, accept them, decide about many in a spreadsheet."""


@breaks.command("list", short_help="List the breaks of a run, oldest and largest first.")
@run_options
@click.option("--status", "statuses", multiple=True, metavar="STATUS", help="Only breaks of this status; repeatable.")
@click.option("--currency", "currency_code", metavar="CODE", help="Only breaks in this currency.")
@click.option(
    "--older-than", "older_than_days", type=click.IntRange(min=0), metavar="DAYS", help="Only breaks older than this."
)
@click.option("--text", metavar="TEXT", help="Only breaks with this text in a reference, a number or an id.")
@click.option("--accepted/--not-accepted", default=None, help="Only breaks that are accepted, or that are not.")
@click.option("--limit", type=click.IntRange(min=1), metavar="N", help="Show at most this many.")
@format_option
@command
def list_(session: Session, run: Path | None, form: str, limit: int | None, out: str | None, **wanted: Any) -> None:
    """List the breaks of a run, oldest and largest first, with what was decided about them."""
    settings = session.settings(out=out)

    from reconcile.history.breaks import Filter, latest_run, list_breaks
    from reconcile.matching.policy import Status

    unknown = set(wanted["statuses"]) - {str(status) for status in Status}
    if unknown:
        raise click.BadParameter(f"there is no status {sorted(unknown)[0]}", param_hint="--status")
    folder = run or latest_run(settings.out)
    rows = list_breaks(folder, Filter(**wanted))
    shown = rows[:limit]
    layout = Layout(
        ("Break", "Age", "State", "Status", "Code", "Reference", "Currency", "At stake", "Difference", "Decision"),
        left=("Break", "State", "Status", "Code", "Reference", "Currency", "Decision"),
        cells=_break_cells,
        spare=("Code", "Break", "State"),
    )
    show(shown, form, layout, nothing=f"no such break in {folder}", quiet=not session.talks)
    if len(rows) > len(shown):
        console.say(f"{len(rows) - len(shown):,} more", quiet=not session.talks)


def _break_cells(row: Row) -> tuple[str, ...]:
    from reconcile.history.breaks import SHORT_ID
    from reconcile.matching.policy import LABEL_OF
    from reconcile.reports.terminal import grouped_amount

    code = row["currency_code"]
    decided = row["decision"] or ""
    return (
        row["break_id"][:SHORT_ID],
        str(row["age_days"]),
        row["state"],
        LABEL_OF[row["status"]],
        row["status"],
        row["reference"] or row["payment_id"] or "",
        code or "",
        grouped_amount(row["at_stake_cents"], code),
        grouped_amount(row["difference_cents"], code),
        f"{decided}: {row['accepted_reason']}" if row["accepted_reason"] else decided or _was_for(row),
    )


def _was_for(row: Row) -> str:
    return f"no longer: {row['accepted_for']}" if row["accepted_for"] else ""


@breaks.command(short_help="Accept known breaks, and say why.")
@click.argument("references", nargs=-1, required=True, metavar="REFERENCE...")
@run_options
@decision_options
@click.option(
    "--until",
    type=click.DateTime(["%Y-%m-%d"]),
    metavar="DATE",
    help="Last business date on which they are accepted; default: no end.",
)
@click.option(
    "--cap", metavar="AMOUNT", help="Accept up to this amount at stake; default: only while it stays the same."
)
@click.option("--all", "every", is_flag=True, help="Accept all breaks where several share the reference.")
@command
def accept(
    session: Session,
    references: tuple[str, ...],
    run: Path | None,
    out: str | None,
    reason: str,
    by: str | None,
    until: datetime | None,
    cap: str | None,
    every: bool,
) -> None:
    """
    Accept breaks, by reference, order number, payment id, item id or break id, also as `breaks list` shows it.

    An accepted break stays a break, is shown as accepted, and does not count towards --fail-on limits. It returns
    when its status, its amount or its currency changes, when it exceeds the cap, and after the last date. Decisions
    are kept in acceptances.csv beside the run folders, and apply from the next time that date or a later one is run.
    """
    settings = session.settings(out=out)

    from reconcile.history import breaks as of_run
    from reconcile.matching.policy import LABEL_OF
    from reconcile.reports.text_table import plain

    folder = run or of_run.latest_run(settings.out)
    grounds = of_run.Grounds(reason, until.date() if until else None, cap, by)
    decisions = of_run.accept(folder, references, grounds, every=every)
    for one in decisions:
        label = LABEL_OF.get(one.status or "", one.status)
        console.say(f"accepted {plain(one.reference or one.item_id)} ({label})", quiet=session.quiet)


@breaks.command(short_help="Withdraw the acceptance of breaks.")
@click.argument("references", nargs=-1, required=True, metavar="REFERENCE...")
@run_options
@decision_options
@command
def withdraw(
    session: Session, references: tuple[str, ...], run: Path | None, out: str | None, reason: str, by: str | None
) -> None:
    """Withdraw the acceptance of breaks, named as for `accept`. The earlier decision stays on record."""
    settings = session.settings(out=out)

    from reconcile.history import breaks as of_run
    from reconcile.reports.text_table import plain

    folder = run or of_run.latest_run(settings.out)
    for one in of_run.withdraw(folder, references, reason=reason, by=by):
        console.say(f"withdrawn {plain(one.reference or one.item_id)}", quiet=session.quiet)


@breaks.command(short_help="Write the breaks to a CSV file or a workbook for decisions.")
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@run_options
@command
def export(session: Session, file: Path, run: Path | None, out: str | None) -> None:
    """
    Write the breaks of a run to FILE, with columns to fill in: a workbook where it ends with .xlsx, else CSV.

    Fill in accept_reason, and accept_until, accept_cap and accept_by as needed; `reconcile breaks
    import` reads the file back.
    """
    settings = session.settings(out=out)

    from reconcile.history.breaks import latest_run, write_sheet
    from reconcile.matching.policy import LABEL_OF

    rows = write_sheet(run or latest_run(settings.out), file, labels=LABEL_OF)
    console.say(f"{rows:,} breaks", quiet=session.quiet)
    click.echo(file)


@breaks.command("import", short_help="Record the decisions made in a CSV file or a workbook.")
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--encoding", metavar="NAME", help="Encoding of a CSV file that is not in Unicode; default: cp1252.")
@run_options
@command
def import_(session: Session, file: Path, run: Path | None, out: str | None, encoding: str | None) -> None:
    """
    Record the decisions filled in in FILE, which `reconcile breaks export` wrote, as a spreadsheet has saved it.

    All of them or none: a line about a break that has changed since is an error, and so is a date or an amount that
    could be two. Decisions already in force are skipped.
    """
    settings = session.settings(out=out)

    from reconcile.history.breaks import accept_sheet, latest_run
    from reconcile.reports.display import PLAIN

    decisions = accept_sheet(run or latest_run(settings.out), file, encoding=encoding)
    console.say(f"{PLAIN.plural(len(decisions), 'decision')} recorded", quiet=session.quiet)
