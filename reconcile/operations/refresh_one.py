"""
One payment of a plan: read again, sent if it still is as planned, and on record before and after.

The one place that decides what is recorded of a write, and when. Which payments are sent is known to `refresh`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from msgspec.structs import asdict
from msgspec.structs import replace as with_fields

from reconcile.commercelayer.client import CommerceLayer
from reconcile.commercelayer.refreshing import Refreshed, refresh_session
from reconcile.errors import AuthError, CommerceLayerError, Refused, Unreachable
from reconcile.history.refreshes import Outcome, RefreshEvent, now
from reconcile.operations.refresh_plan import Plan, Planned, RefreshLine, read_again, refresh_line, time_of
from reconcile.payments.refreshable import LABEL_OF_REFRESHABLE, Refreshable, refreshable
from reconcile.runs.records import Chain
from reconcile.schema import Row

GONE = "the payment is no longer there"


@dataclass(frozen=True, slots=True)
class Applying:
    """A plan that is being carried out in `mode`, as `by` said: with which client, and on which record."""

    client: CommerceLayer
    record: Chain
    plan: Plan
    mode: str
    by: str | None

    async def row(self, payment_id: str) -> Row | None:
        """Return the payment as it is now, null when it is gone."""
        rows = await read_again(self.client, [payment_id], self.mode)
        return rows[0] if rows else None

    def intent(self, planned: Planned) -> RefreshEvent:
        """Return the intent of refreshing a payment, now."""
        plan = self.plan
        return RefreshEvent(
            at=now(),
            event="intent",
            plan=plan.id,
            business_date=plan.business_date,
            run_id=plan.run_id,
            by=self.by,
            **asdict(planned),
        )


class _SpokenAgainst(Exception):
    """The payment is not sent: its line says why."""


class Sending:
    """A payment on its way. Nothing is sent before its intent is on record, and no intent is sent twice."""

    def __init__(self, applying: Applying, planned: Planned) -> None:
        self._applying = applying
        self._planned = planned
        self._intent: RefreshEvent | None = None
        self._line: RefreshLine
        self._is_read = False

    async def send(self) -> RefreshLine:
        """
        Send it, unless it is no longer as planned, and return its line.

        Raises CommerceLayerError where none of the others would fare better, and where it is not known what has become
        of it and it cannot be read either: its intent then stays without an answer. OutputError as the record.
        """
        try:
            said = await refresh_session(self._applying.client, self._planned.payment_id, before=self._before)
        except _SpokenAgainst:
            if self._intent is None:
                return self._line
            return self._recorded(self._intent.answered(Outcome.NOT_SENT, words=self._line.words))
        except CommerceLayerError as error:
            return await self._failed(error)
        assert self._intent is not None, "nothing is sent without one"
        return await self._accepted(self._intent, said)

    async def _before(self) -> None:
        """Read it again, and record the intent. Raises _SpokenAgainst when it is no longer as planned."""
        self._is_read = False
        applying, planned = self._applying, self._planned
        row = await applying.row(planned.payment_id)
        time = time_of(applying.client)
        class_ = refreshable(row, time, is_newest=True)
        self._line = refresh_line(planned.payment_id, row, asdict(planned), class_)
        against = "the plan is older than an hour" if applying.plan.is_old(time) else _against(planned, row, class_)
        if against is not None:
            self._line = replace(self._line, outcome=Outcome.NOT_SENT, words=against)
            raise _SpokenAgainst
        self._is_read = True
        if self._intent is None:  # else the server refused it for its rate, and this is the same intent
            intent = applying.intent(planned)
            applying.record.add(intent)
            self._intent = intent

    async def _failed(self, error: CommerceLayerError) -> RefreshLine:
        intent = self._intent
        if intent is None:
            raise error
        if self._is_read and isinstance(error, Unreachable) and error.may_be_done:
            row = await self._applying.row(self._planned.payment_id)
            return self._recorded(found(intent, row, words=error.message))
        if not self._is_read or not isinstance(error, Refused | AuthError):
            self._recorded(intent.answered(Outcome.NOT_SENT, words=error.message))
            raise error
        status = error.status if isinstance(error, Refused) else None
        answer = intent.answered(Outcome.REFUSED, told_by="answer", status=status, words=error.message)
        line = self._recorded(answer)
        if isinstance(error, AuthError):  # and so it would be with all others
            error.hint = "it needs the credentials of an integration whose role may update klarna_payments"
            raise error
        return line

    async def _accepted(self, intent: RefreshEvent, said: Refreshed) -> RefreshLine:
        flag = said.mismatched_amounts
        if flag is not None:
            outcome = Outcome.FLAG_STAYS if flag else Outcome.FLAG_CLEARED
            return self._recorded(intent.answered(outcome, told_by="answer", mismatched_amounts=flag))
        answer = found(intent, await self._applying.row(self._planned.payment_id))
        if answer.mismatched_amounts:  # it was accepted, and made no difference
            answer = with_fields(answer, outcome=Outcome.FLAG_STAYS)
        return self._recorded(answer)

    def _recorded(self, answer: RefreshEvent) -> RefreshLine:
        """Record the answer, and return the line with it."""
        self._applying.record.add(answer)
        return replace(self._line, outcome=answer.outcome, words=answer.words)


def found(intent: RefreshEvent, row: Row | None, words: str | None = None) -> RefreshEvent:
    """Return the answer that reading the payment gives, `row` (null: it is gone); `words` say why it was read."""
    if row is None:
        return intent.answered(Outcome.UNKNOWN, told_by="reading", words=GONE)
    flag = bool(row["mismatched_amounts"])
    outcome = Outcome.UNKNOWN if flag else Outcome.FLAG_CLEARED
    return intent.answered(outcome, told_by="reading", words=words, mismatched_amounts=flag)


def _against(planned: Planned, row: Row | None, class_: Refreshable) -> str | None:
    """Return what has changed since the payment was planned; null where nothing has."""
    if row is None or class_ is not Refreshable.REFRESH:
        return f"changed since the plan: {LABEL_OF_REFRESHABLE[class_].lower()}"
    changed = [name for name in ("order_id", "updated_at") if row[name] != getattr(planned, name)]
    return f"changed since the plan: its {changed[0]}" if changed else None
