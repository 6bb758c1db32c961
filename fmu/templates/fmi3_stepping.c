
/* ---- FMI 3.0: co-simulation --------------------------------------------------- */
#if PT_HAS_STEPS
/* Ask the importer for the inputs inside the step, and follow the cubic through them. */
static int pt_ask_inputs(PtInstance *instance, double t, double h) {
  PtState *s = &instance->state;
  double node[PT_ROWS][PT_DIM(PT_N_INPUTS)];
  int i, k;
  for (i = 0; i < PT_ROWS; ++i) {
    fmi3Boolean asks_return = false;
    fmi3Float64 return_time = 0.0;
    s->phase = PT_INTERMEDIATE;
    instance->host.update(instance->host.environment, t + i * h / (PT_ROWS - 1), true,
                          false, false, false, &asks_return, &return_time);
    s->phase = PT_STEPPING;
    memcpy(node[i], s->values, sizeof(double) * PT_N_INPUTS);
  }
  for (k = 0; k < PT_N_INPUTS; ++k) {
    const double a = node[0][k], b = node[1][k], c = node[2][k], d = node[3][k];
    const double d1 = b - a, d2 = (c - b) - d1, d3 = ((d - c) - (c - b)) - d2;
    const double rate = (PT_ROWS - 1) / h; /* forward differences of Newton's form */
    s->values[k] = a;
    s->slopes[k] = rate * (d1 - d2 / 2.0 + d3 / 3.0);
    s->slopes[PT_N_INPUTS + k] = rate * rate * (d2 - d3);
    s->slopes[2 * PT_N_INPUTS + k] = rate * rate * rate * d3;
  }
  s->n_rows = PT_ROWS;
  pt_count_rows(s);
  return PT_OK;
}
#endif

PT_EXPORT(fmi3Status, fmi3GetOutputDerivatives)
(fmi3Instance c, const fmi3ValueReference references[], size_t n,
 const fmi3Int32 orders[], fmi3Float64 values[], size_t n_values) {
#if PT_HAS_STEPS
  return (fmi3Status)pt_output_slopes((PtInstance *)c, references, n, orders, values,
                                      n_values, "fmi3GetOutputDerivatives");
#else
  (void)references;
  (void)n;
  (void)orders;
  (void)values;
  (void)n_values;
  return pt_none(c, "fmi3GetOutputDerivatives", "steps");
#endif
}

PT_EXPORT(fmi3Status, fmi3DoStep)
(fmi3Instance c, fmi3Float64 t, fmi3Float64 h, fmi3Boolean no_set_state,
 fmi3Boolean *needs_events, fmi3Boolean *terminates, fmi3Boolean *returns_early,
 fmi3Float64 *last_time) {
  PtInstance *instance = (PtInstance *)c;
  (void)no_set_state;
  if (needs_events) *needs_events = false;
  if (terminates) *terminates = false;
  if (returns_early) *returns_early = false;
  if (!instance) return fmi3Error;
  if (last_time) *last_time = instance->state.time;
#if PT_HAS_STEPS
  {
    static const char *const function = "fmi3DoStep";
    PtState *s = &instance->state;
    double values[PT_DIM(PT_N_INPUTS)];
    double slopes[PT_DIM((PT_ROWS - 1) * PT_N_INPUTS)];
    const int n_rows = s->n_rows;
    const int asks = instance->host.update && instance->host.sets_inputs;
    int status, has_event;
    if (!pt_is_kind(instance, 0, function) ||
        !pt_is_allowed(instance, PT_STEPPING, function) ||
        !pt_may_step(instance, t, h, function)) {
      return fmi3Error;
    }
    memcpy(values, s->values, sizeof(double) * PT_N_INPUTS);
    memcpy(slopes, s->slopes, sizeof(slopes));
    if (asks) pt_ask_inputs(instance, t, h);
    status = pt_do_step(instance, t, h, instance->host.returns_early, &has_event, function);
#if PT_HAS_EVENT_MODE && PT_HAS_SAMPLES
    if (instance->host.uses_events) has_event |= PT_NEXT(s->x, s->time) <= s->time;
#endif
    if (status != PT_OK && asks) { /* nothing was changed, the inputs neither */
      memcpy(s->values, values, sizeof(double) * PT_N_INPUTS);
      memcpy(s->slopes, slopes, sizeof(slopes));
      s->n_rows = n_rows;
    }
    if (status == PT_OK && instance->host.update) {
      fmi3Boolean asks_return = false;
      fmi3Float64 return_time = 0.0;
      s->phase = PT_INTERMEDIATE;
      instance->host.update(instance->host.environment, s->time, false, true, true, false,
                            &asks_return, &return_time);
      s->phase = PT_STEPPING;
    }
    if (status == PT_OK && needs_events) *needs_events = has_event;
    if (status == PT_OK && returns_early) *returns_early = s->time < t + h;
    if (last_time) *last_time = s->time;
    return (fmi3Status)status;
  }
#else
  (void)t;
  (void)h;
  return pt_none(c, "fmi3DoStep", "steps");
#endif
}
