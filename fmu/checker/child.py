"""The child process of the FMU checker: it runs probes, and may die of them.

`python -m packtwin.fmu.checker.child PLAN RESULTS BLACK_BOX PROBE...` writes a line of
JSON to RESULTS when a probe begins, for what it finds, and when it ends.
"""

from __future__ import annotations

import json
import resource
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, TextIO, TypeAlias, final

from packtwin.fmu.checker.calls_fmi2 import Fmi2Calls
from packtwin.fmu.checker.calls_fmi3 import Fmi3Calls
from packtwin.fmu.checker.environment import environment_now, probe_environment
from packtwin.fmu.checker.journal import RefusedError
from packtwin.fmu.checker.probes_calls import (
    probe_instantiate,
    probe_nan,
    probe_null,
    probe_order,
    probe_read_only,
    probe_references,
    probe_step_sizes,
    probe_variable_steps,
    probe_versions,
)
from packtwin.fmu.checker.probes_dependencies import probe_dependencies
from packtwin.fmu.checker.probes_exchange import (
    probe_exchange,
    probe_exchange_dependencies,
    probe_exchange_derivatives,
    probe_exchange_order,
    probe_exchange_state,
)
from packtwin.fmu.checker.probes_instances import (
    probe_instances,
    probe_leak_instance,
    probe_leak_state,
    probe_leak_step,
    probe_log,
    probe_static_memory,
    probe_threads,
)
from packtwin.fmu.checker.probes_reference import probe_reference
from packtwin.fmu.checker.probes_slopes import probe_derivatives
from packtwin.fmu.checker.probes_state import (
    probe_deserialize,
    probe_determinism,
    probe_fingerprint,
    probe_getters,
    probe_reset,
    probe_serialize,
    probe_state,
)
from packtwin.fmu.checker.probes_steps import probe_answers, probe_event_mode
from packtwin.fmu.checker.probes_update import probe_intermediate_update
from packtwin.fmu.checker.probes_values import (
    probe_arrays,
    probe_effect,
    probe_extremes,
    probe_set_and_get,
    probe_starts,
    probe_stepping,
)
from packtwin.fmu.checker.run_variable import RunVariable
from packtwin.fmu.checker.subject import Finding, Subject

__all__ = ["PROBES", "main"]

Probe: TypeAlias = Callable[[Subject], Iterator[Finding]]

PROBES: Mapping[str, Probe] = {
    "versions": probe_versions,
    "instantiate": probe_instantiate,
    "starts": probe_starts,
    "stepping": probe_stepping,
    "set and get": probe_set_and_get,
    "arrays": probe_arrays,
    "answers": probe_answers,
    "event mode": probe_event_mode,
    "intermediate update": probe_intermediate_update,
    "extremes": probe_extremes,
    "effect": probe_effect,
    "determinism": probe_determinism,
    "getters": probe_getters,
    "reset": probe_reset,
    "instances": probe_instances,
    "threads": probe_threads,
    "static memory": probe_static_memory,
    "reference results": probe_reference,
    "state": probe_state,
    "serialize": probe_serialize,
    "dependencies": probe_dependencies,
    "derivatives": probe_derivatives,
    "exchange": probe_exchange,
    "exchange dependencies": probe_exchange_dependencies,
    "exchange derivatives": probe_exchange_derivatives,
    "exchange state": probe_exchange_state,
    "exchange order": probe_exchange_order,
    "order": probe_order,
    "references": probe_references,
    "read only": probe_read_only,
    "step sizes": probe_step_sizes,
    "variable steps": probe_variable_steps,
    "not a number": probe_nan,
    "environment": probe_environment,
    "leak of instances": probe_leak_instance,
    "leak of states": probe_leak_state,
    "leak of steps": probe_leak_step,
    "fingerprint": probe_fingerprint,
    "log": probe_log,
    "null": probe_null,
    "deserialize": probe_deserialize,
}
_BEAT_S = 0.2
_ENDING = ("not-loadable", "not-instantiable")
_NEEDS_NO_STEP = ("versions", "instantiate", "starts", "stepping", "null", "log")


def main(arguments: list[str]) -> int:
    """Run the named probes in order."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    plan = json.loads(Path(arguments[0]).read_text())
    with Path(arguments[1]).open("a", buffering=1) as results:
        return _run(plan, results, Path(arguments[2]), arguments[3:])


def _run(
    plan: Mapping[str, Any], results: TextIO, black_box: Path, names: list[str]
) -> int:
    def write(**document: Any) -> None:
        results.write(json.dumps(document) + "\n")

    write(begin="load")
    before = environment_now()
    try:
        speech = Fmi3Calls if plan["version"] == "3" else Fmi2Calls
        calls = speech(Path(plan["library"]), black_box)
    except OSError as error:
        message = f"It cannot be loaded: {error}."
        write(finding=asdict(Finding(rule="not-loadable", message=message)))
        write(end="load", is_last=True)
        return 0
    write(end="load")
    variables = tuple(
        RunVariable(**{**row, "starts": tuple(row["starts"])})
        for row in plan["variables"]
    )
    subject = Subject(
        calls=calls,
        plan=plan,
        variables=variables,
        before=before,
        beat=_Beat(results),
    )
    for name in names:
        write(begin=name)
        is_last = False
        try:
            if not (subject.step_s or subject.is_exchange or name in _NEEDS_NO_STEP):
                subject.find_step()
            for found in PROBES[name](subject):
                write(finding=asdict(found))
                is_last = is_last or found.rule in _ENDING
        except RefusedError as error:
            finding = Finding(
                rule="call-refused", message=f"{error}", variable=error.function
            )
            write(finding=asdict(finding))
        write(end=name, is_last=is_last)
        if is_last:
            break
    calls.journal.note("unloading the library")
    return 0


@final
class _Beat:
    """Writes now and then that the process is alive."""

    __slots__ = ("_last_s", "_results")

    def __init__(self, results: TextIO) -> None:
        self._results = results
        self._last_s = 0.0

    def __call__(self) -> None:
        """Write it, if the last time was long ago."""
        now_s = time.monotonic()
        if now_s - self._last_s > _BEAT_S:
            self._last_s = now_s
            self._results.write('{"is_alive": true}\n')


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
