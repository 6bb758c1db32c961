"""What a twin is: variables, equations (`Model`), steps (`StepMap`) and surrogates.

Imports nothing from the rest of packtwin.
"""
