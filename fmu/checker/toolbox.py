"""packtwin's checker as a plug-in of fmu-manipulation-toolbox (`fmutool -check`).

Its entry-point group `fmu_manipulation_toolbox.checkers` names `toolbox_checker`. Only
the static rules are applied: a graphical tool must not run foreign code unasked.
"""

from __future__ import annotations

import importlib
import logging
from pathlib import Path
from typing import Any

from packtwin.fmu.checker.check import check_fmu
from packtwin.twin.errors import FmuError

__all__ = ["toolbox_checker"]

_LOGGER = "fmu_manipulation_toolbox"


def toolbox_checker() -> type[Any]:
    """Return the checker's class, a subclass of the toolbox's own.

    Raises:
        ImportError: fmu-manipulation-toolbox is not installed.
    """
    operations: Any = importlib.import_module("fmu_manipulation_toolbox.operations")

    def __repr__(self: Any) -> str:  # noqa: N807 (a method of the class below)
        del self
        return "packtwin's static checks"

    def closure(self: Any) -> None:
        _log_problems(Path(self.fmu.fmu_filename))

    members = {"read_only": True, "__repr__": __repr__, "closure": closure}
    return type("PacktwinCheck", (operations.OperationAbstract,), members)


def _log_problems(path: Path) -> None:
    logger = logging.getLogger(_LOGGER)
    try:
        report = check_fmu(path, is_run=False)
    except FmuError as error:
        logger.error("%s", error)
        return
    for found in report.problems:
        level = logging.ERROR if found.severity == "error" else logging.WARNING
        where = f"{found.where}: " if found.where else ""
        text = f"{where}{found.message} [{found.rule}; {found.section}] {found.remedy}"
        logger.log(level, "%s", text)
    n = len(report.problems)
    logger.info("packtwin found %d problems; `packtwin check` also runs the binary.", n)
