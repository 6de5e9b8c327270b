"""
The nightly finance run: last night's payments against the totals that the ERP exported.

    python jobs/nightly.py [--config jobs/nightly.toml] [--date 2026-11-20]

Exits as `reconcile run` does: 0 clean, 1 over a limit, 2 settings, 3 input, 4 Commerce Layer, 5 disk or warehouse,
130 interrupted.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import click

import reconcile

CONFIG = Path(__file__).with_suffix(".toml")


@click.command()
@click.option("--config", type=click.Path(path_type=Path), default=CONFIG, help="Settings of the run.")
@click.option("--date", help="Business date: yesterday, today or 2026-11-20 [as the settings have it].")
def nightly(config: Path, date: str | None) -> None:
    """Reconcile one business date and say in one line how it went."""
    reconcile.end_on_sigterm()  # as on Ctrl-C: what was pulled is kept
    business_date = None
    try:
        settings = reconcile.load_settings(config, environ=os.environ, options={"date": date})
        business_date = reconcile.business_date_of(settings)
        secrets = reconcile.read_secrets(os.environ)
        result = reconcile.run_reconciliation(settings, secrets, business_date=business_date)
    except reconcile.ReconcileError as error:
        click.echo(f"{business_date or date or config}: {error.explained()}", err=True)
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        click.echo(f"{business_date or date or config}: interrupted; run the same command to resume", err=True)
        sys.exit(130)
    summary, counts = result.summary, result.summary.counts
    click.echo(
        f"{business_date}: {summary.verdict}, {counts.payments} payments, {counts.orders} order rows, "
        f"{counts.breaks} breaks",
        err=True,
    )
    lines = [one.line for one in summary.warnings]
    for sentence in (*lines, *(f"over limit: {one}" for one in result.exceeded)):
        click.echo(sentence, err=True)
    click.echo(result.folder)
    sys.exit(1 if result.exceeded else 0)


if __name__ == "__main__":
    nightly()
