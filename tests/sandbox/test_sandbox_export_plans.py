"""Whatever is asked of an export is made as asked or refused; nothing breaks it."""

from __future__ import annotations

import gzip
import json
from typing import Any

import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st

from reconcile.sandbox.api.refusals import Refusal
from reconcile.sandbox.api.selection import Selections
from reconcile.sandbox.exports.files import export_file
from reconcile.sandbox.exports.plans import CREATABLE, read_plan
from reconcile.sandbox.world.world import World

WORLD = World.generate(12)
SELECTIONS = Selections(WORLD)
TYPES = ("klarna_payments", "orders", "payment_methods", "payment_gateways")

OWN = ["id", "reference", "created_at", "metadata", "*"]
OF_ORDER = [*OWN, "number", "market_id", "market.name", "payment_source.order.id", "captures.*"]
PATHS = [
    *OWN,
    *("order_id", "payment_gateway_id", "client_token", "mismatched_amounts"),
    *(
        f"order.{name}"
        for name in (*OWN, "number", "market_id", "market.name", "payment_source.order.id", "captures.*")
    ),
    *("payment_gateway.name", "payment_gateway.payment_methods.*", "payment_gateway.payment_methods.name"),
]
BROKEN = ["", ".", "order", "order.", "order..id", "auth_token", "order.expires_at", "event_stores.*", "*.id"]

names = st.sampled_from([*PATHS, *BROKEN]) | st.text(max_size=4)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 10**20) | st.floats(allow_nan=False, allow_infinity=False) | names,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=3),
    max_leaves=5,
)


def written(attributes: dict[str, Any]) -> Any:
    plan = read_plan(attributes, TYPES, includes=True)
    text = gzip.decompress(export_file(WORLD, SELECTIONS, plan)).decode()
    return text if plan.csv else json.loads(text)


@settings(deadline=None)
@given(st.dictionaries(st.sampled_from(CREATABLE), json_values, max_size=4), st.sampled_from(TYPES))
def test_a_request_is_a_plan_or_a_refusal(attributes, resource_type) -> None:
    try:
        written({"resource_type": resource_type, **attributes})
    except Refusal as refusal:
        event(f"refused: {refusal.pointer}")
        assert refusal.status == 422


@settings(deadline=None)
@given(st.lists(st.sampled_from(PATHS), min_size=1, max_size=5))
def test_the_rows_have_what_was_named_and_nothing_else(fields) -> None:
    rows = written({"resource_type": "klarna_payments", "fields": fields})
    lines = written({"resource_type": "klarna_payments", "fields": fields, "format": "csv"})

    assert len(rows) == 12
    for path in fields:
        shown: Any = rows[0]
        for name in path.split("."):
            shown = shown[0] if isinstance(shown, list) and shown else shown
            assert name == "*" or shown in (None, []) or name in shown
            shown = shown if name == "*" or shown in (None, []) else shown[name]
    if not any(path == "*" for path in fields):
        assert rows[0].keys() == {path.partition(".")[0] for path in fields}
    parents = [max(len((row.get("order") or {}).get("captures", ())), 1) for row in rows]
    assert lines.count("\n") == 1 + sum(parents)


@pytest.mark.parametrize("path", BROKEN)
def test_a_path_that_names_nothing_exportable_is_refused(path) -> None:
    with pytest.raises(Refusal) as caught:
        written({"resource_type": "klarna_payments", "fields": [path]})

    assert (caught.value.status, caught.value.pointer) == (422, "/data/attributes/fields")
