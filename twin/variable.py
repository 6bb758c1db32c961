"""`Variable` and `Interface`: what a model, step map or FMU shows outside."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field, replace
from typing import Literal, TypeAlias, final

import numpy as np
from numpy.typing import NDArray

from packtwin.twin.errors import InterfaceError
from packtwin.twin.units import UNITS, unit_of_name

__all__ = ["Interface", "Sampling", "Variability", "Variable", "nearest_names"]

Variability: TypeAlias = Literal[
    "constant", "fixed", "tunable", "discrete", "continuous"
]
Sampling: TypeAlias = Literal["end", "mean"]

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*(\[\d+(,\d+)*\])?\Z")


def nearest_names(name: str, known: tuple[str, ...] | list[str], n: int = 3) -> str:
    """Return the known names nearest to `name` as one phrase for an error."""
    import difflib

    close = difflib.get_close_matches(name, known, n=n, cutoff=0.4)
    names = close or sorted(known)[:12]
    return ", ".join(f"`{item}`" for item in names)


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Variable:
    """One named scalar with a unit.

    Attributes:
        name: C identifier (an index, `[i]` or `[i,j]`, may follow) ending in its unit.
        description: One sentence.
        start: Start value in the variable's unit.
        minimum: Smallest allowed value.
        maximum: Largest allowed value.
        nominal: Order of magnitude, used for scaling; > 0.
        variability: As in FMI. Parameters are `fixed` or `tunable`.
        sampling: For outputs, `end`: the value at the end of the step; `mean`: the
            exact mean over the step (flows, so that coupled balances close).
        unit: Filled from the name's suffix.
    """

    name: str
    description: str = ""
    start: float = 0.0
    minimum: float = -math.inf
    maximum: float = math.inf
    nominal: float = 1.0
    variability: Variability = "continuous"
    sampling: Sampling = "end"
    unit: str = field(default="")

    def __post_init__(self) -> None:
        """Check the name, the unit and the bounds."""
        if not _NAME.match(self.name):
            msg = f"`{self.name}` is not a usable variable name; use a C identifier."
            raise InterfaceError(msg)
        promised = unit_of_name(self.name)
        if not self.unit:
            object.__setattr__(self, "unit", promised)
        if self.unit not in UNITS or self.unit != promised:
            msg = (
                f"`{self.name}` promises unit `{promised}` by its suffix but was "
                f"given `{self.unit}`; rename it or correct the unit."
            )
            raise InterfaceError(msg)
        if not self.minimum <= self.start <= self.maximum:
            msg = (
                f"`{self.name}` starts at {self.start} {self.unit}, outside its range "
                f"[{self.minimum}, {self.maximum}]."
            )
            raise InterfaceError(msg)

    def with_start(self, start: float) -> Variable:
        """Return this variable with another start value."""
        return replace(self, start=start)


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Interface:
    """Inputs, outputs and parameters, each in vector order."""

    inputs: tuple[Variable, ...] = ()
    outputs: tuple[Variable, ...] = ()
    parameters: tuple[Variable, ...] = ()

    def __post_init__(self) -> None:
        """Refuse a name used twice."""
        seen: set[str] = set()
        for variable in (*self.inputs, *self.outputs, *self.parameters):
            if variable.name in seen:
                msg = f"The name `{variable.name}` is used twice; make names unique."
                raise InterfaceError(msg)
            seen.add(variable.name)

    @property
    def input_names(self) -> tuple[str, ...]:
        """Names of the inputs in vector order."""
        return tuple(variable.name for variable in self.inputs)

    @property
    def output_names(self) -> tuple[str, ...]:
        """Names of the outputs in vector order."""
        return tuple(variable.name for variable in self.outputs)

    @property
    def parameter_names(self) -> tuple[str, ...]:
        """Names of the parameters in vector order."""
        return tuple(variable.name for variable in self.parameters)

    @property
    def is_mean_output(self) -> NDArray[np.bool_]:
        """Flags of the outputs that are means over the step."""
        return np.array([v.sampling == "mean" for v in self.outputs], bool)

    def with_starts(self, starts: dict[str, float]) -> Interface:
        """Return the interface with other start values of inputs and parameters."""
        known = (*self.input_names, *self.parameter_names)
        for name in starts:
            if name not in known:
                msg = f"No input or parameter `{name}`; nearest: " + (
                    f"{nearest_names(name, known)}."
                )
                raise InterfaceError(msg)
        return replace(
            self,
            inputs=tuple(
                v.with_start(starts.get(v.name, v.start)) for v in self.inputs
            ),
            parameters=tuple(
                v.with_start(starts.get(v.name, v.start)) for v in self.parameters
            ),
        )
