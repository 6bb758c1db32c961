"""Rules on the model structure: outputs, derivatives, initial unknowns."""

from __future__ import annotations

from collections.abc import Iterator

from packtwin.fmu.checker.description import (
    DescribedUnknown,
    DescribedVariable,
    Description,
)
from packtwin.fmu.checker.problem import Problem, problem
from packtwin.fmu.checker.variables import FILE, found_at

__all__ = ["check_structure"]

_INITIAL_KINDS = ("dependent", "constant")


def check_structure(description: Description) -> Iterator[Problem]:
    """Yield what is wrong with the model structure."""
    known = description.by_key()
    for name in ("Outputs", "Derivatives", "InitialUnknowns"):
        unknowns = description.section(name)
        yield from _check_keys(description, unknowns, known)
        for unknown in unknowns:
            yield from _check_dependencies(description, unknown, known)
    yield from _check_outputs(description)
    yield from _check_derivatives(description, known)
    yield from _check_initial_unknowns(description)


def _at(
    description: Description,
    rule: str,
    message: str,
    unknown: DescribedUnknown,
    v: DescribedVariable | None = None,
) -> Problem:
    return problem(
        rule,
        description.version,
        f"{unknown.section}: {message}",
        file=FILE,
        line=unknown.line,
        variable=v.name if v else "",
    )


def _word(description: Description) -> str:
    return "value reference" if description.is_3 else "index"


def _check_keys(
    description: Description,
    unknowns: list[DescribedUnknown],
    known: dict[int, DescribedVariable],
) -> Iterator[Problem]:
    seen: set[int] = set()
    last = 0
    for unknown in unknowns:
        key = unknown.key
        if key is None or key not in known:
            message = f"{_word(description)} {key} is no variable."
            yield _at(description, "index-range", message, unknown)
            continue
        if key in seen:
            message = "It is listed more than once."
            yield _at(description, "unknown-duplicate", message, unknown, known[key])
        elif unknown.section == "InitialUnknowns" and not description.is_3:
            if key < last:
                message = f"Index {key} comes after {last}."
                yield _at(description, "unknown-order", message, unknown, known[key])
            last = key
        seen.add(key)


def _check_dependencies(
    description: Description,
    unknown: DescribedUnknown,
    known: dict[int, DescribedVariable],
) -> Iterator[Problem]:
    own = known.get(unknown.key) if unknown.key is not None else None
    kinds, dependencies = unknown.kinds, unknown.dependencies
    if kinds is not None and (dependencies is None or len(kinds) != len(dependencies)):
        n = "no" if dependencies is None else str(len(dependencies))
        message = f"There are {len(kinds)} kinds for {n} dependencies."
        yield _at(description, "dependencies-kind", message, unknown, own)
    if kinds and unknown.section == "InitialUnknowns":
        wrong = [kind for kind in kinds if kind not in _INITIAL_KINDS]
        if wrong:
            message = f"Kind `{wrong[0]}`, expected dependent or constant."
            yield _at(description, "dependencies-kind", message, unknown, own)
    if dependencies is None:
        return
    if len(set(dependencies)) != len(dependencies):
        message = "A dependency is listed more than once."
        yield _at(description, "dependency-duplicate", message, unknown, own)
    states = set(description.states())
    for key in dict.fromkeys(dependencies):
        if key not in known:
            message = f"Dependency {key} is no {_word(description)} of a variable."
            yield _at(description, "index-range", message, unknown, own)
        elif not _may_depend_on(description, unknown, known[key], key in states):
            message = (
                f"It depends on `{known[key].name}`, which is {known[key].causality} "
                "and no known here."
            )
            yield _at(description, "dependency-not-known", message, unknown, own)


def _may_depend_on(
    description: Description,
    unknown: DescribedUnknown,
    v: DescribedVariable,
    is_state: bool,
) -> bool:
    if v.causality in ("input", "independent", "parameter", "structuralParameter"):
        return True
    if unknown.section == "InitialUnknowns":
        return v.initial == "exact" and v.variability != "constant"
    # Discrete states are known too, and FMI does not mark them.
    return is_state or v.is_clocked or v.variability == "discrete"


def _check_outputs(description: Description) -> Iterator[Problem]:
    listed = {unknown.key for unknown in description.section("Outputs")}
    for v in description.variables:
        if v.causality == "output" and v.key not in listed:
            message = "It is an output, but not in the model structure."
            yield found_at(description, "outputs-incomplete", message, v)
    known = description.by_key()
    for unknown in description.section("Outputs"):
        v_listed = known.get(unknown.key) if unknown.key is not None else None
        if v_listed is not None and v_listed.causality != "output":
            message = f"Its causality is {v_listed.causality}."
            yield _at(description, "outputs-wrong", message, unknown, v_listed)


def _check_derivatives(
    description: Description, known: dict[int, DescribedVariable]
) -> Iterator[Problem]:
    listed: set[int] = set()
    for unknown in description.section("Derivatives"):
        v = known.get(unknown.key) if unknown.key is not None else None
        if v is None:
            continue
        listed.add(unknown.key or 0)
        if "derivative" not in v.own:
            message = "It has no attribute `derivative`."
            yield _at(description, "derivatives-wrong", message, unknown, v)
    if "ModelExchange" not in description.kinds:
        return
    # A second derivative is a state's derivative as well; only the listed are states.
    for v in description.variables:
        if "derivative" in v.own and v.key not in listed:
            message = "It is a derivative, but not in the model structure."
            yield found_at(description, "derivatives-incomplete", message, v)


def _check_initial_unknowns(description: Description) -> Iterator[Problem]:
    derivatives = {unknown.key for unknown in description.section("Derivatives")}
    dynamic = derivatives | set(description.states())
    known = description.by_key()
    listed = {unknown.key for unknown in description.section("InitialUnknowns")}
    for v in description.variables:
        if _is_initial_unknown(v, v.key in dynamic) and v.key not in listed:
            message = f"It is {v.initial} at the start, but no initial unknown."
            yield found_at(description, "initial-unknowns-incomplete", message, v)
    for unknown in description.section("InitialUnknowns"):
        v_listed = known.get(unknown.key) if unknown.key is not None else None
        if v_listed is None or v_listed.is_clocked:
            continue
        if not _is_initial_unknown(v_listed, v_listed.key in dynamic):
            message = (
                f"Its causality is {v_listed.causality}, its initial "
                f"{v_listed.initial or 'none'}."
            )
            yield _at(description, "initial-unknowns-wrong", message, unknown, v_listed)


def _is_initial_unknown(v: DescribedVariable, is_dynamic: bool) -> bool:
    if v.is_clocked:
        return False
    is_calculated = v.initial in ("approx", "calculated")
    if v.causality == "calculatedParameter":
        return True
    return is_calculated and (v.causality == "output" or is_dynamic)
