/* Elementary functions without branches, calls or tables, so that loops over them
   vectorise. Errors below 3 units in the last place on the ranges named; NaN gives NaN. */
#include <math.h>
#include <stdint.h>
#include <string.h>

static inline double pt_from_bits(int64_t k) {
  double x;
  memcpy(&x, &k, sizeof x);
  return x;
}

static inline int64_t pt_to_bits(double x) {
  int64_t k;
  memcpy(&k, &x, sizeof k);
  return k;
}

static inline double pt_min(double a, double b) { return a < b ? a : b; }
static inline double pt_max(double a, double b) { return a > b ? a : b; }
static inline double pt_sign(double x) {
  return (double)((x > 0.0) - (x < 0.0));
}

/* exp on [-708, 709]; saturates outside. Reduction by Cody and Waite (1980), then the
   Taylor polynomial of degree 13 on |r| <= ln(2)/2 (truncation 4e-18). */
static inline double pt_exp(double x) {
  const double magic = 6755399441055744.0; /* 1.5 * 2^52 */
  double c = x < -708.0 ? -708.0 : x;
  double t, n, r, r2, r4, p, lo, mid, hi;
  int64_t k;
  c = c > 709.0 ? 709.0 : c;
  t = c * 1.4426950408889634 + magic;
  n = t - magic;
  k = pt_to_bits(t);
  r = (c - n * 6.93147180369123816490e-01) - n * 1.90821492927058770002e-10;
  r2 = r * r;
  r4 = r2 * r2;
  lo = (0.5 + r * (1.0 / 6.0)) + r2 * (1.0 / 24.0 + r * (1.0 / 120.0));
  mid = (1.0 / 720.0 + r * (1.0 / 5040.0)) + r2 * (1.0 / 40320.0 + r * (1.0 / 362880.0));
  hi = (1.0 / 3628800.0 + r * (1.0 / 39916800.0)) +
       r2 * (1.0 / 479001600.0 + r * (1.0 / 6227020800.0));
  p = lo + r4 * (mid + r4 * hi);
  p = 1.0 + (r + r2 * p);
  return p * pt_from_bits((int64_t)((uint64_t)(k + 1023) << 52));
}

/* log of positive normal numbers: m in [sqrt(1/2), sqrt(2)), atanh series. */
static inline double pt_log(double x) {
  int64_t k = pt_to_bits(x);
  int64_t e = ((k - 0x3fe6a09e667f3bcdLL) & (int64_t)0xfff0000000000000ULL);
  double m = pt_from_bits(k - e);
  double n = (double)(int32_t)(e >> 52);
  double f = m - 1.0, s = f / (2.0 + f), z = s * s, w = z * z;
  double t1 = w * (0.3999999999940941908 + w * (0.2222219843214978396 + w * 0.1531383769920937332));
  double t2 = z * (0.6666666666666735130 +
                   w * (0.2857142874366239149 + w * (0.1818357216161805012 + w * 0.1479819860511658591)));
  double h = 0.5 * f * f, R = t1 + t2;
  double y = n * 6.93147180369123816490e-01 -
             ((h - (s * (h + R) + n * 1.90821492927058770002e-10)) - f);
  y = x < HUGE_VAL ? y : x;
  return x > 0.0 ? y : (x == 0.0 ? -HUGE_VAL : NAN);
}

/* Error below 3 + |y log x| units; 0 and negative bases as the C library's pow, except
   that the result saturates as exp does. */
static inline double pt_pow(double x, double y) {
  const double magic = 6755399441055744.0;
  double a = fabs(x), r = pt_exp(y * pt_log(a)), half = 0.5 * y;
  double n = (y + magic) - magic, m = (half + magic) - magic;
  double s = n == y ? (m == half ? r : -r) : NAN; /* of a negative base */
  double zero = y > 0.0 ? 0.0 : HUGE_VAL;
  r = x < 0.0 ? s : r;
  r = x == 0.0 ? zero : r;
  return y == 0.0 ? 1.0 : r;
}
static inline double pt_cosh(double x) {
  double e = pt_exp(fabs(x));
  return 0.5 * e + 0.5 / e;
}
/* Series below 0.5 keeps the relative accuracy that the difference would lose. */
static inline double pt_sinh(double x) {
  double a = fabs(x), e = pt_exp(a), z = x * x;
  double big = 0.5 * e - 0.5 / e;
  double small = a * (1.0 + z * (1.0 / 6.0 + z * (1.0 / 120.0 + z * (1.0 / 5040.0 +
                 z * (1.0 / 362880.0 + z * (1.0 / 39916800.0 + z * (1.0 / 6227020800.0)))))));
  double s = a < 0.5 ? small : big;
  return x < 0.0 ? -s : s;
}
static inline double pt_tanh(double x) {
  double a = fabs(x), c = a > 20.0 ? 20.0 : a;
  double e = pt_exp(2.0 * c), s = pt_sinh(c), big = 1.0 - 2.0 / (e + 1.0);
  double small = s / sqrt(1.0 + s * s);
  double t = a < 0.5 ? small : big;
  return x < 0.0 ? -t : t;
}
static inline double pt_hypot(double x, double y) { return sqrt(x * x + y * y); }
static inline double pt_asinh(double x) {
  double a = fabs(x), z = a * a, r = sqrt(z + 1.0);
  double u = a + z / (1.0 + r);              /* asinh(a) = log1p(u) */
  double v = a < 1e9 ? 1.0 + u : a, d = v - 1.0, y = pt_log(v);
  y = a < 1e9 ? y * (u / d) : y + 0.69314718055994531; /* a * a may overflow */
  y = d == 0.0 ? u : y;
  return x < 0.0 ? -y : y;
}
