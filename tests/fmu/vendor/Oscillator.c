/* An undamped oscillator for model exchange, by hand, with everything that FMI 2.0 asks
 * of such an FMU. Value references: 0 force, 1 position, 2 speed, 3 der(position),
 * 4 der(speed), 5 energy, 6 stiffness. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define N_VALUES 7
enum { FORCE, POSITION, SPEED, RATE, ACCELERATION, ENERGY, STIFFNESS };
enum { INSTANTIATED = 1, INITIALIZING = 2, EVENT = 4, CONTINUOUS = 8, ENDED = 16 };

typedef struct {
  void (*logger)(void *, const char *, int, const char *, const char *, ...);
  void *(*allocate)(size_t, size_t);
  void (*release)(void *);
  void *step_finished;
  void *environment;
} Callbacks;

typedef struct {
  double v[N_VALUES];
  double time;
  int phase;
} State;

typedef struct {
  State s;
  const Callbacks *callbacks;
} Oscillator;

typedef struct {
  int again, end, nominals, values, has_time;
  double time;
} EventInfo;

static int allowed(Oscillator *o, int phases, const char *what) {
  if (!o) return 0;
  if (o->s.phase & phases) return 1;
  o->callbacks->logger(o->callbacks->environment, "o", 3, "logAll", "%s is forbidden", what);
  return 0;
}

static void update(Oscillator *o) {
  double *v = o->s.v;
  v[RATE] = v[SPEED];
  v[ACCELERATION] = v[FORCE] - v[STIFFNESS] * v[POSITION];
  v[ENERGY] = 0.5 * v[SPEED] * v[SPEED] + 0.5 * v[STIFFNESS] * v[POSITION] * v[POSITION];
}

static void start(Oscillator *o) {
  memset(&o->s, 0, sizeof(o->s));
  o->s.v[POSITION] = 1.0;
  o->s.v[STIFFNESS] = 4.0;
  o->s.phase = INSTANTIATED;
}

const char *fmi2GetTypesPlatform(void) { return "default"; }
const char *fmi2GetVersion(void) { return "2.0"; }

void *fmi2Instantiate(const char *name, int type, const char *guid, const char *resources,
                      const Callbacks *callbacks, int visible, int logging) {
  Oscillator *o;
  if (!name || type != 0 || strcmp(guid, "oscillator-1")) return NULL;
  o = calloc(1, sizeof(Oscillator));
  o->callbacks = callbacks;
  start(o);
  return o;
}
void fmi2FreeInstance(Oscillator *o) { free(o); }
int fmi2SetDebugLogging(Oscillator *o, int on, size_t n, const char *const c[]) { return 0; }
int fmi2SetupExperiment(Oscillator *o, int a, double b, double t, int c, double d) {
  if (!allowed(o, INSTANTIATED, "SetupExperiment")) return 3;
  o->s.time = t;
  return 0;
}
int fmi2EnterInitializationMode(Oscillator *o) {
  if (!allowed(o, INSTANTIATED, "EnterInitializationMode")) return 3;
  o->s.phase = INITIALIZING;
  return 0;
}
int fmi2ExitInitializationMode(Oscillator *o) {
  if (!allowed(o, INITIALIZING, "ExitInitializationMode")) return 3;
  o->s.phase = EVENT;
  return 0;
}
int fmi2Terminate(Oscillator *o) {
  if (!allowed(o, EVENT | CONTINUOUS, "Terminate")) return 3;
  o->s.phase = ENDED;
  return 0;
}
int fmi2Reset(Oscillator *o) {
  if (!o) return 3;
  start(o);
  return 0;
}

int fmi2GetReal(Oscillator *o, const unsigned *r, size_t n, double *x) {
  size_t i;
  update(o);
  for (i = 0; i < n; ++i) {
    if (r[i] >= N_VALUES) return 3;
    x[i] = o->s.v[r[i]];
  }
  return 0;
}
int fmi2SetReal(Oscillator *o, const unsigned *r, size_t n, const double *x) {
  size_t i;
  for (i = 0; i < n; ++i) {
    int before = o->s.phase & (INSTANTIATED | INITIALIZING);
    if (r[i] >= N_VALUES || (r[i] >= RATE && r[i] != STIFFNESS)) return 3;
    if (r[i] != FORCE && !before) return 3;
    o->s.v[r[i]] = x[i];
  }
  return 0;
}
#define OTHER(name, type) \
  int name(Oscillator *o, const unsigned *r, size_t n, type *x) { return n ? 3 : 0; }
OTHER(fmi2GetInteger, int)
OTHER(fmi2GetBoolean, int)
OTHER(fmi2GetString, const char *)
OTHER(fmi2SetInteger, const int)
OTHER(fmi2SetBoolean, const int)
OTHER(fmi2SetString, const char *const)

int fmi2GetFMUstate(Oscillator *o, void **s) {
  if (!*s) *s = malloc(sizeof(State));
  memcpy(*s, &o->s, sizeof(State));
  return 0;
}
int fmi2SetFMUstate(Oscillator *o, void *s) {
  memcpy(&o->s, s, sizeof(State));
  return 0;
}
int fmi2FreeFMUstate(Oscillator *o, void **s) {
  free(*s);
  *s = NULL;
  return 0;
}
int fmi2SerializedFMUstateSize(Oscillator *o, void *s, size_t *n) { return 3; }
int fmi2SerializeFMUstate(Oscillator *o, void *s, char *b, size_t n) { return 3; }
int fmi2DeSerializeFMUstate(Oscillator *o, const char *b, size_t n, void **s) { return 3; }

/* d(unknown i) / d(known k), at the present values */
static double slope(const double *v, unsigned i, unsigned k) {
  if (i == k) return 1.0;
  if (i == RATE && k == SPEED) return 1.0;
  if (i == ACCELERATION && k == FORCE) return 1.0;
  if (i == ACCELERATION && k == POSITION) return -v[STIFFNESS];
  if (i == ENERGY && k == SPEED) return v[SPEED];
  if (i == ENERGY && k == POSITION) return v[STIFFNESS] * v[POSITION];
  return 0.0;
}
int fmi2GetDirectionalDerivative(Oscillator *o, const unsigned *u, size_t m,
                                 const unsigned *r, size_t n, const double *d, double *x) {
  size_t i, k;
  for (i = 0; i < m; ++i) {
    x[i] = 0.0;
    for (k = 0; k < n; ++k) x[i] += slope(o->s.v, u[i], r[k]) * d[k];
  }
  return 0;
}

