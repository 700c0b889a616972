# Copyright: (c) 2026, Holdfast contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The rate limit's arithmetic: whatever a dump does, it writes no more than the limit allows."""

from __future__ import annotations

from hypothesis import example, given
from hypothesis import strategies as st

from holdfast.operations.brake import CREDIT, CYCLE, next_slice, paid_until, pause

LIMITS = st.integers(1, 10_000).map(lambda mib: mib << 20)
SECONDS = st.floats(0.001, 100)
#: How long a dump runs, and how much it writes meanwhile.
SLICES = st.lists(st.tuples(SECONDS, st.integers(0, 1 << 40)), min_size=1, max_size=50)
#: A float counts seconds and bytes to about 15 digits.
ROUNDING = 1e-6


@given(limit=LIMITS, slices=SLICES)
def test_what_was_written_is_within_the_limit_after_every_pause(limit: int, slices: list[tuple[float, int]]) -> None:
    ready = since = now = 0.0
    total = 0
    for seconds, written in slices:
        now += seconds
        total += written
        ready = paid_until(ready, since, written, limit)
        since = now
        now += pause(ready, now)
        left_over = 0.01
        assert total <= limit * (now + CREDIT + left_over) * (1 + ROUNDING)


@given(limit=LIMITS, slices=SLICES)
def test_a_dump_that_is_slower_than_the_limit_is_never_stopped(limit: int, slices: list[tuple[float, int]]) -> None:
    ready = since = now = 0.0
    for seconds, _written in slices:
        now += seconds
        ready = paid_until(ready, since, int(limit * seconds * 0.99), limit)
        since = now
        assert pause(ready, now) == 0


@given(limit=LIMITS, idle=st.floats(1, 10_000), seconds=st.floats(0.1, 10))
def test_a_dump_that_waited_may_not_make_up_for_it_with_a_burst(limit: int, idle: float, seconds: float) -> None:
    """Two slices: one in which nothing is written, however long, and one at twice the limit."""
    ready = paid_until(0, 0, 0, limit)
    ready = paid_until(ready, idle, int(2 * limit * seconds), limit)
    owed = pause(ready, idle + seconds)
    assert owed >= seconds - CREDIT - 0.01 - ROUNDING


@given(ran=st.floats(0.001, 10), paused=st.floats(0, 100), looked=st.floats(0, 10))
@example(ran=0.1, paused=0.0, looked=0.0)
@example(ran=0.01, paused=60.0, looked=0.0)
def test_slices_are_short_but_leave_time_to_look(ran: float, paused: float, looked: float) -> None:
    slice_ = next_slice(ran, paused, looked)
    assert 0.01 <= slice_ <= max(CYCLE, 10 * looked) / 2
    assert slice_ >= looked


@given(rate=st.floats(1.01, 20))
def test_a_steady_dump_ends_up_in_cycles_of_a_fifth_of_a_second(rate: float) -> None:
    """`rate`: how many times faster than the limit it writes while it runs."""
    ran = 0.01
    for _ in range(50):
        paused = ran * (rate - 1)
        ran, was = next_slice(ran, paused, 0), ran
    assert was + paused <= CYCLE * 1.01
