/* One step of an FMI 2.0 or 3.0 co-simulation FMU with held inputs, in C: what
 * `FmuComponent.step` does where nothing unusual happens, with the same bits. What is
 * unusual (a status above a warning, an event, an early end) is left to Python. */
#include <math.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef long long pt_tick;
typedef void (*pt_function)(void);
typedef int (*set2)(void *, const unsigned *, size_t, const void *);
typedef int (*set3)(void *, const unsigned *, size_t, const void *, size_t);
typedef int (*step2)(void *, double, double, int);
typedef int (*step3)(void *, double, double, bool, bool *, bool *, bool *, double *);

typedef struct {
  pt_function function; /* getter or setter */
  const unsigned *references;
  size_t n_reference, n;
  void *buffer;
  int type; /* 'd', 'f', '?', or the size of a signed or (negative) unsigned integer */
  int is_converted;
  const long long *places;
  const double *factors, *offsets;
} pt_channel;

typedef struct {
  void *instance;
  pt_function do_step;
  int version, no_rewind;
  int n_set, n_get;
  pt_channel *set, *get;
  int status; /* of the last step */
  bool event, end, early;
  double reached;
  int failed;  /* channel that failed, from 0: setters, then getters; -1 for the step */
  int is_over; /* it asked to end */
} pt_fmu;

enum { DONE = 0, UNUSUAL = 1, FAILED = 2, OVER = 3 };

static void put(pt_channel *c, size_t k, double v) {
  switch (c->type) {
    case 'd': ((double *)c->buffer)[k] = v; break;
    case 'f': ((float *)c->buffer)[k] = (float)v; break;
    case '?': ((bool *)c->buffer)[k] = rint(v) != 0.0; break;
    case 1: ((int8_t *)c->buffer)[k] = (int8_t)rint(v); break;
    case 2: ((int16_t *)c->buffer)[k] = (int16_t)rint(v); break;
    case 4: ((int32_t *)c->buffer)[k] = (int32_t)rint(v); break;
    case 8: ((int64_t *)c->buffer)[k] = (int64_t)rint(v); break;
    case -1: ((uint8_t *)c->buffer)[k] = (uint8_t)rint(v); break;
    case -2: ((uint16_t *)c->buffer)[k] = (uint16_t)rint(v); break;
    case -4: ((uint32_t *)c->buffer)[k] = (uint32_t)rint(v); break;
    default: ((uint64_t *)c->buffer)[k] = (uint64_t)rint(v); break;
  }
}

static double take(const pt_channel *c, size_t k) {
  switch (c->type) {
    case 'd': return ((const double *)c->buffer)[k];
    case 'f': return (double)((const float *)c->buffer)[k];
    case '?': return (double)((const bool *)c->buffer)[k];
    case 1: return (double)((const int8_t *)c->buffer)[k];
    case 2: return (double)((const int16_t *)c->buffer)[k];
    case 4: return (double)((const int32_t *)c->buffer)[k];
    case 8: return (double)((const int64_t *)c->buffer)[k];
    case -1: return (double)((const uint8_t *)c->buffer)[k];
    case -2: return (double)((const uint16_t *)c->buffer)[k];
    case -4: return (double)((const uint32_t *)c->buffer)[k];
    default: return (double)((const uint64_t *)c->buffer)[k];
  }
}

static int call(const pt_fmu *f, const pt_channel *c) {
  if (f->version == 2) {
    return ((set2)c->function)(f->instance, c->references, c->n_reference, c->buffer);
  }
  return ((set3)c->function)(f->instance, c->references, c->n_reference, c->buffer, c->n);
}

#if defined(_WIN32)
#define PT_API __declspec(dllexport)
#else
#define PT_API __attribute__((visibility("default")))
#endif

PT_API int pt_fmu_step(void *self, pt_tick tick, pt_tick end, const double *u, double *y) {
  pt_fmu *f = (pt_fmu *)self;
  const double t = (double)tick / 1e9, h = (double)(end - tick) / 1e9;
  size_t k;
  int i;
  if (f->is_over) return OVER;
  for (i = 0; i < f->n_set; ++i) {
    pt_channel *c = &f->set[i];
    for (k = 0; k < c->n; ++k) {
      double v = u[c->places[k]];
      if (c->is_converted) v = (v - c->offsets[k]) / c->factors[k];
      put(c, k, v);
    }
    f->status = call(f, c);
    f->failed = i;
    if (f->status > 1) return FAILED;
  }
  f->failed = -1;
  f->reached = t;
  if (f->version == 2) {
    f->status = ((step2)f->do_step)(f->instance, t, h, f->no_rewind);
  } else {
    f->event = f->end = f->early = false;
    f->status = ((step3)f->do_step)(f->instance, t, h, f->no_rewind != 0, &f->event,
                                    &f->end, &f->early, &f->reached);
  }
  if (f->status > 1 || f->event || f->end || f->early) return UNUSUAL;
  for (i = 0; i < f->n_get; ++i) {
    pt_channel *c = &f->get[i];
    f->status = call(f, c);
    f->failed = f->n_set + i;
    if (f->status > 1) return FAILED;
    for (k = 0; k < c->n; ++k) {
      const double v = take(c, k);
      y[c->places[k]] = c->is_converted ? v * c->factors[k] + c->offsets[k] : v;
    }
  }
  return DONE;
}

/* Inputs that follow polynomials inside a step of FMI 3.0. */
typedef struct {
  void *instance;
  pt_function set;
  const unsigned *references;
  size_t n;
  double *buffer;
  const double *factors, *offsets; /* from the FMU's units to ours */
  const double *rows;              /* time derivatives 0, 1, ... in our units */
  double start;
  int n_rows; /* none: the inputs are held */
  int status; /* the worst so far */
} pt_smooth;

PT_API void pt_fmu_update(void *environment, double t, bool sets, bool gets, bool done,
                          bool may_return, bool *returns, double *return_time) {
  pt_smooth *s = (pt_smooth *)environment;
  size_t k;
  int i, status;
  (void)gets;
  (void)done;
  (void)may_return;
  (void)returns;
  (void)return_time;
  if (!sets || s->n_rows == 0) return;
  for (k = 0; k < s->n; ++k) {
    double value = s->rows[(size_t)(s->n_rows - 1) * s->n + k];
    for (i = s->n_rows - 1; i > 0; --i) {
      value = s->rows[(size_t)(i - 1) * s->n + k] + (t - s->start) / i * value;
    }
    s->buffer[k] = (value - s->offsets[k]) / s->factors[k];
  }
  status = ((set3)s->set)(s->instance, s->references, s->n, s->buffer, s->n);
  if (status > s->status) s->status = status;
}
