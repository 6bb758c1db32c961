
PT_EXPORT(fmi2Status, fmi2GetFMUstate)(fmi2Component c, fmi2FMUstate *saved) {
  PtInstance *instance = (PtInstance *)c;
  if (!pt_is_allowed(instance, PT_ANY, "fmi2GetFMUstate") || !saved) return fmi2Error;
  if (!*saved) *saved = malloc(sizeof(PtState));
  if (!*saved) return pt_refuse(instance, fmi2Error, "fmi2GetFMUstate: out of memory.");
  memcpy(*saved, &instance->state, sizeof(PtState));
  return fmi2OK;
}

PT_EXPORT(fmi2Status, fmi2SetFMUstate)(fmi2Component c, fmi2FMUstate saved) {
  PtInstance *instance = (PtInstance *)c;
  if (!pt_is_allowed(instance, PT_ANY, "fmi2SetFMUstate")) return fmi2Error;
  if (!pt_is_own_state((const PtState *)saved)) {
    return pt_refuse(instance, fmi2Error,
                     "fmi2SetFMUstate: this is no state of this FMU.");
  }
  memcpy(&instance->state, saved, sizeof(PtState));
  return fmi2OK;
}

PT_EXPORT(fmi2Status, fmi2FreeFMUstate)(fmi2Component c, fmi2FMUstate *saved) {
  if (!c) return fmi2Error;
  if (saved) {
    free(*saved);
    *saved = NULL;
  }
  return fmi2OK;
}

PT_EXPORT(fmi2Status, fmi2SerializedFMUstateSize)
(fmi2Component c, fmi2FMUstate saved, size_t *size) {
  PtInstance *instance = (PtInstance *)c;
  if (!instance || !size) return fmi2Error;
  if (!pt_is_own_state((const PtState *)saved)) {
    return pt_refuse(instance, fmi2Error,
                     "fmi2SerializedFMUstateSize: this is no state of this FMU.");
  }
  *size = sizeof(PtState);
  return fmi2OK;
}

PT_EXPORT(fmi2Status, fmi2SerializeFMUstate)
(fmi2Component c, fmi2FMUstate saved, fmi2Byte bytes[], size_t size) {
  PtInstance *instance = (PtInstance *)c;
  if (!instance || !bytes) return fmi2Error;
  if (!pt_is_own_state((const PtState *)saved) || size < sizeof(PtState)) {
    return pt_refuse(instance, fmi2Error,
                     "fmi2SerializeFMUstate: this is no state of this FMU, or the "
                     "buffer is shorter than %lu bytes.",
                     (unsigned long)sizeof(PtState));
  }
  memcpy(bytes, saved, sizeof(PtState));
  return fmi2OK;
}

PT_EXPORT(fmi2Status, fmi2DeSerializeFMUstate)
(fmi2Component c, const fmi2Byte bytes[], size_t size, fmi2FMUstate *saved) {
  PtInstance *instance = (PtInstance *)c;
  PtState copy;
  if (!instance || !bytes || !saved) return fmi2Error;
  if (size == sizeof(PtState)) memcpy(&copy, bytes, sizeof(PtState));
  if (size != sizeof(PtState) || !pt_is_own_state(&copy)) {
    return pt_refuse(instance, fmi2Error,
                     "fmi2DeSerializeFMUstate: these bytes are no state of this FMU "
                     "(size, version, byte order or guid differ).");
  }
  if (!*saved) *saved = malloc(sizeof(PtState));
  if (!*saved) {
    return pt_refuse(instance, fmi2Error, "fmi2DeSerializeFMUstate: out of memory.");
  }
  memcpy(*saved, &copy, sizeof(PtState));
  return fmi2OK;
}

PT_EXPORT(fmi2Status, fmi2GetDirectionalDerivative)
(fmi2Component c, const fmi2ValueReference unknowns[], size_t n_unknown,
 const fmi2ValueReference knowns[], size_t n_known, const fmi2Real known_values[],
 fmi2Real unknown_values[]) {
  (void)unknowns;
  (void)n_unknown;
  (void)knowns;
  (void)n_known;
  (void)known_values;
  (void)unknown_values;
  return pt_refuse((PtInstance *)c, fmi2Error,
                   "fmi2GetDirectionalDerivative is not provided.");
}

PT_EXPORT(fmi2Status, fmi2SetRealInputDerivatives)
(fmi2Component c, const fmi2ValueReference references[], size_t n,
 const fmi2Integer orders[], const fmi2Real values[]) {
  (void)references;
  (void)n;
  (void)orders;
  (void)values;
  return pt_refuse((PtInstance *)c, fmi2Error,
                   "fmi2SetRealInputDerivatives: inputs are constant over a step.");
}

