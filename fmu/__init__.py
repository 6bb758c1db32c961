"""FMI both ways: step maps out as FMUs, any vendor's FMU in as a component.

May import `packtwin.twin`; the only home of fmpy.
"""
