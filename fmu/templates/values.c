
/* ---- values ----------------------------------------------------------------- */
/* Addresses, in this order: inputs, outputs, parameters, states, their derivatives,
 * event indicators, time. A variable is `size` addresses from its own on. */
#define PT_AT_STATE PT_N_VALUES
#define PT_AT_DERIVATIVE (PT_AT_STATE + PT_N_STATES)
#define PT_AT_INDICATOR (PT_AT_DERIVATIVE + PT_N_DERIVATIVES)

#if PT_HAS_EQUATIONS
/* Where the search of the algebraic states starts. Not the last solution but one that
 * the importer accepted, so that trial states leave no trace in the last digits. */
static const double *pt_guess(const PtState *s) {
  return s->is_exchange ? s->guess : s->x + PT_N_STATES;
}

/* Evaluate the equations at the present states, if anything changed. */
static int pt_evaluate(PtInstance *instance, const char *function) {
  PtState *s = &instance->state;
  double *y = s->values + PT_N_INPUTS;
  const double *p = y + PT_N_OUTPUTS;
  double *result = instance->result;
  if (!s->is_stale) return 1;
  if (PT_EVALUATE(&s->time, s->x, pt_guess(s), s->values, p, s->derivatives, result,
                  s->indicators, instance->z, instance->space) ||
      !pt_all_finite(s->derivatives, PT_N_STATES) ||
      !pt_all_finite(result, PT_N_OUTPUTS) ||
      !pt_all_finite(s->indicators, PT_N_INDICATORS)) {
    pt_refuse(instance, PT_DISCARD,
              "%s: the equations have no finite solution at %.17g s with the given "
              "states and inputs; try a shorter step.",
              function, s->time);
    return 0;
  }
  memcpy(s->z, instance->z, sizeof(s->z));
  if (s->is_exchange) { /* what is discrete only changes at events */
    int k;
    for (k = 0; k < PT_N_OUTPUTS; ++k) {
      if (s->phase != PT_CONTINUOUS || !pt_is_discrete[k]) y[k] = result[k];
    }
  }
  s->is_stale = 0;
  return 1;
}
#endif

#if PT_HAS_STEPS || PT_HAS_SAMPLES
/* The inputs as `PT_STEP` takes them. */
static const double *pt_given(PtInstance *instance) {
  const PtState *s = &instance->state;
  if (PT_INPUT_ORDER == 0) return s->values;
  memcpy(instance->rows, s->values, sizeof(double) * PT_N_INPUTS);
  memcpy(instance->rows + PT_N_INPUTS, s->slopes,
         sizeof(double) * (PT_ROWS - 1) * PT_N_INPUTS);
  return instance->rows;
}
#endif

#if PT_HAS_EVENT_MODE && !PT_HAS_SAMPLES
/* In event mode outputs follow the inputs at once: a step of length zero. */
static int pt_observe(PtInstance *instance, const char *function) {
  PtState *s = &instance->state;
  double *y = s->values + PT_N_INPUTS;
  int k;
  if (s->is_exchange || s->phase != PT_EVENT || !s->is_touched) return 1;
  memcpy(instance->before, s->x, sizeof(s->x));
  if (PT_STEP(instance->before, s->time, 0.0, pt_given(instance), y + PT_N_OUTPUTS,
              instance->result, instance->space)) {
    pt_refuse(instance, PT_DISCARD, "%s: there are no finite outputs at %.17g s.",
              function, s->time);
    return 0;
  }
  for (k = 0; k < PT_N_OUTPUTS; ++k) {
    if (!pt_is_mean[k]) y[k] = instance->result[k];
  }
  s->is_touched = 0;
  return 1;
}
#endif

/* Make the values of a kind current; says why not and returns the status. */
static int pt_prepare(PtInstance *instance, PtKind kind, const char *function) {
  const PtState *s = &instance->state;
  if (kind < PT_OUTPUT || kind == PT_TIME) return PT_OK;
  if (!pt_is_allowed(instance, PT_ANY & ~PT_INSTANTIATED, function) ||
      !pt_refresh(instance, function)) {
    return PT_ERROR;
  }
#if PT_HAS_EQUATIONS
  if ((s->is_exchange || kind >= PT_DERIVATIVE) && kind != PT_STATE &&
      !pt_evaluate(instance, function)) {
    return PT_DISCARD;
  }
#endif
#if PT_HAS_EVENT_MODE && !PT_HAS_SAMPLES
  if (kind == PT_OUTPUT && !pt_observe(instance, function)) return PT_DISCARD;
#endif
  (void)s;
  return PT_OK;
}

static const double *pt_place(const PtState *s, const PtVariable *v) {
  switch (v->kind) {
    case PT_STATE: return s->x + (v->address - PT_AT_STATE);
#if PT_HAS_EQUATIONS
    case PT_DERIVATIVE: return s->derivatives + (v->address - PT_AT_DERIVATIVE);
    case PT_INDICATOR: return s->indicators + (v->address - PT_AT_INDICATOR);
#endif
    case PT_TIME: return &s->time;
    default: return s->values + v->address;
  }
}

/* The number of values that variables have together; says which does not exist. */
static int pt_count(const PtInstance *instance, const unsigned int references[],
                    size_t n, size_t *count, const char *function) {
  size_t i;
  *count = 0;
  for (i = 0; i < n; ++i) {
    if (references[i] >= PT_N_VARIABLES) {
      pt_refuse(instance, PT_ERROR, "%s: no value reference %u; the largest is %d.",
                function, references[i], PT_N_VARIABLES - 1);
      return 0;
    }
    *count += (size_t)pt_variables[references[i]].size;
  }
  return 1;
}

