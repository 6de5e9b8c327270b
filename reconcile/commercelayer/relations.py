"""
What is read with each payment: which relations are included, which fields of each type, and what a server refuses.

Every type that may turn up is asked for sparsely: sources of other providers by their ids alone, for a source whole is
credentials (`stripe_payments.client_secret`). `client_token` and `auth_token` stand in no fieldset. Builds parameters;
sends nothing.

Sources: https://docs.commercelayer.io/core/including-associations, .../core/sparse-fieldsets
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType

from reconcile.errors import Refused

SUM_OF: Mapping[str, str] = MappingProxyType(
    {
        "authorizations": "authorized_amount_cents",
        "captures": "captured_amount_cents",
        "refunds": "refunded_amount_cents",
        "voids": "voided_amount_cents",
    }
)
"""The types of transactions, sorted, and the column of PAYMENTS that adds up each."""

PAYMENT_FIELDS = (
    "reference",
    "reference_origin",
    "mismatched_amounts",
    "created_at",
    "updated_at",
    "session_id",
    "payment_methods",
)
PERSONAL_FIELDS = ("payment_instrument", "metadata")
ORDER_FIELDS = (
    "number",
    "reference",
    "status",
    "payment_status",
    "currency_code",
    "total_amount_cents",
    "total_amount_with_taxes_cents",
    "place_total_amount_cents",
    "placed_at",
    "updated_at",
)
TRANSACTION_FIELDS = (
    "number",
    "amount_cents",
    "currency_code",
    "succeeded",
    "gateway_transaction_id",
    "token",  # becomes its SHA-256 as soon as it is read
    "created_at",
)
_OTHER_SOURCES = (
    "adyen_payments",
    "axerve_payments",
    "braintree_payments",
    "checkout_com_payments",
    "external_payments",
    "paypal_payments",
    "satispay_payments",
    "stripe_payments",
    "wire_transfers",
)
PAYMENT_SOURCES = ("klarna_payments", *_OTHER_SOURCES)
"""What an order can be paid with."""
# The API reports the concrete type or the general one.
_GATEWAYS = ("payment_gateways", "klarna_gateways")

_SOURCE = "payment_source"
_OF_PAYMENT = "payment_gateway"
_OF_ORDER = (_SOURCE, *(path for type_ in SUM_OF for path in (type_, f"{type_}.{_SOURCE}")), "market")
_PATHS = frozenset({_OF_PAYMENT, *(f"order.{path}" for path in _OF_ORDER)})
_WORDS = re.compile(r"[a-z_]+(?:\.[a-z_]+)*")


@dataclass(frozen=True, slots=True)
class Wanted:
    """
    What is to be read with each payment beside its own fields and its order.

    `money`: the order's transactions, current source and market, and the gateway. `personal`: what may hold names and
    card digits. `refused` are paths, as `include` has them, that the server does not include.
    """

    money: bool = True
    personal: bool = False
    refused: frozenset[str] = frozenset()

    @property
    def of_order(self) -> tuple[str, ...]:
        """The relations of an order that are asked for, as paths from it."""
        return tuple(path for path in _OF_ORDER if self.money and f"order.{path}" not in self.refused)

    @property
    def includes(self) -> tuple[str, ...]:
        """All relations that are asked for, as paths from a payment."""
        own = (_OF_PAYMENT,) if self.money and _OF_PAYMENT not in self.refused else ()
        return ("order", *(f"order.{path}" for path in self.of_order), *own)

    @property
    def own_fields(self) -> tuple[str, ...]:
        """The attributes of a payment that are asked for."""
        return (*PAYMENT_FIELDS, *(PERSONAL_FIELDS if self.personal else ()))

    @property
    def order_fields(self) -> tuple[str, ...]:
        """The attributes of its order that are asked for."""
        return (*ORDER_FIELDS, *(("cancelled_at",) if self.money else ()))

    def fields_of(self, path: str) -> tuple[str, ...]:
        """Return the attributes that are asked for of what lies behind `path`, one of `includes`, beside its id."""
        if path == "order":
            return self.order_fields
        end = path.rpartition(".")[2]
        return TRANSACTION_FIELDS if end in SUM_OF else () if end == _SOURCE else ("name",)

    def with_payments(self) -> dict[str, str]:
        """Return the parameters that say what comes with a list of payments."""
        includes = self.includes
        # A relationship that is left out of the fieldset has no link to what is included.
        own = (*self.own_fields, *(path for path in includes if "." not in path))
        return {"include": ",".join(includes), "fields[klarna_payments]": ",".join(own), **self._other_fields()}

    def without(self, paths: Iterable[str]) -> Wanted:
        """Return the same without those of `paths` that there are, and what lies behind them."""
        gone = tuple(paths)
        behind = {path for path in _PATHS if path in gone or path.startswith(tuple(f"{one}." for one in gone))}
        return replace(self, refused=self.refused | behind)

    def named_by(self, refusal: Refused) -> frozenset[str]:
        """
        Return which of the relations `refusal` names.

        Where it names none they are all nested ones; where none is left, the gateway. Empty when nothing can be left
        out: it is about something else.
        """
        if refusal.status != 400 or refusal.code != "INVALID_INCLUDE":
            return frozenset()
        asked = self.includes[1:]
        named = _named(asked, set(_WORDS.findall(refusal.message)))
        return frozenset(named or [path for path in asked if "." in path] or asked)

    def _other_fields(self) -> dict[str, str]:
        of_order = self.of_order
        linked = [path for path in of_order if "." not in path]
        fields = {"orders": [*self.order_fields, *linked]}
        for type_ in SUM_OF:
            if type_ in of_order:
                source = [_SOURCE] if f"{type_}.{_SOURCE}" in of_order else []
                fields[type_] = [*TRANSACTION_FIELDS, *source]
        if any(path.endswith(_SOURCE) for path in of_order):
            fields |= {type_: ["id"] for type_ in _OTHER_SOURCES}
        if "market" in of_order:
            fields["markets"] = ["name"]
        if _OF_PAYMENT in self.includes:
            fields |= {type_: ["name"] for type_ in _GATEWAYS}
        return {f"fields[{type_}]": ",".join(names) for type_, names in fields.items()}


def columns_without(refused: Iterable[str]) -> tuple[str, ...]:
    """Return the columns that are empty where the paths `refused` are not included, in words."""
    columns: list[str] = []
    for path in sorted(refused):
        columns += _columns_of(path)
    return tuple(dict.fromkeys(columns))


def _columns_of(path: str) -> Sequence[str]:
    if path == _OF_PAYMENT:
        return ("payment_gateway_id", "payment_gateway_name")
    name, _, behind = path.removeprefix("order.").partition(".")
    if name == "market":
        return ("market_id", "market_name")
    if name == _SOURCE:
        return ("order_source_type", "is_current_source")
    return (f"payment_id of {name}",) if behind else (SUM_OF[name],)


def _named(asked: Sequence[str], words: set[str]) -> list[str]:
    """
    Return those of the paths `asked` that a server's `words` name: whole, or as a relationship of a resource.

    The engine says "captures is not a valid includable relationship of orders".
    """
    if whole := [path for path in asked if path in words]:
        return whole
    by_end = [path for path in asked if path.rpartition(".")[2] in words]
    return [path for path in by_end if _type_before(path) in words] or by_end


def _type_before(path: str) -> str:
    """Return the type of the resource whose relationship `path` ends with."""
    before = path.rpartition(".")[0]
    return {"": "klarna_payments", "order": "orders"}.get(before, before.rpartition(".")[2])
