/* One communication step of a semi-explicit index-1 DAE by a Rosenbrock method.

   RODAS3 (A. Sandu, J. G. Verwer, J. G. Blom, E. J. Spee, G. R. Carmichael, F. A. Potra,
   Atmospheric Environment 31 (1997) 3459-3472, doi:10.1016/S1352-2310(97)83212-8): four
   stages, three evaluations, one Jacobian, one factorisation; order 3 with an embedded
   order 2, stiffly accurate, L-stable. A one-step method needs no history: after a jump
   of the inputs it goes on at full order once the algebraic states are consistent.

   Everything model-specific is generated above: sizes PTI_*, the layout of the memory
   (`memory_layout`: first places PTI_AT_* of its parts, length PTI_NM, and places PTI_RHS,
   PTI_JACOBIAN, ... in the part of counts), and the functions pti_f, pti_fj, pti_drift,
   pti_factor, pti_solve, pti_quadrature, pti_gj, pti_zfactor, pti_zsolve, pti_outputs,
   pti_indicators, pti_start. y = (x, z); no allocation, no globals. Every function of the
   ABI works in `space`, scratch of PTI_NAME(space_size)() bytes that the caller owns and
   no two threads use at once; nothing is kept in it. */

#define PTI_N (PTI_NX + PTI_NZ)

enum { PTI_OK = 0, PTI_REFUSED = 1, PTI_EVENT = 2 };

#define PTI_DIM(n) ((n) > 0 ? (n) : 1)

typedef struct {
  double f[PTI_DIM(PTI_N)], stage[PTI_DIM(PTI_N)], b[PTI_DIM(PTI_N)], next[PTI_DIM(PTI_N)];
  double u1[PTI_DIM(PTI_N)], u2[PTI_DIM(PTI_N)], u3[PTI_DIM(PTI_N)], u4[PTI_DIM(PTI_N)];
  double jacobian[PTI_DIM(PTI_NJ)], lu[PTI_DIM(PTI_NLU)];
  double q0[PTI_DIM(PTI_NQ)], q[PTI_DIM(PTI_NQ)], dq[PTI_DIM(PTI_NQ)], jq[PTI_DIM(PTI_NJQ)];
  double v1[PTI_DIM(PTI_NQ)], v2[PTI_DIM(PTI_NQ)], v3[PTI_DIM(PTI_NQ)], v4[PTI_DIM(PTI_NQ)];
  double ft[PTI_DIM(PTI_N)], qt[PTI_DIM(PTI_NQ)];
  double zj[PTI_DIM(PTI_NZJ)], zlu[PTI_DIM(PTI_NZLU)];
  double w[PTI_WORK];
} pti_space;

static double pti_norm(const double *d, const double *a, const double *b, int first,
                       int n, double rtol, double atol) {
  /* Largest root mean square over the blocks of equal quantity. */
  double worst = 0.0, sum = 0.0;
  int i, count = 0;
  for (i = first; i < first + n; ++i) {
    const double size = pt_max(fabs(a[i]), fabs(b[i]));
    const double e = d[i] / (rtol * size + atol * pti_nominal[i]);
    sum += e * e;
    ++count;
    if (i + 1 == first + n || pti_block[i + 1] != pti_block[i]) {
      sum /= count;
      if (sum > worst || sum != sum) worst = sum; /* a NaN stays: no sum exceeds it */
      sum = 0.0;
      count = 0;
    }
  }
  return sqrt(worst);
}

