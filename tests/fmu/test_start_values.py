"""Start values of all types reach the FMU in its own names and units."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from packtwin.fmu.component import FmuComponent
from packtwin.twin.errors import FmuError
from tests.fmu.conftest import build_vendor

pytestmark = pytest.mark.fmu


@pytest.fixture(scope="module")
def texts_fmu(fmu_folder: Path) -> Path:
    return build_vendor(fmu_folder, "Texts", "Texts.xml", "linux64")


@pytest.fixture(scope="module")
def sizes_fmu(fmu_folder: Path) -> Path:
    return build_vendor(fmu_folder, "Sizes", "Sizes.xml", "x86_64-linux")


def outputs(path: Path, u: list[float], **starts: object) -> dict[str, float]:
    component = FmuComponent(path, starts=starts)
    names = component.interface.output_names
    values = component.initialize(0, np.array(u))
    again = component.initialize(0, np.array(u))  # they survive a reset
    component.close()
    assert np.array_equal(values, again)
    return dict(zip(names, values.tolist(), strict=True))


def test_texts_and_items_reach_an_fmi2_fmu(texts_fmu):
    plain = outputs(texts_fmu, [280.0])
    assert (plain["length"], plain["chosen"], plain["warm_K"]) == (4.0, 1.0, 298.15)
    given = outputs(texts_fmu, [280.0], label="grüße", choice="third", warm=30.0)
    assert given["length"] == len("grüße".encode())
    assert given["chosen"] == 3.0
    assert given["warm_K"] == pytest.approx(303.15, abs=1e-12)
    assert outputs(texts_fmu, [280.0], choice=3)["chosen"] == 3.0


def test_arrays_texts_bytes_and_sizes_reach_an_fmi3_fmu(sizes_fmu):
    u = [1.0, 10.0, 100.0]
    given = outputs(
        sizes_fmu, u, n=3, gain=[2.0, 3.0, 4.0], blob=b"\x00\x01\x02", words=["ab", "c"]
    )
    assert given == {
        "total": 432.0,
        "echo[1]": 1.0,
        "echo[2]": 10.0,
        "echo[3]": 100.0,
        "bytes": 3.0,
        "letters": 3.0,
    }


@pytest.mark.parametrize(
    ("starts", "message"),
    [
        ({"lable": "x"}, "no variable `lable`; nearest: `label`"),
        ({"choice": "second"}, "items are `first`, `third`"),
        ({"label": 3.0}, "is a String, but got 3.0; give a text"),
        ({"seen_K": 3.0}, "no start value that may be chosen"),
        ({"warm": [1.0, 2.0]}, "is a scalar, but got 2 values"),
    ],
)
def test_what_the_fmu_cannot_take_is_named(texts_fmu, starts, message):
    with pytest.raises(FmuError, match=message):
        FmuComponent(texts_fmu, starts=starts)
