"""What a process costs: seconds, and the most memory it held."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Cost:
    """Wall seconds of a whole process, and its peak resident memory in bytes (on Linux; elsewhere 0)."""

    seconds: float
    peak: int

    @property
    def peak_mb(self) -> float:
        """The peak in megabytes."""
        return self.peak / 1e6


def cost_of(command: Sequence[object], *, env: Mapping[str, str] | None = None) -> Cost:
    """
    Run `command`, whose output goes nowhere, and return what it costs. Raises CalledProcessError when it fails.

    The peak is read from /proc while it runs: what `getrusage` tells of a child is never below the peak of its parent.
    """
    words = [str(word) for word in command]
    started, peak = time.perf_counter(), 0
    with subprocess.Popen(words, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        status = Path(f"/proc/{process.pid}/status")
        while process.poll() is None:
            peak = max(peak, _high_water(status))
            time.sleep(0.005)
        seconds = time.perf_counter() - started
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, words)
    return Cost(seconds, peak)


def _high_water(status: Path) -> int:
    try:
        lines = status.read_text().splitlines()
    except OSError:  # gone, or no such system
        return 0
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM:")), 0)
