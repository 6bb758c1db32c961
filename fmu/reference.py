"""Reference results inside an FMU: a short run of the step map, made at export.

They follow the layered standard FMI-LS-REF 1.0.0-alpha.1 of the Modelica Association
(https://modelica.github.io/fmi-ls-ref): a manifest in
`extra/org.fmi-standard.fmi-ls-ref/` names the files. Outputs come from the step map in
Python, not from the FMU, so that the FMU carries an oracle for its own binary, on every
platform. `packtwin check` compares; so can any tool that steps as the rows say.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Protocol, TypeAlias, final, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from packtwin.fmu.rendering import render_template
from packtwin.fmu.table import Kind, Row
from packtwin.twin.compiled import compile_step_map
from packtwin.twin.compiled_switched import CompiledSwitched
from packtwin.twin.errors import CompilerError, StepError
from packtwin.twin.implicit import ImplicitSource
from packtwin.twin.model import Model
from packtwin.twin.step_map import StepStatus
from packtwin.twin.steppable import SteppableCode
from packtwin.twin.switched import Switched
from packtwin.twin.variable import Variable

__all__ = [
    "REFERENCE_FOLDER",
    "Experiment",
    "Reference",
    "Runner",
    "make_reference",
    "runner_of",
]

Vector: TypeAlias = NDArray[np.float64]

REFERENCE_FOLDER = "extra/org.fmi-standard.fmi-ls-ref"
# Levels of an input: 0 is its start, 1 its highest value, -1 its lowest.
_LEVELS = (0.0, 1.0, -0.5, 0.25, -1.0, 0.5)
_SHARE_OF_START = 0.02
_N_SHRINK = 4


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Experiment:
    """The run whose results an FMU carries.

    Parameters keep their start values; inputs follow a staircase about theirs.

    Attributes:
        step_s: Communication step, s.
        n_steps: Number of steps.
        spans: Lowest and highest value of some inputs; the others vary a little.
    """

    step_s: float = 1.0
    n_steps: int = 60
    spans: Mapping[str, tuple[float, float]] = field(default_factory=dict)

    def span(self, v: Variable) -> tuple[float, float]:
        """Return the lowest and the highest value of an input."""
        if v.variability == "discrete":
            return v.start, v.start
        size = _SHARE_OF_START * abs(v.start) if v.start else v.nominal
        low, high = self.spans.get(v.name, (v.start - size, v.start + size))
        return max(low, v.minimum), min(high, v.maximum)


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """Results of an experiment.

    Attributes:
        files: Contents by path in the FMU; empty if there are none.
        remark: How they were made, or why there are none.
        relative_tolerance: How far a binary may be off, as a fraction of the largest
            value of the series.
    """

    files: Mapping[str, bytes]
    remark: str
    relative_tolerance: float = 0.0


@runtime_checkable
class Runner(Protocol):
    """What steps in Python."""

    def start(self, u: Vector, p: Vector) -> tuple[Vector, Vector]:
        """Return memory and outputs at the start."""
        ...

    def advance(
        self, memory: Vector, t: float, h: float, u: Vector, p: Vector
    ) -> tuple[Vector, Vector, StepStatus]:
        """Return memory, outputs and status after a step."""
        ...


def make_reference(
    subject: SteppableCode | Model,
    experiment: Experiment | None,
    rows: Sequence[Row] = (),
) -> Reference:
    """Run a step map and return its results as the files of an FMU.

    Args:
        subject: What is stepped.
        experiment: How; None for no results.
        rows: The variables of the FMU; each is a column, the elements of a vector with
            spaces between. By default every port is one.
    """
    if experiment is None:
        return Reference(files={}, remark="None: none were asked for.")
    # An adaptive step size amplifies rounding up to the tolerance of the integrator.
    tolerance = 1e-5 if isinstance(subject, ImplicitSource | Switched) else 1e-9
    if isinstance(subject, Model):
        return Reference(files={}, remark="None: equations alone take no steps.")
    try:
        runner = runner_of(subject)
    except CompilerError:
        return Reference(files={}, remark="None: the exporter had no C compiler.")
    if runner is None:
        return Reference(files={}, remark="None: the step map runs in C only.")
    for k in range(_N_SHRINK):
        # The last try keeps the start values.
        share = 0.0 if k == _N_SHRINK - 1 else 0.1**k
        inputs = _staircases(subject.interface.inputs, experiment, share)
        outputs = _run(runner, subject, experiment, inputs)
        if outputs is not None:
            files = _files(subject, experiment, inputs, outputs, tolerance, rows)
            remark = (
                f"{experiment.n_steps} steps of {experiment.step_s:g} s, computed by "
                "packtwin's step map in Python, not by this binary. Each row of inputs "
                "holds on the step that follows it; parameters keep their start values."
            )
            return Reference(files=files, remark=remark, relative_tolerance=tolerance)
    return Reference(files={}, remark="None: the start values admit no step.")


def runner_of(subject: SteppableCode) -> Runner | None:
    """Return what steps the same map in Python; None if nothing can.

    Raises:
        CompilerError: It needs a compiler, and there is none.
    """
    if isinstance(subject, ImplicitSource):
        return compile_step_map(subject)
    if isinstance(subject, Switched):
        return CompiledSwitched(subject)
    return subject if isinstance(subject, Runner) else None


def _staircases(
    inputs: tuple[Variable, ...], experiment: Experiment, share: float
) -> Vector:
    """Return one row of inputs per communication point."""
    n = experiment.n_steps + 1
    table = np.empty((n, len(inputs)))
    for column, v in enumerate(inputs):
        low, high = experiment.span(v)
        for k in range(1, n):
            level = share * _LEVELS[(k // 5 + 2 * column) % len(_LEVELS)]
            way = high - v.start if level > 0.0 else v.start - low
            table[k, column] = v.start + level * way
        table[0, column] = v.start
    return table


def _run(
    runner: Runner, subject: SteppableCode, experiment: Experiment, inputs: Vector
) -> Vector | None:
    p = np.array([v.start for v in subject.interface.parameters], dtype=float)
    try:
        memory, y = runner.start(inputs[0], p)
    except StepError:
        return None
    rows = [y]
    for k in range(experiment.n_steps):
        time_s = k * experiment.step_s
        memory, y, status = runner.advance(
            memory, time_s, experiment.step_s, inputs[k], p
        )
        if status != StepStatus.OK:
            return None
        rows.append(y)
    table = np.array(rows)
    return table if np.isfinite(table).all() else None


def _files(
    subject: SteppableCode,
    experiment: Experiment,
    inputs: Vector,
    outputs: Vector,
    tolerance: float,
    rows: Sequence[Row],
) -> dict[str, bytes]:
    interface, name = subject.interface, subject.name
    times = [k * experiment.step_s for k in range(experiment.n_steps + 1)]
    manifest = render_template(
        "fmi-ls-manifest.xml.j2",
        {
            "name": name,
            "has_inputs": bool(interface.inputs),
            "relative_tolerance": repr(tolerance),
        },
        is_xml=True,
    )
    files = {"fmi-ls-manifest.xml": manifest.encode()}
    if interface.inputs:
        columns = _columns(rows, "input", interface.input_names)
        files[f"{name}_in.csv"] = _csv(times, columns, inputs)
    columns = _columns(rows, "output", interface.output_names)
    files[f"{name}_out.csv"] = _csv(times, columns, outputs)
    return {f"{REFERENCE_FOLDER}/{file}": data for file, data in files.items()}


def _columns(
    rows: Sequence[Row], kind: Kind, names: tuple[str, ...]
) -> list[tuple[str, int]]:
    """Return name and number of elements of each column."""
    shown = [(row.name, row.size) for row in rows if row.kind == kind]
    return shown or [(name, 1) for name in names]


def _csv(
    times: Sequence[float], columns: Sequence[tuple[str, int]], table: Vector
) -> bytes:
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["time", *(name for name, _ in columns)])
    for time_s, row in zip(times, table, strict=True):
        values = iter(repr(float(value)) for value in row)
        cells = [" ".join(islice(values, size)) for _, size in columns]
        writer.writerow([repr(float(time_s)), *cells])
    return text.getvalue().encode()
