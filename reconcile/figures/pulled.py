"""
A pull as `summary.json` has it: what it cost to read the payments, and what proves that they are all there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

import msgspec
from msgspec import Meta, Struct

from reconcile.notices import Notice
from reconcile.schema import Count, means

if TYPE_CHECKING:
    from reconcile.payments.report import PullReport

_Moment = Annotated[str, Meta(extra_json_schema={"format": "date-time"})]
Mode = Literal["live", "test"]


class Pull(Struct, frozen=True):
    """What the payments cost to read, and what proves that they are all there."""

    payments: Annotated[Count, means("payments pulled")]
    requests: Annotated[Count, means("requests sent, those of interrupted attempts included")]
    bytes_received: Annotated[Count, means("bytes of their answers")]
    retries: Annotated[Count, means("requests that were repeated")]
    rate_limited: Annotated[Count, means("answers that refused because of the rate limit")]
    shards: Annotated[Count, means("parts of the window that were walked")]
    rewalks: Annotated[Count, means("parts that were walked again because their counts disagreed")]
    count_before: Annotated[Count, means("the server's count before the pull")]
    count_after: Annotated[Count, means("the server's count after it")]
    since: Annotated[
        _Moment | None, means("days before this were not asked for (placed, else created); null: no limit")
    ]
    until: Annotated[_Moment, means("the cut-off: payments created before it were seen")]
    started_at: Annotated[_Moment, means("when the pull began")]
    finished_at: Annotated[_Moment, means("when it ended")]
    organization: Annotated[str, means("slug of the organization")]
    mode: Annotated[Mode, means("the mode of every payment")]
    resumed: Annotated[bool, means("it resumed an interrupted attempt, and read what changed since")]
    clock_offset_seconds: Annotated[
        float | None, means("the server's clock minus this machine's; null when not reported")
    ]
    transport: Annotated[Literal["pages", "exports", "exports, then pages"], means("how the payments were read")] = (
        "pages"
    )
    transport_reason: Annotated[str, means("why that way")] = ""
    incremental: Annotated[
        bool, means("what changed was read over the rows of an earlier pull; count_before then counts that")
    ] = False
    updated: Annotated[Count, means("payments read because they changed, with the overlap")] = 0
    rechecked: Annotated[Count, means("payments read by id, as flagged or as breaks")] = 0
    vanished: Annotated[Count, means("payments of the mirror that are gone")] = 0
    refused: Annotated[tuple[str, ...], means("relations that the server did not include, as paths")] = ()
    warnings: Annotated[tuple[Notice, ...], means("what the figures do not say")] = ()


def pull_of(report: PullReport) -> Pull:
    """Return the report of a pull as `summary.json` has it."""
    return msgspec.convert(report.as_dict(), Pull)
