"""Runs of what is in a file of FMUs: a package or a single FMU."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias, final

from packtwin.cosim.masters import (
    AbstractMaster,
    Adaptive,
    GaussSeidel,
    Iterated,
    Jacobi,
)
from packtwin.cosim.result import Result
from packtwin.cosim.simulate import simulate
from packtwin.cosim.system import System
from packtwin.fmu.component import FmuComponent
from packtwin.scenarios.inspection import Listing
from packtwin.scenarios.ssp_loading import Loops, load_ssp
from packtwin.twin.errors import ScenarioError
from packtwin.twin.variable import nearest_names

__all__ = ["Run", "last_values", "make_master", "open_run", "run_fmus"]

Times: TypeAlias = tuple[float | None, float | None, float | None]

_STEPS = 500


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """What a file says to run.

    Attributes:
        system: Its FMUs, connected.
        start_s: Proposed start.
        stop_s: Proposed end, None if the file proposes none.
        step_s: Proposed step, None likewise.
        remarks: What to tell about how it was read.
    """

    system: System
    start_s: float
    stop_s: float | None
    step_s: float | None
    remarks: tuple[str, ...] = ()


def make_master(name: str, tolerance: float = 1e-4) -> AbstractMaster:
    """Return a master by the name that the command line has for it.

    Raises:
        ScenarioError: There is none, with the nearest names.
    """
    makers: dict[str, Callable[[], AbstractMaster]] = {
        "gauss-seidel": lambda: GaussSeidel(is_compiled=True),
        "jacobi": lambda: Jacobi(is_compiled=True),
        "iterated": Iterated,
        "adaptive": lambda: Adaptive(tolerance=tolerance),
    }
    if name not in makers:
        msg = f"There is no master `{name}`; nearest: {nearest_names(name, [*makers])}."
        raise ScenarioError(msg)
    return makers[name]()


@contextmanager
def open_run(
    path: Path, *, variant: str, ignores_unknown: bool, solves_loops: bool
) -> Iterator[Run]:
    """Read a package or an FMU, and remove what was extracted afterwards.

    Args:
        path: Ends in `.ssp` or `.fmu`.
        variant: Which description of a package.
        ignores_unknown: Pass over parameters of a package that no FMU has.
        solves_loops: Leave algebraic loops to the master.
    """
    if path.suffix.lower() == ".fmu":
        with closing(FmuComponent(path, name=path.stem.replace(".", "_"))) as component:
            yield _of_fmu(component)
        return
    loops: Loops = "solve" if solves_loops else "delay"
    with load_ssp(
        path, variant=variant, ignores_unknown=ignores_unknown, loops=loops
    ) as loaded:
        yield Run(
            system=loaded.system,
            start_s=loaded.start_s,
            stop_s=loaded.stop_s,
            step_s=loaded.step_s,
            remarks=tuple(
                f"`{connection}` carries the value before the step, which opens an "
                "algebraic loop; `--master iterated` solves it."
                for connection in loaded.delayed
            ),
        )


def run_fmus(
    run: Run,
    times: Times,
    master: AbstractMaster,
    record: tuple[str, ...],
    options: Mapping[str, Any],
) -> Result:
    """Run a system.

    Args:
        run: What to run.
        times: Start, stop and step; where one of these is None, as proposed.
        master: How.
        record: Outputs to keep.
        options: More arguments of `simulate`.

    Raises:
        ScenarioError: There is no end.
    """
    start, stop, step = times
    start_s = run.start_s if start is None else start
    stop_s = run.stop_s if stop is None else stop
    if stop_s is None:
        msg = "The file has no default end of the run; give one with `--stop-s`."
        raise ScenarioError(msg)
    return simulate(
        run.system,
        start_s=start_s,
        stop_s=stop_s,
        step_s=_proposed_step(run, stop_s - start_s) if step is None else step,
        master=master,
        record=record,
        **options,
    )


def _proposed_step(run: Run, duration_s: float) -> float:
    return duration_s / _STEPS if run.step_s is None else run.step_s


def last_values(result: Result, count: int) -> Listing:
    """Return the first series with their last values as a table."""
    chosen = list(zip(result.names, result.units, strict=True))[:count]
    rest = len(result.names) - len(chosen)
    return Listing(
        title=f"Last values{f' ({rest} more series)' if rest else ''}",
        columns=("output", "value", "unit"),
        rows=[(name, f"{result[name][-1]:.6g}", unit) for name, unit in chosen],
    )


def _of_fmu(component: FmuComponent) -> Run:
    experiment = component.file.description.defaultExperiment
    said = {
        key: getattr(experiment, key, None)
        for key in ("startTime", "stopTime", "stepSize")
    }
    start, stop, step = (None if v is None else float(v) for v in said.values())
    constants = {
        f"{component.name}.{v.name}": v.start for v in component.interface.inputs
    }
    return Run(
        system=System([component], constants=constants),
        start_s=start or 0.0,
        stop_s=stop,
        step_s=step,
    )