int fmi2EnterEventMode(Oscillator *o) {
  if (!allowed(o, CONTINUOUS, "EnterEventMode")) return 3;
  o->s.phase = EVENT;
  return 0;
}
int fmi2NewDiscreteStates(Oscillator *o, EventInfo *e) {
  if (!allowed(o, EVENT, "NewDiscreteStates")) return 3;
  memset(e, 0, sizeof(*e));
  return 0;
}
int fmi2EnterContinuousTimeMode(Oscillator *o) {
  if (!allowed(o, EVENT, "EnterContinuousTimeMode")) return 3;
  o->s.phase = CONTINUOUS;
  return 0;
}
int fmi2CompletedIntegratorStep(Oscillator *o, int no_set, int *event, int *end) {
  if (!allowed(o, CONTINUOUS, "CompletedIntegratorStep")) return 3;
  *event = *end = 0;
  return 0;
}
int fmi2SetTime(Oscillator *o, double t) {
  if (!allowed(o, CONTINUOUS | EVENT, "SetTime")) return 3;
  o->s.time = t;
  return 0;
}
int fmi2SetContinuousStates(Oscillator *o, const double *x, size_t n) {
  if (!allowed(o, CONTINUOUS, "SetContinuousStates") || n != 2) return 3;
  memcpy(o->s.v + POSITION, x, sizeof(double[2]));
  return 0;
}
int fmi2GetDerivatives(Oscillator *o, double *x, size_t n) {
  if (!allowed(o, CONTINUOUS | EVENT, "GetDerivatives") || n != 2) return 3;
  update(o);
  memcpy(x, o->s.v + RATE, sizeof(double[2]));
  return 0;
}
int fmi2GetEventIndicators(Oscillator *o, double *x, size_t n) { return n ? 3 : 0; }
int fmi2GetContinuousStates(Oscillator *o, double *x, size_t n) {
  if (!o || n != 2) return 3;
  memcpy(x, o->s.v + POSITION, sizeof(double[2]));
  return 0;
}
int fmi2GetNominalsOfContinuousStates(Oscillator *o, double *x, size_t n) {
  x[0] = x[1] = 1.0;
  return 0;
}
