"""
A plan of a refresh carried out: each payment is sent at most once, and what came of it is on record.

An intent without an answer is of a process that ended in between: whoever comes next reads that payment, records what
is found, and never sends it again by the same plan. How one payment is sent is known to `refresh_one`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from reconcile.commercelayer.client import CommerceLayer
from reconcile.commercelayer.tasks import WorkerPool
from reconcile.errors import SettingsError
from reconcile.history.refreshes import Outcome, RefreshEvent, events_in, unanswered
from reconcile.operations.pull import awaited
from reconcile.operations.refresh_one import Applying, Sending, found
from reconcile.operations.refresh_plan import Plan, Planned, RefreshLine, mode_of, read_again, read_plan, time_of
from reconcile.runs.folder import out_of
from reconcile.runs.records import REFRESHES_NAME, Chain, chain
from reconcile.settings.credentials import Secrets
from reconcile.settings.settings import Settings
from reconcile.settings.stages import connect

_AT_ONCE = 8  # enough for the write limit of live mode at a second for reading and writing


@dataclass(frozen=True, slots=True)
class Applied:
    """
    What came of a plan: a line for each payment whose turn it was, in the plan's order; `left` come after them.

    `settled` are answers that an interrupted process has left open, as they were found now.
    """

    lines: tuple[RefreshLine, ...]
    left: int
    settled: tuple[RefreshEvent, ...]

    @property
    def unknown(self) -> int:
        """Of how many it is not known whether they were refreshed."""
        outcomes = [*(line.outcome for line in self.lines), *(event.outcome for event in self.settled)]
        return outcomes.count(Outcome.UNKNOWN)


def apply_plan(settings: Settings, secrets: Secrets, folder: Path, *, most: int, by: str | None = None) -> Applied:
    """
    Refresh up to `most` payments of the plan of the run `folder`, as `by` said, and return what came of it.

    First, what an interrupted process left open is settled. Raises SettingsError when there is no plan that holds,
    FolderBusy when another process is at it, CommerceLayerError, and OutputError when the record cannot be written;
    what is on record by then stays, and the same call goes on.
    """
    path = out_of(folder) / REFRESHES_NAME

    async def applied(record: Chain) -> Applied:
        events = events_in(path)
        async with connect(settings, secrets) as client:
            mode = await mode_of(client, settings, path.parent)
            settled = await _settled(client, record, unanswered(events), mode)
            plan = read_plan(folder)
            _check_plan(plan, client, mode)
            done = {event.payment_id for event in events if event.plan == plan.id}
            todo = [one for one in plan.payments if one.payment_id not in done]
            lines = await _sent(Applying(client, record, plan, mode, by), todo[:most])
        return Applied(tuple(lines), len(todo[most:]), tuple(settled))

    with chain(path, "another refresh is in progress") as record:
        return awaited(applied(record))


def _check_plan(plan: Plan, client: CommerceLayer, mode: str) -> None:
    if (plan.organization, plan.mode) != (client.organization, mode):
        raise SettingsError(
            f"the plan is of {plan.organization}, {plan.mode} mode; the credentials are of {client.organization}, "
            f"{mode} mode",
            hint="use the credentials with which it was made, or make it again",
        )
    if plan.is_old(time_of(client)):
        raise SettingsError(
            f"the plan was made on {plan.made_at:%Y-%m-%d %H:%M:%S} UTC, and holds for an hour",
            hint="make it again with `reconcile refresh`, then add --apply",
        )


async def _settled(
    client: CommerceLayer, record: Chain, intents: Sequence[RefreshEvent], mode: str
) -> list[RefreshEvent]:
    """Read the payments of `intents`, record what is found as their answers, and return these."""
    ids = [one.payment_id for one in intents]
    rows = {row["payment_id"]: row for row in await read_again(client, ids, mode)}
    answers = [found(one, rows.get(one.payment_id)) for one in intents]
    for answer in answers:
        record.add(answer)
    return answers


async def _sent(applying: Applying, todo: Sequence[Planned]) -> list[RefreshLine]:
    lines: dict[str, RefreshLine] = {}

    async def send(planned: Planned) -> tuple[()]:
        lines[planned.payment_id] = await Sending(applying, planned).send()
        return ()

    # One goes ahead: where the credentials may not write, no other is on its way.
    await WorkerPool(send, wanted=lambda: _AT_ONCE if lines else 1).run(todo)
    return [lines[one.payment_id] for one in todo]
