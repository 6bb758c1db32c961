"""`Snapshot`: where an FMU component was, inside the FMU and on this side of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias, final

import numpy as np
from numpy.typing import NDArray

from packtwin.fmu.instance import SavedState
from packtwin.fmu.stepping import AbstractStepping, Standing
from packtwin.twin.errors import FmuError

__all__ = ["Snapshot"]

Vector: TypeAlias = NDArray[np.float64]


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """The complete state of an FMU component.

    Attributes:
        token: Of the FMU.
        saved: The state inside it; as bytes it may come from another process.
        standing: How far this side knows that it is.
        discrete: Inputs that change at events only, as last set.
        outputs: Last ones.
    """

    token: str
    saved: SavedState | bytes
    standing: Standing
    discrete: Vector
    outputs: Vector

    def put_back(self, instance: AbstractStepping, token: str) -> None:
        """Bring an instance of the FMU with this token where it was.

        Raises:
            FmuError: Another FMU or, unless it is bytes, another instance saved it.
        """
        saved = self.saved
        if isinstance(saved, bytes):
            if self.token != token:
                msg = (
                    f"{instance.label} cannot go on from a state that was saved by "
                    f"another FMU: its token is `{self.token}`, not `{token}`; take "
                    "the FMU that it was saved with."
                )
                raise FmuError(msg)
            saved = instance.unpack(saved)
        instance.restore(saved)
        instance.standing = self.standing
