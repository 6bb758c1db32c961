
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

/* How many equal substeps a step takes; `PT_STEP` cuts those of constant inputs. */
static int pt_substeps(double h, int n_rows) {
  const double limit = PT_SUBSTEP;
  int n = 1;
  if (limit > 0.0 && h > limit) {
    n = (int)(h / limit - 1e-9);
    if ((double)n < h / limit - 1e-9) ++n;
  }
  return n_rows > PT_INPUT_ORDER + 1 && n < PT_PROJECTED_SUBSTEPS
             ? PT_PROJECTED_SUBSTEPS
             : n;
}

/* The inputs of substep `i` of `n`, as `PT_STEP` takes them. */
static void pt_substep_rows(const double *values, const double *slopes, int n_rows,
                            double length, int i, double *rows) {
  pt_move(values, slopes, n_rows, i * length, rows);
  if (n_rows > PT_INPUT_ORDER + 1) pt_project(n_rows, length, rows);
}

/* Steps with inputs of a higher order than the step map takes. */
static int pt_take_projected(PtInstance *instance, double t, double h) {
  PtState *s = &instance->state;
  const double *p = s->values + PT_N_INPUTS + PT_N_OUTPUTS;
  const int n = pt_substeps(h, s->n_rows);
  const double length = h / n;
  double total[PT_DIM(PT_N_OUTPUTS)], *y = instance->result;
  double kept[PT_DIM(PT_N_MEMORY)];
  int i, k, is_refused = 0;
  for (k = 0; k < PT_N_OUTPUTS; ++k) total[k] = 0.0;
  for (i = 0; i < n && !is_refused; ++i) {
    pt_substep_rows(s->values, s->slopes, s->n_rows, length, i, instance->rows);
    is_refused = PT_STEP(s->x, t + i * length, length, instance->rows, p, y,
                         instance->space);
    for (k = 0; k < PT_N_OUTPUTS; ++k) total[k] += y[k];
  }
  if (!is_refused) { /* outputs at the end are those of the inputs there */
    memcpy(kept, s->x, sizeof(kept));
    pt_move(s->values, s->slopes, s->n_rows, h, instance->rows);
    is_refused = PT_STEP(kept, t + h, 0.0, instance->rows, p, y, instance->space);
  }
  if (is_refused) return 1;
  for (k = 0; k < PT_N_OUTPUTS; ++k) {
    s->values[PT_N_INPUTS + k] = pt_is_mean[k] ? total[k] / n : y[k];
  }
  return 0;
}

/* Advance by `h`; nothing is changed where this is not possible. */
static int pt_take(PtInstance *instance, double t, double h) {
  PtState *s = &instance->state;
  double *y = s->values + PT_N_INPUTS;
  const double *p = y + PT_N_OUTPUTS;
  const int n_rows = s->n_rows;
  const int is_followed = n_rows <= PT_INPUT_ORDER + 1;
  int is_refused;
  if (PT_HAS_DERIVATIVES || !is_followed) memcpy(instance->before, s->x, sizeof(s->x));
  if (is_followed) {
    const double *u = s->values;
    if (PT_INPUT_ORDER > 0) {
      memcpy(instance->rows, s->values, sizeof(double) * PT_N_INPUTS);
      memcpy(instance->rows + PT_N_INPUTS, s->slopes, sizeof(s->slopes));
      u = instance->rows;
    }
    is_refused = PT_STEP(s->x, t, h, u, p, y, instance->space);
  } else {
    is_refused = pt_take_projected(instance, t, h);
  }
  if (is_refused) { /* a refused `PT_STEP` changed nothing, but those before it did */
    if (!is_followed) memcpy(s->x, instance->before, sizeof(s->x));
    return 1;
  }
#if PT_HAS_DERIVATIVES
  memcpy(s->last_x, instance->before, sizeof(s->x));
  memcpy(s->last_inputs, s->values, sizeof(double) * PT_N_INPUTS);
  memcpy(s->last_inputs + PT_N_INPUTS, s->slopes,
         sizeof(double) * (PT_ROWS - 1) * PT_N_INPUTS);
  memcpy(s->last_parameters, p, sizeof(double) * PT_N_PARAMETERS);
  s->last_n_rows = n_rows;
  s->last_time = t;
  s->last_step = h;
#endif
  if (n_rows > 1) { /* the polynomials go on from the end of the step */
    pt_move(s->values, s->slopes, n_rows, h, instance->rows);
    memcpy(s->values, instance->rows, sizeof(double) * PT_N_INPUTS);
    memcpy(s->slopes, instance->rows + PT_N_INPUTS,
           sizeof(double) * (PT_ROWS - 1) * PT_N_INPUTS);
    pt_count_rows(s);
  }
  return 0;
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

static int pt_do_step(PtInstance *instance, double t, double h, const char *function) {
  PtState *s = &instance->state;
  if (pt_take(instance, t, h)) {
    s->step_status = PT_DISCARD;
    return pt_refuse(instance, PT_DISCARD,
                     "%s: the step of %g s from %g s was refused, because its result "
                     "cannot be computed or is not finite; nothing was changed.",
                     function, h, t);
  }
  s->time = t + h;
  s->step_status = PT_OK;
  s->is_stale = 1;
  if (instance->log_mask & 4) {
    pt_refuse(instance, PT_OK, "%s: stepped by %g s to %.17g s.", function, h, s->time);
  }
  return PT_OK;
}
#endif
