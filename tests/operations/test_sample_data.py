"""The sample data is what its generator writes, and what the sandbox serves of it."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

from click.testing import CliRunner
from places import SAMPLE

from reconcile.cli.main import main


def generator() -> Any:
    spec = importlib.util.spec_from_file_location("generate", SAMPLE / "generate.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_generator_writes_the_files_that_are_there(tmp_path: Path) -> None:
    generator().make(tmp_path)

    for path in (path for path in tmp_path.rglob("*") if path.is_file()):
        name = path.relative_to(tmp_path)
        assert path.read_bytes() == (SAMPLE / name).read_bytes(), name


def test_payments_csv_is_what_a_pull_writes_and_two_test_payments(values: dict[str, str]) -> None:
    environ = {"RECONCILE_CLIENT_ID": values["client_id"], "RECONCILE_CLIENT_SECRET": values["client_secret"]}
    result = CliRunner().invoke(main, ["pull", "--api-url", values["api"], "--to", "payments.csv"], env=environ)
    assert result.exit_code == 0, result.stderr

    rows = (SAMPLE / "payments.csv").read_text(encoding="utf-8").splitlines()
    live = [row for row in rows if ",TEST-" not in row]

    assert live == Path("payments.csv").read_text(encoding="utf-8").splitlines()
    assert len(rows) - len(live) == 2
