"""The memory that a long recorded run takes, as a program of its own.

`python -m packtwin.scenarios.bench_cosim_memory FILE` prints in MB by how much the peak
of a run of a million steps is above that of a shorter one before it.
"""

from __future__ import annotations

import resource
import sys

import numpy as np

from packtwin.cosim.masters import Jacobi
from packtwin.cosim.parquet_sink import ParquetSink
from packtwin.cosim.simulate import simulate
from packtwin.cosim.sources import SignalSource
from packtwin.cosim.system import System

__all__ = ["main", "many_signals"]

_SHORT, _LONG = 100_000, 1_000_000


def many_signals() -> System:
    """Return a system of twenty signals that cost little to make."""
    columns = {f"y{i}_A": np.array([0.0, 1.0]) for i in range(20)}
    return System([SignalSource("table", [0.0, 2.0 * _LONG], columns)])


def main(path: str, steps: tuple[int, int] = (_SHORT, _LONG)) -> float:
    """Return the growth in MB.

    Args:
        path: Where to record.
        steps: Of the first and of the second run.
    """
    system, peaks = many_signals(), []
    for n_step in steps:
        simulate(
            system,
            stop_s=float(n_step),
            step_s=1.0,
            master=Jacobi(),
            sink=ParquetSink(path),
        )
        peaks.append(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3)
    return float(peaks[1] - peaks[0])


if __name__ == "__main__":
    sys.stdout.write(f"{main(sys.argv[1])}\n")
