"""The ground truth: PyBaMM's DFN with lumped temperature on a converged mesh.

`cells` lists the cells, `facts` their plain arrays, `simulation` solves one request,
`excitation` and `evaluation` design requests, `dataset` makes and loads sets of runs,
`convergence` checks a mesh. The only package that may import `pybamm`; of ours it
imports `packtwin.twin` alone. PyBaMM's telemetry is off where
`PYBAMM_DISABLE_TELEMETRY=true` is in the environment.
"""
