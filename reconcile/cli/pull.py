"""`reconcile pull`: the payments alone, into the mirror or a file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from reconcile.cli import console
from reconcile.cli.listing import check_dry_run, plan_format_option
from reconcile.cli.options import SectionedCommand, Session, command, connection_options, dry_run_option, pull_options
from reconcile.cli.outcome import tell_plan
from reconcile.cli.progress import PullDisplay

if TYPE_CHECKING:
    from reconcile.payments.report import PullReport


@click.command(cls=SectionedCommand, short_help="Pull all payments, proved complete, into a file.")
@click.option("--to", "destination", type=click.Path(path_type=Path), help="Parquet or CSV file to write.")
@click.option("--id", "ids", multiple=True, metavar="ID", help="Only this payment, without the mirror; repeatable.")
@dry_run_option
@plan_format_option
@connection_options
@pull_options
@command
def pull(
    session: Session, destination: Path | None, ids: tuple[str, ...], dry_run: bool, form: str, **options: Any
) -> None:
    """
    Pull all payments, prove the pull complete, write them to a file or into the mirror.

    The ending of --to decides: .parquet or .csv. The transactions of their orders are written beside that file, as
    transactions.parquet beside payments.parquet and november.transactions.parquet beside november.parquet. The path is
    the last line on standard output. With --id only the named payments are read, with their orders; without --to they
    are written to standard output, one line of JSON each.
    """
    check_dry_run(form, dry_run=dry_run)
    settings = session.settings(**options)
    secrets = session.secrets()

    from reconcile.figures.warnings import pull_warnings
    from reconcile.operations import pull
    from reconcile.schema import PAYMENTS

    if dry_run:
        tell_plan(settings, secrets, form)
        return
    if ids and destination is None:
        for line in pull.payment_lines(pull.fetch(settings, secrets, ids).select(PAYMENTS.names)):
            click.echo(line)
        return
    if ids and destination is not None:
        pull.fetch_to_file(settings, secrets, ids, destination)
        click.echo(destination)
        return
    with PullDisplay(session) as display:
        path, report = pull.pull_to_file(settings, secrets, destination, on_progress=display)
    console.say(_in_words(report), quiet=not session.talks)
    for warning in pull_warnings(report):
        console.say(warning.line, quiet=session.log_json)
    click.echo(path)


def _in_words(report: PullReport) -> str:
    spent = f"{report.payments:,} payments, {report.requests:,} requests, {report.retries:,} retried"
    if report.transport != "pages":
        spent += f", by {report.transport}"
    if report.resumed:
        spent += "; resumed an interrupted pull, and brought it up to date"
    if report.incremental:
        return (
            f"{spent}; {report.updated:,} read because they changed, {report.rechecked:,} by id; "
            f"the server counts {report.count_after:,} in total"
        )
    return f"{spent}; complete: the server counted {report.count_before:,} before and {report.count_after:,} after"
