"""Probe: the binary gives the reference results that its FMU carries."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from packtwin.fmu.checker.calls import Instance
from packtwin.fmu.checker.run_variable import RunVariable
from packtwin.fmu.checker.subject import Finding, Subject

__all__ = ["probe_reference"]


def probe_reference(subject: Subject) -> Iterator[Finding]:
    """Repeat each run of the manifest and compare; one finding per output."""
    known = {v.reference: v for v in subject.variables}
    for run in subject.plan["references"]:
        worst: dict[str, tuple[float, float, float, float]] = {}
        with subject.instance() as made:
            subject.enter(made, start_s=run["times"][0])
            _set(subject, made, known, run, 0)
            made.require("ExitInitializationMode")
            _compare(made, known, run, 0, worst)
            for k, (start, end) in enumerate(
                zip(run["times"], run["times"][1:], strict=False)
            ):
                _set(subject, made, known, run, k)
                status = made.step(start, end - start)
                if status > 1:
                    raise subject.calls.refusal(status, "DoStep")
                _compare(made, known, run, k + 1, worst)
        for name, (_, time, got, want) in worst.items():
            message = (
                f"At {time:g} s it is {got!r}, but `{run['file']}` says {want!r} "
                f"(allowed: {run['tolerance']:g} of the largest value)."
            )
            yield Finding(rule="reference-differs", message=message, variable=name)


def _set(
    subject: Subject,
    made: Instance,
    known: Mapping[int, RunVariable],
    run: Mapping[str, Any],
    row: int,
) -> None:
    variables = [known[reference] for reference in run["set"]]
    if variables:
        status = made.set(variables, run["inputs"][row])
        if status > 1:
            raise subject.calls.refusal(status, f"Set{variables[0].kind}")


def _compare(
    made: Instance,
    known: Mapping[int, RunVariable],
    run: Mapping[str, Any],
    row: int,
    worst: dict[str, tuple[float, float, float, float]],
) -> None:
    """Keep the largest excess over the tolerance of each output, its time and value."""
    for output in run["outputs"]:
        _, values = made.get([known[output["reference"]]])
        for got, want, largest in zip(
            values, output["values"][row], output["largest"], strict=True
        ):
            excess = abs(got - want) - run["tolerance"] * largest
            if not excess <= max(0.0, worst.get(output["name"], (0.0,))[0]):
                time = run["times"][row]
                worst[output["name"]] = (excess, time, got, want)
