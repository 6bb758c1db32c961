/* A vendor's FMI 3.0 FMU in miniature: an array in degC, a Float32, a Boolean, time
 * events every second, early returns, and an end that it asks for itself at LAST s. Its
 * functions return an error when they are called in the wrong mode, and going back does
 * after a step that promised not to. */
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>

#ifndef LAST
#define LAST 5
#endif

enum { OK = 0, ERROR = 3 };
enum { START, INIT, EVENT, STEP };

typedef struct {
  double t, x[2];
  float gain;
  bool is_open, use_events, may_return, forgets;
  int mode, counter;
} Stairs;

void *fmi3InstantiateCoSimulation(
    const char *name, const char *token, const char *path, bool visible, bool log,
    bool events, bool early, const unsigned *intermediate, size_t n, void *environment,
    void (*message)(void *, int, const char *, const char *),
    void (*update)(void *, double, bool, bool, bool, bool, bool *, double *)) {
  Stairs *s = calloc(1, sizeof(Stairs));
  s->use_events = events;
  s->may_return = early;
  s->gain = 1;
  s->counter = 1;
  return s;
}
void fmi3FreeInstance(Stairs *s) { free(s); }
int fmi3EnterInitializationMode(Stairs *s, bool a, double b, double start, bool c, double d) {
  s->t = start;
  s->mode = INIT;
  return OK;
}
int fmi3ExitInitializationMode(Stairs *s) {
  s->mode = s->use_events ? EVENT : STEP;
  return OK;
}
int fmi3EnterEventMode(Stairs *s) {
  if (s->mode != STEP) return ERROR;
  s->mode = EVENT;
  return OK;
}
int fmi3EnterStepMode(Stairs *s) {
  if (s->mode != EVENT) return ERROR;
  s->mode = STEP;
  return OK;
}
static bool is_due(const Stairs *s) { return s->t >= s->counter - 1e-9 && s->t > 0; }
int fmi3UpdateDiscreteStates(Stairs *s, bool *again, bool *end, bool *n, bool *v,
                             bool *has_next, double *next) {
  if (s->mode != EVENT) return ERROR;
  if (is_due(s)) ++s->counter;
  *again = is_due(s);
  *end = s->counter > LAST;
  *n = *v = false;
  *has_next = true;
  *next = s->counter;
  return OK;
}
int fmi3Reset(Stairs *s) {
  s->mode = START;
  s->counter = 1;
  s->x[0] = s->x[1] = 0;
  return OK;
}
int fmi3Terminate(Stairs *s) { return OK; }
int fmi3GetFMUState(Stairs *s, Stairs **state) {
  if (!*state) *state = malloc(sizeof(Stairs));
  **state = *s;
  return OK;
}
int fmi3SetFMUState(Stairs *s, const Stairs *state) {
  if (s->forgets) return ERROR;
  *s = *state;
  return OK;
}
int fmi3FreeFMUState(Stairs *s, Stairs **state) {
  free(*state);
  *state = NULL;
  return OK;
}
int fmi3SetFloat64(Stairs *s, const unsigned *r, size_t n, const double *x, size_t m) {
  if (n != 1 || r[0] != 1 || m != 2) return ERROR;
  s->x[0] = x[0];
  s->x[1] = x[1];
  return OK;
}
int fmi3GetFloat64(Stairs *s, const unsigned *r, size_t n, double *x, size_t m) {
  if (n != 1 || r[0] != 2 || m != 2) return ERROR;
  x[0] = s->x[0];
  x[1] = s->x[1];
  return OK;
}
int fmi3SetFloat32(Stairs *s, const unsigned *r, size_t n, const float *x, size_t m) {
  s->gain = x[0];
  return OK;
}
int fmi3GetFloat32(Stairs *s, const unsigned *r, size_t n, float *x, size_t m) {
  x[0] = 2 * s->gain;
  return OK;
}
int fmi3SetBoolean(Stairs *s, const unsigned *r, size_t n, const bool *x, size_t m) {
  if (s->mode == STEP && s->use_events) return ERROR;
  s->is_open = x[0];
  return OK;
}
int fmi3GetBoolean(Stairs *s, const unsigned *r, size_t n, bool *x, size_t m) {
  x[0] = s->is_open;
  return OK;
}
int fmi3GetInt32(Stairs *s, const unsigned *r, size_t n, int *x, size_t m) {
  x[0] = s->counter;
  return OK;
}
int fmi3DoStep(Stairs *s, double t, double h, bool none, bool *event, bool *end,
               bool *early, double *reached) {
  double goal = t + h;
  s->forgets |= none;
  if (s->mode != STEP || t - s->t > 1e-12 || s->t - t > 1e-12) return ERROR;
  *event = *early = *end = false;
  if (s->use_events && goal >= s->counter - 1e-9) {
    *event = true;
    *early = s->may_return && goal > s->counter + 1e-9;
    if (s->may_return) goal = s->counter;
  }
  s->t = goal;
  if (!s->use_events) {
    while (is_due(s)) ++s->counter;
    *end = s->counter > LAST;
  }
  *reached = s->t;
  return OK;
}
