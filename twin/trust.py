"""How far a surrogate's outputs can be trusted: what is known without learning it.

Two quantities accompany every step of the cell.

The *bound* of an error is `factor * exp(B(features))`: `B` is a small network fitted to
the 95 % quantile of the training residuals (pinball loss: R. Koenker, G. Bassett,
Econometrica 46 (1978) 33-50, doi:10.2307/1913643), and `factor` makes it true on runs
that training never saw (split conformal prediction of the normalised residual: J. Lei
et al., J. Am. Stat. Assoc. 113 (2018) 1094-1111, doi:10.1080/01621459.2017.1307116).

The *distance* is the negative log-likelihood of the features under a Gaussian mixture
of the training states, shifted and scaled so that 0 is the median and 1 the guard's
threshold: the quantile of the calibration samples that leaves the wanted share of
false alarms.
"""

from __future__ import annotations

from typing import Final

__all__ = [
    "BOUND_LEVEL",
    "FALSE_ALARM_SHARE",
    "UNKNOWN_BOUND_V",
    "UNKNOWN_DISTANCE",
]

BOUND_LEVEL: Final = 0.95
FALSE_ALARM_SHARE: Final = 0.01
# What an uncalibrated surrogate claims: nothing.
UNKNOWN_BOUND_V: Final = 1e3
UNKNOWN_DISTANCE: Final = 1e3
