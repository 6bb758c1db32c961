
/* ---- derivatives, exact ------------------------------------------------------------ */
/* What unknowns are functions of: the present point, the last step. Together with a
 * state, outputs at the end are those that the last step gave. */
enum { PT_NEEDS_POINT = 1, PT_NEEDS_STEP = 2, PT_NEEDS_ENDS = 4 };

#if PT_HAS_TANGENTS
/* Add `b` to `a`. */
static void pt_add(double *a, const double *b, int n) {
  int i;
  for (i = 0; i < n; ++i) a[i] += b[i];
}
#endif

#if PT_HAS_DERIVATIVES
static const double pt_zero = 0.0;

/* Inputs at the present time, as `PT_STEP` takes them. */
static const double *pt_rows_now(PtInstance *instance) {
  PtState *s = &instance->state;
  pt_move(s->values, s->slopes, s->n_rows, 0.0, instance->rows);
  return instance->rows;
}

/* Tangent of the outputs at the present time, by the step of length zero. */
static int pt_point_forward(PtInstance *instance, const PtDirection *d, double d_h,
                            double *result) {
  const PtState *s = &instance->state;
  return PT_STEP_FORWARD(s->x, &s->time, &pt_zero, pt_rows_now(instance),
                         s->values + PT_N_INPUTS + PT_N_OUTPUTS, d->x, &d_h, d->inputs,
                         d->parameters, instance->tangent[0], result, instance->space);
}

/* Whether the inputs of the last step were of a higher order than the step map takes;
 * its outputs at the end are then those of the inputs there. */
static int pt_is_projected(const PtState *s) {
  return s->last_step > 0.0 && s->last_n_rows > PT_INPUT_ORDER + 1;
}

/* Tangents of memory and means through the last step, or the start before the first;
 * those of its outputs at the end are left in `result`. */
static int pt_step_forward(PtInstance *instance, const PtDirection *d, double *d_x,
                           double *means) {
  const PtState *s = &instance->state;
  const double *p = s->last_parameters;
  double *now = instance->before, *x = instance->tangent[0], *next = instance->tangent[1];
  int i, n;
  double h;
  if (!(s->last_step > 0.0)) {
    const int is_refused = PT_INITIALIZE_FORWARD(s->last_inputs, p, d->inputs,
                                                 d->parameters, d_x, means,
                                                 instance->space);
    memcpy(instance->result, means, sizeof(double) * PT_N_OUTPUTS);
    return is_refused;
  }
  n = pt_substeps(s->last_step, s->last_n_rows);
  h = s->last_step / n;
  memcpy(now, s->last_x, sizeof(s->x));
  memcpy(x, d->x, sizeof(s->x));
  memset(means, 0, sizeof(double) * PT_N_OUTPUTS);
  for (i = 0; i < n; ++i) {
    const double t = s->last_time + i * h;
    pt_substep_rows(s->last_inputs, s->last_inputs + PT_N_INPUTS, s->last_n_rows, h, i,
                    instance->rows);
    if (PT_STEP_FORWARD(now, &t, &h, instance->rows, p, x, &pt_zero, d->inputs,
                        d->parameters, next, instance->result, instance->space) ||
        PT_STEP(now, t, h, instance->rows, p, instance->point, instance->space)) {
      return 1;
    }
    memcpy(x, next, sizeof(s->x));
    pt_add(means, instance->result, PT_N_OUTPUTS);
  }
  for (i = 0; i < PT_N_OUTPUTS; ++i) means[i] /= n;
  memcpy(d_x, x, sizeof(s->x));
  return 0;
}

/* Gradients: of the weights `w` on the outputs at the present time. */
static int pt_point_reverse(PtInstance *instance, const PtDirection *w, PtDirection *g) {
  const PtState *s = &instance->state;
  memset(instance->tangent[0], 0, sizeof(s->x));
  return PT_STEP_REVERSE(s->x, &s->time, &pt_zero, pt_rows_now(instance),
                         s->values + PT_N_INPUTS + PT_N_OUTPUTS, instance->tangent[0],
                         w->ends, g->x, g->inputs, g->parameters, instance->space);
}

/* Gradients of the weights on memory and means, and on the outputs that the last step
 * gave at its end if `has_ends`, added to `g`. */
