"""`DriveCycle`: distances of the regulations, refusals that say what to do."""

from importlib import resources
from pathlib import Path

import numpy as np
import pytest

from packtwin.twin.cycle import DriveCycle, load_cycle
from packtwin.twin.errors import ScenarioError

LIBRARY = Path(str(resources.files("packtwin.scenarios.library")))


@pytest.mark.parametrize(
    ("name", "distance_km", "duration_s"),
    [
        ("udds", 11.990, 1369.0),
        ("hwfet", 16.507, 765.0),
        ("us06", 12.888, 600.0),
        ("wltc_class3b", 23.266, 1800.0),
    ],
)
def test_shipped_cycle_has_the_distance_of_its_regulation(
    name: str, distance_km: float, duration_s: float
) -> None:
    cycle = load_cycle(LIBRARY / f"cycle_{name}.csv")
    assert cycle.name == name
    assert round(cycle.distance_m / 1000.0, 3) == distance_km
    assert cycle.duration_s == duration_s


@pytest.mark.parametrize("path", sorted(LIBRARY.glob("cycle_*.csv")), ids=str)
def test_shipped_cycle_names_source_and_licence(path: Path) -> None:
    first = path.read_text(encoding="utf-8").splitlines()[0]
    assert first.startswith("# source: ")
    assert "licence: " in first


def write(folder: Path, text: str) -> Path:
    path = folder / "cycle_mine.csv"
    path.write_text(text, encoding="utf-8")
    return path


def test_columns_may_come_in_any_order_with_comments_and_a_bom(tmp_path: Path) -> None:
    text = "\ufeff# source: me\n\nspeed_m_per_s, time_s\n0, 0\n2, 1\n# stop\n0, 3\n"
    cycle = load_cycle(write(tmp_path, text))
    assert cycle.name == "mine"
    np.testing.assert_array_equal(cycle.time_s, [0.0, 1.0, 3.0])
    assert cycle.distance_m == 3.0


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("time_s,speed_km_per_h\n0,0\n1,1\n", ["row 1", "speed_km_per_h", "1/3.6"]),
        ("time_s,speed_m_s\n0,0\n1,1\n", ["row 1", "rename it to `speed_m_per_s`"]),
        ("time_min,speed_m_per_s\n0,0\n", ["row 1", "by 60", "`time_s`"]),
        ("time_s\n0\n1\n", ["row 1", "`speed_m_per_s` occurs 0 times"]),
        ("time_s,time_s,speed_m_per_s\n", ["row 1", "`time_s` occurs 2 times"]),
        ("time_s,speed_m_per_s,grade\n", ["row 1", "`grade`", "remove it"]),
        ("# c\ntime_s,speed_m_per_s\n0,0\n1,nan\n", ["row 4", "nan", "finite speed"]),
        ("time_s,speed_m_per_s\n0,0\ninf,1\n", ["row 3", "inf", "finite time"]),
        ("time_s,speed_m_per_s\n0,0\n2,1\n2,1\n", ["row 4", "is 2.0 s", "more than"]),
        ("time_s,speed_m_per_s\n0,0\n1,-1\n", ["row 3", "-1.0 m/s", ">= 0 m/s"]),
        ("time_s,speed_m_per_s\n0,0\n", ["got 1 rows", "at least 2"]),
        ("time_s,speed_m_per_s\n", ["got 0 rows", "at least 2"]),
        ("time_s,speed_m_per_s\n0,0\n1,2,3\n", ["row 3", "got 3 values"]),
        ("time_s,speed_m_per_s\n0,0\n1,fast\n", ["row 3", "`1,fast`", "two numbers"]),
        ("# nothing\n", ["empty", "time_s,speed_m_per_s"]),
    ],
)
def test_wrong_file_is_refused_with_row_and_remedy(
    tmp_path: Path, text: str, parts: list[str]
) -> None:
    path = write(tmp_path, text)
    with pytest.raises(ScenarioError) as caught:
        load_cycle(path)
    message = str(caught.value)
    assert message.startswith(f"`{path}`")
    assert message.endswith(".")
    for part in parts:
        assert part in message


def test_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ScenarioError, match="Cannot read the drive cycle"):
        load_cycle(tmp_path / "absent.csv")


def test_binary_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "cycle.csv"
    path.write_bytes(b"\xff\xfe\x00\x81")
    with pytest.raises(ScenarioError, match="UTF-8"):
        load_cycle(path)


def ramp() -> DriveCycle:
    return DriveCycle(
        name="ramp",
        time_s=np.array([10.0, 12.0, 15.0]),
        speed_m_per_s=np.array([0.0, 4.0, 1.0]),
    )


def test_speed_is_linear_between_samples_and_zero_outside() -> None:
    speed = ramp().speed_at(np.array([-1.0, 0.0, 0.5, 2.0, 3.0, 5.0, 6.0]))
    np.testing.assert_allclose(speed, [0.0, 0.0, 1.0, 4.0, 3.0, 1.0, 0.0], rtol=1e-15)


def test_step_means_give_the_exact_distance_and_kinetic_energy() -> None:
    cycle = ramp()
    mean, slope = cycle.step_means(0.5)
    assert np.sum(mean) * 0.5 == pytest.approx(cycle.distance_m, rel=1e-15)
    # Twice the change of kinetic energy per mass: sum of 2 v a h.
    assert np.sum(2.0 * mean * slope) * 0.5 == pytest.approx(1.0, rel=1e-14)


def test_last_step_past_the_end_holds_the_last_speed() -> None:
    mean, slope = ramp().step_means(4.0)
    np.testing.assert_allclose(mean, [1.0, 1.5])
    np.testing.assert_allclose(slope, [0.5, -0.25])


@pytest.mark.parametrize("step_s", [0.0, -1.0, np.inf, np.nan])
def test_step_must_be_positive(step_s: float) -> None:
    with pytest.raises(ScenarioError, match="step > 0 s"):
        ramp().step_means(step_s)


def test_cycle_made_in_python_is_checked_and_read_only() -> None:
    time_s = np.array([0.0, 1.0])
    with pytest.raises(ScenarioError, match="sample 1"):
        DriveCycle(name="bad", time_s=time_s, speed_m_per_s=np.array([0.0, -2.0]))
    with pytest.raises(ScenarioError, match="same length"):
        DriveCycle(name="bad", time_s=time_s, speed_m_per_s=np.array([0.0]))
    with pytest.raises(ValueError, match="read-only"):
        ramp().time_s[0] = 1.0
