"""Run-time mutants with faults in values, memory, instances and saved states."""

from __future__ import annotations

from packtwin.scenarios.bench_check_shim import RunMutant

__all__ = ["PASS_AND_SHOW", "STATE_FAULTS", "shifted"]


def shifted(value: str, reference: int = 2) -> str:
    """Return the C of a getter that adds to a variable, by default the first output."""
    return f"""
  Status status = PASS;
  size_t i;
  for (i = 0; c && status == OK && i < n; ++i) {{
    if (r[i] == {reference}) v[i] += {value};
  }}
  return status;"""


PASS_AND_SHOW = shifted("HIDDEN(c)")
_COUNT = "Status status = PASS; if (status == OK) HIDDEN(c) += 1e-3; return status;"

STATE_FAULTS: tuple[RunMutant, ...] = (
    RunMutant(
        name="setting a value is ignored",
        rules=("set-ignored",),
        bodies={"SetReal": "(void)c; (void)r; (void)n; (void)v; return OK;"},
    ),
    RunMutant(
        name="only the first of several values is set",
        rules=("array-differs",),
        bodies={
            "SetReal": "return n > 1 ? set_one(INNER(c), r[0], v[0]) : PASS;",
        },
    ),
    RunMutant(
        name="values are got in the order of the references, not as asked",
        rules=("array-differs",),
        bodies={
            "GetReal": """
  Status status = PASS;
  size_t i;
  for (i = 0; n > 1 && r[0] > r[1] && i < n / 2; ++i) {
    double x = v[i];
    v[i] = v[n - 1 - i];
    v[n - 1 - i] = x;
  }
  return status;"""
        },
    ),
    RunMutant(
        name="an output is off by a millionth, always",
        rules=("reference-differs",),
        bodies={"GetReal": shifted("1e-6 * v[i]", 3)},
    ),
    RunMutant(
        name="inputs are stored but not used",
        rules=("set-has-no-effect",),
        globals="static double kept[2] = {1.0, 0.0};\n",
        bodies={
            "SetReal": """
  size_t i;
  for (i = 0; i < n; ++i) {
    if (r[i] > 1) {
      Status status = set_one(INNER(c), r[i], v[i]);
      if (status != OK) return status;
    } else {
      kept[r[i]] = v[i];
    }
  }
  return OK;""",
            "GetReal": """
  Status status = PASS;
  size_t i;
  for (i = 0; i < n; ++i) {
    if (r[i] < 2) v[i] = kept[r[i]];
  }
  return status;""",
        },
    ),
    RunMutant(
        name="an output reads memory that was never set",
        rules=("uninitialised-memory",),
        bodies={
            "after": "free(layer); layer = malloc(sizeof(Layer)); layer->good = good;",
            "GetReal": shifted("((Layer *)c)->n_steps * 1e-15"),
        },
    ),
    RunMutant(
        name="an instance is not freed",
        rules=("leak-instance",),
        bodies={"FreeInstance": "if (c) GOOD(FreeInstance)(INNER(c));"},
    ),
    RunMutant(
        name="a step leaks",
        rules=("leak-step",),
        globals="static void *volatile lost;\n",
        bodies={"DoStep": "lost = malloc(48); return PASS;"},
    ),
    RunMutant(
        name="a freed state leaks",
        rules=("leak-state",),
        bodies={"FreeFMUState": "(void)c; if (s) *s = NULL; return OK;"},
    ),
    RunMutant(
        name="instances share static state",
        rules=("instances-share-state",),
        globals="static double shared;\n",
        bodies={
            "SetReal": """
  size_t i;
  for (i = 0; i < n; ++i) {
    if (r[i] == 0) shared = v[i];
  }
  return PASS;""",
            "GetReal": shifted("1e-3 * shared"),
        },
    ),
    RunMutant(
        name="freeing an instance spoils the others",
        rules=("instances-share-state", "crash"),
        globals="static int is_spoilt;\nstatic int n_alive;\n",
        bodies={
            "after": "if (n_alive++ == 0) is_spoilt = 0;",
            "FreeInstance": """
  if (!c) return;
  if (--n_alive > 0) is_spoilt = 1;
  GOOD(FreeInstance)(INNER(c));
  free(c);""",
            "GetReal": shifted("is_spoilt"),
        },
    ),
    RunMutant(
        name="steps use a static scratch",
        rules=("threads-interfere", "static-memory"),
        globals="static double scratch[64];\n",
        bodies={
            "DoStep": """
  if (!c) return FAILED;
  get_one(INNER(c), 0, scratch);
  get_one(INNER(c), 1, scratch + 1);
  scratch[2] = t;
  set_one(INNER(c), 0, scratch[0]);
  set_one(INNER(c), 1, scratch[1]);
  return PASS;"""
        },
    ),
    RunMutant(
        name="a saved state lacks the history",
        rules=("state-replay-differs",),
        bodies={
            "DoStep": _COUNT,
            "GetReal": PASS_AND_SHOW,
            "Reset": "if (c) HIDDEN(c) = 0.0; return PASS;",
        },
    ),
    RunMutant(
        name="a state can be set only once",
        rules=("state-not-reusable",),
        globals="static SavedState last;\n",
        bodies={
            "GetReal": PASS_AND_SHOW,
            "GetFMUState": "last = NULL; return PASS;",
            "SetFMUState": """
  if (c) HIDDEN(c) = last == s ? 1e-3 : 0.0;
  if (c && ++((Layer *)c)->n_steps > 2) last = s;
  return PASS;""",
        },
    ),
    RunMutant(
        name="a serialized state is a pointer",
        rules=("serialize-replay-differs", "crash", "capability-lies"),
        bodies={
            "SerializedFMUStateSize": "(void)c; (void)s; *n = sizeof(void *);"
            " return OK;",
            "SerializeFMUState": """
  size_t size = 0;
  void *copy;
  (void)n;
  GOOD(SerializedFMUStateSize)(INNER(c), s, &size);
  copy = malloc(size + sizeof(size));
  memcpy(copy, &size, sizeof(size));
  memcpy(b, &copy, sizeof(copy));
  return GOOD(SerializeFMUState)(INNER(c), s, (Byte *)copy + sizeof(size), size);""",
            "DeserializeFMUState": """
  void *copy;
  size_t size;
  (void)n;
  memcpy(&copy, b, sizeof(copy));
  memcpy(&size, copy, sizeof(size));
  return GOOD(DeserializeFMUState)(INNER(c), (Byte *)copy + sizeof(size), size, s);""",
        },
    ),
    RunMutant(
        name="serializing writes beyond its size",
        rules=("serialize-overrun",),
        bodies={"SerializeFMUState": "b[n] = 1; return PASS;"},
    ),
    RunMutant(
        name="a freed state is not NULL",
        rules=("state-not-nulled",),
        bodies={
            "FreeFMUState": "SavedState copy = s ? *s : NULL;"
            " return GOOD(FreeFMUState)(INNER(c), &copy);"
        },
    ),
    RunMutant(
        name="a reset keeps the history",
        rules=("reset-incomplete",),
        bodies={
            "DoStep": _COUNT,
            "GetReal": PASS_AND_SHOW,
            "SetFMUState": "HIDDEN(c) = 0.0; return PASS;",
        },
    ),
)
"""One binary with one fault each."""
