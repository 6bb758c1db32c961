"""The ground truth: PyBaMM's models as equations, and data from them.

`physics` makes a `Model` of any PyBaMM model, parameter set, options or BPX file.
`cells` lists the cells, `facts` their plain arrays, `stepping` solves one request by
the compiled step map, `simulation` the same with PyBaMM as the check, `excitation` and
`evaluation` design requests, `dataset` makes and loads sets of runs, `convergence`
checks a mesh. The only package that may import `pybamm`; of ours it
imports `packtwin.twin` alone. PyBaMM's telemetry is off where
`PYBAMM_DISABLE_TELEMETRY=true` is in the environment.
"""
