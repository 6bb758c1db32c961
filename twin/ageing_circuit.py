"""`ageing_circuit`: a small physical model of a cell, all of it to be identified.

    V    = U(z) - F [R_0 I + R(s, l) (w_1 i_1 + w_2 i_2)]
    di_k/dt = (I - i_k) / tau_k
    dq/dt   = I / 3600,   s = s_0 - q / Q,   z = s_0 - q / Q_z
    dQ/dt   = -k |I| (Q - Q_floor) / 3600,    l = 1 - Q / Q_fresh
    C dT/dt = I (U - V) - I T U_T(z) - K (T - T_ambient)

`U` (open-circuit voltage), `R` (polarisation) and `U_T` (entropy) are natural cubic
splines with values at chosen nodes. `Q` is the capacity that the cell delivers at its
usual current, `l` its loss. Resistance grows with the loss, `R(s, l) = R_a(s) + l
R_b(s)`, and part of the loss is polarisation, not lithium: the inventory is `Q_z =
Q_fresh (1 - lambda l)`. The loss follows throughput as a reaction of first order that
runs out, as of the lithium that a cell can lose to a film (its square-root law is that
of H. J. Ploehn, P. Ramadass, R. E. White, J. Electrochem. Soc. 151 (2004) A456,
doi:10.1149/1.1644601; it fits the cells measured here worse). Heat is the energy
balance of D. Bernardi, E. Pawlikowski, J. Newman, J. Electrochem. Soc. 132 (1985) 5,
doi:10.1149/1.2113792. `F = exp(A (1/T - 1/T_ref))`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, TypeAlias, final

import casadi as ca
import numpy as np

from packtwin.twin.errors import InterfaceError
from packtwin.twin.model import Model, model_from_expressions, names_to_symbols
from packtwin.twin.natural_spline import spline_expression
from packtwin.twin.variable import Interface, Variable

__all__ = ["CircuitNodes", "ageing_circuit"]

Symbol: TypeAlias = Any

_REFERENCE_K = 298.15
_SECONDS_PER_HOUR = 3600.0
_SMALL = 1e-9


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class CircuitNodes:
    """Where the splines have their values; states of charge, increasing.

    Attributes:
        ocv: Of the open-circuit voltage.
        resistance: Of the polarisation and its growth.
        entropy: Of the entropy; empty for none.
    """

    ocv: tuple[float, ...]
    resistance: tuple[float, ...]
    entropy: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        """Refuse nodes that make no spline."""
        for name in ("ocv", "resistance", "entropy"):
            nodes = getattr(self, name)
            is_short = len(nodes) < 2 and (nodes or name != "entropy")
            if is_short or any(b <= a for a, b in pairwise(nodes)):
                listed = ", ".join(f"{node:g}" for node in nodes) or "none"
                msg = (
                    f"The nodes of `{name}` are {listed}, expected two or more "
                    "increasing states of charge. Correct them."
                )
                raise InterfaceError(msg)


def ageing_circuit(
    nodes: CircuitNodes, starts: Mapping[str, float] | None = None
) -> Model:
    """Return the circuit as a `Model`.

    Inputs are `current_A` and `ambient_temperature_K`; outputs `voltage_V`,
    `temperature_K`, `soc`, `ocv_V`, `heat_W` and `capacity_Ah`. The open-circuit
    voltage is `ocv_start_V` at its first node and rises by `ocv_step_1_V` and so on to
    the next ones, so that it is increasing at the nodes where the steps are positive.

    Args:
        nodes: Of the splines.
        starts: Values of parameters that differ from the general ones.
    """
    parameters = _parameters(nodes)
    interface = Interface(
        inputs=(
            Variable(name="current_A", description="Positive on discharge"),
            Variable(name="ambient_temperature_K", start=_REFERENCE_K),
        ),
        outputs=(
            Variable(name="voltage_V", description="At the terminals"),
            Variable(name="temperature_K", description="Of the cell"),
            Variable(name="soc", description="Share of the capacity that is left"),
            Variable(name="ocv_V", description="Open-circuit voltage"),
            Variable(name="heat_W", description="Heat made in the cell"),
            Variable(name="capacity_Ah", description="Capacity left by ageing"),
        ),
        parameters=parameters,
    ).with_starts(dict(starts or {}))
    states = (
        Variable(name="charge_out_Ah", description="Taken out since the start"),
        Variable(name="pair_1_A", description="Current of the fast pair's resistor"),
        Variable(name="pair_2_A", description="Current of the slow pair's resistor"),
        Variable(name="temperature_K", nominal=300.0),
        Variable(name="capacity_Ah", description="Falls with throughput"),
    )
    t = ca.SX.sym("t")
    x, by_state = names_to_symbols(states, "x")
    u, by_input = names_to_symbols(interface.inputs, "u")
    p, q = names_to_symbols(interface.parameters, "p")
    voltage_V, ocv_V, soc, entropy_V_per_K = _voltage(nodes, by_state, by_input, q)
    current_A, temperature_K = by_input["current_A"], by_state["temperature_K"]
    heat_W = current_A * (ocv_V - voltage_V - temperature_K * entropy_V_per_K)
    lost_W = q["cooling_W_per_K"] * (temperature_K - by_input["ambient_temperature_K"])
    reserve_Ah = by_state["capacity_Ah"] - q["capacity_floor_Ah"]
    through_Ah_per_s = ca.sqrt(current_A**2 + _SMALL) / _SECONDS_PER_HOUR
    return model_from_expressions(
        "ageing_circuit",
        interface,
        states,
        symbols=(t, x, u, p),
        rhs={
            "charge_out_Ah": current_A / _SECONDS_PER_HOUR,
            "pair_1_A": (current_A - by_state["pair_1_A"]) / q["pair_1_time_s"],
            "pair_2_A": (current_A - by_state["pair_2_A"]) / q["pair_2_time_s"],
            "temperature_K": (heat_W - lost_W) / q["heat_capacity_J_per_K"],
            "capacity_Ah": -through_Ah_per_s * reserve_Ah / q["fade_charge_Ah"],
        },
        outputs={
            "voltage_V": voltage_V,
            "temperature_K": temperature_K,
            "soc": soc,
            "ocv_V": ocv_V,
            "heat_W": heat_W,
            "capacity_Ah": by_state["capacity_Ah"],
        },
        initial={
            "charge_out_Ah": ca.SX(0.0),
            "pair_1_A": ca.SX(0.0),
            "pair_2_A": ca.SX(0.0),
            "temperature_K": q["temperature_start_K"],
            "capacity_Ah": q["capacity_start_Ah"],
        },
    )


def _voltage(
    nodes: CircuitNodes,
    state: Mapping[str, Symbol],
    given: Mapping[str, Symbol],
    q: Mapping[str, Symbol],
) -> tuple[Symbol, Symbol, Symbol, Symbol]:
    """Return voltage, open-circuit voltage, state of charge and entropy."""
    current_A, out_Ah = given["current_A"], state["charge_out_Ah"]
    loss = 1.0 - state["capacity_Ah"] / q["capacity_fresh_Ah"]
    inventory_Ah = q["capacity_fresh_Ah"] * (1.0 - q["inventory_share"] * loss)
    soc = q["soc_start"] - out_Ah / state["capacity_Ah"]
    bulk = q["soc_start"] - out_Ah / inventory_Ah
    deficit_As = q["surface_delay_s"] * state["pair_2_A"]
    surface = bulk - deficit_As / (_SECONDS_PER_HOUR * inventory_Ah)
    levels = [q["ocv_start_V"]]
    for k in range(1, len(nodes.ocv)):
        levels.append(levels[-1] + q[f"ocv_step_{k}_V"])
    ocv_V = spline_expression(np.array(nodes.ocv), levels, surface)
    at, count = np.array(nodes.resistance), range(len(nodes.resistance))
    growth = loss + q["extra_growth"]
    values = [q[f"resistance_{k}_Ohm"] + growth * q[f"growth_{k}_Ohm"] for k in count]
    resistance_Ohm = spline_expression(at, values, soc)
    share = q["pair_share"]
    lagged_A = share * state["pair_1_A"] + (1.0 - share) * state["pair_2_A"]
    arrhenius = q["activation_K"] * (1.0 / state["temperature_K"] - 1.0 / _REFERENCE_K)
    scale_A = 2.0 * q["kinetic_current_A"]
    prompt_A = scale_A * ca.asinh(current_A / scale_A)
    drop_V = q["ohmic_Ohm"] * prompt_A + resistance_Ohm * lagged_A
    entropy_V_per_K: Symbol = ca.SX(0.0)
    if nodes.entropy:
        slopes = [q[f"entropy_{k}_V_per_K"] for k in range(len(nodes.entropy))]
        entropy_V_per_K = spline_expression(np.array(nodes.entropy), slopes, bulk)
    return ocv_V - ca.exp(arrhenius) * drop_V, ocv_V, soc, entropy_V_per_K


def _parameters(nodes: CircuitNodes) -> tuple[Variable, ...]:
    def positive(name: str, start: float, description: str) -> Variable:
        return Variable(name=name, start=start, minimum=1e-9, description=description)

    rise_V = 1.0 / (len(nodes.ocv) - 1)
    return (
        Variable(name="soc_start", start=1.0, minimum=0.0, maximum=1.1),
        Variable(name="temperature_start_K", start=_REFERENCE_K, minimum=200.0),
        positive("capacity_start_Ah", 2.0, "At the start of the record"),
        positive("capacity_fresh_Ah", 2.0, "Before any ageing"),
        Variable(name="capacity_floor_Ah", description="What ageing leaves"),
        positive("fade_charge_Ah", 1e6, "Throughput that leaves 1/e of the rest"),
        Variable(name="extra_growth", description="Growth beside that by the loss"),
        Variable(name="inventory_share", start=1.0, minimum=0.0, maximum=1.0),
        positive("ohmic_Ohm", 0.05, "Prompt resistance"),
        positive("kinetic_current_A", 1e4, "Where the prompt drop bends (asinh)"),
        Variable(name="pair_share", start=0.5, minimum=0.0, maximum=1.0),
        positive("pair_1_time_s", 30.0, "Lag of the fast pair"),
        positive("pair_2_time_s", 300.0, "Lag of the slow pair and the surface"),
        Variable(
            name="surface_delay_s",
            minimum=0.0,
            description="Charge at the "
            "surface that is missing, over the slow pair's current",
        ),
        Variable(name="activation_K", description="Of the resistances"),
        positive("heat_capacity_J_per_K", 40.0, "Of the cell"),
        positive("cooling_W_per_K", 0.1, "To the ambient"),
        Variable(name="ocv_start_V", start=3.1),
        *(
            positive(f"ocv_step_{k}_V", rise_V, "From the node before")
            for k in range(1, len(nodes.ocv))
        ),
        *(
            positive(f"resistance_{k}_Ohm", 0.05, f"Polarisation at {at:g}")
            for k, at in enumerate(nodes.resistance)
        ),
        *(
            Variable(name=f"growth_{k}_Ohm", description=f"For all lost, at {at:g}")
            for k, at in enumerate(nodes.resistance)
        ),
        *(
            Variable(name=f"entropy_{k}_V_per_K", description=f"At {at:g}")
            for k, at in enumerate(nodes.entropy)
        ),
    )
