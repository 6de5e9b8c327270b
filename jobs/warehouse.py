"""
The warehouse load: runs that are published, into a DuckDB file and into Parquet partitions by business date.

    python jobs/warehouse.py [--config jobs/warehouse.toml] [--date 2026-11-20] --to duckdb:warehouse.duckdb

Loading a date again replaces its rows: the job can be repeated, and catches up on nights that were missed.
"""

from __future__ import annotations

import os
import sys
from datetime import date
from pathlib import Path

import click

import reconcile

CONFIG = Path(__file__).with_suffix(".toml")


@click.command()
@click.option("--config", type=click.Path(path_type=Path), default=CONFIG, help="Settings that name the run folders.")
@click.option("--date", "business_date", type=date.fromisoformat, help="One business date [all that are published].")
@click.option("--to", "urls", multiple=True, metavar="URL", help="duckdb:FILE or parquet:FOLDER, also several.")
def warehouse(config: Path, business_date: date | None, urls: tuple[str, ...]) -> None:
    """Load published runs into each warehouse named with --to, or in the settings."""
    try:
        settings = reconcile.load_settings(config, environ=os.environ)
        targets = urls or ((settings.run.load_to,) if settings.run.load_to else ())
        wanted = business_date and business_date.isoformat()
        folders = [run for run in reconcile.published_runs(settings.out) if wanted in (None, run.name)]
        if not folders:
            click.echo(f"no run{f' of {wanted}' if wanted else ''} is published in {settings.run.out}", err=True)
        for folder in folders:
            for url in targets:
                receipt = reconcile.load_run(folder, url)
                click.echo(f"{folder.name}: {sum(receipt.rows.values())} rows into {receipt.url}")
    except reconcile.ReconcileError as error:
        click.echo(error.explained(), err=True)
        sys.exit(error.exit_code)


if __name__ == "__main__":
    warehouse()