static int pt_step_reverse(PtInstance *instance, const PtDirection *w, PtDirection *g,
                           int has_ends) {
  const PtState *s = &instance->state;
  const double *p = s->last_parameters;
  double *x = instance->tangent[0], *before = instance->tangent[1], *path;
  PtDirection part;
  int i, k, n, is_refused = 0;
  double h;
  if (!(s->last_step > 0.0)) {
    for (k = 0; k < PT_N_OUTPUTS; ++k) {
      instance->result[k] = w->means[k] + (has_ends ? w->ends[k] : 0.0);
    }
    is_refused = PT_INITIALIZE_REVERSE(s->last_inputs, p, w->x, instance->result,
                                       part.inputs, part.parameters, instance->space);
    pt_add(g->inputs, part.inputs, PT_N_INPUTS);
    pt_add(g->parameters, part.parameters, PT_N_PARAMETERS);
    return is_refused;
  }
  n = pt_substeps(s->last_step, s->last_n_rows);
  h = s->last_step / n;
  path = (double *)malloc(sizeof(s->x) * (size_t)n);
  if (!path) return 1;
  memcpy(instance->before, s->last_x, sizeof(s->x));
  for (i = 0; i < n && !is_refused; ++i) {
    memcpy(path + i * PT_DIM(PT_N_MEMORY), instance->before, sizeof(s->x));
    if (i == n - 1) break;
    pt_substep_rows(s->last_inputs, s->last_inputs + PT_N_INPUTS, s->last_n_rows, h, i,
                    instance->rows);
    is_refused = PT_STEP(instance->before, s->last_time + i * h, h, instance->rows, p,
                         instance->point, instance->space);
  }
  memcpy(x, w->x, sizeof(s->x));
  for (i = n - 1; i >= 0 && !is_refused; --i) {
    const double t = s->last_time + i * h;
    for (k = 0; k < PT_N_OUTPUTS; ++k) {
      instance->result[k] = w->means[k] / n + (has_ends && i == n - 1 ? w->ends[k] : 0.0);
    }
    pt_substep_rows(s->last_inputs, s->last_inputs + PT_N_INPUTS, s->last_n_rows, h, i,
                    instance->rows);
    is_refused = PT_STEP_REVERSE(path + i * PT_DIM(PT_N_MEMORY), &t, &h, instance->rows,
                                 p, x, instance->result, before, part.inputs,
                                 part.parameters, instance->space);
    memcpy(x, before, sizeof(s->x));
    pt_add(g->inputs, part.inputs, PT_N_INPUTS);
    pt_add(g->parameters, part.parameters, PT_N_PARAMETERS);
  }
  pt_add(g->x, x, PT_N_MEMORY);
  free(path);
  return is_refused;
}

static int pt_tangent_of_step(PtInstance *instance, int needs) {
  PtDirection *d = &instance->seed, *r = &instance->sensitivity;
  if (instance->state.phase == PT_INITIALIZATION) {
    if (pt_step_forward(instance, d, r->x, r->means)) return 1;
    memcpy(r->ends, r->means, sizeof(r->ends));
    return 0;
  }
  if ((needs & PT_NEEDS_STEP) && pt_step_forward(instance, d, r->x, r->means)) return 1;
  if (!(needs & PT_NEEDS_POINT)) return 0;
  if (!(needs & PT_NEEDS_ENDS)) return pt_point_forward(instance, d, 0.0, r->ends);
  memcpy(r->ends, instance->result, sizeof(r->ends));
  if (!pt_is_projected(&instance->state)) return 0;
  memcpy(r->inputs, d->inputs, sizeof(r->inputs));
  memcpy(r->parameters, d->parameters, sizeof(r->parameters));
  return pt_point_forward(instance, r, 0.0, r->ends);
}

static int pt_gradient_of_step(PtInstance *instance, int needs) {
  PtDirection *w = &instance->seed, *g = &instance->sensitivity;
  int has_ends = (needs & PT_NEEDS_ENDS) != 0;
  if (instance->state.phase == PT_INITIALIZATION) {
    return pt_step_reverse(instance, w, g, 1);
  }
  if ((needs & PT_NEEDS_POINT) && (!has_ends || pt_is_projected(&instance->state))) {
    if (pt_point_reverse(instance, w, g)) return 1;
    if (has_ends) { /* they hang on the memory after the step */
      pt_add(w->x, g->x, PT_N_MEMORY);
      memset(g->x, 0, sizeof(g->x));
      has_ends = 0;
    }
  }
  return (needs & PT_NEEDS_STEP) && pt_step_reverse(instance, w, g, has_ends);
}
#endif

#if PT_HAS_EQUATIONS
static int pt_tangent_of_equations(PtInstance *instance) {
  const PtState *s = &instance->state;
  const double *p = s->values + PT_N_INPUTS + PT_N_OUTPUTS;
  PtDirection *d = &instance->seed, *r = &instance->sensitivity;
  if (s->phase == PT_INITIALIZATION) {
    if (PT_START_FORWARD(s->values, p, d->inputs, d->parameters, d->x, instance->z,
                         instance->space)) {
      return 1;
    }
    memcpy(r->x, d->x, sizeof(r->x));
  }
  return PT_EVALUATE_FORWARD(&s->time, s->x, pt_guess(s), s->values, p, d->x, d->inputs,
                             d->parameters, r->derivatives, r->ends, r->indicators,
                             instance->z, instance->space);
}

static int pt_gradient_of_equations(PtInstance *instance) {
  const PtState *s = &instance->state;
  const double *p = s->values + PT_N_INPUTS + PT_N_OUTPUTS;
  PtDirection *w = &instance->seed, *g = &instance->sensitivity;
  static const double no_weights[PT_DIM(PT_N_ALGEBRAIC)] = {0.0};
  if (PT_EVALUATE_REVERSE(&s->time, s->x, pt_guess(s), s->values, p, w->derivatives, w->ends,
                          w->indicators, no_weights, g->x, g->inputs, g->parameters,
                          instance->space)) {
    return 1;
  }
  if (s->phase == PT_INITIALIZATION) {
    PtDirection part;
    pt_add(w->x, g->x, PT_N_STATES);
    if (PT_START_REVERSE(s->values, p, w->x, no_weights, part.inputs, part.parameters,
                         instance->space)) {
      return 1;
    }
    pt_add(g->inputs, part.inputs, PT_N_INPUTS);
    pt_add(g->parameters, part.parameters, PT_N_PARAMETERS);
  }
  return 0;
}
#endif
