"""Connect components into a system and step them together.

May import `packtwin.twin`; never `packtwin.fmu` or `packtwin.pybamm_models`, whose
components and models arrive through the `Component` role.
"""
