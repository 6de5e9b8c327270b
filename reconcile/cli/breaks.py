"""`reconcile breaks`: list the breaks of a run, accept them, decide about many in a spreadsheet."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from reconcile.cli import console
from reconcile.cli.listing import format_option, show_lines, show_table, show_values
from reconcile.cli.options import Command, Session, command, decision_options, run_options

if TYPE_CHECKING:
    from reconcile.operations.break_list import BreakList


@click.group(short_help="List the breaks of a run, and decide about them.")
def breaks() -> None:
    """Breaks of a run: list them, accept them, decide about many in a spreadsheet."""


def _conditions(function: Command) -> Command:
    """Give a command an option for each condition that may be put on breaks."""
    for name, metavar, meaning in reversed(_CONDITIONS):
        function = click.option(f"--{name}", multiple=True, metavar=metavar, help=meaning)(function)
    return function


_CONDITIONS = (
    ("status", "STATUS", "Only breaks of this status, by its code or its name."),
    ("state", "STATE", "Only breaks that are new, open (seen in the run before) or reopened."),
    ("min-amount", "AMOUNT", "Only breaks with this much at stake or more, such as 100EUR."),
    ("age", "DAYS", 'Only breaks first seen so many days ago: ">3", "<=30", 7, 4-7.'),
    ("data-age", "DAYS", "The same since the order was placed, or the order row's date; none: without a date."),
    ("currency", "CODE", "Only breaks with this currency at stake."),
    ("method", "NAME", "Only breaks with this payment method in the order row; * stands for any characters."),
    ("market", "NAME", "Only breaks of this market; none: without one."),
    ("gateway", "NAME", "Only breaks of this payment gateway."),
    ("text", "TEXT", "Only breaks with this text in a reference, a number or an id."),
)


@breaks.command("list", short_help="List the breaks of a run, oldest and largest first.")
@run_options
@_conditions
@click.option("--older-than", type=click.IntRange(min=0), metavar="DAYS", help='Same as --age ">DAYS".')
@click.option("--accepted/--not-accepted", default=None, help="Only breaks that are accepted, or that are not.")
@click.option(
    "--sort",
    "order",
    multiple=True,
    metavar="BY",
    help="age, data-age, amount (the largest of each currency first), status, reference, currency, method, market, "
    "gateway; repeatable.",
)
@click.option("--limit", type=click.IntRange(min=1), metavar="N", help="Show at most this many.")
@format_option
@command
def list_(
    session: Session,
    run: Path | None,
    form: str,
    out: str | None,
    *,
    older_than: int | None,
    order: tuple[str, ...],
    limit: int | None,
    **wanted: Any,
) -> None:
    """
    List the breaks of a run, oldest and largest first, with what was decided about them.

    An option that is repeated gives alternatives, different options hold together: --min-amount 100EUR --min-amount
    1000SEK --data-age ">3" lists what is older than three days and puts at least so much at stake. Below the table
    are the sums by currency of all that fits, and what these breaks have in common.
    """
    settings = session.settings(out=out)

    from reconcile.figures.conditions import Conditions
    from reconcile.history.breaks import latest_run
    from reconcile.operations.break_list import list_breaks

    if older_than is not None:
        wanted["age"] = (*wanted["age"], f">{older_than}")
    asked, folder = Conditions.of(**wanted), run or latest_run(settings.out)
    found = list_breaks(folder, asked, order=order, most=limit, with_shared=form == "table" and bool(asked.asked))
    if form != "table":
        show_values(found.breaks.to_pylist(), form, found.breaks.column_names)
    elif found.count:
        _show_breaks(found, asked.asked)
    else:
        console.say(f"no such break in {folder}", quiet=not session.talks)
    if more := found.count - found.breaks.num_rows:
        console.say(f"{more:,} more", quiet=not session.talks)


def _show_breaks(found: BreakList, asked: Collection[str]) -> None:
    from reconcile.reports.break_tables import NAMED_BY, SPARE, break_table, sums_table

    asked_about = {name.replace("_", " ").capitalize() for name in asked}
    spare = [name for name in SPARE if name not in asked_about]
    show_table(break_table(found.breaks), spare=spare, whole=NAMED_BY)
    click.echo()
    show_table(sums_table(found.sums))
    if found.shared:
        show_lines(["", "What they have in common", *(f"- {sentence}" for sentence in found.shared)])


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
