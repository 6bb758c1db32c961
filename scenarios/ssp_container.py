"""`write_container`: a package of FMUs as one FMU that holds and steps them.

The container is written by the fmu-manipulation-toolbox, whose library loads the FMUs
and moves values between them. It knows no units, so a connection that converts goes
through a small FMU made for it.
"""

from __future__ import annotations

import importlib
import logging
import re
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal, TypeAlias, final

import casadi as ca

from packtwin.cosim.connection import Connection, Port
from packtwin.cosim.masters import GaussSeidel
from packtwin.fmu.component import FmuComponent
from packtwin.fmu.export import export_fmu
from packtwin.fmu.variable_map import MappedVariable
from packtwin.scenarios.ssp_loading import LoadedSsp, Route
from packtwin.scenarios.ssp_wiring import raw_line
from packtwin.twin.component import Component
from packtwin.twin.errors import FmuError, ScenarioError, WiringError
from packtwin.twin.step_map import StepMap
from packtwin.twin.variable import Interface, Variable

__all__ = ["Order", "write_container"]

Order: TypeAlias = Literal["gauss-seidel", "jacobi"]
FmiVersion: TypeAlias = Literal["2.0", "3.0"]

_PLAIN = (1.0, 0.0)
_PACKAGE = "fmu_manipulation_toolbox"


def write_container(
    loaded: LoadedSsp,
    path: Path | str,
    *,
    step_s: float,
    order: Order = "gauss-seidel",
    fmi_version: FmiVersion = "2.0",
) -> Path:
    """Write a package as one FMU for co-simulation.

    Its inputs and outputs are the connectors of the package; without outputs there,
    all outputs of all components as `component_variable`. Parameters are fixed.

    Args:
        loaded: The package, loaded with `loops="delay"`.
        path: The file to write.
        step_s: Step of the FMUs inside; those who import the container should take
            whole multiples of it.
        order: How the FMUs inside are stepped.
        fmi_version: Of the container; the FMUs inside may be of either.

    Raises:
        ScenarioError: The fmu-manipulation-toolbox is not installed.
        WiringError: The container cannot do what the package asks for.
        FmuError: The toolbox refuses an FMU or a value.
    """
    path = Path(path)
    toolbox = _toolbox()
    with tempfile.TemporaryDirectory(prefix="packtwin-container-") as name:
        plan = _Plan(loaded, Path(name), order, fmi_version)
        with _its_errors(toolbox, path):
            plan.write(toolbox, path.stem, step_s)
        path.parent.mkdir(parents=True, exist_ok=True)
        shutil.move(Path(name) / f"{path.stem}.fmu", path)
    return path


def _toolbox() -> Any:
    try:
        return importlib.import_module(f"{_PACKAGE}.container")
    except ImportError as error:
        msg = (
            "Containers are written by `fmu-manipulation-toolbox`, which is not "
            "installed; install `packtwin[container]`."
        )
        raise ScenarioError(msg) from error


@contextmanager
def _its_errors(toolbox: Any, path: Path) -> Iterator[None]:
    logger = logging.getLogger(_PACKAGE)
    level = logger.level
    logger.setLevel(logging.CRITICAL)  # it calls constant inputs an error
    try:
        yield
    except toolbox.FMUContainerError as error:
        msg = f"`{path}` cannot be written: {str(error).rstrip('.')}."
        raise FmuError(msg) from error
    finally:
        logger.setLevel(level)


