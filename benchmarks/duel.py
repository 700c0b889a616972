"""Measure several sides by turns, so that whatever else the machine does meets all of them alike."""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Side:
    """One way to do the work.

    :param work: what is measured.
    :param before: what has to be done first and is not measured.
    :param after: what is looked at afterwards and is not measured.
    """

    work: Callable[[], None]
    before: Callable[[], None] = lambda: None
    after: Callable[[], None] = lambda: None


@dataclass
class Times:
    """Seconds of each side, by round."""

    seconds: dict[str, list[float]] = field(default_factory=dict)

    def median(self, side: str) -> float:
        """The median over all rounds."""
        return statistics.median(self.seconds[side])

    def ratio(self, side: str, base: str) -> float:
        """How many times as fast as `base` a side is: the ratio of the medians."""
        return self.median(base) / self.median(side)

    def ratios(self, side: str, base: str) -> list[float]:
        """The same for each round alone: its spread says what the ratio of the medians is worth."""
        return [theirs / ours for ours, theirs in zip(self.seconds[side], self.seconds[base], strict=True)]


def interleave(sides: Mapping[str, Side], rounds: int, tell: Callable[[str], None]) -> Times:
    """Run every side once in each round, A B A B, and time it."""
    times = Times({name: [] for name in sides})
    for number in range(1, rounds + 1):
        for name, side in sides.items():
            side.before()
            # What one side left to be written must not burden the next.
            os.sync()
            began = time.monotonic()
            side.work()
            took = time.monotonic() - began
            times.seconds[name].append(took)
            tell(f"round {number} of {rounds}: {name}: {took:.2f} s")
            side.after()
    return times
