/* One step of a fast step map that hands over to an exact one where its guard trips.

   Everything specific is generated above: the fast step map (PTW_FAST(initialize),
   PTW_FAST(step), type pts_space), the exact one of `rosenbrock.c` (PTW_EXACT(...), type
   pti_space), the functions PTW_CALL(distance), PTW_CALL(correct), PTW_CALL(project) and
   PTW_CALL(answer) in CasADi's calling convention, and the sizes PTW_*.

   Memory: that of the fast part, whether the exact part answers, for how long it or the
   fast part has answered, the past inputs, the memory of the exact part (meaningless
   while the fast part answers).

   The past inputs are knots of their integrals over time. When there are too many, the
   knot is dropped that bends the integrals least, seen from now: the error that a
   missing knot leaves is weighted by 1 / (age + PTW_FADE_S). */

#define PTW_AT_SIDE PTW_N_FAST
#define PTW_AT_SINCE (PTW_N_FAST + 1)
#define PTW_AT_COUNT (PTW_N_FAST + 2)
#define PTW_AT_KNOT (PTW_N_FAST + 3)
#define PTW_WIDTH (2 + PTI_NU)
#define PTW_AT_EXACT (PTW_AT_KNOT + (PTW_N_KNOT + 1) * PTW_WIDTH)
#define PTW_N_MEMORY (PTW_AT_EXACT + PTI_NM)
#define PTW_STRAIGHT_S 1e-9

enum { PTW_OK, PTW_BY_FAST, PTW_BY_START, PTW_BY_PAST, PTW_BY_EXACT, PTW_BY_RESULT };

typedef struct {
  union {
    pts_space fast;
    pti_space exact;
    casadi_real w[PTW_N_W];
  } scratch;
  const casadi_real *arg[PTW_N_ARG];
  casadi_real *res[PTW_N_RES];
  casadi_int iw[PTW_N_IW];
  double trial[PTI_DIM(PTW_N_FAST)], projected[PTI_DIM(PTW_N_FAST)];
  double exact[PTI_NM], states[PTI_DIM(PTI_NX)];
  double y_fast[PTI_DIM(PTW_N_Y)], y_exact[PTI_DIM(PTI_NY)], y[PTI_DIM(PTW_N_Y)];
} ptw_space;

/* What a refused step has to say, if anybody asks. */
typedef struct {
  int cause;
  double end, *why;
} ptw_account;

static int ptw_call(int (*function)(const casadi_real **, casadi_real **, casadi_int *,
                                    casadi_real *, int),
                    ptw_space *s) {
  return function(s->arg, s->res, s->iw, s->scratch.w, 0);
}

static double ptw_distance(const double *u, const double *p, ptw_space *s) {
  double distance = HUGE_VAL;
  s->arg[0] = s->y_fast;
  s->arg[1] = u;
  s->arg[2] = p;
  s->res[0] = &distance;
  return ptw_call(PTW_CALL(distance), s) ? HUGE_VAL : distance;
}

/* How far the integrals at a knot lie from the line between its neighbours, s. */
static double ptw_bend(const double *knot) {
  const double *a = knot - PTW_WIDTH, *b = knot + PTW_WIDTH;
  const double share = (knot[0] - a[0]) / (b[0] - a[0]);
  double bend = 0.0;
  int i;
  for (i = 2; i < PTW_WIDTH; ++i) {
    bend += fabs(knot[i] - a[i] - share * (b[i] - a[i])) * ptw_weight[i - 2];
  }
  return bend;
}

static void ptw_drop(double *knots, int k, int n) {
  memmove(knots + k * PTW_WIDTH, knots + (k + 1) * PTW_WIDTH,
          sizeof(double) * (size_t)((n - k - 1) * PTW_WIDTH));
}

static void ptw_record(double *memory, double h, const double *u) {
  double *knots = memory + PTW_AT_KNOT, *last, *next;
  int n = (int)memory[PTW_AT_COUNT], i, k, least;
  if (!(h > 0.0)) return;
  last = knots + (n - 1) * PTW_WIDTH;
  next = last + PTW_WIDTH;
  next[0] = last[0] + h;
  next[1] = 0.0;
  for (i = 0; i < PTI_NU; ++i) next[2 + i] = last[2 + i] + h * u[i];
  ++n;
  if (n > 2) {
    last[1] = ptw_bend(last);
    if (last[1] <= PTW_STRAIGHT_S) {
      ptw_drop(knots, n - 2, n);
      --n;
      if (n > 2) knots[(n - 2) * PTW_WIDTH + 1] = ptw_bend(knots + (n - 2) * PTW_WIDTH);
    }
  }
  if (n > PTW_N_KNOT) {
    const double now = knots[(n - 1) * PTW_WIDTH] + PTW_FADE_S;
    for (least = 1, k = 2; k < n - 1; ++k) {
      const double *a = knots + least * PTW_WIDTH, *b = knots + k * PTW_WIDTH;
      if (b[1] * (now - a[0]) < a[1] * (now - b[0])) least = k;
    }
    ptw_drop(knots, least, n);
    --n;
    for (k = least - 1; k <= least; ++k) {
      if (k > 0 && k < n - 1) knots[k * PTW_WIDTH + 1] = ptw_bend(knots + k * PTW_WIDTH);
    }
  }
  memory[PTW_AT_COUNT] = n;
}

