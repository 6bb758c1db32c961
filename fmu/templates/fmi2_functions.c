
/* ---- the 34 functions of FMI 2.0 co-simulation ---------------------------- */
#define PT_EXPORT(type, name) PT_VISIBLE type PT_NAME(name)

PT_EXPORT(const char *, fmi2GetTypesPlatform)(void) { return "default"; }

PT_EXPORT(const char *, fmi2GetVersion)(void) { return "2.0"; }

PT_EXPORT(fmi2Component, fmi2Instantiate)
(fmi2String name, fmi2Type type, fmi2String token, fmi2String resources,
 const fmi2CallbackFunctions *callbacks, fmi2Boolean visible, fmi2Boolean logging) {
  PtInstance *instance;
  size_t length;
  (void)resources;
  (void)visible;
  (void)logging; /* refused calls are always logged; there is nothing else to log */
  if (!callbacks) return NULL;
  if (!name || !*name) {
    pt_complain(callbacks, name, "fmi2Instantiate: the instance needs a name.");
    return NULL;
  }
  if (type != fmi2CoSimulation) {
    pt_complain(callbacks, name, "fmi2Instantiate: this FMU is for co-simulation only.");
    return NULL;
  }
  if (!token || strcmp(token, PT_TOKEN) != 0) {
    pt_complain(callbacks, name,
                "fmi2Instantiate: guid %.80s was given, expected %s; the model "
                "description and the binary are not of the same export.",
                token ? token : "NULL", PT_TOKEN);
    return NULL;
  }
  length = strlen(name) + 1;
  instance = (PtInstance *)calloc(1, sizeof(PtInstance) + length);
  if (instance) instance->space = malloc(PT_SPACE_SIZE());
  if (!instance || !instance->space) {
    free(instance);
    pt_complain(callbacks, name, "fmi2Instantiate: out of memory.");
    return NULL;
  }
  memcpy(instance->name, name, length);
  instance->callbacks = *callbacks;
  pt_set_starts(&instance->state);
  return instance;
}

PT_EXPORT(void, fmi2FreeInstance)(fmi2Component c) {
  if (c) free(((PtInstance *)c)->space);
  free(c);
}

PT_EXPORT(fmi2Status, fmi2SetDebugLogging)
(fmi2Component c, fmi2Boolean on, size_t n, const fmi2String categories[]) {
  (void)on;
  (void)n;
  (void)categories;
  return pt_is_allowed((PtInstance *)c, PT_ANY, "fmi2SetDebugLogging") ? fmi2OK
                                                                       : fmi2Error;
}

PT_EXPORT(fmi2Status, fmi2SetupExperiment)
(fmi2Component c, fmi2Boolean has_tolerance, fmi2Real tolerance, fmi2Real start_time,
 fmi2Boolean has_stop_time, fmi2Real stop_time) {
  PtInstance *instance = (PtInstance *)c;
  (void)has_tolerance;
  (void)tolerance;
  if (!pt_is_allowed(instance, PT_INSTANTIATED, "fmi2SetupExperiment")) return fmi2Error;
  if (!pt_is_finite(start_time) ||
      (has_stop_time && !(pt_is_finite(stop_time) && stop_time >= start_time))) {
    return pt_refuse(instance, fmi2Error,
                     "fmi2SetupExperiment: start time %g s and stop time %g s, "
                     "expected finite and in this order.",
                     start_time, stop_time);
  }
  instance->state.time = start_time;
  instance->state.has_stop_time = has_stop_time != 0;
  instance->state.stop_time = has_stop_time ? stop_time : 0.0;
  return fmi2OK;
}

PT_EXPORT(fmi2Status, fmi2EnterInitializationMode)(fmi2Component c) {
  PtInstance *instance = (PtInstance *)c;
  if (!pt_is_allowed(instance, PT_INSTANTIATED, "fmi2EnterInitializationMode")) {
    return fmi2Error;
  }
  instance->state.phase = PT_INITIALIZATION;
  instance->state.is_dirty = 1;
  return fmi2OK;
}

