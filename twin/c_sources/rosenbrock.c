/* One communication step of a semi-explicit index-1 DAE by a Rosenbrock method.

   RODAS3 (A. Sandu, J. G. Verwer, J. G. Blom, E. J. Spee, G. R. Carmichael, F. A. Potra,
   Atmospheric Environment 31 (1997) 3459-3472, doi:10.1016/S1352-2310(97)83212-8): four
   stages, three evaluations, one Jacobian, one factorisation; order 3 with an embedded
   order 2, stiffly accurate, L-stable. A one-step method needs no history: after a jump
   of the inputs it goes on at full order once the algebraic states are consistent.

   Everything model-specific is generated above: sizes PT_*, and the functions pt_f,
   pt_fj, pt_drift, pt_factor, pt_solve, pt_quadrature, pt_gj, pt_zfactor, pt_zsolve, pt_outputs,
   pt_indicators, pt_start. y = (x, z); no allocation, no globals. */

#define PT_N (PT_NX + PT_NZ)

/* Memory layout: x, z, inputs and parameters of the last step, event arms, settings. */
#define PT_AT_U (PT_N)
#define PT_AT_P (PT_AT_U + PT_NU)
#define PT_AT_ARM (PT_AT_P + PT_NP)
#define PT_AT_H (PT_AT_ARM + PT_NG) /* proposals: after a jump, smooth */
#define PT_AT_TOL (PT_AT_H + 2)     /* relative, absolute */
#define PT_AT_COUNT (PT_AT_TOL + 2) /* rhs, jacobian, factor, steps, rejected, newton */

enum { PT_OK = 0, PT_REFUSED = 1, PT_EVENT = 2 };
enum { PT_RHS, PT_JACOBIAN, PT_FACTOR, PT_STEPS, PT_REJECTED, PT_NEWTON };

#define PT_DIM(n) ((n) > 0 ? (n) : 1)

typedef struct {
  double f[PT_DIM(PT_N)], stage[PT_DIM(PT_N)], b[PT_DIM(PT_N)], next[PT_DIM(PT_N)];
  double u1[PT_DIM(PT_N)], u2[PT_DIM(PT_N)], u3[PT_DIM(PT_N)], u4[PT_DIM(PT_N)];
  double jacobian[PT_DIM(PT_NJ)], lu[PT_DIM(PT_NLU)];
  double q0[PT_DIM(PT_NQ)], q[PT_DIM(PT_NQ)], dq[PT_DIM(PT_NQ)], jq[PT_DIM(PT_NJQ)];
  double v1[PT_DIM(PT_NQ)], v2[PT_DIM(PT_NQ)], v3[PT_DIM(PT_NQ)], v4[PT_DIM(PT_NQ)];
  double ft[PT_DIM(PT_N)], qt[PT_DIM(PT_NQ)];
  double zj[PT_DIM(PT_NZJ)], zlu[PT_DIM(PT_NZLU)];
  double w[PT_WORK];
} pt_space;

static double pt_norm(const double *d, const double *a, const double *b, int first,
                      int n, double rtol, double atol) {
  /* Largest root mean square over the blocks of equal quantity. */
  double worst = 0.0, sum = 0.0;
  int i, count = 0;
  for (i = first; i < first + n; ++i) {
    const double size = pt_max(fabs(a[i]), fabs(b[i]));
    const double e = d[i] / (rtol * size + atol * pt_nominal[i]);
    sum += e * e;
    ++count;
    if (i + 1 == first + n || pt_block[i + 1] != pt_block[i]) {
      sum /= count;
      if (!(sum <= worst)) worst = sum;
      sum = 0.0;
      count = 0;
    }
  }
  return sqrt(worst);
}

