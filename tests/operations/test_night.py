"""
The main job on the sample data, over HTTP, as a user runs it.

Without a page and a workbook, which take half the time, where a test is not about them.
"""

from __future__ import annotations

import json
import re
import shutil
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner, Result
from places import ROOT, SAMPLE

from reconcile import schema
from reconcile.cli.main import main
from reconcile.runs.folder import read_manifest
from reconcile.runs.verify import altered_files

FILES = [
    "breaks.csv", "breaks.parquet", "items.csv", "items.parquet", "manifest.json", "orders.parquet",
    "payments.parquet", "rejects.csv", "report.html", "report.xlsx", "summary.json",
    "transactions.parquet",
]  # fmt: skip


def command(values: dict[str, str], words: str) -> Result:
    """
    Run a command with the sandbox's credentials.

    `{options}` are those of the sample data, `{bare}` are these without a page and a workbook.
    """
    environ = {"RECONCILE_CLIENT_ID": values["client_id"], "RECONCILE_CLIENT_SECRET": values["client_secret"]}
    named = values | {"bare": f"{values['options']} --no-html --no-xlsx"}
    return CliRunner().invoke(main, words.format_map(named).split(), env=environ, catch_exceptions=False)


@pytest.fixture
def reconcile(values: dict[str, str]) -> Any:
    """Run a command, as `command`."""
    return partial(command, values)


MADE: dict[str, tuple[Path, Result]] = {}
"""Where a command has run once for this process, and what it said."""


@pytest.fixture
def plain(values: dict[str, str], workplace: Path, tmp_path_factory: pytest.TempPathFactory) -> Result:
    """Work where a night has run, with a page and a workbook, and return what it said."""
    if "plain" not in MADE:
        place = tmp_path_factory.mktemp("plain")
        with pytest.MonkeyPatch.context() as patch:
            patch.chdir(place)
            MADE["plain"] = place, command(values, "run {options} {sample}/orders.csv")
    place, result = MADE["plain"]
    shutil.copytree(place, workplace, dirs_exist_ok=True)
    return result


@pytest.fixture
def demo(workplace: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Result]:
    """Where the demo has run in an empty folder, and what it said."""
    if "demo" not in MADE:
        place = tmp_path_factory.mktemp("demo")
        with pytest.MonkeyPatch.context() as patch:
            patch.chdir(place)
            MADE["demo"] = place, CliRunner().invoke(main, ["demo"], catch_exceptions=False)
    return MADE["demo"]


def planted() -> dict[str, int]:
    """Return status → items, as sample_data/README.md promises."""
    text = (SAMPLE / "README.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `([a-z_]+)` \| ([0-9]+) \|", text, re.MULTILINE)
    return {status: int(count) for status, count in rows}


def statuses(folder: str | Path) -> dict[str, int]:
    summary = json.loads((Path(folder) / "summary.json").read_bytes())
    return {line["status"]: line["count"] for line in summary["statuses"]}


def test_a_night_publishes_a_run_folder_with_every_planted_status(plain: Result) -> None:
    assert plain.exit_code == 0, plain.stderr
    assert plain.stdout == "runs/2026-11-20\n"
    assert sorted(path.name for path in Path("runs/2026-11-20").iterdir()) == FILES
    expected = planted()
    del expected["wrong_mode"]  # only a file can hold such a payment
    assert statuses("runs/2026-11-20") == expected


def test_documents_for_people_can_be_left_out_and_made_afterwards(reconcile: Any) -> None:
    result = reconcile("match {sample}/payments.csv {sample}/orders.csv --date 2026-11-20 --no-html --no-xlsx")

    assert result.exit_code == 0, result.stderr
    names = {path.name for path in Path("runs/2026-11-20").iterdir()}
    assert set(FILES) - names == {"report.html", "report.xlsx", "transactions.parquet"}  # which only a pull brings
    for form in ("html", "xlsx"):
        assert reconcile(f"report --format {form}").exit_code == 0
        assert Path(f"report-2026-11-20.{form}").stat().st_size > 10_000


