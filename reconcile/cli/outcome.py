"""What a command says of a run folder that is published, or of a pull that is planned."""

from __future__ import annotations

import shlex
from collections.abc import Collection, Iterator
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from reconcile.cli import console
from reconcile.cli.listing import show_json, show_lines
from reconcile.cli.options import Session

if TYPE_CHECKING:
    from reconcile.operations.staged_run import RunResult
    from reconcile.reports.display import Display
    from reconcile.settings.credentials import Secrets
    from reconcile.settings.settings import Settings


def tell_plan(
    settings: Settings,
    secrets: Secrets,
    form: str,
    *,
    recheck: Collection[str] = (),
    with_orders: bool = False,
    with_history: bool = False,
) -> None:
    """Show on standard output, as text or JSON, what a pull would do and cost; keywords as for `plan`."""
    from reconcile.operations.plan import plan
    from reconcile.operations.pull import awaited

    found = awaited(plan(settings, secrets, recheck=recheck, with_orders=with_orders, with_history=with_history))
    if form == "json":
        show_json(asdict(found))
    else:
        show_lines(f"{subject:<12} {message}" for subject, message in found.lines())


def tell_run(result: RunResult, session: Session, locale: str | None) -> int:
    """
    Show the result of a run, in `locale`, and return the exit code: 1 when a limit is exceeded, else 0.

    Told are the verdict, limits, what was set aside and the largest breaks; with --verbose all figures.
    """
    if session.talks:
        console.say("\n\n".join(_blocks(result, session.verbosity, locale)))
    elif not session.log_json:
        for sentence in result.exceeded:
            console.say(f"over limit: {sentence}")
    click.echo(result.folder)
    return 1 if result.exceeded else 0


def _blocks(result: RunResult, verbosity: int, locale: str | None) -> Iterator[str]:
    from reconcile.reports.display import display_of
    from reconcile.reports.terminal import headline, summary_table
    from reconcile.reports.text_table import fold

    wide, colour, display, summary = console.talk_width(), console.colour(), display_of(locale), result.summary
    yield (summary_table if verbosity else headline)(summary, width=wide, colour=colour, display=display)
    lines = [f"over limit: {sentence}" for sentence in result.exceeded]
    lines += [f"within limits: {', '.join(result.within)}"] if result.within else []
    if lines := [*lines, *(one.line for one in summary.warnings)]:
        yield "\n".join(fold(line, wide) for line in lines)
    if summary.counts.breaks > summary.accepted_count:
        yield _largest(result, wide, colour, display)
    if result.receipt is not None:
        yield f"loaded into {result.receipt.url}"


_MOST = 10


def _largest(result: RunResult, wide: int | None, colour: bool, display: Display) -> str:
    """Return the largest breaks of a run, and how to list the others."""
    from reconcile.operations.break_list import largest_breaks
    from reconcile.reports.break_tables import LARGEST_COLUMNS, largest_text
    from reconcile.reports.text_table import BOLD, paint

    summary = result.summary
    largest = largest_breaks(result.folder, LARGEST_COLUMNS, most=_MOST)
    title = "Largest breaks" + (", of each currency in turn" if len(summary.at_stake) > 1 else "")
    title += f", without {display.count(summary.accepted_count)} accepted" if summary.accepted_count else ""
    lines = [paint(title, BOLD, colour), largest_text(largest, width=wide, colour=colour, display=display)]
    if more := summary.counts.breaks - summary.accepted_count - largest.num_rows:
        lines.append(f"{display.count(more)} more: reconcile breaks list --run {shlex.quote(str(result.folder))}")
    return "\n".join(lines)
