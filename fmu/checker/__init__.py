"""The checker: rules, binaries, probes, and the child process that runs them."""
