"""
Requests for payments, each with what is wanted beside it, and once more without what the server refuses to include.

Knows what was refused so far, for all that ask through the same `Reading`. Does not know who asks, or why.

Source: https://docs.commercelayer.io/core/handling-errors (400, `INVALID_INCLUDE`)
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from reconcile.commercelayer.client import CommerceLayer
from reconcile.commercelayer.document import Document
from reconcile.commercelayer.query import Params
from reconcile.commercelayer.relations import Wanted
from reconcile.errors import Refused


class Reading:
    """Asks `client` for lists with what is `wanted`; that shrinks when the server refuses some of it."""

    def __init__(self, client: CommerceLayer, wanted: Wanted) -> None:
        self.client = client
        self.wanted = wanted

    @property
    def refused(self) -> tuple[str, ...]:
        """What the server has refused to include, sorted."""
        return tuple(sorted(self.wanted.refused))

    def refuse(self, paths: Iterable[str]) -> None:
        """Ask for `paths` no more."""
        # Of several that ask at once each adds what it was refused.
        self.wanted = self.wanted.without(paths)

    async def get(self, path: str, query_of: Callable[[Wanted], Params | str], *, urgency: int = 0) -> Document:
        """Return what `CommerceLayer.get` returns for the query that `query_of` makes of what is wanted."""
        while True:
            asked = self.wanted
            try:
                return await self.client.get(path, query_of(asked), urgency=urgency)
            except Refused as refusal:
                paths = asked.named_by(refusal)
                if not paths:
                    raise
                self.refuse(paths)
