/* What CasADi's C is slow at, with the same operations in the same order and hence the
 * same bits. The wide instructions of a processor that has them do several of these
 * operations at once; they round like the others. */
#ifndef PT_KERNELS
#define PT_KERNELS
#include <math.h>

#if defined(__GNUC__)
#define PT_INLINE static inline __attribute__((always_inline))
#define PT_MAYBE __attribute__((unused))
#else
#define PT_INLINE static
#define PT_MAYBE
#endif
#if defined(PT_HAS_WIDE) /* chosen by who compiles it */
#define PT_WIDE
#elif defined(__GNUC__) && !defined(__clang__) && defined(__x86_64__)
#define PT_HAS_WIDE __builtin_cpu_supports("avx2")
#define PT_WIDE __attribute__((target("avx2")))
#else
#define PT_HAS_WIDE 0
#define PT_WIDE
#endif

/* Piecewise cubics on a uniform grid and their derivatives; see `Table`. */
PT_MAYBE PT_INLINE void pt_table(const double *x, int n, double lower, double scale,
                                 const double *coefficients, int n_piece, double *value,
                                 double *slope) {
  int k;
  for (k = 0; k < n; ++k) {
    const double s = (x[k] - lower) * scale;
    const int i = s > 0.0 ? (s < n_piece - 1 ? (int)s : n_piece - 1) : 0;
    const double w = s - i, *c = coefficients + 4 * i;
    if (value) value[k] = c[0] + w * (c[1] + w * (c[2] + w * c[3]));
    if (slope) slope[k] = (c[1] + w * (2.0 * c[2] + w * (3.0 * c[3]))) * scale;
  }
}

PT_INLINE void pt_squash_body(const double *z, int n, double *result) {
  int i;
  for (i = 0; i < n; ++i) result[i] = z[i] / sqrt(1.0 + z[i] * z[i]);
}

PT_INLINE void pt_product_rest(const double *x, int n_row, int n, const double *y,
                               int n_column, double *z, int j) {
  int c, k;
  for (; j < n_row; ++j) {
    for (c = 0; c < n_column; ++c) {
      double sum = z[j + c * n_row];
      for (k = 0; k < n; ++k) sum += x[j + k * n_row] * y[k + c * n];
      z[j + c * n_row] = sum;
    }
  }
}

#if defined(__GNUC__)
typedef double pt_two __attribute__((vector_size(16), aligned(8), may_alias));
typedef double pt_four __attribute__((vector_size(32), aligned(8), may_alias));

/* `rows` vectors of `type` from row j on, `columns` columns from column c on. */
#define PT_BLOCK(type, rows, columns)                                               \
  for (; c + columns <= n_column; c += columns) {                                   \
    type sum[rows][columns];                                                        \
    for (r = 0; r < rows; ++r)                                                      \
      for (q = 0; q < columns; ++q)                                                 \
        sum[r][q] = *(const type *)(z + j + r * width + (c + q) * n_row);           \
    for (k = 0; k < n; ++k)                                                         \
      for (r = 0; r < rows; ++r)                                                    \
        for (q = 0; q < columns; ++q)                                               \
          sum[r][q] += *(const type *)(x + j + r * width + k * n_row) *             \
                       y[k + (c + q) * n];                                          \
    for (r = 0; r < rows; ++r)                                                      \
      for (q = 0; q < columns; ++q)                                                 \
        *(type *)(z + j + r * width + (c + q) * n_row) = sum[r][q];                 \
  }

/* x y is added to z; all are dense, by columns. */
#define PT_PRODUCT(name, type)                                                      \
  PT_INLINE void name(const double *x, int n_row, int n, const double *y,           \
                      int n_column, double *z) {                                    \
    const int width = (int)(sizeof(type) / sizeof(double));                         \
    int j = 0, c, k, r, q;                                                          \
    for (; n_column < 3 && j + 4 * width <= n_row; j += 4 * width) {                \
      c = 0;                                                                        \
      PT_BLOCK(type, 4, 1)                                                          \
    }                                                                               \
    for (; j + 2 * width <= n_row; j += 2 * width) {                                \
      c = 0;                                                                        \
      PT_BLOCK(type, 2, 3)                                                          \
      PT_BLOCK(type, 2, 1)                                                          \
    }                                                                               \
    for (; j + width <= n_row; j += width) {                                        \
      c = 0;                                                                        \
      PT_BLOCK(type, 1, 3)                                                          \
      PT_BLOCK(type, 1, 1)                                                          \
    }                                                                               \
    pt_product_rest(x, n_row, n, y, n_column, z, j);                                \
  }
PT_PRODUCT(pt_product_four, pt_four)
PT_PRODUCT(pt_product_two, pt_two)
#else
#define pt_product_two(x, n_row, n, y, n_column, z) \
  pt_product_rest(x, n_row, n, y, n_column, z, 0)
#define pt_product_four pt_product_two
#endif

PT_WIDE PT_MAYBE static void pt_squash_wide(const double *z, int n, double *result) {
  pt_squash_body(z, n, result);
}
PT_MAYBE static void pt_squash(const double *z, int n, double *result) {
  if (PT_HAS_WIDE) pt_squash_wide(z, n, result);
  else pt_squash_body(z, n, result);
}
PT_WIDE PT_MAYBE static void pt_product_wide(const double *x, int n_row, int n,
                                             const double *y, int n_column, double *z) {
  pt_product_four(x, n_row, n, y, n_column, z);
}
PT_MAYBE static void pt_product(const double *x, int n_row, int n, const double *y,
                                int n_column, double *z) {
  if (PT_HAS_WIDE) pt_product_wide(x, n_row, n, y, n_column, z);
  else pt_product_two(x, n_row, n, y, n_column, z);
}
#endif
