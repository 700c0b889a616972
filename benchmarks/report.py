"""What a run prints and what it keeps."""

from __future__ import annotations

import json
import os
import platform
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks import PROJECT
from benchmarks.duel import Times

RESULTS = Path(__file__).parent / "results"
HEADINGS = ("what", "side", "measured", "against", "goal", "")


@dataclass(frozen=True)
class Line:
    """A line of the table.

    :param met: whether the goal was met; None where there is none.
    """

    what: str
    side: str
    measured: str
    against: str = ""
    goal: str = ""
    met: bool | None = None


def times(measured: Times, side: str, base: str) -> str:
    """`12.4x (11.9 to 12.8)`: the ratio of the medians and the spread over the rounds."""
    ratios = measured.ratios(side, base)
    spread = f" ({min(ratios):.1f} to {max(ratios):.1f})" if len(ratios) > 1 else ""
    return f"{measured.ratio(side, base):.1f}x{spread}"


def megabytes(size: float) -> str:
    """`422 MB`."""
    return f"{size / 1e6:.0f} MB"


def table(lines: Sequence[Line]) -> str:
    """All lines with aligned columns."""
    verdict = {True: "met", False: "missed", None: ""}
    rows = [HEADINGS] + [
        (line.what, line.side, line.measured, line.against, line.goal, verdict[line.met]) for line in lines
    ]
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEADINGS))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    )


def machine() -> dict[str, Any]:
    """Where and on what the run took place: without it a figure means nothing."""
    revision = subprocess.run(
        ["git", "-C", str(PROJECT), "describe", "--always", "--dirty"], capture_output=True, text=True
    )
    cpu = [line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")]
    return {
        "revision": revision.stdout.strip(),
        "python": platform.python_version(),
        "kernel": platform.release(),
        "cpu": cpu[0].partition(":")[2].strip() if cpu else platform.machine(),
        "cores": os.cpu_count(),
        "load_before": os.getloadavg()[0],
    }


def save(results: dict[str, Any]) -> Path:
    """Keep the results of a run as JSON, in a file named after the time."""
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}.json"
    path.write_text(json.dumps(results, indent=1) + "\n")
    return path
