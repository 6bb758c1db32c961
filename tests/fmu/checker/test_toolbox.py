"""The plug-in for fmu-manipulation-toolbox, against its interface."""

from __future__ import annotations

import logging
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest

from packtwin.fmu.archive import write_archive
from packtwin.fmu.checker.toolbox import toolbox_checker


class OperationAbstract:
    """The part of the toolbox's class that a checker needs."""

    fmu = None
    read_only = False

    def set_fmu(self, fmu: object) -> None:
        self.fmu = fmu


@pytest.fixture
def toolbox(monkeypatch: pytest.MonkeyPatch) -> None:
    package = ModuleType("fmu_manipulation_toolbox")
    operations = ModuleType("fmu_manipulation_toolbox.operations")
    operations.OperationAbstract = OperationAbstract
    monkeypatch.setitem(sys.modules, package.__name__, package)
    monkeypatch.setitem(sys.modules, operations.__name__, operations)


@pytest.mark.usefixtures("toolbox")
def test_problems_are_logged_by_the_toolbox_logger(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    write_archive(tmp_path / "x.fmu", {"modelDescription.xml": b"<a>"})
    found = toolbox_checker()
    assert issubclass(found, OperationAbstract)
    checker = found()
    checker.set_fmu(SimpleNamespace(fmu_filename=str(tmp_path / "x.fmu")))
    with caplog.at_level(logging.INFO, "fmu_manipulation_toolbox"):
        checker.closure()
    assert checker.read_only
    assert repr(checker) == "packtwin's static checks"
    levels = [record.levelno for record in caplog.records]
    assert levels == [logging.ERROR, logging.INFO]
    assert "xml-malformed; FMI 2.0.5, 2.2" in caplog.text


@pytest.mark.usefixtures("toolbox")
def test_unreadable_file_is_logged(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    checker = toolbox_checker()()
    checker.set_fmu(SimpleNamespace(fmu_filename=str(tmp_path / "absent.fmu")))
    checker.closure()
    assert "There is no FMU file" in caplog.text
