"""`reconcile breaks list`: the breaks of a run, oldest and largest first."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from reconcile.cli import console
from reconcile.cli.listing import format_option, show
from reconcile.cli.options import Session, command, run_options


@click.command("list")
@run_options
@click.option("--status", "statuses", multiple=True, metavar="STATUS", help="Only breaks of this status; repeatable.")
@click.option("--currency", "currency_code", metavar="CODE", help="Only breaks in this currency.")
@click.option("--older-than", "older_than_days", type=click.IntRange(min=0), metavar="DAYS", help="Only older ones.")
@click.option("--text", metavar="TEXT", help="Only those with this text in a reference, a number or an id.")
@click.option("--accepted/--not-accepted", default=None, help="Only breaks that are accepted, or that are not.")
@click.option("--limit", type=click.IntRange(min=1), metavar="N", help="Show so many at most.")
@format_option
@command
def list_(session: Session, run: Path | None, form: str, limit: int | None, out: str | None, **wanted: Any) -> None:
    """List the breaks of a run, oldest and largest first, with what was decided about them."""
    settings = session.settings(out=out)

    from reconcile.history import breaks
    from reconcile.matching.policy import Status

    unknown = set(wanted["statuses"]) - {str(status) for status in Status}
    if unknown:
        raise click.BadParameter(f"there is no status {sorted(unknown)[0]}", param_hint="--status")
    folder = run or breaks.latest_run(Path(settings.out))
    rows = breaks.list_breaks(folder, breaks.Filter(**wanted))
    shown = rows[:limit]
    columns = ("Item", "Age", "State", "Status", "Reference", "Currency", "At stake", "Difference", "Decision")
    show(
        shown,
        form,
        header=columns,
        left=("Item", "State", "Status", "Reference", "Currency", "Decision"),
        cells=_cells,
        nothing=f"no such break in {folder}",
        quiet=not session.talks,
        spare=("Item", "State"),
    )
    if len(rows) > len(shown):
        console.say(f"{len(rows) - len(shown):,} more", quiet=not session.talks)


def _cells(row: Mapping[str, Any]) -> tuple[str, ...]:
    from reconcile.history import breaks
    from reconcile.reports.terminal import grouped_amount

    code = row["currency_code"]
    decided = row["decision"] or ""
    return (
        row["item_id"][: breaks.SHORT_ID],
        str(row["age_days"]),
        row["state"],
        row["status"],
        row["reference"] or row["payment_id"] or "",
        code or "",
        grouped_amount(row["at_stake_cents"], code),
        grouped_amount(row["difference_cents"], code),
        f"{decided}: {row['accepted_reason']}" if row["accepted_reason"] else decided,
    )
