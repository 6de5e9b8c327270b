"""`reconcile runs`: the published runs of a folder, whether they are still what was published, and what differs."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from reconcile.cli import console
from reconcile.cli.listing import Layout, format_option, show, show_json, show_lines, text_format_option
from reconcile.cli.options import Session, command, setting_option

if TYPE_CHECKING:
    from reconcile.figures.compare import Change, RunLine
    from reconcile.runs.verify import Verification
    from reconcile.schema import Row


@click.group()
def runs() -> None:
    """Published runs: list them, verify them, compare two of them."""


_CURRENCIES_SHOWN = 2


@runs.command("list")
@setting_option("out")
@click.option("--all", "superseded", is_flag=True, help="Also runs that a later run of the same date has replaced.")
@format_option
@command
def list_(session: Session, superseded: bool, form: str, **options: Any) -> None:
    """List the published runs, oldest first."""
    settings = session.settings(**options)

    from reconcile.figures import compare
    from reconcile.figures.summary import VERDICTS
    from reconcile.reports.terminal import grouped_amount

    def cells(line: RunLine) -> tuple[str, ...]:
        amounts = [f"{code} {grouped_amount(cents, code)}" for code, cents in line.at_stake.items()]
        if more := len(amounts) - _CURRENCIES_SHOWN:
            amounts[_CURRENCIES_SHOWN:] = [f"{more} more"] if more > 0 else []
        words = VERDICTS.get(line.verdict, line.verdict.capitalize()) + (", replaced" if line.superseded else "")
        counts = ("" if count is None else f"{count:,}" for count in (line.items, line.breaks))
        name = Path(line.folder).relative_to(settings.out)
        return (str(name), words, *counts, ", ".join(amounts))

    lines = compare.list_runs(settings.out, with_superseded=superseded)
    for line in lines:
        if line.problem:
            console.say(f"warning: {line.problem}", quiet=session.quiet)
    header, left = ("Run", "Verdict", "Items", "Breaks", "At stake"), ("Run", "Verdict", "At stake")
    layout = Layout(header, left, cells, whole=("Run",))
    show(lines, form, layout, nothing=f"no run in {settings.run.out}", quiet=not session.talks)


@runs.command("verify", short_help="Check that runs are still as they were published.")
@click.argument("folders", nargs=-1, metavar="[RUN...]", type=click.Path(path_type=Path))
@setting_option("out")
@click.option("--replay", "is_replayed", is_flag=True, help="Match each run again from its own inputs, and compare.")
@text_format_option
@command
def verify_(session: Session, folders: tuple[Path, ...], form: str, *, is_replayed: bool, **options: Any) -> None:
    """
    Compare every file of the runs with its digest, and each run with the one before it.

    RUN are run folders; without any, all runs in the folder of --out. A run that is named here, and the last one, is
    also added up again from its own files. With --replay each is matched again from the payments and order rows in it,
    by the settings in its manifest, and must give the same files, byte for byte.
    Exits with 1 when one is not as it was published.
    """
    settings = session.settings(**options)

    from reconcile.operations.verify import verify

    found = verify(settings.out, folders, is_replayed=is_replayed)
    if form == "json":
        show_json([{"verdict": _verdict(one), **asdict(one)} for one in found])
    else:
        show_lines(_lines(found, quiet=session.quiet))
    sys.exit(1 if any(one.problems for one in found) else 0)


def _lines(found: Sequence[Verification], *, quiet: bool) -> Iterator[str]:
    for one in found:
        if one.problems or not quiet:
            yield f"{_verdict(one).replace('changed', 'CHANGED'):<8}{one.folder}  {one.run_id}, {_done(one)}"
        yield from (f"{'':<8}{sentence}" for sentence in one.problems)
        yield from (f"{'':<8}note: {sentence}" for sentence in one.notes if not quiet)


def _done(one: Verification) -> str:
    return f"{one.files} files{', matched again' if one.replayed else ''}"


def _verdict(one: Verification) -> str:
    return "changed" if one.problems else "ok"


@runs.command(short_help="Show the items that differ between two runs.")
@click.argument("before", type=click.Path(path_type=Path))
@click.argument("after", type=click.Path(path_type=Path))
@format_option
@command
def diff(session: Session, before: Path, after: Path, form: str) -> None:
    """
    List the items that differ between the run folders BEFORE and AFTER.

    An item is compared by status, amounts, currencies, flag, order status and the key it was matched on.
    """
    from reconcile.figures import compare
    from reconcile.matching.policy import LABEL_OF

    changes = compare.diff_runs(before, after)
    if changes and form == "table" and session.talks:
        for old, new, count in compare.counted_changes(changes):
            before_label, after_label = LABEL_OF.get(old or "", "(missing)"), LABEL_OF.get(new or "", "(gone)")
            console.say(f"{count:>8,}  {before_label} -> {after_label}")
    header = ("Change", "Reference", "Payment", "Before", "After")
    layout = Layout(header, header, _change_cells, whole=("Reference", "Payment"))
    show(changes, form, layout, nothing="no item differs", quiet=not session.talks)


def _change_cells(change: Change) -> tuple[str, ...]:
    from reconcile.matching.policy import LABEL_OF

    def side(values: Row | None) -> str:
        parts = dict(values or {})
        status = str(parts.pop("status", ""))
        words = [LABEL_OF.get(status, status)]
        if change.change != "changed":  # of an item on one side only the status says enough
            return words[0]
        return ", ".join([*words, *(f"{name} {'none' if value is None else value}" for name, value in parts.items())])

    return (change.change, change.reference or "", change.payment_id or "", side(change.before), side(change.after))
