
#if PT_HAS_STEPS
/* ---- steps ------------------------------------------------------------------------ */
/* The input polynomials about an origin moved by `offset`, PT_ROWS rows. */
static void pt_move(const double *values, const double *slopes, int n_rows,
                    double offset, double *rows) {
  int i, j, k;
  for (k = 0; k < PT_N_INPUTS; ++k) {
    for (i = 0; i < PT_ROWS; ++i) {
      double sum = 0.0;
      for (j = n_rows - 1 - i; j >= 0; --j) {
        const double c = i + j ? slopes[(i + j - 1) * PT_N_INPUTS + k] : values[k];
        sum = j == n_rows - 1 - i ? c : c + offset / (j + 1) * sum;
      }
      rows[i * PT_N_INPUTS + k] = sum;
    }
  }
}

/* The nearest polynomials of the order that the step map takes, over `length`. */
static void pt_project(int n_rows, double length, double *rows) {
  int i, j, k;
  for (k = 0; k < PT_N_INPUTS; ++k) {
    double fit[PT_INPUT_ORDER + 1];
    for (i = 0; i <= PT_INPUT_ORDER; ++i) {
      double power = 1.0;
      fit[i] = 0.0;
      for (j = i; j < n_rows; ++j, power *= length) {
        fit[i] += pt_projection[n_rows - 1][i][j] * power * rows[j * PT_N_INPUTS + k];
      }
    }
    for (i = 0; i <= PT_INPUT_ORDER; ++i) rows[i * PT_N_INPUTS + k] = fit[i];
  }
}

/* Whether the step map follows polynomials of so many rows. */
static int pt_is_followed(int n_rows) {
  return PT_INPUT_ORDER + 1 >= PT_ROWS || n_rows <= PT_INPUT_ORDER + 1;
}

/* How many equal substeps a step takes; `PT_STEP` cuts those of constant inputs. */
static int pt_substeps(double h, int n_rows) {
  const double limit = PT_SUBSTEP;
  int n = 1;
  if (limit > 0.0 && h > limit) {
    n = (int)(h / limit - 1e-9);
    if ((double)n < h / limit - 1e-9) ++n;
  }
  return !pt_is_followed(n_rows) && n < PT_PROJECTED_SUBSTEPS
             ? PT_PROJECTED_SUBSTEPS
             : n;
}

/* The inputs of substep `i` of `n`, as `PT_STEP` takes them. */
static void pt_substep_rows(const double *values, const double *slopes, int n_rows,
                            double length, int i, double *rows) {
  pt_move(values, slopes, n_rows, i * length, rows);
  if (!pt_is_followed(n_rows)) pt_project(n_rows, length, rows);
}

/* One step of the step map: 0 if it was done, 1 if refused, and, if it `stops` at
 * events, 2 if one is due at `*end`, which is given as the end of the step. */
static int pt_advance(PtInstance *instance, double t, double h, int stops,
                      const double *u, double *y, double *end) {
  PtState *s = &instance->state;
  const double *p = s->values + PT_N_INPUTS + PT_N_OUTPUTS;
#if PT_HAS_EVENT_MODE
  if (stops) return PT_STEP_UNTIL(s->x, t, h, u, p, y, end, instance->space);
#endif
  (void)stops;
  (void)end;
  return PT_STEP(s->x, t, h, u, p, y, instance->space);
}

/* Steps with inputs of a higher order than the step map takes; see `pt_advance`. */
static int pt_take_projected(PtInstance *instance, double t, double h, int stops,
                             double *end) {
  PtState *s = &instance->state;
  const double *p = s->values + PT_N_INPUTS + PT_N_OUTPUTS;
  const int n = pt_substeps(h, s->n_rows);
  const double length = h / n;
  double total[PT_DIM(PT_N_OUTPUTS)], *y = instance->result;
  double kept[PT_DIM(PT_N_MEMORY)], count = 0.0, share;
  int i, k, outcome = 0;
  for (k = 0; k < PT_N_OUTPUTS; ++k) total[k] = 0.0;
  for (i = 0; i < n && outcome == 0; ++i) {
    const double from = t + i * length;
    double at = i == n - 1 ? t + h : from + length;
    const double last = at;
    pt_substep_rows(s->values, s->slopes, s->n_rows, length, i, instance->rows);
    outcome = pt_advance(instance, from, length, stops, instance->rows, y, &at);
    share = outcome == 2 && at < last ? (at - from) / length : 1.0;
    if (outcome == 2) *end = at;
    for (k = 0; k < PT_N_OUTPUTS; ++k) total[k] += share * y[k];
    count += share;
  }
  if (outcome != 1) { /* outputs at the end are those of the inputs there */
    memcpy(kept, s->x, sizeof(kept));
    pt_move(s->values, s->slopes, s->n_rows, outcome == 2 ? *end - t : h,
            instance->rows);
    if (PT_STEP(kept, *end, 0.0, instance->rows, p, y, instance->space)) outcome = 1;
  }
  if (outcome == 1) return 1;
  for (k = 0; k < PT_N_OUTPUTS; ++k) {
    s->values[PT_N_INPUTS + k] =
        pt_is_mean[k] ? (count > 0.0 ? total[k] / count : y[k]) : y[k];
  }
  return outcome;
}

