"""Keywords of calls in Python: those of the settings, and of their types; seen by editors, by Jupyter and by mypy."""

from __future__ import annotations

import inspect
import os
import subprocess
import sys
import typing
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from msgspec import Struct

import reconcile
from reconcile.figures.conditions import Conditions
from reconcile.matching.policy import MatchPolicy
from reconcile.matching.population import Population
from reconcile.operations.chosen_breaks import ConditionKeywords
from reconcile.orders.format import OrderFormat
from reconcile.payments.request import PullRequest
from reconcile.settings.keywords import MatchKeywords, OrderKeywords, PullKeywords
from reconcile.settings.settings import Connection

# What a notebook has no use for, or says in another way.
NOT_OF_CALLS = {
    PullRequest: {
        "mirror", "incremental", "overlap_minutes", "history", "history_requests", "money", "commit_seconds",
        "commit_pages",
    },
    MatchPolicy: {"tolerances", "population"},
    Population: {"delivery"},
}  # fmt: skip
OF = [
    (PullKeywords, (Connection, PullRequest)),
    (OrderKeywords, (OrderFormat,)),
    (MatchKeywords, (MatchPolicy, Population)),
]
WIDER = {tuple[str, ...]: Sequence[str], dict[str, str]: Mapping[str, str]}
WIDER |= {dict[str, tuple[str, ...]]: Mapping[str, Sequence[str]]}
OWN_TYPES = {"clean", "mode", "tolerance_percent", "header_line", "tolerance_cents"}


@pytest.mark.parametrize(("keywords", "structs"), OF, ids=lambda given: getattr(given, "__name__", ""))
def test_keywords_are_the_fields_of_the_settings_and_of_their_types(
    keywords: type, structs: tuple[type[Struct]]
) -> None:
    expected: dict[str, Any] = {}
    for struct in structs:
        for name, type_ in typing.get_type_hints(struct).items():
            if name not in NOT_OF_CALLS.get(struct, ()) and name in struct.__struct_fields__:
                expected[name] = WIDER.get(type_, type_)
    found = typing.get_type_hints(keywords)

    assert set(found) == set(expected)
    for name in found.keys() - OWN_TYPES:
        assert found[name] == expected[name], name


def test_conditions_are_those_of_the_listing() -> None:
    assert set(typing.get_type_hints(ConditionKeywords)) == {*Conditions.__dataclass_fields__}


CALLS: list[tuple[Callable[..., Any], type]] = [
    (reconcile.pull_payments, PullKeywords),
    (reconcile.pull_payments_sync, PullKeywords),
    (reconcile.fetch_payment, PullKeywords),
    (reconcile.fetch_payment_sync, PullKeywords),
    (reconcile.read_orders, OrderKeywords),
    (reconcile.match_payments, MatchKeywords),
    (reconcile.MatchResult.breaks_where, ConditionKeywords),
    (reconcile.Run.breaks_where, ConditionKeywords),
]


@pytest.mark.parametrize(("call", "keywords"), CALLS, ids=lambda given: getattr(given, "__name__", ""))
def test_a_signature_names_every_keyword(call: Callable[..., Any], keywords: type) -> None:
    parameters = inspect.signature(call).parameters

    assert typing.get_type_hints(keywords).keys() <= parameters.keys()
    assert not any(one.kind is inspect.Parameter.VAR_KEYWORD for one in parameters.values())


def test_help_says_what_a_keyword_means_as_the_settings_do() -> None:
    about = "    lag_days: days a payment or an order row may wait for its counterpart before it is a break"

    assert about in inspect.getdoc(reconcile.match_payments).splitlines()


PROGRAM = """
import pandas as pd
import polars as pl
import pyarrow as pa

import reconcile

def right(payments: pl.DataFrame, orders: pd.DataFrame, table: pa.Table) -> None:
    result = reconcile.match_payments(payments, orders, tolerance_cents=2, lag_days=1, clean={"case": "fold"})
    reveal_type(result.items)
    reveal_type(result.breaks_where(min_amount="100EUR", data_age=">3").items)
    reveal_type(reconcile.read_orders("orders.csv", decimal=",", max_rejects=1))
    reveal_type(reconcile.read_orders(table, currency="EUR"))
    reveal_type(reconcile.read_run("runs", "polars").payments)
    reveal_type(reconcile.pull_payments_sync(organization="my-shop", mode="live"))

def wrong(payments: pl.DataFrame) -> None:
    reconcile.match_payments(payments, payments, lag="1")
    reconcile.match_payments(payments, payments, lag_days="1")
    reconcile.match_payments("payments.parquet", payments)
    reconcile.read_orders(5)
    reconcile.pull_payments_sync(organisation="my-shop")
"""


@pytest.mark.slow
def test_mypy_knows_keywords_and_kinds_of_frames(tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(PROGRAM, encoding="utf-8")
    command = [sys.executable, "-m", "mypy", "--strict", "--hide-error-context", str(program)]
    found = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, env=os.environ).stdout
    lines = [line.removeprefix("program.py:") for line in found.splitlines()]
    revealed = [line.split('"')[1].split(".")[-1] for line in lines if "Revealed type" in line]
    errors = [line.split(":")[0] for line in lines if " error: " in line]

    assert revealed == ["DataFrame", "DataFrame", "DataFrame", "Table", "DataFrame", "DataFrame"], found
    first = PROGRAM.splitlines().index("def wrong(payments: pl.DataFrame) -> None:") + 1
    assert [int(line) - first for line in dict.fromkeys(errors)] == [1, 2, 3, 4, 5], found
