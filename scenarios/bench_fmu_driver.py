"""The client in C of `packtwin bench fmu`: it loads an FMU as any other tool would."""

from __future__ import annotations

import json
import struct
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import TypeAlias, final

import numpy as np
import numpy.typing as npt

from packtwin.fmu.archive import extract
from packtwin.fmu.description import read_description
from packtwin.fmu.platforms import host_folders, library_suffix
from packtwin.twin.compiler import find_compiler
from packtwin.twin.errors import CompilerError, FmuError
from packtwin.twin.variable import Interface

__all__ = ["N_AFTER", "DrivenFmu", "build_driver"]

Vector: TypeAlias = npt.NDArray[np.float64]

N_AFTER = 20
"""Steps that the driver takes after it restored a state."""
_LIMIT_S = 900.0


def build_driver(folder: Path) -> Path:
    """Compile `fmu_driver.c` and return the program.

    Raises:
        CompilerError: There is no compiler, or it failed.
    """
    source = resources.files("packtwin.scenarios") / "fmu_driver.c"
    code, program = folder / "fmu_driver.c", folder / "fmu_driver"
    code.write_text(source.read_text())
    flags = ("-std=gnu99", "-O2", "-o", str(program), str(code), "-ldl", "-lpthread")
    done = subprocess.run(
        [*find_compiler().command, *flags], capture_output=True, text=True, check=False
    )
    if done.returncode:
        msg = f"`fmu_driver.c` does not compile: {done.stderr.strip()}."
        raise CompilerError(msg)
    return program


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class DrivenFmu:
    """A co-simulation FMU with a table of inputs, ready for the driver.

    Attributes:
        driver: The program.
        library: The FMU's binary, extracted.
        token: Its guid.
        table: File of inputs.
        n_outputs: Number of outputs.
    """

    driver: Path
    library: Path
    token: str
    table: Path
    n_outputs: int

    @classmethod
    def load(
        cls,
        driver: Path,
        path: Path,
        interface: Interface,
        inputs: Vector,
        step_s: float,
        parameters: Mapping[str, float],
    ) -> DrivenFmu:
        """Extract an FMU next to itself and write the table.

        Args:
            driver: The program.
            path: The FMU.
            interface: Of what was exported.
            inputs: One row per step.
            step_s: The communication step.
            parameters: Values other than the start values.
        """
        folder = path.with_suffix("")
        if not folder.exists():
            folder.mkdir()
            extract(path, folder)
        description = read_description(path)
        identifier = description.coSimulation.modelIdentifier
        name = identifier + library_suffix()
        found = [folder / "binaries" / host / name for host in host_folders()]
        library = next(file for file in found if file.is_file())
        known = {v.name: v.valueReference for v in description.modelVariables}
        references = [
            known[name]
            for name in (*interface.input_names, *interface.output_names, *parameters)
        ]
        n_in, n_out = len(interface.inputs), len(interface.outputs)
        sizes = (n_in, n_out, len(parameters), len(inputs))
        head = struct.pack("<iiiid", *sizes, step_s)
        table = path.with_suffix(f".{len(inputs)}x{step_s:g}.table")
        table.write_bytes(
            head
            + np.array(references, dtype="<u4").tobytes()
            + np.array([*parameters.values()], dtype="<f8").tobytes()
            + np.ascontiguousarray(inputs, dtype="<f8").tobytes()
        )
        token = description.guid or description.instantiationToken
        return cls(
            driver=driver, library=library, token=token, table=table, n_outputs=n_out
        )

    def command(self, *arguments: str) -> list[str]:
        """Return the command line of a mode."""
        return [
            *(str(self.driver), str(self.library), self.token, str(self.table)),
            *arguments,
        ]

    def call(self, *arguments: str, prefix: Sequence[str] = ()) -> str:
        """Run a mode and return what it prints.

        Raises:
            FmuError: It failed; the message holds what it said.
        """
        done = subprocess.run(
            [*prefix, *self.command(*arguments)],
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_LIMIT_S,
            check=False,
        )
        if done.returncode:
            said = json.dumps(done.stderr.strip()[-400:])
            msg = f"The C driver failed on `{self.library.name}`: {said}."
            raise FmuError(msg)
        return done.stdout.strip()

    def outputs(self) -> Vector:
        """Return the outputs at the start and after every step."""
        path = self.table.with_suffix(".out")
        self.call("run", str(path))
        return self.read(path)

    def step_s(self, repeats: int) -> float:
        """Return the median seconds of set inputs, doStep, get outputs."""
        return float(self.call("time", str(repeats)))

    def instances(self, n: int) -> tuple[int, float]:
        """Make, step once and free; return the bytes grown and the seconds of each."""
        grown, took_s = self.call("leak", str(n)).split()
        return int(grown), float(took_s)

    def read(self, path: Path) -> Vector:
        """Return a file of outputs, one row per step."""
        return np.fromfile(path, dtype="<f8").reshape(-1, self.n_outputs)
