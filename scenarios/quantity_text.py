"""How a figure is written: the unit by the name's suffix, scaled for reading."""

from __future__ import annotations

import math
from typing import Any

from packtwin.twin.units import convert, unit_of_name

__all__ = ["quantity_text"]

NBSP = "\u00a0"
_RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
# Words that make a temperature a difference and a voltage a small one.
_DIFFERENCES = ("rms", "error", "bound", "slack", "margin", "residual", "p99", "drop")


def quantity_text(name: str, value: Any) -> str:
    """Return a value with its unit, such as `28.4 min` for `charge_time_s = 1704`.

    Missing and non-finite values are said in words.
    """
    if value is None:
        return "not computed"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if not isinstance(value, int | float):
        return str(value)
    if math.isnan(value):
        return "not a number"
    if math.isinf(value):
        return "unbounded"
    number, unit = _scaled(name, float(value))
    return f"{number.replace('-', '−')}{NBSP}{unit}" if unit else number


def _scaled(name: str, value: float) -> tuple[str, str]:
    if name.endswith(("_fraction", "soc")):
        return _significant(100.0 * value), "%"
    if name.endswith("_factor"):
        return _significant(value), "×"
    if "_rate_" in name or name.endswith("_rate"):
        return _significant(value), "C"
    unit = unit_of_name(name)
    special = {"K": _temperature, "V": _voltage, "J": _energy, "s": _duration}
    if unit in special:
        return special[unit](name, value)
    larger = {"m": "km", "W": "kW"}.get(unit, "")
    if larger and abs(value) >= 1000.0:
        return _significant(convert(value, unit, larger)), larger
    return _significant(value), "" if unit == "1" else unit


def _is_difference(name: str) -> bool:
    return any(word in name for word in _DIFFERENCES)


def _temperature(name: str, value: float) -> tuple[str, str]:
    if _is_difference(name):
        return _significant(value), "K"
    return _fixed(convert(value, "K", "degC"), 1), "°C"


def _voltage(name: str, value: float) -> tuple[str, str]:
    if _is_difference(name) or "plating" in name:
        return _fixed(convert(value, "V", "mV"), 1), "mV"
    return _fixed(value, 1 if abs(value) >= 20.0 else 3), "V"


def _energy(name: str, value: float) -> tuple[str, str]:
    if "residual" in name or abs(value) < 3.6e3:
        return _significant(value), "J"
    larger = "kWh" if abs(value) >= 3.6e5 else "Wh"
    return _significant(convert(value, "J", larger)), larger


def _duration(_name: str, value: float) -> tuple[str, str]:
    size = abs(value)
    if size >= 120.0:
        return _fixed(convert(value, "s", "min"), 1), "min"
    if size >= 1.0 or size == 0.0:
        return _significant(value), "s"
    if size >= 1e-3:
        return _significant(1e3 * value), "ms"
    return _significant(1e6 * value), "µs"


def _fixed(value: float, digits: int) -> str:
    """Return a fixed number of digits, never a negative zero."""
    return f"{round(value, digits) + 0.0:.{digits}f}"


def _significant(value: float) -> str:
    """Return three significant digits, or fewer where those are exact."""
    if value == 0.0:
        return "0"
    if 1e3 <= abs(value) < 1e7 or (value.is_integer() and abs(value) < 1e7):
        return f"{value:.0f}"
    if 1e-3 <= abs(value) < 1e3:
        digits = max(2 - math.floor(math.log10(abs(value))), 0)
        exact = (n for n in range(digits) if math.isclose(round(value, n), value))
        return f"{value:.{next(exact, digits)}f}"
    mantissa, _, exponent = f"{value:.1e}".partition("e")
    return f"{mantissa}·10{str(int(exponent)).translate(_RAISED)}"
