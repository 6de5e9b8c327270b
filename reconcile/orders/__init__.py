"""The other side's totals, from wherever they were exported, read exactly or rejected with a reason."""
