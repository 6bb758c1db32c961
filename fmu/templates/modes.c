
/* ---- from one mode to the next ------------------------------------------------- */
static int pt_begin(PtInstance *instance, const char *function) {
  if (!pt_is_allowed(instance, PT_INSTANTIATED, function)) return PT_ERROR;
  instance->state.phase = PT_INITIALIZATION;
  instance->state.is_dirty = 1;
  return PT_OK;
}

/* Leave initialization, in co-simulation to `phase`. */
static int pt_finish(PtInstance *instance, int phase, const char *function) {
  if (!pt_is_allowed(instance, PT_INITIALIZATION, function) ||
      !pt_refresh(instance, function)) {
    return PT_ERROR;
  }
  instance->state.phase = instance->state.is_exchange ? PT_EVENT : phase;
  return PT_OK;
}

static int pt_terminate(PtInstance *instance, const char *function) {
  if (!pt_is_allowed(instance, PT_RUNNING, function)) return PT_ERROR;
  instance->state.phase = PT_TERMINATED;
  return PT_OK;
}

static int pt_reset(PtInstance *instance, const char *function) {
  if (!pt_is_allowed(instance, PT_ANY & ~PT_INTERMEDIATE, function)) return PT_ERROR;
  pt_set_starts(&instance->state, instance->state.is_exchange);
  return PT_OK;
}

#if PT_HAS_EXCHANGE || PT_HAS_EVENT_MODE
#define PT_MOST_EVENTS 1000 /* at one time */

/* Go to another mode. In model exchange that accepts the present states: solutions are
 * searched from here on. */
static int pt_enter(PtInstance *instance, int from, int to, const char *function) {
  PtState *s;
  if (!pt_is_allowed(instance, from, function)) return PT_ERROR;
  s = &instance->state;
  s->phase = to;
#if PT_HAS_EQUATIONS
  if (s->is_exchange && !s->is_stale) memcpy(s->guess, s->z, sizeof(s->z));
  if (to == PT_EVENT) s->is_stale = 1; /* discrete outputs may change now */
#endif
  return PT_OK;
}

/* Do what is due at an event; `*next` is when the next one is sure to come. */
static int pt_settle(PtInstance *instance, double *next, const char *function) {
  *next = HUGE_VAL;
  if (pt_enter(instance, PT_EVENT, PT_EVENT, function) != PT_OK) return PT_ERROR;
#if PT_HAS_EQUATIONS
  if (PT_HAS_DISCRETE && instance->state.is_exchange && !pt_evaluate(instance, function)) {
    return PT_ERROR;
  }
#endif
#if PT_HAS_SAMPLES
  {
    PtState *s = &instance->state;
    double *y = s->values + PT_N_INPUTS;
    if (PT_SAMPLE(s->x, s->time, pt_given(instance), y + PT_N_OUTPUTS, y,
                  instance->space)) {
      return pt_refuse(instance, PT_ERROR,
                       "%s: the sample at %.17g s has no finite result; nothing was "
                       "changed.",
                       function, s->time);
    }
    s->is_touched = 0;
    *next = PT_NEXT(s->x, s->time);
  }
#elif PT_HAS_EVENT_MODE
  if (!instance->state.is_exchange) { /* what the inputs now trip is met, once */
    PtState *s = &instance->state;
    double end;
    int i = 0;
    s->is_touched = 1;
    if (!pt_observe(instance, function)) return PT_ERROR;
    while (PT_STEP_UNTIL(s->x, s->time, 0.0, pt_given(instance),
                         s->values + PT_N_INPUTS + PT_N_OUTPUTS, instance->result, &end,
                         instance->space) == 2 && i < PT_MOST_EVENTS) {
      ++i; /* one after the other */
    }
  }
#endif
  return PT_OK;
}
#endif
