"""`reconcile breaks accept`: a break is known, and why."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import click

from reconcile.cli import console
from reconcile.cli.options import Session, command, decision_options, run_options


@click.command()
@click.argument("references", nargs=-1, required=True, metavar="REFERENCE...")
@run_options
@decision_options
@click.option("--until", type=click.DateTime(["%Y-%m-%d"]), metavar="DATE", help="Last business date; else no end.")
@click.option("--cap", metavar="AMOUNT", help="Stay accepted up to this amount at stake; else while it stays the same.")
@click.option("--all", "every", is_flag=True, help="Accept all breaks where several have the reference.")
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
    Accept breaks, by reference, order number, payment id or item id, also as `breaks list` shows it.

    An accepted break stays a break, is shown as accepted, and counts against no --fail-on limit. It returns when its
    status or its amount changes, when it exceeds the cap, and after the last date. What was decided is kept in
    acceptances.csv beside the run folders, and holds from the next time a run of that date or a later one is made.
    """
    settings = session.settings(out=out)

    from reconcile.history import breaks
    from reconcile.reports.text_table import plain

    folder = run or breaks.latest_run(Path(settings.out))
    last = until.date() if until else None
    decisions = breaks.accept(folder, references, reason=reason, until=last, cap=cap, by=by, every=every)
    for one in decisions:
        console.say(f"accepted {plain(one.reference or one.item_id)} ({one.status})", quiet=session.quiet)