static int ptw_step_exact(double *exact, double t, double h, const double *u,
                          const double *p, int cause, ptw_account *account,
                          ptw_space *s) {
  double rows[PTI_DIM(2 * PTI_NU)] = {0.0}; /* values, slopes */
  memcpy(rows, u, sizeof(double) * PTI_NU);
  if (!PTW_EXACT(step)(exact, t, h, rows, p, s->y_exact, &s->scratch.exact)) {
    return PTW_OK;
  }
  if (account->why) {
    PTW_EXACT(explain)(exact, t, h, u, 0, p, &account->end, account->why,
                       &s->scratch.exact);
  }
  account->cause = cause;
  return cause;
}

/* The exact memory that the past inputs lead to, with the fast memory's totals. */
static int ptw_lift(const double *memory, double t, const double *u, const double *p,
                    double *exact, ptw_account *account, ptw_space *s) {
  const double *knots = memory + PTW_AT_KNOT, *a, *b;
  const int n = (int)memory[PTW_AT_COUNT];
  const double began = t - knots[(n - 1) * PTW_WIDTH];
  double mean[PTI_DIM(PTI_NU)];
  int i, k;
  for (k = 0; k == 0 || k < n - 1; ++k) {
    a = knots + k * PTW_WIDTH;
    b = a + PTW_WIDTH;
    for (i = 0; i < PTI_NU; ++i) {
      mean[i] = n > 1 ? (b[2 + i] - a[2 + i]) / (b[0] - a[0]) : u[i];
    }
    if (k == 0) {
      if (PTW_EXACT(initialize)(mean, p, exact, s->y_exact, &s->scratch.exact)) {
        return account->cause = PTW_BY_START;
      }
      exact[PTI_AT_TOLERANCE] = PTW_PAST_RTOL;
      exact[PTI_AT_TOLERANCE + 1] = PTW_PAST_ATOL;
    }
    if (n > 1 && ptw_step_exact(exact, began + a[0], b[0] - a[0], mean, p, PTW_BY_PAST,
                                account, s)) {
      return account->cause;
    }
  }
  exact[PTI_AT_TOLERANCE] = PTI_RTOL;
  exact[PTI_AT_TOLERANCE + 1] = PTI_ATOL;
  s->arg[0] = memory;
  s->arg[1] = exact;
  s->arg[2] = p;
  s->res[0] = s->states;
  if (ptw_call(PTW_CALL(correct), s)) return account->cause = PTW_BY_PAST;
  memcpy(exact, s->states, sizeof(double) * PTI_NX);
  /* The states have jumped, and where the inputs do not, the step would not know. */
  if (pti_consistent(t, exact, exact + PTI_AT_INPUT, p, exact, &s->scratch.exact)) {
    return account->cause = PTW_BY_PAST;
  }
  return PTW_OK;
}

/* The outputs of the exact part, and the fast memory that agrees with it. */
static int ptw_take_over(const double *before, double h, const double *u,
                         const double *p, ptw_space *s) {
  s->arg[0] = s->exact;
  s->arg[1] = s->trial;
  s->arg[2] = p;
  s->res[0] = s->projected;
  if (ptw_call(PTW_CALL(project), s)) return 1;
  s->arg[0] = before;
  s->arg[1] = s->projected;
  s->arg[2] = s->y_fast;
  s->arg[3] = s->y_exact;
  s->arg[4] = &h;
  s->arg[5] = u;
  s->arg[6] = p;
  s->res[0] = s->y;
  if (ptw_call(PTW_CALL(answer), s)) return 1;
  return !(pti_is_finite(s->projected, PTW_N_FAST) && pti_is_finite(s->y, PTW_N_Y));
}

static void ptw_flag(double *y, double distance, int is_exact) {
  y[PTW_N_Y] = distance <= 1.0;
  y[PTW_N_Y + 1] = is_exact;
}

