"""The derivatives that an FMU gives, in our units."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from typing import TypeAlias, final

import numpy as np
from numpy.typing import NDArray

from packtwin.fmu.description import provides_directional_derivatives
from packtwin.fmu.file import FmuFile
from packtwin.fmu.mapped_interface import Kind, MappedInterface
from packtwin.fmu.stepping import AbstractStepping
from packtwin.fmu.variable_map import MappedVariable

__all__ = ["Derivatives"]

Vector: TypeAlias = NDArray[np.float64]

_REAL = ("Real", "Float64")
_ELEMENTS: dict[Kind, str] = {
    "co-simulation": "CoSimulation",
    "model-exchange": "ModelExchange",
}


@final
class Derivatives:
    """Derivatives of the real outputs; those of integers and booleans are zero.

    A mean over the step has no time derivative; zero stands there too.

    Attributes:
        has_output_slopes: Whether the FMU tells time derivatives of its outputs.
        is_directional: Whether it differentiates its outputs by its inputs.
    """

    def __init__(self, file: FmuFile, kind: Kind, mapped: MappedInterface) -> None:
        """Read what the FMU promises.

        Args:
            file: The FMU.
            kind: How it is used.
            mapped: Its variables; arrays give no derivatives here.
        """
        self._input_count, self._output_count = len(mapped.inputs), len(mapped.outputs)
        self._inputs = _real_scalars(mapped.inputs)
        self._outputs = _real_scalars(mapped.outputs)
        flags = file.description.coSimulation
        is_plain = not any(m.size > 1 for m in (*mapped.inputs, *mapped.outputs))
        self.has_output_slopes = (
            kind == "co-simulation"
            and is_plain
            and int(flags.maxOutputDerivativeOrder or 0) > 0
        )
        self.is_directional = is_plain and provides_directional_derivatives(
            file.root, _ELEMENTS[kind]
        )
        outputs = mapped.outputs
        self._lasting = [
            i for i in self._outputs if outputs[i].variable.sampling == "end"
        ]
        self._references = [mapped.outputs[i].reference for i in self._outputs]
        self._lasting_references = (ctypes.c_uint * len(self._lasting))(
            *(outputs[i].reference for i in self._lasting)
        )
        self._lasting_factors = np.array([outputs[i].factor for i in self._lasting])
        self._known = [mapped.inputs[i].reference for i in self._inputs]
        self._factors_out = np.array([mapped.outputs[i].factor for i in self._outputs])
        self._factors_in = np.array([mapped.inputs[i].factor for i in self._inputs])

    def output_slopes(self, instance: AbstractStepping) -> Vector:
        """Return the time derivatives of all outputs."""
        slopes = np.zeros(self._output_count)
        if self._lasting:
            slopes[self._lasting] = instance.get_output_slopes(self._lasting_references)
            slopes[self._lasting] *= self._lasting_factors
        return slopes

    def along(self, instance: AbstractStepping, du: Vector) -> Vector:
        """Return the derivative of all outputs along a direction of all inputs."""
        dy = np.zeros(self._output_count)
        seed = du[self._inputs] / self._factors_in
        dy[self._outputs] = instance.derivative(
            self._references, self._known, seed, len(self._outputs)
        )
        dy[self._outputs] *= self._factors_out
        return dy


def _real_scalars(variables: Sequence[MappedVariable]) -> list[int]:
    return [i for i, m in enumerate(variables) if m.kind in _REAL and m.size == 1]
