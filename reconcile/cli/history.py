"""`reconcile history`: what happened to payments and their orders."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from reconcile.cli.listing import events_format_option, show_lines, show_values
from reconcile.cli.options import SectionedCommand, Session, command, run_options, trail_options

if TYPE_CHECKING:
    from reconcile.operations.history import History


@click.command(cls=SectionedCommand, short_help="Show what happened to payments and their orders.")
@click.argument("payments", nargs=-1, required=True, metavar="PAYMENT...")
@run_options
@trail_options
@events_format_option
@command
def history(session: Session, payments: tuple[str, ...], run: Path | None, form: str, **options: Any) -> None:
    """
    Show what happened to payments and their orders, oldest first: when, by whom, each value before and after.

    PAYMENT is a payment id, or whatever names an item of the latest run, as for `explain`: a reference, an order
    number or an item id. Read from Commerce Layer's audit trail, with a request or more for each payment and for each
    order; nothing is kept. Tokens are left out; of what is personal only the change is shown.

    Times are those of --time-zone, long values are cut, and attributes that repeat others are left out. CSV and JSON
    have everything, one row for each change: times in UTC, values as JSON.
    """
    settings = session.settings(**options)
    secrets = session.secrets()

    from reconcile.operations.history import history as read
    from reconcile.schema import TRAIL

    found = read(settings, secrets, payments, run)
    if form == "text":
        for place, one in enumerate(found):
            lines = (_name(one), *trail_lines(one, settings.population.time_zone))
            show_lines(["", *lines] if place else lines)
        return
    rows = [row for one in found for row in one.rows]
    show_values(rows, form, TRAIL.names)


def _name(one: History) -> str:
    subject = one.of.subject
    ids = (("payment", subject.payment_id), ("order", subject.order_id))
    return ", ".join(f"{noun} {id_}" for noun, id_ in ids if id_ is not None)


def trail_lines(one: History, time_zone: str) -> Iterator[str]:
    """Yield a history as lines of text, below a line that says what it is of."""
    from reconcile.reports.trail_text import steps_of

    yield f"  history in Commerce Layer, times in {time_zone}"
    steps = steps_of(one.rows, one.of.currency_code, time_zone)
    for step in steps:
        yield f"    {step.at}  {step.noun} {step.event}{f' by {step.who}' if step.who else ''}"
        for change in step.changes:
            yield f"      {change.attribute:<29} {change.before or '(none)'} -> {change.after or '(none)'}"
    if not steps:
        yield "    no event is recorded"
