"""Run-time mutants with faults in calls: crashes, order, what they depend on."""

from __future__ import annotations

from packtwin.scenarios.bench_check_shim import (
    INSTANTIATE_HEAD,
    MAKE,
    PASS_GET,
    PASS_STEP,
    SHOW_HIDDEN,
    RunMutant,
)

__all__ = ["CALL_FAULTS"]

CALL_FAULTS: tuple[RunMutant, ...] = (
    RunMutant(
        name="a directional derivative is wrong",
        rules=("derivative-wrong",),
        flags='providesDirectionalDerivative="true"',
        bodies={
            "fmi2GetDirectionalDerivative": """
  (void)m;
  (void)n;
  if (!c) return fmi2Error;
  v[0] = u[0] == 3 && r[0] == 0 ? 0.45 * d[0] : 0.0; /* 1 / R is 0.5 */
  return fmi2OK;"""
        },
    ),
    RunMutant(
        name="a step never returns",
        rules=("hang",),
        globals="static volatile int is_running = 1;\n",
        bodies={
            "fmi2DoStep": """
  while (t > 4.5 && is_running) {
  }
  return GOOD(fmi2DoStep)(INNER(c), t, h, f);"""
        },
    ),
    RunMutant(
        name="a step crashes",
        rules=("crash",),
        bodies={
            "fmi2DoStep": """
  volatile int *nowhere = NULL;
  if (t > 4.5) *nowhere = 1;
  return GOOD(fmi2DoStep)(INNER(c), t, h, f);"""
        },
    ),
    RunMutant(
        name="a step ends the process",
        rules=("crash",),
        bodies={
            "fmi2DoStep": "if (t > 4.5) exit(0);"
            " return GOOD(fmi2DoStep)(INNER(c), t, h, f);"
        },
    ),
    RunMutant(
        name="a step without an instance crashes",
        rules=("null-crash",),
        bodies={
            "fmi2DoStep": """
  fmi2Component good = *(fmi2Component volatile *)c;
  return GOOD(fmi2DoStep)(good, t, h, f);"""
        },
    ),
    RunMutant(
        name="freeing NULL crashes",
        rules=("free-null",),
        bodies={
            "fmi2FreeInstance": """
SHOWN void fmi2FreeInstance(fmi2Component c) {
  GOOD(fmi2FreeInstance)(*(fmi2Component volatile *)c);
  free(c);
}
"""
        },
    ),
    RunMutant(
        name="a failed step returns OK and NaN",
        rules=("output-not-finite",),
        bodies={
            "fmi2DoStep": f"""
  {PASS_STEP}
  if (status == fmi2Discard) {{
    HIDDEN(c) = NAN;
    return fmi2OK;
  }}
  return status;""",
            "fmi2GetReal": SHOW_HIDDEN,
        },
    ),
    RunMutant(
        name="any guid is accepted",
        rules=("token-unchecked",),
        bodies={
            "fmi2Instantiate": INSTANTIATE_HEAD
            + "  token = TOKEN;\n"
            + MAKE
            + "  return layer;\n}\n"
        },
    ),
    RunMutant(
        name="a step is accepted before initialization",
        rules=("illegal-call-accepted",),
        bodies={
            "fmi2DoStep": f"""
  {PASS_STEP}
  return c && status == fmi2Error && h > 0.0 ? fmi2OK : status;"""
        },
    ),
    RunMutant(
        name="a step back in time is accepted",
        rules=("step-size-accepted",),
        bodies={
            "fmi2DoStep": "if (c && !(h > 0.0)) return fmi2OK;"
            " return GOOD(fmi2DoStep)(INNER(c), t, h, f);"
        },
    ),
    RunMutant(
        name="getting a value changes the state",
        rules=("get-changes-state",),
        bodies={
            "fmi2GetReal": f"""
  {PASS_GET}
  size_t i;
  for (i = 0; c && status == fmi2OK && i < n; ++i) {{
    if (r[i] == 2) v[i] += 1e-6 * ((Layer *)c)->n_steps++;
  }}
  return status;"""
        },
    ),
    RunMutant(
        name="a start value differs from the declared one",
        rules=("start-value-differs",),
        bodies={
            "fmi2Instantiate": INSTANTIATE_HEAD
            + MAKE
            + """
  {
    const fmi2ValueReference r = 5;
    const double value = 2.5;
    GOOD(fmi2SetReal)(good, &r, 1, &value);
  }
  return layer;
}
"""
        },
    ),
    RunMutant(
        name="an output depends on an undeclared input",
        rules=("dependency-missing",),
        bodies={
            "fmi2GetReal": f"""
  {PASS_GET}
  size_t i;
  double x = 0.0;
  const fmi2ValueReference input = 0;
  GOOD(fmi2GetReal)(INNER(c), &input, 1, &x);
  for (i = 0; status == fmi2OK && i < n; ++i) {{
    if (r[i] == 2) v[i] += 0.1 * (x - 1.0);
  }}
  return status;"""
        },
    ),
    RunMutant(
        name="results depend on the time of day",
        rules=("not-deterministic",),
        bodies={
            "fmi2DoStep": f"""
  {PASS_STEP}
  const clock_t begin = clock();
  while (clock() == begin) {{
  }}
  if (c) HIDDEN(c) = 1e-12 * (double)clock();
  return status;""",
            "fmi2GetReal": SHOW_HIDDEN,
        },
    ),
    RunMutant(
        name="a step changes the locale",
        rules=("environment-changed",),
        bodies={
            "fmi2DoStep": 'setlocale(LC_ALL, "C.UTF-8");'
            ' setlocale(LC_NUMERIC, "POSIX"); setlocale(LC_CTYPE, "C");'
            " return GOOD(fmi2DoStep)(INNER(c), t, h, f);"
        },
    ),
    RunMutant(
        name="an unknown value reference is accepted",
        rules=("unknown-reference-accepted",),
        bodies={
            "fmi2GetReal": f"""
  {PASS_GET}
  if (c && n == 1 && r[0] > 6) {{
    v[0] = 0.0;
    return fmi2OK;
  }}
  return status;"""
        },
    ),
    RunMutant(
        name="half a step is refused, though declared",
        rules=("capability-lies",),
        bodies={
            "fmi2DoStep": "if (c && h < 0.9) return fmi2Error;"
            " return GOOD(fmi2DoStep)(INNER(c), t, h, f);"
        },
    ),
    RunMutant(
        name="a message has an undeclared category",
        rules=("log-category",),
        bodies={
            "fmi2Terminate": """
  if (c) {
    Layer *layer = (Layer *)c;
    layer->callbacks.logger(layer->callbacks.componentEnvironment, "x", fmi2OK,
                            "gossip", "the end");
  }
  return GOOD(fmi2Terminate)(INNER(c));"""
        },
    ),
    RunMutant(
        name="the version is that of a patch release",
        rules=("version-string",),
        bodies={
            "fmi2GetVersion": "\nSHOWN const char *fmi2GetVersion(void)"
            ' { return "2.0.4"; }\n'
        },
    ),
)
"""One binary with one fault each."""