/* Newton's method on the algebraic equations; 0 if they hold. */
static int pti_consistent(double t, double *y, const double *u, const double *p,
                          double *memory, pti_space *s) {
#if PTI_NZ > 0
  const double rtol = memory[PTI_AT_TOLERANCE], atol = memory[PTI_AT_TOLERANCE + 1];
  const double zero = 0.0;
  double last = HUGE_VAL, norm, factor = 1.0;
  int i, k;
  for (k = 0; k < 50; ++k) {
    pti_gj(&t, y, y + PTI_NX, u, p, s->b, s->zj, s->w);
    memory[PTI_AT_COUNT + PTI_NEWTON] += 1.0;
    pti_zfactor(s->zj, &zero, s->zlu, s->w);
    pti_zsolve(s->zlu, s->b, s->stage + PTI_NX, s->w);
    norm = pti_norm(s->stage, y, y, PTI_NX, PTI_NZ, rtol, atol);
    if (!(norm < HUGE_VAL)) return 1;
    if (norm <= 2.0 * last) {
      factor = pt_min(1.0, 2.0 * factor);
    } else {
      factor *= 0.25;
    }
    last = norm;
    for (i = PTI_NX; i < PTI_N; ++i) y[i] += factor * s->stage[i];
    if (norm < 1.0 && factor == 1.0) return 0; /* the next would be norm^2 */
  }
  return 1;
#else
  (void)t; (void)y; (void)u; (void)p; (void)memory; (void)s;
  return 0;
#endif
}

/* After a jump of the inputs; if Newton fails, the jump is made in pieces. */
static int pti_restart(double t, double *y, const double *u, const double *p,
                       double *memory, pti_space *s) {
  double from[PTI_DIM(PTI_NU)], part[PTI_DIM(PTI_NU)], saved[PTI_DIM(PTI_NZ)];
  double done = 0.0, width = 1.0;
  int i;
  memcpy(from, memory + PTI_AT_INPUT, sizeof(double) * PTI_NU);
  while (done < 1.0) {
    const double target = pt_min(1.0, done + width);
    memcpy(saved, y + PTI_NX, sizeof(double) * PTI_NZ);
    for (i = 0; i < PTI_NU; ++i) {
      part[i] = target < 1.0 ? from[i] + target * (u[i] - from[i]) : u[i];
    }
    if (pti_consistent(t, y, part, p, memory, s) == 0) {
      done = target;
      width *= 2.0;
    } else {
      memcpy(y + PTI_NX, saved, sizeof(double) * PTI_NZ);
      width *= 0.25;
      if (width < 1e-4) return 1;
    }
  }
  return 0;
}

/* One step of length h from y, whose f and Jacobian are known; the error's norm. */
static double pti_try(double t, double h, const double *y, const double *u,
                      const double *du, const double *p, double *memory, pti_space *s) {
  const double c = 2.0 / h, r = 1.0 / h, end = t + h;
  const int moves = PTI_HAS_TIME || du;
  double u_end[PTI_DIM(PTI_NU)];
  int i;
  for (i = 0; i < PTI_NU; ++i) u_end[i] = du ? u[i] + h * du[i] : u[i];
  pti_factor(s->jacobian, &c, s->lu, s->w);
  memory[PTI_AT_COUNT + PTI_FACTORISATION] += 1.0;
  memcpy(s->b, s->f, sizeof(double) * PTI_N);
  if (moves) {
    for (i = 0; i < PTI_N; ++i) s->b[i] += 0.5 * h * s->ft[i];
  }
  pti_solve(s->lu, s->b, s->u1, s->w);
  for (i = 0; i < PTI_NX; ++i) s->b[i] = s->f[i] + 4.0 * r * s->u1[i];
  for (i = PTI_NX; i < PTI_N; ++i) s->b[i] = s->f[i];
  if (moves) {
    for (i = 0; i < PTI_N; ++i) s->b[i] += 1.5 * h * s->ft[i];
  }
  pti_solve(s->lu, s->b, s->u2, s->w);
  for (i = 0; i < PTI_N; ++i) s->stage[i] = y[i] + 2.0 * s->u1[i];
  pti_f(&end, s->stage, s->stage + PTI_NX, u_end, p, s->b, s->q, s->w);
  for (i = 0; i < PTI_NX; ++i) s->b[i] += r * (s->u1[i] - s->u2[i]);
  pti_solve(s->lu, s->b, s->u3, s->w);
#if PTI_NQ > 0
  pti_quadrature(s->jq, s->u1, s->dq, s->w);
  for (i = 0; i < PTI_NQ; ++i) s->v1[i] = (s->q0[i] + 0.5 * h * s->qt[i] + s->dq[i]) / c;
  pti_quadrature(s->jq, s->u2, s->dq, s->w);
  for (i = 0; i < PTI_NQ; ++i) {
    s->v2[i] = (s->q0[i] + 1.5 * h * s->qt[i] + s->dq[i] + 4.0 * r * s->v1[i]) / c;
  }
  pti_quadrature(s->jq, s->u3, s->dq, s->w);
  for (i = 0; i < PTI_NQ; ++i) {
    s->v3[i] = (s->q[i] + s->dq[i] + r * (s->v1[i] - s->v2[i])) / c;
  }
#endif
  for (i = 0; i < PTI_N; ++i) s->stage[i] = y[i] + 2.0 * s->u1[i] + s->u3[i];
  pti_f(&end, s->stage, s->stage + PTI_NX, u_end, p, s->b, s->q, s->w);
  memory[PTI_AT_COUNT + PTI_RHS] += 2.0;
  for (i = 0; i < PTI_NX; ++i) {
    s->b[i] += r * (s->u1[i] - s->u2[i] - (8.0 / 3.0) * s->u3[i]);
  }
  pti_solve(s->lu, s->b, s->u4, s->w);
#if PTI_NQ > 0
  pti_quadrature(s->jq, s->u4, s->dq, s->w);
  for (i = 0; i < PTI_NQ; ++i) {
    s->v4[i] = (s->q[i] + s->dq[i] +
                r * (s->v1[i] - s->v2[i] - (8.0 / 3.0) * s->v3[i])) / c;
    s->dq[i] = 2.0 * s->v1[i] + s->v3[i] + s->v4[i];
  }
#endif
  for (i = 0; i < PTI_N; ++i) s->next[i] = s->stage[i] + s->u4[i];
  return pti_norm(s->u4, y, s->next, 0, PTI_N, memory[PTI_AT_TOLERANCE],
                  memory[PTI_AT_TOLERANCE + 1]);
}

