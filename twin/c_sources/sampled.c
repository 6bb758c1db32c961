/* A law that acts once per period and holds its outputs between; see `sampled.py`.

   Everything specific is generated above: the law (PTD_LAW(initialize), PTD_LAW(step))
   and the sizes PTD_*. Memory: that of the law, the held outputs, the instant of the
   first sample and how many were taken, -1 before the first. */

#define PTD_AT_FIRST (PTD_N_LAW + PTD_N_Y)
#define PTD_AT_COUNT (PTD_AT_FIRST + 1)
#define PTD_N_MEMORY (PTD_AT_COUNT + 1)

/* The law's scratch follows. */
typedef struct {
  double now[PTD_N_MEMORY];
  double u[PTD_N_U + 1];
} ptd_space;

PTD_ABI size_t PTD_NAME(space_size)(void) {
  return sizeof(ptd_space) + PTD_LAW(space_size)();
}

PTD_ABI int PTD_NAME(initialize)(const double *u, const double *p, double *memory,
                                 double *y, void *space) {
  if (PTD_LAW(initialize)(u, p, memory, y, (ptd_space *)space + 1)) return 1;
  memcpy(memory + PTD_N_LAW, y, sizeof(double) * PTD_N_Y);
  memory[PTD_AT_FIRST] = 0.0;
  memory[PTD_AT_COUNT] = -1.0;
  return 0;
}

/* The instant of the next sample: at once before the first. */
static double ptd_due(const double *memory, double t) {
  const double count = memory[PTD_AT_COUNT];
  return count < 0.0 ? t : memory[PTD_AT_FIRST] + count * PTD_PERIOD;
}

/* The same, `t` itself if it is due there but for rounding. */
PTD_ABI double PTD_NAME(next)(const double *memory, double t) {
  const double due = ptd_due(memory, t);
  return due > t + PTD_SLACK ? due : t;
}

/* The sample at `due`, with the inputs that are polynomials about `t`. */
static int ptd_sample(double *memory, double t, double due, const double *u,
                      const double *p, ptd_space *s) {
  const double moved = due > t ? due - t : 0.0;
  int i, k;
  for (k = 0; k < PTD_N_U; ++k) {
    double value = u[PTD_ORDER * PTD_N_U + k];
    for (i = PTD_ORDER; i > 0; --i) {
      value = u[(i - 1) * PTD_N_U + k] + moved / i * value;
    }
    s->u[k] = value;
  }
  if (memory[PTD_AT_COUNT] < 0.0) {
    memory[PTD_AT_FIRST] = due;
    memory[PTD_AT_COUNT] = 0.0;
  }
  if (PTD_LAW(step)(memory, due, PTD_PERIOD, s->u, p, memory + PTD_N_LAW, s + 1)) return 1;
  memory[PTD_AT_COUNT] += 1.0;
  return 0;
}

/* All samples before `end`; nothing is changed if one is refused. */
static int ptd_until(double *memory, double t, double end, const double *u,
                     const double *p, double *y, ptd_space *s) {
  double due;
  memcpy(s->now, memory, sizeof(s->now));
  while ((due = ptd_due(s->now, t)) < end) {
    if (ptd_sample(s->now, t, due, u, p, s)) return 1;
  }
  memcpy(memory, s->now, sizeof(s->now));
  memcpy(y, memory + PTD_N_LAW, sizeof(double) * PTD_N_Y);
  return 0;
}

PTD_ABI int PTD_NAME(step)(double *memory, double t, double h, const double *u,
                           const double *p, double *y, void *space) {
  const double slack = PTD_SLACK < 0.25 * h ? PTD_SLACK : 0.25 * h;
  return ptd_until(memory, t, t + h - slack, u, p, y, (ptd_space *)space);
}

/* The same, but at most to the next sample: 2 if one is due at `*end`. */
PTD_ABI int PTD_NAME(step_until)(double *memory, double t, double h, const double *u,
                                 const double *p, double *y, double *end, void *space) {
  double due;
  if (ptd_until(memory, t, t + PTD_SLACK, u, p, y, (ptd_space *)space)) return 1;
  due = ptd_due(memory, t);
  *end = due < t + h - PTD_SLACK ? due : t + h;
  return due <= t + h + PTD_SLACK ? 2 : 0;
}

/* Take the samples that are due at `t`. */
PTD_ABI int PTD_NAME(sample)(double *memory, double t, const double *u, const double *p,
                             double *y, void *space) {
  return ptd_until(memory, t, t + PTD_SLACK, u, p, y, (ptd_space *)space);
}
