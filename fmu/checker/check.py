"""`check_fmu(path)`: everything that is wrong with an FMU, static and at run time.

The file is inspected first: zip archive, XML, libraries of all systems. Then the binary
for this machine is run in child processes. Whatever is wrong with the file, it is
reported and not raised.
"""

from __future__ import annotations

from pathlib import Path

from packtwin.fmu.checker.archive import CheckedArchive, check_archive
from packtwin.fmu.checker.binaries import check_binaries
from packtwin.fmu.checker.description import Description
from packtwin.fmu.checker.document import check_document
from packtwin.fmu.checker.problem import CheckReport, Problem, problem
from packtwin.fmu.checker.reference import check_reference
from packtwin.fmu.checker.run import RunOutcome, run_probes
from packtwin.fmu.platforms import host_folders
from packtwin.twin.errors import FmuError

__all__ = ["check_fmu"]

_DESCRIPTION = "modelDescription.xml"
_UNSAFE = ("zip-member-damaged", "binary-format", "binary-machine", "identifier")


def check_fmu(
    path: Path,
    *,
    is_run: bool = True,
    time_limit_s: float = 10.0,
    budget_s: float = 1.0,
) -> CheckReport:
    """Return all problems of an FMU.

    Running the binary executes code of the FMU's maker with the rights of the user.

    Args:
        path: The FMU file.
        is_run: Whether to run the binary for this machine.
        time_limit_s: A call that takes longer counts as hanging.
        budget_s: About the time for each probe that repeats things.

    Raises:
        FmuError: There is no such file.
    """
    path = Path(path)
    if not path.is_file():
        msg = f"There is no FMU file `{path}`; check the path."
        raise FmuError(msg)
    with CheckedArchive(path) as archive:
        content = archive.read(_DESCRIPTION)
        description: Description | None = None
        found: list[Problem] = []
        if content is not None:
            description, found = check_document(content)
        version = description.version if description else "2.0"
        found = [*check_archive(archive, version), *found]
        if content is None and archive.is_sound:
            message = f"There is no readable `{_DESCRIPTION}`."
            found.append(problem("description-missing", version, message))
        if description is not None:
            found += check_binaries(archive, description)
            found += _check_licenses(archive, version)
            found += check_reference(archive.read, description)
    outcome = RunOutcome(not_run=_reason_not_run(is_run, archive, description, found))
    if description is not None and not outcome.not_run:
        outcome = run_probes(
            path, description, time_limit_s=time_limit_s, budget_s=budget_s
        )
        found = _without_disproved(found, outcome)
    return CheckReport(
        path=path,
        version=description.version if description else "",
        problems=(*found, *outcome.problems),
        probes=outcome.probes,
        not_run=outcome.not_run,
    )


def _check_licenses(archive: CheckedArchive, version: str) -> list[Problem]:
    folder = "documentation/licenses/"
    files = [n.removeprefix(folder) for n in archive.names if n.startswith(folder)]
    known = ("license.txt", "license.html", "license.spdx")
    if not files or any(name.lower() in known for name in files):
        return []
    message = f"It has no license.txt or license.html, but {', '.join(files[:3])}."
    return [problem("license-entry", version, message, file=folder)]


def _reason_not_run(
    is_run: bool,
    archive: CheckedArchive,
    description: Description | None,
    found: list[Problem],
) -> str:
    if not is_run:
        return "not asked for"
    if description is None or not archive.is_sound:
        return "the file is too damaged"
    for one in found:
        if one.rule in _UNSAFE:
            return f"a problem forbids it ({one.rule})"
    return ""


def _without_disproved(found: list[Problem], outcome: RunOutcome) -> list[Problem]:
    """Leave out tokens that inspection did not find, if the binary accepted them."""
    has_run = any(name.endswith(": instantiate") for name in outcome.probes)
    is_refused = any(one.rule == "not-instantiable" for one in outcome.problems)
    if not has_run or is_refused:
        return found
    ran = {one.file for one in found if one.rule.startswith("token-")}
    own = tuple(f"binaries/{folder}/" for folder in host_folders())
    accepted = {file for file in ran if file.startswith(own)}
    return [
        one
        for one in found
        if not (one.rule.startswith("token-") and one.file in accepted)
    ]