static double pti_factor_of(double error) {
  const double wanted = 0.9 * exp(-log(pt_max(error, 1e-12)) / 3.0);
  return pt_min(8.0, pt_max(0.2, wanted));
}

/* The first armed event whose indicator is not positive, or -1. */
static int pti_fired(double t, const double *y, const double *u, const double *p,
                     const double *memory, double *g, pti_space *s) {
  int k;
#if PTI_NG > 0
  pti_indicators(&t, y, y + PTI_NX, u, p, g, s->w);
#else
  (void)t; (void)y; (void)u; (void)p; (void)s;
#endif
  for (k = 0; k < PTI_NG; ++k) {
    if (memory[PTI_AT_ARM + k] != 0.0 && g[k] <= 0.0) return k;
  }
  return -1;
}

/* Positive indicators are armed, the others not; but where only event `told` of several
   was reported, the others stay armed and are reported at once by the next step. */
static void pti_arm(double *memory, const double *g, int told) {
  int k;
  for (k = 0; k < PTI_NG; ++k) {
    if (told < 0 || told == k || g[k] > 0.0) memory[PTI_AT_ARM + k] = g[k] > 0.0;
  }
}

/* Shorten the accepted step of length h to the instant at which event k happens. */
static double pti_locate(int k, double before, double after, double t, double h,
                         const double *y, const double *u, const double *du,
                         const double *p, double *memory, double *g, pti_space *s) {
  double low = 0.0, high = h, g_low = before, g_high = after, at = h, value;
  double u_at[PTI_DIM(PTI_NU)];
  int i, j, side = 0;
  for (i = 0; i < 60 && high - low > 1e-13 * h + 1e-12; ++i) {
    at = (low * g_high - high * g_low) / (g_high - g_low);
    if (!(at > low && at < high)) at = 0.5 * (low + high);
    pti_try(t, at, y, u, du, p, memory, s);
    for (j = 0; j < PTI_NU; ++j) u_at[j] = du ? u[j] + at * du[j] : u[j];
    pti_fired(t + at, s->next, u_at, p, memory, g, s);
    value = g[k];
    if (value <= 0.0) {
      high = at;
      g_high = value;
      if (side == -1) g_low *= 0.5; /* Illinois */
      side = -1;
      if (-value < 1e-13 * before) break;
    } else {
      low = at;
      g_low = value;
      if (side == 1) g_high *= 0.5;
      side = 1;
    }
  }
  pti_try(t, high, y, u, du, p, memory, s);
  for (j = 0; j < PTI_NU; ++j) u_at[j] = du ? u[j] + high * du[j] : u[j];
  pti_fired(t + high, s->next, u_at, p, memory, g, s);
  return high;
}

