"""
The analyst's question: a CSV from the ERP, the payments of some weeks, the breaks on the screen.

    python jobs/adhoc.py exports/orders.csv [--since 2026-11-01] [--until 2026-11-15]

Everything happens in frames, nothing is written. Start a notebook from the four lines in `reconciled`.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import click
import pandas as pd

import reconcile

CONFIG = Path(__file__).with_suffix(".toml")
COLUMNS = ["status", "reference", "payment_amount_cents", "order_amount_cents", "difference_cents"]


def reconciled(orders: str, config: Path, since: str | None, until: str | None) -> reconcile.MatchResult[pd.DataFrame]:
    """Return the match of the payments of a window with the rows of one file."""
    settings = reconcile.load_settings(config, environ=os.environ, options={"since": since, "until": until})
    payments = reconcile.pull_payments_sync(settings=settings)
    totals = reconcile.read_orders(orders, settings=settings)
    return reconcile.match_payments(payments, totals, settings=settings)


@click.command()
@click.argument("orders")
@click.option("--config", type=click.Path(path_type=Path), default=CONFIG, help="Settings of the pull.")
@click.option("--since", metavar="WHEN", help="Payments of orders placed at or after this date or time (UTC).")
@click.option("--until", metavar="WHEN", help="Payments of orders placed before this date or time (UTC).")
def adhoc(orders: str, config: Path, since: str | None, until: str | None) -> None:
    """Print the breaks between the payments of a window and the order totals in ORDERS."""
    try:
        result = reconciled(orders, config, since, until)
    except reconcile.ReconcileError as error:
        click.echo(error.explained(), err=True)
        sys.exit(error.exit_code)
    if since or until:
        click.echo("only payments of this window: order totals outside it are reported as missing_payment", err=True)
    for line in result.summary.statuses:
        click.echo(f"{line.status:<20} {line.kind:<7} {line.count:>6}")
    click.echo(result.breaks[COLUMNS].to_string(index=False))


if __name__ == "__main__":
    adhoc()