def test_the_tables_have_their_schemas_and_the_manifest_their_digests(plain: Result) -> None:
    folder = Path("runs/2026-11-20")

    for name, table in (
        ("payments", schema.PAYMENTS),
        ("transactions", schema.TRANSACTIONS),
        ("orders", schema.ORDERS),
        ("items", schema.ITEMS),
        ("breaks", schema.ITEMS),
    ):
        assert pq.read_schema(folder / f"{name}.parquet").equals(table), name
    assert altered_files(folder) == []
    written = read_manifest(folder).document
    transactions = pq.read_metadata(folder / "transactions.parquet").num_rows
    rows = {output["path"]: output["rows"] for output in written["outputs"]}
    assert (rows["payments.parquet"], rows["items.csv"], rows["breaks.parquet"], rows["rejects.csv"]) == (
        400,
        408,
        33,
        0,
    )
    assert rows["transactions.parquet"] == transactions > 0
    assert written["pull"]["payments"] == written["pull"]["count_before"] == written["pull"]["count_after"] == 400
    assert written["previous"] is None


def test_the_same_night_again_gives_the_same_items_and_keeps_the_older_folder(reconcile: Any, plain: Result) -> None:
    first = {name: (Path("runs/2026-11-20") / name).read_bytes() for name in FILES}
    reconcile("run {options} {sample}/orders.csv")
    again = {name: (Path("runs/2026-11-20") / name).read_bytes() for name in FILES}

    timed = {"manifest.json", "report.html", "summary.json"}
    assert {name for name in FILES if first[name] != again[name]} <= timed
    kept = list(Path("runs/.superseded").iterdir())
    assert [path.name for path in kept] == [json.loads(first["manifest.json"])["run_id"]]
    assert (kept[0] / "manifest.json").read_bytes() == first["manifest.json"]


def test_matching_the_files_of_a_run_gives_the_same_items(reconcile: Any, plain: Result) -> None:
    replay = "match runs/2026-11-20/payments.parquet runs/2026-11-20/orders.parquet --out replay --date 2026-11-20"
    result = reconcile(f"{replay} --tolerance-cents 2 --lag-days 1 --no-html --no-xlsx")

    assert result.exit_code == 0, result.stderr
    for name in (
        "items.parquet",
        "items.csv",
        "breaks.parquet",
        "payments.parquet",
        "orders.parquet",
        "transactions.parquet",
    ):
        assert (Path("replay/2026-11-20") / name).read_bytes() == (Path("runs/2026-11-20") / name).read_bytes(), name


def test_the_next_night_knows_how_old_a_break_is_and_what_rolled_forward(reconcile: Any, plain: Result) -> None:
    result = reconcile("run {bare} --date 2026-11-23 {sample}/orders.csv")
    summary = json.loads(Path("runs/2026-11-23/summary.json").read_bytes())
    items = pq.read_table("runs/2026-11-23/breaks.parquet").to_pylist()

    assert result.exit_code == 0, result.stderr
    waited = [item for item in items if item["status"] in ("missing_order", "missing_payment")]
    assert {(item["state"], item["age_days"]) for item in waited} == {("open", 3), ("new", 0)}
    assert sum(item["state"] == "new" for item in items) == 6  # what was awaited is late by now
    for line in summary["roll_forward"]:
        for figure in ("count", "amount_cents"):
            opening, new, reopened, changed, cleared, closing = (line[move][figure] for move in list(line)[1:])
            assert opening + new + reopened + changed - cleared == closing
    assert summary["counts"]["breaks"] == 39
    assert read_manifest(Path("runs/2026-11-23")).document["previous"]["business_date"] == "2026-11-20"