/* Shorten an accepted step, in which event *k is one of those that happened, to the
   earliest of them; g holds the indicators at its end, before and after. */
static double pti_locate_first(int *k, const double *before, double t, double h,
                               const double *y, const double *u, const double *du,
                               const double *p, double *memory, double *g,
                               pti_space *s) {
  char seen[PTI_DIM(PTI_NG)];
  int j, next = *k;
  memset(seen, 0, sizeof seen);
  while (next >= 0) {
    *k = next;
    seen[next] = 1;
    h = pti_locate(next, before[next], g[next], t, h, y, u, du, p, memory, g, s);
    next = -1;
    for (j = 0; j < PTI_NG && next < 0; ++j) {
      if (!seen[j] && memory[PTI_AT_ARM + j] != 0.0 && g[j] <= 0.0) next = j;
    }
  }
  return h;
}

static int pti_is_finite(const double *v, int n) {
  int i;
  for (i = 0; i < n; ++i) {
    if (!(v[i] - v[i] == 0.0)) return 0;
  }
  return 1;
}

PT_ABI size_t PTI_NAME(space_size)(void) { return sizeof(pti_space); }

PT_ABI int PTI_NAME(initialize)(const double *u, const double *p, double *memory,
                                double *y, void *space) {
  pti_space *s = (pti_space *)space;
  double g[PTI_DIM(PTI_NG)];
  const double zero = 0.0;
  int i;
  memset(memory, 0, sizeof(double) * PTI_NM);
  pti_start(u, p, s->next, s->stage, s->w);
  memcpy(memory, s->next, sizeof(double) * PTI_NX);
  memcpy(memory + PTI_NX, s->stage, sizeof(double) * PTI_NZ);
  memcpy(memory + PTI_AT_INPUT, u, sizeof(double) * PTI_NU);
  memcpy(memory + PTI_AT_PARAMETER, p, sizeof(double) * PTI_NP);
  memory[PTI_AT_PROPOSAL] = PTI_H_JUMP;
  memory[PTI_AT_PROPOSAL + 1] = PTI_H_SMOOTH;
  memory[PTI_AT_TOLERANCE] = PTI_RTOL;
  memory[PTI_AT_TOLERANCE + 1] = PTI_ATOL;
  if (pti_consistent(0.0, memory, u, p, memory, s)) return PTI_REFUSED;
  for (i = 0; i < PTI_NG; ++i) memory[PTI_AT_ARM + i] = 1.0;
  (void)pti_fired(0.0, memory, u, p, memory, g, s);
  pti_arm(memory, g, -1);
  pti_outputs(&zero, memory, memory + PTI_NX, u, p, y, s->w);
  return pti_is_finite(memory, PTI_NM) && pti_is_finite(y, PTI_NY) ? PTI_OK : PTI_REFUSED;
}

static int pti_is_jump(const double *memory, const double *u, const double *p) {
  int i;
  for (i = 0; i < PTI_NU; ++i) {
    const double old = memory[PTI_AT_INPUT + i];
    if (!(fabs(u[i] - old) <= 1e-9 * pt_max(fabs(u[i]), fabs(old)))) return 1;
  }
  for (i = 0; i < PTI_NP; ++i) {
    if (memory[PTI_AT_PARAMETER + i] != p[i]) return 1;
  }
  return 0;
}

/* What a refused step has to say: the states reached and their errors over tolerance. */
static int pti_refuse(double *why, const double *y, const double *error, int first) {
  int i;
  if (why) {
    memcpy(why, y, sizeof(double) * PTI_N);
    for (i = 0; i < PTI_N; ++i) why[PTI_N + i] = 0.0;
    if (error) memcpy(why + PTI_N + first, error + first, sizeof(double) * (PTI_N - first));
  }
  return PTI_REFUSED;
}

