"""The page inside an FMU: every variable, the certificate, limits, and the licences."""

from __future__ import annotations

import re
import zipfile
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import casadi as ca
import pytest

from packtwin.fmu.export import Account, export_fmu
from packtwin.twin.implicit import implicit_source
from packtwin.twin.model import model_from_expressions, names_to_symbols
from packtwin.twin.step_map import StepMap
from packtwin.twin.variable import Interface, Variable

ACCOUNT = Account(
    description="A <circuit> & its page.",
    equations=("C dV/dt = (U - V) / R.",),
    limits=("It does not burn.",),
    notice="Kirchhoff's laws.",
    certificate={
        "held_out_runs": 73,
        "bounds": {"voltage_V": 0.0125},
        "bound_meaning": "99 % of all samples have a smaller error",
        "domain": {"soc_minimum": 0.05},
        "targets": [
            {"what": "rms", "value": 0.00172, "unit": "V", "target": 0.002, "met": True}
        ],
    },
)


class Reader(HTMLParser):
    """Checks that tags are closed and keeps the text."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.text = ""
        self.links: list[str] = []

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        if tag != "meta":
            self.open.append(tag)
        self.links += [v for k, v in attrs if k in ("href", "src")]

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def documents(path: Path) -> dict[str, str]:
    with zipfile.ZipFile(path) as archive:
        return {
            name.removeprefix("documentation/"): archive.read(name).decode()
            for name in archive.namelist()
            if name.startswith("documentation/")
        }


@pytest.fixture(scope="module")
def written(rc_step_map: StepMap, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("documented") / "rc.fmu"
    return export_fmu(rc_step_map, path, platforms=(), description=ACCOUNT)


def test_the_page_is_complete_and_self_contained(
    written: Path, rc_step_map: StepMap
) -> None:
    reader = Reader()
    reader.feed(documents(written)["index.html"])
    assert reader.open == []
    assert reader.links == ["licenses/license.txt"]
    interface = rc_step_map.interface
    for v in (*interface.inputs, *interface.outputs, *interface.parameters):
        assert v.name in reader.text
    for text in (
        *("A <circuit> & its page.", 'At "C" & <ground>.', "C dV/dt = (U - V) / R."),
        *("(mean over the step)", "positive when they discharge", "It does not burn."),
        *("73 runs", "0.0125", "soc_minimum", "0.00172 V", "FMI 2.0, co-simulation"),
        *("None: the importing tool compiles the source", "60 steps of 1 s"),
    ):
        assert text in reader.text


def test_the_certificate_is_kept_whole(written: Path) -> None:
    assert '"soc_minimum": 0.05' in documents(written)["certificate.json"]


def test_the_licence_names_casadi_only_where_its_code_is(
    written: Path, tmp_path: Path
) -> None:
    licence = documents(written)["licenses/license.txt"]
    assert "MIT No Attribution" in licence
    assert "Kirchhoff's laws." in licence
    interface = Interface(outputs=(Variable(name="level"),))
    states = (Variable(name="depth_m"),)
    x, xs = names_to_symbols(states, "x")
    model = model_from_expressions(
        "Falling",
        interface,
        states,
        symbols=(ca.SX.sym("t"), x, ca.SX.sym("u", 0), ca.SX.sym("p", 0)),
        rhs={"depth_m": -xs["depth_m"]},
        outputs={"level": xs["depth_m"]},
        initial={"depth_m": ca.SX(1)},
    )
    path = export_fmu(
        implicit_source(model), tmp_path / "f.fmu", platforms=(), experiment=None
    )
    own = documents(path)["licenses/license.txt"]
    assert "No code of CasADi" in own
    assert "MIT No Attribution" not in own
    with zipfile.ZipFile(path) as archive:
        assert "casadi_" not in archive.read("sources/Falling.c").decode()


def test_every_brace_of_the_templates_was_filled(written: Path) -> None:
    for text in documents(written).values():
        assert not re.search(r"{{|{%|}}", text)