def test_a_limit_that_is_exceeded_publishes_and_exits_with_1(reconcile: Any) -> None:
    result = reconcile("run {bare} {sample}/orders.csv --fail-on breaks>32 --fail-on amount>1EUR --fail-on breaks>33")

    assert result.exit_code == 1
    assert result.stdout == "runs/2026-11-20\n"
    summary = json.loads(Path("runs/2026-11-20/summary.json").read_bytes())
    assert summary["verdict"] == "over_limit"
    assert summary["limits_exceeded"] == ["breaks>32: 33 breaks", "amount>1EUR: 1688.93 EUR at stake in breaks"]


@pytest.mark.slow
def test_a_limit_that_only_warns_is_told_and_stops_nothing(reconcile: Any) -> None:
    result = reconcile("run {bare} {sample}/orders.csv --warn-on breaks>0 --warn-on missing_order>99")

    assert result.exit_code == 0
    assert "warning: over limit: breaks>0: " in result.stderr
    assert "missing_order>99" not in result.stderr
    summary = json.loads(Path("runs/2026-11-20/summary.json").read_text())
    assert summary["verdict"] == "clean_with_exceptions"
    assert [one["code"] for one in summary["warnings"]] == ["over_limit"]
    assert '--warn-on "x": is not a limit' in reconcile("run {bare} {sample}/orders.csv --warn-on x").stderr


def test_an_allowed_reject_is_counted_and_listed(reconcile: Any) -> None:
    Path("orders.csv").write_text("reference,total,currency\nNW-2610-100408,1701.00,SEK\nR2,1e3,EUR\n")
    result = reconcile("run {bare} orders.csv --max-rejects 1")

    assert result.exit_code == 0, result.stderr
    summary = json.loads(Path("runs/2026-11-20/summary.json").read_bytes())
    assert (summary["counts"]["rejects"], summary["counts"]["orders"]) == (1, 1)
    assert summary["warnings"] == [
        {
            "code": "rejected_rows",
            "level": "warning",
            "text": "1 order row was rejected, see rejects.csv: a payment that belongs to one is reported as "
            "missing_order",
            "figures": {"rows": 1},
        }
    ]
    assert Path("runs/2026-11-20/rejects.csv").read_text().splitlines()[1].startswith("orders.csv,3,total,1e3,")
    assert not Path("runs/2026-11-20.rejects.csv").exists()


def test_a_narrowed_pull_says_what_it_does_to_the_figures(reconcile: Any) -> None:
    reconcile("run {bare} --since 2026-11-15 {sample}/orders.csv")
    (warning,) = json.loads(Path("runs/2026-11-20/summary.json").read_bytes())["warnings"]

    assert warning["text"].startswith(
        "only payments of orders placed from 2026-11-15 on are in this run: order totals from outside"
    )


def test_a_date_that_runs_again_names_the_later_runs_to_repeat(reconcile: Any) -> None:
    reconcile("run {bare} --date 2026-11-21 {sample}/orders.csv")
    result = reconcile("run {bare} {sample}/orders.csv")

    assert "warning: later runs were made without this one: run 2026-11-21 again, oldest first" in result.stderr


def test_a_warehouse_that_cannot_be_is_told_before_anything_is_pulled(reconcile: Any) -> None:
    result = reconcile("run {options} {sample}/orders.csv --load-to foo:x")

    assert result.exit_code == 2
    assert not Path("runs").exists()


def test_a_load_that_fails_says_that_the_run_is_published(reconcile: Any) -> None:
    result = reconcile("run {bare} {sample}/orders.csv --load-to duckdb:nowhere/x.duckdb")

    assert result.exit_code == 5
    assert (
        "the run is published; once this is fixed: reconcile load runs/2026-11-20 --to duckdb:nowhere" in result.stderr
    )
    assert altered_files(Path("runs/2026-11-20")) == []


