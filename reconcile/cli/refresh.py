"""`reconcile refresh`: which flagged payments can be refreshed at Klarna as a plan, and with --apply carried out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from reconcile.cli import console
from reconcile.cli.listing import Layout, format_option, show, show_lines, show_values
from reconcile.cli.options import SectionedCommand, Session, command, connection_options, setting_option

if TYPE_CHECKING:
    from pathlib import Path

    from reconcile.operations.refresh import Applied
    from reconcile.operations.refresh_plan import RefreshLine

_HEADER = ("Flagged payments", "Code", "Currency", "Payments", "Orders' amount")


@click.command(cls=SectionedCommand, short_help="Plan which flagged payments to refresh at Klarna, and do it.")
@click.argument("run", required=False)
@setting_option("out")
@click.option("--apply", "is_applied", is_flag=True, help="Send what the plan, made within the last hour, says.")
@click.option("--yes", is_flag=True, help="With --apply: do not ask for the organization's name in live mode.")
@click.option(
    "--max",
    "most",
    type=click.IntRange(min=1),
    default=100,
    show_default=True,
    metavar="N",
    help="With --apply: send at most this many; the same command goes on with the rest.",
)
@click.option("--by", metavar="NAME", help="With --apply: who does it, for the record.")
@connection_options
@format_option
@command
def refresh(session: Session, run: str | None, form: str, *, is_applied: bool, **options: Any) -> None:
    """
    Plan which flagged payments of a run can be refreshed at Klarna; with --apply, do it.

    RUN is a run folder or its date; default: the latest in --out. Its payments with mismatched_amounts are read again,
    and each is put into one class: it can be refreshed, or why not, and what helps instead. Without --apply nothing is
    sent but that. Klarna closes a session when the order is placed and forgets it after 48 hours, so that most cannot.

    --apply sends each payment of the plan once, after reading it again, and records intent and answer in
    refreshes.jsonl beside the run folders. It exits with 4 when it is not known whether one was refreshed.
    """
    most, by, yes = options.pop("most"), options.pop("by"), options.pop("yes")
    settings = session.settings(**options)
    secrets = session.secrets()

    from reconcile.operations.refresh import apply_plan
    from reconcile.operations.refresh_plan import plan_refresh, run_named

    folder = run_named(settings.out, run)
    if not is_applied:
        lines = plan_refresh(settings, secrets, folder)
        _show_plan(lines, form, folder, quiet=not session.talks)
        return
    _confirm(folder, most, yes=yes)
    applied = apply_plan(settings, secrets, folder, most=most, by=by)
    _show_applied(applied, form, quiet=not session.talks)


def _confirm(folder: Path, most: int, *, yes: bool) -> None:
    """Have the name of the organization typed, in live mode. Raises SettingsError for another, or none."""
    from reconcile.errors import SettingsError
    from reconcile.operations.refresh_plan import read_plan

    plan = read_plan(folder)
    if yes or plan.mode != "live" or not plan.payments:
        return
    count = min(most, len(plan.payments))
    payments = f"{count:,} payment{'' if count == 1 else 's'} of {plan.organization}, live mode"
    try:
        name = click.prompt(f"{payments}: type the name of the organization to refresh them at Klarna", err=True)
    except click.Abort:
        raise SettingsError(
            "nothing was sent: the organization's name was not confirmed", hint="type it, or add --yes"
        ) from None
    if name.strip() != plan.organization:
        raise SettingsError(f'nothing was sent: the organization is not called "{name.strip()}"', hint="look again")


def _show_plan(lines: Sequence[RefreshLine], form: str, folder: Path, *, quiet: bool) -> None:
    from reconcile.payments.refreshable import REMEDY_OF, Refreshable

    if form != "table":
        _show_rows(lines, form)
        return
    counts = Counter((line.refreshable, line.currency_code) for line in lines)
    sums: Counter[tuple[Refreshable, str | None]] = Counter()
    for line in lines:
        sums[line.refreshable, line.currency_code] += line.amount_cents or 0
    classes = [class_ for class_ in reversed(Refreshable) if any(key[0] is class_ for key in counts)]
    keys = [key for class_ in classes for key in sorted(counts, key=lambda key: key[1] or "") if key[0] is class_]
    layout: Layout[tuple[Refreshable, str | None]] = Layout(
        _HEADER, _HEADER[:3], lambda key: _cells(key, counts[key], sums[key]), spare=("Code",)
    )
    show(keys, form, layout, nothing=f"no payment is flagged in {folder}", quiet=quiet)
    if lines:
        show_lines(["", *(f"{class_}: {REMEDY_OF[class_]}" for class_ in classes)])


def _cells(key: tuple[Any, str | None], count: int, cents: int) -> tuple[str, ...]:
    from reconcile.payments.refreshable import LABEL_OF_REFRESHABLE
    from reconcile.reports.terminal import grouped_amount

    class_, code = key
    return (
        LABEL_OF_REFRESHABLE[class_],
        str(class_),
        code or "",
        f"{count:,}",
        grouped_amount(cents, code) if code else "",
    )


def _show_applied(applied: Applied, form: str, *, quiet: bool) -> None:
    from reconcile.errors import CommerceLayerError

    for event in applied.settled:
        console.say(f"left open by an interrupted refresh: {event.payment_id}: {event.outcome}", quiet=quiet)
    if form != "table":
        _show_rows(applied.lines, form)
    else:
        header = ("Payment", "Reference", "Order", "Outcome", "Words")
        layout = Layout(header, header, _outcome_cells, whole=header[:2])
        show(applied.lines, form, layout, nothing="nothing is left to send in this plan", quiet=quiet)
    if applied.left:
        console.say(f"{applied.left:,} more in the plan: the same command goes on with them", quiet=quiet)
    if applied.unknown:
        raise CommerceLayerError(
            f"of {applied.unknown:,} it is not known whether they were refreshed: the answers were lost",
            hint="refreshes.jsonl says which; they are not sent again by this plan: make another with "
            "`reconcile refresh`, which reads them",
        )


def _outcome_cells(line: RefreshLine) -> tuple[str, ...]:
    order = line.order_number or line.order_id or ""
    return (line.payment_id, line.reference or "", order, str(line.outcome or ""), line.words or "")


def _show_rows(lines: Sequence[RefreshLine], form: str) -> None:
    from reconcile.schema import REFRESH

    show_values(lines, form, REFRESH.names)
