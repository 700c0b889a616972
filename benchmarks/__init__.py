"""How fast Holdfast is beside what a user would run instead: `make bench`, or `python -m benchmarks`.

Both sides of a comparison run in one session, by turns, on the same data with the same tools, and only
their ratio is worth comparing between machines. Nothing here fails for being slow: these are
measurements, not tests.
"""

import sys
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent

# The core is imported as `holdfast`, as in the tests, whether or not the caller set PYTHONPATH.
sys.path.insert(0, str(PROJECT / "module_utils"))