/* Newton's method on the algebraic equations; 0 if they hold. */
static int pt_consistent(double t, double *y, const double *u, const double *p,
                         double *memory, pt_space *s) {
#if PT_NZ > 0
  const double rtol = memory[PT_AT_TOL], atol = memory[PT_AT_TOL + 1];
  const double zero = 0.0;
  double last = HUGE_VAL, norm, factor = 1.0;
  int i, k;
  for (k = 0; k < 50; ++k) {
    pt_gj(&t, y, y + PT_NX, u, p, s->b, s->zj, s->w);
    memory[PT_AT_COUNT + PT_NEWTON] += 1.0;
    pt_zfactor(s->zj, &zero, s->zlu, s->w);
    pt_zsolve(s->zlu, s->b, s->stage + PT_NX, s->w);
    norm = pt_norm(s->stage, y, y, PT_NX, PT_NZ, rtol, atol);
    if (!(norm < HUGE_VAL)) return 1;
    if (norm <= 2.0 * last) {
      factor = pt_min(1.0, 2.0 * factor);
    } else {
      factor *= 0.25;
    }
    last = norm;
    for (i = PT_NX; i < PT_N; ++i) y[i] += factor * s->stage[i];
    if (norm < 1.0 && factor == 1.0) return 0; /* the next would be norm^2 */
  }
  return 1;
#else
  (void)t; (void)y; (void)u; (void)p; (void)memory; (void)s;
  return 0;
#endif
}

/* After a jump of the inputs; if Newton fails, the jump is made in pieces. */
static int pt_restart(double t, double *y, const double *u, const double *p,
                      double *memory, pt_space *s) {
  double from[PT_DIM(PT_NU)], part[PT_DIM(PT_NU)], saved[PT_DIM(PT_NZ)];
  double done = 0.0, width = 1.0;
  int i;
  memcpy(from, memory + PT_AT_U, sizeof(double) * PT_NU);
  while (done < 1.0) {
    const double target = pt_min(1.0, done + width);
    memcpy(saved, y + PT_NX, sizeof(double) * PT_NZ);
    for (i = 0; i < PT_NU; ++i) {
      part[i] = target < 1.0 ? from[i] + target * (u[i] - from[i]) : u[i];
    }
    if (pt_consistent(t, y, part, p, memory, s) == 0) {
      done = target;
      width *= 2.0;
    } else {
      memcpy(y + PT_NX, saved, sizeof(double) * PT_NZ);
      width *= 0.25;
      if (width < 1e-4) return 1;
    }
  }
  return 0;
}

/* One step of length h from y, whose f and Jacobian are known; the error's norm. */
static double pt_try(double t, double h, const double *y, const double *u,
                     const double *du, const double *p, double *memory, pt_space *s) {
  const double c = 2.0 / h, r = 1.0 / h, end = t + h;
  const int moves = PT_HAS_TIME || du;
  double u_end[PT_DIM(PT_NU)];
  int i;
  for (i = 0; i < PT_NU; ++i) u_end[i] = du ? u[i] + h * du[i] : u[i];
  pt_factor(s->jacobian, &c, s->lu, s->w);
  memory[PT_AT_COUNT + PT_FACTOR] += 1.0;
  memcpy(s->b, s->f, sizeof(double) * PT_N);
  if (moves) {
    for (i = 0; i < PT_N; ++i) s->b[i] += 0.5 * h * s->ft[i];
  }
  pt_solve(s->lu, s->b, s->u1, s->w);
  for (i = 0; i < PT_NX; ++i) s->b[i] = s->f[i] + 4.0 * r * s->u1[i];
  for (i = PT_NX; i < PT_N; ++i) s->b[i] = s->f[i];
  if (moves) {
    for (i = 0; i < PT_N; ++i) s->b[i] += 1.5 * h * s->ft[i];
  }
  pt_solve(s->lu, s->b, s->u2, s->w);
  for (i = 0; i < PT_N; ++i) s->stage[i] = y[i] + 2.0 * s->u1[i];
  pt_f(&end, s->stage, s->stage + PT_NX, u_end, p, s->b, s->q, s->w);
  for (i = 0; i < PT_NX; ++i) s->b[i] += r * (s->u1[i] - s->u2[i]);
  pt_solve(s->lu, s->b, s->u3, s->w);
#if PT_NQ > 0
  pt_quadrature(s->jq, s->u1, s->dq, s->w);
  for (i = 0; i < PT_NQ; ++i) s->v1[i] = (s->q0[i] + 0.5 * h * s->qt[i] + s->dq[i]) / c;
  pt_quadrature(s->jq, s->u2, s->dq, s->w);
  for (i = 0; i < PT_NQ; ++i) {
    s->v2[i] = (s->q0[i] + 1.5 * h * s->qt[i] + s->dq[i] + 4.0 * r * s->v1[i]) / c;
  }
  pt_quadrature(s->jq, s->u3, s->dq, s->w);
  for (i = 0; i < PT_NQ; ++i) {
    s->v3[i] = (s->q[i] + s->dq[i] + r * (s->v1[i] - s->v2[i])) / c;
  }
#endif
  for (i = 0; i < PT_N; ++i) s->stage[i] = y[i] + 2.0 * s->u1[i] + s->u3[i];
  pt_f(&end, s->stage, s->stage + PT_NX, u_end, p, s->b, s->q, s->w);
  memory[PT_AT_COUNT + PT_RHS] += 2.0;
  for (i = 0; i < PT_NX; ++i) {
    s->b[i] += r * (s->u1[i] - s->u2[i] - (8.0 / 3.0) * s->u3[i]);
  }
  pt_solve(s->lu, s->b, s->u4, s->w);
#if PT_NQ > 0
  pt_quadrature(s->jq, s->u4, s->dq, s->w);
  for (i = 0; i < PT_NQ; ++i) {
    s->v4[i] = (s->q[i] + s->dq[i] +
                r * (s->v1[i] - s->v2[i] - (8.0 / 3.0) * s->v3[i])) / c;
    s->dq[i] = 2.0 * s->v1[i] + s->v3[i] + s->v4[i];
  }
#endif
  for (i = 0; i < PT_N; ++i) s->next[i] = s->stage[i] + s->u4[i];
  return pt_norm(s->u4, y, s->next, 0, PT_N, memory[PT_AT_TOL],
                 memory[PT_AT_TOL + 1]);
}

