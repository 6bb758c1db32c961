
/* ---- one instance: state, log and guards, whatever the version of FMI ------ */
#define PT_DIM(n) ((n) > 0 ? (n) : 1)
#define PT_ROWS 4 /* of an input polynomial: value to third derivative */

typedef enum {
  PT_INSTANTIATED = 1,
  PT_INITIALIZATION = 2,
  PT_EVENT = 4,
  PT_CONTINUOUS = 8,
  PT_STEPPING = 16,
  PT_INTERMEDIATE = 32,
  PT_TERMINATED = 64,
  PT_ANY = 127
} PtPhase;

#define PT_RUNNING (PT_EVENT | PT_CONTINUOUS | PT_STEPPING)
#define PT_STATE_MAGIC UINT64_C(0x7061636b7477696e)
#define PT_STATE_VERSION 3u

/* All that an instance knows, flat: saving and restoring it is a copy. The magic
 * number also tells a foreign byte order. */
typedef struct {
  uint64_t magic;
  uint32_t version;
  uint32_t size;
  char token[40];
  double time;
  double stop_time;
  double values[PT_DIM(PT_N_VALUES)]; /* inputs, outputs, parameters */
  double slopes[PT_DIM((PT_ROWS - 1) * PT_N_INPUTS)]; /* derivatives of the inputs */
  double x[PT_DIM(PT_N_MEMORY)]; /* memory of the step map, or the continuous states */
#if PT_HAS_DERIVATIVES
  double last_x[PT_DIM(PT_N_MEMORY)]; /* what the last step started from */
  double last_inputs[PT_DIM(PT_ROWS * PT_N_INPUTS)];
  double last_parameters[PT_DIM(PT_N_PARAMETERS)];
  double last_time;
  double last_step; /* 0 before the first */
#endif
#if PT_HAS_EQUATIONS
  double guess[PT_DIM(PT_N_ALGEBRAIC)]; /* where the search of a solution starts */
  double z[PT_DIM(PT_N_ALGEBRAIC)];     /* the last solution */
  double derivatives[PT_DIM(PT_N_STATES)];
  double indicators[PT_DIM(PT_N_INDICATORS)];
#endif
  int32_t phase;
  int32_t is_exchange;
  int32_t is_dirty; /* inputs or parameters changed since the last initialize */
  int32_t is_stale; /* the equations have to be evaluated again */
  int32_t is_touched; /* inputs or parameters were set after the last outputs */
  int32_t has_stop_time;
  int32_t step_status;
  int32_t n_rows;      /* of the input polynomials, 1 if they are constant */
  int32_t last_n_rows; /* the same in the last step */
  int32_t unused;
} PtState;

/* A direction, or a gradient, in all that a derivative may have on either side. */
typedef struct {
  double inputs[PT_DIM(PT_ROWS * PT_N_INPUTS)]; /* the rows beyond the first stay zero */
  double parameters[PT_DIM(PT_N_PARAMETERS)];
  double x[PT_DIM(PT_N_MEMORY)];
  double ends[PT_DIM(PT_N_OUTPUTS)];  /* outputs at the present time */
  double means[PT_DIM(PT_N_OUTPUTS)]; /* outputs over the last step */
  double derivatives[PT_DIM(PT_N_STATES)];
  double indicators[PT_DIM(PT_N_INDICATORS)];
} PtDirection;

typedef struct {
  PtState state;
  PtHost host;
  int32_t log_mask;
  void *space; /* scratch of the equations, too large for the stack; holds no state */
  double rows[PT_DIM(PT_ROWS * PT_N_INPUTS)];
  double before[PT_DIM(PT_N_MEMORY)];
  double result[PT_DIM(PT_N_OUTPUTS)];
#if PT_HAS_EQUATIONS
  double z[PT_DIM(PT_N_ALGEBRAIC)];
#endif
  PtDirection seed, sensitivity;
#if PT_HAS_TANGENTS
  double tangent[2][PT_DIM(PT_N_MEMORY)];
  double point[PT_DIM(PT_N_OUTPUTS)];
#endif
  char name[]; /* C99 flexible array member */
} PtInstance;

