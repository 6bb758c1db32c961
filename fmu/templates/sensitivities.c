
/* ---- derivatives as FMI asks for them ----------------------------------------------- */
/* Where in a direction the values of `v` lie; NULL if it is on the other side. */
static double *pt_side(const PtInstance *instance, PtDirection *d, const PtVariable *v,
                       int is_unknown) {
#if PT_HAS_TANGENTS
  const int is_exchange = instance->state.is_exchange;
  if (v->kind == PT_STATE) {
    const int is_start = instance->state.phase == PT_INITIALIZATION;
    if (is_exchange ? is_unknown == is_start : is_unknown || !is_start) {
      return d->x + (v->address - PT_AT_STATE);
    }
    return NULL;
  }
  if (!is_unknown) {
    if (v->kind == PT_INPUT) return d->inputs + v->address;
    if (v->kind == PT_FIXED || v->kind == PT_TUNABLE) {
      return d->parameters + (v->address - PT_N_INPUTS - PT_N_OUTPUTS);
    }
    return NULL;
  }
  if (v->kind == PT_OUTPUT) {
    const int k = v->address - PT_N_INPUTS;
    return (!is_exchange && pt_is_mean[k] ? d->means : d->ends) + k;
  }
  if (is_exchange && v->kind == PT_DERIVATIVE) {
    return d->derivatives + (v->address - PT_AT_DERIVATIVE);
  }
  if (is_exchange && v->kind == PT_INDICATOR) {
    return d->indicators + (v->address - PT_AT_INDICATOR);
  }
#endif
  (void)instance;
  (void)d;
  (void)v;
  (void)is_unknown;
  return NULL;
}

typedef struct {
  const unsigned int *references;
  size_t n;
  size_t n_values;
} PtList;

/* Check one side of a derivative, and what it needs: the present, the last step. */
static int pt_check_side(PtInstance *instance, const PtList *list, int is_unknown,
                         int *needs, const char *function) {
  size_t i;
  if (!pt_is_complete(instance, list->references, list->n, list->n_values, function)) {
    return 0;
  }
  for (i = 0; i < list->n; ++i) {
    const PtVariable *v = &pt_variables[list->references[i]];
    if (!pt_side(instance, &instance->seed, v, is_unknown)) {
      pt_refuse(instance, PT_ERROR,
                "%s: `%s` cannot be %s of a derivative while the instance is %s.",
                function, v->name, is_unknown ? "the unknown" : "a known",
                pt_phase_name(instance->state.phase));
      return 0;
    }
    if (is_unknown) {
      const int is_of_step = v->kind == PT_STATE ||
                             (v->kind == PT_OUTPUT && pt_is_mean[v->address - PT_N_INPUTS]);
      *needs |= is_of_step ? PT_NEEDS_STEP : PT_NEEDS_POINT;
      if (v->kind == PT_STATE) *needs |= PT_NEEDS_ENDS;
    }
  }
  return 1;
}

/* Both derivatives: seeds on one side give sensitivities on the other. */
static int pt_differentiate(PtInstance *instance, PtList unknowns, PtList knowns,
                            const double seeds[], double sensitivities[],
                            int is_adjoint, const char *function) {
  const PtList *from = is_adjoint ? &unknowns : &knowns;
  const PtList *to = is_adjoint ? &knowns : &unknowns;
  PtDirection *d, *r;
  int needs = 0, is_refused = 1, k;
  size_t i;
  if (!pt_is_allowed(instance, PT_INITIALIZATION | PT_RUNNING, function)) return PT_ERROR;
  if (instance->state.is_exchange ? !PT_HAS_EQUATIONS : !PT_HAS_DERIVATIVES) {
    return pt_refuse(instance, PT_ERROR, "%s is not provided.", function);
  }
  if (!pt_check_side(instance, &unknowns, 1, &needs, function) ||
      !pt_check_side(instance, &knowns, 0, &needs, function) ||
      !pt_refresh(instance, function)) {
    return PT_ERROR;
  }
  d = &instance->seed;
  r = &instance->sensitivity;
  memset(d, 0, sizeof(*d));
  memset(r, 0, sizeof(*r));
  for (i = 0; i < from->n; ++i) {
    const PtVariable *v = &pt_variables[from->references[i]];
    double *place = pt_side(instance, d, v, is_adjoint);
    for (k = 0; k < v->size; ++k) place[k] += *seeds++;
  }
#if PT_HAS_EQUATIONS
  if (instance->state.is_exchange) {
    if (!pt_evaluate(instance, function)) return PT_DISCARD;
    is_refused = is_adjoint ? pt_gradient_of_equations(instance)
                            : pt_tangent_of_equations(instance);
  }
#endif
#if PT_HAS_DERIVATIVES
  if (!instance->state.is_exchange) {
    is_refused = is_adjoint ? pt_gradient_of_step(instance, needs)
                            : pt_tangent_of_step(instance, needs);
  }
#endif
  for (i = 0; i < to->n; ++i) {
    const PtVariable *v = &pt_variables[to->references[i]];
    const double *place = pt_side(instance, r, v, !is_adjoint);
    for (k = 0; k < v->size; ++k) *sensitivities++ = place[k];
    is_refused |= !pt_all_finite(place, v->size);
  }
  if (!is_refused) return PT_OK;
  return pt_refuse(instance, PT_DISCARD, "%s: a derivative is not finite here.", function);
}

#if PT_HAS_STEPS
/* First time derivatives of outputs at the present time. */
static int pt_output_slopes(PtInstance *instance, const unsigned int references[],
                            size_t n, const int32_t orders[], double values[],
                            size_t n_values, const char *function) {
  size_t i;
  if (!pt_is_allowed(instance, PT_STEPPING | PT_INTERMEDIATE, function) ||
      !pt_is_complete(instance, references, n, n_values, function)) {
    return PT_ERROR;
  }
  for (i = 0; i < n; ++i) {
    const PtVariable *v = &pt_variables[references[i]];
    if (!PT_HAS_DERIVATIVES || v->kind != PT_OUTPUT || orders[i] != 1 ||
        pt_is_mean[v->address - PT_N_INPUTS]) {
      return pt_refuse(instance, PT_ERROR,
                       "%s: derivative %d of `%s` is not provided; there are first ones, "
                       "of outputs that are not means over the step.",
                       function, (int)orders[i], v->name);
    }
  }
#if PT_HAS_DERIVATIVES
  memset(&instance->seed, 0, sizeof(instance->seed));
  if (PT_INPUT_ORDER == 0) { /* else the step follows the inputs by itself */
    memcpy(instance->seed.inputs, instance->state.slopes, sizeof(double) * PT_N_INPUTS);
  }
  if (pt_point_forward(instance, &instance->seed, 1.0, instance->point)) {
    return pt_refuse(instance, PT_DISCARD, "%s: not defined here.", function);
  }
  for (i = 0; i < n; ++i) {
    const PtVariable *v = &pt_variables[references[i]];
    memcpy(values, instance->point + (v->address - PT_N_INPUTS),
           sizeof(double) * (size_t)v->size);
    values += v->size;
  }
#else
  (void)values;
#endif
  return PT_OK;
}
#endif
