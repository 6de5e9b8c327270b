"""A run's page in a headless Chromium, which may load it from disk and nothing else from anywhere."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from reconcile.operations.night import match
from reconcile.settings.settings import Settings

SAMPLE = Path(__file__).parents[2] / "sample_data"
OpenPage = Callable[..., Any]


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """
    Give a headless Chromium: the system's own, or that of CHROME_BIN.

    It goes with its module: while it is there an event loop runs in this thread, in which no other test can have one.
    """
    playwright = pytest.importorskip("playwright.sync_api", reason="install playwright")
    executable = os.environ.get("CHROME_BIN") or shutil.which("chromium") or shutil.which("chromium-browser")
    if executable is None:
        pytest.skip("no Chromium: apt-get install chromium, or name one in CHROME_BIN")
    with playwright.sync_playwright() as running:
        # Chromium's sandbox does not work as root, which is what tests in a container run as.
        arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
        chromium = running.chromium.launch(executable_path=executable, args=arguments)
        yield chromium
        chromium.close()


@pytest.fixture(scope="session")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run folder of the sample data's files."""
    out = tmp_path_factory.mktemp("runs")
    settings = Settings.of(
        orders=(str(SAMPLE / "orders.csv"),), mode="live", tolerance_cents=2, lag_days=1, out=str(out)
    )
    return match(settings, SAMPLE / "payments.csv", business_date=date(2026, 11, 20)).folder


@pytest.fixture
def open_page(browser: Any) -> Iterator[OpenPage]:
    """Give a function that opens a file; any request but for it, and any error of a script, fails the test."""
    opened: list[tuple[Any, list[str]]] = []

    def open_(path: Path, **options: Any) -> Any:
        page = browser.new_page(**options)
        seen: list[str] = []
        page.on("request", lambda request: seen.append(request.url))
        page.on("pageerror", lambda error: seen.append(f"script: {error}"))
        page.on("console", lambda message: seen.append(f"console: {message.text}"))
        page.on("dialog", lambda dialog: (seen.append(f"dialog: {dialog.message}"), dialog.dismiss()))
        page.goto(path.as_uri())
        assert seen.pop(0) == path.as_uri()
        opened.append((page, seen))
        return page

    yield open_
    for page, seen in opened:
        page.close()
        assert [one for one in seen if not one.startswith("blob:")] == []
