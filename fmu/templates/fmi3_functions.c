
/* ---- FMI 3.0: functions of all kinds ---------------------------------------- */
PT_EXPORT(const char *, fmi3GetVersion)(void) { return "3.0"; }

PT_EXPORT(fmi3Status, fmi3SetDebugLogging)
(fmi3Instance c, fmi3Boolean on, size_t n, const fmi3String categories[]) {
  return (fmi3Status)pt_set_logging((PtInstance *)c, on, n, categories,
                                    "fmi3SetDebugLogging");
}

PT_EXPORT(fmi3Instance, fmi3InstantiateModelExchange)
(fmi3String name, fmi3String token, fmi3String resources, fmi3Boolean visible,
 fmi3Boolean logging, fmi3InstanceEnvironment environment, fmi3LogMessageCallback log) {
  PtHost host = {NULL, NULL, NULL, 0, 0, 0};
  (void)resources;
  (void)visible;
  host.environment = environment;
  host.log = log;
  return pt_make(&host, name, token, 1, logging, "fmi3InstantiateModelExchange");
}

PT_EXPORT(fmi3Instance, fmi3InstantiateCoSimulation)
(fmi3String name, fmi3String token, fmi3String resources, fmi3Boolean visible,
 fmi3Boolean logging, fmi3Boolean uses_event_mode, fmi3Boolean allows_early_return,
 const fmi3ValueReference required[], size_t n_required,
 fmi3InstanceEnvironment environment, fmi3LogMessageCallback log,
 fmi3IntermediateUpdateCallback update) {
  static const char *const function = "fmi3InstantiateCoSimulation";
  PtHost host = {NULL, NULL, NULL, 0, 0, 0};
  size_t i;
  (void)resources;
  (void)visible;
  host.environment = environment;
  host.log = log;
  host.update = update;
  host.uses_events = uses_event_mode;
  host.returns_early = uses_event_mode && allows_early_return;
  if (uses_event_mode && !PT_HAS_EVENT_MODE) {
    pt_complain(&host, name, "%s: there is no event mode (see hasEventMode).", function);
    return NULL;
  }
  for (i = 0; i < n_required; ++i) {
    if (required[i] >= PT_N_VARIABLES) {
      pt_complain(&host, name, "%s: no value reference %u among the intermediate "
                  "variables.", function, required[i]);
      return NULL;
    }
    if (pt_variables[required[i]].kind == PT_INPUT) host.sets_inputs = 1;
  }
  return pt_make(&host, name, token, 0, logging, function);
}

PT_EXPORT(fmi3Instance, fmi3InstantiateScheduledExecution)
(fmi3String name, fmi3String token, fmi3String resources, fmi3Boolean visible,
 fmi3Boolean logging, fmi3InstanceEnvironment environment, fmi3LogMessageCallback log,
 fmi3ClockUpdateCallback clock_update, fmi3LockPreemptionCallback lock,
 fmi3UnlockPreemptionCallback unlock) {
  PtHost host = {NULL, NULL, NULL, 0, 0, 0};
  (void)token;
  (void)resources;
  (void)visible;
  (void)logging;
  (void)clock_update;
  (void)lock;
  (void)unlock;
  host.environment = environment;
  host.log = log;
  pt_complain(&host, name,
              "fmi3InstantiateScheduledExecution: this FMU has no model partitions.");
  return NULL;
}

PT_EXPORT(void, fmi3FreeInstance)(fmi3Instance c) { pt_free((PtInstance *)c); }

PT_EXPORT(fmi3Status, fmi3EnterInitializationMode)
(fmi3Instance c, fmi3Boolean has_tolerance, fmi3Float64 tolerance, fmi3Float64 start_time,
 fmi3Boolean has_stop_time, fmi3Float64 stop_time) {
  static const char *const function = "fmi3EnterInitializationMode";
  PtInstance *instance = (PtInstance *)c;
  (void)has_tolerance;
  (void)tolerance;
  if (!pt_is_allowed(instance, PT_INSTANTIATED, function) ||
      pt_set_span(instance, start_time, has_stop_time, stop_time, function) != PT_OK) {
    return fmi3Error;
  }
  return (fmi3Status)pt_begin(instance, function);
}

