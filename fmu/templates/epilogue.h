
#if !defined(_WIN32) && defined(__GNUC__)
#pragma GCC visibility pop
#endif
