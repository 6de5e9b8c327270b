"""`python -m benchmarks [NAME …]`: run all measurements, or those named."""

from __future__ import annotations

import importlib
import pkgutil
import sys
from pathlib import Path


def main() -> None:
    """Run each module's `main`."""
    names = sys.argv[1:] or [module.name for module in pkgutil.iter_modules([str(Path(__file__).parent)])]
    for name in names:
        if name.startswith("_"):
            continue
        print(f"== {name}", flush=True)
        sys.argv = [name]
        importlib.import_module(f"benchmarks.{name}").main()


if __name__ == "__main__":
    main()
