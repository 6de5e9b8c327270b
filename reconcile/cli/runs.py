"""`reconcile runs`: the group of what is done with published runs."""

from __future__ import annotations

import click

from reconcile.cli.runs_diff import diff
from reconcile.cli.runs_list import list_
from reconcile.cli.runs_verify import verify_


@click.group()
def runs() -> None:
    """Published runs: list them, verify them, compare two of them."""


for _command in (list_, verify_, diff):
    runs.add_command(_command)
