"""`StopCondition`: end a run when a signal crosses a bound, such as a full charge."""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, TypeAlias, final

from packtwin.twin.errors import ScenarioError

__all__ = ["Relation", "StopCondition"]

Relation: TypeAlias = Literal[">=", "<=", ">", "<"]

_RELATIONS: dict[str, Callable[[float, float], bool]] = {
    ">=": operator.ge,
    "<=": operator.le,
    ">": operator.gt,
    "<": operator.lt,
}
_TEXT = re.compile(
    r"\s*(?P<signal>[^\s<>=]+)\s*(?P<relation>[<>]=?)\s*(?P<bound>\S+)\s*"
)


@final
@dataclass(frozen=True, slots=True)
class StopCondition:
    """`signal relation bound`, for example `pack.soc >= 0.8`, in the signal's unit."""

    signal: str
    relation: Relation
    bound: float

    @classmethod
    def parse(cls, text: str) -> StopCondition:
        """Read `pack.soc >= 0.8`."""
        match = _TEXT.fullmatch(text)
        relation = match["relation"] if match else ""
        try:
            bound = float(match["bound"]) if match else math.nan
        except ValueError:
            bound = math.nan
        if match and math.isfinite(bound):
            for known in (">=", "<=", ">", "<"):
                if relation == known:
                    return cls(match["signal"], known, bound)
        msg = (
            f"`{text}` is not a stop condition; write a signal, one of >=, <=, >, < "
            "and a finite number, for example `pack.soc >= 0.8`."
        )
        raise ScenarioError(msg)

    def is_met(self, value: float) -> bool:
        """Whether a value of the signal ends the run."""
        return _RELATIONS[self.relation](value, self.bound)

    def __str__(self) -> str:
        return f"{self.signal} {self.relation} {self.bound:g}"
