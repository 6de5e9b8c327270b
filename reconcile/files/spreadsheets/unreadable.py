"""What a file is that is no spreadsheet, or none that can be read; whose file it is knows the caller."""

from __future__ import annotations

SAVE_AS = "open it in a spreadsheet program and save it as .xlsx or CSV"
"""What to do about a spreadsheet of another kind."""

_DAMAGED = "open it in a spreadsheet program and save it again, or save it as CSV"


class NotASpreadsheet(Exception):
    """A file is not a spreadsheet that can be read: why, and what to do. `head` are its first bytes where they tell."""

    def __init__(self, problem: str, *, hint: str, head: bytes = b"") -> None:
        super().__init__(problem)
        self.problem = problem
        self.hint = hint
        self.head = head


def damaged(what: str) -> NotASpreadsheet:
    """Return the error for a spreadsheet file that is not what such a file must be."""
    return NotASpreadsheet(f"this is not a readable spreadsheet ({what})", hint=_DAMAGED)


def encrypted() -> NotASpreadsheet:
    """Return the error for a spreadsheet that only a password opens."""
    return NotASpreadsheet("the spreadsheet is protected by a password", hint="save it without one")
