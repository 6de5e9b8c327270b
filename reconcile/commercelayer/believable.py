"""
What an answer must say to be believed: ids that can be ids, and counts that can be counts.

Knows which strings may stand in an address or a list of ids, and how many records are too many for any organization.
Does not know what records they are.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from reconcile.commercelayer.document import Document
from reconcile.errors import IncompletePull

# Ids are opaque: https://docs.commercelayer.io/core/api-specification . What would end a path, a parameter or a list of
# ids is none; U+FFFD stands where bytes could not be read.
_ID = re.compile(r"[^\s,/\\?#%&�]{1,255}")

MOST_COUNTED = 1_000_000_000
"""A list that claims to hold more is not walked."""


def is_id(text: str) -> bool:
    """Return whether `text` can be an id."""
    return _ID.fullmatch(text) is not None and text.isprintable() and text not in (".", "..")


def check_ids(ids: Sequence[str], resource: str) -> None:
    """Raise IncompletePull for the first of `ids`, rows of `resource`, that cannot be one."""
    for place, id_ in enumerate(ids, start=1):
        if not is_id(id_):
            raise IncompletePull(
                f"{resource}: row {place} of a page has {id_[:40]!a} for an id",
                hint="nothing is published: without its id a record cannot be identified; "
                "check the API's address, and ask Commerce Layer about it",
            )


def record_count(document: Document, resource: str) -> int:
    """Return the server's own count in `document`, a list of `resource`. Raises IncompletePull when that is none."""
    count = document.record_count
    if count is None:
        raise IncompletePull(
            f"{resource}: the list does not say how many there are (meta.record_count)",
            hint="without the server's count nothing can be proved complete; check the API's address",
        )
    if not 0 <= count <= MOST_COUNTED:
        raise IncompletePull(
            f"{resource}: the list says that there are {count} (meta.record_count)",
            hint="that cannot be right, so nothing can be proved complete; run the same command again later",
        )
    return count
