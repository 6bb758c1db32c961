"""torch = CasADi = C on random states, to rounding."""

import ctypes
import subprocess

import numpy as np
import pytest

from packtwin.twin.surrogate_model import cell_step_map

N_POINT = 10_000


def random_points(spec, seed=0):
    """States, inputs and parameters all over the domain."""
    rng = np.random.default_rng(seed)
    c, n = spec.constants, spec.n_mode
    x = rng.uniform(
        c.negative_stoichiometry_empty, c.negative_stoichiometry_full, (N_POINT, 1)
    )
    y = rng.uniform(
        c.positive_stoichiometry_full, c.positive_stoichiometry_empty, (N_POINT, 1)
    )
    x = x + rng.normal(0.0, 0.03, (N_POINT, c.negative_particle.n_shell))
    y = y + rng.normal(0.0, 0.03, (N_POINT, c.positive_particle.n_shell))
    modes = rng.uniform(-2.0, 2.0, (N_POINT, n))
    heat = rng.uniform(-1500.0, 2000.0, N_POINT)
    state = np.column_stack([x, y, modes, heat])
    u = np.column_stack(
        [
            rng.uniform(-10.0, 10.0, N_POINT),
            rng.uniform(263.0, 318.0, N_POINT),
            10.0 ** rng.uniform(0.3, 2.5, N_POINT),
        ]
    )
    p = np.tile([0.5, 298.15, 1.0, 0.0], (N_POINT, 1))
    return state, u, p


@pytest.mark.parametrize("h", [1e-3, 1.0, 60.0])
def test_torch_step_equals_the_casadi_step(synthetic_spec, h):
    torch = pytest.importorskip("torch")
    from packtwin.twin.surrogate_torch import TorchOperations, torch_step

    step_map = cell_step_map(synthetic_spec)
    state, u, p = random_points(synthetic_spec)
    ops = TorchOperations(synthetic_spec.weights)
    with torch.no_grad():
        got_x, got_y = torch_step(
            ops, synthetic_spec, torch.tensor(state), h, torch.tensor(u)
        )
    want_x, want_y = step_map.step(state.T, 0.0, h, u.T, p.T)
    names = step_map.interface.output_names
    columns = [
        names.index(k)
        for k in (
            "voltage_V",
            "plating_potential_V",
            "heat_generation_W",
            "voltage_bound_V",
            "plating_bound_V",
            "domain_distance",
        )
    ]
    scale = 1.0 + np.abs(want_x.full().T)
    assert (np.abs(got_x.numpy() - want_x.full().T) / scale).max() <= 1e-12
    assert np.abs(got_y.numpy() - want_y.full().T[:, columns]).max() <= 1e-11


@pytest.mark.fmu
def test_compiled_c_step_equals_the_casadi_step(synthetic_spec, tmp_path):
    step_map = cell_step_map(synthetic_spec)
    source = tmp_path / "cell.c"
    source.write_text(step_map.c_code().source)
    library_path = tmp_path / "cell.so"
    flags = ["-std=c99", "-O3", "-ffp-contract=off", "-fno-math-errno"]
    subprocess.run(
        ["gcc", *flags, "-shared", "-fPIC", source, "-o", library_path, "-lm"],
        check=True,
    )
    library = ctypes.CDLL(str(library_path))
    space = np.zeros(getattr(library, f"{step_map.name}_pt_space_size")() // 8 + 1)
    step = getattr(library, f"{step_map.name}_pt_step")
    array = np.ctypeslib.ndpointer(dtype=np.float64, flags="C_CONTIGUOUS")
    step.argtypes = [
        array,
        ctypes.c_double,
        ctypes.c_double,
        array,
        array,
        array,
        array,
    ]
    state, u, p = random_points(synthetic_spec, 1)
    want_x, want_y = (m.full().T for m in step_map.step(state.T, 0.0, 1.0, u.T, p.T))
    y = np.zeros(len(step_map.interface.outputs))
    worst = 0.0
    for i in range(N_POINT):
        memory = np.ascontiguousarray(state[i])
        assert step(memory, 0.0, 1.0, u[i].copy(), p[i].copy(), y, space) == 0
        for got, want in ((memory, want_x[i]), (y, want_y[i])):
            worst = max(worst, (np.abs(got - want) / (1.0 + np.abs(want))).max())
    assert worst <= 1e-13
