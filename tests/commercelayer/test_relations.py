"""What is read with each payment, and what a server's refusal is about."""

from __future__ import annotations

import pytest

from reconcile.commercelayer.relations import PAYMENT_SOURCES, SUM_OF, Wanted, columns_without
from reconcile.errors import Refused

ALL = Wanted()
SOURCE_OF_CAPTURES = "order.captures.payment_source"


def refusal(words: str, *, code: str | None = "INVALID_INCLUDE", status: int = 400) -> Refused:
    message = f"GET klarna_payments: status {status} {code} (Invalid include: {words})"
    return Refused(message, status=status, code=code)


def test_no_path_has_more_than_three_levels_and_each_type_is_asked_for_sparsely() -> None:
    params = ALL.with_payments()
    paths = params["include"].split(",")

    assert max(path.count(".") for path in paths) == 2
    assert {"order.payment_source", *(f"order.{type_}.payment_source" for type_ in SUM_OF)} < set(paths)
    for source in set(PAYMENT_SOURCES) - {"klarna_payments"}:
        assert params[f"fields[{source}]"] == "id", source
    assert len(PAYMENT_SOURCES) == 10
    assert (params["fields[markets]"], params["fields[payment_gateways]"]) == ("name", "name")
    assert params["fields[klarna_gateways]"] == "name"


@pytest.mark.parametrize("wanted", [ALL, Wanted(personal=True), Wanted(money=False), ALL.without(["order.voids"])])
def test_what_is_included_is_linked_and_no_credential_is_named(wanted: Wanted) -> None:
    params = wanted.with_payments()
    linked = {"": params["fields[klarna_payments]"], "order": params["fields[orders]"]}
    linked |= {f"order.{type_}": params.get(f"fields[{type_}]", "") for type_ in SUM_OF}

    for path in params["include"].split(","):
        before, _, name = path.rpartition(".")
        assert name in linked[before].split(","), path
    names = ",".join(value for name, value in params.items() if name.startswith("fields")).split(",")
    assert {"client_token", "auth_token", "client_secret"}.isdisjoint(names)
    assert ("payment_instrument" in names, "metadata" in names) == (wanted.personal, wanted.personal)


@pytest.mark.parametrize(
    ("words", "named"),
    [
        ("order.captures is not a valid relationship of klarna_payments", {"order.captures"}),
        (f"{SOURCE_OF_CAPTURES} is not a valid relationship of klarna_payments", {SOURCE_OF_CAPTURES}),
        ("captures is not a valid includable relationship of orders", {"order.captures"}),
        ("payment_source is not a valid relationship of captures", {SOURCE_OF_CAPTURES}),
        ("payment_source is not a valid relationship of orders", {"order.payment_source"}),
        ("market is no good", {"order.market"}),
        ("payment_gateway is not a valid relationship of klarna_payments", {"payment_gateway"}),
        ("no", set(ALL.includes) - {"order", "payment_gateway"}),
    ],
)
def test_a_refusal_names_something_or_is_about_all_that_is_nested(words: str, named: set[str]) -> None:
    assert ALL.named_by(refusal(words)) == named


def test_what_lies_behind_something_goes_with_it() -> None:
    assert ALL.without(["order.captures"]).refused == {"order.captures", SOURCE_OF_CAPTURES}
    assert ALL.without([SOURCE_OF_CAPTURES]).refused == {SOURCE_OF_CAPTURES}


def test_what_is_left_out_shrinks_until_nothing_is_left() -> None:
    without_nested = ALL.without(ALL.named_by(refusal("no")))
    assert without_nested.includes == ("order", "payment_gateway")

    alone = without_nested.without(without_nested.named_by(refusal("no")))
    assert alone.includes == ("order",)
    assert alone.named_by(refusal("no")) == frozenset()


def test_other_refusals_are_about_something_else() -> None:
    assert ALL.named_by(refusal("order.captures", code="FILTER_NOT_ALLOWED")) == frozenset()
    assert ALL.named_by(refusal("order.captures", status=404)) == frozenset()
    assert Wanted(money=False).named_by(refusal("order.captures")) == frozenset()


def test_each_path_leaves_columns_empty_that_are_named() -> None:
    assert columns_without(["order.captures", SOURCE_OF_CAPTURES]) == (
        "captured_amount_cents",
        "payment_id of captures",
    )
    assert all(columns_without([path]) for path in ALL.includes[1:])
    assert ALL.without(["order.\x1b[2J", "order.market"]).refused == {"order.market"}
