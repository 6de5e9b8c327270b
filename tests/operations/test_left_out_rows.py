"""What is left out of the order side as declared is said wherever the control totals are."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from nights import OUT, payments_file, said
from places import SAMPLE

from reconcile.errors import SettingsError
from reconcile.figures.summary import read_summary
from reconcile.orders.report import LeftOut
from reconcile.settings.settings import Settings
from reconcile.settings.sources import load_settings, settings_in
from reconcile.settings.template import commented_toml

ORDERS = """Kind,reference,total,currency,Status
sale,R1,10.00,EUR,open
fee,F1,-1.00,EUR,open
fee,F2,about 3,EUR,open
sale,R2,5.00,EUR,cancelled
Total,,14.00,EUR,
"""
LEFT_OUT = [
    LeftOut("only", "Kind", "fee", "EUR", 2, -100, 1),
    LeftOut("only", "Kind", "Total", "EUR", 1, 1400),
    LeftOut("withdrawn", "Status", "cancelled", "EUR", 1, 500),
]


def test_rows_left_out_are_in_every_report(workplace: Path) -> None:
    Path("orders.csv").write_text(ORDERS)
    Path("reconcile.toml").write_text('[orders.withdrawn]\nstatus = ["cancel*"]\n')
    payments_file(Path("payments.parquet"), [{"reference": "R1"}])

    result = said(
        *(
            "match",
            "payments.parquet",
            "orders.csv",
            "--mode",
            "live",
            "--only",
            "kind=sale",
            "--date",
            "2026-11-20",
            "--no-xlsx",
            "-v",
        )
    )

    assert result.exit_code == 0, result.output
    folder = OUT / "2026-11-20"
    assert list(read_summary(folder).left_out) == LEFT_OUT
    manifest = json.loads((folder / "manifest.json").read_text())
    assert manifest["inputs"]["left_out"][0] == {
        "reason": "only",
        "column": "Kind",
        "value": "fee",
        "currency_code": "EUR",
        "rows": 2,
        "amount_cents": -100,
        "unread": 1,
    }
    assert manifest["inputs"]["files"][0]["left_out"] == 4
    assert manifest["settings"]["orders"]["only"] == {"kind": ["sale"]}
    assert settings_in(manifest["settings"], "manifest").orders.format.only == {"kind": ("sale",)}
    lines = [" ".join(line.split()) for line in result.stderr.splitlines()]
    assert "only Kind fee EUR 2 1 -1.00" in lines
    assert "withdrawn Status cancelled EUR 1 5.00" in lines
    assert "Order rows left out as declared" in (folder / "report.html").read_text()


def test_inspect_shows_what_is_left_out(workplace: Path) -> None:
    Path("orders.csv").write_text(ORDERS)

    result = said("orders", "inspect", "orders.csv", "--only", "Kind=sale", "--withdrawn", "Status=cancelled")
    document = json.loads(
        said("orders", "inspect", "orders.csv", "--only", "Kind=sale", "--format", "json").stdout,
    )

    assert "  rows      1 read, 0 rejected, 4 left out" in result.stdout.splitlines()
    assert "withdrawn Status cancelled EUR 1 5.00" in [" ".join(line.split()) for line in result.stdout.splitlines()]
    assert document["report"]["left_out"][0]["value"] == "fee"


def test_summaries_of_before_are_read(workplace: Path) -> None:
    shutil.copy(SAMPLE / "orders.csv", "orders.csv")
    payments_file(Path("payments.parquet"), [{"reference": "R1"}])
    said("match", "payments.parquet", "orders.csv", "--mode", "live", "--date", "2026-11-20", "--no-html", "--no-xlsx")
    path = OUT / "2026-11-20" / "summary.json"
    document = json.loads(path.read_text())
    assert document.pop("left_out") == []
    path.chmod(0o644)
    path.write_text(json.dumps(document))

    assert read_summary(path.parent).left_out == ()


def test_a_table_is_set_in_every_way(workplace: Path) -> None:
    Path("reconcile.toml").write_text('[orders.only]\nKind = ["sale"]\n"Order type" = ["a=b"]\n')
    table = {"Kind": ("sale",), "Order type": ("a=b",)}

    assert load_settings(environ={}).orders.format.only == table
    assert load_settings(environ={"RECONCILE_ONLY": '{"Kind": ["fee"]}'}).orders.format.only == {"Kind": ("fee",)}
    assert load_settings(
        environ={}, options={"only": ("Kind=sale", "Order type=a=b", "Kind = x")}
    ).orders.format.only == {
        "Kind": ("sale", "x"),
        "Order type": ("a=b",),
    }
    with pytest.raises(SettingsError, match='only: "Kind" is not COLUMN=VALUE'):
        Settings.of(only=("Kind",))
    assert "#only = { Type = [" in commented_toml()
