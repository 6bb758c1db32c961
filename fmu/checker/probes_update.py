"""Probe of intermediate updates: what an FMU of FMI 3 calls inside its steps."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, final

from packtwin.fmu.checker.calls import Instance
from packtwin.fmu.checker.probes_steps import optional_instance
from packtwin.fmu.checker.run_variable import RunVariable
from packtwin.fmu.checker.subject import Finding, Subject
from packtwin.fmu.fmi3 import IntermediateUpdateCallback

__all__ = ["probe_intermediate_update"]

_N_UPDATES = 5
_TIME_TOLERANCE = 1e-9
_SAME = 1e-4  # of a value: an input that is set again to what it is, changes little


def probe_intermediate_update(subject: Subject) -> Iterator[Finding]:
    """Inside steps, variables are got and set as the FMU says, and it matters."""
    if not subject.flag("providesIntermediateUpdate") or not subject.step_s:
        return
    named = set(subject.plan["intermediate"])
    inputs = [v for v in subject.inputs() if v.reference in named]
    outputs = [v for v in subject.outputs() if v.reference in named]
    if not inputs and not outputs:
        return
    plain, outcomes = _rows(subject, None), []
    for share in (0.0, 0.05):
        made = _Update(subject=subject, inputs=inputs, outputs=outputs, share=share)
        made.rows = _rows(subject, made)
        if made.findings:
            yield made.findings[0]
            return
        outcomes.append(made)
    if not outcomes[0].n_calls:
        message = "`providesIntermediateUpdate` is declared, but no step ever calls it."
        yield Finding(rule="capability-lies", message=message)
    if not outcomes[0].n_sets:
        return
    for v, got, want in _pairs(subject, outcomes[0].rows, plain):
        if abs(got - want) > _SAME * max(abs(want), abs(v.nominal)):
            message = (
                f"With inputs set in steps to what they are, it is {got!r} and not "
                f"{want!r}."
            )
            yield Finding(rule="intermediate-wrong", message=message, variable=v.name)
            return
    if outcomes[0].rows == outcomes[1].rows:
        message = "Inputs that it asks for in intermediate updates have no effect."
        yield Finding(rule="set-has-no-effect", message=message)


def _rows(subject: Subject, update: _Update | None) -> list[list[float]]:
    """Return the outputs after steps with constant inputs."""
    required: list[int] = []
    callback = None
    if update is not None:
        required = [v.reference for v in (*update.inputs, *update.outputs)]
        callback = IntermediateUpdateCallback(update)
    rows: list[list[float]] = []
    with optional_instance(subject, required=required, update=callback) as made:
        if made is None:
            return rows
        subject.set_inputs(made, 0, 0)
        made.require("ExitInitializationMode")
        for k in range(_N_UPDATES):
            begin = subject.start_s + k * subject.step_s
            if update is not None:
                update.follow(made, begin, begin + subject.step_s)
            if made.step(begin, subject.step_s) > 1:
                break
            rows.append(made.get(subject.outputs())[1])
    return rows


def _pairs(
    subject: Subject, one: list[list[float]], other: list[list[float]]
) -> Iterator[tuple[RunVariable, float, float]]:
    cells = [v for v in subject.outputs() for _ in range(v.size)]
    for got, want in zip(one, other, strict=False):
        yield from zip(cells, got, want, strict=False)


@final
@dataclass(slots=True, kw_only=True)
class _Update:
    """What is called inside steps: it sets inputs, gets outputs and takes notes."""

    subject: Subject
    inputs: list[RunVariable]
    outputs: list[RunVariable]
    share: float
    n_calls: int = 0
    n_sets: int = 0
    findings: list[Finding] = field(default_factory=list)
    rows: list[list[float]] = field(default_factory=list)
    _made: Instance | None = None
    _span: tuple[float, float] = (0.0, 0.0)

    def follow(self, made: Instance, begin: float, end: float) -> None:
        """Say which instance steps from where to where."""
        self._made, self._span = made, (begin, end)

    def __call__(
        self,
        _environment: Any,
        time: float,
        may_set: bool,
        may_get: bool,
        *_rest: Any,
    ) -> None:
        """Do what the FMU allows."""
        made, (begin, end) = self._made, self._span
        self.n_calls += 1
        slack = _TIME_TOLERANCE * max(1.0, abs(end))
        if made is None or self.findings:
            return
        if not begin - slack <= time <= end + slack:
            message = f"The step from {begin:g} s to {end:g} s has one at {time:g} s."
            self._add("intermediate-wrong", message)
        if may_set and self.inputs:
            self.n_sets += 1
            values = [x for v in self.inputs for x in v.near(self.share)]
            self._judge(made.set(self.inputs, values), "Setting inputs")
        if may_get and self.outputs:
            status, values = made.get(self.outputs)
            self._judge(status, "Getting outputs")
            if not all(map(math.isfinite, values)):
                self._add("output-not-finite", f"An output is {values}.")

    def _judge(self, status: int, what: str) -> None:
        if status > 1:
            said = self.subject.said(status)
            message = (
                f"{what} in an intermediate update that allows it returned {said}."
            )
            self._add("capability-lies", message)

    def _add(self, rule: str, message: str) -> None:
        self.findings.append(Finding(rule=rule, message=message))
