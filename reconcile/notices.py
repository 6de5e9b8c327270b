"""
What a reader must know besides figures, each with a code: which codes there are, and what they mean.

A note tells what was set aside as asked, and never makes a verdict worse; a warning tells what should not be so, and
can be made a limit (`--fail-on warning:CODE`). Does not find anything to tell.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Annotated, Literal

from msgspec import Meta, Struct

NOTES: Mapping[str, str] = MappingProxyType(
    {
        "other_methods": "unpaired order rows of other payment methods than Klarna's (`--methods`) are set aside",
        "out_of_period": "unpaired rows of days that the order side does not cover (`--covers`) are set aside",
        "not_listed": "payments that a list of questions (`--listed-only`) leaves out are set aside",
        "left_out": "order rows were left out as declared (`[orders] only`, `skip_rows`, `withdrawn`)",
        "tidied_keys": "keys of order rows were read as they are meant: without a guard, blank where NULL stands",
        "history_left_out": "the audit trail of breaks was not read: `[pull] history_requests` are spent",
    }
)
"""Codes of notes, each with its meaning."""

WARNINGS: Mapping[str, str] = MappingProxyType(
    {
        "empty_side": "a side has no rows",
        "rejected_rows": "order rows could not be read: the payments of theirs are `missing_order`",
        "copied_files": "two order files are the same byte for byte: their rows count twice",
        "overlapping_files": "half the rows of an order file or more are in another one, too, with `--delivery full`",
        "day_files": "the names of order files have the date in them, with `--delivery full`",
        "stale_orders": "every order file is the same byte for byte as one of the run before",
        "short_orders": "far fewer order rows than in the runs before, with `--delivery full`",
        "late_delivery": "a delivery of an earlier date came after later ones",
        "replaced_unlike": "a later delivery replaced rows by fewer rows, or by another order number",
        "order_amounts_are_ours": "order totals are Commerce Layer's own: it is compared with itself",
        "all_methods_exported": "orders of all payment methods were exported: the server does not filter by method",
        "unknown_methods": "no order row names a payment method that fits `methods`",
        "order_lines": "order rows are added up, and may be lines that repeat the whole total",
        "unordered_query": "the query for order totals has no ORDER BY",
        "other_unit": "of a good part of the pairs, the total is exactly 100 times the payment, or a hundredth",
        "unread_sheets": "a spreadsheet has further sheets with order totals, which were not read",
        "invisible_keys": "keys of order rows have characters that nobody sees",
        "no_shared_keys": "no key of one side is found on the other",
        "merged_keys": "by `[match.clean]`, keys of several spellings became one",
        "key_hint": "hardly a key is on both sides; another column or rule would make them meet",
        "two_references": "payments whose own reference and whose order's lead to different order rows",
        "narrowed_pull": "only payments of a period were pulled",
        "full_pull": "everything was pulled, although an incremental pull was requested",
        "pulled_anew": "an interrupted pull could not be brought up to date: everything was pulled from scratch",
        "read_by_pages": "payments were read by pages, although exports were requested",
        "vanished": "payments have vanished since the previous pull",
        "unnamed_vanished": "the server counts fewer payments, and an incremental pull cannot tell which have vanished",
        "refused_includes": "the server refused to include something: the columns from there are empty",
        "unknown_statuses": "orders have statuses that this version does not know",
        "history_unread": "the audit trail of breaks could not be read",
        "missed_dates": "days of `[run] days` between the run before and this one have no run",
        "rules_changed": "`[match]` or `[population]` are not as in the run before",
        "replaced_run": "another run of this date was published before, and is replaced",
        "run_meanwhile": "the run of an earlier date was published while this one was made",
        "later_runs": "runs of later dates were made without this one",
        "unreadable_run": "an earlier run cannot be read; nothing of it was needed",
        "over_limit": "a limit of `--warn-on` is exceeded",
        "other": "a warning of a version that had no codes",
    }
)
"""Codes of warnings, each with its meaning."""

CODES = (*NOTES, *WARNINGS)

Level = Literal["note", "warning"]
Figure = int | str | tuple[str, ...] | dict[str, int]


class Notice(Struct, frozen=True):
    """A note or a warning."""

    code: Annotated[str, Meta(description="which it is", extra_json_schema={"enum": list(CODES)})]
    level: Annotated[Level, Meta(description="note: what was set aside as asked; warning: what should not be so")]
    text: Annotated[str, Meta(description="the same in words")]
    figures: Annotated[
        dict[str, Figure],
        Meta(description="its figures by name; those that end in amount_cents are minor units by currency code"),
    ] = {}

    @property
    def line(self) -> str:
        """The notice as a line of text."""
        return f"{self.level}: {self.text}"


def notice(code: str, text: str, **figures: Figure) -> Notice:
    """Return the note or warning `code`, one of CODES."""
    assert code in CODES, code
    return Notice(code, "note" if code in NOTES else "warning", text, figures)


def notices_of(given: Iterable[Notice | str]) -> tuple[Notice, ...]:
    """Return notices, some of which may be texts of a version that had no codes."""
    return tuple(notice("other", one) if isinstance(one, str) else one for one in given)
