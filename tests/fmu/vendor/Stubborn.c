/* An FMI 2.0 FMU that misbehaves as its parameter says, and passes an enumeration on. */
#include <stdio.h>
#include <stdlib.h>

typedef struct {
  void (*logger)(void *, const char *, int, const char *, const char *, ...);
} Callbacks;

enum { OK, WARNING, DISCARD, ERROR };
enum { GOOD, NEVER_STEPS, FAILS_TO_ENTER, FAILS_TO_EXIT, TALKS, ONLY_WARNS };

typedef struct {
  const Callbacks *callbacks;
  double temperature_K, start_time, level;
  int fault, gear, calls;
} Stubborn;

static int say(Stubborn *s, int status, const char *what) {
  char text[80];
  snprintf(text, sizeof(text), "%s, call %d", what, s->calls);
  s->callbacks->logger(0, "stubborn", status, "x", text);
  return status;
}
void *fmi2Instantiate(const char *name, int type, const char *guid, const char *resources,
                      const Callbacks *callbacks, int visible, int logging) {
  Stubborn *s = calloc(1, sizeof(Stubborn));
  s->callbacks = callbacks;
  s->gear = 1;
  return s;
}
void fmi2FreeInstance(Stubborn *s) { free(s); }
int fmi2SetupExperiment(Stubborn *s, int a, double b, double start, int d, double e) {
  s->start_time = start;
  return OK;
}
int fmi2EnterInitializationMode(Stubborn *s) {
  return s->fault == FAILS_TO_ENTER ? say(s, ERROR, "no key") : OK;
}
int fmi2ExitInitializationMode(Stubborn *s) {
  return s->fault == FAILS_TO_EXIT ? say(s, ERROR, "no fuel") : OK;
}
int fmi2Reset(Stubborn *s) { return OK; }
int fmi2SetReal(Stubborn *s, const unsigned *r, size_t n, const double *x) {
  size_t i;
  for (i = 0; i < n; ++i) *(r[i] == 1 ? &s->temperature_K : &s->level) = x[i];
  return OK;
}
int fmi2SetInteger(Stubborn *s, const unsigned *r, size_t n, const int *x) {
  size_t i;
  for (i = 0; i < n; ++i) *(r[i] == 3 ? &s->fault : &s->gear) = x[i];
  return OK;
}
int fmi2GetReal(Stubborn *s, const unsigned *r, size_t n, double *x) {
  size_t i;
  for (i = 0; i < n; ++i) {
    x[i] = r[i] == 10 ? s->temperature_K : r[i] == 11 ? 25.0 : s->start_time;
    if (r[i] == 14) x[i] = s->level;
  }
  return OK;
}
int fmi2GetInteger(Stubborn *s, const unsigned *r, size_t n, int *x) {
  x[0] = s->gear;
  return OK;
}
int fmi2DoStep(Stubborn *s, double t, double h, int final) {
  int i;
  ++s->calls;
  if (s->fault == NEVER_STEPS) return say(s, DISCARD, "stuck");
  if (s->fault == ONLY_WARNS) return say(s, WARNING, "squeaks");
  for (i = 0; s->fault == TALKS && i < 20000; ++i) say(s, OK, "chatter");
  return OK;
}
