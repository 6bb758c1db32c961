/* A vendor's FMU in miniature: own units, integers, booleans, no saved states, and
 * steps that come only half way when `fail` is set. It exports just what it needs. */
#include <stdlib.h>
#include <string.h>

typedef struct {
  void (*logger)(void *, const char *, int, const char *, const char *, ...);
} Callbacks;

typedef struct {
  const Callbacks *callbacks;
  double temperature_degC, gain, time;
  int mode, fail;
} Vendor;

void *fmi2Instantiate(const char *name, int type, const char *guid, const char *resources,
                      const Callbacks *callbacks, int visible, int logging) {
  Vendor *v = calloc(1, sizeof(Vendor));
  v->callbacks = callbacks;
  v->gain = 2.0;
  return v;
}
void fmi2FreeInstance(Vendor *v) { free(v); }
int fmi2SetupExperiment(Vendor *v, int a, double b, double start, int d, double e) {
  v->time = start;
  return 0;
}
int fmi2EnterInitializationMode(Vendor *v) { return 0; }
int fmi2ExitInitializationMode(Vendor *v) { return 0; }
int fmi2Reset(Vendor *v) { return 0; }
int fmi2SetReal(Vendor *v, const unsigned *r, size_t n, const double *x) {
  size_t i;
  for (i = 0; i < n; ++i) {
    if (r[i] == 1) v->temperature_degC = x[i];
    if (r[i] == 2) v->gain = x[i];
  }
  return 0;
}
int fmi2SetInteger(Vendor *v, const unsigned *r, size_t n, const int *x) {
  v->mode = x[0];
  return 0;
}
int fmi2SetBoolean(Vendor *v, const unsigned *r, size_t n, const int *x) {
  v->fail = x[0];
  return 0;
}
int fmi2GetReal(Vendor *v, const unsigned *r, size_t n, double *x) {
  size_t i;
  for (i = 0; i < n; ++i) x[i] = r[i] == 10 ? v->temperature_degC : v->gain * 1e3;
  return 0;
}
int fmi2GetInteger(Vendor *v, const unsigned *r, size_t n, int *x) {
  x[0] = v->mode + 1;
  return 0;
}
int fmi2DoStep(Vendor *v, double t, double h, int final) {
  if (!v->fail) {
    v->time = t + h;
    return 0;
  }
  v->time = t + h / 2;
  v->callbacks->logger(0, "vendor", 2, "x", "the valve closed");
  return 2;
}
int fmi2GetRealStatus(Vendor *v, int kind, double *x) {
  *x = v->time;
  return 0;
}
