"""Run-time mutants with faults in values, memory, instances and saved states."""

from __future__ import annotations

from packtwin.scenarios.bench_check_shim import (
    COUNT,
    INSTANTIATE_HEAD,
    MAKE,
    PASS_GET,
    PASS_STEP,
    RESET_HIDDEN,
    SHIFT,
    SHOW_HIDDEN,
    RunMutant,
)

__all__ = ["STATE_FAULTS"]

STATE_FAULTS: tuple[RunMutant, ...] = (
    RunMutant(
        name="setReal is ignored",
        rules=("set-ignored",),
        bodies={"fmi2SetReal": "(void)c; (void)r; (void)n; (void)v; return fmi2OK;"},
    ),
    RunMutant(
        name="only the first of several values is set",
        rules=("array-differs",),
        bodies={
            "fmi2SetReal": "return GOOD(fmi2SetReal)(INNER(c), r, n > 1 ? 1 : n, v);"
        },
    ),
    RunMutant(
        name="values are got in the order of the references, not as asked",
        rules=("array-differs",),
        bodies={
            "fmi2GetReal": f"""
  {PASS_GET}
  size_t i;
  for (i = 0; n > 1 && r[0] > r[1] && i < n / 2; ++i) {{
    double x = v[i];
    v[i] = v[n - 1 - i];
    v[n - 1 - i] = x;
  }}
  return status;"""
        },
    ),
    RunMutant(
        name="an output is off by a millionth, always",
        rules=("reference-differs",),
        bodies={
            "fmi2GetReal": f"""
  {PASS_GET}
  size_t i;
  for (i = 0; i < n; ++i) {{
    if (r[i] == 3) v[i] *= 1.0 + 1e-6;
  }}
  return status;"""
        },
    ),
    RunMutant(
        name="inputs are stored but not used",
        rules=("set-has-no-effect",),
        globals="static double kept[2] = {1.0, 0.0};\n",
        bodies={
            "fmi2SetReal": """
  size_t i;
  for (i = 0; i < n; ++i) {
    if (r[i] > 1) {
      fmi2Status status = GOOD(fmi2SetReal)(INNER(c), r + i, 1, v + i);
      if (status != fmi2OK) return status;
    } else {
      kept[r[i]] = v[i];
    }
  }
  return fmi2OK;""",
            "fmi2GetReal": f"""
  {PASS_GET}
  size_t i;
  for (i = 0; i < n; ++i) {{
    if (r[i] < 2) v[i] = kept[r[i]];
  }}
  return status;""",
        },
    ),
    RunMutant(
        name="an output reads memory that was never set",
        rules=("uninitialised-memory",),
        bodies={
            "fmi2Instantiate": INSTANTIATE_HEAD
            + MAKE
            + """
  free(layer);
  layer = malloc(sizeof(Layer));
  layer->good = good;
  return layer;
}
""",
            "fmi2GetReal": SHIFT.format(
                status=PASS_GET,
                value="((Layer *)c)->n_steps * 1e-15",
            ),
        },
    ),
    RunMutant(
        name="an instance is not freed",
        rules=("leak-instance",),
        bodies={
            "fmi2FreeInstance": """
SHOWN void fmi2FreeInstance(fmi2Component c) {
  if (c) GOOD(fmi2FreeInstance)(INNER(c));
}
"""
        },
    ),
    RunMutant(
        name="a step leaks",
        rules=("leak-step",),
        globals="static void *volatile lost;\n",
        bodies={"fmi2DoStep": f"{PASS_STEP} lost = malloc(48); return status;"},
    ),
    RunMutant(
        name="a freed state leaks",
        rules=("leak-state",),
        bodies={
            "fmi2FreeFMUstate": "(void)c; if (s) *s = NULL; return fmi2OK;",
        },
    ),
    RunMutant(
        name="instances share static state",
        rules=("instances-share-state",),
        globals="static double shared;\n",
        bodies={
            "fmi2SetReal": """
  size_t i;
  for (i = 0; i < n; ++i) {
    if (r[i] == 0) shared = v[i];
  }
  return GOOD(fmi2SetReal)(INNER(c), r, n, v);""",
            "fmi2GetReal": SHIFT.format(status=PASS_GET, value="1e-3 * shared"),
        },
    ),
    RunMutant(
        name="freeing an instance spoils the others",
        rules=("instances-share-state", "crash"),
        globals="static int is_spoilt;\nstatic int n_alive;\n",
        bodies={
            "fmi2Instantiate": INSTANTIATE_HEAD
            + MAKE
            + "  if (n_alive++ == 0) is_spoilt = 0;\n  return layer;\n}\n",
            "fmi2FreeInstance": """
SHOWN void fmi2FreeInstance(fmi2Component c) {
  if (!c) return;
  if (--n_alive > 0) is_spoilt = 1;
  GOOD(fmi2FreeInstance)(INNER(c));
  free(c);
}
""",
            "fmi2GetReal": SHIFT.format(status=PASS_GET, value="is_spoilt"),
        },
    ),
    RunMutant(
        name="steps use a static scratch",
        rules=("threads-interfere", "static-memory"),
        globals="static double scratch[64];\n",
        bodies={
            "fmi2DoStep": """
  double values[2];
  const fmi2ValueReference r[2] = {0, 1};
  if (!c) return fmi2Error;
  GOOD(fmi2GetReal)(INNER(c), r, 2, scratch);
  scratch[2] = t;
  memcpy(values, scratch, sizeof(values));
  GOOD(fmi2SetReal)(INNER(c), r, 2, values);
  return GOOD(fmi2DoStep)(INNER(c), t, h, f);"""
        },
    ),
    RunMutant(
        name="a saved state lacks the history",
        rules=("state-replay-differs",),
        bodies={
            "fmi2DoStep": COUNT,
            "fmi2GetReal": SHOW_HIDDEN,
            "fmi2Reset": RESET_HIDDEN,
        },
    ),
    RunMutant(
        name="a state can be set only once",
        rules=("state-not-reusable",),
        globals="static fmi2FMUstate last;\n",
        bodies={
            "fmi2GetReal": SHOW_HIDDEN,
            "fmi2GetFMUstate": "last = NULL;"
            " return GOOD(fmi2GetFMUstate)(INNER(c), s);",
            "fmi2SetFMUstate": """
  if (c) HIDDEN(c) = last == s ? 1e-3 : 0.0;
  if (c && ++((Layer *)c)->n_steps > 2) last = s;
  return GOOD(fmi2SetFMUstate)(INNER(c), s);""",
        },
    ),
    RunMutant(
        name="a serialized state is a pointer",
        rules=("serialize-replay-differs", "crash", "capability-lies"),
        bodies={
            "fmi2SerializedFMUstateSize": "(void)c; (void)s; *n = sizeof(void *);"
            " return fmi2OK;",
            "fmi2SerializeFMUstate": """
  size_t size = 0;
  void *copy;
  (void)n;
  GOOD(fmi2SerializedFMUstateSize)(INNER(c), s, &size);
  copy = malloc(size + sizeof(size));
  memcpy(copy, &size, sizeof(size));
  memcpy(b, &copy, sizeof(copy));
  b = (char *)copy + sizeof(size);
  return GOOD(fmi2SerializeFMUstate)(INNER(c), s, b, size);""",
            "fmi2DeSerializeFMUstate": """
  void *copy;
  size_t size;
  (void)n;
  memcpy(&copy, b, sizeof(copy));
  memcpy(&size, copy, sizeof(size));
  b = (char *)copy + sizeof(size);
  return GOOD(fmi2DeSerializeFMUstate)(INNER(c), b, size, s);""",
        },
    ),
    RunMutant(
        name="serializing writes beyond its size",
        rules=("serialize-overrun",),
        bodies={
            "fmi2SerializeFMUstate": """
  b[n] = 1;
  return GOOD(fmi2SerializeFMUstate)(INNER(c), s, b, n);"""
        },
    ),
    RunMutant(
        name="a freed state is not NULL",
        rules=("state-not-nulled",),
        bodies={
            "fmi2FreeFMUstate": """
  fmi2FMUstate copy = s ? *s : NULL;
  return GOOD(fmi2FreeFMUstate)(INNER(c), &copy);"""
        },
    ),
    RunMutant(
        name="a reset keeps the history",
        rules=("reset-incomplete",),
        bodies={
            "fmi2DoStep": COUNT,
            "fmi2GetReal": SHOW_HIDDEN,
            "fmi2SetFMUstate": "HIDDEN(c) = 0.0;"
            " return GOOD(fmi2SetFMUstate)(INNER(c), s);",
        },
    ),
)
"""One binary with one fault each."""
