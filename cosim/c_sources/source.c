/* One step of a table of signals: what `SignalSource.step` does, with the same bits. */
#include <stddef.h>

typedef long long pt_tick;

typedef struct {
  const pt_tick *knots, *lengths; /* row i holds from knot i on, for this long */
  const double *values, *change;  /* n_row x n, change until the next knot */
  const char *is_mean;            /* n flags: mean over the step, or at its end */
  size_t n_row, n;
  size_t row; /* where the last step ended */
  pt_tick first, last;
} pt_source;

#if defined(_WIN32)
#define PT_API __declspec(dllexport)
#else
#define PT_API __attribute__((visibility("default")))
#endif

/* The last row with a knot at or before a tick. */
static size_t row_at(pt_source *s, pt_tick tick) {
  size_t low = s->row, high;
  if (s->knots[low] <= tick) {
    /* Time goes on: the row is this one or soon after. */
    while (low + 1 < s->n_row && s->knots[low + 1] <= tick) ++low;
  } else {
    for (high = low, low = 0; high - low > 1;) {
      const size_t middle = (low + high) / 2;
      if (s->knots[middle] <= tick) low = middle;
      else high = middle;
    }
  }
  return s->row = low;
}

PT_API int pt_source_step(void *self, pt_tick tick, pt_tick end, const double *u,
                          double *y) {
  pt_source *s = (pt_source *)self;
  size_t row, k;
  pt_tick start;
  (void)u;
  if (tick < s->first || end > s->last) return 1;
  for (k = 0; k < s->n; ++k) y[k] = 0.0;
  row = row_at(s, tick);
  for (start = tick; start < end; ++row) {
    const pt_tick knot = s->knots[row], length = s->lengths[row];
    const pt_tick stop = end < knot + length ? end : knot + length;
    const double middle =
        ((double)(start - knot) + (double)(stop - knot)) / (2.0 * (double)length);
    const double share = (double)(stop - start) / (double)(end - tick);
    for (k = 0; k < s->n; ++k) {
      if (!s->is_mean[k]) continue;
      y[k] += share * (s->values[row * s->n + k] + middle * s->change[row * s->n + k]);
    }
    start = stop;
  }
  row = row_at(s, end);
  {
    const double part = (double)(end - s->knots[row]) / (double)s->lengths[row];
    for (k = 0; k < s->n; ++k) {
      if (s->is_mean[k]) continue;
      y[k] = s->values[row * s->n + k] + part * s->change[row * s->n + k];
    }
  }
  return 0;
}
