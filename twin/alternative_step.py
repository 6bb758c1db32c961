"""`SteppedPredictor`: a learned core with counted charge and lumped heat around it.

What all stepping alternatives share, so that they differ only in their core: the state
of charge is counted exactly, and the temperature follows the heat balance

    dH/dt = q I (U - V) - I T dU/dT - h A (T - T_coolant)

with the cell's known open-circuit voltage `U` (D. Bernardi, E. Pawlikowski, J. Newman,
J. Electrochem. Soc. 132 (1985) 5-12, doi:10.1149/1.2113792); `q` is the share of the
loss that the data count as heat. The whole is a `StepMap`, hence also C and an FMU.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias, final, runtime_checkable

import casadi as ca
import numpy as np
from numpy.typing import NDArray

from packtwin.twin.cell_interface import cell_interface
from packtwin.twin.model import names_to_symbols
from packtwin.twin.step_map import StepMap
from packtwin.twin.surrogate_casadi import (
    CasadiOperations,
)
from packtwin.twin.surrogate_core import heating_time, inverse_temperature
from packtwin.twin.surrogate_spec import SurrogateSpec
from packtwin.twin.trajectory import Trajectory
from packtwin.twin.variable import Interface, Variable

__all__ = ["Instant", "LearnedCore", "SteppedPredictor"]

Array: TypeAlias = NDArray[np.float64]
Layers: TypeAlias = list[tuple[Array, Array]]

_CHUNK = 200


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Instant:
    """What a core sees, as CasADi expressions.

    Attributes:
        current_A: Of the step, or at its end for the outputs.
        c_rate: The same over the nominal capacity.
        soc: At the end of the step.
        theta: Inverse temperature at the start of the step.
        ocv_V: Open-circuit voltage at `soc`.
    """

    current_A: Any
    c_rate: Any
    soc: Any
    theta: Any
    ocv_V: Any

    @property
    def features(self) -> Any:
        """Scaled current, temperature and charge: the inputs of black boxes."""
        return ca.vertcat(self.c_rate, 4.0 * self.theta, 4.0 * (self.soc - 0.5))


@runtime_checkable
class LearnedCore(Protocol):
    """What is learned: states that start at 0 and two or one outputs."""

    @property
    def state_names(self) -> tuple[str, ...]:
        """Names of the states."""
        ...

    @property
    def has_plating(self) -> bool:
        """Whether a plating potential is among the outputs."""
        ...

    def advance(self, core: Any, now: Instant, h: Any) -> Any:
        """Return the states after a step of `h` seconds."""
        ...

    def outputs(self, core: Any, now: Instant) -> list[Any]:
        """Return the voltage and, where the core has it, the plating potential."""
        ...


@final
class SteppedPredictor:
    """A fitted core as a cell.

    Attributes:
        name: Name in tables.
        step_map: One step of it.
    """

    def __init__(
        self,
        name: str,
        spec: SurrogateSpec,
        core: LearnedCore,
        *,
        heat_share: float = 1.0,
        substep_s: float = np.inf,
    ) -> None:
        """Build the step.

        Args:
            name: C identifier.
            spec: The cell; only its constants and tables are used.
            core: What was learned.
            heat_share: The `q` above.
            substep_s: Longest step that the core can take at once.
        """
        self.name = name
        advance, read, self.step_map = _functions(
            name, spec, core, heat_share, substep_s
        )
        self._rolled = _chunk_of(advance, read).mapaccum(_CHUNK)

    def follow(self, run: Trajectory) -> dict[str, Array]:
        """Return every output at the run's samples.

        States advance with the mean current of each step, outputs are read with the
        current at its end.
        """
        start_K = float(run.series["temperature_K"][0])
        h = run.heat_transfer_coefficient_W_per_m2K
        n = len(run.time_s) - 1
        u = np.stack([run.current_A, run.coolant_temperature_K, np.full(n + 1, h)])
        p = np.array([run.start_soc, start_K])
        x, y = self.step_map.initialize(u[:, 0], p)
        steps_s, mean = np.diff(run.time_s), 0.5 * (u[:, 1:] + u[:, :-1])
        columns = [y.full()]
        for begin in range(0, n, _CHUNK):
            count = min(n - begin, _CHUNK)
            pick = np.minimum(np.arange(begin, begin + _CHUNK), n - 1)
            states, outputs = self._rolled(
                x, steps_s[None, pick], mean[:, pick], u[:, 1 + pick], p
            )
            x = states[:, count - 1]
            columns.append(outputs.full()[:, :count])
        rows = np.concatenate(columns, axis=1)
        names = self.step_map.interface.output_names
        return {name: rows[i] for i, name in enumerate(names)}


def _chunk_of(advance: ca.Function, read: ca.Function) -> ca.Function:
    n_x, n_u, n_p = (advance.numel_in(i) for i in (0, 2, 3))
    x, h, p = ca.MX.sym("x", n_x), ca.MX.sym("h"), ca.MX.sym("p", n_p)
    mean, end = ca.MX.sym("mean", n_u), ca.MX.sym("end", n_u)
    moved = advance(x, h, mean, p)
    return ca.Function("roll", [x, h, mean, end, p], [moved, read(moved, end, p)])


def _interface(core: LearnedCore) -> Interface:
    whole = cell_interface()
    kept = ["voltage_V", "soc", "temperature_K"]
    kept += ["plating_potential_V"] if core.has_plating else []
    parameters = ("start_soc", "start_temperature_K")
    return Interface(
        inputs=whole.inputs,
        outputs=tuple(v for v in whole.outputs if v.name in kept),
        parameters=tuple(v for v in whole.parameters if v.name in parameters),
    )


def _functions(
    name: str,
    spec: SurrogateSpec,
    core: LearnedCore,
    heat_share: float,
    substep_s: float,
) -> tuple[ca.Function, ca.Function, StepMap]:
    """Return one move of the states, the outputs of states, and both as a step."""
    interface, c, tables = _interface(core), spec.constants, spec.tables
    ops, n = CasadiOperations({}), len(core.state_names)
    memory = (
        *(Variable(name=label) for label in core.state_names),
        Variable(name="soc"),
        Variable(name="heat_content_J", nominal=1000.0),
    )
    x, h = ca.MX.sym("x", n + 2), ca.MX.sym("h")
    u, U = names_to_symbols(interface.inputs, "u", ca.MX)
    p, P = names_to_symbols(interface.parameters, "p", ca.MX)
    current_A = U["current_A"]

    def seen(soc: Any, temperature_K: Any) -> tuple[Instant, Any]:
        ocv_V, entropy = _open_circuit(spec, soc, temperature_K)
        now = Instant(
            current_A=current_A,
            c_rate=current_A / c.nominal_capacity_Ah,
            soc=soc,
            theta=inverse_temperature(c, temperature_K),
            ocv_V=ocv_V,
        )
        return now, entropy

    temperature_K = tables["temperature_K"].casadi(x[n + 1])
    soc = x[n] - h * current_A / (3600.0 * c.capacity_Ah)
    now, entropy = seen(soc, temperature_K)
    moved = core.advance(x[:n], now, h)
    loss_V = heat_share * (now.ocv_V - core.outputs(moved, now)[0])
    conductance = U["heat_transfer_coefficient_W_per_m2K"] * c.cooling_area_m2
    net_W = current_A * (loss_V - temperature_K * entropy)
    net_W -= conductance * (temperature_K - U["coolant_temperature_K"])
    heat_s = heating_time(ops, c, conductance_W_per_K=conductance, h=h)
    after = ca.densify(ca.vertcat(moved, soc, x[n + 1] + heat_s * net_W))
    advance = ca.Function("advance", [x, h, u, p], [ca.cse(after)])

    values = dict(
        zip(
            ("voltage_V", "plating_potential_V"),
            core.outputs(x[:n], seen(x[n], temperature_K)[0]),
            strict=False,
        )
    )
    values |= {"soc": x[n], "temperature_K": temperature_K}
    y = ca.vertcat(*[values[k] for k in interface.output_names])
    read = ca.Function("read", [x, u, p], [ca.cse(ca.densify(y))])

    start_J = tables["heat_content_J"].casadi(P["start_temperature_K"])
    start = ca.densify(ca.vertcat(ca.MX.zeros(n), P["start_soc"], start_J))
    arguments = [x, ca.MX.sym("t"), h, u, p]
    step = [after, read(after, u, p)]
    step_map = StepMap(
        name=name,
        interface=interface,
        memory=memory,
        initialize=ca.Function(
            f"{name}_initialize", [u, p], [start, read(start, u, p)]
        ),
        step=ca.Function(f"{name}_step", arguments, ca.cse(step)),
        substep_s=float(substep_s),
    )
    return advance, read, step_map


def _open_circuit(spec: SurrogateSpec, soc: Any, temperature_K: Any) -> tuple[Any, Any]:
    """Return open-circuit voltage and its slope over temperature."""
    c, tables = spec.constants, spec.tables
    x, y = c.stoichiometries(soc)
    entropy = tables["entropy_positive_V_per_K"].casadi(y)
    entropy -= tables["entropy_negative_V_per_K"].casadi(x)
    rest_V = tables["ocp_positive_V"].casadi(y) - tables["ocp_negative_V"].casadi(x)
    return rest_V + (temperature_K - c.reference_temperature_K) * entropy, entropy
