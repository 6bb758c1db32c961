"""`FmuModel`: something to export, with what its documentation says."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, final

from packtwin.fmu.export import Account, Experiment, export_fmu
from packtwin.twin.steppable import SteppableCode

__all__ = ["FmuModel"]


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class FmuModel:
    """Something to export, what to say of it, and the run whose results it carries."""

    subject: SteppableCode
    account: Account
    experiment: Experiment = field(default_factory=Experiment)

    def export(self, path: Path, **options: Any) -> Path:
        """Write the FMU; for the options see `export_fmu`."""
        own = {"description": self.account, "experiment": self.experiment}
        return export_fmu(self.subject, path, **{**own, **options})
