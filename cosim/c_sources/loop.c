/* The loop of a master that steps each component once with held inputs: the same
 * operations in the same order as `Stepper.advance`, so the same bits. */
#include <string.h>

typedef long long pt_tick;
typedef int (*pt_step)(void *self, pt_tick tick, pt_tick end, const double *u, double *y);

typedef struct {
  pt_step step;
  void *self;
  int n_u, n_y;
  const long long *places; /* of its inputs among the signals now and before */
  const double *factors;   /* of unit conversion; null if there is none */
  const double *offsets;
  double *u, *y;
  double *target; /* its outputs among the signals now */
} pt_slot;

typedef struct {
  long long signal;
  int relation; /* 0: >=, 1: <=, 2: >, 3: < */
  double bound;
} pt_stop;

typedef struct {
  pt_slot *slots;
  int n_slot;
  double *both; /* n_now signals now, then at the start of the step */
  long long n_now;
  int has_previous;
  const long long *columns;
  long long n_column;
  const pt_stop *stops;
  int n_stop;
} pt_loop;

/* What became of a run: the last step begun, where it stopped (a component that returned
   `status`, or whose outputs are not finite), or the stop condition that was met. */
typedef struct {
  long long done;
  int slot, status, stop;
} pt_end;

static int all_finite(const double *v, int n) {
  int i;
  for (i = 0; i < n; ++i) {
    if (!(v[i] - v[i] == 0.0)) return 0;
  }
  return 1;
}

static int is_met(const pt_stop *s, double value) {
  switch (s->relation) {
    case 0: return value >= s->bound;
    case 1: return value <= s->bound;
    case 2: return value > s->bound;
    default: return value < s->bound;
  }
}

/* Record the signals and look at the stop conditions; the one met, or -1. */
static int conclude(const pt_loop *loop, double *row) {
  long long k;
  int i;
  for (k = 0; k < loop->n_column; ++k) row[k] = loop->both[loop->columns[k]];
  for (i = 0; i < loop->n_stop; ++i) {
    if (is_met(&loop->stops[i], loop->both[loop->stops[i].signal])) return i;
  }
  return -1;
}

#if defined(_WIN32)
#define PT_API __declspec(dllexport)
#else
#define PT_API __attribute__((visibility("default")))
#endif

/* Step from ticks[0] through ticks[n]; rows[k] are the signals after step k. */
PT_API void pt_loop_run(pt_loop *loop, const pt_tick *ticks, long long n, double *rows,
                        pt_end *end) {
  const size_t bytes = sizeof(double) * (size_t)loop->n_now;
  long long k;
  int i, j;
  end->slot = end->stop = -1;
  end->status = 0;
  for (k = 0; k < n; ++k) {
    end->done = k;
    if (loop->has_previous) memcpy(loop->both + loop->n_now, loop->both, bytes);
    for (i = 0; i < loop->n_slot; ++i) {
      const pt_slot *s = &loop->slots[i];
      for (j = 0; j < s->n_u; ++j) s->u[j] = loop->both[s->places[j]];
      if (s->factors) {
        for (j = 0; j < s->n_u; ++j) {
          s->u[j] *= s->factors[j];
          s->u[j] += s->offsets[j];
        }
      }
      end->status = s->step(s->self, ticks[k], ticks[k + 1], s->u, s->y);
      if (end->status || !all_finite(s->y, s->n_y)) {
        end->slot = i;
        return;
      }
      memcpy(s->target, s->y, sizeof(double) * (size_t)s->n_y);
    }
    end->done = k + 1;
    end->stop = conclude(loop, rows + k * loop->n_column);
    if (end->stop >= 0) return;
  }
}
