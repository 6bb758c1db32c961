"""Run-time mutants with faults that only FMI 3.0 can have, or model exchange."""

from __future__ import annotations

from packtwin.scenarios.bench_check_model import good_vector_step_map
from packtwin.scenarios.bench_check_shim import RunMutant

__all__ = ["EXCHANGE_FAULTS", "FMI3_FAULTS", "VECTOR_FAULTS"]

_ONLY_3 = ("3.0",)
# While it runs, other functions see that they are called inside a step.
_STEP_THAT_IS_SEEN = """
  Status status;
  if (!c) return FAILED;
  ((Layer *)c)->n_steps = 1;
  status = PASS;
  ((Layer *)c)->n_steps = 0;
  return status;"""

FMI3_FAULTS: tuple[RunMutant, ...] = (
    RunMutant(
        name="an adjoint derivative is wrong",
        rules=("derivative-wrong",),
        versions=_ONLY_3,
        flags={"providesAdjointDerivatives": "true"},
        bodies={
            "GetAdjointDerivative": """
  Status status = PASS;
  if (status == OK && u[0] == 3) v[0] = -v[0];
  return status;"""
        },
    ),
    RunMutant(
        name="adjoint derivatives are declared and refused in event mode",
        rules=("capability-lies",),
        versions=_ONLY_3,
        kind="me",
        bodies={"GetAdjointDerivative": "(void)c; return FAILED;"},
    ),
    RunMutant(
        name="a step returns early, unasked",
        rules=("step-answer-wrong",),
        versions=_ONLY_3,
        bodies={
            "DoStep": "Status status = PASS; if (t > 2.5) *early = true; return status;"
        },
    ),
    RunMutant(
        name="a step does not tell the time",
        rules=("step-answer-wrong", "last-time-wrong"),
        versions=_ONLY_3,
        bodies={"DoStep": "Status status = PASS; *last = 0.0; return status;"},
    ),
    RunMutant(
        name="event mode is declared and refused",
        rules=("capability-lies",),
        versions=_ONLY_3,
        flags={"hasEventMode": "true"},
    ),
    RunMutant(
        name="in event mode steps are accepted",
        rules=("illegal-call-accepted",),
        versions=_ONLY_3,
        flags={"hasEventMode": "true"},
        bodies={
            "before": "events = false;",
            "UpdateDiscreteStates": """
  (void)c;
  *a = *b = *d = *e = *f = false;
  *g = 0.0;
  return OK;""",
            "EnterEventMode": "(void)c; return OK;",
            "EnterStepMode": "(void)c; return OK;",
        },
    ),
    RunMutant(
        name="inputs set inside steps are thrown away",
        rules=("set-has-no-effect",),
        versions=_ONLY_3,
        bodies={
            "SetReal": """
  if (c && ((Layer *)c)->n_steps) return OK;
  return PASS;""",
            "DoStep": _STEP_THAT_IS_SEEN,
        },
    ),
    RunMutant(
        name="inputs are refused inside steps that ask for them",
        rules=("capability-lies",),
        versions=_ONLY_3,
        bodies={
            "SetReal": """
  if (c && ((Layer *)c)->n_steps) return FAILED;
  return PASS;""",
            "DoStep": _STEP_THAT_IS_SEEN,
        },
    ),
    RunMutant(
        name="updates inside steps come at the wrong time",
        rules=("intermediate-wrong",),
        versions=_ONLY_3,
        globals="""
static fmi3IntermediateUpdateCallback told;
static void late(fmi3InstanceEnvironment e, double t, bool a, bool b, bool d, bool f,
                 bool *g, double *h) {
  told(e, t + 100.0, a, b, d, f, g, h);
}
""",
        bodies={"before": "told = update; if (update) update = late;"},
    ),
    RunMutant(
        name="updates inside steps never come, though declared",
        rules=("capability-lies",),
        versions=_ONLY_3,
        bodies={"before": "update = NULL;"},
    ),
    RunMutant(
        name="the binary has another number of states",
        rules=("states-wrong",),
        versions=_ONLY_3,
        kind="me",
        bodies={
            "GetNumberOfContinuousStates": "(void)c; *n = 2; return OK;",
        },
    ),
)
"""Faults that FMI 2 cannot have."""

