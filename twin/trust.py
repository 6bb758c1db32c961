"""How far a surrogate's outputs can be trusted: what is known without learning it.

Two quantities accompany every step of the cell.

The *bound* of an error is `factor * (floor + exp(B(features)))`: `B` is a small network
fitted to the 95 % quantile of the residuals and, where their tail is heavy, to a third
of a far higher quantile (pinball loss: R. Koenker, G. Bassett, Econometrica 46 (1978)
33-50, doi:10.2307/1913643). `floor` keeps the bound honest where errors are so small
that a sensor's noise or a few kelvins more than double them. `factor` makes it true on
runs that training never saw (split conformal prediction of the normalised residual: J.
Lei et al., J. Am. Stat. Assoc. 113 (2018) 1094-1111,
doi:10.1080/01621459.2017.1307116).

The *distance* is the largest of three, each shifted and scaled so that 0 is the median
of the calibration samples and 1 its threshold, the quantile that leaves its share of
false alarms:

- the negative log-likelihood of the features under a Gaussian mixture of the training
  states: strange states;
- the *risk*, a small network that learned by logistic regression where errors leave
  their bound by far: states that may be usual, but are modelled badly;
- the *pace*, the temperature's rate of change in either direction: the fields in the
  electrodes lag behind it, and no feature of the state tells how far.
"""

from __future__ import annotations

from typing import Final

__all__ = [
    "ALARM_SHARES",
    "BOUND_LEVEL",
    "CALIBRATED_LEVEL",
    "EXCEEDANCE",
    "UNKNOWN_BOUND_V",
    "UNKNOWN_DISTANCE",
]

BOUND_LEVEL: Final = 0.95
# Share of the calibration samples inside: a margin for other loads, noise and warmth.
CALIBRATED_LEVEL: Final = 0.955
EXCEEDANCE: Final = 3.0  # bounds that an error worth an alarm is beyond
# False alarms by the part of the guard that raises them.
ALARM_SHARES: Final = {"guard": 0.011, "risk": 0.006, "pace": 0.001}
# What an uncalibrated surrogate claims: nothing.
UNKNOWN_BOUND_V: Final = 1e3
UNKNOWN_DISTANCE: Final = 1e3
