"""`reconcile runs diff`: what differs between two runs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from reconcile.cli import console
from reconcile.cli.listing import format_option, show
from reconcile.cli.options import Session, command


@click.command()
@click.argument("before", type=click.Path(path_type=Path))
@click.argument("after", type=click.Path(path_type=Path))
@format_option
@command
def diff(session: Session, before: Path, after: Path, form: str) -> None:
    """
    Tell which items differ between the run folders BEFORE and AFTER.

    An item is compared by status, amounts, currencies, flag, order status and the key it was matched on.
    """
    from reconcile.runs import compare

    changes = compare.diff_runs(before, after)
    if changes and form == "table" and session.talks:
        for old, new, count in compare.counted_changes(changes):
            console.say(f"{count:>8,}  {old or '(not there)'} -> {new or '(gone)'}")
    show(
        [asdict(change) for change in changes],
        form,
        header=("Change", "Reference", "Payment", "Before", "After"),
        left=("Change", "Reference", "Payment", "Before", "After"),
        cells=_cells,
        nothing="no item differs",
        quiet=not session.talks,
    )


def _cells(change: Mapping[str, Any]) -> tuple[str, ...]:
    def side(values: Mapping[str, Any] | None) -> str:
        parts = dict(values or {})
        words = [str(parts.pop("status", ""))]
        return ", ".join([*words, *(f"{name} {'none' if value is None else value}" for name, value in parts.items())])

    before, after = change["before"], change["after"]
    if change["change"] != "changed":  # of an item on one side only the status says enough
        before, after = (values and {"status": values["status"]} for values in (before, after))
    return (change["change"], change["reference"] or "", change["payment_id"] or "", side(before), side(after))