PT_EXPORT(fmi2Status, fmi2GetRealOutputDerivatives)
(fmi2Component c, const fmi2ValueReference references[], size_t n,
 const fmi2Integer orders[], fmi2Real values[]) {
  (void)references;
  (void)n;
  (void)orders;
  (void)values;
  return pt_refuse((PtInstance *)c, fmi2Error,
                   "fmi2GetRealOutputDerivatives is not provided.");
}

/* Whether a step of `h` from `t` can be tried; says why not. */
static int pt_may_step(const PtInstance *instance, double t, double h) {
  const PtState *s = &instance->state;
  const double tolerance = 1e-6 * h + 1e-9 * fabs(s->time);
  if (!(h > 0.0) || !pt_is_finite(h)) {
    pt_refuse(instance, fmi2Error, "fmi2DoStep: step size %g s, expected more than 0 s.",
              h);
    return 0;
  }
  if (!(fabs(t - s->time) <= tolerance)) {
    pt_refuse(instance, fmi2Error,
              "fmi2DoStep: called at %.17g s, but the instance stands at %.17g s.", t,
              s->time);
    return 0;
  }
  if (s->has_stop_time && t + h > s->stop_time + tolerance) {
    pt_refuse(instance, fmi2Error,
              "fmi2DoStep: the step ends at %.17g s, after the stop time %.17g s.",
              t + h, s->stop_time);
    return 0;
  }
  return 1;
}

PT_EXPORT(fmi2Status, fmi2DoStep)
(fmi2Component c, fmi2Real t, fmi2Real h, fmi2Boolean is_final) {
  PtInstance *instance = (PtInstance *)c;
  PtState *s;
  double *y;
  (void)is_final;
  if (!pt_is_allowed(instance, PT_STEPPING, "fmi2DoStep") ||
      !pt_may_step(instance, t, h)) {
    return fmi2Error;
  }
  s = &instance->state;
  y = s->values + PT_N_INPUTS;
  memcpy(instance->inputs, s->values, sizeof(double) * PT_N_INPUTS);
  if (PT_STEP(s->memory, t, h, instance->inputs, y + PT_N_OUTPUTS, y, instance->space)) {
    s->step_status = fmi2Discard;
    return pt_refuse(instance, fmi2Discard,
                     "fmi2DoStep: the step of %g s from %g s was refused, because its "
                     "result cannot be computed or is not finite; nothing was changed.",
                     h, t);
  }
  s->time = t + h;
  s->step_status = fmi2OK;
  return fmi2OK;
}

PT_EXPORT(fmi2Status, fmi2CancelStep)(fmi2Component c) {
  return pt_refuse((PtInstance *)c, fmi2Error,
                   "fmi2CancelStep: steps are never pending.");
}

PT_EXPORT(fmi2Status, fmi2GetStatus)
(fmi2Component c, fmi2StatusKind kind, fmi2Status *value) {
  PtInstance *instance = (PtInstance *)c;
  if (!instance || !value) return fmi2Error;
  if (kind != fmi2DoStepStatus) return fmi2Discard;
  *value = (fmi2Status)instance->state.step_status;
  return fmi2OK;
}

PT_EXPORT(fmi2Status, fmi2GetRealStatus)
(fmi2Component c, fmi2StatusKind kind, fmi2Real *value) {
  PtInstance *instance = (PtInstance *)c;
  if (!instance || !value) return fmi2Error;
  if (kind != fmi2LastSuccessfulTime) return fmi2Discard;
  *value = instance->state.time;
  return fmi2OK;
}

PT_EXPORT(fmi2Status, fmi2GetIntegerStatus)
(fmi2Component c, fmi2StatusKind kind, fmi2Integer *value) {
  (void)kind;
  return c && value ? fmi2Discard : fmi2Error;
}

PT_EXPORT(fmi2Status, fmi2GetBooleanStatus)
(fmi2Component c, fmi2StatusKind kind, fmi2Boolean *value) {
  if (!c || !value) return fmi2Error;
  if (kind != fmi2Terminated) return fmi2Discard;
  *value = 0;
  return fmi2OK;
}

PT_EXPORT(fmi2Status, fmi2GetStringStatus)
(fmi2Component c, fmi2StatusKind kind, fmi2String *value) {
  if (!c || !value) return fmi2Error;
  if (kind != fmi2PendingStatus) return fmi2Discard;
  *value = "";
  return fmi2OK;
}

#if !defined(_WIN32) && defined(__GNUC__)
#pragma GCC visibility pop
#endif
