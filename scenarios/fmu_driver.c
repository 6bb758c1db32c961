/* A client of co-simulation FMUs (FMI 2.0 and 3.0) that needs libc only.

   fmu_driver LIBRARY TOKEN TABLE MODE [ARGUMENTS]

   TABLE is binary: the number of inputs, outputs, parameters and steps (int32), the
   communication step (double), the value references of inputs, outputs and parameters
   (uint32), the parameters, and the inputs of every step (double, by row). Modes:

   run OUT                 step through the table; the outputs after every step to OUT
   time REPEATS            median seconds of set inputs, doStep, get outputs
   threads N M             N threads with M instances each, compared with a serial run
   leak N                  N instances made, stepped once and freed: bytes grown, s each
   save FOLDER AT...       serialize before each of these steps to FOLDER/AT
   resume STATE AT OUT     go on from such a file; the outputs of 20 steps to OUT */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define N_AFTER 20

typedef struct {
  void (*log)(void *, const char *, int, const char *, const char *, ...);
  void *(*allocate)(size_t, size_t);
  void (*release)(void *);
  void (*finished)(void *, int);
  void *environment;
} callbacks2;

static int is_3;
static void *library;
static const char *token;
static int n_in, n_out, n_parameter, n_step;
static double step_s;
static uint32_t *in_vr, *out_vr, *parameter_vr;
static double *parameters, *inputs;

static void *(*make2)(const char *, int, const char *, const char *, const callbacks2 *,
                      int, int);
static void *(*make3)(const char *, const char *, const char *, int, int, int, int,
                      const uint32_t *, size_t, void *, void *, void *);
static void (*release)(void *);
static int (*setup2)(void *, int, double, double, int, double);
static int (*enter2)(void *);
static int (*enter3)(void *, int, double, double, int, double);
static int (*leave)(void *);
static int (*set2)(void *, const uint32_t *, size_t, const double *);
static int (*get2)(void *, const uint32_t *, size_t, double *);
static int (*set3)(void *, const uint32_t *, size_t, const double *, size_t);
static int (*get3)(void *, const uint32_t *, size_t, double *, size_t);
static int (*step2)(void *, double, double, int);
static int (*step3)(void *, double, double, _Bool, _Bool *, _Bool *, _Bool *, double *);
static int (*get_state)(void *, void **);
static int (*set_state)(void *, void *);
static int (*free_state)(void *, void **);
static int (*size_state)(void *, void *, size_t *);
static int (*serialize)(void *, void *, char *, size_t);
static int (*deserialize)(void *, const char *, size_t, void **);

static void fail(const char *what) {
  fprintf(stderr, "fmu_driver: %s\n", what);
  exit(1);
}

static void must(int status, const char *what) {
  if (status > 1) fail(what);
}

static void write2(void *e, const char *n, int s, const char *c, const char *text, ...) {
  (void)e, (void)n, (void)s, (void)c;
  fprintf(stderr, "%s\n", text);
}

static void write3(void *e, int s, const char *c, const char *text) {
  (void)e, (void)s, (void)c;
  fprintf(stderr, "%s\n", text);
}

static void *symbol(const char *name) {
  char full[64];
  void *found;
  snprintf(full, sizeof full, "fmi%d%s", is_3 ? 3 : 2, name);
  found = dlsym(library, full);
  if (!found) fail(full);
  return found;
}

#define LOAD(pointer, name) *(void **)&(pointer) = symbol(name)

static void load(const char *path) {
  library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
  if (!library) fail(dlerror());
  is_3 = dlsym(library, "fmi3GetVersion") != NULL;
  LOAD(release, "FreeInstance");
  LOAD(leave, "ExitInitializationMode");
  if (is_3) {
    LOAD(make3, "InstantiateCoSimulation");
    LOAD(enter3, "EnterInitializationMode");
    LOAD(set3, "SetFloat64");
    LOAD(get3, "GetFloat64");
    LOAD(step3, "DoStep");
    LOAD(get_state, "GetFMUState");
    LOAD(set_state, "SetFMUState");
    LOAD(free_state, "FreeFMUState");
    LOAD(size_state, "SerializedFMUStateSize");
    LOAD(serialize, "SerializeFMUState");
    LOAD(deserialize, "DeserializeFMUState");
    return;
  }
  LOAD(make2, "Instantiate");
  LOAD(setup2, "SetupExperiment");
  LOAD(enter2, "EnterInitializationMode");
  LOAD(set2, "SetReal");
  LOAD(get2, "GetReal");
  LOAD(step2, "DoStep");
  LOAD(get_state, "GetFMUstate");
  LOAD(set_state, "SetFMUstate");
  LOAD(free_state, "FreeFMUstate");
  LOAD(size_state, "SerializedFMUstateSize");
  LOAD(serialize, "SerializeFMUstate");
  LOAD(deserialize, "DeSerializeFMUstate");
}

