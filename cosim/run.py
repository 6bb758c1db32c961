"""`Run`: one run of a system, from its start to its result."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import asdict, dataclass
from typing import Any, Literal, final

from packtwin.cosim.abstract_stepper import AbstractStepper
from packtwin.cosim.checkpoint import check_savable
from packtwin.cosim.compiled_run import loop_in_c
from packtwin.cosim.drive import Care, drive
from packtwin.cosim.python_loop import Loop, PythonLoop
from packtwin.cosim.recorder import Recorder
from packtwin.cosim.result import Result, RunStats, RunStatus
from packtwin.cosim.result_table import Series
from packtwin.cosim.slot import EndAsked
from packtwin.cosim.stopping import Stop
from packtwin.cosim.time_grid import TimeGrid
from packtwin.twin.component import seconds
from packtwin.twin.errors import StepError

__all__ = ["Run"]


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """Everything a run needs.

    Attributes:
        stepper: How the system is stepped.
        grid: The communication points.
        recorder: What is recorded.
        series: The columns of the recording.
        stops: What ends it before its end.
        care: What happens between the steps.
        provenance: Returns where the result comes from.
        has_timing: Whether the components are timed.
        state: Of a saved run that goes on; None for a new one.
    """

    stepper: AbstractStepper
    grid: TimeGrid
    recorder: Recorder
    series: Series
    stops: Sequence[Stop]
    care: Care
    provenance: Callable[[], Mapping[str, str]]
    has_timing: bool
    state: Mapping[str, Any] | None = None

    def make(self) -> tuple[Result, StepError | None]:
        """Run; return the result, and the error that ended it if one did."""
        began_s = time.perf_counter()
        error: StepError | None = None
        try:
            status = self._go()
        except EndAsked as end:
            status = self._broken_off("stopped", end.component, end.reason)
        except StepError as caught:
            error = caught
            status = self._broken_off("failed", error.component, error.reason)
        except BaseException:
            self.recorder.abandon()
            raise
        finally:
            wall_s = time.perf_counter() - began_s
            self.stepper.close()
        return self._conclude(status, wall_s), error

    def _go(self) -> RunStatus:
        stepper, recorder, state = self.stepper, self.recorder, self.state
        recorded = None if state is None else state["recorder"]
        recorder.open(
            self.series, lambda: {"provenance": dict(self.provenance())}, recorded
        )
        stepper.initialize(self.grid.start)
        if self.care.keeper is not None:
            check_savable(stepper.components)
        if state is None:
            recorder.add()
        else:
            stepper.thaw(state["stepper"])
        loop: Loop = loop_in_c(stepper, recorder, self.stops) or PythonLoop(
            stepper, recorder.read, self.stops
        )
        with self.care.keeper or nullcontext():
            return drive(loop, self.grid, recorder, self.stops, self.care)

    def _broken_off(
        self, kind: Literal["stopped", "failed"], component: str, reason: str
    ) -> RunStatus:
        reached = self.grid.tick(max(self.recorder.count - 1, 0))
        return RunStatus(
            kind=kind, time_s=seconds(reached), reason=reason, component=component
        )

    def _conclude(self, status: RunStatus, wall_s: float) -> Result:
        n_step = max(self.recorder.count - 1, 0)
        first = 0 if self.state is None else int(self.state["step"])
        simulated_s = seconds(self.grid.tick(n_step) - self.grid.tick(first))
        stats = RunStats(
            wall_s=wall_s,
            step_count=n_step,
            real_time_factor=simulated_s / wall_s if wall_s > 0.0 else math.inf,
            component_seconds=self.stepper.component_seconds if self.has_timing else {},
            counts=self.stepper.counts,
            pacing={} if self.care.pacer is None else self.care.pacer.stats,
        )
        provenance = dict(self.provenance())
        self.recorder.finish(
            lambda: {
                "status": asdict(status),
                "stats": asdict(stats),
                "provenance": provenance,
            }
        )
        time_s, values, events = self.recorder.kept()
        return Result(
            time_s=time_s,
            names=self.series.names,
            units=self.series.units,
            descriptions=self.series.descriptions,
            values=values,
            events=events,
            status=status,
            stats=stats,
            provenance=provenance,
        )
