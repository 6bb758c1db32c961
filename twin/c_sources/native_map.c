/* One step of a component around a step map (see `c_code`) with held inputs. */
#include <stddef.h>
#include <string.h>

typedef long long pt_tick;
typedef int (*pt_step)(double *memory, double t, double h, const double *u,
                       const double *p, double *y, void *space);

typedef struct {
  pt_step step;
  double *memory;
  double *u; /* n_u inputs, then their time derivatives, which stay 0 */
  size_t n_u;
  const double *p;
  void *space;
  double *place; /* end and length of the last step, s, and whether there was one */
} pt_map;

#if defined(_WIN32)
#define PT_API __declspec(dllexport)
#else
#define PT_API __attribute__((visibility("default")))
#endif

PT_API int pt_map_step(void *self, pt_tick tick, pt_tick end, const double *u, double *y) {
  pt_map *s = (pt_map *)self;
  const double t = (double)tick / 1e9, h = (double)(end - tick) / 1e9;
  memcpy(s->u, u, sizeof(double) * s->n_u);
  if (s->step(s->memory, t, h, s->u, s->p, y, s->space)) return 1;
  s->place[0] = t + h;
  s->place[1] = h;
  s->place[2] = 1.0;
  return 0;
}