static const callbacks2 callbacks = {write2, calloc, free, NULL, NULL};

static void *make(void) {
  void *made = is_3 ? make3("driver", token, NULL, 0, 0, 0, 0, NULL, 0, NULL,
                            (void *)write3, NULL)
                    : make2("driver", 1, token, "file:///", &callbacks, 0, 0);
  if (!made) fail("instantiate");
  return made;
}

static void set_all(void *c, const uint32_t *vr, size_t n, const double *values) {
  if (n) must(is_3 ? set3(c, vr, n, values, n) : set2(c, vr, n, values), "set");
}

static void set(void *c, const double *values) {
  set_all(c, in_vr, (size_t)n_in, values);
}

static void get(void *c, double *values) {
  must(is_3 ? get3(c, out_vr, (size_t)n_out, values, (size_t)n_out)
            : get2(c, out_vr, (size_t)n_out, values),
       "get");
}

static void start(void *c) {
  if (is_3) {
    must(enter3(c, 0, 0.0, 0.0, 0, 0.0), "enter");
  } else {
    must(setup2(c, 0, 0.0, 0.0, 0, 0.0), "setup");
    must(enter2(c), "enter");
  }
  set_all(c, parameter_vr, (size_t)n_parameter, parameters);
  set(c, inputs);
  must(leave(c), "leave");
}

static void step(void *c, int k) {
  _Bool event, stop, early;
  double reached;
  must(is_3 ? step3(c, k * step_s, step_s, 1, &event, &stop, &early, &reached)
            : step2(c, k * step_s, step_s, 1),
       "step");
}

static double *outputs_of_run(int n) {
  double *out = malloc(sizeof(double) * (size_t)(n + 1) * (size_t)n_out);
  void *c = make();
  int k;
  start(c);
  get(c, out);
  for (k = 0; k < n; ++k) {
    set(c, inputs + (size_t)k * (size_t)n_in);
    step(c, k);
    get(c, out + (size_t)(k + 1) * (size_t)n_out);
  }
  release(c);
  return out;
}

static void write_to(const char *path, const void *data, size_t size) {
  FILE *file = fopen(path, "wb");
  if (!file || fwrite(data, 1, size, file) != size || fclose(file)) fail(path);
}

static char *read_from(const char *path, size_t *size) {
  FILE *file = fopen(path, "rb");
  char *data;
  if (!file) fail(path);
  fseek(file, 0, SEEK_END);
  *size = (size_t)ftell(file);
  rewind(file);
  data = malloc(*size ? *size : 1);
  if (fread(data, 1, *size, file) != *size) fail(path);
  fclose(file);
  return data;
}

static void *take(char **at, size_t size) {
  void *copy = malloc(size + 1);
  memcpy(copy, *at, size);
  *at += size;
  return copy;
}

