"""The packaging keeps the promises of docs/decisions/0001."""

import importlib
import tomllib
from importlib.metadata import version
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
FOLDERS = ("twin", "fmu", "pybamm_models", "cosim", "scenarios")
PACKAGES = PROJECT["tool"]["setuptools"]["packages"]


@pytest.mark.parametrize("folder", FOLDERS)
def test_folder_is_imported_from_this_checkout(folder):
    module = importlib.import_module(f"packtwin.{folder}")
    assert Path(module.__file__).parent.resolve() == (ROOT / folder).resolve()


def test_every_package_is_declared():
    found = {
        "packtwin." + ".".join(path.parent.relative_to(ROOT).parts)
        for folder in FOLDERS
        for path in (ROOT / folder).rglob("__init__.py")
    }
    assert found == set(PACKAGES)


def test_there_is_no_init_at_the_root():
    assert not (ROOT / "__init__.py").exists()


def test_no_module_shadows_a_dependency():
    taken = {"casadi", "fmpy", "pybamm", "torch", "numpy", "typer", "rich", "logging"}
    names = {p.stem for f in FOLDERS for p in (ROOT / f).glob("*.py")}
    assert not names & taken


def test_version_is_written_once():
    assert version("packtwin") == PROJECT["project"]["version"]


def test_product_names_no_path_outside_itself():
    texts = [p for f in FOLDERS for p in (ROOT / f).rglob("*.py")]
    assert not [p for p in texts if "../shared" in p.read_text()]


MODULES = sorted(
    ".".join(path.relative_to(ROOT).with_suffix("").parts)
    for folder in FOLDERS
    for path in (ROOT / folder).rglob("*.py")
    if path.stem[0] != "_"
)


@pytest.mark.parametrize("name", MODULES)
def test_all_is_sorted_and_complete(name):
    module = importlib.import_module(f"packtwin.{name}")
    names = list(getattr(module, "__all__", ()))
    assert len(names) == len(set(names))
    assert all(hasattr(module, name) for name in names)