static int pti_advance(double *memory, double t, double h, const double *u,
                       const double *du, const double *p, double *y, int stops,
                       double *end, int *event, double *why, pti_space *s) {
  double now[PTI_NM], g[PTI_DIM(PTI_NG)], g_last[PTI_DIM(PTI_NG)], sum[PTI_DIM(PTI_NQ)];
  double result[PTI_DIM(PTI_NY)], u_now[PTI_DIM(PTI_NU)], u_next[PTI_DIM(PTI_NU)];
  double at = 0.0, now_s, step, error, proposal;
  int i, k, rejected, after_jump;
  *event = -1;
  *end = t;
  memcpy(now, memory, sizeof(double) * PTI_NM);
  memcpy(u_now, u, sizeof(double) * PTI_NU);
  for (i = 0; i < PTI_NQ; ++i) sum[i] = 0.0;
  if (!(h >= 0.0 && h < HUGE_VAL && t - t == 0.0)) return pti_refuse(why, now, 0, 0);
  after_jump = pti_is_jump(now, u, p);
  if (after_jump) {
    if (pti_restart(t, now, u, p, now, s)) return pti_refuse(why, now, s->stage, PTI_NX);
    now[PTI_AT_PROPOSAL + 1] = now[PTI_AT_PROPOSAL];
  }
  memcpy(now + PTI_AT_PARAMETER, p, sizeof(double) * PTI_NP);
  k = pti_fired(t, now, u, p, now, g_last, s);
  if (k >= 0 && stops) *event = k;
  pti_arm(now, g_last, *event);
  while (at < h && *event < 0) {
    proposal = now[PTI_AT_PROPOSAL + 1];
    step = h - at;
    if (proposal < step) step = 2.0 * proposal > step ? 0.5 * step : proposal;
    now_s = t + at;
    pti_fj(&now_s, now, now + PTI_NX, u_now, p, s->f, s->jacobian, s->q0, s->jq, s->w);
    if (PTI_HAS_TIME || du) {
      pti_drift(&now_s, now, now + PTI_NX, u_now, p, du ? du : pti_zeros, s->ft, s->qt, s->w);
    } else {
      for (i = 0; i < PTI_NQ; ++i) s->qt[i] = 0.0;
    }
    now[PTI_AT_COUNT + PTI_RHS] += 1.0;
    now[PTI_AT_COUNT + PTI_JACOBIAN] += 1.0;
    rejected = 0;
    for (;;) {
      error = pti_try(now_s, step, now, u_now, du, p, now, s);
      if (error <= 1.0 && pti_is_finite(s->next, PTI_N)) break;
      now[PTI_AT_COUNT + PTI_REJECTION] += 1.0;
      rejected = 1;
      step *= error < HUGE_VAL ? pt_min(0.8, pti_factor_of(error)) : 0.1;
      if (step < 1e-10 * pt_max(1.0, h)) {
        *end = now_s;
        return pti_refuse(why, now, s->u4, 0);
      }
    }
    proposal = step * (rejected ? pt_min(1.0, pti_factor_of(error)) : pti_factor_of(error));
    if (after_jump) {
      now[PTI_AT_PROPOSAL] = proposal;
      after_jump = 0;
    }
    if (proposal > now[PTI_AT_PROPOSAL + 1] || rejected ||
        step >= 0.5 * now[PTI_AT_PROPOSAL + 1]) {
      now[PTI_AT_PROPOSAL + 1] = proposal;
    }
    for (i = 0; i < PTI_NU; ++i) u_next[i] = du ? u[i] + (at + step) * du[i] : u[i];
    k = pti_fired(now_s + step, s->next, u_next, p, now, g, s);
    if (k >= 0 && stops) {
      step = pti_locate_first(&k, g_last, now_s, step, now, u_now, du, p, now, g, s);
      for (i = 0; i < PTI_NU; ++i) u_next[i] = du ? u[i] + (at + step) * du[i] : u[i];
      *event = k;
    }
    memcpy(g_last, g, sizeof(double) * PTI_NG);
    pti_arm(now, g, *event);
    memcpy(now, s->next, sizeof(double) * PTI_N);
    memcpy(u_now, u_next, sizeof(double) * PTI_NU);
    for (i = 0; i < PTI_NQ; ++i) sum[i] += s->dq[i];
    now[PTI_AT_COUNT + PTI_STEP] += 1.0;
    at += step;
    if (h - at < 1e-12 * h) at = h;
  }
  memcpy(now + PTI_AT_INPUT, u_now, sizeof(double) * PTI_NU);
  *end = at >= h ? t + h : t + at;
  pti_outputs(end, now, now + PTI_NX, u_now, p, result, s->w);
  if (at > 0.0) {
    for (i = 0; i < PTI_NQ; ++i) result[pti_mean[i]] = sum[i] / at;
  }
  for (k = 0, i = 0; i < PTI_NG; ++i) k |= g_last[i] != g_last[i];
  if (k || !pti_is_finite(now, PTI_NM) || !pti_is_finite(result, PTI_NY)) {
    *event = -1;
    return pti_refuse(why, now, 0, 0);
  }
  memcpy(memory, now, sizeof(double) * PTI_NM);
  memcpy(y, result, sizeof(double) * PTI_NY);
  return *event >= 0 ? PTI_EVENT : PTI_OK;
}

