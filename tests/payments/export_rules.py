"""What the sandbox exports in these tests."""

from __future__ import annotations

from typing import Any

from reconcile.sandbox.exports.exports import ExportRules


def rules(**changes: Any) -> ExportRules:
    """Twenty records at most, with the types of sources, and a hundred times faster than in earnest."""
    return ExportRules(**{"maximum": 20, "source_types": True, "time_scale": 100.0, **changes})