@final
class _Plan:
    """The FMUs of a container in their order, and what is between them."""

    def __init__(
        self, loaded: LoadedSsp, folder: Path, order: Order, fmi_version: FmiVersion
    ) -> None:
        self._loaded, self._folder = loaded, folder
        self._order, self._fmi_version = order, fmi_version
        self._fmus = {c.name: _checked(c) for c in loaded.system.components}
        self._names = GaussSeidel().order(loaded.system).components
        self._gain_count = 0
        self._calls: list[tuple[str, tuple[str, ...]]] = []
        self._check_delays()

    def write(self, toolbox: Any, name: str, step_s: float) -> None:
        """Write the container into the folder."""
        experiment = self._loaded.package.structure.experiment
        container = toolbox.FMUContainer(
            _identifier(name), self._folder, fmi_version=int(self._fmi_version[0])
        )
        container.start_time = self._loaded.start_s
        container.stop_time = experiment and experiment.stop_s
        self._connect_inputs(container)
        for component in self._names:
            file = _file(component)
            shutil.copyfile(self._fmus[component].file.path, self._folder / file)
            container.get_fmu(file)
            self._connect_outputs(container, component)
        for connection in self._loaded.system.connections:
            if self._line(connection) == _PLAIN:
                source = self._end(connection.source, "outputs")
                self._later(
                    "add_link", *source, *self._end(connection.target, "inputs")
                )
        for fmu in self._fmus.values():
            self._start(fmu)
        for call, arguments in self._calls:
            getattr(container, call)(*arguments)
        container.make_fmu(
            f"{name}.fmu", step_size=step_s, sequential=self._order == "gauss-seidel"
        )

    def _later(self, call: str, *arguments: str) -> None:
        """Note a call for when all FMUs are in the container, in their order."""
        self._calls.append((call, arguments))

    def _check_delays(self) -> None:
        rank = {name: i for i, name in enumerate(self._names)}
        for c in self._loaded.system.connections:
            is_forward = rank[c.source.component] < rank[c.target.component]
            if c.is_delayed and is_forward and self._order == "gauss-seidel":
                msg = (
                    f"`{c}` is delayed, but `{c.source.component}` is stepped before "
                    f"`{c.target.component}`; take the order jacobi."
                )
                raise WiringError(msg)

    def _connect_inputs(self, container: Any) -> None:
        for name, routes in self._loaded.inputs.items():
            for route in routes:
                end = self._end(Port.parse(route.port), "inputs")
                if route.line == _PLAIN:
                    self._later("add_input", name, *end)
                    continue
                gain = self._add_gain(container, route.line, name)
                self._later("add_input", name, gain, "u")
                self._later("add_link", gain, "y", *end)

    def _connect_outputs(self, container: Any, component: str) -> None:
        """Expose what a component gives, and convert it right after its step."""
        for connection in self._loaded.system.connections:
            line = self._line(connection)
            if connection.source.component == component and line != _PLAIN:
                gain = self._add_gain(container, line, str(connection))
                source = self._end(connection.source, "outputs")
                self._later("add_link", *source, gain, "u")
                self._later(
                    "add_link", gain, "y", *self._end(connection.target, "inputs")
                )
        routes: Mapping[str, Route] = self._loaded.outputs or {
            re.sub(r"\W", "_", name): Route(port=name, line=_PLAIN)
            for name in self._loaded.system.output_names
        }
        for name, route in routes.items():
            port = Port.parse(route.port)
            if port.component != component:
                continue
            end = self._end(port, "outputs")
            if route.line != _PLAIN:
                gain = self._add_gain(container, route.line, name)
                self._later("add_link", *end, gain, "u")
                end = (gain, "y")
            self._later("add_output", *end, name)

    def _add_gain(self, container: Any, line: tuple[float, float], where: str) -> str:
        """Return the file of a small FMU that converts, stepped from here on."""
        if self._order == "jacobi":
            msg = (
                f"`{where}` converts its value, which would take one more step in a "
                "container of this order; take the order gauss-seidel."
            )
            raise WiringError(msg)
        self._gain_count += 1
        file = _file(f"gain_{self._gain_count}")
        export_fmu(
            _gain(*line),
            self._folder / file,
            fmi_version=self._fmi_version,
            experiment=None,
        )
        container.get_fmu(file)
        return file

    def _start(self, component: FmuComponent) -> None:
        file = _file(component.name)
        for start in component.starts.values:
            texts = [_text(start.variable.type, e) for e in start.elements]
            self._later("add_start_value", file, start.variable.name, " ".join(texts))
        values: dict[str, list[str]] = {}
        for item in component.mapped.inputs:
            port = f"{component.name}.{item.variable.name}"
            if port in self._loaded.system.constants:
                value = self._loaded.system.constants[port]
                theirs = (value - item.offset) / item.factor
                values.setdefault(item.fmu_name, []).append(_text(item.kind, theirs))
        for name, numbers in values.items():
            self._later("add_start_value", file, name, " ".join(numbers))

    def _line(self, connection: Connection) -> tuple[float, float]:
        source = self._variable(connection.source, "outputs")
        return raw_line(connection, source, self._variable(connection.target, "inputs"))

    def _end(self, port: Port, group: str) -> tuple[str, str]:
        variable = self._variable(port, group)
        if "[" in port.variable and variable.fmu_name != port.variable:
            msg = (
                f"`{port}` is an element of an array, and a container knows only whole "
                "arrays here; use FMUs with scalars."
            )
            raise WiringError(msg)
        return _file(port.component), variable.fmu_name

    def _variable(self, port: Port, group: str) -> MappedVariable:
        items = getattr(self._fmus[port.component].mapped, group)
        found: MappedVariable = next(
            i for i in items if i.variable.name == port.variable
        )
        return found


def _checked(component: Component) -> FmuComponent:
    """Return a component that a container can hold."""
    what = ""
    if not isinstance(component, FmuComponent):
        what = "is no FMU"
    elif component.kind != "co-simulation":
        what = "is for model exchange"
    elif component.starts.sizes:
        what = "has chosen sizes of arrays"
    if what or not isinstance(component, FmuComponent):
        msg = (
            f"`{component.name}` {what}, which a container cannot take; give it as an "
            "FMU for co-simulation with these settings as defaults."
        )
        raise WiringError(msg)
    return component


def _file(name: str) -> str:
    return f"{name.replace('/', '.').replace(' ', '_')}.fmu"


def _identifier(name: str) -> str:
    text = re.sub(r"[^A-Za-z0-9_]", "_", name)
    return text if text[:1].isalpha() else f"container_{text}"


def _text(kind: str, element: Any) -> str:
    if isinstance(element, str | bytes):
        return element if isinstance(element, str) else element.hex()
    if kind == "Boolean":
        return "true" if element else "false"
    return (
        repr(float(element))
        if kind.startswith(("Real", "Float"))
        else str(round(element))
    )


def _gain(factor: float, offset: float) -> StepMap:
    """Return `y = factor * u + offset` as a step map without memory."""
    interface = Interface(
        inputs=(Variable(name="u"),), outputs=(Variable(name="y", start=offset),)
    )
    u, none = ca.SX.sym("u"), ca.SX(0, 1)
    y = factor * u + offset
    m, t, h, p = ca.SX.sym("m", 0), ca.SX.sym("t"), ca.SX.sym("h"), ca.SX.sym("p", 0)
    return StepMap(
        name="Gain",
        interface=interface,
        memory=(),
        initialize=ca.Function("initialize", [u, p], [none, y]),
        step=ca.Function("step", [m, t, h, u, p], [none, y]),
    )
