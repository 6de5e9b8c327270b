"""What the sandbox exports in these tests."""

from __future__ import annotations

from typing import Any

from reconcile.sandbox.exports.exports import ExportRules


def rules(**changes: Any) -> ExportRules:
    """Twenty records at most, and a hundred times faster than in earnest, as the tests' clock is."""
    return ExportRules(**{"maximum": 20, "time_scale": 100.0, **changes})
