
/* ---- one instance --------------------------------------------------------- */
typedef enum {
  PT_INSTANTIATED = 1,
  PT_INITIALIZATION = 2,
  PT_STEPPING = 4,
  PT_TERMINATED = 8,
  PT_ANY = 15
} PtPhase;

#define PT_STATE_MAGIC UINT64_C(0x7061636b7477696e)
#define PT_STATE_VERSION 1u

/* All that an instance knows, flat: saving and restoring it is a copy. The magic
 * number also tells a foreign byte order. */
typedef struct {
  uint64_t magic;
  uint32_t version;
  uint32_t size;
  char token[40];
  double time;
  double stop_time;
  double values[PT_N_VALUES];
  double memory[PT_DIM_MEMORY];
  int32_t phase;
  int32_t is_dirty; /* inputs or parameters changed since the last initialize */
  int32_t has_stop_time;
  int32_t step_status;
} PtState;

typedef struct {
  PtState state;
  fmi2CallbackFunctions callbacks;
  void *space; /* scratch of the step, too large for the stack; holds no state */
  double inputs[PT_DIM_INPUT_ROWS]; /* values, then derivatives, which stay zero */
  char name[]; /* C99 flexible array member */
} PtInstance;

static void pt_log_raw(const fmi2CallbackFunctions *callbacks, const char *name,
                       fmi2Status status, const char *format, va_list arguments) {
  char text[640];
  char *c;
  if (!callbacks || !callbacks->logger) return;
  vsnprintf(text, sizeof(text), format, arguments);
  for (c = text; *c; ++c) {
    if (*c == '%' || *c == '#') *c = '?'; /* FMI expands these */
  }
  callbacks->logger(callbacks->componentEnvironment, name, status,
                    status == fmi2Discard ? "logStatusDiscard" : "logStatusError",
                    text);
}

/* Log why a call is refused and return `status`; a refused call changes nothing. */
static fmi2Status pt_refuse(const PtInstance *instance, fmi2Status status,
                            const char *format, ...) {
  va_list arguments;
  if (instance) {
    va_start(arguments, format);
    pt_log_raw(&instance->callbacks, instance->name, status, format, arguments);
    va_end(arguments);
  }
  return status;
}

static void pt_complain(const fmi2CallbackFunctions *callbacks, const char *name,
                        const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  pt_log_raw(callbacks, name ? name : "", fmi2Error, format, arguments);
  va_end(arguments);
}

static const char *pt_phase_name(int32_t phase) {
  switch (phase) {
    case PT_INSTANTIATED: return "instantiated";
    case PT_INITIALIZATION: return "in initialization mode";
    case PT_STEPPING: return "initialized";
    default: return "terminated";
  }
}

static int pt_is_finite(double value) { return value - value == 0.0; }

/* Whether `function` may be called now; says why not. */
static int pt_is_allowed(const PtInstance *instance, int phases,
                         const char *function) {
  if (!instance) return 0;
  if (instance->state.phase & phases) return 1;
  pt_refuse(instance, fmi2Error,
            "%s must not be called while the instance is %s.", function,
            pt_phase_name(instance->state.phase));
  return 0;
}

static void pt_set_starts(PtState *state) {
  int k;
  memset(state, 0, sizeof(*state));
  state->magic = PT_STATE_MAGIC;
  state->version = PT_STATE_VERSION;
  state->size = (uint32_t)sizeof(*state);
  memcpy(state->token, PT_TOKEN, sizeof(PT_TOKEN));
  for (k = 0; k < PT_N_VALUES; ++k) state->values[k] = pt_variables[k].start;
  state->phase = PT_INSTANTIATED;
}

static int pt_is_own_state(const PtState *state) {
  return state && state->magic == PT_STATE_MAGIC &&
         state->version == PT_STATE_VERSION && state->size == sizeof(*state) &&
         memcmp(state->token, PT_TOKEN, sizeof(PT_TOKEN)) == 0;
}

/* Compute memory and outputs at the start, if inputs or parameters changed. */
static int pt_refresh(PtInstance *instance, const char *function) {
  PtState *s = &instance->state;
  double *y = s->values + PT_N_INPUTS;
  if (!s->is_dirty) return 1;
  if (PT_INITIALIZE(s->values, y + PT_N_OUTPUTS, s->memory, y, instance->space)) {
    pt_refuse(instance, fmi2Error,
              "%s: there is no consistent start state, or it or an output is not "
              "finite, with the given inputs and parameters; check their values and "
              "units.",
              function);
    return 0;
  }
  s->is_dirty = 0;
  return 1;
}

/* Whether `value` may be given to variable `k` now; says why not. */
static int pt_may_set(const PtInstance *instance, unsigned int k, double value) {
  const PtVariable *v;
  if (k >= PT_N_VALUES) {
    pt_refuse(instance, fmi2Error, "fmi2SetReal: no value reference %u; the largest is %d.",
              k, PT_N_VALUES - 1);
    return 0;
  }
  v = &pt_variables[k];
  if (v->kind == PT_OUTPUT) {
    pt_refuse(instance, fmi2Error, "fmi2SetReal: `%s` is an output.", v->name);
    return 0;
  }
  if (v->kind == PT_FIXED && instance->state.phase == PT_STEPPING) {
    pt_refuse(instance, fmi2Error,
              "fmi2SetReal: parameter `%s` is fixed; set it before "
              "fmi2ExitInitializationMode.",
              v->name);
    return 0;
  }
  if (!pt_is_finite(value)) {
    pt_refuse(instance, fmi2Error,
              "fmi2SetReal: `%s` was given %g, expected a finite value in %s; it "
              "keeps %g.",
              v->name, value, v->unit, instance->state.values[k]);
    return 0;
  }
  if (v->kind != PT_INPUT && (value < v->minimum || value > v->maximum)) {
    pt_refuse(instance, fmi2Error,
              "fmi2SetReal: parameter `%s` was given %g %s, expected %g to %g; it "
              "keeps %g.",
              v->name, value, v->unit, v->minimum, v->maximum,
              instance->state.values[k]);
    return 0;
  }
  return 1;
}
