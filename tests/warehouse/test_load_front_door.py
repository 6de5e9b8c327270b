"""Loading: which URL goes where, and what a run folder must be to be loaded at all."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from earlier_version import earlier_runs

from reconcile.errors import OutputError, SettingsError
from reconcile.runs.manifest import digest_of
from reconcile.warehouse import load
from reconcile.warehouse.load import load_run
from reconcile.warehouse.place import local_path, shown_place
from reconcile.warehouse.tables import WarehouseTable
from reconcile.warehouse.verified_run import VerifiedRun, open_run_folder


@pytest.mark.parametrize(
    ("url", "path"),
    [
        ("duckdb:name.duckdb", "name.duckdb"),
        ("duckdb:folder/name.duckdb", "folder/name.duckdb"),
        ("duckdb:/data/name.duckdb", "/data/name.duckdb"),
        ("duckdb:///data/name.duckdb", "/data/name.duckdb"),
        ("file://localhost/data/ware%20house", "/data/ware house"),
        ("parquet:ware house", "ware house"),
        ("parquet:~/warehouse", "HOME/warehouse"),
    ],
)
def test_a_url_names_a_path(url: str, path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/finance")

    assert local_path(url) == Path(path.replace("HOME", "/home/finance"))


@pytest.mark.parametrize("url", ["warehouse.duckdb", "duckdb:", "duckdb://", ":x", "C\\:x", ""])
def test_what_is_no_url_is_refused_with_the_form(url: str, tmp_path: Path) -> None:
    with pytest.raises(SettingsError) as caught:
        load_run(tmp_path, url)

    assert caught.value.message == f'"{url}" does not name a warehouse'
    assert caught.value.hint == "write duckdb:FILE or parquet:FOLDER"


def test_an_unknown_kind_is_refused_without_its_password(tmp_path: Path) -> None:
    with pytest.raises(SettingsError) as caught:
        load_run(tmp_path, "oracle://finance:hunter2@db.example/dwh?password=hunter2#hunter2")

    assert caught.value.message == '"oracle://db.example/dwh": there is no warehouse of the kind "oracle"'
    assert caught.value.hint == "the kinds are: duckdb, file, parquet"


def test_a_host_is_refused_where_files_are_local(publish_run: Any) -> None:
    with pytest.raises(SettingsError, match=r'"duckdb://data/x\.duckdb" names a host') as caught:
        load_run(publish_run(), "duckdb://data/x.duckdb")

    assert caught.value.hint == "write duckdb:relative/path or duckdb:///absolute/path"


def test_a_broken_url_shows_its_kind_only() -> None:
    assert shown_place("duckdb://[user:hunter2@x") == "duckdb:…"


def test_a_sink_that_is_not_installed_names_its_extra(publish_run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(load.SINKS, "delta", ("reconcile.warehouse.not_there", "delta"))

    with pytest.raises(SettingsError, match='"delta" needs a package that is not installed') as caught:
        load_run(publish_run(), "delta:x")

    assert caught.value.hint == 'pip install "reconcile[delta]"'


def test_a_folder_without_manifest_is_not_a_run_folder(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match=r"is not a run folder, it has no manifest\.json"):
        load_run(tmp_path, "duckdb:x.duckdb")


@pytest.mark.parametrize("name", ["items.parquet", "payments.parquet", "orders.parquet"])
def test_a_table_that_was_changed_or_removed_is_not_loaded(name: str, publish_run: Any, tmp_path: Path) -> None:
    folder = publish_run()
    table = pq.read_table(folder / name)
    pq.write_table(table.slice(1), folder / name)

    with pytest.raises(OutputError, match=rf"{name}: was changed since it was published") as caught:
        load_run(folder, f"duckdb:{tmp_path}/x.duckdb")
    assert "nothing was loaded" in (caught.value.hint or "")

    (folder / name).unlink()
    with pytest.raises(OutputError, match=rf"{name}: is missing from the run folder"):
        load_run(folder, f"duckdb:{tmp_path}/x.duckdb")
    assert not (tmp_path / "x.duckdb").exists()


def _edit_manifest(folder: Path, edit: Any) -> None:
    manifest = json.loads((folder / "manifest.json").read_text())
    edit(manifest)
    (folder / "manifest.json").write_text(json.dumps(manifest))


def test_a_manifest_that_says_something_else_is_not_believed(publish_run: Any) -> None:
    cases: list[tuple[Any, str]] = [
        (lambda m: m.pop("run_id"), "is not the manifest of a run: Object missing required field `run_id`"),
        (lambda m: m["outputs"].pop(1), "is not among the outputs of the manifest"),
        (lambda m: m["outputs"][0].update(rows=9), "has 3 rows, but 9 in the manifest"),
        (lambda m: m.update(business_date="2026-11-23"), "the folder was renamed or copied"),
    ]
    for edit, message in cases:
        folder = publish_run()
        _edit_manifest(folder, edit)

        with pytest.raises(OutputError, match=message):
            load_run(folder, "duckdb:x.duckdb")


def test_items_of_another_run_are_not_loaded(publish_run: Any) -> None:
    with pytest.raises(OutputError, match=r"items\.parquet: has rows of a different run from its manifest"):
        load_run(publish_run(run_id="run-2", of_run="run-1"), "duckdb:x.duckdb")


@pytest.mark.parametrize(
    ("columns", "problem"),
    [
        ({"amount_cents": ["1"]}, "has no column `amount_cents` of type int64"),
        ({"reference": ["1"], "colour": ["red"]}, "has columns that this version of reconcile does not know: colour"),
    ],
)
def test_a_table_of_a_later_version_is_not_loaded(
    columns: dict[str, list[str]], problem: str, publish_run: Any
) -> None:
    folder = publish_run()
    path = folder / "orders.parquet"
    pq.write_table(pa.table(columns), path)
    _edit_manifest(
        folder,
        lambda m: [o.update(sha256=digest_of(path).sha256) for o in m["outputs"] if o["path"] == "orders.parquet"],
    )

    with pytest.raises(OutputError, match=rf"orders\.parquet: {problem}"):
        load_run(folder, "duckdb:x.duckdb")


def test_the_receipt_says_what_came_and_what_it_replaced(publish_run: Any, tmp_path: Path) -> None:
    for kind in ("duckdb", "parquet", "file"):
        url = f"{kind}:{tmp_path}/{kind}"
        first = load_run(publish_run(items=5), url)
        second = load_run(publish_run(items=2, run_id="run-2"), url)

        assert (first.url, first.business_date, first.run_id) == (url, date(2026, 11, 22), "run-1")
        assert first.rows == {"klarna_items": 5, "klarna_payments": 5, "order_totals": 4}
        assert first.replaced == {"klarna_items": 0, "klarna_payments": 0, "order_totals": 0}
        assert second.rows == {"klarna_items": 2, "klarna_payments": 2, "order_totals": 1}
        assert second.replaced == first.rows


@pytest.mark.parametrize("kind", ["duckdb", "parquet"])
@pytest.mark.parametrize("after", ["items.parquet", "payments.parquet", "orders.parquet"])
def test_a_run_that_is_replaced_while_it_is_loaded_is_not_loaded(
    kind: str, after: str, publish_run: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = f"{kind}:{tmp_path}/warehouse"
    load_run(publish_run(items=5), url)
    folder = publish_run(items=2, run_id="run-2")
    select = VerifiedRun.select

    def selected(run: VerifiedRun, table: WarehouseTable, schema: pa.Schema) -> str:
        query = select(run, table, schema)
        if table.file == after:
            monkeypatch.setattr(VerifiedRun, "select", select)
            publish_run(items=4, run_id="run-3")
        return query

    monkeypatch.setattr(VerifiedRun, "select", selected)
    with pytest.raises(
        OutputError, match="was replaced by another run of its date while it was being loaded"
    ) as caught:
        load_run(folder, url)

    assert caught.value.hint == "nothing was loaded; load it again"
    receipt = load_run(folder, url)
    assert (receipt.run_id, receipt.replaced["klarna_items"], receipt.rows["klarna_items"]) == ("run-3", 5, 4)


def test_a_file_that_is_changed_in_its_place_while_it_is_loaded_is_not_loaded(publish_run: Any, tmp_path: Path) -> None:
    folder = publish_run()
    with open_run_folder(folder) as run:
        run.check_unchanged()
        content = (folder / "orders.parquet").read_bytes()
        (folder / "orders.parquet").write_bytes(content[:-1] + b"x")
        with pytest.raises(OutputError, match="was replaced"):
            run.check_unchanged()
        (folder / "orders.parquet").unlink()
        with pytest.raises(OutputError, match="was replaced"):
            run.check_unchanged()


@pytest.mark.parametrize("kind", ["duckdb", "parquet"])
def test_a_run_of_an_earlier_version_is_loaded_with_nulls_for_what_it_did_not_know(kind: str, tmp_path: Path) -> None:
    for run in earlier_runs(tmp_path / "runs"):
        receipt = load_run(run, f"{kind}:{tmp_path}/x.{kind}")

        assert receipt.rows["klarna_payments"] == 12
        assert receipt.rows["order_totals"] == 8
