"""A pull while it runs: one line on a terminal, a line now and then in a log, nothing where silence is asked for."""

from __future__ import annotations

import contextlib
import fcntl
import json
import logging
import os
import pty
import struct
import sys
import termios
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import TextIO

import pytest

from reconcile.cli import progress
from reconcile.cli.log_lines import logging_to
from reconcile.cli.options import Session
from reconcile.cli.progress import PullDisplay
from reconcile.payments.report import PullProgress

TALKS = Session(None, 0, quiet=False, log_json=False)
ONE = PullProgress(
    pages=1, payments=25, expected_payments=1000, requests=4, retries=0, waiting_seconds=0.0, rate_per_minute=200.0,
    quota_limit=None, quota_remaining=None, rewalks=0, hold_seconds=21.0, left_seconds=300.0,
)  # fmt: skip


class Screen:
    """A terminal, and what it is sent."""

    def __init__(self, stream: TextIO, sent: int) -> None:
        self.stream = stream
        self._sent = sent
        os.set_blocking(sent, False)

    def resize(self, columns: int) -> None:
        fcntl.ioctl(self.stream, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))

    def read(self) -> str:
        sent = b""
        with contextlib.suppress(BlockingIOError):
            while True:
                sent += os.read(self._sent, 1 << 16)
        return sent.decode().replace("\r\n", "\n")


@pytest.fixture
def screen_of(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[int], Screen]]:
    """Return a function that makes standard error a terminal of so many columns."""
    monkeypatch.setenv("TERM", "xterm")
    ours, theirs = pty.openpty()
    with os.fdopen(ours), os.fdopen(theirs, "w") as stream:

        def screen_of(columns: int) -> Screen:
            monkeypatch.setattr(sys, "stderr", stream)
            screen = Screen(stream, ours)
            screen.resize(columns)
            return screen

        yield screen_of


@pytest.mark.parametrize("columns", [30, 80, 120, 200])
def test_a_terminal_has_one_line_that_is_written_over(columns: int, screen_of: Callable[[int], Screen]) -> None:
    screen = screen_of(columns)
    with PullDisplay(TALKS) as display:
        for payments in range(0, 1001, 100):
            display(replace(ONE, payments=payments))
    sent = screen.read()
    first, *frames = sent.removesuffix("\n").split("\r")

    assert first == ""
    assert {len(frame) for frame in frames} == {columns - 1}
    assert sent.count("\n") == 1
    assert sent.endswith("\n")
    assert len(frames) == 11


def test_a_line_is_as_wide_as_the_terminal_is_now(screen_of: Callable[[int], Screen]) -> None:
    screen, widths = screen_of(120), []
    with PullDisplay(TALKS) as display:
        for columns in (120, 50):
            screen.resize(columns)
            display(ONE)
            widths.append(len(screen.read().removeprefix("\r")))

    assert widths == [119, 49]


def test_a_warning_stands_on_a_line_of_its_own(screen_of: Callable[[int], Screen]) -> None:
    screen = screen_of(60)
    with logging_to(screen.stream), PullDisplay(TALKS) as display:
        display(ONE)
        screen.read()
        logging.getLogger("reconcile.run").warning("the server is slow")
        sent = screen.read()

    assert sent.startswith(f"\r{' ' * 59}\r")
    assert sent.endswith("the server is slow\n")


def test_what_is_no_terminal_gets_lines_and_not_too_many(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with PullDisplay(TALKS) as display:
        display(ONE)
        assert capsys.readouterr().err == ""

        monkeypatch.setattr(progress, "_LINE_SECONDS", 0.0)
        display(ONE)
    assert capsys.readouterr().err == (
        "25 of 1,000 payments (2%), waiting 21 s for the rate limit, about 5 min left, 200 requests/min\n"
    )


def test_a_dumb_terminal_gets_lines(screen_of: Callable[[int], Screen], monkeypatch: pytest.MonkeyPatch) -> None:
    screen = screen_of(80)
    monkeypatch.setenv("TERM", "dumb")
    monkeypatch.setattr(progress, "_LINE_SECONDS", 0.0)
    with PullDisplay(TALKS) as display:
        display(ONE)

    assert screen.read().startswith("25 of 1,000 payments (2%), ")


def test_a_log_of_json_has_events_with_the_figures(
    screen_of: Callable[[int], Screen], monkeypatch: pytest.MonkeyPatch
) -> None:
    screen = screen_of(80)
    monkeypatch.setattr(progress, "_LINE_SECONDS", 0.0)
    with logging_to(screen.stream, as_json=True), PullDisplay(replace(TALKS, log_json=True)) as display:
        display(ONE)
    event = json.loads(screen.read())

    assert event["message"].startswith("25 of 1,000 payments (2%), ")
    assert (event["payments"], event["expected_payments"], event["hold_seconds"]) == (25, 1000, 21.0)


def test_silence_is_kept(screen_of: Callable[[int], Screen], monkeypatch: pytest.MonkeyPatch) -> None:
    screen = screen_of(80)
    monkeypatch.setattr(progress, "_LINE_SECONDS", 0.0)
    with PullDisplay(replace(TALKS, quiet=True)) as display:
        display(ONE)

    assert screen.read() == ""
