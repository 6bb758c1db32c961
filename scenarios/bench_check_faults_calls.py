"""Run-time mutants with faults in calls: crashes, order, what they depend on."""

from __future__ import annotations

from packtwin.scenarios.bench_check_faults_state import PASS_AND_SHOW, shifted
from packtwin.scenarios.bench_check_shim import RunMutant

__all__ = ["CALL_FAULTS"]

CALL_FAULTS: tuple[RunMutant, ...] = (
    RunMutant(
        name="a directional derivative is wrong",
        rules=("derivative-wrong",),
        flags={"providesDirectionalDerivatives": "true"},
        bodies={
            "GetDirectionalDerivative": """
  size_t i;
  Status status = PASS;
  for (i = 0; status == OK && i < m; ++i) {
    if (u[i] == 3) v[i] *= 0.9;
  }
  return status;"""
        },
    ),
    RunMutant(
        name="a step never returns",
        rules=("hang",),
        globals="static volatile int is_running = 1;\n",
        bodies={"DoStep": "while (t > 4.5 && is_running) { } return PASS;"},
    ),
    RunMutant(
        name="a step crashes",
        rules=("crash",),
        bodies={
            "DoStep": """
  volatile int *nowhere = NULL;
  if (t > 4.5) *nowhere = 1;
  return PASS;"""
        },
    ),
    RunMutant(
        name="a step ends the process",
        rules=("crash",),
        bodies={"DoStep": "if (t > 4.5) exit(0); return PASS;"},
    ),
    RunMutant(
        name="a step without an instance crashes",
        rules=("null-crash",),
        bodies={
            "DoStep": """
  Instance good = *(Instance volatile *)c;
  (void)good;
  return PASS;"""
        },
    ),
    RunMutant(
        name="freeing NULL crashes",
        rules=("free-null",),
        bodies={
            "FreeInstance": "GOOD(FreeInstance)(*(Instance volatile *)c); free(c);"
        },
    ),
    RunMutant(
        name="a failed step returns OK and NaN",
        rules=("output-not-finite",),
        bodies={
            "DoStep": """
  Status status = PASS;
  if (status == DISCARD) {
    HIDDEN(c) = NAN;
    return OK;
  }
  return status;""",
            "GetReal": PASS_AND_SHOW,
        },
    ),
    RunMutant(
        name="any token is accepted",
        rules=("token-unchecked",),
        bodies={"before": "token = TOKEN;"},
    ),
    RunMutant(
        name="a step is accepted before initialization",
        rules=("illegal-call-accepted",),
        bodies={
            "DoStep": "Status status = PASS;"
            " return c && status == FAILED && h > 0.0 ? OK : status;"
        },
    ),
    RunMutant(
        name="a step back in time is accepted",
        rules=("step-size-accepted",),
        bodies={"DoStep": "if (c && !(h > 0.0)) return OK; return PASS;"},
    ),
    RunMutant(
        name="getting a value changes the state",
        rules=("get-changes-state",),
        bodies={"GetReal": shifted("1e-6 * ((Layer *)c)->n_steps++")},
    ),
    RunMutant(
        name="a start value differs from the declared one",
        rules=("start-value-differs",),
        bodies={"after": "set_one(good, 5, 2.5);"},
    ),
    RunMutant(
        name="an output depends on an undeclared input",
        rules=("dependency-missing",),
        bodies={
            "GetReal": """
  double x = 0.0;
  get_one(INNER(c), 0, &x);
"""
            + shifted("0.1 * (x - 1.0)")
        },
    ),
    RunMutant(
        name="results depend on the time of day",
        rules=("not-deterministic",),
        bodies={
            "DoStep": """
  Status status = PASS;
  const clock_t begin = clock();
  while (clock() == begin) {
  }
  if (c) HIDDEN(c) = 1e-12 * (double)clock();
  return status;""",
            "GetReal": PASS_AND_SHOW,
        },
    ),
    RunMutant(
        name="a step changes the locale",
        rules=("environment-changed",),
        bodies={
            "DoStep": 'setlocale(LC_ALL, "C.UTF-8");'
            ' setlocale(LC_NUMERIC, "POSIX"); setlocale(LC_CTYPE, "C");'
            " return PASS;"
        },
    ),
    RunMutant(
        name="an unknown value reference is accepted",
        rules=("unknown-reference-accepted",),
        bodies={
            "GetReal": """
  Status status = PASS;
  if (c && n == 1 && r[0] > 100) {
    v[0] = 0.0;
    return OK;
  }
  return status;"""
        },
    ),
    RunMutant(
        name="half a step is refused, though declared",
        rules=("capability-lies",),
        bodies={"DoStep": "if (c && h < 0.9) return FAILED; return PASS;"},
    ),
    RunMutant(
        name="a message has an undeclared category",
        rules=("log-category",),
        bodies={
            "Terminate": """
  if (c) tell((Layer *)c, "gossip", "the end");
  return PASS;"""
        },
    ),
    RunMutant(
        name="the version is that of a patch release",
        rules=("version-string",),
        bodies={"GetVersion": 'return VERSION ".4";'},
    ),
)
"""One binary with one fault each."""