static int ptw_advance(double *memory, double t, double h, const double *u,
                       const double *p, double *y, ptw_account *account, ptw_space *s) {
  const int was_exact = memory[PTW_AT_SIDE] != 0.0;
  double distance;
  account->end = t;
  memcpy(s->trial, memory, sizeof(double) * PTW_N_FAST);
  if (PTW_FAST(step)(s->trial, t, h, u, p, s->y_fast, &s->scratch.fast)) {
    return account->cause = PTW_BY_FAST;
  }
  distance = ptw_distance(u, p, s);
  if (!was_exact && distance <= 1.0) {
    memcpy(memory, s->trial, sizeof(double) * PTW_N_FAST);
    memcpy(y, s->y_fast, sizeof(double) * PTW_N_Y);
    ptw_flag(y, distance, 0);
    memory[PTW_AT_SINCE] += h;
    ptw_record(memory, h, u);
    return account->cause = PTW_OK;
  }
  if (was_exact) {
    memcpy(s->exact, memory + PTW_AT_EXACT, sizeof(double) * PTI_NM);
  } else if (ptw_lift(memory, t, u, p, s->exact, account, s)) {
    return account->cause;
  }
  if (ptw_step_exact(s->exact, t, h, u, p, PTW_BY_EXACT, account, s)) {
    return account->cause;
  }
  if (ptw_take_over(memory, h, u, p, s)) return account->cause = PTW_BY_RESULT;
  memcpy(memory, s->projected, sizeof(double) * PTW_N_FAST);
  memcpy(memory + PTW_AT_EXACT, s->exact, sizeof(double) * PTI_NM);
  memcpy(y, s->y, sizeof(double) * PTW_N_Y);
  ptw_flag(y, distance, 1);
  memory[PTW_AT_SINCE] = was_exact ? memory[PTW_AT_SINCE] + h : h;
  memory[PTW_AT_SIDE] = 1.0;
  if (distance <= PTW_BACK && memory[PTW_AT_SINCE] >= PTW_DWELL_S) {
    memory[PTW_AT_SIDE] = memory[PTW_AT_SINCE] = 0.0;
  }
  ptw_record(memory, h, u);
  return account->cause = PTW_OK;
}

PTW_ABI size_t PTW_NAME(space_size)(void) { return sizeof(ptw_space); }

PTW_ABI int PTW_NAME(initialize)(const double *u, const double *p, double *memory,
                                 double *y, void *space) {
  ptw_space *s = (ptw_space *)space;
  double distance;
  memset(memory, 0, sizeof(double) * PTW_N_MEMORY);
  if (PTW_FAST(initialize)(u, p, memory, s->y_fast, &s->scratch.fast)) return 1;
  memory[PTW_AT_COUNT] = 1.0;
  distance = ptw_distance(u, p, s);
  if (distance <= 1.0) {
    memcpy(y, s->y_fast, sizeof(double) * PTW_N_Y);
  } else {
    if (PTW_EXACT(initialize)(u, p, s->exact, s->y_exact, &s->scratch.exact)) return 1;
    memcpy(s->trial, memory, sizeof(double) * PTW_N_FAST);
    if (ptw_take_over(memory, 0.0, u, p, s)) return 1;
    memcpy(memory, s->projected, sizeof(double) * PTW_N_FAST);
    memcpy(memory + PTW_AT_EXACT, s->exact, sizeof(double) * PTI_NM);
    memcpy(y, s->y, sizeof(double) * PTW_N_Y);
    memory[PTW_AT_SIDE] = 1.0;
  }
  ptw_flag(y, distance, !(distance <= 1.0));
  return 0;
}

PTW_ABI int PTW_NAME(step)(double *memory, double t, double h, const double *u,
                           const double *p, double *y, void *space) {
  ptw_account account = {PTW_OK, 0.0, 0};
  return ptw_advance(memory, t, h, u, p, y, &account, (ptw_space *)space) != PTW_OK;
}

#ifdef PTW_WITH_EXPLAIN
/* Repeat a refused step: who refused it, the time that the exact part reached and what
   `NAME_pt_explain` of it says. */
PTW_ABI int PTW_NAME(explain)(double *memory, double t, double h, const double *u,
                              const double *p, double *y, double *end, double *why,
                              void *space) {
  ptw_account account = {PTW_OK, t, why};
  ptw_advance(memory, t, h, u, p, y, &account, (ptw_space *)space);
  *end = account.end;
  return account.cause;
}

PTW_ABI int PTW_NAME(lift)(const double *memory, double t, const double *u,
                           const double *p, double *exact, void *space) {
  ptw_account account = {PTW_OK, t, 0};
  return ptw_lift(memory, t, u, p, exact, &account, (ptw_space *)space);
}
#endif
