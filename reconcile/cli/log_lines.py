"""
What a process says about itself: log lines on standard error, for people or as JSON, never with a secret in them.

Progress displays belong to the commands; figures travel up as return values.
"""

from __future__ import annotations

import contextlib
import io
import logging
import sys
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import TextIO

import msgspec

ROOT = "reconcile"
_STANDARD = frozenset(logging.makeLogRecord({}).__dict__) | {"message", "asctime", "taskName"}


class Redaction(logging.Filter):
    """Replaces every known secret in a record, in its arguments and in its traceback by `[secret]`."""

    def __init__(self, secrets: Iterable[str]) -> None:
        super().__init__()
        # A very short secret would blank out innocent text, and protects nothing.
        self.secrets = sorted({secret for secret in secrets if len(secret) >= 4}, key=len, reverse=True)

    def filter(self, record: logging.LogRecord) -> bool:
        record.msg = self.clean(record.getMessage())
        record.args = None
        if record.exc_info:
            with io.StringIO() as trace:
                trace.write(logging.Formatter().formatException(record.exc_info))
                record.exc_text = self.clean(trace.getvalue())
            record.exc_info = None
        for name in record.__dict__.keys() - _STANDARD:
            if isinstance(record.__dict__[name], str):
                record.__dict__[name] = self.clean(record.__dict__[name])
        return True

    def clean(self, text: str) -> str:
        for secret in self.secrets:
            text = text.replace(secret, "[secret]")
        return text


class JsonLines(logging.Formatter):
    """One JSON object per line: `time`, `level`, `logger`, `message` and the record's own extra fields."""

    def format(self, record: logging.LogRecord) -> str:
        event: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        event |= {name: value for name, value in record.__dict__.items() if name not in _STANDARD}
        if record.exc_text or record.exc_info:
            event["traceback"] = record.exc_text or (record.exc_info and self.formatException(record.exc_info))
        return msgspec.json.encode(event, enc_hook=str).decode()


@contextlib.contextmanager
def logging_to(
    stream: TextIO | None = None, *, verbosity: int = 0, as_json: bool = False, secrets: Iterable[str] = ()
) -> Iterator[None]:
    """
    Send the log lines of reconcile to `stream` (standard error) for the time of the `with` block.

    `verbosity` 0 shows warnings, 1 the events of a run, 2 each request. `secrets` are blanked out of every line.
    """
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.addFilter(Redaction(secrets))
    handler.setFormatter(JsonLines() if as_json else logging.Formatter("%(asctime)s %(levelname)-7s %(message)s"))
    logger = logging.getLogger(ROOT)
    before = logger.level, logger.propagate
    # JSON lines are read by machines, which want the events also without -v.
    levels = (logging.INFO if as_json else logging.WARNING, logging.INFO, logging.DEBUG)
    logger.setLevel(levels[min(verbosity, 2)])
    logger.propagate = False
    logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.level, logger.propagate = before
