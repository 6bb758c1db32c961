import contextlib
import json
from dataclasses import replace

import numpy as np
import pytest

from packtwin.twin.errors import InterfaceError
from packtwin.twin.surrogate import count_features
from packtwin.twin.surrogate_casadi import CasadiOperations, network_layers
from packtwin.twin.surrogate_model import cell_model
from packtwin.twin.surrogate_spec import SPEC_VERSION, load_spec, save_spec


def test_spec_is_rounded_once_and_then_survives_the_file_bit_for_bit(
    synthetic_spec, tmp_path
):
    path, again = tmp_path / "spec.npz", tmp_path / "again.npz"
    save_spec(synthetic_spec, path)
    back = load_spec(path)
    assert back.constants == synthetic_spec.constants
    assert back.certificate == synthetic_spec.certificate
    for key, value in synthetic_spec.weights.items():
        np.testing.assert_allclose(back.weights[key], value, rtol=2.0**-24)
    at = np.linspace(0.0, 1.0, 1001)
    for key, table in synthetic_spec.tables.items():
        x = table.lower + at * (table.upper - table.lower)
        wanted = table.numpy(x)
        bound = 2.0**-31 * np.abs(wanted).max()
        np.testing.assert_allclose(back.tables[key].numpy(x), wanted, atol=bound)
    save_spec(back, again)
    for key, value in load_spec(again).weights.items():
        assert np.array_equal(back.weights[key], value)
    for key, table in load_spec(again).tables.items():
        assert np.array_equal(back.tables[key].coefficients, table.coefficients)
    assert not list(tmp_path.glob("*.partial"))


@pytest.mark.parametrize("keep", [0, 10, 1000])
def test_damaged_spec_is_refused(synthetic_spec, tmp_path, keep):
    path = tmp_path / "spec.npz"
    save_spec(synthetic_spec, path)
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(InterfaceError, match=r"spec\.npz` is not a readable surrogate"):
        load_spec(path)


def test_any_flipped_byte_is_refused_or_harmless(synthetic_spec, tmp_path):
    path = tmp_path / "spec.npz"
    save_spec(synthetic_spec, path)
    whole = path.read_bytes()
    for position in np.linspace(0, len(whole) - 1, 120).astype(int):
        damaged = bytearray(whole)
        damaged[position] ^= 0xFF
        path.write_bytes(bytes(damaged))
        with contextlib.suppress(InterfaceError):
            load_spec(path)


def test_array_that_is_no_spec_is_refused(tmp_path):
    path = tmp_path / "spec.npz"
    with path.open("wb") as stream:
        np.save(stream, np.zeros(3))
    with pytest.raises(InterfaceError, match="not a readable surrogate spec"):
        load_spec(path)


@pytest.mark.parametrize(
    ("change", "remedy"),
    [(1, "install a newer packtwin"), (-3, "train the surrogate again")],
)
def test_spec_of_another_version_is_refused(synthetic_spec, tmp_path, change, remedy):
    path = tmp_path / "spec.npz"
    save_spec(synthetic_spec, path)
    with np.load(path) as file:
        arrays = dict(file)
    header = json.loads(arrays["header"].tobytes())
    header["version"] = SPEC_VERSION + change
    arrays["header"] = np.frombuffer(json.dumps(header).encode(), dtype=np.uint8)
    np.savez(path, **arrays)
    with pytest.raises(InterfaceError, match=remedy):
        load_spec(path)


def test_spec_of_version_2_is_read_and_claims_what_it_did(synthetic_spec, tmp_path):
    """Neither floor nor risk: the bound is the factor times the exponential."""
    old = {
        k: v
        for k, v in synthetic_spec.weights.items()
        if k != "bound_floor" and not k.startswith("risk_")
    }
    path = tmp_path / "spec.npz"
    save_spec(replace(synthetic_spec, weights=old), path)
    with np.load(path) as file:
        arrays = dict(file)
    header = json.loads(arrays["header"].tobytes())
    header["version"] = 2
    arrays["header"] = np.frombuffer(json.dumps(header).encode(), dtype=np.uint8)
    np.savez(path, **arrays)
    read = load_spec(path)
    z = np.random.default_rng(0).normal(size=count_features(read.n_mode))
    (first, bias), (second, offset) = network_layers(old, "bound")
    hidden = first @ z + bias
    hidden = hidden / np.sqrt(1.0 + hidden**2)
    want = old["bound_factor"] * np.exp(second @ hidden + offset)
    got = CasadiOperations(read.weights).bounds(list(z))
    # The file holds single precision.
    np.testing.assert_allclose([float(v) for v in got], want, rtol=1e-6)


def test_weights_of_other_equations_are_refused(synthetic_spec):
    wrong = dict(synthetic_spec.weights)
    wrong["closure_matrix_0"] = wrong["closure_matrix_0"][:, :-1]
    with pytest.raises(InterfaceError, match="network `closure` maps 14 to 54 numbers"):
        cell_model(replace(synthetic_spec, weights=wrong))
