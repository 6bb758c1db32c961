"""Roll a trained cell out over a recorded trajectory, closed loop."""

from __future__ import annotations

from typing import TypeAlias, final

import casadi as ca
import numpy as np
from numpy.typing import NDArray

from packtwin.twin.errors import CompilerError
from packtwin.twin.library_cache import cached_library
from packtwin.twin.surrogate_model import cell_step_map
from packtwin.twin.surrogate_spec import SurrogateSpec
from packtwin.twin.trajectory import Trajectory

__all__ = ["Roller"]

# The libraries of this machine are compiled with all symbols hidden.
_EXPORTED = '#define CASADI_SYMBOL_EXPORT __attribute__((visibility("default")))\n'

Array: TypeAlias = NDArray[np.float64]


@final
class Roller:
    """A trained cell, ready to follow many trajectories.

    The state advances with the mean current of each step; the outputs are read with
    the current at its end, so that a piecewise-linear current is followed exactly.
    """

    def __init__(
        self, spec: SurrogateSpec, chunk: int = 200, *, is_compiled: bool = False
    ) -> None:
        """Build the rolled step once.

        Args:
            spec: The trained cell.
            chunk: Steps rolled per call.
            is_compiled: Whether to compile it, which pays from about a hundred
                trajectories on; without a C compiler it is interpreted all the same.
        """
        step_map = cell_step_map(spec)
        self.names = step_map.interface.output_names
        self._initialize = step_map.initialize
        n_x, n_u = len(step_map.memory), len(step_map.interface.inputs)
        n_p = len(step_map.interface.parameters)
        x, p = ca.MX.sym("x", n_x), ca.MX.sym("p", n_p)
        mean, end, h = ca.MX.sym("m", n_u), ca.MX.sym("e", n_u), ca.MX.sym("h")
        x_next, _ = step_map.step(x, 0.0, h, mean, p)
        _, y = step_map.step(x_next, 0.0, 0.0, end, p)
        one = ca.Function("one", [x, h, mean, end, p], [x_next, y])
        self._chunk = chunk
        rolled = one.mapaccum("rolled", chunk)
        self._rolled = _compiled(rolled) if is_compiled else rolled

    def follow(
        self, run: Trajectory, *, current_A: Array | None = None
    ) -> dict[str, Array]:
        """Return every output of the cell at the run's samples, by name.

        Args:
            run: What to follow.
            current_A: In place of the run's, such as one with noise.
        """
        u = np.stack(
            [
                run.current_A if current_A is None else current_A,
                run.coolant_temperature_K,
                np.full(len(run.time_s), run.heat_transfer_coefficient_W_per_m2K),
            ]
        )
        start_K = float(run.series["temperature_K"][0])
        p = np.array([run.start_soc, start_K, 1.0, 0.0])
        x, y = self._initialize(u[:, 0], p)
        steps, n = np.diff(run.time_s), len(run.time_s) - 1
        mean = 0.5 * (u[:, 1:] + u[:, :-1])
        columns = [y.full()]
        for begin in range(0, n, self._chunk):
            part = slice(begin, min(n, begin + self._chunk))
            pad = self._chunk - (part.stop - part.start)
            values = [
                np.pad(a[:, part], ((0, 0), (0, pad)), mode="edge")
                for a in (steps[None], mean, u[:, 1:])
            ]
            states, outputs = self._rolled(x, *values, ca.repmat(p, 1, self._chunk))
            last = part.stop - part.start
            x = states[:, last - 1]
            columns.append(outputs.full()[:, :last])
        stacked = np.concatenate(columns, axis=1)
        return {name: stacked[i] for i, name in enumerate(self.names)}


def _compiled(function: ca.Function) -> ca.Function:
    """Return a function as compiled C, or as it is where there is no compiler."""
    code = ca.CodeGenerator(f"{function.name()}.c")
    code.add(function)
    try:
        library = cached_library(function.name(), _EXPORTED + code.dump())
    except CompilerError:
        return function
    return ca.external(function.name(), str(library))
