"""Build run-time mutants: the generated C source behind a layer with one fault.

The good source is compiled with prefixed function names; the layer in the same
translation unit exports the plain ones, passes every call on, and has the fault. So a
mutant depends on nothing of the exporter but the standard's own names.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import final

from packtwin.fmu.archive import write_archive
from packtwin.fmu.export import Experiment, compile_source
from packtwin.fmu.platforms import host_folders, library_suffix
from packtwin.fmu.reference import make_reference
from packtwin.fmu.source import FmuSource
from packtwin.scenarios.bench_check_model import good_step_map
from packtwin.twin.compiler import find_compiler
from packtwin.twin.errors import FmuError

__all__ = [
    "COUNT",
    "INSTANTIATE_HEAD",
    "MAKE",
    "PASS_GET",
    "PASS_STEP",
    "RESET_HIDDEN",
    "SHIFT",
    "SHOW_HIDDEN",
    "RunMutant",
    "write_run_mutant",
]

# Pieces of C for the faults; value reference 2 is the first output.
PASS_GET = "fmi2Status status = GOOD(fmi2GetReal)(INNER(c), r, n, v);"
PASS_STEP = "fmi2Status status = GOOD(fmi2DoStep)(INNER(c), t, h, f);"
SHIFT = """
  {status}
  size_t i;
  for (i = 0; c && status == fmi2OK && i < n; ++i) {{
    if (r[i] == 2) v[i] += {value};
  }}
  return status;
"""
SHOW_HIDDEN = SHIFT.format(status=PASS_GET, value="HIDDEN(c)")
COUNT = f"""
  {PASS_STEP}
  if (status == fmi2OK) HIDDEN(c) += 1e-3;
  return status;
