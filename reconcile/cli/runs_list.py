"""`reconcile runs list`: the runs of a folder, a line each."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from reconcile.cli import console
from reconcile.cli.listing import format_option, show
from reconcile.cli.options import Session, command

_CURRENCIES_SHOWN = 2


@click.command("list")
@click.option("--out", metavar="FOLDER", help="Folder of the run folders [runs].")
@click.option("--all", "superseded", is_flag=True, help="Also runs that a later one of their date has replaced.")
@format_option
@command
def list_(session: Session, superseded: bool, form: str, **options: Any) -> None:
    """List the published runs, oldest first."""
    settings = session.settings(**options)

    from reconcile.reports.terminal import grouped_amount
    from reconcile.runs import compare

    def cells(line: Any) -> tuple[str, ...]:
        amounts = [f"{code} {grouped_amount(cents, code)}" for code, cents in line["at_stake"].items()]
        if more := len(amounts) - _CURRENCIES_SHOWN:
            amounts[_CURRENCIES_SHOWN:] = [f"{more} more"] if more > 0 else []
        words = line["verdict"].replace("_", " ") + (", replaced" if line["superseded"] else "")
        counts = ("" if line[name] is None else f"{line[name]:,}" for name in ("items", "breaks"))
        name = Path(line["folder"]).relative_to(settings.out)
        return (str(name), words, *counts, ", ".join(amounts))

    lines = [asdict(line) for line in compare.list_runs(Path(settings.out), with_superseded=superseded)]
    for line in lines:
        if line["problem"]:
            console.say(f"warning: {line['problem']}", quiet=session.quiet)
    show(
        lines,
        form,
        header=("Run", "Verdict", "Items", "Breaks", "At stake"),
        left=("Run", "Verdict", "At stake"),
        cells=cells,
        nothing=f"no run in {settings.out}",
        quiet=not session.talks,
    )
