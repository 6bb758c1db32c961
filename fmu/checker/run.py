"""Run the binary of an FMU in child processes, which may crash or hang."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, final

from packtwin.fmu.checker.description import Description
from packtwin.fmu.checker.document import is_true
from packtwin.fmu.checker.journal import BLACK_BOX_BYTES
from packtwin.fmu.checker.plan import make_plan
from packtwin.fmu.checker.problem import Problem, problem
from packtwin.twin.errors import FmuError

__all__ = ["RunOutcome", "run_probes"]

_COMMON = (
    "order",
    "references",
    "read only",
    "environment",
    "leak of instances",
    "leak of states",
)
_CO_SIMULATION = (
    "versions",
    "instantiate",
    "stepping",
    "starts",
    "set and get",
    "arrays",
    "extremes",
    "effect",
    "determinism",
    "getters",
    "reset",
    "instances",
    "threads",
    "static memory",
    "reference results",
    "state",
    "serialize",
    "dependencies",
    "derivatives",
    *_COMMON,
    "variable steps",
    "leak of steps",
    "fingerprint",
    "log",
    "not a number",
    "step sizes",
    "null",
)
_CO_SIMULATION_3 = ("answers", "event mode", "intermediate update")
_MODEL_EXCHANGE = (
    "versions",
    "instantiate",
    "starts",
    "set and get",
    "arrays",
    "exchange",
    "exchange dependencies",
    "exchange derivatives",
    "exchange state",
    "exchange order",
    "dependencies",
    *_COMMON,
    "log",
    "null",
)
_SECOND = ("fingerprint", "deserialize")
_POLL_S = 0.02
_N_RESTARTS = 6
_N_SAME_CALL = 3  # deaths in one function: the next probes would die too


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class RunOutcome:
    """What became of running a binary: problems, probes, or why it was not run."""

    problems: tuple[Problem, ...] = ()
    probes: dict[str, str] = field(default_factory=dict)
    not_run: str = ""


def run_probes(
    path: Path, description: Description, *, time_limit_s: float, budget_s: float
) -> RunOutcome:
    """Run what can be run here, one interface after the other.

    Args:
        path: The FMU; it must be safe to unpack.
        description: Of that file.
        time_limit_s: After this time without a sign of life a probe hangs.
        budget_s: About the time for each probe that repeats things.
    """
    if not sys.platform.startswith("linux"):
        return RunOutcome(not_run="binaries are run on Linux only")
    problems: list[Problem] = []
    probes: dict[str, str] = {}
    reasons: list[str] = []
    for kind in ("CoSimulation", "ModelExchange"):
        attributes = description.kinds.get(kind)
        if attributes is None:
            continue
        if is_true(attributes.get("needsExecutionTool")):
            reasons.append(f"{kind} needs the tool that made it")
            continue
        folder = Path(tempfile.mkdtemp(prefix="packtwin-check-"))
        try:
            plan = make_plan(path, folder, description, kind, budget_s)
            if isinstance(plan, str):
                reasons.append(plan)
                continue
            session = _Session(
                folder=folder,
                plan=plan,
                time_limit_s=time_limit_s,
                description=description,
            )
            session.run(_probes(kind, description))
            if kind == "CoSimulation" and not session.is_ended:
                session.run(_SECOND, n_fill=170)
            problems += session.problems
            probes |= {f"{kind}: {name}": what for name, what in session.probes.items()}
        except FmuError as error:
            reasons.append(str(error))
        finally:
            shutil.rmtree(folder, ignore_errors=True)
    if not probes and not reasons:
        reasons.append("neither co-simulation nor model exchange is offered")
    return RunOutcome(
        problems=tuple(dict.fromkeys(problems)),
        probes=probes,
        not_run="; ".join(reasons),
    )


def _probes(kind: str, description: Description) -> tuple[str, ...]:
    if kind == "ModelExchange":
        return _MODEL_EXCHANGE
    at = _CO_SIMULATION.index("extremes")
    own = _CO_SIMULATION_3 if description.is_3 else ()
    return (*_CO_SIMULATION[:at], *own, *_CO_SIMULATION[at:])


@final
@dataclass(slots=True, kw_only=True)
class _Session:
    """The processes that test one interface, and what they found."""

    folder: Path
    plan: dict[str, Any]
    time_limit_s: float
    description: Description
    problems: list[Problem] = field(default_factory=list)
    probes: dict[str, str] = field(default_factory=dict)
    deaths: dict[str, int] = field(default_factory=dict)
    is_ended: bool = False

    def run(self, names: Sequence[str], n_fill: int = 85) -> None:
        """Run probes; go on after the one that killed its process.

        Args:
            names: The probes.
            n_fill: What fresh memory is filled with, where the C library can.
        """
        left = list(names)
        for _ in range(_N_RESTARTS):
            if not left or self.is_ended:
                return
            if max(self.deaths.values(), default=0) >= _N_SAME_CALL:
                break
            done = self._run_once(left, n_fill)
            left = left[len(done) :]
        for name in left:
            self.probes[name] = "not run: too many crashes"

    def _run_once(self, names: list[str], n_fill: int) -> list[str]:
        """Return the probes that are settled, at least one."""
        (self.folder / "plan.json").write_text(json.dumps(self.plan))
        results, black_box = self.folder / "results.jsonl", self.folder / "black_box"
        results.write_text("")
        black_box.write_bytes(bytes(BLACK_BOX_BYTES))
        arguments = [self.folder / "plan.json", results, black_box, *names]
        environment = {**os.environ, "MALLOC_PERTURB_": str(n_fill)}
        with (self.folder / "stderr").open("wb") as errors:
            process = subprocess.Popen(
                [
                    sys.executable,
                    "-m",
                    "packtwin.fmu.checker.child",
                    *map(str, arguments),
                ],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=errors,
                cwd=self.folder,
                env=environment,
                start_new_session=True,
            )
            is_hanging = self._wait(process, results)
        current, done = "", []
        for line in self._lines(results):
            if "begin" in line:
                current = line["begin"]
            elif "finding" in line:
                self._add(**line["finding"])
                self.probes[current] = "problems"
            elif "end" in line:
                self.probes.setdefault(current, "passed")
                done += [current] if current != "load" else []
                self.is_ended = self.is_ended or bool(line.get("is_last"))
                current = ""
        call = black_box.read_bytes().split(b"\0")[0].decode("utf-8", "replace")
        is_complete = self.is_ended or len(done) == len(names)
        if process.returncode == 0 and is_complete and not is_hanging:
            return names
        self.deaths[call] = self.deaths.get(call, 0) + 1
        self._add_death(process.returncode, is_hanging, current, call)
        self.is_ended = self.is_ended or current == "load"
        return [*done, *([current] if current in names else names[len(done) :])]

    def _wait(self, process: subprocess.Popen[bytes], results: Path) -> bool:
        """Wait for the end; whether it had to be killed for want of progress."""
        last, size = time.monotonic(), -1
        while process.poll() is None:
            now = results.stat().st_size
            if now != size:
                last, size = time.monotonic(), now
            elif time.monotonic() - last > self.time_limit_s:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
                return True
            time.sleep(_POLL_S)
        return False

    def _lines(self, results: Path) -> Iterator[dict[str, Any]]:
        for text in results.read_text("utf-8", "replace").splitlines():
            try:
                yield json.loads(text)
            except ValueError:  # the process died while it wrote
                return

    def _add(self, rule: str, message: str, variable: str) -> None:
        lines = {v.name: v.line for v in self.description.variables}
        found = problem(
            rule,
            self.description.version,
            message,
            file=Path(self.plan["library"]).relative_to(self.folder / "fmu").as_posix(),
            line=0,
            variable=variable,
        )
        if variable in lines and rule == "dependency-missing":
            found = problem(
                rule,
                self.description.version,
                message,
                file="modelDescription.xml",
                line=lines[variable],
                variable=variable,
            )
        self.problems.append(found)

    def _add_death(self, code: int, is_hanging: bool, probe: str, call: str) -> None:
        place = f"In the probe `{probe}`" if probe else "At the end"
        text = (self.folder / "stderr").read_text("utf-8", "replace").strip()
        if is_hanging:
            rule = "step-size-accepted" if probe == "step sizes" else "hang"
            message = f"{place}, `{call}` did not return in {self.time_limit_s:g} s."
            self._add(rule, message, call)
        elif code > 0 and "Traceback" in text:
            self.probes[probe] = f"not completed: {text.splitlines()[-1]}"
            return
        else:
            name = signal.Signals(-code).name if code < 0 else f"exit code {code}"
            rule = "crash"
            if probe == "null" and "FreeInstance" in call:
                rule = "free-null"
            elif probe == "null":
                rule = "null-crash"
            self._add(rule, f"{place}, `{call}` ended the process ({name}).", call)
        self.probes[probe or "unload"] = "problems"