"""
INSTANTIATE_HEAD = """
SHOWN fmi2Component fmi2Instantiate(fmi2String name, fmi2Type type, fmi2String token,
                                    fmi2String resources,
                                    const fmi2CallbackFunctions *callbacks,
                                    fmi2Boolean visible, fmi2Boolean logging) {
  Layer *layer;
  fmi2Component good;
"""
MAKE = """
  good =
      GOOD(fmi2Instantiate)(name, type, token, resources, callbacks, visible, logging);
  if (!good) return NULL;
  layer = calloc(1, sizeof(Layer));
  layer->good = good;
"""
RESET_HIDDEN = "if (c) HIDDEN(c) = 0.0; return GOOD(fmi2Reset)(INNER(c));"

_READ = "fmi2Component c, const fmi2ValueReference r[], size_t n"
_FUNCTIONS: Mapping[str, str] = {
    "fmi2SetDebugLogging": "fmi2Component c, fmi2Boolean a, size_t b, "
    "const fmi2String d[]",
    "fmi2SetupExperiment": "fmi2Component c, fmi2Boolean a, fmi2Real b, fmi2Real d, "
    "fmi2Boolean e, fmi2Real f",
    "fmi2EnterInitializationMode": "fmi2Component c",
    "fmi2ExitInitializationMode": "fmi2Component c",
    "fmi2Terminate": "fmi2Component c",
    "fmi2Reset": "fmi2Component c",
    "fmi2GetReal": f"{_READ}, fmi2Real v[]",
    "fmi2GetInteger": f"{_READ}, fmi2Integer v[]",
    "fmi2GetBoolean": f"{_READ}, fmi2Boolean v[]",
    "fmi2GetString": f"{_READ}, fmi2String v[]",
    "fmi2SetReal": f"{_READ}, const fmi2Real v[]",
    "fmi2SetInteger": f"{_READ}, const fmi2Integer v[]",
    "fmi2SetBoolean": f"{_READ}, const fmi2Boolean v[]",
    "fmi2SetString": f"{_READ}, const fmi2String v[]",
    "fmi2GetFMUstate": "fmi2Component c, fmi2FMUstate *s",
    "fmi2SetFMUstate": "fmi2Component c, fmi2FMUstate s",
    "fmi2FreeFMUstate": "fmi2Component c, fmi2FMUstate *s",
    "fmi2SerializedFMUstateSize": "fmi2Component c, fmi2FMUstate s, size_t *n",
    "fmi2SerializeFMUstate": "fmi2Component c, fmi2FMUstate s, fmi2Byte b[], size_t n",
    "fmi2DeSerializeFMUstate": "fmi2Component c, const fmi2Byte b[], size_t n, "
    "fmi2FMUstate *s",
    "fmi2GetDirectionalDerivative": "fmi2Component c, const fmi2ValueReference u[], "
    "size_t m, const fmi2ValueReference r[], size_t n, const fmi2Real d[], "
    "fmi2Real v[]",
    "fmi2SetRealInputDerivatives": f"{_READ}, const fmi2Integer o[], "
    "const fmi2Real v[]",
    "fmi2GetRealOutputDerivatives": f"{_READ}, const fmi2Integer o[], fmi2Real v[]",
    "fmi2DoStep": "fmi2Component c, fmi2Real t, fmi2Real h, fmi2Boolean f",
    "fmi2CancelStep": "fmi2Component c",
    "fmi2GetStatus": "fmi2Component c, fmi2StatusKind k, fmi2Status *v",
    "fmi2GetRealStatus": "fmi2Component c, fmi2StatusKind k, fmi2Real *v",
    "fmi2GetIntegerStatus": "fmi2Component c, fmi2StatusKind k, fmi2Integer *v",
    "fmi2GetBooleanStatus": "fmi2Component c, fmi2StatusKind k, fmi2Boolean *v",
    "fmi2GetStringStatus": "fmi2Component c, fmi2StatusKind k, fmi2String *v",
}
_HEAD = """
/* ---- a layer with one fault ------------------------------------------------ */
#include <locale.h>
#include <time.h>
#if defined(__GNUC__)
#define SHOWN __attribute__((visibility("default")))
#else
#define SHOWN
#endif
#define GOOD(name) %(identifier)s_##name
#define TOKEN "%(token)s"

typedef struct {
  fmi2Component good;
  fmi2CallbackFunctions callbacks;
  double hidden; /* no part of the saved state */
  int n_steps;
} Layer;

#define INNER(c) ((c) ? ((Layer *)(c))->good : NULL)
#define HIDDEN(c) (((Layer *)(c))->hidden)
"""
_LIFE = """
SHOWN const char *fmi2GetTypesPlatform(void) { return GOOD(fmi2GetTypesPlatform)(); }
"""
_VERSION = """
SHOWN const char *fmi2GetVersion(void) { return GOOD(fmi2GetVersion)(); }
"""
_INSTANTIATE = """
SHOWN fmi2Component fmi2Instantiate(fmi2String name, fmi2Type type, fmi2String token,
                                    fmi2String resources,
                                    const fmi2CallbackFunctions *callbacks,
                                    fmi2Boolean visible, fmi2Boolean logging) {
  Layer *layer;
  fmi2Component good =
      GOOD(fmi2Instantiate)(name, type, token, resources, callbacks, visible, logging);
  if (!good) return NULL;
  layer = calloc(1, sizeof(Layer));
  layer->good = good;
  layer->callbacks = *callbacks;
  return layer;
}
"""
_FREE = """
SHOWN void fmi2FreeInstance(fmi2Component c) {
  if (!c) return;
  GOOD(fmi2FreeInstance)(INNER(c));
  free(c);
}
"""
_OWN = {
    "fmi2GetVersion": _VERSION,
    "fmi2Instantiate": _INSTANTIATE,
    "fmi2FreeInstance": _FREE,
}


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class RunMutant:
    """One fault of a binary.

    Attributes:
        name: What is wrong.
        rules: The rules of which at least one must find it.
        bodies: C code of functions, by name: the body, or for those that make and free
            instances and `fmi2GetVersion` the whole function.
        globals: C code before them.
        flags: Attributes added to `CoSimulation`.
    """

    name: str
    rules: tuple[str, ...]
    bodies: Mapping[str, str] = field(default_factory=dict)
    globals: str = ""
    flags: str = ""


def write_run_mutant(source: FmuSource, mutant: RunMutant, path: Path) -> Path:
    """Compile the good source with a faulty layer and write the FMU.

    The reference results in it are those of the good model.
    """
    parts = [
        "#undef FMI2_OVERRIDE_FUNCTION_PREFIX\n",
        source.c_source,
        _HEAD % {"identifier": source.identifier, "token": source.token},
        mutant.globals,
        _LIFE,
        *(mutant.bodies.get(name, text) for name, text in _OWN.items()),
    ]
    for name, arguments in _FUNCTIONS.items():
        names = [word.rsplit(" ", 1)[1] for word in arguments.split(", ")]
        plain = [re.sub(r"\W", "", word) for word in names]
        passed = ", ".join(["INNER(c)", *plain[1:]])
        body = mutant.bodies.get(name, f"return GOOD({name})({passed});")
        parts.append(f"SHOWN fmi2Status {name}({arguments}) {{\n  {body}\n}}\n")
    text = source.model_description
    if mutant.flags:
        for name in re.findall(r"(\w+)=", mutant.flags):
            text = re.sub(rf"\s+{name}=\"\w+\"", "", text)
        text = text.replace("<CoSimulation ", f"<CoSimulation {mutant.flags} ", 1)
        if mutant.flags not in text:
            msg = "The good FMU's description has no `<CoSimulation `; mend the mutant."
            raise FmuError(msg)
    changed = FmuSource(
        identifier=source.identifier,
        token=source.token,
        c_source="".join(parts),
        model_description=text,
        build_description=source.build_description,
    )
    binary = f"binaries/{host_folders()[0]}/{source.identifier}{library_suffix()}"
    members = {
        "modelDescription.xml": text.encode(),
        binary: compile_source(changed, find_compiler()),
        f"sources/{source.identifier}.c": changed.c_source.encode(),
        "sources/buildDescription.xml": source.build_description.encode(),
        **make_reference(good_step_map(), Experiment()).files,
    }
    write_archive(path, members)
    return path
