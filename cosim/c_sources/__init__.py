"""The loop of a master in C."""
