"""The step of an FMU in C, without Python between set, doStep and get."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from packtwin.fmu.channel import Channel
from packtwin.fmu.native_library import address_of, native_function
from packtwin.fmu.stepping import AbstractStepping
from packtwin.twin.component import StepReport
from packtwin.twin.native_step import NativeStep

__all__ = ["fmu_step"]

Vector: TypeAlias = NDArray[np.float64]
Channels: TypeAlias = tuple[tuple[Channel, ...], tuple[Channel, ...]]
Step: TypeAlias = Callable[[int, int, Vector], StepReport]
Conclude: TypeAlias = Callable[[int, int, int, Vector], StepReport]

_FAILED, _OVER = 2, 3  # in setting or getting; the FMU asked to end before


class _Channel(ctypes.Structure):
    _fields_ = (
        ("function", ctypes.c_void_p),
        ("references", ctypes.c_void_p),
        ("n_reference", ctypes.c_size_t),
        ("n", ctypes.c_size_t),
        ("buffer", ctypes.c_void_p),
        ("type", ctypes.c_int),
        ("is_converted", ctypes.c_int),
        ("places", ctypes.c_void_p),
        ("factors", ctypes.c_void_p),
        ("offsets", ctypes.c_void_p),
    )


class _Fmu(ctypes.Structure):
    _fields_ = (
        ("instance", ctypes.c_void_p),
        ("do_step", ctypes.c_void_p),
        ("version", ctypes.c_int),
        ("no_rewind", ctypes.c_int),
        ("n_set", ctypes.c_int),
        ("n_get", ctypes.c_int),
        ("set", ctypes.POINTER(_Channel)),
        ("get", ctypes.POINTER(_Channel)),
        ("status", ctypes.c_int),
        ("event", ctypes.c_bool),
        ("end", ctypes.c_bool),
        ("early", ctypes.c_bool),
        ("reached", ctypes.c_double),
        ("failed", ctypes.c_int),
        ("is_over", ctypes.c_int),
    )


def fmu_step(
    instance: AbstractStepping, channels: Channels, conclude: Conclude, step: Step
) -> NativeStep:
    """Return the step of an instance.

    Args:
        instance: An open one for co-simulation.
        channels: What sets its inputs and gets its outputs.
        conclude: Finishes a step whose first call returned a status or flags.
        step: The step in Python.
    """
    prefix = instance.dialect.prefix
    setters, getters = (_structures(instance, group) for group in channels)
    kept: list[Any] = [setters, getters, instance, channels]
    kept += [c.layout for group in channels for c in group]
    fmu = _Fmu(
        instance=instance.handle,
        do_step=address_of(instance.function(f"{prefix}DoStep")),
        version=int(instance.dialect.version[0]),
        no_rewind=instance.never_rewinds,
        n_set=len(channels[0]),
        n_get=len(channels[1]),
        set=setters,
        get=getters,
        is_over=instance.wants_end,
    )

    def resume(status: int, tick: int, end_tick: int, u: Vector) -> StepReport:
        if status == _FAILED:
            channel = (*channels[0], *channels[1])[fmu.failed]
            raise instance.call_error(channel.name, fmu.status)
        if status == _OVER:
            return step(tick, end_tick, u)
        instance.take_flags(
            fmu.status,
            has_event=fmu.event,
            wants_end=fmu.end,
            is_early=fmu.early,
            reached_s=fmu.reached,
        )
        report = conclude(fmu.status, tick, end_tick, u)
        fmu.is_over = instance.wants_end
        return report

    return NativeStep(
        function=native_function("pt_fmu_step"),
        self=ctypes.addressof(fmu),
        resume=resume,
        kept=(fmu, *kept),
    )


def _structures(
    instance: AbstractStepping, channels: Sequence[Channel]
) -> ctypes.Array[_Channel]:
    made = (_Channel * len(channels))()
    for structure, channel in zip(made, channels, strict=True):
        places = channel.layout
        structure.function = address_of(instance.function(channel.name))
        structure.references = ctypes.addressof(channel.references)
        structure.n_reference = len(channel.references)
        structure.n = len(channel.buffer)
        structure.buffer = channel.buffer.ctypes.data
        structure.type = _type_code(channel.buffer.dtype)
        structure.is_converted = channel.is_converted
        structure.places = places.ctypes.data
        structure.factors = channel.factor.ctypes.data
        structure.offsets = channel.offset.ctypes.data
    return made


def _type_code(dtype: np.dtype[Any]) -> int:
    if dtype.kind in "f?b":
        return ord(dtype.char if dtype.kind == "f" else "?")
    return -dtype.itemsize if dtype.kind == "u" else dtype.itemsize
