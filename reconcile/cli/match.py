"""`reconcile match`: files in, run folder out, no network."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from reconcile.cli.options import (
    SectionedCommand,
    Session,
    command,
    match_options,
    orders_options,
    output_options,
    setting_option,
)
from reconcile.cli.outcome import tell_run


@click.command(cls=SectionedCommand, short_help="Match payments in a file with order totals.")
@click.argument("payments", type=click.Path(path_type=Path))
@click.argument("orders", nargs=-1, metavar="ORDERS...")
@output_options
@setting_option("organization")
@setting_option("mode")
@orders_options
@match_options
@command
def match(session: Session, payments: Path, **options: Any) -> None:
    """
    Match the payments in PAYMENTS with the order totals in ORDERS, write a run folder.

    PAYMENTS is what `reconcile pull --to` wrote, or `payments.parquet` of a run folder; transactions beside it are
    taken along. Nothing is sent anywhere. The last line on standard output is the run folder.
    """
    settings = session.settings(**options)

    from reconcile.operations import night
    from reconcile.settings.stages import business_date_of

    result = night.match(settings, payments, business_date=business_date_of(settings))
    sys.exit(tell_run(result, session, settings.reports.locale))
