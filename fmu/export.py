"""`export_fmu(step_map, path)`: a step map as a self-contained FMI 2.0 FMU in C99.

Any `SteppableCode` can be exported: a `StepMap`, or `implicit_source(model)`.
"""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from packtwin.fmu.archive import write_archive
from packtwin.fmu.platforms import host_folders, library_suffix
from packtwin.fmu.source import FmiKind, FmiVersion, FmuSource, render_source
from packtwin.twin.compiler import Compiler, find_compiler
from packtwin.twin.model import Model
from packtwin.twin.steppable import SteppableCode

__all__ = ["compile_source", "export_fmu"]

logger = logging.getLogger(__name__)


def export_fmu(  # noqa: PLR0913 (one argument per part of the archive)
    step_map: SteppableCode | Model,
    path: Path,
    *,
    documentation: Mapping[str, str | bytes] | None = None,
    resources: Mapping[str, str | bytes] | None = None,
    description: str = "",
    compiler: Compiler | None = None,
    compile_binary: bool = True,
    fmi_version: FmiVersion = "2.0",
    kinds: Sequence[FmiKind] = ("cs",),
    has_derivatives: bool = True,
) -> Path:
    """Write a step map as a co-simulation FMU that needs neither Python nor packtwin.

    The same step map, options and compiler give the same bytes.

    Args:
        step_map: What to export; its name becomes the model identifier.
        path: The file to write, usually `NAME.fmu`; replaced at once or not at all.
        documentation: Files by their path under `documentation/`.
        resources: Files by their path under `resources/`.
        description: One sentence for the model description; the step map's own remark
            follows it.
        compiler: The C compiler; found on this machine by default.
        compile_binary: Whether to put a binary for this machine into the FMU. Without
            one it needs no compiler here, but one where it is imported.
        fmi_version: Of FMI.
        kinds: `cs` (co-simulation), `me` (model exchange) or both.
        has_derivatives: See `render_source`.

    Returns:
        The path written.

    Raises:
        CompilerError: No C compiler, or it failed.
    """
    source = render_source(
        step_map,
        description=description,
        fmi_version=fmi_version,
        kinds=kinds,
        has_derivatives=has_derivatives,
    )
    members: dict[str, bytes] = {
        "modelDescription.xml": source.model_description.encode(),
    }
    if compile_binary:
        folder = host_folders()[0 if fmi_version == "2.0" else -1]
        name = f"binaries/{folder}/{source.identifier}{library_suffix()}"
        members[name] = compile_source(source, compiler or find_compiler())
    members[f"sources/{source.identifier}.c"] = source.c_source.encode()
    members["sources/buildDescription.xml"] = source.build_description.encode()
    members["documentation/licenses/license.txt"] = source.license.encode()
    if source.terminals:
        members["terminalsAndIcons/terminalsAndIcons.xml"] = source.terminals.encode()
    for root, files in (("documentation", documentation), ("resources", resources)):
        for file, content in (files or {}).items():
            data = content.encode() if isinstance(content, str) else content
            members[f"{root}/{file}"] = data
    write_archive(path, members)
    logger.info("Wrote `%s` (%d files).", path, len(members))
    return path


def compile_source(source: FmuSource, compiler: Compiler) -> bytes:
    """Compile the C source of an FMU and return the shared library."""
    with tempfile.TemporaryDirectory(prefix="packtwin-") as folder:
        c_path = Path(folder) / f"{source.identifier}.c"
        library = c_path.with_suffix(library_suffix())
        c_path.write_text(source.c_source, encoding="utf-8")
        compiler.compile_library(c_path, library)
        return library.read_bytes()
