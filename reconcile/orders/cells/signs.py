"""
The sign of an amount where another column has it: debit or credit, Soll or Haben.

Knows the marks, seen from the customer's account: what is owed is positive, what is credited or paid back is negative.
Does not read amounts.
"""

from __future__ import annotations

import pyarrow as pa

from reconcile.files.arrow import Column
from reconcile.files.arrow import compute as pc

# DATEV and SAP write S (Soll, debit) and H (Haben, credit): https://www.sapdatasheet.org/abap/dtel/shkzg.html
_MARKS = {
    **dict.fromkeys(("s", "soll", "d", "dr", "debit", "debet", "debe", "dare", "+"), False),
    **dict.fromkeys(("h", "haben", "c", "cr", "credit", "kredit", "haber", "avere", "-"), True),
}


def with_signs(amounts: Column, marks: Column | None) -> tuple[Column, dict[int, str]]:
    """
    Return `amounts` (int64) with those of credits negative, and the reason per row whose mark says nothing.

    Without `marks` they are returned as they are. An amount that is negative by itself is refused beside a mark: it
    could be meant either way.
    """
    if marks is None:
        return amounts, {}
    written = pc.fill_null(marks, "").dictionary_encode()
    meant = [_MARKS.get(text.strip().casefold()) for text in written.dictionary.to_pylist()]
    credits = pc.take(pa.array(meant, pa.bool_()), written.indices)
    reasons = dict.fromkeys(pc.indices_nonzero(pc.is_null(credits)).to_pylist(), "does not say debit or credit")
    doubtful = pc.indices_nonzero(pc.fill_null(pc.less(amounts, 0), False)).to_pylist()
    reasons |= dict.fromkeys(doubtful, "has a sign of its own beside it")
    signed: Column = pc.if_else(pc.fill_null(credits, False), pc.negate(amounts), amounts)
    return signed, reasons
