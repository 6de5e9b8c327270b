"""What happened to a payment: shown by a command, and kept of the breaks of a night."""

from __future__ import annotations

import csv
import itertools
import json
import shutil
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner, Result
from nights import OUT, night_of
from places import SAMPLE
from served import Serve, servers

from reconcile.cli.main import main
from reconcile.commercelayer.trail import Event, read_history
from reconcile.operations.break_history import broken_payments
from reconcile.runs.manifest import manifest_of
from reconcile.runs.run_folder import RunFile, RunFolder
from reconcile.sandbox.server import SandboxServer
from reconcile.sandbox.world.world import World
from reconcile.schema import ITEMS, TRAIL, Row

RUN = OUT / "2026-11-20"
WRONG = "NW-2611-100812"  # an order total of 100 times the payment
PAYMENT, ORDER = "bGNZDoNyXB", "pNdIDrtaMV"  # its payment and its order
CANARY = "canary-of-klarna-tokens"
NIGHT = ("run", str(SAMPLE / "orders.csv"), "--date", "2026-11-20", "--no-html", "--no-xlsx")


def said(server: SandboxServer, *words: str, **environ: str) -> Result:
    """Give the command the `words`, and return what it says to them."""
    names = {
        "RECONCILE_CLIENT_ID": server.client_id,
        "RECONCILE_CLIENT_SECRET": server.client_secret,
        "RECONCILE_API_URL": server.api_url,
    }
    return CliRunner().invoke(main, words, env=names | environ, catch_exceptions=False)


def trails_asked(server: SandboxServer) -> list[str]:
    paths = [request.path.removeprefix("/api/") for request in server.requests]
    return [path for path in paths if path.endswith(("/event_stores", "/versions"))]


def summary(folder: Path = RUN) -> Any:
    return json.loads(RunFolder(folder).summary.read_text())


def warnings(folder: Path = RUN) -> dict[str, Any]:
    return {one["code"]: one for one in summary(folder)["warnings"] if one["code"].startswith("history")}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, sandbox: SandboxServer) -> Path:
    """A folder in which a night was run that read the history of its breaks."""
    folder = tmp_path_factory.mktemp("history")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        result = said(sandbox, *NIGHT, "--history", "breaks")
    assert result.exit_code == 0, result.stderr
    return folder


