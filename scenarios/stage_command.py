"""Run one stage of a scenario from the command line."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

__all__ = ["make_pipeline", "run_one_stage"]


def make_pipeline(
    source: str, out: Path | None, *, is_retrained: bool, until: str = ""
) -> Any:
    """Return the stages of a scenario, by name or file, in their run folder.

    Args:
        source: The scenario.
        out: The run folder; by default one with the scenario's name.
        is_retrained: Whether to train a surrogate in that folder.
        until: The last stage; all by default.

    Raises:
        ScenarioError: There is no stage `until`.
    """
    from packtwin.scenarios.loading import load_scenario
    from packtwin.scenarios.pipeline import Pipeline
    from packtwin.scenarios.stages import ScenarioStages
    from packtwin.twin.errors import ScenarioError

    scenario = load_scenario(source)
    stages = ScenarioStages(scenario, is_retrained=is_retrained).stages()
    names = [stage.name for stage in stages]
    if until and until not in names:
        known = ", ".join(f"`{name}`" for name in names)
        msg = f"The job cannot end with stage `{until}`; its stages are {known}."
        raise ScenarioError(msg)
    stages = stages[: names.index(until) + 1] if until else stages
    folder = (out or Path("runs") / scenario.name).resolve()
    folder.mkdir(parents=True, exist_ok=True)
    return Pipeline(folder=folder, stages=stages)


def run_one_stage(
    name: str, source: str, out: Path | None, *, is_retrained: bool, is_forced: bool
) -> Path:
    """Run a stage, print what became of it, and return the run folder."""
    from packtwin.scenarios.console import print_outcomes, stage_progress

    pipeline = make_pipeline(source, out, is_retrained=is_retrained)
    with stage_progress() as progress:
        pipeline = replace(pipeline, progress=progress)
        outcome = pipeline.run_stage(name, is_forced=is_forced)
    print_outcomes([outcome])
    return Path(pipeline.folder)