def test_a_variable_that_is_no_setting_is_told(reconcile: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RECONCILE_LAGDAYS", "3")
    result = reconcile("check --offline {sample}/orders.csv")

    assert result.stderr == "warning: RECONCILE_LAGDAYS is not a setting (did you mean RECONCILE_LAG_DAYS?)\n"
    assert result.exit_code == 0
    assert not Path("runs").exists()


def test_an_empty_side_that_is_meant_is_a_warning(reconcile: Any) -> None:
    Path("orders.csv").write_text("reference,total,currency\n")
    Path("reconcile.toml").write_text('[run]\non_empty_orders = "warn"\n')
    result = reconcile("run {bare} orders.csv")

    assert result.exit_code == 0, result.stderr
    assert "warning: there are no orders" in result.stderr
    warnings = json.loads(Path("runs/2026-11-20/summary.json").read_bytes())["warnings"]
    assert [(one["code"], one["figures"]) for one in warnings] == [("empty_side", {"side": "orders"})]


def test_totals_that_may_be_repeated_are_a_warning_where_rows_are_added_up(reconcile: Any) -> None:
    Path("orders.csv").write_text("reference,total,currency,line amount\nR1,2.00,EUR,1.00\nR1,2.00,EUR,1.00\n")
    Path("reconcile.toml").write_text('[match]\ngroup_orders = "sum"\n')
    result = reconcile("run {bare} orders.csv")

    assert result.exit_code == 0, result.stderr
    assert 'warning: orders.csv: column "line amount" suggests order lines' in result.stderr


def test_sides_that_have_no_key_in_common_are_told(reconcile: Any) -> None:
    Path("orders.csv").write_text("reference,total,currency\nelsewhere,1.00,EUR\n")

    assert "warning: no key of one side is found on the other" in reconcile("run {bare} orders.csv").stderr


@pytest.mark.parametrize("name", [pytest.param("payments.parquet", marks=pytest.mark.slow), "payments.csv"])
def test_payments_pulled_into_a_file_match_as_those_of_a_night(reconcile: Any, plain: Result, name: str) -> None:
    pulled = reconcile(f"pull --api-url {{api}} --to {name}")
    options = "--date 2026-11-20 --tolerance-cents 2 --lag-days 1 --no-html --no-xlsx"
    reconcile(f"match {name} {{sample}}/orders.csv {options} --out a")

    assert pulled.stdout == f"{name}\n"
    assert "400 payments" in pulled.stderr
    assert "complete: the server counted 400 before and 400 after" in pulled.stderr
    transactions = Path(name.replace("payments", "transactions"))
    if transactions.suffix == ".parquet":
        assert transactions.read_bytes() == Path("runs/2026-11-20/transactions.parquet").read_bytes()
    else:
        assert transactions.read_text().startswith("transaction_id,type,order_id,")
    for file in ("payments.parquet", "items.csv"):
        assert Path(f"a/2026-11-20/{file}").read_bytes() == Path(f"runs/2026-11-20/{file}").read_bytes()


def test_a_pull_without_a_destination_stays_in_the_mirror(reconcile: Any) -> None:
    result = reconcile("pull --api-url {api}")

    assert result.stdout == ".reconcile/payments.parquet\n"
    assert pq.read_metadata(".reconcile/payments.parquet").num_rows == 400


def test_a_test_payment_in_a_file_is_set_aside(reconcile: Any) -> None:
    result = reconcile(
        "match {sample}/payments.csv {sample}/orders.csv --mode live --date 2026-11-20 --tolerance-cents 2 --lag-days 1"
        " --no-html --no-xlsx"
    )

    assert result.exit_code == 0, result.stderr
    assert statuses("runs/2026-11-20") == planted()


def test_check_finds_everything_well(reconcile: Any) -> None:
    result = reconcile("check {options} {sample}/orders.csv")

    assert result.exit_code == 0, result.stdout
    subjects = [line.split()[:2] for line in result.stdout.splitlines()]
    assert subjects == [
        ["ok", name] for name in ("settings", "disk", "orders", "credentials", "mode", "access", "clock")
    ]


def test_check_exits_as_the_run_would(reconcile: Any) -> None:
    Path("bad.csv").write_text("reference,total\nR1,1.00\n")

    assert reconcile("check --offline bad.csv").exit_code == 3
    assert reconcile("check --api-url {api} --mode test {sample}/orders.csv").exit_code == 4


def test_check_without_order_files_fails_as_the_run_does(reconcile: Any) -> None:
    assert reconcile("check --offline").exit_code == reconcile("run --api-url {api}").exit_code == 2


def test_check_of_an_empty_order_file_fails_as_the_run_does(reconcile: Any) -> None:
    Path("orders.csv").write_text("reference,total,currency\n")

    assert reconcile("check --offline orders.csv").exit_code == reconcile("run {options} orders.csv").exit_code == 3


@pytest.mark.slow
def test_the_demo_leaves_the_users_own_settings_alone(reconcile: Any) -> None:
    Path("reconcile.toml").write_text('[run]\nload_to = "duckdb:production.duckdb"\n[match]\ntolerance_cents = 5000\n')
    result = reconcile("demo")

    assert result.exit_code == 0
    assert not Path("production.duckdb").exists()
    assert statuses("runs/demo/2026-11-20")["within_tolerance"] == planted()["within_tolerance"]


def test_rejects_are_kept_when_nothing_else_is_left_of_a_file(reconcile: Any) -> None:
    Path("orders.csv").write_text("reference,total,currency\nR1,1e3,EUR\nR2,x,EUR\n")
    result = reconcile("run {options} orders.csv --max-rejects 10")

    assert result.exit_code == 3
    assert len(Path("runs/2026-11-20.rejects.csv").read_text().splitlines()) == 3


def test_amounts_that_cannot_be_added_up_are_refused(reconcile: Any) -> None:
    rows = "".join(f"R{n},72000000000000000,EUR\n" for n in range(65))
    Path("orders.csv").write_text("reference,amount_cents,currency\n" + rows)
    result = reconcile("run {options} orders.csv")

    assert result.exit_code == 3
    assert "the amounts are too large to be summed" in result.stderr


@pytest.mark.slow
def test_quiet_says_nothing_but_the_folder(reconcile: Any) -> None:
    result = reconcile("run {bare} {sample}/orders.csv --quiet")

    assert (result.stdout, result.stderr) == ("runs/2026-11-20\n", "")


def test_log_json_is_json_on_every_line(reconcile: Any) -> None:
    result = reconcile("run {bare} {sample}/orders.csv --log-json")
    events = [json.loads(line) for line in result.stderr.splitlines()]

    assert {event["stage"] for event in events if "stage" in event} == {
        "orders",
        "pull",
        "matching",
        "reports",
        "summary",
    }
    assert events[-1]["message"] == "published runs/2026-11-20"


def test_the_demo_needs_nothing(demo: tuple[Path, Result]) -> None:
    place, result = demo

    assert result.exit_code == 0, result.stderr
    assert result.stdout == "runs/demo/2026-11-20\n"
    found = statuses(place / "runs/demo/2026-11-20")
    assert found["matched"] == planted()["matched"] - 1  # noted as paid by card
    assert (found["method_mismatch"], found["other_method"]) == (1, 540)


def test_the_readme_shows_the_real_output_of_the_demo(demo: tuple[Path, Result]) -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    (shown,) = re.findall(
        r"<!-- demo:begin -->\n```console\n\$ make demo\n(.*?)```\n<!-- demo:end -->", text, re.DOTALL
    )
    _, result = demo

    def plain(output: str) -> str:
        return re.sub(r"127.0.0.1:\d+|20261120-[0-9a-f]{12}", "…", output)

    rest = plain(result.stderr + result.stdout)
    for part in shown.split("…\n"):  # a line of its own where the README leaves lines out
        _, found, rest = rest.partition(plain(part))
        assert found, part


def test_loading_while_running_fills_the_warehouse(reconcile: Any) -> None:
    result = reconcile("run {bare} {sample}/orders.csv --load-to duckdb:warehouse.duckdb")

    assert result.exit_code == 0, result.stderr
    assert Path("warehouse.duckdb").is_file()