static double pt_factor_of(double error) {
  const double wanted = 0.9 * exp(-log(pt_max(error, 1e-12)) / 3.0);
  return pt_min(8.0, pt_max(0.2, wanted));
}

/* The first armed event whose indicator is not positive, or -1. */
static int pt_fired(double t, const double *y, const double *u, const double *p,
                    const double *memory, double *g, pt_space *s) {
#if PT_NG > 0
  int k;
  pt_indicators(&t, y, y + PT_NX, u, p, g, s->w);
  for (k = 0; k < PT_NG; ++k) {
    if (memory[PT_AT_ARM + k] != 0.0 && g[k] <= 0.0) return k;
  }
#else
  (void)t; (void)y; (void)u; (void)p; (void)memory; (void)g; (void)s;
#endif
  return -1;
}

static void pt_arm(double *memory, const double *g) {
  int k;
  for (k = 0; k < PT_NG; ++k) memory[PT_AT_ARM + k] = g[k] > 0.0;
}

/* Shorten the accepted step of length h to the instant at which event k happens. */
static double pt_locate(int k, double before, double after, double t, double h,
                        const double *y, const double *u, const double *du,
                        const double *p, double *memory, pt_space *s) {
  double low = 0.0, high = h, g_low = before, g_high = after, at = h, value;
  double g[PT_DIM(PT_NG)], u_at[PT_DIM(PT_NU)];
  int i, j, side = 0;
  for (i = 0; i < 60 && high - low > 1e-9 * h + 1e-12; ++i) {
    at = (low * g_high - high * g_low) / (g_high - g_low);
    if (!(at > low && at < high)) at = 0.5 * (low + high);
    pt_try(t, at, y, u, du, p, memory, s);
    for (j = 0; j < PT_NU; ++j) u_at[j] = du ? u[j] + at * du[j] : u[j];
    pt_fired(t + at, s->next, u_at, p, memory, g, s);
    value = g[k];
    if (value <= 0.0) {
      high = at;
      g_high = value;
      if (side == -1) g_low *= 0.5; /* Illinois */
      side = -1;
      if (-value < 1e-10 * fabs(before)) break;
    } else {
      low = at;
      g_low = value;
      if (side == 1) g_high *= 0.5;
      side = 1;
    }
  }
  pt_try(t, high, y, u, du, p, memory, s);
  return high;
}

