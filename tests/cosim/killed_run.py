"""A run that is recorded to a file until somebody kills it; started by a test."""

from __future__ import annotations

import sys

from packtwin.cosim.masters import GaussSeidel
from packtwin.cosim.parquet_sink import ParquetSink
from packtwin.cosim.simulate import simulate
from packtwin.cosim.system import System
from tests.fakes import Clock


def main() -> None:
    path, is_compiled = sys.argv[1], sys.argv[2] == "C"
    simulate(
        System([Clock()]),
        stop_s=1e9,
        step_s=1.0,
        master=GaussSeidel(is_compiled=is_compiled),
        record=("clock.*",),
        sink=ParquetSink(path, flush_s=0.05),
    )


if __name__ == "__main__":
    main()