PT_EXPORT(fmi2Status, fmi2ExitInitializationMode)(fmi2Component c) {
  PtInstance *instance = (PtInstance *)c;
  if (!pt_is_allowed(instance, PT_INITIALIZATION, "fmi2ExitInitializationMode") ||
      !pt_refresh(instance, "fmi2ExitInitializationMode")) {
    return fmi2Error;
  }
  instance->state.phase = PT_STEPPING;
  return fmi2OK;
}

PT_EXPORT(fmi2Status, fmi2Terminate)(fmi2Component c) {
  PtInstance *instance = (PtInstance *)c;
  if (!pt_is_allowed(instance, PT_STEPPING, "fmi2Terminate")) return fmi2Error;
  instance->state.phase = PT_TERMINATED;
  return fmi2OK;
}

PT_EXPORT(fmi2Status, fmi2Reset)(fmi2Component c) {
  PtInstance *instance = (PtInstance *)c;
  if (!pt_is_allowed(instance, PT_ANY, "fmi2Reset")) return fmi2Error;
  pt_set_starts(&instance->state);
  return fmi2OK;
}

PT_EXPORT(fmi2Status, fmi2GetReal)
(fmi2Component c, const fmi2ValueReference references[], size_t n, fmi2Real values[]) {
  PtInstance *instance = (PtInstance *)c;
  size_t i;
  if (!instance) return fmi2Error;
  for (i = 0; i < n; ++i) {
    const fmi2ValueReference k = references[i];
    if (k >= PT_N_VALUES) {
      return pt_refuse(instance, fmi2Error,
                       "fmi2GetReal: no value reference %u; the largest is %d.", k,
                       PT_N_VALUES - 1);
    }
    if (pt_variables[k].kind == PT_OUTPUT) {
      if (!pt_is_allowed(instance, PT_ANY & ~PT_INSTANTIATED,
                         "fmi2GetReal of an output") ||
          !pt_refresh(instance, "fmi2GetReal")) {
        return fmi2Error;
      }
    }
    values[i] = instance->state.values[k];
  }
  return fmi2OK;
}

PT_EXPORT(fmi2Status, fmi2SetReal)
(fmi2Component c, const fmi2ValueReference references[], size_t n,
 const fmi2Real values[]) {
  PtInstance *instance = (PtInstance *)c;
  size_t i;
  if (!pt_is_allowed(instance, PT_ANY & ~PT_TERMINATED, "fmi2SetReal")) {
    return fmi2Error;
  }
  for (i = 0; i < n; ++i) {
    if (!pt_may_set(instance, references[i], values[i])) return fmi2Error;
  }
  for (i = 0; i < n; ++i) instance->state.values[references[i]] = values[i];
  if (instance->state.phase == PT_INITIALIZATION) instance->state.is_dirty = 1;
  return fmi2OK;
}

/* All variables are Real, so the calls for other types succeed only when empty. */
#define PT_OTHER_TYPE(function, type)                                                \
  PT_EXPORT(fmi2Status, function)                                                    \
  (fmi2Component c, const fmi2ValueReference references[], size_t n, type) {         \
    (void)references;                                                                \
    (void)values;                                                                    \
    if (c && n == 0) return fmi2OK;                                                  \
    return pt_refuse((PtInstance *)c, fmi2Error, "%s: all variables are Real.",      \
                     #function);                                                     \
  }

PT_OTHER_TYPE(fmi2GetInteger, fmi2Integer values[])
PT_OTHER_TYPE(fmi2GetBoolean, fmi2Boolean values[])
PT_OTHER_TYPE(fmi2GetString, fmi2String values[])
PT_OTHER_TYPE(fmi2SetInteger, const fmi2Integer values[])
PT_OTHER_TYPE(fmi2SetBoolean, const fmi2Boolean values[])
PT_OTHER_TYPE(fmi2SetString, const fmi2String values[])
