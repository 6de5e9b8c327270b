"""`reconcile orders export`: order totals from Commerce Layer's own exports, into files."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from reconcile.cli import console
from reconcile.cli.options import Session, command, connection_options

if TYPE_CHECKING:
    from reconcile.orders.exports.export import ExportedOrders


@click.command()
@click.option(
    "--to",
    "destination",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("exports"),
    show_default=True,
    help="Folder to write into.",
)
@click.option("--since", metavar="WHEN", help="Only orders placed at or after this date or time (UTC).")
@click.option("--until", metavar="WHEN", help="Only orders placed before this date or time (UTC).")
@click.option("--mirror", metavar="FOLDER", help="Where an export that breaks off is kept to go on from [.reconcile].")
@connection_options
@command
def export(session: Session, destination: Path, **options: Any) -> None:
    """
    Export the totals of all placed Klarna orders, prove the files complete, write them to a folder.

    The files are those of Commerce Layer, as they come; beside them orders.json says what they hold and why that is
    all. Cancelled and refunded orders are among them. Each file is a line on standard output, to be given to
    `reconcile run` or `match`; `reconcile run commerce-layer` does both at once.
    """
    settings = session.settings(**options)
    secrets = session.secrets()

    from reconcile.figures.warnings import export_warnings
    from reconcile.operations import pull

    report = pull.export_orders(settings, secrets, destination)
    console.say(_in_words(report), quiet=not session.talks)
    for warning in export_warnings(report.as_dict()):
        console.say(f"warning: {warning}", quiet=session.log_json)
    for path in report.files:
        click.echo(path)


def _in_words(report: ExportedOrders) -> str:
    files = "1 file" if len(report.files) == 1 else f"{len(report.files)} files"
    since = f"from {report.since} on and " if report.since else ""
    return (
        f"{report.orders:,} orders in {files}, placed {since}before {report.until}; "
        f"complete: the server counted {report.count_before:,} before and {report.count_after:,} after"
    )
