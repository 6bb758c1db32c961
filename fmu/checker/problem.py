"""What the FMU checker reports: problems, and where they are."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, final

from packtwin.fmu.checker.rules import RULES, Severity

__all__ = ["CheckReport", "Problem", "problem"]


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One thing that is wrong with an FMU.

    Attributes:
        rule: Stable name of the rule that was broken.
        severity: How bad it is: an "error" breaks the standard or the FMU, a "warning"
            breaks a recommendation or makes an importer's life hard.
        section: Where the standard says so, such as `FMI 2.0.5, 2.3`.
        file: The file inside the FMU; empty if it is the FMU as a whole.
        line: Line in that file; 0 if there is none.
        variable: Name of the variable or function; empty if there is none.
        message: What was got and what was expected.
        remedy: What to do.
    """

    rule: str
    severity: Severity
    section: str
    file: str
    line: int
    variable: str
    message: str
    remedy: str

    @property
    def where(self) -> str:
        """File, line and variable as one phrase."""
        place = f"{self.file}:{self.line}" if self.line else self.file
        return " ".join(part for part in (place, self.variable) if part)


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class CheckReport:
    """All that a check found.

    Attributes:
        path: The FMU.
        version: Its FMI version; empty if unknown.
        problems: In the order of the file.
        probes: What was run of the binary, each with "passed" or what came of it.
        not_run: Why the binary was not run; empty if it was.
    """

    path: Path
    version: str
    problems: tuple[Problem, ...]
    probes: dict[str, str]
    not_run: str = ""

    @property
    def is_clean(self) -> bool:
        """Whether nothing at all was found."""
        return not self.problems

    @property
    def n_errors(self) -> int:
        """Number of problems that are errors."""
        return sum(found.severity == "error" for found in self.problems)

    def rules(self) -> Counter[str]:
        """Return how often each rule was broken."""
        return Counter(found.rule for found in self.problems)

    def as_document(self) -> dict[str, Any]:
        """Return everything, ready to be written as JSON."""
        return {
            "path": str(self.path),
            "fmi_version": self.version,
            "n_errors": self.n_errors,
            "problems": [asdict(found) for found in self.problems],
            "probes": self.probes,
            "not_run": self.not_run,
        }


def problem(
    rule: str,
    version: str,
    message: str,
    *,
    file: str = "",
    line: int = 0,
    variable: str = "",
) -> Problem:
    """Return a problem with what the table of rules knows of it."""
    known = RULES[rule]
    return Problem(
        rule=rule,
        severity=known.severity,
        section=known.section_of(version),
        file=file,
        line=line,
        variable=variable,
        message=message,
        remedy=known.remedy,
    )
