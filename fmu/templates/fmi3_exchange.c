
/* ---- FMI 3.0: events, and model exchange ---------------------------------------- */
#if PT_HAS_EXCHANGE
#define PT_EXCHANGE(call) return (fmi3Status)(call)
#else
#define PT_EXCHANGE(call) return pt_none(c, function, "continuous states to exchange")
#endif

#if PT_HAS_EXCHANGE || PT_HAS_EVENT_MODE
#define PT_EVENTS(call) return (fmi3Status)(call)

/* To another mode of an instance for model exchange, or of co-simulation with events. */
static fmi3Status pt_go(fmi3Instance c, int is_exchange, int from, int to,
                        const char *function) {
  PtInstance *instance = (PtInstance *)c;
  if (!pt_is_kind(instance, is_exchange, function)) return fmi3Error;
  if (!is_exchange && !instance->host.uses_events) {
    return pt_none(c, function, "events in this instance (see eventModeUsed)");
  }
  return (fmi3Status)pt_enter(instance, from, to, function);
}
#else
#define PT_EVENTS(call) return pt_none(c, function, "events")
#endif

PT_EXPORT(fmi3Status, fmi3EnterEventMode)(fmi3Instance c) {
  static const char *const function = "fmi3EnterEventMode";
  const int is_exchange = c ? ((PtInstance *)c)->state.is_exchange : 0;
  (void)is_exchange;
  PT_EVENTS(pt_go(c, is_exchange, PT_CONTINUOUS | PT_STEPPING, PT_EVENT, function));
}

PT_EXPORT(fmi3Status, fmi3EnterStepMode)(fmi3Instance c) {
  static const char *const function = "fmi3EnterStepMode";
  PT_EVENTS(pt_go(c, 0, PT_EVENT, PT_STEPPING, function));
}

PT_EXPORT(fmi3Status, fmi3EnterContinuousTimeMode)(fmi3Instance c) {
  static const char *const function = "fmi3EnterContinuousTimeMode";
  PT_EVENTS(pt_go(c, 1, PT_EVENT, PT_CONTINUOUS, function));
}

PT_EXPORT(fmi3Status, fmi3EvaluateDiscreteStates)(fmi3Instance c) {
  static const char *const function = "fmi3EvaluateDiscreteStates";
  PT_EVENTS(pt_enter((PtInstance *)c, PT_EVENT, PT_EVENT, function));
}

PT_EXPORT(fmi3Status, fmi3UpdateDiscreteStates)
(fmi3Instance c, fmi3Boolean *needs_update, fmi3Boolean *terminates,
 fmi3Boolean *nominals_changed, fmi3Boolean *states_changed,
 fmi3Boolean *has_next_event_time, fmi3Float64 *next_event_time) {
  static const char *const function = "fmi3UpdateDiscreteStates";
  /* no state jumps: events are reported or sampled */
  if (needs_update) *needs_update = false;
  if (terminates) *terminates = false;
  if (nominals_changed) *nominals_changed = false;
  if (states_changed) *states_changed = false;
  if (has_next_event_time) *has_next_event_time = false;
  if (next_event_time) *next_event_time = 0.0;
#if PT_HAS_EXCHANGE || PT_HAS_EVENT_MODE
  {
    double next;
    const int status = pt_settle((PtInstance *)c, &next, function);
    if (has_next_event_time) *has_next_event_time = next < HUGE_VAL;
    if (next_event_time && next < HUGE_VAL) *next_event_time = next;
    return (fmi3Status)status;
  }
#else
  return pt_none(c, function, "events");
#endif
}

PT_EXPORT(fmi3Status, fmi3CompletedIntegratorStep)
(fmi3Instance c, fmi3Boolean no_set_state, fmi3Boolean *enter_event_mode,
 fmi3Boolean *terminates) {
  static const char *const function = "fmi3CompletedIntegratorStep";
  (void)no_set_state;
  if (enter_event_mode) *enter_event_mode = false;
  if (terminates) *terminates = false;
  PT_EXCHANGE(pt_go(c, 1, PT_CONTINUOUS, PT_CONTINUOUS, function));
}

PT_EXPORT(fmi3Status, fmi3SetTime)(fmi3Instance c, fmi3Float64 time) {
  static const char *const function = "fmi3SetTime";
  (void)time;
  PT_EXCHANGE(pt_set_time((PtInstance *)c, time, function));
}

PT_EXPORT(fmi3Status, fmi3SetContinuousStates)
(fmi3Instance c, const fmi3Float64 x[], size_t n) {
  static const char *const function = "fmi3SetContinuousStates";
  (void)x;
  (void)n;
  PT_EXCHANGE(pt_set_states((PtInstance *)c, x, n, function));
}

#define PT_GET_VECTOR(name, which)                                                   \
  PT_EXPORT(fmi3Status, name)(fmi3Instance c, fmi3Float64 values[], size_t n) {      \
    static const char *const function = #name;                                       \
    (void)values;                                                                    \
    (void)n;                                                                         \
    PT_EXCHANGE(pt_get_vector((PtInstance *)c, which, values, n, function));         \
  }

PT_GET_VECTOR(fmi3GetContinuousStates, PT_THE_STATES)
PT_GET_VECTOR(fmi3GetContinuousStateDerivatives, PT_THE_DERIVATIVES)
PT_GET_VECTOR(fmi3GetEventIndicators, PT_THE_INDICATORS)

PT_EXPORT(fmi3Status, fmi3GetNominalsOfContinuousStates)
(fmi3Instance c, fmi3Float64 values[], size_t n) {
  static const char *const function = "fmi3GetNominalsOfContinuousStates";
  (void)values;
  (void)n;
  PT_EXCHANGE(pt_get_nominals((PtInstance *)c, values, n, function));
}

PT_EXPORT(fmi3Status, fmi3GetNumberOfEventIndicators)(fmi3Instance c, size_t *n) {
  static const char *const function = "fmi3GetNumberOfEventIndicators";
  if (n) *n = PT_N_INDICATORS;
  PT_EXCHANGE(pt_is_kind((PtInstance *)c, 1, function) ? PT_OK : PT_ERROR);
}

PT_EXPORT(fmi3Status, fmi3GetNumberOfContinuousStates)(fmi3Instance c, size_t *n) {
  static const char *const function = "fmi3GetNumberOfContinuousStates";
  if (n) *n = PT_N_STATES;
  PT_EXCHANGE(pt_is_kind((PtInstance *)c, 1, function) ? PT_OK : PT_ERROR);
}
