"""Probe: the binary gives the reference results that its FMU carries."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from packtwin.fmu.checker.calls import Instance
from packtwin.fmu.checker.subject import Finding, Subject

__all__ = ["probe_reference"]


def probe_reference(subject: Subject) -> Iterator[Finding]:
    """Repeat each run of the manifest and compare; one finding per output."""
    for run in subject.plan["references"]:
        worst: dict[str, tuple[float, float, float]] = {}
        with subject.instance() as made:
            subject.enter(made, start_s=run["times"][0])
            _set(subject, made, run, 0)
            made.require("fmi2ExitInitializationMode")
            _compare(made, run, 0, worst)
            for k, (start, end) in enumerate(
                zip(run["times"], run["times"][1:], strict=False)
            ):
                _set(subject, made, run, k)
                made.require("fmi2DoStep", start, end - start, 1)
                _compare(made, run, k + 1, worst)
        for name, (_, time, got) in worst.items():
            series = next(o for o in run["outputs"] if o["name"] == name)
            want = series["values"][run["times"].index(time)]
            message = (
                f"At {time:g} s it is {got!r}, but `{run['file']}` says {want!r} "
                f"(allowed: {run['tolerance']:g} of the largest value)."
            )
            yield Finding(rule="reference-differs", message=message, variable=name)


def _set(subject: Subject, made: Instance, run: Mapping[str, Any], row: int) -> None:
    if run["set"]:
        status = made.set("Real", run["set"], run["inputs"][row])
        if status > 1:
            raise subject.calls.refusal(status, "fmi2SetReal")


def _compare(
    made: Instance,
    run: Mapping[str, Any],
    row: int,
    worst: dict[str, tuple[float, float, float]],
) -> None:
    """Keep the largest excess over the tolerance of each output, its time and value."""
    _, values = made.get("Real", [o["reference"] for o in run["outputs"]])
    for output, got in zip(run["outputs"], values, strict=True):
        allowed = run["tolerance"] * max(abs(v) for v in output["values"])
        excess = abs(got - output["values"][row]) - allowed
        if not excess <= max(0.0, worst.get(output["name"], (0.0, 0.0, 0.0))[0]):
            worst[output["name"]] = (excess, run["times"][row], got)