/* Advance by h; the inputs are u + du (time - t), du may be null. With `stops` the step
   ends at the first event: *event is its index and *end its time. Refused steps leave
   memory and y as they were; *end is then the time reached. */
PT_ABI int PTI_NAME(advance)(double *memory, double t, double h, const double *u,
                             const double *du, const double *p, double *y, int stops,
                             double *end, int *event, void *space) {
  return pti_advance(memory, t, h, u, du, p, y, stops, end, event, 0,
                     (pti_space *)space);
}

/* Repeat a refused step without changing anything: `why` receives the states at the
   time reached and the last error of each over its tolerance (a NaN if not finite). */
PT_ABI int PTI_NAME(explain)(const double *memory, double t, double h, const double *u,
                             const double *du, const double *p, double *end,
                             double *why, void *space) {
  double now[PTI_NM], y[PTI_DIM(PTI_NY)], *error = why + PTI_N;
  int event, i, status;
  memcpy(now, memory, sizeof(double) * PTI_NM);
  status = pti_advance(now, t, h, u, du, p, y, 0, end, &event, why,
                       (pti_space *)space);
  if (status != PTI_REFUSED) return status;
  for (i = 0; i < PTI_N; ++i) {
    error[i] = fabs(error[i]) / (memory[PTI_AT_TOLERANCE] * fabs(why[i]) +
                                 memory[PTI_AT_TOLERANCE + 1] * pti_nominal[i]);
  }
  return status;
}

/* The slopes among the rows of u; null if there are none. */
static const double *pti_slopes(const double *u) {
  int i;
  for (i = PTI_NU; i < 2 * PTI_NU; ++i) {
    if (u[i] != 0.0) return u + PTI_NU;
  }
  return 0;
}

PT_ABI int PTI_NAME(step)(double *memory, double t, double h, const double *u,
                          const double *p, double *y, void *space) {
  double end;
  int event;
  return PTI_NAME(advance)(memory, t, h, u, pti_slopes(u), p, y, 0, &end, &event,
                           space) == PTI_REFUSED;
}

PT_ABI int PTI_NAME(step_until)(double *memory, double t, double h, const double *u,
                                const double *p, double *y, double *end, void *space) {
  int event;
  return PTI_NAME(advance)(memory, t, h, u, pti_slopes(u), p, y, 1, end, &event, space);
}

/* n steps from times[0] to times[n]; rows of u and du (may be null) are those of each
   step, rows of y its outputs. *done is the number of rows of y written: one more than
   the whole steps where an event ended the last one. */
PT_ABI int PTI_NAME(run)(double *memory, const double *times, int n, const double *u,
                         const double *du, const double *p, double *y, int stops,
                         double *end, int *event, int *done, void *space) {
  int k, status = PTI_OK;
  *event = -1;
  *end = times[0];
  for (k = 0; k < n && status == PTI_OK; ++k) {
    status = PTI_NAME(advance)(memory, times[k], times[k + 1] - times[k], u + k * PTI_NU,
                               du ? du + k * PTI_NU : 0, p, y + k * PTI_NY, stops, end,
                               event, space);
  }
  *done = status == PTI_REFUSED ? k - 1 : k;
  return status;
}