static void read_table(const char *path) {
  size_t size;
  char *at = read_from(path, &size);
  n_in = *(int *)take(&at, 4);
  n_out = *(int *)take(&at, 4);
  n_parameter = *(int *)take(&at, 4);
  n_step = *(int *)take(&at, 4);
  step_s = *(double *)take(&at, 8);
  in_vr = take(&at, 4 * (size_t)n_in);
  out_vr = take(&at, 4 * (size_t)n_out);
  parameter_vr = take(&at, 4 * (size_t)n_parameter);
  parameters = take(&at, 8 * (size_t)n_parameter);
  inputs = take(&at, 8 * (size_t)(n_in * n_step));
}

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static int by_size(const void *a, const void *b) {
  const double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

static void time_steps(int repeats) {
  double *took = malloc(sizeof(double) * (size_t)repeats);
  double *out = malloc(sizeof(double) * (size_t)n_out);
  int i, k;
  for (i = 0; i < repeats; ++i) {
    void *c = make();
    double begin;
    start(c);
    begin = now();
    for (k = 0; k < n_step; ++k) {
      set(c, inputs + (size_t)k * (size_t)n_in);
      step(c, k);
      get(c, out);
    }
    took[i] = (now() - begin) / n_step;
    release(c);
  }
  qsort(took, (size_t)repeats, sizeof(double), by_size);
  printf("%.9g\n", took[repeats / 2]);
}

static double *serial;
static int n_instance;

static void *work(void *argument) {
  void **all = malloc(sizeof(void *) * (size_t)n_instance);
  double *out = malloc(sizeof(double) * (size_t)n_out);
  int i, k, *wrong = argument;
  for (i = 0; i < n_instance; ++i) start(all[i] = make());
  for (k = 0; k < n_step; ++k) {
    for (i = 0; i < n_instance; ++i) {
      set(all[i], inputs + (size_t)k * (size_t)n_in);
      step(all[i], k);
      get(all[i], out);
      *wrong += memcmp(out, serial + (size_t)(k + 1) * (size_t)n_out,
                       sizeof(double) * (size_t)n_out) != 0;
    }
  }
  for (i = 0; i < n_instance; ++i) release(all[i]);
  return NULL;
}

static void run_threads(int n) {
  pthread_t *threads = malloc(sizeof(pthread_t) * (size_t)n);
  int *wrong = calloc((size_t)n, sizeof(int)), total = 0, i;
  serial = outputs_of_run(n_step);
  for (i = 0; i < n; ++i) pthread_create(&threads[i], NULL, work, &wrong[i]);
  for (i = 0; i < n; ++i) pthread_join(threads[i], NULL), total += wrong[i];
  printf("%d\n", total);
}

static long resident(void) {
  long pages = 0;
  FILE *file = fopen("/proc/self/statm", "r");
  if (!file || fscanf(file, "%*d %ld", &pages) != 1) fail("statm");
  fclose(file);
  return pages * sysconf(_SC_PAGESIZE);
}

static void cycle(int n) {
  while (n--) {
    void *c = make();
    start(c);
    step(c, 0);
    release(c);
  }
}

static void save(const char *folder, int n, char **at) {
  void *c = make(), *state = NULL;
  size_t size;
  int k, i;
  char path[4096];
  start(c);
  for (k = 0; k < n_step; ++k) {
    for (i = 0; i < n; ++i) {
      char *bytes;
      if (atoi(at[i]) != k) continue;
      must(get_state(c, &state), "get state");
      must(size_state(c, state, &size), "state size");
      bytes = malloc(size);
      must(serialize(c, state, bytes, size), "serialize");
      snprintf(path, sizeof path, "%s/%d", folder, k);
      write_to(path, bytes, size);
      free(bytes);
    }
    set(c, inputs + (size_t)k * (size_t)n_in);
    step(c, k);
  }
  must(free_state(c, &state), "free state");
  release(c);
}

static void resume(const char *path, int at, const char *out_path) {
  size_t size;
  char *bytes = read_from(path, &size);
  double *out = malloc(sizeof(double) * (size_t)n_out * N_AFTER);
  void *c = make(), *state = NULL;
  int k;
  start(c);
  must(deserialize(c, bytes, size, &state), "deserialize");
  must(set_state(c, state), "set state");
  must(free_state(c, &state), "free state");
  for (k = 0; k < N_AFTER; ++k) {
    set(c, inputs + (size_t)(at + k) * (size_t)n_in);
    step(c, at + k);
    get(c, out + (size_t)k * (size_t)n_out);
  }
  write_to(out_path, out, sizeof(double) * (size_t)n_out * N_AFTER);
  release(c);
}

int main(int argc, char **argv) {
  const char *mode = argc > 4 ? argv[4] : "";
  if (argc < 6) fail("usage: LIBRARY TOKEN TABLE MODE ARGUMENTS");
  token = argv[2];
  load(argv[1]);
  read_table(argv[3]);
  if (!strcmp(mode, "run")) {
    write_to(argv[5], outputs_of_run(n_step),
             sizeof(double) * (size_t)(n_step + 1) * (size_t)n_out);
  } else if (!strcmp(mode, "time")) {
    time_steps(atoi(argv[5]));
  } else if (!strcmp(mode, "threads") && argc > 6) {
    n_instance = atoi(argv[6]);
    run_threads(atoi(argv[5]));
  } else if (!strcmp(mode, "leak")) {
    const int n = atoi(argv[5]);
    long before;
    double begin;
    cycle(n < 200 ? n : 200);
    before = resident();
    begin = now();
    cycle(n);
    printf("%ld %.9g\n", resident() - before, (now() - begin) / n);
  } else if (!strcmp(mode, "save")) {
    save(argv[5], argc - 6, argv + 6);
  } else if (!strcmp(mode, "resume") && argc > 7) {
    resume(argv[5], atoi(argv[6]), argv[7]);
  } else {
    fail("no such mode");
  }
  return 0;
}
