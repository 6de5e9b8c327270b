"""
Exports: what to ask for, what an answer says, and what a refusal means.

Knows the documents of the `exports` endpoint. Builds and reads plain values; sends nothing and keeps no time.
An export's `attachment_url` is pre-signed, and so a credential: no repr shows it.

Sources: https://docs.commercelayer.io/core/exporting-resources, .../core-api-reference/exports/object,
commercelayer/commercelayer-sdk-utils `src/jobs.ts` (limits, and how they are reported)
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

import msgspec

from reconcile.commercelayer.believable import is_id
from reconcile.commercelayer.document import Document, http_date
from reconcile.commercelayer.query import PAGE_SIZE, Params, Window
from reconcile.commercelayer.relations import ORDER_FIELDS, Wanted
from reconcile.errors import AuthError, CommerceLayerError, Refused

EXPORTS_PATH = "exports"
ORIGIN = "reconcile"

MOST_AT_ONCE = 10
"""Exports an organization may have pending or in progress, those of others included."""

MOST_RECORDS = 10_000
"""Records of one export as documented. Deployments allow fewer, and say how many when they refuse."""

# A server that claims to allow more is not taken at its word: the rows of one export are held in memory.
_MOST_ALLOWED = 100_000
_SHORTEST_PAUSE = 1.0
_LONGEST_PAUSE = 8.0
_TRUSTED_ROUNDS = 3
_UNDER_WAY = ("pending", "in_progress")
_SHOWN = (
    "status",
    "reference",
    "records_count",
    "processed_count",
    "progress",
    "estimated_completion_at",
    "attachment_url",
)


class BrokenExport(Exception):
    """An export came to nothing, or its file is not what it promised. `final`: another one will fare no better."""

    def __init__(self, what: str, *, final: bool = False) -> None:
        super().__init__(what)
        self.what = what
        self.final = final


class _Meta(msgspec.Struct, frozen=True):
    mode: str | None = None


class _Attributes(msgspec.Struct, frozen=True):
    status: str | None = None
    reference: str | None = None
    records_count: int | None = None
    processed_count: int | None = None
    progress: int | float | None = None
    estimated_completion_at: str | None = None
    attachment_url: str | None = None


class _Resource(msgspec.Struct, frozen=True):
    id: str
    attributes: _Attributes = _Attributes()
    meta: _Meta = _Meta()


class _Answer(msgspec.Struct, frozen=True):
    data: list[_Resource] | _Resource


_answers = msgspec.json.Decoder(_Answer)


class Export(msgspec.Struct, frozen=True, repr_omit_defaults=True):
    """One export as an answer shows it. `records_count` is null for some moments after it was created."""

    id: str
    status: str
    mode: str | None = None
    reference: str | None = None
    records_count: int | None = None
    processed_count: int | None = None
    progress: float | None = None
    estimated_completion_at: str | None = None
    attachment_url: str | None = None

    def __repr__(self) -> str:
        return f"Export({self.id}, {self.status})"

    @property
    def is_under_way(self) -> bool:
        """It is pending or in progress."""
        return self.status in _UNDER_WAY

    def stands_as(self, other: Export) -> bool:
        """Return whether nothing has moved since it was seen as `other`."""
        now, then = ((one.status, one.processed_count, one.progress) for one in (self, other))
        return now == then


@dataclass(frozen=True, slots=True)
class ExportVerdict:
    """
    What the refusal of an export means.

    `too_many`: more records than `allowed`. `empty`: no record. `perhaps_busy`: too many exports at once, or
    something else that only a look at those in progress can show. `unreadable`: it was refused, and the reason got
    lost. `not_exportable`: not here, whatever is asked.
    `allowed` is 0 where it was not reported.
    """

    kind: Literal["too_many", "empty", "perhaps_busy", "unreadable", "not_exportable"]
    allowed: int = 0


def payments_export(
    window: Window, wanted: Wanted, *, with_types: bool, narrowed: bool, reference: str
) -> dict[str, object]:
    """
    Return the document that exports the payments of `window`, with their orders and what else is `wanted`.

    `with_types`: payment sources are asked of which type they are, which not every server exports.

    `narrowed`: the token has a scope. Lists keep to it by themselves, exports only when asked.
    """
    related = [f"{path}.{field}" for path in wanted.includes for field in ("id", *wanted.fields_of(path))]
    related += [f"{path}.type" for path in wanted.includes if with_types and path.endswith("payment_source")]
    return _creation("klarna_payments", ["id", *wanted.own_fields, *related], window.filters, narrowed, reference)


def order_totals_export(filters: Mapping[str, str], *, narrowed: bool, reference: str) -> dict[str, object]:
    """Return the document that exports the orders that pass `filters`, with what is needed of them to match them."""
    return _creation("orders", ["id", *ORDER_FIELDS], filters, narrowed, reference)


def _creation(
    resource_type: str, fields: Sequence[str], filters: Mapping[str, str], narrowed: bool, reference: str
) -> dict[str, object]:
    attributes: dict[str, object] = {
        "resource_type": resource_type,
        "format": "json",
        "fields": list(fields),
        "filters": dict(filters),
        "reference": reference,
        "reference_origin": ORIGIN,
    }
    if narrowed:  # left out otherwise: deployments before April 2026 do not know it
        attributes["jwt_filters"] = True
    return {"data": {"type": "exports", "attributes": attributes}}


def trigger(export_id: str, name: Literal["_start", "_interrupt"]) -> dict[str, object]:
    """Return the document that starts an interrupted export again, or interrupts one."""
    return {"data": {"type": "exports", "id": export_id, "attributes": {name: True}}}


def poll_params(export_ids: Sequence[str]) -> Params:
    """Return the parameters of the one list that shows all of `export_ids`, at most PAGE_SIZE of them."""
    assert 0 < len(export_ids) <= PAGE_SIZE, "one page is asked for"
    return {**_newest(PAGE_SIZE), "filter[q][id_in]": ",".join(export_ids)}


def reference_params(start: str) -> Params:
    """Return the parameters that list the newest exports whose reference begins with `start`."""
    return {**_newest(PAGE_SIZE), "filter[q][reference_start]": start}


def newest_params() -> Params:
    """Return the parameters that list the newest exports, whoever created them."""
    return _newest(PAGE_SIZE)


def under_way_params() -> Params:
    """Return the parameters that count the exports in progress, whoever created them."""
    return {**_newest(1), "filter[q][status_in]": ",".join(_UNDER_WAY)}


def shown_params() -> Params:
    """Return the parameters of a single export."""
    return {"fields[exports]": ",".join(_SHOWN)}


def _newest(size: int) -> dict[str, str]:
    return {**shown_params(), "page[number]": "1", "page[size]": str(size), "sort": "-created_at"}


def exports_in(document: Document) -> list[Export]:
    """Return the exports in `document`, a list or a single one. Raises BrokenExport for another shape."""
    try:
        listed = _answers.decode(document.body).data
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise BrokenExport("the answer does not have the documented shape", final=True) from error
    resources = listed if isinstance(listed, list) else [listed]
    if not all(is_id(one.id) for one in resources):
        raise BrokenExport("an export has no usable id", final=True)
    return [
        Export(
            id=one.id,
            status=one.attributes.status or "unknown",
            mode=one.meta.mode,
            reference=one.attributes.reference,
            records_count=one.attributes.records_count,
            processed_count=one.attributes.processed_count,
            progress=one.attributes.progress,
            estimated_completion_at=one.attributes.estimated_completion_at,
            attachment_url=one.attributes.attachment_url,
        )
        for one in resources
    ]


def verdict_on(error: CommerceLayerError) -> ExportVerdict:
    """Return what the refusal of a creation means."""
    if isinstance(error, AuthError) or not isinstance(error, Refused) or error.status != 422:
        return ExportVerdict("not_exportable")
    # Too many exports at once may be reported in the same words: nobody has ten records at most in mind.
    if error.reason == "less_than_or_equal_to" and error.allowed is not None and error.allowed > MOST_AT_ONCE:
        return ExportVerdict("too_many", min(error.allowed, _MOST_ALLOWED))
    if error.code is None:
        return ExportVerdict("unreadable")
    if error.reason == "greater_than":
        return ExportVerdict("empty")
    return ExportVerdict("not_exportable" if error.reason == "inclusion" else "perhaps_busy", error.allowed or 0)


def pause_seconds(exports: Sequence[Export], date: str | None, quiet_rounds: int) -> float:
    """
    Return how long to wait before `exports` are asked after again.

    Until the first of them should be done, as the server estimates (`date` is its clock), within 1 to 8 seconds.
    Without an estimate, or when estimates come to nothing, a little longer with each of `quiet_rounds` in which none
    was done.
    """
    now = http_date(date)
    estimates = [at for export in exports if (at := _instant(export.estimated_completion_at)) is not None]
    if now is not None and estimates:
        wanted = (min(estimates) - now).total_seconds()
        quiet_rounds -= _TRUSTED_ROUNDS
    else:
        wanted = 0.0
    return min(_LONGEST_PAUSE, max(wanted, _SHORTEST_PAUSE * 1.5 ** min(max(quiet_rounds, 0), 10)))


def _instant(text: str | None) -> datetime | None:
    try:
        moment = datetime.fromisoformat(text) if text else None
    except ValueError:
        return None
    return moment.replace(tzinfo=UTC) if moment is not None and moment.tzinfo is None else moment
