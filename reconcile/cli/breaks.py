"""`reconcile breaks`: the group of what is done with the breaks of a run."""

from __future__ import annotations

import click

from reconcile.cli.breaks_accept import accept
from reconcile.cli.breaks_export import export
from reconcile.cli.breaks_import import import_
from reconcile.cli.breaks_list import list_
from reconcile.cli.breaks_withdraw import withdraw


@click.group()
def breaks() -> None:
    """Breaks of a run: list them, accept them, decide about many in a CSV file."""


for _command in (list_, accept, withdraw, export, import_):
    breaks.add_command(_command)
