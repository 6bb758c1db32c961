"""`torch_residual(model)`: a model's equations as exact, batched torch functions.

    physics = torch_residual(model)
    loss = physics.residual(x0, x1, z1, u1, p, h_s).square().mean()
    loss.backward()

The discretised equations are the model's own, not a re-implementation: they equal
CasADi's to rounding and are differentiable in states, inputs and parameters.
"""

from __future__ import annotations

import logging
import math
from functools import cached_property
from typing import Any, Literal, TypeAlias, final

import casadi as ca
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from packtwin.twin.compiler import Compiler, find_compiler
from packtwin.twin.differentiable_program import DifferentiableProgram
from packtwin.twin.errors import CompilerError, InterfaceError
from packtwin.twin.expand import expand
from packtwin.twin.implicit import argument_blocks
from packtwin.twin.model import Model
from packtwin.twin.torch_function import TorchFunction

__all__ = ["Engine", "TorchResidual", "torch_residual"]

Engine: TypeAlias = Literal["auto", "c", "torch"]
Vector: TypeAlias = NDArray[np.float64]

logger = logging.getLogger(__name__)


def torch_residual(model: Model, *, engine: Engine = "auto") -> TorchResidual:
    """Return a model's equations as torch functions.

    Args:
        model: Equations without explicit time.
        engine: `c`: compiled C on the processor, in float64 whatever the tensors'
            type, on torch's number of threads; `torch`: torch operations that
            autograd and `torch.func` follow one by one, on any device; `auto`: C for
            tensors on the processor where there is a C compiler, else torch.

    Raises:
        InterfaceError: the model depends on time or cannot be expanded to scalars.
        CompilerError: the engine is `c` and there is no compiler.
    """
    compiler: Compiler | None = None
    if engine in ("auto", "c"):
        try:
            compiler = find_compiler()
        except CompilerError:
            if engine == "c":
                raise
            logger.info("No C compiler: `%s` runs as torch operations.", model.name)
    return TorchResidual(model, engine=engine, compiler=compiler)


