"""Held-out runs are pooled by what they are."""

from __future__ import annotations

from typing import Any

import pytest

from packtwin.scenarios.held_out_errors import held_out_groups


def _run(name: str, kind: str, rms: float, duration_s: float = 100.0) -> dict[str, Any]:
    return {
        "name": name,
        "labels": {"kind": kind},
        "duration_s": duration_s,
        "start_temperature_K": 298.15,
        "rms": {"voltage_V": rms},
        "p99": {"voltage_V": 2 * rms},
        "maximum": {"voltage_V": 3 * rms},
    }


def test_rms_is_pooled_by_duration_and_extremes_are_the_largest() -> None:
    runs = [_run("a", "cycle", 3e-3, 300.0), _run("b", "cycle", 5e-3, 100.0)]
    (group,) = held_out_groups({"runs": runs})
    assert (group.kind, group.c_rate, group.count) == ("cycle", None, 2)
    # (3 * 9 + 1 * 25) / 4 = 13
    assert group.statistics["voltage_V"] == pytest.approx(
        {"rms": 13**0.5 * 1e-3, "p99": 10e-3, "maximum": 15e-3}
    )


def test_rate_comes_from_the_label_or_from_the_name() -> None:
    named = _run("constant_charge_1.5C_+25degC", "constant_charge", 1e-3)
    labelled = _run("x", "constant_charge", 1e-3)
    labelled["labels"]["c_rate"] = 0.5
    groups = held_out_groups({"runs": [named, labelled]})
    assert [group.c_rate for group in groups] == [0.5, 1.5]


def test_certificate_without_runs_has_no_groups() -> None:
    assert held_out_groups({"bounds": {}}) == []
