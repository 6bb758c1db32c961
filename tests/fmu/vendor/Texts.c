/* A vendor's FMU with start values of other types: its outputs say what it was given.
 * `length` counts the letters of the text, `choice` is the item of the enumeration,
 * `warm` is the input in degC. */
#include <stdlib.h>
#include <string.h>

typedef struct {
  double input, output;
  int choice, length;
} Texts;

void *fmi2Instantiate(const char *name, int type, const char *guid, const char *resources,
                      const void *callbacks, int visible, int logging) {
  Texts *t = calloc(1, sizeof(Texts));
  t->choice = 1;
  t->length = 4;
  t->output = 25.0;
  return t;
}
void fmi2FreeInstance(Texts *t) { free(t); }
int fmi2SetupExperiment(Texts *t, int a, double b, double start, int d, double e) { return 0; }
int fmi2EnterInitializationMode(Texts *t) { return 0; }
int fmi2ExitInitializationMode(Texts *t) { return 0; }
int fmi2Reset(Texts *t) { return 0; }
int fmi2SetReal(Texts *t, const unsigned *r, size_t n, const double *x) {
  size_t i;
  for (i = 0; i < n; ++i) {
    if (r[i] == 1) t->input = x[i];
    if (r[i] == 10) t->output = x[i];
  }
  return 0;
}
int fmi2SetInteger(Texts *t, const unsigned *r, size_t n, const int *x) {
  t->choice = x[0];
  return 0;
}
int fmi2SetString(Texts *t, const unsigned *r, size_t n, const char *const *x) {
  t->length = (int)strlen(x[0]);
  return 0;
}
int fmi2GetReal(Texts *t, const unsigned *r, size_t n, double *x) {
  size_t i;
  for (i = 0; i < n; ++i) x[i] = r[i] == 10 ? t->output : t->input;
  return 0;
}
int fmi2GetInteger(Texts *t, const unsigned *r, size_t n, int *x) {
  size_t i;
  for (i = 0; i < n; ++i) x[i] = r[i] == 12 ? t->length : t->choice;
  return 0;
}
int fmi2DoStep(Texts *t, double time, double h, int final) { return 0; }
