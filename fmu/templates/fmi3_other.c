
/* ---- FMI 3.0: what these FMUs have none of ----------------------------------- */
static fmi3Status pt_none(fmi3Instance c, const char *function, const char *what) {
  return (fmi3Status)pt_refuse((PtInstance *)c, PT_ERROR, "%s: there are no %s.",
                               function, what);
}

/* All variables are Float64: the calls for other types succeed only when empty. */
#define PT_OTHER_TYPE(function, type)                                                \
  PT_EXPORT(fmi3Status, function)                                                    \
  (fmi3Instance c, const fmi3ValueReference references[], size_t n, type values[],   \
   size_t n_values) {                                                                \
    (void)references;                                                                \
    (void)values;                                                                    \
    if (c && n == 0 && n_values == 0) return fmi3OK;                                 \
    return pt_none(c, #function, "variables of this type: all are Float64");         \
  }

#define PT_OTHER_TYPES(type)                       \
  PT_OTHER_TYPE(fmi3Get##type, fmi3##type)         \
  PT_OTHER_TYPE(fmi3Set##type, const fmi3##type)

PT_OTHER_TYPES(Float32)
PT_OTHER_TYPES(Int8)
PT_OTHER_TYPES(UInt8)
PT_OTHER_TYPES(Int16)
PT_OTHER_TYPES(UInt16)
PT_OTHER_TYPES(Int32)
PT_OTHER_TYPES(UInt32)
PT_OTHER_TYPES(Int64)
PT_OTHER_TYPES(UInt64)
PT_OTHER_TYPES(Boolean)
PT_OTHER_TYPES(String)

#define PT_BINARY(function, sizes_type, type)                                        \
  PT_EXPORT(fmi3Status, function)                                                    \
  (fmi3Instance c, const fmi3ValueReference references[], size_t n,                  \
   sizes_type sizes[], type values[], size_t n_values) {                             \
    (void)references;                                                                \
    (void)sizes;                                                                     \
    (void)values;                                                                    \
    if (c && n == 0 && n_values == 0) return fmi3OK;                                 \
    return pt_none(c, #function, "variables of this type: all are Float64");         \
  }

PT_BINARY(fmi3GetBinary, size_t, fmi3Binary)
PT_BINARY(fmi3SetBinary, const size_t, const fmi3Binary)

/* Functions of clocks: value references and one or more vectors beside them. */
#define PT_CLOCK_1(function, type)                                                   \
  PT_EXPORT(fmi3Status, function)                                                    \
  (fmi3Instance c, const fmi3ValueReference references[], size_t n, type a[]) {      \
    (void)references;                                                                \
    (void)a;                                                                         \
    return c && n == 0 ? fmi3OK : pt_none(c, #function, "clocks");                   \
  }
#define PT_CLOCK_2(function, type, other)                                            \
  PT_EXPORT(fmi3Status, function)                                                    \
  (fmi3Instance c, const fmi3ValueReference references[], size_t n, type a[],        \
   other b[]) {                                                                      \
    (void)references;                                                                \
    (void)a;                                                                         \
    (void)b;                                                                         \
    return c && n == 0 ? fmi3OK : pt_none(c, #function, "clocks");                   \
  }

PT_CLOCK_1(fmi3GetClock, fmi3Clock)
PT_CLOCK_1(fmi3SetClock, const fmi3Clock)
PT_CLOCK_2(fmi3GetIntervalDecimal, fmi3Float64, fmi3IntervalQualifier)
PT_CLOCK_1(fmi3GetShiftDecimal, fmi3Float64)
PT_CLOCK_2(fmi3GetShiftFraction, fmi3UInt64, fmi3UInt64)
PT_CLOCK_1(fmi3SetIntervalDecimal, const fmi3Float64)
PT_CLOCK_2(fmi3SetIntervalFraction, const fmi3UInt64, const fmi3UInt64)
PT_CLOCK_1(fmi3SetShiftDecimal, const fmi3Float64)
PT_CLOCK_2(fmi3SetShiftFraction, const fmi3UInt64, const fmi3UInt64)

PT_EXPORT(fmi3Status, fmi3GetIntervalFraction)
(fmi3Instance c, const fmi3ValueReference references[], size_t n, fmi3UInt64 counters[],
 fmi3UInt64 resolutions[], fmi3IntervalQualifier qualifiers[]) {
  (void)references;
  (void)counters;
  (void)resolutions;
  (void)qualifiers;
  return c && n == 0 ? fmi3OK : pt_none(c, "fmi3GetIntervalFraction", "clocks");
}

PT_EXPORT(fmi3Status, fmi3ActivateModelPartition)
(fmi3Instance c, fmi3ValueReference clock, fmi3Float64 time) {
  (void)clock;
  (void)time;
  return pt_none(c, "fmi3ActivateModelPartition", "model partitions");
}

PT_EXPORT(fmi3Status, fmi3EnterConfigurationMode)(fmi3Instance c) {
  return pt_none(c, "fmi3EnterConfigurationMode", "structural parameters");
}

PT_EXPORT(fmi3Status, fmi3ExitConfigurationMode)(fmi3Instance c) {
  return pt_none(c, "fmi3ExitConfigurationMode", "structural parameters");
}

PT_EXPORT(fmi3Status, fmi3GetNumberOfVariableDependencies)
(fmi3Instance c, fmi3ValueReference reference, size_t *n) {
  (void)reference;
  (void)n;
  return pt_none(c, "fmi3GetNumberOfVariableDependencies",
                 "dependencies other than in the model description");
}

PT_EXPORT(fmi3Status, fmi3GetVariableDependencies)
(fmi3Instance c, fmi3ValueReference dependent, size_t elements[],
 fmi3ValueReference independents[], size_t independent_elements[],
 fmi3DependencyKind kinds[], size_t n) {
  (void)dependent;
  (void)elements;
  (void)independents;
  (void)independent_elements;
  (void)kinds;
  (void)n;
  return pt_none(c, "fmi3GetVariableDependencies",
                 "dependencies other than in the model description");
}
