"""What each version of FMI calls its functions, types and statuses."""

from __future__ import annotations

import ctypes
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

__all__ = ["FMI2", "FMI3", "Dialect"]


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Dialect:
    """One version of FMI, as far as both versions do the same by other names.

    Attributes:
        version: As in `fmiVersion`.
        prefix: Of every function.
        statuses: Names of the status values, from 0; both versions agree on the first
            five.
        state_name: How the functions that copy the state spell it.
        deserialize_verb: How they spell the way back from bytes.
        types: Type of a variable as fmpy names it: array type and suffix of its
            getter and setter.
        get_output_derivatives: Function that tells time derivatives of outputs.
        has_value_count: Whether getters and setters take the count of values too.
    """

    version: str
    prefix: str
    statuses: tuple[str, ...]
    state_name: str
    deserialize_verb: str
    types: Mapping[str, tuple[type[np.generic], str]]
    get_output_derivatives: str
    has_value_count: bool

    @property
    def get_state(self) -> str:
        """Function that copies the state."""
        return f"{self.prefix}Get{self.state_name}"

    @property
    def set_state(self) -> str:
        """Function that goes back to a copied state."""
        return f"{self.prefix}Set{self.state_name}"

    @property
    def state_size(self) -> str:
        """Function that says how many bytes a copied state takes."""
        return f"{self.prefix}Serialized{self.state_name}Size"

    @property
    def serialize(self) -> str:
        """Function that turns a copied state into bytes."""
        return f"{self.prefix}Serialize{self.state_name}"

    @property
    def deserialize(self) -> str:
        """Function that turns bytes into a copied state."""
        return f"{self.prefix}{self.deserialize_verb}{self.state_name}"

    @property
    def free_state(self) -> str:
        """Function that frees a copied state."""
        return f"{self.prefix}Free{self.state_name}"

    def values(self, numbers: NDArray[np.float64]) -> tuple[Any, ...]:
        """Return a vector as the arguments of a call; the caller keeps it alive."""
        pointer = ctypes.c_void_p(numbers.ctypes.data)
        if self.has_value_count:
            return pointer, ctypes.c_size_t(len(numbers))
        return (pointer,)

    def status_name(self, status: int) -> str:
        """Return FMI's name of a status."""
        if 0 <= status < len(self.statuses):
            return self.prefix + self.statuses[status]
        return f"the unknown status {status}"


_STATUSES = ("OK", "Warning", "Discard", "Error", "Fatal")

FMI2 = Dialect(
    version="2.0",
    prefix="fmi2",
    statuses=(*_STATUSES, "Pending"),
    state_name="FMUstate",
    deserialize_verb="DeSerialize",
    types={
        "Real": (np.float64, "Real"),
        "Integer": (np.int32, "Integer"),
        "Enumeration": (np.int32, "Integer"),
        "Boolean": (np.int32, "Boolean"),
    },
    get_output_derivatives="fmi2GetRealOutputDerivatives",
    has_value_count=False,
)
"""FMI 2.0."""

FMI3 = Dialect(
    version="3.0",
    prefix="fmi3",
    statuses=_STATUSES,
    state_name="FMUState",
    deserialize_verb="Deserialize",
    types={
        "Float64": (np.float64, "Float64"),
        "Float32": (np.float32, "Float32"),
        "Int8": (np.int8, "Int8"),
        "UInt8": (np.uint8, "UInt8"),
        "Int16": (np.int16, "Int16"),
        "UInt16": (np.uint16, "UInt16"),
        "Int32": (np.int32, "Int32"),
        "UInt32": (np.uint32, "UInt32"),
        "Int64": (np.int64, "Int64"),
        "UInt64": (np.uint64, "UInt64"),
        "Enumeration": (np.int64, "Int64"),
        "Boolean": (np.bool_, "Boolean"),
    },
    get_output_derivatives="fmi3GetOutputDerivatives",
    has_value_count=True,
)
"""FMI 3.0."""