/* Advance by `h`, or to an event, as `pt_advance`; nothing is changed where this is not
 * possible. */
static int pt_take(PtInstance *instance, double t, double h, int stops, double *end) {
  PtState *s = &instance->state;
  double *y = s->values + PT_N_INPUTS;
  const int n_rows = s->n_rows;
  const int is_followed = pt_is_followed(n_rows);
  int outcome;
  *end = t + h;
  if (PT_HAS_DERIVATIVES || !is_followed) memcpy(instance->before, s->x, sizeof(s->x));
  if (is_followed) {
    outcome = pt_advance(instance, t, h, stops, pt_given(instance), y, end);
  } else {
    outcome = pt_take_projected(instance, t, h, stops, end);
  }
  if (outcome == 1) { /* a refused `PT_STEP` changed nothing, but those before it did */
    if (!is_followed) memcpy(s->x, instance->before, sizeof(s->x));
    return 1;
  }
#if PT_HAS_DERIVATIVES
  memcpy(s->last_x, instance->before, sizeof(s->x));
  memcpy(s->last_inputs, s->values, sizeof(double) * PT_N_INPUTS);
  memcpy(s->last_inputs + PT_N_INPUTS, s->slopes,
         sizeof(double) * (PT_ROWS - 1) * PT_N_INPUTS);
  memcpy(s->last_parameters, y + PT_N_OUTPUTS, sizeof(double) * PT_N_PARAMETERS);
  s->last_n_rows = n_rows;
  s->last_time = t;
  s->last_step = h;
#endif
  if (n_rows > 1) { /* the polynomials go on from the end of the step */
    pt_move(s->values, s->slopes, n_rows, *end < t + h ? *end - t : h, instance->rows);
    memcpy(s->values, instance->rows, sizeof(double) * PT_N_INPUTS);
    memcpy(s->slopes, instance->rows + PT_N_INPUTS,
           sizeof(double) * (PT_ROWS - 1) * PT_N_INPUTS);
    pt_count_rows(s);
  }
  return outcome;
}

/* Whether a step of `h` from `t` can be tried; says why not. */
static int pt_may_step(const PtInstance *instance, double t, double h,
                       const char *function) {
  const PtState *s = &instance->state;
  const double tolerance = 1e-6 * h + 1e-9 * fabs(s->time);
  if (!(h > 0.0) || !pt_is_finite(h)) {
    pt_refuse(instance, PT_ERROR, "%s: step size %g s, expected more than 0 s.",
              function, h);
    return 0;
  }
  if (!(fabs(t - s->time) <= tolerance)) {
    pt_refuse(instance, PT_ERROR,
              "%s: called at %.17g s, but the instance stands at %.17g s.", function, t,
              s->time);
    return 0;
  }
  if (s->has_stop_time && t + h > s->stop_time + tolerance) {
    pt_refuse(instance, PT_ERROR,
              "%s: the step ends at %.17g s, after the stop time %.17g s.", function,
              t + h, s->stop_time);
    return 0;
  }
  return 1;
}

/* Take a step, if it `stops` at most to the first event. */
static int pt_do_step(PtInstance *instance, double t, double h, int stops,
                      int *has_event, const char *function) {
  PtState *s = &instance->state;
  double end;
  const int outcome = pt_take(instance, t, h, stops, &end);
  *has_event = outcome == 2;
  if (outcome == 1) {
    s->step_status = PT_DISCARD;
    return pt_refuse(instance, PT_DISCARD,
                     "%s: the step of %g s from %g s was refused, because its result "
                     "cannot be computed or is not finite; nothing was changed.",
                     function, h, t);
  }
  s->time = end;
  s->step_status = PT_OK;
  s->is_stale = 1;
  s->is_touched = 0;
  if (instance->log_mask & 4) {
    pt_refuse(instance, PT_OK, "%s: stepped by %g s to %.17g s.", function, end - t,
              s->time);
  }
  return PT_OK;
}
#endif
