"""The step of an FMU in C."""
