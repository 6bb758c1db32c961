
#if PT_HAS_EXCHANGE
/* ---- FMI 2.0: model exchange -------------------------------------------------- */
static fmi2Status pt_go(fmi2Component c, int from, int to, const char *function) {
  PtInstance *instance = (PtInstance *)c;
  if (!pt_is_kind(instance, 1, function)) return fmi2Error;
  return (fmi2Status)pt_enter(instance, from, to, function);
}

PT_EXPORT(fmi2Status, fmi2EnterEventMode)(fmi2Component c) {
  return pt_go(c, PT_CONTINUOUS | PT_EVENT, PT_EVENT, "fmi2EnterEventMode");
}

PT_EXPORT(fmi2Status, fmi2NewDiscreteStates)(fmi2Component c, fmi2EventInfo *info) {
  PtInstance *instance = (PtInstance *)c;
  double next;
  int status;
  if (!info || !pt_is_kind(instance, 1, "fmi2NewDiscreteStates")) return fmi2Error;
  status = pt_settle(instance, &next, "fmi2NewDiscreteStates");
  memset(info, 0, sizeof(*info)); /* no state jumps: events are reported or sampled */
  info->nextEventTimeDefined = next < HUGE_VAL;
  if (info->nextEventTimeDefined) info->nextEventTime = next;
  return (fmi2Status)status;
}

PT_EXPORT(fmi2Status, fmi2EnterContinuousTimeMode)(fmi2Component c) {
  return pt_go(c, PT_EVENT, PT_CONTINUOUS, "fmi2EnterContinuousTimeMode");
}

PT_EXPORT(fmi2Status, fmi2CompletedIntegratorStep)
(fmi2Component c, fmi2Boolean no_set_state, fmi2Boolean *enter_event_mode,
 fmi2Boolean *terminate) {
  (void)no_set_state;
  if (!enter_event_mode || !terminate) return fmi2Error;
  *enter_event_mode = 0;
  *terminate = 0;
  return pt_go(c, PT_CONTINUOUS, PT_CONTINUOUS, "fmi2CompletedIntegratorStep");
}

PT_EXPORT(fmi2Status, fmi2SetTime)(fmi2Component c, fmi2Real time) {
  return (fmi2Status)pt_set_time((PtInstance *)c, time, "fmi2SetTime");
}

PT_EXPORT(fmi2Status, fmi2SetContinuousStates)
(fmi2Component c, const fmi2Real x[], size_t n) {
  return (fmi2Status)pt_set_states((PtInstance *)c, x, n, "fmi2SetContinuousStates");
}

PT_EXPORT(fmi2Status, fmi2GetDerivatives)(fmi2Component c, fmi2Real values[], size_t n) {
  return (fmi2Status)pt_get_vector((PtInstance *)c, PT_THE_DERIVATIVES, values, n,
                                   "fmi2GetDerivatives");
}

PT_EXPORT(fmi2Status, fmi2GetEventIndicators)
(fmi2Component c, fmi2Real values[], size_t n) {
  return (fmi2Status)pt_get_vector((PtInstance *)c, PT_THE_INDICATORS, values, n,
                                   "fmi2GetEventIndicators");
}

PT_EXPORT(fmi2Status, fmi2GetContinuousStates)
(fmi2Component c, fmi2Real values[], size_t n) {
  return (fmi2Status)pt_get_vector((PtInstance *)c, PT_THE_STATES, values, n,
                                   "fmi2GetContinuousStates");
}

PT_EXPORT(fmi2Status, fmi2GetNominalsOfContinuousStates)
(fmi2Component c, fmi2Real values[], size_t n) {
  return (fmi2Status)pt_get_nominals((PtInstance *)c, values, n,
                                     "fmi2GetNominalsOfContinuousStates");
}
#endif
