"""What a report says first: in the domain? limits kept? certificate valid?"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias, final

from packtwin.scenarios.certificate_tables import target_words
from packtwin.scenarios.drawing import run_label
from packtwin.scenarios.quantity_text import quantity_text
from packtwin.scenarios.report_inputs import Certificate, Recorded, Replayed, Summary

__all__ = ["LIMITS", "Verdict", "is_kept", "verdicts"]

Grade: TypeAlias = Literal["good", "bad", "unknown"]

# (figure of a run, limit, +1 if the figure must not exceed it, what it is)
LIMITS = (
    ("temperature_max_K", "temperature_limit_K", 1, "cell temperature"),
    ("cell_voltage_max_V", "cell_voltage_limit_V", 1, "cell voltage"),
    (
        "dfn_plating_potential_min_V",
        "plating_target_V",
        -1,
        "plating potential of the DFN replay",
    ),
)
# Rounding of a limit that is held exactly is no violation.
_TOLERANCE = {"V": 5e-4, "K": 5e-2}


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """One line of the headline.

    Attributes:
        question: What was asked.
        grade: How it was answered.
        answer: The answer in words.
    """

    question: str
    grade: Grade
    answer: str


def is_kept(summary: Summary, run: str, figure: str) -> bool | None:
    """Whether a run kept the limit of a figure; None if either is unknown."""
    for name, limit_name, sign, _ in LIMITS:
        if name == figure:
            value, limit = summary.get(f"{run}_{name}"), summary.get(limit_name)
            if value is None or limit is None:
                return None
            excess = sign * (float(value) - float(limit))
            return bool(excess <= _TOLERANCE[name[-1]])
    return None


def verdicts(
    results: Mapping[str, Recorded],
    replays: Mapping[str, Replayed | None],
    certificate: Certificate,
    summary: Summary,
) -> list[Verdict]:
    """Return the answers for each run, then the certificate's and the replay's."""
    found = []
    for run in results:
        found += [_domain(run, summary), _limits(run, replays, summary)]
    return [*found, _certificate(certificate)]


def _domain(run: str, summary: Summary) -> Verdict:
    question = f"{run_label(run)}: inside the certified domain?"
    outside = summary.get(f"{run}_out_of_domain_s")
    if outside is None or math.isnan(outside):
        return Verdict(question=question, grade="unknown", answer="Not computed.")
    if outside > 0.0:
        text = quantity_text("out_of_domain_s", outside)
        answer = f"{text} outside; nothing is certified there."
        return Verdict(question=question, grade="bad", answer=answer)
    return Verdict(question=question, grade="good", answer="At all times.")


def _limits(
    run: str, replays: Mapping[str, Replayed | None], summary: Summary
) -> Verdict:
    question = f"{run_label(run)}: limits kept?"
    broken, unknown = [], []
    for name, limit_name, _, what in LIMITS:
        kept = is_kept(summary, run, name)
        if kept is None:
            is_missing_replay = name.startswith("dfn_") and replays.get(run) is None
            unknown.append(what + (" (no replay)" if is_missing_replay else ""))
        elif not kept:
            value = quantity_text(name, summary[f"{run}_{name}"])
            limit = quantity_text(limit_name, summary[limit_name])
            broken.append(f"{what} {value} against {limit}")
    parts = []
    if broken:
        parts.append(_sentence("; ".join(broken)))
    elif not unknown:
        parts.append("Cell temperature, cell voltage and true plating potential.")
    elif len(unknown) < len(LIMITS):
        parts.append("Kept as far as computed.")
    if unknown:
        parts.append("Not computed: " + ", ".join(unknown) + ".")
    grade: Grade = "bad" if broken else "unknown" if unknown else "good"
    return Verdict(question=question, grade=grade, answer=" ".join(parts))


def _certificate(certificate: Certificate) -> Verdict:
    question = "Surrogate: certificate valid?"
    if not certificate:
        answer = "The surrogate has no certificate; no error is bounded."
        return Verdict(question=question, grade="bad", answer=answer)
    targets = certificate.get("targets") or ()
    missed = [target_words(target) for target in targets if not target["met"]]
    if missed:
        answer = (
            f"{len(missed)} of {len(targets)} targets missed: {'; '.join(missed)}. "
            "Its bounds and domain are as measured."
        )
        return Verdict(question=question, grade="bad", answer=answer)
    if not certificate.get("bounds") or not certificate.get("domain"):
        answer = "It states no bounds or no domain."
        return Verdict(question=question, grade="bad", answer=answer)
    if not targets:
        answer = "It states bounds and a domain, but no targets."
        return Verdict(question=question, grade="unknown", answer=answer)
    answer = f"All {len(targets)} targets met."
    return Verdict(question=question, grade="good", answer=answer)


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:] + "."
