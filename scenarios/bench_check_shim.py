"""Build run-time mutants: the generated C source behind a layer with one fault.

The good source is compiled with prefixed function names; the layer in the same
translation unit exports the plain ones, passes every call on, and has the fault. So a
mutant depends on nothing of the exporter but the standard's own names, and one fault is
planted in both versions of FMI.

Faults are C in these words: `PASS` makes the call of the good FMU, `GOOD(name)` is
another of its functions, `INNER(c)` its instance, `HIDDEN(c)` a number of the layer
that is no part of the saved state, `get_one` and `set_one` read and write a variable.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal, final

from packtwin.fmu.archive import write_archive
from packtwin.fmu.export import Experiment, compile_source
from packtwin.fmu.platforms import host_platform
from packtwin.fmu.reference import make_reference
from packtwin.fmu.source import FmiVersion, FmuSource
from packtwin.scenarios.bench_check_layer import LAYERS, Layer
from packtwin.scenarios.bench_check_model import good_source, good_step_map
from packtwin.twin.compiler import find_compiler
from packtwin.twin.errors import FmuError
from packtwin.twin.step_map import StepMap

__all__ = ["RunMutant", "write_run_mutant"]

_HEAD = """
/* ---- a layer with one fault ------------------------------------------------ */
#include <locale.h>
#include <time.h>
#if defined(__GNUC__)
#define SHOWN __attribute__((visibility("default")))
#else
#define SHOWN
#endif
#define TOKEN "%(token)s"
#define VERSION "%(version)s"
enum { OK, WARNING, DISCARD, FAILED };
typedef %(status)s Status;
typedef %(instance)s Instance;
typedef %(reference)s Reference;
typedef %(state)s SavedState;
typedef %(byte)s Byte;
typedef struct {
  Instance good;
  %(host)s
  double hidden; /* no part of the saved state */
  int n_steps;
} Layer;
#define INNER(c) ((c) ? ((Layer *)(c))->good : NULL)
#define HIDDEN(c) (((Layer *)(c))->hidden)
static Status get_one(Instance good, Reference one, double *value) {
  return GOOD(GetReal)(good, &one, 1, value%(one)s);
}
static Status set_one(Instance good, Reference one, double value) {
  return GOOD(SetReal)(good, &one, 1, &value%(one)s);
}
static void tell(const Layer *layer, const char *category, const char *text) {
  %(log)s
}
"""
_UNUSED = "(void)get_one; (void)set_one; (void)tell;"


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class RunMutant:
    """One fault of a binary.

    Attributes:
        name: What is wrong.
        rules: The rules of which at least one must find it.
        bodies: C code of functions, by name. Of those that make an instance it is done
            `before` the good one is made, or `after`.
        globals: C code before them.
        flags: Attributes of the interface in the description, by FMI 3.0's names.
        versions: Of FMI that have such a fault.
        kind: The interface that has it.
        good: What the FMU is made from.
    """

    name: str
    rules: tuple[str, ...]
    bodies: Mapping[str, str] = field(default_factory=dict)
    globals: str = ""
    flags: Mapping[str, str] = field(default_factory=dict)
    versions: tuple[str, ...] = ("2.0", "3.0")
    kind: Literal["cs", "me"] = "cs"
    good: Callable[[], StepMap] = good_step_map


def write_run_mutant(version: FmiVersion, mutant: RunMutant, path: Path) -> Path:
    """Compile the good source with a faulty layer and write the FMU.

    The reference results in it are those of the good model.

    Args:
        version: Of FMI.
        mutant: The fault.
        path: The file to write.
    """
    step_map = mutant.good()
    source = good_source(version, mutant.kind, step_map)
    layer = LAYERS[source.fmi_version]
    text = "".join(_layer_text(layer, mutant, source))
    prefix = f"{source.identifier}_"
    text = re.sub(r"GOOD\((\w+)\)", lambda m: prefix + layer.name(m[1]), text)
    description = _with_flags(source, mutant)
    major = source.fmi_version[0]
    changed = replace(
        source,
        c_source=f"#undef FMI{major}_OVERRIDE_FUNCTION_PREFIX\n{source.c_source}{text}",
        model_description=description,
    )
    host = host_platform()
    folder = host.folder(source.fmi_version)
    members = {
        "modelDescription.xml": description.encode(),
        f"binaries/{folder}/{source.identifier}{host.suffix}": compile_source(
            changed, find_compiler()
        ),
        f"sources/{source.identifier}.c": changed.c_source.encode(),
        "sources/buildDescription.xml": source.build_description.encode(),
    }
    if "cs" in source.kinds:
        reference = make_reference(step_map, Experiment(), source.rows)
        members |= reference.files
    write_archive(path, members)
    return path


def _with_flags(source: FmuSource, mutant: RunMutant) -> str:
    """Return the description with the flags of a mutant."""
    text = source.model_description
    tag = "<CoSimulation " if mutant.kind == "cs" else "<ModelExchange "
    for name, value in mutant.flags.items():
        shown = name.removesuffix("s") if source.fmi_version == "2.0" else name
        text = re.sub(rf"\s+{shown}=\"\w+\"", "", text)
        if tag not in text:
            msg = f"The good FMU's description has no `{tag}`; mend the mutant."
            raise FmuError(msg)
        text = text.replace(tag, f'{tag}{shown}="{value}" ', 1)
    return text


def _layer_text(layer: Layer, mutant: RunMutant, source: FmuSource) -> Iterator[str]:
    """Yield the C of a layer, with `GOOD(name)` for the functions of the good FMU."""
    yield _HEAD % {
        "token": source.token,
        "version": source.fmi_version,
        "status": layer.type_name("Status"),
        "instance": layer.instance,
        "reference": layer.type_name("ValueReference"),
        "state": layer.type_name("State"),
        "byte": layer.type_name("Byte"),
        "host": layer.host,
        "one": ", 1" if layer.access else "",
        "log": layer.log,
    }
    yield mutant.globals
    for name in layer.texts:
        body = mutant.bodies.get(name, f"return GOOD({name})();")
        yield f"SHOWN const char *{layer.name(name)}(void) {{ {body} }}\n"
    body = mutant.bodies.get("FreeInstance", "if (c) GOOD(FreeInstance)(INNER(c));")
    end = "" if "FreeInstance" in mutant.bodies else "free(c);"
    yield f"SHOWN void {layer.name('FreeInstance')}(Instance c) {{ {body} {end} }}\n"
    for name, arguments in layer.makers.items():
        own = mutant.bodies if name == layer.maker(mutant.kind) else {}
        before, after = (own.get(key, "") for key in ("before", "after"))
        yield (
            f"SHOWN Instance {layer.name(name)}({arguments}) {{\n"
            f"  Layer *layer; Instance good;\n  {_UNUSED}\n  {before}\n"
            f"  good = GOOD({name})({_passed(arguments)});\n  if (!good) return NULL;\n"
            f"  layer = calloc(1, sizeof(Layer));\n  layer->good = good;\n"
            f"  {layer.keep}\n  {after}\n  return layer;\n}}\n"
        )
    for name, arguments in layer.functions_of(mutant.kind).items():
        passed = ", ".join(part for part in ("INNER(c)", _passed(arguments)) if part)
        body = mutant.bodies.get(name, "return PASS;")
        body = re.sub(r"\bPASS\b", f"GOOD({name})({passed})", body)
        all_arguments = ", ".join(part for part in ("Instance c", arguments) if part)
        yield f"SHOWN Status {layer.name(name)}({all_arguments}) {{\n  {body}\n}}\n"


def _passed(arguments: str) -> str:
    """Return the names in a list of arguments."""
    words = [word.rsplit(" ", 1)[1] for word in arguments.split(", ") if word]
    return ", ".join(re.sub(r"\W", "", word) for word in words)