EXCHANGE_FAULTS: tuple[RunMutant, ...] = (
    RunMutant(
        name="states that are set are forgotten",
        rules=("states-wrong",),
        kind="me",
        bodies={"SetContinuousStates": "(void)c; (void)x; (void)n; return OK;"},
    ),
    RunMutant(
        name="a nominal value is zero",
        rules=("nominal-wrong",),
        kind="me",
        bodies={
            "GetNominalsOfContinuousStates": "Status status = PASS;"
            " if (status == OK) x[0] = 0.0; return status;"
        },
    ),
    RunMutant(
        name="a directional derivative of a rate has the wrong sign",
        rules=("derivative-wrong",),
        kind="me",
        bodies={
            "GetDirectionalDerivative": """
  Status status = PASS;
  if (status == OK) v[0] = -v[0];
  return status;"""
        },
    ),
    RunMutant(
        name="a saved state of model exchange is not restored",
        rules=("state-replay-differs",),
        kind="me",
        bodies={"SetFMUState": "(void)c; (void)s; return OK;"},
    ),
    RunMutant(
        name="rates are told before initialization",
        rules=("illegal-call-accepted",),
        kind="me",
        bodies={
            "GetContinuousStateDerivatives": "Status status = PASS;"
            " (void)x; (void)n; return c ? OK : status;"
        },
    ),
)
"""Faults of model exchange."""

VECTOR_FAULTS: tuple[RunMutant, ...] = (
    RunMutant(
        name="the elements of a vector are set the wrong way round",
        rules=("set-ignored",),
        versions=_ONLY_3,
        good=good_vector_step_map,
        bodies={
            "SetReal": """
  double x[3];
  if (n != 1 || m != 3) return PASS;
  x[0] = v[2];
  x[1] = v[1];
  x[2] = v[0];
  return GOOD(SetReal)(INNER(c), r, n, x, m);"""
        },
    ),
    RunMutant(
        name="the last element of a vector stands still",
        rules=("reference-differs",),
        versions=_ONLY_3,
        good=good_vector_step_map,
        bodies={
            "GetReal": "Status status = PASS;"
            " if (n == 1 && r[0] == 1 && m == 3) v[2] = 302.0; return status;"
        },
    ),
    RunMutant(
        name="an element of a vector starts with another value",
        rules=("start-value-differs",),
        versions=_ONLY_3,
        good=good_vector_step_map,
        bodies={
            "after": """
  {
    const Reference parameter = 2;
    const double values[3] = {41.0, 42.0, 44.0};
    GOOD(SetReal)(good, &parameter, 1, values, 3);
  }"""
        },
    ),
    RunMutant(
        name="a directional derivative ignores elements of its seed",
        rules=("derivative-wrong",),
        versions=_ONLY_3,
        kind="me",
        good=good_vector_step_map,
        bodies={
            "GetDirectionalDerivative": """
  double seed[3];
  if (n != 1 || n_d != 3) return PASS;
  memcpy(seed, d, sizeof(seed));
  seed[2] = 0.0;
  return GOOD(GetDirectionalDerivative)(INNER(c), u, m, r, n, seed, 3, v, n_v);"""
        },
    ),
    RunMutant(
        name="an adjoint derivative leaves out an element",
        rules=("derivative-wrong",),
        versions=_ONLY_3,
        kind="me",
        good=good_vector_step_map,
        bodies={
            "GetAdjointDerivative": """
  Status status = PASS;
  if (status == OK && n_v > 1) v[1] = 0.0;
  return status;"""
        },
    ),
    RunMutant(
        name="a saved state has one element only",
        rules=("state-replay-differs",),
        versions=_ONLY_3,
        good=good_vector_step_map,
        bodies={
            "DoStep": "Status status = PASS;"
            " if (status == OK) HIDDEN(c) += 1e-9; return status;",
            "GetReal": """
  Status status = PASS;
  if (c && n == 1 && r[0] == 1 && m == 3) v[1] += HIDDEN(c);
  return status;""",
            "Reset": "if (c) HIDDEN(c) = 0.0; return PASS;",
        },
    ),
)
"""Faults in the elements of vectors."""