static const char *const pt_categories[] = {"logStatusError", "logStatusDiscard",
                                            "logStepping"};
#define PT_N_CATEGORIES 3

/* Send one sentence to the host, if its category is on. */
static void pt_write(const PtHost *host, const char *name, int32_t mask, int status,
                     const char *format, va_list arguments) {
  char text[640];
  char *c;
  const int category = status == PT_DISCARD ? 1 : (status == PT_OK ? 2 : 0);
  if (!(mask & (1 << category))) return;
  vsnprintf(text, sizeof(text), format, arguments);
  for (c = text; *c; ++c) {
    if (*c == '%' || *c == '#') *c = '?'; /* FMI 2 expands these */
  }
  pt_emit(host, name, status, pt_categories[category], text);
}

/* Log why a call is refused and return `status`; a refused call changes nothing. */
static int pt_refuse(const PtInstance *instance, int status, const char *format, ...) {
  va_list arguments;
  if (instance) {
    va_start(arguments, format);
    pt_write(&instance->host, instance->name, instance->log_mask, status, format,
             arguments);
    va_end(arguments);
  }
  return status;
}

static void pt_complain(const PtHost *host, const char *name, const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  pt_write(host, name ? name : "", 1, PT_ERROR, format, arguments);
  va_end(arguments);
}

static const char *pt_phase_name(int32_t phase) {
  switch (phase) {
    case PT_INSTANTIATED: return "instantiated";
    case PT_INITIALIZATION: return "in initialization mode";
    case PT_EVENT: return "in event mode";
    case PT_CONTINUOUS: return "in continuous-time mode";
    case PT_STEPPING: return "initialized";
    case PT_INTERMEDIATE: return "in an intermediate update";
    default: return "terminated";
  }
}

static int pt_is_finite(double value) { return value - value == 0.0; }

static int pt_all_finite(const double *values, int n) {
  int i;
  for (i = 0; i < n; ++i) {
    if (!pt_is_finite(values[i])) return 0;
  }
  return 1;
}

/* Whether `function` may be called now; says why not. */
static int pt_is_allowed(const PtInstance *instance, int phases,
                         const char *function) {
  if (!instance) return 0;
  if (instance->state.phase & phases) return 1;
  pt_refuse(instance, PT_ERROR, "%s must not be called while the instance is %s.",
            function, pt_phase_name(instance->state.phase));
  return 0;
}

/* Whether the instance is of the kind that `function` is for. */
static int pt_is_kind(const PtInstance *instance, int is_exchange,
                      const char *function) {
  if (instance && instance->state.is_exchange == is_exchange) return 1;
  pt_refuse(instance, PT_ERROR, "%s: this instance is for %s.", function,
            is_exchange ? "co-simulation" : "model exchange");
  return 0;
}

static void pt_set_starts(PtState *state, int is_exchange) {
  memset(state, 0, sizeof(*state));
  state->magic = PT_STATE_MAGIC;
  state->version = PT_STATE_VERSION;
  state->size = (uint32_t)sizeof(*state);
  memcpy(state->token, PT_TOKEN, sizeof(PT_TOKEN));
  memcpy(state->values, pt_starts, sizeof(state->values));
  state->phase = PT_INSTANTIATED;
  state->is_exchange = is_exchange;
  state->n_rows = 1;
}

static PtInstance *pt_make(const PtHost *host, const char *name, const char *token,
                           int is_exchange, int is_verbose, const char *function) {
  PtInstance *instance;
  size_t length;
  if (!name || !*name) {
    pt_complain(host, name, "%s: the instance needs a name.", function);
    return NULL;
  }
  if (is_exchange ? !PT_HAS_EXCHANGE : !PT_HAS_STEPS) {
    pt_complain(host, name, "%s: this FMU is for %s only.", function,
                is_exchange ? "co-simulation" : "model exchange");
    return NULL;
  }
  if (!token || strcmp(token, PT_TOKEN) != 0) {
    pt_complain(host, name,
                "%s: guid %.80s was given, expected %s; the model description and the "
                "binary are not of the same export.",
                function, token ? token : "NULL", PT_TOKEN);
    return NULL;
  }
  length = strlen(name) + 1;
  instance = (PtInstance *)calloc(1, sizeof(PtInstance) + length);
  if (instance) instance->space = malloc(PT_SPACE_SIZE());
  if (!instance || !instance->space) {
    free(instance);
    pt_complain(host, name, "%s: out of memory.", function);
    return NULL;
  }
  memcpy(instance->name, name, length);
  instance->host = *host;
  instance->log_mask = is_verbose ? 7 : 3; /* refused calls are logged by default */
  pt_set_starts(&instance->state, is_exchange);
  return instance;
}