PT_EXPORT(fmi3Status, fmi3ExitInitializationMode)(fmi3Instance c) {
  PtInstance *instance = (PtInstance *)c;
  const int phase = instance && instance->host.uses_events ? PT_EVENT : PT_STEPPING;
  return (fmi3Status)pt_finish(instance, phase, "fmi3ExitInitializationMode");
}

PT_EXPORT(fmi3Status, fmi3Terminate)(fmi3Instance c) {
  return (fmi3Status)pt_terminate((PtInstance *)c, "fmi3Terminate");
}

PT_EXPORT(fmi3Status, fmi3Reset)(fmi3Instance c) {
  return (fmi3Status)pt_reset((PtInstance *)c, "fmi3Reset");
}

PT_EXPORT(fmi3Status, fmi3GetFloat64)
(fmi3Instance c, const fmi3ValueReference references[], size_t n, fmi3Float64 values[],
 size_t n_values) {
  return (fmi3Status)pt_get((PtInstance *)c, references, n, values, n_values,
                            "fmi3GetFloat64");
}

PT_EXPORT(fmi3Status, fmi3SetFloat64)
(fmi3Instance c, const fmi3ValueReference references[], size_t n,
 const fmi3Float64 values[], size_t n_values) {
  return (fmi3Status)pt_set((PtInstance *)c, references, n, values, n_values,
                            "fmi3SetFloat64");
}

PT_EXPORT(fmi3Status, fmi3GetFMUState)(fmi3Instance c, fmi3FMUState *saved) {
  return (fmi3Status)pt_save((PtInstance *)c, saved, "fmi3GetFMUState");
}

PT_EXPORT(fmi3Status, fmi3SetFMUState)(fmi3Instance c, fmi3FMUState saved) {
  return (fmi3Status)pt_restore((PtInstance *)c, saved, "fmi3SetFMUState");
}

PT_EXPORT(fmi3Status, fmi3FreeFMUState)(fmi3Instance c, fmi3FMUState *saved) {
  return (fmi3Status)pt_forget((PtInstance *)c, saved);
}

PT_EXPORT(fmi3Status, fmi3SerializedFMUStateSize)
(fmi3Instance c, fmi3FMUState saved, size_t *size) {
  return (fmi3Status)pt_serial_size((PtInstance *)c, saved, size,
                                    "fmi3SerializedFMUStateSize");
}

PT_EXPORT(fmi3Status, fmi3SerializeFMUState)
(fmi3Instance c, fmi3FMUState saved, fmi3Byte bytes[], size_t size) {
  return (fmi3Status)pt_serialize((PtInstance *)c, saved, bytes, size,
                                  "fmi3SerializeFMUState");
}

PT_EXPORT(fmi3Status, fmi3DeserializeFMUState)
(fmi3Instance c, const fmi3Byte bytes[], size_t size, fmi3FMUState *saved) {
  return (fmi3Status)pt_deserialize((PtInstance *)c, bytes, size, saved,
                                    "fmi3DeserializeFMUState");
}

PT_EXPORT(fmi3Status, fmi3GetDirectionalDerivative)
(fmi3Instance c, const fmi3ValueReference unknowns[], size_t n_unknowns,
 const fmi3ValueReference knowns[], size_t n_knowns, const fmi3Float64 seed[],
 size_t n_seed, fmi3Float64 sensitivity[], size_t n_sensitivity) {
  const PtList to = {unknowns, n_unknowns, n_sensitivity};
  const PtList from = {knowns, n_knowns, n_seed};
  return (fmi3Status)pt_differentiate((PtInstance *)c, to, from, seed, sensitivity, 0,
                                      "fmi3GetDirectionalDerivative");
}

PT_EXPORT(fmi3Status, fmi3GetAdjointDerivative)
(fmi3Instance c, const fmi3ValueReference unknowns[], size_t n_unknowns,
 const fmi3ValueReference knowns[], size_t n_knowns, const fmi3Float64 seed[],
 size_t n_seed, fmi3Float64 sensitivity[], size_t n_sensitivity) {
  const PtList from = {unknowns, n_unknowns, n_seed};
  const PtList to = {knowns, n_knowns, n_sensitivity};
  return (fmi3Status)pt_differentiate((PtInstance *)c, from, to, seed, sensitivity, 1,
                                      "fmi3GetAdjointDerivative");
}
