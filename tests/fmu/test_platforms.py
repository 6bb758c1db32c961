"""Platform names, folders of both versions, and what a list of names means."""

from __future__ import annotations

import pytest

from packtwin.fmu.platforms import (
    PLATFORMS,
    choose_platforms,
    host_folders,
    host_platform,
    library_suffix,
)
from packtwin.twin.errors import FmuError


def test_folders_are_those_of_the_standards() -> None:
    assert [p.folder("2.0") for p in PLATFORMS.values()] == [
        *("linux64", "aarch64-linux", "win64", "darwin64", "aarch64-darwin"),
    ]
    assert [p.folder("3.0") for p in PLATFORMS.values()] == [*PLATFORMS]


def test_suffixes_follow_the_system() -> None:
    suffixes = [p.suffix for p in PLATFORMS.values()]
    assert suffixes == [".so", ".so", ".dll", ".dylib", ".dylib"]
    for p in PLATFORMS.values():
        assert library_suffix(p.folder("2.0")) == library_suffix(p.name) == p.suffix


def test_no_target_is_newer_than_promised() -> None:
    targets = [p.target for p in PLATFORMS.values()]
    assert all(t.endswith(".2.17") for t in targets if "linux" in t)
    assert all(t.endswith(".11.0") for t in targets if "macos" in t)


def test_host_is_this_machine_and_a_name_wins_over_it() -> None:
    assert choose_platforms(["host"]) == (None,)
    assert choose_platforms([]) == ()
    assert choose_platforms(["all"]) == tuple(PLATFORMS.values())
    host = host_platform()
    assert host.folder("2.0") in host_folders()
    if host.target:
        assert choose_platforms(["host", host.name]) == (host,)
        assert choose_platforms([host.name, "host"]) == (host,)
    windows = PLATFORMS["x86_64-windows"]
    assert choose_platforms(["win64", "x86_64-windows"]) == (windows,)


def test_an_unknown_platform_names_the_nearest() -> None:
    with pytest.raises(FmuError, match=r"nearest: `x86_64-linux`.*Known are `host`"):
        choose_platforms(["x86-linux"])
