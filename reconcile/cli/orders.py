"""`reconcile orders`: the group of what is done with order totals alone."""

from __future__ import annotations

import click

from reconcile.cli.orders_export import export
from reconcile.cli.orders_inspect import inspect


@click.group()
def orders() -> None:
    """Order totals: look at a file before matching it, or export them from Commerce Layer."""


for _command in (inspect, export):
    orders.add_command(_command)