static void pt_free(PtInstance *instance) {
  if (instance) free(instance->space);
  free(instance);
}

/* Switch categories on or off, all of them if none is named. */
static int pt_set_logging(PtInstance *instance, int is_on, size_t n,
                          const char *const categories[], const char *function) {
  int32_t mask = n ? 0 : (1 << PT_N_CATEGORIES) - 1;
  size_t i;
  int k;
  if (!pt_is_allowed(instance, PT_ANY, function)) return PT_ERROR;
  for (i = 0; i < n; ++i) {
    for (k = 0; k < PT_N_CATEGORIES; ++k) {
      if (categories[i] && strcmp(categories[i], pt_categories[k]) == 0) break;
    }
    if (k == PT_N_CATEGORIES) {
      return pt_refuse(instance, PT_ERROR, "%s: no log category %.80s.", function,
                       categories[i] ? categories[i] : "NULL");
    }
    mask |= 1 << k;
  }
  instance->log_mask = is_on ? instance->log_mask | mask : instance->log_mask & ~mask;
  return PT_OK;
}

static int pt_set_span(PtInstance *instance, double start, int has_stop, double stop,
                       const char *function) {
  if (!pt_is_finite(start) || (has_stop && !(pt_is_finite(stop) && stop >= start))) {
    return pt_refuse(instance, PT_ERROR,
                     "%s: start time %g s and stop time %g s, expected finite and in "
                     "this order.",
                     function, start, stop);
  }
  instance->state.time = start;
  instance->state.has_stop_time = has_stop;
  instance->state.stop_time = has_stop ? stop : 0.0;
  return PT_OK;
}

/* Compute states and outputs at the start, if inputs or parameters changed. */
static int pt_refresh(PtInstance *instance, const char *function) {
  PtState *s = &instance->state;
  double *y = s->values + PT_N_INPUTS;
  const double *p = y + PT_N_OUTPUTS;
  int is_refused = 1;
  if (!s->is_dirty) return 1;
#if PT_HAS_EQUATIONS
  if (s->is_exchange) {
    is_refused = PT_START(s->values, p, s->x, s->guess, instance->space) ||
                 PT_EVALUATE(&s->time, s->x, s->guess, s->values, p, s->derivatives, y,
                             s->indicators, s->z, instance->space) ||
                 !pt_all_finite(s->x, PT_N_STATES) ||
                 !pt_all_finite(s->derivatives, PT_N_STATES) ||
                 !pt_all_finite(y, PT_N_OUTPUTS);
    s->is_stale = is_refused;
    memcpy(s->guess, s->z, sizeof(s->z));
  }
#endif
#if PT_HAS_STEPS || PT_HAS_SAMPLES
  if (!(s->is_exchange && PT_HAS_EQUATIONS)) {
    is_refused = PT_INITIALIZE(s->values, p, s->x, y, instance->space);
    s->is_stale = 1;
#if PT_HAS_DERIVATIVES
    memcpy(s->last_inputs, s->values, sizeof(double) * PT_N_INPUTS);
    memcpy(s->last_parameters, p, sizeof(double) * PT_N_PARAMETERS);
    s->last_time = s->time;
    s->last_step = 0.0;
#endif
  }
#endif
  if (is_refused) {
    pt_refuse(instance, PT_ERROR,
              "%s: there is no consistent start state, or it or an output is not "
              "finite, with the given inputs and parameters; check their values and "
              "units.",
              function);
    return 0;
  }
  s->is_dirty = s->is_touched = 0;
  return 1;
}
