"""The C and XML templates that `packtwin.fmu.source` fills."""
