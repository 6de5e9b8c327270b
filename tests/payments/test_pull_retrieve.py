"""Single payments by id: with their order, in the order named, and never through the mirror."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner, Result

import reconcile
from reconcile.cli.main import main
from reconcile.commercelayer.by_id import IDS_AT_ONCE, fetch_payments
from reconcile.commercelayer.reading import Reading
from reconcile.commercelayer.relations import Wanted
from reconcile.errors import IncompletePull, SettingsError, UnknownPayment, WrongMode
from reconcile.sandbox.server import SandboxServer
from reconcile.sandbox.world.world import World
from reconcile.schema import PAYMENTS
from reconcile.settings.credentials import Secrets


@pytest.fixture
def server(serve) -> SandboxServer:
    return serve(World.generate(60))


@pytest.fixture
def ids(server: SandboxServer) -> list[str]:
    return server.world.payment_ids()


@pytest.fixture
def command(server: SandboxServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[object]:
    """Return a function that runs `reconcile` in the test's folder, with the sandbox's credentials."""
    monkeypatch.chdir(tmp_path)
    access = {"RECONCILE_CLIENT_ID": server.client_id, "RECONCILE_CLIENT_SECRET": server.client_secret}

    def run(*words: str) -> Result:
        return CliRunner().invoke(main, [*words, "--api-url", server.api_url], env=access, catch_exceptions=False)

    return run


async def test_one_payment_comes_with_its_order_and_aware_times(server: SandboxServer, ids: list[str]) -> None:
    payment = await reconcile.fetch_payment(
        ids[7], api_url=server.api_url, secrets=Secrets(server.client_id, server.client_secret)
    )

    row = server.world.payments.find(ids[7])
    order = server.world.order_of(row)
    assert list(payment) == PAYMENTS.names
    assert payment["payment_id"] == ids[7]
    assert payment["order_number"] == order["number"]
    assert payment["total_amount_with_taxes_cents"] == order["total_amount_with_taxes_cents"]
    assert payment["created_at"] == datetime.fromisoformat(row["created_at"])
    assert payment["created_at"].tzinfo == UTC or payment["created_at"].utcoffset().total_seconds() == 0


async def test_a_fetched_payment_is_the_row_of_a_pull(server: SandboxServer, ids: list[str], pull, tmp_path) -> None:
    await pull(server)
    pulled = {row["payment_id"]: row for row in pq.read_table(tmp_path / "payments.parquet").to_pylist()}
    access = {"api_url": server.api_url, "secrets": Secrets(server.client_id, server.client_secret)}

    for id_ in ids[::20]:
        assert await reconcile.fetch_payment(id_, **access) == pulled[id_]


async def test_many_ids_come_in_the_order_in_which_they_are_named(serve, client_of) -> None:
    server = serve(World.generate(IDS_AT_ONCE + 30))
    wanted = [*reversed(server.world.payment_ids()), server.world.payment_ids()[0]]

    async with client_of(server) as client:
        found = await fetch_payments(Reading(client, Wanted()), wanted, mode="live")

    assert found.column("payment_id").to_pylist() == wanted[:-1]  # each once
    assert sum(request.path.endswith("/klarna_payments") for request in server.requests) == -(-(IDS_AT_ONCE + 30) // 25)


@pytest.mark.parametrize("unknown", ["nobody", "", "a,b"])
async def test_unknown_ids_are_named(server: SandboxServer, ids: list[str], client_of, unknown: str) -> None:
    async with client_of(server) as client:
        with pytest.raises(UnknownPayment) as caught:
            await fetch_payments(Reading(client, Wanted()), [ids[0], unknown], mode="live")

    assert caught.value.payment_ids == (unknown,)
    assert caught.value.exit_code == 4


async def test_a_page_that_always_lacks_a_row_is_no_answer(serve, ids: list[str], client_of) -> None:
    async with client_of(serve(World.generate(60), f"drop-row:{ids[3]}")) as client:
        with pytest.raises(IncompletePull, match="asked for 5 payments by id, the server counts 5 of them and lists 4"):
            await fetch_payments(Reading(client, Wanted()), ids[:5], mode="live")


async def test_a_page_that_lacks_a_row_once_is_asked_for_again(serve, ids: list[str], client_of) -> None:
    async with client_of(serve(World.generate(60), "drop-row:#1")) as client:
        found = await fetch_payments(Reading(client, Wanted()), ids[:5], mode="live")

    assert found.num_rows == 5


async def test_payments_of_the_other_mode_are_refused(serve, ids: list[str], client_of) -> None:
    async with client_of(serve(World.generate(60), "wrong-mode:#1")) as client:
        with pytest.raises(WrongMode):
            await fetch_payments(Reading(client, Wanted()), ids[:5], mode="live")


def test_the_command_writes_one_line_of_json_for_each(command, ids: list[str], tmp_path: Path) -> None:
    result = command("pull", "--id", ids[4], "--id", ids[2])

    lines = [json.loads(line) for line in result.stdout.splitlines()]
    assert result.exit_code == 0
    assert [line["payment_id"] for line in lines] == [ids[4], ids[2]]
    assert list(lines[0]) == PAYMENTS.names
    assert lines[0]["created_at"].endswith("Z")
    assert list(tmp_path.iterdir()) == []  # and no mirror


def test_the_command_writes_a_file_where_asked(command, ids: list[str], tmp_path: Path) -> None:
    parquet = command("pull", "--id", ids[4], "--id", ids[2], "--to", "some/two.parquet")
    csv = command("pull", "--id", ids[4], "--id", ids[2], "--to", "two.csv")

    table = pq.read_table(tmp_path / "some" / "two.parquet")
    assert (parquet.stdout, csv.stdout) == ("some/two.parquet\n", "two.csv\n")
    assert table.schema.equals(PAYMENTS)
    assert table.column("payment_id").to_pylist() == sorted([ids[4], ids[2]])
    assert len((tmp_path / "two.csv").read_text().splitlines()) == 3
    assert not (tmp_path / ".reconcile").exists()


def test_an_unknown_id_writes_nothing_and_exits_4(command, ids: list[str], tmp_path: Path) -> None:
    to_file = command("pull", "--id", ids[0], "--id", "nobody", "--to", "two.parquet")
    to_stdout = command("pull", "--id", ids[0], "--id", "nobody")

    for result in (to_file, to_stdout):
        assert result.exit_code == 4
        assert result.stdout == ""
        assert result.stderr.startswith("error: klarna_payments: there is no payment nobody\nhint: ")
    assert not (tmp_path / "two.parquet").exists()


def test_another_ending_is_refused_before_anything_is_sent(command, server: SandboxServer, ids: list[str]) -> None:
    result = command("pull", "--id", ids[0], "--to", "two.xlsx")

    assert result.exit_code == SettingsError.exit_code
    assert server.requests == []


def test_no_credential_of_klarna_comes_out(serve, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    server = serve(World.generate(5), canary="canary-in-tokens")
    monkeypatch.chdir(tmp_path)
    access = {"RECONCILE_CLIENT_ID": server.client_id, "RECONCILE_CLIENT_SECRET": server.client_secret}
    words = [word for id_ in server.world.payment_ids() for word in ("--id", id_)]

    result = CliRunner().invoke(main, ["pull", *words, "-vv", "--api-url", server.api_url], env=access)

    assert result.exit_code == 0
    assert "canary" not in result.output