static int pt_is_finite(const double *v, int n) {
  int i;
  for (i = 0; i < n; ++i) {
    if (!(v[i] - v[i] == 0.0)) return 0;
  }
  return 1;
}

PT_ABI int PT_NAME(initialize)(const double *u, const double *p, double *memory,
                               double *y) {
  pt_space s;
  double g[PT_DIM(PT_NG)];
  const double zero = 0.0;
  int i;
  memset(memory, 0, sizeof(double) * PT_NM);
  pt_start(u, p, memory, memory + PT_NX, s.w);
  memcpy(memory + PT_AT_U, u, sizeof(double) * PT_NU);
  memcpy(memory + PT_AT_P, p, sizeof(double) * PT_NP);
  memory[PT_AT_H] = PT_H_JUMP;
  memory[PT_AT_H + 1] = PT_H_SMOOTH;
  memory[PT_AT_TOL] = PT_RTOL;
  memory[PT_AT_TOL + 1] = PT_ATOL;
  if (pt_consistent(0.0, memory, u, p, memory, &s)) return PT_REFUSED;
  for (i = 0; i < PT_NG; ++i) memory[PT_AT_ARM + i] = 1.0;
  (void)pt_fired(0.0, memory, u, p, memory, g, &s);
  pt_arm(memory, g);
  pt_outputs(&zero, memory, memory + PT_NX, u, p, y, s.w);
  return pt_is_finite(memory, PT_NM) && pt_is_finite(y, PT_NY) ? PT_OK : PT_REFUSED;
}

static int pt_is_jump(const double *memory, const double *u, const double *p) {
  int i;
  for (i = 0; i < PT_NU; ++i) {
    const double old = memory[PT_AT_U + i];
    if (!(fabs(u[i] - old) <= 1e-9 * pt_max(fabs(u[i]), fabs(old)))) return 1;
  }
  for (i = 0; i < PT_NP; ++i) {
    if (memory[PT_AT_P + i] != p[i]) return 1;
  }
  return 0;
}

/* Advance by h; the inputs are u + du (time - t), du may be null. With `stops` the step
   ends at the first event: *event is its index and *end its time. Refused steps leave
   memory and y as they were; *end is then the time reached. */
