
#if PT_HAS_EXCHANGE
/* ---- model exchange ------------------------------------------------------------ */
static int pt_is_size(const PtInstance *instance, size_t got, int wanted,
                      const char *function) {
  if (got == (size_t)wanted) return 1;
  pt_refuse(instance, PT_ERROR, "%s: %lu values, expected %d.", function,
            (unsigned long)got, wanted);
  return 0;
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
  if (n > 0) memcpy(instance->state.x, x, sizeof(double) * n);
  instance->state.is_stale = 1;
  return PT_OK;
}

/* Which of the vectors of model exchange is read. */
typedef enum { PT_THE_STATES, PT_THE_DERIVATIVES, PT_THE_INDICATORS } PtVector;

static int pt_get_vector(PtInstance *instance, PtVector which, double values[], size_t n,
                         const char *function) {
  const int size = which == PT_THE_INDICATORS ? PT_N_INDICATORS : PT_N_STATES;
  if (!pt_is_kind(instance, 1, function) ||
      !pt_is_allowed(instance, PT_ANY & ~PT_INSTANTIATED, function) ||
      !pt_is_size(instance, n, size, function) || !pt_refresh(instance, function)) {
    return PT_ERROR;
  }
#if PT_HAS_EQUATIONS
  if (which != PT_THE_STATES && !pt_evaluate(instance, function)) return PT_DISCARD;
  memcpy(values,
         which == PT_THE_STATES ? instance->state.x
                                : (which == PT_THE_INDICATORS
                                       ? instance->state.indicators
                                       : instance->state.derivatives),
         sizeof(double) * n);
#else
  (void)values; /* there are none */
#endif
  return PT_OK;
}

static int pt_get_nominals(PtInstance *instance, double values[], size_t n,
                           const char *function) {
  if (!pt_is_kind(instance, 1, function) ||
      !pt_is_size(instance, n, PT_N_STATES, function)) {
    return PT_ERROR;
  }
  if (n > 0) memcpy(values, pt_nominals, sizeof(double) * n);
  return PT_OK;
}
#endif
