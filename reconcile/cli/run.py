"""`reconcile run`: the night in one command."""

from __future__ import annotations

import sys
from typing import Any

import click

from reconcile.cli.listing import check_dry_run, plan_format_option
from reconcile.cli.options import SectionedCommand, Session, command, dry_run_option, night_options, setting_option
from reconcile.cli.outcome import tell_plan, tell_run
from reconcile.cli.progress import PullDisplay


@click.command(cls=SectionedCommand, short_help="Pull all payments, match them with order totals, report.")
@click.argument("orders", nargs=-1, metavar="ORDERS...")
@night_options
@dry_run_option
@plan_format_option
@setting_option("load_to")
@command
def run(session: Session, dry_run: bool, form: str, **options: Any) -> None:
    """
    Pull all payments, match them with the order totals in ORDERS, write a run folder.

    ORDERS are files, patterns, folders of Parquet files, https://, s3:// and gs:// addresses, or - for standard
    input: CSV, TSV, JSON, NDJSON, Parquet, .xlsx, .xls or .ods, text also as .gz, .zst or .zip. The word
    commerce-layer has Commerce Layer export the totals of its placed Klarna orders first. Credentials come from the
    environment: RECONCILE_CLIENT_ID and RECONCILE_CLIENT_SECRET, or RECONCILE_CLIENT_SECRET_FILE.
    The last line on standard output is the run folder.
    """
    check_dry_run(form, dry_run=dry_run)
    settings = session.settings(**options)
    secrets = session.secrets()

    from reconcile.operations import night
    from reconcile.settings.settings import COMMERCE_LAYER
    from reconcile.settings.stages import business_date_of

    if dry_run:
        tell_plan(
            settings,
            secrets,
            form,
            recheck=night.open_breaks(settings.out),
            with_orders=COMMERCE_LAYER in settings.orders.files,
            with_history=settings.pull.history != "none",
        )
        return
    with PullDisplay(session) as display:
        result = night.run(settings, secrets, business_date=business_date_of(settings), on_progress=display)
    sys.exit(tell_run(result, session, settings.reports.locale))
