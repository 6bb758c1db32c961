
/* ---- FMI 2.0: functions of both kinds --------------------------------------- */
PT_EXPORT(const char *, fmi2GetTypesPlatform)(void) { return "default"; }

PT_EXPORT(const char *, fmi2GetVersion)(void) { return "2.0"; }

PT_EXPORT(fmi2Component, fmi2Instantiate)
(fmi2String name, fmi2Type type, fmi2String token, fmi2String resources,
 const fmi2CallbackFunctions *callbacks, fmi2Boolean visible, fmi2Boolean logging) {
  PtHost host;
  (void)resources;
  (void)visible;
  if (!callbacks) return NULL;
  host.callbacks = *callbacks;
  return pt_make(&host, name, token, type == fmi2ModelExchange, logging != 0,
                 "fmi2Instantiate");
}

PT_EXPORT(void, fmi2FreeInstance)(fmi2Component c) { pt_free((PtInstance *)c); }

PT_EXPORT(fmi2Status, fmi2SetDebugLogging)
(fmi2Component c, fmi2Boolean on, size_t n, const fmi2String categories[]) {
  return (fmi2Status)pt_set_logging((PtInstance *)c, on != 0, n, categories,
                                    "fmi2SetDebugLogging");
}

PT_EXPORT(fmi2Status, fmi2SetupExperiment)
(fmi2Component c, fmi2Boolean has_tolerance, fmi2Real tolerance, fmi2Real start_time,
 fmi2Boolean has_stop_time, fmi2Real stop_time) {
  PtInstance *instance = (PtInstance *)c;
  (void)has_tolerance;
  (void)tolerance;
  if (!pt_is_allowed(instance, PT_INSTANTIATED, "fmi2SetupExperiment")) return fmi2Error;
  return (fmi2Status)pt_set_span(instance, start_time, has_stop_time != 0, stop_time,
                                 "fmi2SetupExperiment");
}

PT_EXPORT(fmi2Status, fmi2EnterInitializationMode)(fmi2Component c) {
  return (fmi2Status)pt_begin((PtInstance *)c, "fmi2EnterInitializationMode");
}

PT_EXPORT(fmi2Status, fmi2ExitInitializationMode)(fmi2Component c) {
  return (fmi2Status)pt_finish((PtInstance *)c, PT_STEPPING,
                               "fmi2ExitInitializationMode");
}

PT_EXPORT(fmi2Status, fmi2Terminate)(fmi2Component c) {
  return (fmi2Status)pt_terminate((PtInstance *)c, "fmi2Terminate");
}

PT_EXPORT(fmi2Status, fmi2Reset)(fmi2Component c) {
  return (fmi2Status)pt_reset((PtInstance *)c, "fmi2Reset");
}

PT_EXPORT(fmi2Status, fmi2GetReal)
(fmi2Component c, const fmi2ValueReference references[], size_t n, fmi2Real values[]) {
  return (fmi2Status)pt_get((PtInstance *)c, references, n, values, n, "fmi2GetReal");
}

PT_EXPORT(fmi2Status, fmi2SetReal)
(fmi2Component c, const fmi2ValueReference references[], size_t n,
 const fmi2Real values[]) {
  return (fmi2Status)pt_set((PtInstance *)c, references, n, values, n, "fmi2SetReal");
}

/* All variables are Real, so the calls for other types succeed only when empty. */
#define PT_OTHER_TYPE(function, type)                                                \
  PT_EXPORT(fmi2Status, function)                                                    \
  (fmi2Component c, const fmi2ValueReference references[], size_t n, type) {         \
    (void)references;                                                                \
    (void)values;                                                                    \
    if (c && n == 0) return fmi2OK;                                                  \
    return (fmi2Status)pt_refuse((PtInstance *)c, PT_ERROR,                          \
                                 "%s: all variables are Real.", #function);          \
  }

PT_OTHER_TYPE(fmi2GetInteger, fmi2Integer values[])
PT_OTHER_TYPE(fmi2GetBoolean, fmi2Boolean values[])
PT_OTHER_TYPE(fmi2GetString, fmi2String values[])
PT_OTHER_TYPE(fmi2SetInteger, const fmi2Integer values[])
PT_OTHER_TYPE(fmi2SetBoolean, const fmi2Boolean values[])
PT_OTHER_TYPE(fmi2SetString, const fmi2String values[])

PT_EXPORT(fmi2Status, fmi2GetFMUstate)(fmi2Component c, fmi2FMUstate *saved) {
  return (fmi2Status)pt_save((PtInstance *)c, saved, "fmi2GetFMUstate");
}

PT_EXPORT(fmi2Status, fmi2SetFMUstate)(fmi2Component c, fmi2FMUstate saved) {
  return (fmi2Status)pt_restore((PtInstance *)c, saved, "fmi2SetFMUstate");
}

PT_EXPORT(fmi2Status, fmi2FreeFMUstate)(fmi2Component c, fmi2FMUstate *saved) {
  return (fmi2Status)pt_forget((PtInstance *)c, saved);
}

PT_EXPORT(fmi2Status, fmi2SerializedFMUstateSize)
(fmi2Component c, fmi2FMUstate saved, size_t *size) {
  return (fmi2Status)pt_serial_size((PtInstance *)c, saved, size,
                                    "fmi2SerializedFMUstateSize");
}

PT_EXPORT(fmi2Status, fmi2SerializeFMUstate)
(fmi2Component c, fmi2FMUstate saved, fmi2Byte bytes[], size_t size) {
  return (fmi2Status)pt_serialize((PtInstance *)c, saved, bytes, size,
                                  "fmi2SerializeFMUstate");
}

PT_EXPORT(fmi2Status, fmi2DeSerializeFMUstate)
(fmi2Component c, const fmi2Byte bytes[], size_t size, fmi2FMUstate *saved) {
  return (fmi2Status)pt_deserialize((PtInstance *)c, bytes, size, saved,
                                    "fmi2DeSerializeFMUstate");
}

PT_EXPORT(fmi2Status, fmi2GetDirectionalDerivative)
(fmi2Component c, const fmi2ValueReference unknowns[], size_t n_unknown,
 const fmi2ValueReference knowns[], size_t n_known, const fmi2Real known_values[],
 fmi2Real unknown_values[]) {
  const PtList to = {unknowns, n_unknown, n_unknown}, from = {knowns, n_known, n_known};
  return (fmi2Status)pt_differentiate((PtInstance *)c, to, from, known_values,
                                      unknown_values, 0, "fmi2GetDirectionalDerivative");
}
