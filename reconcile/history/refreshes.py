"""
What was written at Klarna, and what came of it: `refreshes.jsonl` beside the run folders.

Before a payment is refreshed its intent is recorded, and its answer after it; both are events, one line each. An intent
without an answer is of a process that has ended in between: the write may have been carried out. Knows the events; how
lines are added and chained is known to `runs.records`.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, date, datetime
from enum import StrEnum
from pathlib import Path
from typing import Any, Literal

import msgspec

from reconcile.errors import OutputError
from reconcile.runs.records import whole_lines


class Outcome(StrEnum):
    """
    What became of a refresh.

    flag_cleared  the API no longer flags the payment
    flag_stays    the server accepted it, and the API still flags the payment
    refused       the server refused it, in its own words
    not_sent      it surely had no effect
    unknown       its answer was lost, and the payment is still flagged, or gone
    """

    FLAG_CLEARED = "flag_cleared"
    FLAG_STAYS = "flag_stays"
    REFUSED = "refused"
    NOT_SENT = "not_sent"
    UNKNOWN = "unknown"


class RefreshEvent(msgspec.Struct, frozen=True, kw_only=True):
    """
    One line of the record.

    at                  when, UTC
    event               `intent`, recorded before a payment is sent, or `answer`, after it
    plan                id of the plan that it stands in: a plan has each payment once
    business_date, run_id   of the run whose plan that is
    updated_at          of the payment, as planned
    by                  who did it, null where that was not said
    outcome             of an answer
    told_by             whether the answer itself told it, or reading the payment again
    status              of HTTP, of a refusal
    words               the server's, or why
    mismatched_amounts  the flag afterwards, as far as it is known
    """

    at: datetime
    event: Literal["intent", "answer"]
    plan: str
    business_date: date
    run_id: str
    payment_id: str
    order_id: str | None
    reference: str | None
    updated_at: datetime
    by: str | None
    outcome: Outcome | None = None
    told_by: Literal["answer", "reading"] | None = None
    status: int | None = None
    words: str | None = None
    mismatched_amounts: bool | None = None

    def answered(self, outcome: Outcome, **told: Any) -> RefreshEvent:
        """Return the answer to this intent, now; `told` are fields that an answer has."""
        return msgspec.structs.replace(self, at=now(), event="answer", outcome=outcome, **told)


def now() -> datetime:
    """Return the time of an event: by this machine's clock, in milliseconds."""
    moment = datetime.now(UTC)
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)


def events_in(path: Path) -> list[RefreshEvent]:
    """
    Return the events recorded in `path`, oldest first; none when there is no such file.

    Raises OutputError naming the line that is none; one that was not written to its end says nothing.
    """
    found = []
    for number, line in whole_lines(path):
        try:
            found.append(msgspec.convert(line, RefreshEvent))
        except msgspec.ValidationError as error:
            raise OutputError(
                f"{path}:{number}: is not the record of a refresh: {error}",
                hint="restore the file as it was: lines are only ever added to it, by `reconcile refresh`",
            ) from error
    return found


def unanswered(events: Iterable[RefreshEvent]) -> list[RefreshEvent]:
    """Return the intents among `events` that have no answer."""
    intents: dict[tuple[str, str], RefreshEvent] = {}
    for event in events:
        key = (event.plan, event.payment_id)
        if event.event == "intent":
            intents[key] = event
        else:
            intents.pop(key, None)
    return [*intents.values()]