PT_ABI int PT_NAME(advance)(double *memory, double t, double h, const double *u,
                            const double *du, const double *p, double *y, int stops,
                            double *end, int *event) {
  pt_space s;
  double now[PT_NM], g[PT_DIM(PT_NG)], g_last[PT_DIM(PT_NG)], sum[PT_DIM(PT_NQ)];
  double result[PT_DIM(PT_NY)], u_now[PT_DIM(PT_NU)], u_next[PT_DIM(PT_NU)];
  double at = 0.0, now_s, step, error, proposal;
  int i, k, rejected, after_jump;
  *event = -1;
  *end = t;
  memcpy(now, memory, sizeof(double) * PT_NM);
  memcpy(u_now, u, sizeof(double) * PT_NU);
  for (i = 0; i < PT_NQ; ++i) sum[i] = 0.0;
  after_jump = pt_is_jump(now, u, p);
  if (after_jump) {
    if (pt_restart(t, now, u, p, now, &s)) return PT_REFUSED;
    now[PT_AT_H + 1] = now[PT_AT_H];
  }
  memcpy(now + PT_AT_P, p, sizeof(double) * PT_NP);
  k = pt_fired(t, now, u, p, now, g_last, &s);
  if (k >= 0 && stops) *event = k;
  pt_arm(now, g_last);
  while (at < h && *event < 0) {
    proposal = now[PT_AT_H + 1];
    step = h - at;
    if (proposal < step) step = 2.0 * proposal > step ? 0.5 * step : proposal;
    now_s = t + at;
    pt_fj(&now_s, now, now + PT_NX, u_now, p, s.f, s.jacobian, s.q0, s.jq, s.w);
    if (PT_HAS_TIME || du) {
      pt_drift(&now_s, now, now + PT_NX, u_now, p, du ? du : pt_zeros, s.ft, s.qt, s.w);
    } else {
      for (i = 0; i < PT_NQ; ++i) s.qt[i] = 0.0;
    }
    now[PT_AT_COUNT + PT_RHS] += 1.0;
    now[PT_AT_COUNT + PT_JACOBIAN] += 1.0;
    rejected = 0;
    for (;;) {
      error = pt_try(now_s, step, now, u_now, du, p, now, &s);
      if (error <= 1.0 && pt_is_finite(s.next, PT_N)) break;
      now[PT_AT_COUNT + PT_REJECTED] += 1.0;
      rejected = 1;
      step *= error < HUGE_VAL ? pt_min(0.8, pt_factor_of(error)) : 0.1;
      if (step < 1e-10 * pt_max(1.0, h)) {
        *end = now_s;
        return PT_REFUSED;
      }
    }
    proposal = step * (rejected ? pt_min(1.0, pt_factor_of(error)) : pt_factor_of(error));
    if (after_jump) {
      now[PT_AT_H] = proposal;
      after_jump = 0;
    }
    if (proposal > now[PT_AT_H + 1] || rejected || step >= 0.5 * now[PT_AT_H + 1]) {
      now[PT_AT_H + 1] = proposal;
    }
    for (i = 0; i < PT_NU; ++i) u_next[i] = du ? u[i] + (at + step) * du[i] : u[i];
    k = pt_fired(now_s + step, s.next, u_next, p, now, g, &s);
    if (k >= 0 && stops) {
      step = pt_locate(k, g_last[k], g[k], now_s, step, now, u_now, du, p, now, &s);
      for (i = 0; i < PT_NU; ++i) u_next[i] = du ? u[i] + (at + step) * du[i] : u[i];
      (void)pt_fired(now_s + step, s.next, u_next, p, now, g, &s);
      g[k] = 0.0;
      *event = k;
    }
    memcpy(g_last, g, sizeof(double) * PT_NG);
    pt_arm(now, g);
    memcpy(now, s.next, sizeof(double) * PT_N);
    memcpy(u_now, u_next, sizeof(double) * PT_NU);
    for (i = 0; i < PT_NQ; ++i) sum[i] += s.dq[i];
    now[PT_AT_COUNT + PT_STEPS] += 1.0;
    at += step;
    if (h - at < 1e-12 * h) at = h;
  }
  memcpy(now + PT_AT_U, u_now, sizeof(double) * PT_NU);
  *end = at >= h ? t + h : t + at;
  pt_outputs(end, now, now + PT_NX, u_now, p, result, s.w);
  if (at > 0.0) {
    for (i = 0; i < PT_NQ; ++i) result[pt_mean[i]] = sum[i] / at;
  }
  if (!pt_is_finite(now, PT_NM) || !pt_is_finite(result, PT_NY)) return PT_REFUSED;
  memcpy(memory, now, sizeof(double) * PT_NM);
  memcpy(y, result, sizeof(double) * PT_NY);
  return *event >= 0 ? PT_EVENT : PT_OK;
}

PT_ABI int PT_NAME(step)(double *memory, double t, double h, const double *u,
                         const double *p, double *y) {
  double end;
  int event;
  return PT_NAME(advance)(memory, t, h, u, 0, p, y, 0, &end, &event) == PT_REFUSED;
}

/* n steps from times[0] to times[n]; rows of u and du (may be null) are those of each
   step, rows of y its outputs. *done is the number of rows of y written: one more than
   the whole steps where an event ended the last one. */
PT_ABI int PT_NAME(run)(double *memory, const double *times, int n, const double *u,
                        const double *du, const double *p, double *y, int stops,
                        double *end, int *event, int *done) {
  int k, status = PT_OK;
  *event = -1;
  *end = times[0];
  for (k = 0; k < n && status == PT_OK; ++k) {
    status = PT_NAME(advance)(memory, times[k], times[k + 1] - times[k], u + k * PT_NU,
                              du ? du + k * PT_NU : 0, p, y + k * PT_NY, stops, end,
                              event);
  }
  *done = status == PT_REFUSED ? k - 1 : k;
  return status;
}
