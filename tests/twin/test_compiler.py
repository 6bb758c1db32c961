"""The C compiler is found, or the error says what to do."""

from __future__ import annotations

from pathlib import Path

import pytest

from packtwin.twin.compiler import Compiler, find_compiler
from packtwin.twin.errors import CompilerError


def test_missing_compiler_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CC", raising=False)
    with pytest.raises(CompilerError, match="sudo apt-get install gcc"):
        find_compiler()


def test_wrong_cc_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CC", "no-such-compiler -O9")
    with pytest.raises(CompilerError, match="`no-such-compiler`"):
        find_compiler()


@pytest.mark.fmu
def test_cc_may_hold_arguments(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CC", "gcc -m64")
    assert find_compiler().command == ("gcc", "-m64")


@pytest.mark.fmu
def test_failing_compiler_is_quoted(tmp_path: Path) -> None:
    source = tmp_path / "bad.c"
    source.write_text("int f(void) { return nothing_like_this; }\n")
    with pytest.raises(CompilerError, match="nothing_like_this"):
        find_compiler().compile_library(source, tmp_path / "bad.so")


def test_compiler_that_cannot_run_is_named(tmp_path: Path) -> None:
    compiler = Compiler(command=(str(tmp_path / "absent"),))
    with pytest.raises(CompilerError, match="cannot be run"):
        compiler.compile_library(tmp_path / "a.c", tmp_path / "a.so")
