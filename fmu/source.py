"""What goes into an FMU: C source and XML files, made from one table of variables.

The C of an FMU is the model's, one core that knows an instance, and the functions of
one version of FMI around it. FMI 2.0 and 3.0 share all but those.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from typing import Any, Literal, TypeAlias, final

from packtwin.fmu.model_header import model_functions, model_sizes
from packtwin.fmu.rendering import read_template, render_template
from packtwin.fmu.structure import structure_of
from packtwin.fmu.table import Row, make_table
from packtwin.fmu.terminals import terminals_of
from packtwin.twin.c_code import CCode
from packtwin.twin.errors import InterfaceError
from packtwin.twin.model import Model
from packtwin.twin.model_code import exchange_code
from packtwin.twin.sampled import Sampled
from packtwin.twin.step_map import StepMap
from packtwin.twin.steppable import SteppableCode
from packtwin.twin.units import UNITS
from packtwin.twin.variable import Interface, Variable

__all__ = ["FmiKind", "FmiVersion", "FmuSource", "render_source"]

FmiVersion: TypeAlias = Literal["2.0", "3.0"]
FmiKind: TypeAlias = Literal["cs", "me"]

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}\Z")
_KEYWORDS = """auto break case char const continue default do double else enum extern
float for goto if inline int long main register restrict return short signed sizeof
static struct switch typedef union unsigned void volatile while"""
_CORE = (
    "values.c",
    "modes.c",
    "snapshots.c",
    "stepping.c",
    "derivatives.c",
    "sensitivities.c",
    "exchange.c",
)


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class FmuSource:
    """The generated files of one FMU.

    Attributes:
        identifier: Model identifier, also the name of the library.
        token: The guid that ties description and binary together.
        c_source: One C99 translation unit.
        model_description: `modelDescription.xml`.
        build_description: `sources/buildDescription.xml`.
        terminals: `terminalsAndIcons/terminalsAndIcons.xml`, empty if it has none.
        fmi_version: Of FMI.
        kinds: What can be instantiated.
        rows: The variables.
    """

    identifier: str
    token: str
    c_source: str
    model_description: str
    build_description: str
    terminals: str = ""
    fmi_version: FmiVersion = "2.0"
    kinds: tuple[FmiKind, ...] = ("cs",)
    rows: tuple[Row, ...] = ()


def render_source(
    subject: SteppableCode | Model,
    *,
    description: str = "",
    fmi_version: FmiVersion = "2.0",
    kinds: Sequence[FmiKind] = ("cs",),
    has_derivatives: bool = True,
    has_arrays: bool = True,
) -> FmuSource:
    """Render all generated files of an FMU.

    Args:
        subject: A step map for co-simulation, and for model exchange too if it has
            `equations`; a model for model exchange alone.
        description: One sentence; the subject's own remark follows it.
        fmi_version: Of FMI.
        kinds: `cs`, `me` or both.
        has_derivatives: Whether to include the exact derivatives of steps, where there
            are any. They double size and compile time.
        has_arrays: Whether FMI 3 shows neighbours numbered 1, 2, ... as one vector.
            CasADi 3.8 cannot read those.

    Raises:
        InterfaceError: The subject cannot become such an FMU; says what is wrong.
    """
    chosen = tuple(kinds)
    _check_name(subject.name)
    if not subject.interface.outputs:
        msg = f"`{subject.name}` has no outputs; an FMU needs at least one."
        raise InterfaceError(msg)
    model, steps = _parts(subject, chosen)
    code = None
    if steps is not None:
        code = steps.c_code(is_static=True, has_derivatives=has_derivatives)
    has_steps = "cs" in chosen
    has_event_mode = (
        has_steps and fmi_version == "3.0" and bool(code and code.has_events)
    )
    states = _shown_states(subject, model, code)
    table = make_table(
        subject.interface,
        states,
        model.events if model is not None and fmi_version == "3.0" else (),
        has_steps=has_steps,
        has_derivatives=model is not None,
        has_time=fmi_version == "3.0",
        has_arrays=fmi_version == "3.0" and has_arrays,
    )
    known = steps.dependencies() if steps is not None else None
    at_events = None
    if isinstance(steps, Sampled) and (has_event_mode or "me" in chosen):
        at_events = steps.sample_dependencies()
    context = {
        "identifier": subject.name,
        "tool": f"packtwin {version('packtwin')}",
        "fmi": fmi_version[0],
        "description": f"{description} {getattr(subject, 'remark', '')}".strip(),
        "rows": table.rows,
        "structure": structure_of(table, model, known, at_events),
        "units": [
            UNITS[name] for name in sorted({row.unit for row in table.rows} - {""})
        ],
        "terminals": terminals_of(subject.interface),
        "has_steps": has_steps,
        "has_exchange": "me" in chosen,
        "has_event_mode": has_event_mode,
        **model_sizes(subject.interface, model, code, states),
        **model_functions(subject.name, model, code),
    }
    parts = [code.source] if code is not None else []
    if model is not None:
        parts.append(exchange_code(model))
    return _files(context, parts, fmi_version, chosen)


def _parts(
    subject: SteppableCode | Model, kinds: tuple[FmiKind, ...]
) -> tuple[Model | None, SteppableCode | None]:
    """Return the equations to exchange and the steps to take, or None."""
    name = subject.name
    if not kinds or len(set(kinds)) < len(kinds) or set(kinds) - {"cs", "me"}:
        msg = f"`kinds` of the FMU `{name}` is {kinds}, expected `cs`, `me` or both."
        raise InterfaceError(msg)
    steps = None if isinstance(subject, Model) else subject
    if "cs" in kinds and steps is None:
        msg = (
            f"Model `{name}` takes no steps by itself; give `integrate(model)` or "
            "`implicit_source(model)` for co-simulation, or export it as `me` only."
        )
        raise InterfaceError(msg)
    if isinstance(steps, Sampled):
        return None, steps
    model = None
    if "me" in kinds:
        model = subject if isinstance(subject, Model) else subject.equations
        if model is None:
            msg = (
                f"Step map `{name}` was not made from equations; export it as `cs` "
                "only, or give the model or a step map with `equations`."
            )
            raise InterfaceError(msg)
    return model, steps if "cs" in kinds else None


def _shown_states(
    subject: SteppableCode | Model, model: Model | None, code: CCode | None
) -> tuple[Variable, ...]:
    """Return the states that are variables of the FMU; they begin the memory."""
    memory = subject.memory if isinstance(subject, StepMap) else None
    if model is None:
        return memory if memory and code and code.has_derivatives else ()
    states = [v.name for v in model.states]
    is_same = [*_ports(subject.interface)] == [*_ports(model.interface)]
    if code and memory is not None:
        is_same &= states == [v.name for v in memory[: len(states)]]
    if not is_same:
        msg = (
            f"The memory of step map `{subject.name}` does not begin with the states "
            "of its equations, or their interfaces differ; export it as `cs` or the "
            "model as `me`."
        )
        raise InterfaceError(msg)
    return model.states


def _ports(interface: Interface) -> Iterator[tuple[str, ...]]:
    yield from (
        interface.input_names,
        interface.output_names,
        interface.parameter_names,
    )


def _check_name(name: str) -> None:
    if not _NAME.match(name) or name in _KEYWORDS.split():
        msg = (
            f"`{name}` cannot be a model identifier; expected a C identifier of at "
            "most 64 letters, digits and underscores that is no keyword."
        )
        raise InterfaceError(msg)


def _files(
    context: dict[str, Any],
    parts: list[str],
    fmi_version: FmiVersion,
    kinds: tuple[FmiKind, ...],
) -> FmuSource:
    major = fmi_version[0]
    abi = ["functions", "other", "stepping", "exchange"]
    if major == "2":
        abi.remove("other")
    prologue, types = read_template("prologue.h"), read_template(f"fmi{major}_types.h")
    rest = [read_template(name) for name in _CORE]
    rest += [read_template(f"fmi{major}_{name}.c") for name in abi]
    model, instance = read_template("model.h.j2"), read_template("instance.c")
    table = [asdict(row) for row in context["rows"]]
    digest = hashlib.sha256(
        "\0".join(
            [*parts, prologue, types, model, instance, *rest, repr(table), repr(kinds)]
        ).encode()
    ).hexdigest()
    token = "-".join(
        (digest[:8], digest[8:12], digest[12:16], digest[16:20], digest[20:32])
    )
    context = {**context, "token": f"{{{token}}}"}
    c_source = "".join(
        [
            *(
                prologue,
                *parts,
                render_template("model.h.j2", context),
                types,
                instance,
                *rest,
            ),
            read_template("epilogue.h"),
        ]
    )
    terminals = ""
    if context["terminals"]:
        terminals = render_template("terminalsAndIcons.xml.j2", context, is_xml=True)
    description = f"modelDescription{major}.xml.j2"
    return FmuSource(
        identifier=context["identifier"],
        token=context["token"],
        c_source=c_source,
        model_description=render_template(description, context, is_xml=True),
        build_description=render_template(
            "buildDescription.xml.j2", context, is_xml=True
        ),
        terminals=terminals,
        fmi_version=fmi_version,
        kinds=kinds,
        rows=context["rows"],
    )
