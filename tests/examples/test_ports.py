"""docs/ports.md names the ports of the components as they are."""

import re
from pathlib import Path

import pytest

from packtwin.twin.cooling import cooling_step_map
from packtwin.twin.pack import pack_step_map
from packtwin.twin.vehicle import load_vehicle, vehicle_step_map

ROOT = Path(__file__).parents[2]
TABLE = (ROOT / "docs" / "ports.md").read_text()


def documented(component):
    row = next(
        line for line in TABLE.splitlines() if line.startswith(f"| `{component}`")
    )
    cells = row.split("|")[2:4]
    return [re.findall(r"`([a-z]\w+)`", cell) for cell in cells]


@pytest.fixture
def step_maps(synthetic_spec):
    car = ROOT / "scenarios" / "library" / "vehicle_tesla_model_3_rwd.toml"
    return {
        "pack": pack_step_map(synthetic_spec),
        "vehicle": vehicle_step_map(load_vehicle(car)),
        "cooling": cooling_step_map(),
    }


@pytest.mark.parametrize("component", ["pack", "vehicle", "cooling"])
def test_documented_ports_are_the_ports(step_maps, component):
    inputs, outputs = documented(component)
    interface = step_maps[component].interface
    assert set(inputs) == set(interface.input_names)
    assert set(outputs) == set(interface.output_names)
