"""Notebooks in a kernel, as Jupyter runs them: the one that is shipped, progress, completion, Ctrl-C."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nbformat
import pytest
from executed import NOTEBOOKS, executed
from jupyter_client.blocking.client import BlockingKernelClient
from jupyter_client.manager import start_new_kernel

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore::DeprecationWarning")]


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.name)
def test_a_notebook_shows_what_it_shows_when_it_is_executed(notebook: Path, tmp_path: Path) -> None:
    shipped = nbformat.read(notebook, as_version=4)

    assert executed(notebook, tmp_path).cells == shipped.cells, "`make docs` writes what the notebooks show"


@pytest.fixture
def kernel(values: dict[str, str], workplace: Path) -> Iterator[BlockingKernelClient]:
    """Start a kernel whose environment names the sandbox."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RECONCILE_CLIENT_ID", values["client_id"])
        patch.setenv("RECONCILE_CLIENT_SECRET", values["client_secret"])
        patch.setenv("RECONCILE_API_URL", values["api"])
        manager, client = start_new_kernel(kernel_name="python3", cwd=str(workplace))
    yield client
    client.stop_channels()
    manager.shutdown_kernel(now=True)


def shown(kernel: BlockingKernelClient, code: str) -> list[dict[str, Any]]:
    """Return what the kernel says while it executes `code`: contents of messages, in their order."""
    said: list[dict[str, Any]] = []
    kernel.execute_interactive(code, timeout=300, output_hook=lambda message: said.append(message["content"]))
    return said


def test_a_pull_shows_how_far_it_is_and_keywords_are_completed(kernel: BlockingKernelClient) -> None:
    pulled = shown(kernel, "import reconcile\npayments = reconcile.pull_payments_sync(money=False)\nlen(payments)")
    texts = [one["data"]["text/plain"] for one in pulled if "data" in one]

    assert texts[-2:] == ["pulled 400 payments, complete", "400"]
    assert shown(kernel, "len(await reconcile.pull_payments(money=False))")[-2]["data"]["text/plain"] == "400"
    code = "reconcile.match_payments(payments, payments, lag"
    completed = kernel.complete(code, reply=True, timeout=60)["content"]["matches"]
    assert "lag_days=" in completed
