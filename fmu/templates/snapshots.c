
/* ---- saved states ------------------------------------------------------------- */
static int pt_is_own_state(const PtInstance *instance, const PtState *state) {
  return state && state->magic == PT_STATE_MAGIC &&
         state->version == PT_STATE_VERSION && state->size == sizeof(*state) &&
         memcmp(state->token, PT_TOKEN, sizeof(PT_TOKEN)) == 0 &&
         state->is_exchange == instance->state.is_exchange;
}

/* Refuse what is not a state of this FMU. */
static int pt_checked(const PtInstance *instance, const PtState *state,
                      const char *function) {
  if (!instance) return 0;
  if (pt_is_own_state(instance, state)) return 1;
  pt_refuse(instance, PT_ERROR, "%s: this is no state of this FMU.", function);
  return 0;
}

static int pt_save(PtInstance *instance, void **saved, const char *function) {
  if (!pt_is_allowed(instance, PT_ANY, function) || !saved) return PT_ERROR;
  if (!*saved) *saved = malloc(sizeof(PtState));
  if (!*saved) return pt_refuse(instance, PT_ERROR, "%s: out of memory.", function);
  memcpy(*saved, &instance->state, sizeof(PtState));
  return PT_OK;
}

static int pt_restore(PtInstance *instance, const void *saved, const char *function) {
  if (!pt_is_allowed(instance, PT_ANY, function) ||
      !pt_checked(instance, (const PtState *)saved, function)) {
    return PT_ERROR;
  }
  memcpy(&instance->state, saved, sizeof(PtState));
  return PT_OK;
}

static int pt_forget(const PtInstance *instance, void **saved) {
  if (!instance) return PT_ERROR;
  if (saved) {
    free(*saved);
    *saved = NULL;
  }
  return PT_OK;
}

/* FNV-1a; G. Fowler, L. C. Noll, K.-P. Vo, 1991. */
static uint64_t pt_checksum(const void *bytes, size_t n) {
  const unsigned char *c = (const unsigned char *)bytes;
  uint64_t sum = UINT64_C(0xcbf29ce484222325);
  for (; n; --n) sum = (sum ^ *c++) * UINT64_C(0x100000001b3);
  return sum;
}

#define PT_SERIAL_SIZE (sizeof(PtState) + sizeof(uint64_t))

static int pt_serial_size(const PtInstance *instance, const void *saved, size_t *size,
                          const char *function) {
  if (!size || !pt_checked(instance, (const PtState *)saved, function)) return PT_ERROR;
  *size = PT_SERIAL_SIZE;
  return PT_OK;
}

static int pt_serialize(const PtInstance *instance, const void *saved, void *bytes,
                        size_t size, const char *function) {
  uint64_t sum;
  if (!bytes || !pt_checked(instance, (const PtState *)saved, function)) return PT_ERROR;
  if (size < PT_SERIAL_SIZE) {
    return pt_refuse(instance, PT_ERROR, "%s: the buffer is shorter than %lu bytes.",
                     function, (unsigned long)PT_SERIAL_SIZE);
  }
  sum = pt_checksum(saved, sizeof(PtState));
  memcpy(bytes, saved, sizeof(PtState));
  memcpy((char *)bytes + sizeof(PtState), &sum, sizeof(sum));
  return PT_OK;
}

static int pt_deserialize(const PtInstance *instance, const void *bytes, size_t size,
                          void **saved, const char *function) {
  PtState *state;
  uint64_t sum;
  if (!instance || !bytes || !saved) return PT_ERROR;
  state = (PtState *)malloc(sizeof(PtState));
  if (!state) return pt_refuse(instance, PT_ERROR, "%s: out of memory.", function);
  if (size == PT_SERIAL_SIZE) {
    memcpy(state, bytes, sizeof(PtState));
    memcpy(&sum, (const char *)bytes + sizeof(PtState), sizeof(sum));
  }
  if (size != PT_SERIAL_SIZE || !pt_is_own_state(instance, state) ||
      sum != pt_checksum(state, sizeof(PtState))) {
    free(state);
    return pt_refuse(instance, PT_ERROR,
                     "%s: these bytes are no state of this FMU, or they are damaged "
                     "(size, version, byte order, guid, kind or checksum differ).",
                     function);
  }
  if (*saved) {
    memcpy(*saved, state, sizeof(PtState));
    free(state);
  } else {
    *saved = state;
  }
  return PT_OK;
}
