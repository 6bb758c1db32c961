
#if PT_HAS_STEPS
/* ---- FMI 2.0: co-simulation --------------------------------------------------- */
/* Set the derivative of `order` of one input at the present time. */
static int pt_set_slope(PtInstance *instance, unsigned int reference, int order,
                        const double *values, const char *function) {
  PtState *s = &instance->state;
  const PtVariable *v = &pt_variables[reference];
  int k;
  if (v->kind != PT_INPUT) {
    return pt_refuse(instance, PT_ERROR, "%s: `%s` is no input.", function, v->name);
  }
  if (order < 1 || order >= PT_ROWS) {
    return pt_refuse(instance, PT_ERROR,
                     "%s: derivative %d of `%s`, expected an order of 1 to %d.",
                     function, order, v->name, PT_ROWS - 1);
  }
  if (!pt_all_finite(values, v->size)) {
    return pt_refuse(instance, PT_ERROR, "%s: a derivative of `%s` is not finite.",
                     function, v->name);
  }
  for (k = 0; k < v->size; ++k) {
    s->slopes[(order - 1) * PT_N_INPUTS + v->address + k] = values[k];
  }
  if (s->n_rows < order + 1) s->n_rows = order + 1;
  pt_count_rows(s);
  return PT_OK;
}

PT_EXPORT(fmi2Status, fmi2SetRealInputDerivatives)
(fmi2Component c, const fmi2ValueReference references[], size_t n,
 const fmi2Integer orders[], const fmi2Real values[]) {
  static const char *const function = "fmi2SetRealInputDerivatives";
  PtInstance *instance = (PtInstance *)c;
  size_t i;
  int status = PT_OK;
  if (!pt_is_kind(instance, 0, function) ||
      !pt_is_allowed(instance, PT_INITIALIZATION | PT_STEPPING, function) ||
      !pt_is_complete(instance, references, n, n, function)) {
    return fmi2Error;
  }
  for (i = 0; i < n && status == PT_OK; ++i) {
    status = pt_set_slope(instance, references[i], orders[i], &values[i], function);
  }
  return (fmi2Status)status;
}

PT_EXPORT(fmi2Status, fmi2GetRealOutputDerivatives)
(fmi2Component c, const fmi2ValueReference references[], size_t n,
 const fmi2Integer orders[], fmi2Real values[]) {
  return (fmi2Status)pt_output_slopes((PtInstance *)c, references, n, orders, values, n,
                                      "fmi2GetRealOutputDerivatives");
}

PT_EXPORT(fmi2Status, fmi2DoStep)
(fmi2Component c, fmi2Real t, fmi2Real h, fmi2Boolean is_final) {
  PtInstance *instance = (PtInstance *)c;
  int has_event;
  (void)is_final;
  if (!pt_is_kind(instance, 0, "fmi2DoStep") ||
      !pt_is_allowed(instance, PT_STEPPING, "fmi2DoStep") ||
      !pt_may_step(instance, t, h, "fmi2DoStep")) {
    return fmi2Error;
  }
  return (fmi2Status)pt_do_step(instance, t, h, 0, &has_event, "fmi2DoStep");
}

PT_EXPORT(fmi2Status, fmi2CancelStep)(fmi2Component c) {
  return (fmi2Status)pt_refuse((PtInstance *)c, PT_ERROR,
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
#endif
