/* A vendor's FMU of FMI 3.0 whose size is chosen in configuration mode: `total` is the
 * sum of the gains times the inputs, `echo` the inputs, `bytes` the length of the blob
 * and `letters` that of both texts. */
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

typedef struct {
  uint64_t n;
  double gain[8], input[8];
  size_t bytes, letters;
  bool isConfiguring;
} Sizes;

void *fmi3InstantiateCoSimulation(const char *name, const char *token, const char *resources,
                                  bool visible, bool logging, bool events, bool early,
                                  const unsigned *update, size_t n, void *environment,
                                  void *log, void *intermediate) {
  Sizes *s = calloc(1, sizeof(Sizes));
  s->n = 2;
  s->gain[0] = s->gain[1] = 1.0;
  return s;
}
void fmi3FreeInstance(Sizes *s) { free(s); }
int fmi3EnterConfigurationMode(Sizes *s) {
  s->isConfiguring = true;
  return 0;
}
int fmi3ExitConfigurationMode(Sizes *s) {
  s->isConfiguring = false;
  return 0;
}
int fmi3EnterInitializationMode(Sizes *s, bool a, double b, double c, bool d, double e) { return 0; }
int fmi3ExitInitializationMode(Sizes *s) { return 0; }
int fmi3Reset(Sizes *s) { return 0; }
int fmi3SetUInt64(Sizes *s, const unsigned *r, size_t k, const uint64_t *x, size_t m) {
  if (!s->isConfiguring) return 3;
  s->n = x[0];
  return 0;
}
int fmi3SetFloat64(Sizes *s, const unsigned *r, size_t k, const double *x, size_t m) {
  size_t i, j;
  if (m != k * s->n) return 3;
  for (i = 0; i < k; ++i)
    for (j = 0; j < s->n; ++j) (r[i] == 2 ? s->gain : s->input)[j] = x[i * s->n + j];
  return 0;
}
int fmi3SetBinary(Sizes *s, const unsigned *r, size_t k, const size_t *size,
                  const uint8_t *const *x, size_t m) {
  s->bytes = size[0];
  return 0;
}
int fmi3SetString(Sizes *s, const unsigned *r, size_t k, const char *const *x, size_t m) {
  s->letters = strlen(x[0]) + strlen(x[1]);
  return 0;
}
int fmi3GetFloat64(Sizes *s, const unsigned *r, size_t k, double *x, size_t m) {
  size_t i, j, at = 0;
  for (i = 0; i < k; ++i) {
    double total = 0.0;
    for (j = 0; j < s->n; ++j) total += s->gain[j] * s->input[j];
    if (r[i] == 11)
      for (j = 0; j < s->n; ++j) x[at++] = s->input[j];
    else
      x[at++] = r[i] == 12 ? (double)s->bytes : r[i] == 13 ? (double)s->letters : total;
  }
  return at == m ? 0 : 3;
}
int fmi3DoStep(Sizes *s, double t, double h, bool a, bool *b, bool *c, bool *d, double *last) {
  *b = *c = *d = false;
  *last = t + h;
  return 0;
}
