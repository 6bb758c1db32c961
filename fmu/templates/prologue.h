/* Everything below is one translation unit: no other file and no FMI header is
 * needed. Compile it as C99 with -ffp-contract=off (no fused multiply-add), so that
 * the results equal those of the model it was generated from. Define
 * FMI2_ or FMI3_OVERRIDE_FUNCTION_PREFIX to build a shared library; without it the functions
 * carry the model identifier as prefix, as FMI asks of sources and static libraries.
 */
#include <float.h>
#include <math.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CASADI_SYMBOL_EXPORT static

#if defined(_WIN32)
#define PT_VISIBLE __declspec(dllexport)
#elif defined(__GNUC__)
#define PT_VISIBLE __attribute__((visibility("default")))
#pragma GCC visibility push(hidden)
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wunused-function"
#pragma GCC diagnostic ignored "-Wunused-parameter"
#pragma GCC diagnostic ignored "-Wunused-variable"
#else
#define PT_VISIBLE
#endif
