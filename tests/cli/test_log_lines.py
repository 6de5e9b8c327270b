"""Log lines: for people or as JSON, and never with a secret in them."""

from __future__ import annotations

import io
import json
import logging

import pytest

from reconcile.cli.log_lines import logging_to

SECRET = "s3cr3t-canary"


def log() -> logging.Logger:
    return logging.getLogger("reconcile.test")


def test_a_secret_is_blanked_out_of_message_arguments_fields_and_traceback() -> None:
    stream = io.StringIO()
    with logging_to(stream, verbosity=2, as_json=True, secrets=[SECRET]):
        log().info("token %s", SECRET, extra={"body": f"x{SECRET}y"})
        try:
            raise ValueError(SECRET)
        except ValueError:
            log().exception("failed")

    assert SECRET not in stream.getvalue()
    assert stream.getvalue().count("[secret]") == 3


def test_json_lines_carry_the_fields_of_the_event() -> None:
    stream = io.StringIO()
    with logging_to(stream, as_json=True):
        log().info("done", extra={"stage": "pull", "seconds": 1.5})

    event = json.loads(stream.getvalue())

    assert event["time"].endswith("+00:00")
    assert {key: event[key] for key in ("level", "logger", "message", "stage", "seconds")} == {
        "level": "info",
        "logger": "reconcile.test",
        "message": "done",
        "stage": "pull",
        "seconds": 1.5,
    }


@pytest.mark.parametrize(("verbosity", "shown"), [(0, ["w"]), (1, ["w", "i"]), (2, ["w", "i", "d"])])
def test_verbosity_chooses_what_people_see(verbosity: int, shown: list[str]) -> None:
    stream = io.StringIO()
    with logging_to(stream, verbosity=verbosity):
        log().warning("w")
        log().info("i")
        log().debug("d")

    assert [line.split()[-1] for line in stream.getvalue().splitlines()] == shown


def test_a_line_break_in_a_message_stays_in_one_json_line() -> None:
    stream = io.StringIO()
    with logging_to(stream, as_json=True):
        log().warning("two\nlines")

    assert len(stream.getvalue().splitlines()) == 1


def test_the_logger_is_left_as_it_was_found() -> None:
    logger = logging.getLogger("reconcile")
    before = (logger.level, logger.propagate, list(logger.handlers))
    with logging_to(io.StringIO(), verbosity=2):
        pass

    assert (logger.level, logger.propagate, list(logger.handlers)) == before