@pytest.fixture
def run(made: Path, workplace: Path) -> Path:
    shutil.copytree(made, workplace, dirs_exist_ok=True)
    return RUN


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Return a function that serves the sample data, with faults and refusals."""
    with servers() as serve:
        yield lambda *faults, **options: serve(World.load(SAMPLE / "commerce_layer"), *faults, **options)


# --- the command ---


def test_a_payment_is_named_by_its_id_without_any_run(sandbox: SandboxServer) -> None:
    text = said(sandbox, "history", PAYMENT, "--time-zone", "Europe/Stockholm").stdout

    assert text.splitlines()[:5] == [
        f"payment {PAYMENT}, order {ORDER}",
        "  history in Commerce Layer, times in Europe/Stockholm",
        "    2026-11-03 22:01:08  order created by sales_channel JBiC0kfxYK",
        "      payment_status                (none) -> unpaid",
        "      status                        (none) -> draft",
    ]
    assert "      total_amount_with_taxes_cents (none) -> 4,396.00 SEK\n" in text
    assert "    2026-11-03 22:12:08  payment created by sales_channel JBiC0kfxYK\n" in text
    assert text.endswith("      status                        placed -> approved\n")


def test_whatever_names_an_item_names_its_payment(run: Path, sandbox: SandboxServer) -> None:
    (item,) = [row for row in pq.read_table(run / "items.parquet").to_pylist() if row["payment_id"] == PAYMENT]
    expected = said(sandbox, "history", PAYMENT).stdout

    for name in ("reference", "order_number", "order_id", "item_id"):
        assert said(sandbox, "history", item[name]).stdout == expected, name
    assert said(sandbox, "history", item["item_id"][:8], "--run", str(run)).stdout == expected
    assert said(sandbox, "history", WRONG, PAYMENT, PAYMENT).stdout == expected  # each payment once


def test_programs_get_rows_as_the_schema_says(sandbox: SandboxServer, misfits: Any) -> None:
    rows = json.loads(said(sandbox, "history", PAYMENT, "--format", "json").stdout)
    lines = list(csv.DictReader(said(sandbox, "history", PAYMENT, "--format", "csv").stdout.splitlines()))

    assert [one for row in rows for one in misfits(row, "history")] == []
    assert lines == [{name: value or "" for name, value in row.items()} for row in rows]
    assert list(rows[0]) == TRAIL.names
    (first,) = [row for row in rows if row["attribute"] == "total_amount_cents"]
    assert (first["at"], first["before"], first["after"]) == ("2026-11-03T21:08:38.313Z", None, "439600")
    assert [json.loads(row["after"]) for row in rows if row["attribute"] == "status"][-1] == "approved"


def test_rows_of_a_night_are_those_of_the_command(run: Path, sandbox: SandboxServer) -> None:
    rows = json.loads(said(sandbox, "history", PAYMENT, "--format", "json").stdout)
    kept: list[Row] = pq.read_table(run / "history.parquet", filters=[("payment_id", "=", PAYMENT)]).to_pylist()

    assert [{**row, "at": None} for row in kept] == [{**row, "at": None} for row in rows]


def test_a_name_of_nothing_is_an_error_of_one_kind_with_a_run_and_without(
    sandbox: SandboxServer, made: Path, workplace: Path
) -> None:
    result = said(sandbox, "history", PAYMENT, "nobody")
    assert (result.exit_code, result.stdout) == (4, "")
    assert "error: klarna_payments: there is no payment nobody\nhint: ids are case-sensitive" in result.stderr

    shutil.copytree(made, workplace, dirs_exist_ok=True)
    result = said(sandbox, "history", "nobody")
    assert result.exit_code == 4
    assert f"there is no payment nobody, and no item of {RUN} has it\n" in result.stderr


@pytest.mark.slow
def test_an_order_row_has_the_history_of_its_order_if_any(sandbox: SandboxServer) -> None:
    night_of([], f"reference,order_id,total,currency\nA,{ORDER},1.00,SEK\nB,,1.00,SEK\n", on_empty_payments="warn")

    text = said(sandbox, "history", "A").stdout
    assert text.startswith(f"order {ORDER}\n")
    assert "payment created" not in text
    result = said(sandbox, "history", "B")
    assert (result.exit_code, result.stdout) == (3, "")
    assert '"B": has neither a payment nor an order in Commerce Layer' in result.stderr
    assert "no event is recorded" in said(sandbox, "explain", "B", "--history").stdout


def test_a_broken_run_does_not_keep_a_payment_from_being_named(run: Path, sandbox: SandboxServer) -> None:
    (run / "manifest.json").write_text("{")

    assert said(sandbox, "history", PAYMENT).exit_code == 0
    assert said(sandbox, "history", WRONG).exit_code == 5


def test_without_an_organization_nothing_is_sent(run: Path) -> None:
    for words in (("history", PAYMENT), ("explain", WRONG, "--history")):
        environ = {"RECONCILE_CLIENT_ID": "id", "RECONCILE_CLIENT_SECRET": "a secret"}
        result = CliRunner().invoke(main, words, env=environ, catch_exceptions=False)
        assert result.exit_code == 2, words
        assert "no organization" in result.stderr


def test_a_trail_that_may_not_be_read_is_an_error_with_what_it_needs(serve: Serve) -> None:
    result = said(serve(forbidden_trails=("orders",)), "history", PAYMENT)

    assert (result.exit_code, result.stdout) == (4, "")
    assert f"error: orders: the history of {ORDER} cannot be read: GET orders/{ORDER}/event_stores" in result.stderr
    assert "hint: event stores need the credentials of an integration whose role may read them" in result.stderr


def test_an_explanation_has_it_below_when_asked_for(run: Path, sandbox: SandboxServer) -> None:
    before = len(sandbox.requests)
    plain = said(sandbox, "explain", WRONG).stdout
    (alone,) = json.loads(said(sandbox, "explain", WRONG, "--format", "json").stdout)
    assert len(sandbox.requests) == before

    _, _, lines = said(sandbox, "history", PAYMENT).stdout.partition("\n")
    assert said(sandbox, "explain", WRONG, "--history").stdout == plain + lines
    (one,) = json.loads(said(sandbox, "explain", WRONG, "--history", "--format", "json").stdout)
    rows = json.loads(said(sandbox, "history", PAYMENT, "--format", "json").stdout)
    assert one == alone | {"history": rows}


def test_an_explanation_is_given_though_the_trail_cannot_be_read(run: Path, serve: Serve) -> None:
    server = serve(forbidden_trails=("orders",))
    plain = said(server, "explain", WRONG).stdout
    result = said(server, "explain", WRONG, "--history")

    assert (result.exit_code, result.stdout) == (4, plain)
    assert f"error: orders: the history of {ORDER} cannot be read" in result.stderr
    assert said(server, "explain", WRONG, "--history", "--format", "json").stdout == ""


# --- the night ---


def test_a_night_keeps_the_history_of_the_payments_of_its_breaks(run: Path, sandbox: SandboxServer) -> None:
    table = pq.read_table(run / "history.parquet")
    broken = broken_payments(run / "breaks.parquet")

    assert table.schema.equals(TRAIL, check_metadata=True)
    assert set(table["payment_id"].to_pylist()) == {one.payment_id for one in broken}
    assert set(table["order_id"].to_pylist()) == {one.order_id for one in broken}
    assert manifest_of(run).digests[RunFile.HISTORY].rows == table.num_rows
    assert (warnings(), "history" in summary()["seconds"]) == ({}, True)
    assert "ok " in said(sandbox, "runs", "verify", "--replay").stdout


@pytest.mark.slow
def test_the_history_is_no_part_of_what_a_run_is(made: Path, sandbox: SandboxServer) -> None:
    assert said(sandbox, *NIGHT).exit_code == 0  # as it is by default

    assert not (RUN / "history.parquet").exists()
    assert manifest_of(RUN).run_id == manifest_of(made / RUN).run_id
    for name in (RunFile.ITEMS, RunFile.BREAKS):
        assert (RUN / name).read_bytes() == (made / RUN / name).read_bytes()


def test_a_history_that_was_altered_or_removed_is_seen(run: Path, sandbox: SandboxServer) -> None:
    (run / "history.parquet").write_bytes(b"PAR1")
    result = said(sandbox, "runs", "verify")
    assert (result.exit_code, "history.parquet" in result.stdout) == (1, True)

    (run / "history.parquet").unlink()
    assert said(sandbox, "runs", "verify", "--replay").exit_code == 1


@pytest.mark.slow
def test_what_requests_do_not_suffice_for_is_said_with_its_number(run: Path, sandbox: SandboxServer) -> None:
    broken = broken_payments(run / "breaks.parquet")
    before = len(trails_asked(sandbox))
    result = said(sandbox, *NIGHT, "--history", "breaks", RECONCILE_HISTORY_REQUESTS="9")

    assert (result.exit_code, len(trails_asked(sandbox)) - before) == (0, 9)
    left_out = warnings()["history_left_out"]
    assert (left_out["level"], left_out["figures"]) == ("note", {"payments": len(broken) - 4, "requests": 9})
    assert f"the audit trail of {len(broken) - 4} breaks was not read: all 9 requests" in result.stderr
    kept = set(pq.read_table(RUN / "history.parquet")["payment_id"].to_pylist())
    assert kept == {one.payment_id for one in broken[:4]}


def test_the_order_of_breaks_is_new_ones_first_and_accepted_ones_last(workplace: Path) -> None:
    breaks = [
        ("old", 9, 100, None),
        ("small", 0, 1, None),
        ("large", 0, 5, None),
        ("accepted", 0, 900, "known"),
        ("again", 0, 5, None),
        (None, 0, 900, None),
    ]
    head = {"item_id": "i", "business_date": date(2026, 11, 20), "status": "s", "kind": "break", "is_break": True}
    names = ("payment_id", "age_days", "at_stake_cents", "accepted_reason")
    rows = [head | dict(zip(names, one, strict=True)) for one in breaks]
    pq.write_table(pa.Table.from_pylist(rows, ITEMS), workplace / "breaks.parquet")

    order = ["again", "large", "small", "old", "accepted"]
    assert [one.payment_id for one in broken_payments(workplace / "breaks.parquet")] == order


@pytest.mark.parametrize(
    ("faults", "options", "said_why"),
    [
        ((), {"forbidden_trails": ("orders", "klarna_payments")}, "klarna_payments: the history of"),
        pytest.param(("5xx:#30+",), {}, "attempts in", marks=pytest.mark.slow),
        pytest.param(("token-5xx:#2+",), {}, "oauth/token", marks=pytest.mark.slow),
    ],
    ids=["forbidden", "unreachable", "no token"],
)
def test_a_history_that_cannot_be_read_stops_no_night(
    serve: Serve, faults: tuple[str, ...], options: dict[str, Any], said_why: str, workplace: Path
) -> None:
    (workplace / "reconcile.toml").write_text("[commercelayer]\nretry_seconds = 2\n[pull]\nhistory = 'breaks'\n")
    result = said(serve(*faults, **options), *NIGHT, "--fail-on", "warning:history_unread")

    assert result.exit_code == 1, result.stderr  # published, and over the limit
    unread = warnings()["history_unread"]
    broken = broken_payments(RUN / "breaks.parquet")
    assert unread["level"] == "warning"
    assert 0 < unread["figures"]["payments"] <= len(broken)
    assert said_why in unread["text"]
    table = pq.read_table(RUN / "history.parquet")
    assert table.schema.equals(TRAIL, check_metadata=True)
    assert len(set(table["payment_id"].to_pylist())) == len(broken) - unread["figures"]["payments"]


@pytest.mark.slow
@pytest.mark.parametrize("trail", [1, 2, 9])
def test_a_night_that_is_interrupted_there_publishes_nothing_and_the_next_one_all(
    trail: int, made: Path, sandbox: SandboxServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        numbers = itertools.count(1)

        async def interrupted(*arguments: Any) -> list[Event]:
            if next(numbers) == trail:
                raise KeyboardInterrupt
            return await read_history(*arguments)

        patch.setattr("reconcile.payments.trails.read_history", interrupted)
        assert said(sandbox, *NIGHT, "--history", "breaks").exit_code == 130
        assert not RUN.exists()

    assert said(sandbox, *NIGHT, "--history", "breaks").exit_code == 0
    assert (RUN / "history.parquet").read_bytes() == (made / RUN / "history.parquet").read_bytes()


@pytest.mark.slow
def test_a_night_without_a_broken_payment_has_an_empty_table_and_asks_for_nothing(serve: Serve) -> None:
    server = serve()
    Path("orders.csv").write_text("reference,total,currency\nA,1.00,EUR\n")
    words = ("run", "orders.csv", "--date", "2026-11-20", "--no-html", "--no-xlsx", "--covers", "2020-01")
    result = said(server, *words, "--history", "breaks")

    assert result.exit_code == 0, result.stderr
    assert summary()["counts"]["breaks"] == 1
    table = pq.read_table(RUN / "history.parquet")
    assert (table.num_rows, table.schema.equals(TRAIL, check_metadata=True)) == (0, True)
    assert trails_asked(server) == []
    assert warnings() == {}


def test_a_plan_says_what_the_history_may_cost(sandbox: SandboxServer) -> None:
    words = ("--dry-run", "--history", "breaks")
    line = "history      at most 200 requests more, for the payments of breaks\n"
    assert line in said(sandbox, *NIGHT, *words).stdout
    assert json.loads(said(sandbox, *NIGHT, *words, "--format", "json").stdout)["history_requests"] == 200
    assert "history" not in said(sandbox, *NIGHT, "--dry-run").stdout
    assert "history" not in said(sandbox, "pull", "--dry-run", RECONCILE_HISTORY="breaks").stdout


@pytest.mark.slow
def test_files_have_no_history(workplace: Path) -> None:
    folder = night_of([{"reference": "A"}], "reference,total,currency\nA,1.00,EUR\n", history="breaks")

    assert not (folder / "history.parquet").exists()


# --- what is nobody's business ---


def test_no_secret_is_shown_or_kept(serve: Serve, workplace: Path) -> None:
    world = World.load(SAMPLE / "commerce_layer")
    world.update_order(
        ORDER,
        token=CANARY,
        checkout_url=f"https://a.example/checkout/1?accessToken={CANARY}",
        gift_card_code=CANARY,
        customer_email=f"{CANARY}@example.com",
    )
    world.update(PAYMENT, auth_token=CANARY, payment_instrument={"card_last_digits": "4242"})
    with servers(canary=CANARY) as start:
        server = start(world)
        results = [
            said(server, *NIGHT, "--history", "breaks", "-vv", "--log-json"),
            *(said(server, "history", PAYMENT, "--format", form, "-vv") for form in ("text", "csv", "json")),
            *(said(server, "explain", WRONG, "--history", "--format", form, "-vv") for form in ("text", "json")),
        ]

    assert [result.exit_code for result in results] == [0] * 6
    files = [path.read_bytes() for path in workplace.rglob("*") if path.is_file()]
    kept = repr(pq.read_table(RUN / "history.parquet").to_pylist())
    seen = b"\n".join([*files, kept.encode(), *(one.stdout_bytes + one.stderr_bytes for one in results)])
    assert CANARY.encode() not in seen
    told = [kept, *(result.stdout for result in results[1:4])]
    assert all("customer_email" in text and "payment_instrument" in text for text in told)
    assert all("(not shown)" in text and "checkout/1…" in text and "4242" not in text for text in told)