@final
class TorchResidual:
    """Batched equations of a model; made by `torch_residual`.

    Arguments are tensors `[..., n]` in the order of the model's variables, float64 or
    float32, on one device. Leading axes broadcast, so that one row `[n]` of parameters
    may serve a whole batch. Programs are made, and compiled, when first needed, and
    again for each choice of arguments that need gradients.

    Attributes:
        model: The equations.
        scale: What `residual` divides each row by, states before algebraic states.
    """

    def __init__(
        self, model: Model, *, engine: Engine, compiler: Compiler | None
    ) -> None:
        """Expand the equations; see `torch_residual`."""
        self.model = model
        self._engine = engine
        self._compiler = compiler
        given = [] if model.algebraic is None else [model.algebraic]
        functions = [model.rhs, model.outputs, *given]
        self._expansion = expand(functions, model.lookups, model.name)
        self._refuse_time()
        self.scale = _scale(model)

    def rhs(self, x: Tensor, z: Tensor, u: Tensor, p: Tensor) -> tuple[Tensor, Tensor]:
        """Return `dx/dt` and the algebraic residuals, unscaled, as in `Model`.

        Args:
            x: Continuous states.
            z: Algebraic states; `[..., 0]` if the model has none.
            u: Inputs.
            p: Parameters.
        """
        n = len(self.model.states)
        value = self._call(self._equations, {"x": x, "z": z, "u": u, "p": p})
        return value[..., :n], value[..., n:]

    def outputs(self, x: Tensor, z: Tensor, u: Tensor, p: Tensor) -> Tensor:
        """Return the outputs, as in `Model`; arguments as for `rhs`."""
        return self._call(self._outputs, {"x": x, "z": z, "u": u, "p": p})

    def residual(
        self,
        x0: Tensor,
        x1: Tensor,
        z1: Tensor,
        u1: Tensor,
        p: Tensor,
        h_s: Tensor | float,
    ) -> Tensor:
        """Return the scaled residuals of an implicit Euler step, states first.

        The rows `x1 - x0 - h rhs(x1, z1, u1, p)` are divided by their states'
        `nominal`. The algebraic rows at the end of the step are divided by how far
        they move when the algebraic states move by their `nominal`: the largest
        `|d algebraic / d z| nominal` of the row at the model's start values. A row of
        1e-3 is thus an error of about a thousandth of a nominal in either kind.

        Args:
            x0: Continuous states at the start of the step.
            x1: Continuous states at its end.
            z1: Algebraic states at its end.
            u1: Inputs at its end.
            p: Parameters.
            h_s: Length, s; a number or a tensor of the leading axes.
        """
        h = torch.as_tensor(h_s, dtype=x1.dtype, device=x1.device).unsqueeze(-1)
        arguments = {"x0": x0, "x1": x1, "z1": z1, "u1": u1, "p": p, "h_s": h}
        return self._call(self._discrete, arguments)

    def _call(self, function: TorchFunction, arguments: dict[str, Tensor]) -> Tensor:
        like = next(iter(arguments.values()))
        sizes = self._sizes()
        for label, tensor in arguments.items():
            self._check(label, tensor, sizes[label.rstrip("01")], like)
        lead = self._lead(arguments)
        rows = [
            t.expand(*lead, t.shape[-1]).reshape(math.prod(lead), t.shape[-1])
            for t in arguments.values()
        ]
        value = function(*rows)
        return value.reshape(*lead, value.shape[-1])

    def _lead(self, arguments: dict[str, Tensor]) -> tuple[int, ...]:
        shapes = {label: tuple(t.shape[:-1]) for label, t in arguments.items()}
        try:
            return np.broadcast_shapes(*shapes.values())
        except ValueError as error:
            listed = ", ".join(f"`{k}` {shape}" for k, shape in shapes.items())
            msg = (
                f"The leading axes of the arguments of `{self.model.name}` do not "
                f"broadcast: {listed}; give each as many samples or one."
            )
            raise InterfaceError(msg) from error

    def _sizes(self) -> dict[str, int]:
        _, x, z, u, p = (s.numel() for s in self._expansion.symbols)
        return {"x": x, "z": z, "u": u, "p": p, "h_s": 1}

    def _check(self, label: str, tensor: Tensor, size: int, like: Tensor) -> None:
        name = self.model.name
        if tensor.ndim < 1 or tensor.shape[-1] != size:
            msg = (
                f"`{label}` of `{name}` has shape {tuple(tensor.shape)}, expected "
                f"(..., {size}); give its variables in the model's order."
            )
            raise InterfaceError(msg)
        if tensor.dtype not in (torch.float64, torch.float32):
            msg = (
                f"`{label}` of `{name}` has type {tensor.dtype}, expected "
                "torch.float64 or torch.float32; convert it."
            )
            raise InterfaceError(msg)
        if (tensor.dtype, tensor.device) != (like.dtype, like.device):
            msg = (
                f"`{label}` of `{name}` is {tensor.dtype} on {tensor.device}, expected "
                f"{like.dtype} on {like.device} like the first argument; convert it."
            )
            raise InterfaceError(msg)
        if self._engine == "c" and tensor.device.type != "cpu":
            msg = (
                f"`{label}` of `{name}` is on {tensor.device}, but the engine `c` runs "
                "on the processor; choose `auto` or `torch`."
            )
            raise InterfaceError(msg)

    def _refuse_time(self) -> None:
        e = self._expansion
        if ca.depends_on(ca.vertcat(*e.expressions, e.arguments), e.symbols[0]):
            msg = (
                f"Model `{self.model.name}` depends on time explicitly, which a batch "
                "of samples has not; make what depends on it an input."
            )
            raise InterfaceError(msg)

    @cached_property
    def _equations(self) -> TorchFunction:
        rhs, _, *algebraic = self._expansion.expressions
        return self._function("rhs", ca.vertcat(rhs, *algebraic), self._rows())

    @cached_property
    def _outputs(self) -> TorchFunction:
        outputs = self._expansion.expressions[1]
        return self._function("outputs", outputs, list(range(outputs.numel())))

    @cached_property
    def _discrete(self) -> TorchFunction:
        rhs, _, *algebraic = self._expansion.expressions
        x1 = self._expansion.symbols[1]
        x0, h = ca.SX.sym("x0", x1.numel()), ca.SX.sym("h")
        rows = ca.vertcat(x1 - x0 - h * rhs, *algebraic) * (1.0 / self.scale)
        return self._function("residual", rows, self._rows(), first=x0, last=h)

    def _rows(self) -> list[int]:
        _, states, algebraic_states, *_ = argument_blocks(self.model)
        return [*states, *(len(states) + b for b in algebraic_states)]

    def _function(
        self,
        label: str,
        expression: Any,
        rows: list[int],
        *,
        first: Any = None,
        last: Any = None,
    ) -> TorchFunction:
        symbols, blocks = list(self._expansion.symbols[1:]), argument_blocks(self.model)
        del blocks[0]
        if first is not None:
            symbols, blocks = [first, *symbols], [blocks[0], *blocks]
        if last is not None:
            symbols, blocks = [*symbols, last], [*blocks, [0]]
        differentiable = DifferentiableProgram(
            expansion=self._expansion,
            lookups=self.model.lookups,
            arguments=tuple(symbols),
            blocks=tuple(blocks),
            expression=expression,
            rows=rows,
        )
        name = f"{self.model.name}_{label}"
        return TorchFunction(differentiable, name, self._compiler)


def _scale(model: Model) -> Vector:
    states = np.array([v.nominal for v in model.states], dtype=np.float64)
    if model.algebraic is None:
        return states
    symbols = [
        ca.MX.sym(f"s{k}", model.algebraic.numel_in(k))
        for k in range(model.algebraic.n_in())
    ]
    residual = model.algebraic.call(symbols)[0]
    nominal = np.array([v.nominal for v in model.algebraic_states])
    slopes = ca.Function("slopes", symbols, [ca.jacobian(residual, symbols[2])])
    u, p = model.start_vectors()
    moved = slopes(0.0, *model.initial(u, p), u, p).full() * nominal
    largest = np.abs(moved).max(axis=1)
    usable = np.isfinite(largest) & (largest > 0.0)
    return np.concatenate([states, np.where(usable, largest, 1.0)])
