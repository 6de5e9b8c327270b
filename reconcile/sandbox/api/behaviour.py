"""
How a sandbox behaves: its limits, its faults, who may use it, and what it refuses as some deployments do.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection
from dataclasses import dataclass, field, replace

from reconcile.sandbox.api.faults import Faults
from reconcile.sandbox.api.includes import IncludeRules
from reconcile.sandbox.api.limits import DOCUMENTED, Limits
from reconcile.sandbox.api.tokens import (
    CLIENT_ID,
    CLIENT_SECRET,
    SALES_CHANNEL_ID,
    SALES_CHANNEL_SECRET,
    Client,
    TokenDesk,
)
from reconcile.sandbox.exports.exports import ExportRules
from reconcile.sandbox.world.world import World

Clock = Callable[[], float]


@dataclass(frozen=True, slots=True)
class Behaviour:
    """
    `limits` are given for live mode and halved in test mode; None switches them off, headers too.

    With `event_stores` False there are `versions` instead. What happened to rows of the types `forbidden_trails` may
    not be read. No filter, of a list or an export, may cross a relationship of `uncrossed`, and no include may ask for
    what `includes` refuses. `canary` is put into every credential. `clock` is monotonic, `wall_clock` gives seconds
    since 1970.
    """

    limits: Limits | None = DOCUMENTED
    faults: Faults = field(default_factory=Faults)
    exports: ExportRules = field(default_factory=ExportRules)
    client_id: str = CLIENT_ID
    client_secret: str = CLIENT_SECRET
    token_lifetime_seconds: int = 7200
    event_stores: bool = True
    forbidden_trails: Collection[str] = ()
    uncrossed: Collection[str] = ()
    includes: IncludeRules = field(default_factory=IncludeRules)
    canary: str | None = None
    clock: Clock = time.monotonic
    wall_clock: Clock = time.time

    @property
    def export_rules(self) -> ExportRules:
        """The rules of exports, with a time scale (their own, or that of the limits) and the filters refused there."""
        rules = self.exports
        if rules.time_scale is None:
            rules = replace(rules, time_scale=1.0 if self.limits is None else self.limits.time_scale)
        return replace(rules, uncrossed=(*rules.uncrossed, *self.uncrossed))

    def desk(self, world: World) -> TokenDesk:
        """Return where the clients of `world` get their tokens; a token may die before it says so, as a fault."""
        clients = (
            Client(self.client_id, self.client_secret, "integration"),
            Client(SALES_CHANNEL_ID, SALES_CHANNEL_SECRET, "sales_channel"),
        )
        return TokenDesk(
            world,
            clients,
            lifetime_seconds=self.token_lifetime_seconds,
            dies_after_seconds=next((float(one.value) for one in self.faults.rules if one.kind == "short-token"), None),
            clock=self.clock,
            wall_clock=self.wall_clock,
        )
