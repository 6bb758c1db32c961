
#if PT_HAS_EXCHANGE
/* ---- model exchange ------------------------------------------------------------ */
static int pt_is_size(const PtInstance *instance, size_t got, int wanted,
                      const char *function) {
  if (got == (size_t)wanted) return 1;
  pt_refuse(instance, PT_ERROR, "%s: %lu values, expected %d.", function,
            (unsigned long)got, wanted);
  return 0;
}

/* The importer accepted the present states: solutions are searched from here on. */
static void pt_accept(PtInstance *instance) {
  PtState *s = &instance->state;
  if (!s->is_stale) memcpy(s->guess, s->z, sizeof(s->z));
}

/* Go to another mode of model exchange. */
static int pt_enter(PtInstance *instance, int from, int to, const char *function) {
  if (!pt_is_kind(instance, 1, function) || !pt_is_allowed(instance, from, function)) {
    return PT_ERROR;
  }
  instance->state.phase = to;
  pt_accept(instance);
  return PT_OK;
}

static int pt_set_time(PtInstance *instance, double time, const char *function) {
  if (!pt_is_kind(instance, 1, function) ||
      !pt_is_allowed(instance, PT_EVENT | PT_CONTINUOUS, function)) {
    return PT_ERROR;
  }
  if (!pt_is_finite(time)) {
    return pt_refuse(instance, PT_ERROR, "%s: %g s, expected a finite time.", function,
                     time);
  }
  instance->state.time = time;
  instance->state.is_stale = 1;
  return PT_OK;
}

static int pt_set_states(PtInstance *instance, const double x[], size_t n,
                         const char *function) {
  if (!pt_is_kind(instance, 1, function) ||
      !pt_is_allowed(instance, PT_EVENT | PT_CONTINUOUS, function) ||
      !pt_is_size(instance, n, PT_N_STATES, function)) {
    return PT_ERROR;
  }
  if (!pt_all_finite(x, PT_N_STATES)) {
    return pt_refuse(instance, PT_DISCARD, "%s: a state is not finite.", function);
  }
  memcpy(instance->state.x, x, sizeof(double) * PT_N_STATES);
  instance->state.is_stale = 1;
  return PT_OK;
}

/* Which of the vectors of model exchange is read. */
typedef enum { PT_THE_STATES, PT_THE_DERIVATIVES, PT_THE_INDICATORS } PtVector;

static int pt_get_vector(PtInstance *instance, PtVector which, double values[], size_t n,
                         const char *function) {
  const int size = which == PT_THE_INDICATORS ? PT_N_INDICATORS : PT_N_STATES;
  const PtState *s;
  if (!pt_is_kind(instance, 1, function) ||
      !pt_is_allowed(instance, PT_ANY & ~PT_INSTANTIATED, function) ||
      !pt_is_size(instance, n, size, function) || !pt_refresh(instance, function)) {
    return PT_ERROR;
  }
  if (which != PT_THE_STATES && !pt_evaluate(instance, function)) return PT_DISCARD;
  s = &instance->state;
  memcpy(values,
         which == PT_THE_STATES ? s->x
                                : (which == PT_THE_INDICATORS ? s->indicators
                                                              : s->derivatives),
         sizeof(double) * (size_t)size);
  return PT_OK;
}

static int pt_get_nominals(PtInstance *instance, double values[], size_t n,
                           const char *function) {
  if (!pt_is_kind(instance, 1, function) ||
      !pt_is_size(instance, n, PT_N_STATES, function)) {
    return PT_ERROR;
  }
  memcpy(values, pt_nominals, sizeof(double) * PT_N_STATES);
  return PT_OK;
}
#endif
