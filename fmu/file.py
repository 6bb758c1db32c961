"""`FmuFile`: an FMU read, checked and extracted once, for any number of instances."""

from __future__ import annotations

import ctypes
import weakref
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from types import MappingProxyType
from typing import Any, final

from packtwin.fmu.description import mean_output_names, read_description, read_root
from packtwin.fmu.dialect import Dialect
from packtwin.fmu.library import load_library, unload_library
from packtwin.fmu.mapped_interface import (
    MappedInterface,
    dialect_of,
    read_interface,
)
from packtwin.fmu.unpack import find_library, unpack

__all__ = ["FmuFile"]


@final
class FmuFile:
    """An FMU on disk, ready to be instantiated.

    Reading and extracting cost milliseconds, an instance microseconds: whoever runs the
    same FMU many times keeps one of these and gives it to `FmuComponent`. A temporary
    folder goes with `close`, or with the last reference.

    Attributes:
        path: The FMU.
        root: The XML of its model description.
        description: The same as FMPy reads it.
        dialect: The names of its FMI version.
    """

    def __init__(self, path: Path | str, *, extract_dir: Path | None = None) -> None:
        """Read the model description; the file is extracted when first needed.

        Args:
            path: The FMU file.
            extract_dir: Folder kept between runs for the extracted file; a temporary
                one by default.

        Raises:
            FmuError: The file cannot be read, or is of a version unknown here.
        """
        self.path = Path(path)
        self.root = read_root(self.path)
        self.description: Any = read_description(self.path, self.root)
        self.dialect: Dialect = dialect_of(self.description, self.path)
        self._extract_dir = extract_dir
        self._libraries: dict[str, ctypes.CDLL] = {}
        self._interfaces: dict[Any, MappedInterface] = {}
        self._folder: Path | None = None
        self._resources = ExitStack()
        weakref.finalize(self, self._resources.close)

    @property
    def token(self) -> str:
        """What ties description and binary together."""
        return str(self.description.instantiationToken)

    def library(self, identifier: str) -> ctypes.CDLL:
        """Return the loaded binary of a model identifier for this machine.

        It stays loaded until `close`, so that loading it again costs next to nothing.

        Raises:
            FmuError: There is none, or it cannot be loaded.
        """
        library = self._libraries.get(identifier)
        if library is None:
            path = self.folder() / find_library(self.path, identifier)
            library = load_library(path, self.path)
            self._resources.callback(unload_library, library)
            self._libraries[identifier] = library
        return library

    def interface(
        self,
        parameters: Mapping[str, float],
        names: Mapping[str, str],
        sizes: Mapping[str, int] = MappingProxyType({}),
    ) -> MappedInterface:
        """Return its variables in our terms; see `read_interface`."""
        key = tuple(tuple(m.items()) for m in (parameters, names, sizes))
        if key not in self._interfaces:
            self._interfaces[key] = read_interface(
                self.description,
                self.path,
                means=mean_output_names(self.root),
                parameters=parameters,
                names=names,
                sizes=sizes,
            )
        return self._interfaces[key]

    def folder(self) -> Path:
        """Return the folder of the extracted FMU, an absolute path."""
        if self._folder is None:
            folder = unpack(self.path, self._extract_dir, self._resources)
            self._folder = folder.resolve()
        return self._folder

    def close(self) -> None:
        """Free libraries and the temporary folder; idempotent, and reopened if used."""
        self._resources.close()
        self._libraries.clear()
        self._folder = None