/* Whether `n_values` is what the variables have; says why not. */
static int pt_is_complete(const PtInstance *instance, const unsigned int references[],
                          size_t n, size_t n_values, const char *function) {
  size_t count;
  if (!pt_count(instance, references, n, &count, function)) return 0;
  if (count == n_values) return 1;
  pt_refuse(instance, PT_ERROR, "%s: %lu values were given, the variables have %lu.",
            function, (unsigned long)n_values, (unsigned long)count);
  return 0;
}

static int pt_get(PtInstance *instance, const unsigned int references[], size_t n,
                  double values[], size_t n_values, const char *function) {
  size_t i;
  int k;
  unsigned int prepared = 0; /* kinds */
  if (!instance ||
      !pt_is_complete(instance, references, n, n_values, function)) {
    return PT_ERROR;
  }
  for (i = 0; i < n; ++i) {
    const PtVariable *v = &pt_variables[references[i]];
    const double *place = v->kind <= PT_OUTPUT ? instance->state.values + v->address
                                               : pt_place(&instance->state, v);
    if (!(prepared & 1u << v->kind)) {
      const int status = pt_prepare(instance, v->kind, function);
      if (status != PT_OK) return status;
      prepared |= 1u << v->kind;
    }
    for (k = 0; k < v->size; ++k) *values++ = place[k];
  }
  return PT_OK;
}

/* Whether variable `v` may be set now; says why not. */
static int pt_may_set(const PtInstance *instance, const PtVariable *v,
                      const char *function) {
  const int32_t phase = instance->state.phase;
  if (v->kind == PT_STATE && instance->state.is_exchange &&
      (phase & (PT_EVENT | PT_CONTINUOUS))) {
    return 1; /* as by the function for all states: CasADi sets them one by one */
  }
  if (v->kind > PT_TUNABLE) {
    static const char *const what[] = {"an output", "a state", "a derivative",
                                       "an event indicator", "the time"};
    pt_refuse(instance, PT_ERROR, "%s: `%s` is %s.", function, v->name,
              what[v->kind - PT_OUTPUT]);
    return 0;
  }
  if (v->kind == PT_FIXED && !(phase & (PT_INSTANTIATED | PT_INITIALIZATION))) {
    pt_refuse(instance, PT_ERROR,
              "%s: parameter `%s` is fixed; set it before initialization ends.",
              function, v->name);
    return 0;
  }
  if (v->kind == PT_TUNABLE && (phase & (PT_CONTINUOUS | PT_INTERMEDIATE))) {
    pt_refuse(instance, PT_ERROR, "%s: parameter `%s` must not be set while the "
              "instance is %s.", function, v->name, pt_phase_name(phase));
    return 0;
  }
  return 1;
}

/* Whether `value` may be given to `v`; says why not. */
static int pt_is_value(const PtInstance *instance, const PtVariable *v, double value,
                       const char *function) {
  if (!pt_is_finite(value)) {
    pt_refuse(instance, PT_ERROR,
              "%s: `%s` was given %g, expected a finite value in %s; it keeps %g.",
              function, v->name, value, v->unit, *pt_place(&instance->state, v));
    return 0;
  }
  if ((v->kind == PT_FIXED || v->kind == PT_TUNABLE) &&
      (value < v->minimum || value > v->maximum)) {
    pt_refuse(instance, PT_ERROR,
              "%s: parameter `%s` was given %g %s, expected %g to %g; it keeps %g.",
              function, v->name, value, v->unit, v->minimum, v->maximum,
              *pt_place(&instance->state, v));
    return 0;
  }
  return 1;
}

/* Forget derivatives of the inputs that are all zero. */
static void pt_count_rows(PtState *s) {
  int i;
  for (; s->n_rows > 1; --s->n_rows) {
    const double *row = s->slopes + (s->n_rows - 2) * PT_N_INPUTS;
    for (i = 0; i < PT_N_INPUTS; ++i) {
      if (row[i] != 0.0) return;
    }
  }
}

/* An input that is set is constant until its derivatives are set too. */
static void pt_hold(PtState *s, const PtVariable *v) {
  int i, k;
  for (i = 0; i < PT_ROWS - 1; ++i) {
    for (k = 0; k < v->size; ++k) s->slopes[i * PT_N_INPUTS + v->address + k] = 0.0;
  }
  pt_count_rows(s);
}

static int pt_set(PtInstance *instance, const unsigned int references[], size_t n,
                  const double values[], size_t n_values, const char *function) {
  PtState *s;
  size_t i, at = 0;
  int k;
  if (!pt_is_allowed(instance, PT_ANY & ~PT_TERMINATED, function) ||
      !pt_is_complete(instance, references, n, n_values, function)) {
    return PT_ERROR;
  }
  s = &instance->state;
  for (i = 0; i < n; ++i) {
    const PtVariable *v = &pt_variables[references[i]];
    if (!pt_may_set(instance, v, function)) return PT_ERROR;
    for (k = 0; k < v->size; ++k) {
      if (!pt_is_value(instance, v, values[at++], function)) return PT_ERROR;
    }
  }
  for (i = 0; i < n; ++i) {
    const PtVariable *v = &pt_variables[references[i]];
    double *place = s->values + v->address;
    if (v->kind == PT_STATE) place = s->x + (v->address - PT_AT_STATE);
    if (s->n_rows > 1 && v->kind == PT_INPUT) pt_hold(s, v);
    for (k = 0; k < v->size; ++k) place[k] = *values++;
  }
  if (s->phase == PT_INITIALIZATION) s->is_dirty = 1;
  s->is_stale = s->is_touched = 1;
  return PT_OK;
}
