"""`export_fmu(subject, path)`: a step map or model as a self-contained FMU in C99.

Any `SteppableCode` can be exported for co-simulation: a `StepMap`, or
`implicit_source(model)`; and any `Model`, also that of a step map, for model exchange.
"""

from __future__ import annotations

import json
import logging
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TypeAlias

from packtwin.fmu.archive import write_archive
from packtwin.fmu.binaries import Binary, describe_binary
from packtwin.fmu.cross import compiler_for, cross_version
from packtwin.fmu.documentation import Account, documentation_page, license_text
from packtwin.fmu.platforms import HOST, Platform, choose_platforms, host_platform
from packtwin.fmu.reference import Experiment, make_reference
from packtwin.fmu.source import FmiKind, FmiVersion, FmuSource, render_source
from packtwin.twin.compiler import Compiler
from packtwin.twin.errors import CompilerError
from packtwin.twin.model import Model
from packtwin.twin.steppable import SteppableCode

__all__ = ["Account", "Experiment", "compile_source", "export_fmu"]

logger = logging.getLogger(__name__)

Progress: TypeAlias = Callable[[float, str], None]

_EXPERIMENT = Experiment()


def export_fmu(  # noqa: PLR0913 (one argument per part of an FMU)
    subject: SteppableCode | Model,
    path: Path,
    *,
    fmi_version: FmiVersion = "2.0",
    kinds: Sequence[FmiKind] = ("cs",),
    platforms: Sequence[str] = (HOST,),
    description: str | Account = "",
    documentation: Mapping[str, str | bytes] | None = None,
    resources: Mapping[str, str | bytes] | None = None,
    experiment: Experiment | None = _EXPERIMENT,
    has_derivatives: bool = True,
    has_arrays: bool = True,
    compiler: Compiler | None = None,
    progress: Progress | None = None,
) -> Path:
    """Write a step map or model as an FMU that needs neither Python nor packtwin.

    Inside are the C source, binaries, a page of documentation, the licences, and
    reference results. The same subject, options and compilers give the same bytes.

    Args:
        subject: What to export; its name becomes the model identifier.
        path: The file to write, usually `NAME.fmu`; replaced at once or not at all.
        fmi_version: `2.0` or `3.0`.
        kinds: `cs` for co-simulation, `me` for model exchange.
        platforms: What to put binaries in for: `host` (this machine, with its own
            compiler), `all`, or names such as `x86_64-linux` (with `ziglang`, for
            glibc 2.17, Windows 10, macOS 11). Empty: the source only.
        description: One sentence, or all that the documentation shall say.
        documentation: More files by their path under `documentation/`.
        resources: Files by their path under `resources/`.
        experiment: The run whose results the FMU carries; None for none.
        has_derivatives: Whether steps have exact derivatives, where there are any.
        has_arrays: Whether FMI 3.0 joins neighbours numbered 1..n into vectors, which
            some importers (CasADi) do not read.
            Without them a large FMU is smaller and compiles faster.
        compiler: The compiler for `host`; found on this machine by default.
        progress: Called with the fraction done and what is being done.

    Returns:
        The path written.

    Raises:
        FmuError: There is no such platform.
        InterfaceError: The subject cannot become such an FMU.
        CompilerError: No C compiler: the FMU was written with its source only. Or it
            failed: nothing was written.
    """
    account = description if isinstance(description, Account) else None
    account = account or Account(description=str(description))
    report = progress or (lambda _share, _text: None)
    chosen = choose_platforms(platforms)
    report(0.0, "generating C")
    source = render_source(
        subject,
        description=account.description,
        fmi_version=fmi_version,
        kinds=kinds,
        has_derivatives=has_derivatives,
        has_arrays=has_arrays,
    )
    lacking: CompilerError | None = None
    try:
        compilers = [_compiler(platform, compiler) for platform in chosen]
    except CompilerError as error:
        lacking, compilers = error, []
    libraries: dict[str, bytes] = {}
    binaries: list[Binary] = []
    for k, (platform, made_by) in enumerate(zip(chosen, compilers, strict=False)):
        target = platform or host_platform()
        report(0.2 + 0.6 * k / len(chosen), f"compiling for {target.name}")
        folder = target.folder(fmi_version)
        data = compile_source(source, made_by, target)
        libraries[f"binaries/{folder}/{source.identifier}{target.suffix}"] = data
        binaries.append(describe_binary(folder, data, compiler=_words(made_by)))
    report(0.8, "computing reference results")
    reference = make_reference(subject, experiment, source.rows)
    page = documentation_page(
        subject, account, binaries, reference, fmi_version=fmi_version, kinds=kinds
    )
    members: dict[str, str | bytes] = {
        "modelDescription.xml": source.model_description,
        **libraries,
        f"sources/{source.identifier}.c": source.c_source,
        "sources/buildDescription.xml": source.build_description,
        "documentation/index.html": page,
        "documentation/licenses/license.txt": license_text(source, account, binaries),
        **reference.files,
    }
    if source.terminals:
        members["terminalsAndIcons/terminalsAndIcons.xml"] = source.terminals
    if account.certificate:
        text = json.dumps(account.certificate, indent=1)
        members["documentation/certificate.json"] = text
    for root, files in (("documentation", documentation), ("resources", resources)):
        members |= {
            f"{root}/{file}": content for file, content in (files or {}).items()
        }
    write_archive(path, {name: _bytes(content) for name, content in members.items()})
    logger.info("Wrote `%s` (%d files).", path, len(members))
    report(1.0, "written")
    if lacking is not None:
        msg = f"`{path}` was written with its C source only. {lacking}"
        raise CompilerError(msg) from lacking
    return path


def compile_source(
    source: FmuSource, compiler: Compiler, platform: Platform | None = None
) -> bytes:
    """Compile the C source of an FMU and return the shared library.

    Args:
        source: The generated files.
        compiler: For the platform.
        platform: This machine's by default.
    """
    suffix = (platform or host_platform()).suffix
    with tempfile.TemporaryDirectory(prefix="packtwin-") as folder:
        c_path = Path(folder) / f"{source.identifier}.c"
        library = c_path.with_suffix(suffix)
        c_path.write_text(source.c_source, encoding="utf-8")
        compiler.compile_library(c_path, library)
        return library.read_bytes()


def _compiler(platform: Platform | None, own: Compiler | None) -> Compiler:
    return own if platform is None and own is not None else compiler_for(platform)


def _words(compiler: Compiler) -> str:
    """Return what a page says of a compiler: no path of this machine."""
    name = Path(compiler.command[0]).name
    flags = compiler.extra_flags
    if "-target" in flags:
        return f"{name} {cross_version()} for {flags[flags.index('-target') + 1]}"
    return name


def _bytes(content: str | bytes) -> bytes:
    return content.encode() if isinstance(content, str) else content
