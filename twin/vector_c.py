"""C99 source of a `Program`: one `static` function of plain loops over vectors.

    static void NAME(const double *a0, ..., double *r0, ..., double *w);

`w` is scratch memory of `NAME_WORK` doubles. The loops are written so that compilers
vectorise them: no calls but to inlined, branch-free elementary functions.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from importlib import resources
from typing import final

import numpy as np

from packtwin.twin.c_operations import c_form
from packtwin.twin.errors import InterfaceError
from packtwin.twin.lookup import Lookup
from packtwin.twin.lookup_c import lookups_to_c
from packtwin.twin.scalar_tape import LOOKUP, LOOKUP_SLOPE
from packtwin.twin.vector_program import Group, Operand, Program

__all__ = ["preamble_to_c", "program_to_c"]

_PREAMBLE = """
#ifndef PT_ABI
#define PT_ABI
#endif
#if defined(__GNUC__) && !defined(__clang__)
#define PT_IVDEP _Pragma("GCC ivdep")
#elif defined(__clang__)
#define PT_IVDEP _Pragma("clang loop vectorize(assume_safety)")
#else
#define PT_IVDEP
#endif
#if defined(__GNUC__)
#define PT_PART __attribute__((noinline))
#else
#define PT_PART
#endif
"""
_STATEMENTS = 250  # of one function; compilers slow down faster than linearly


def preamble_to_c(lookups: Sequence[Lookup] = ()) -> str:
    """Return what the C of programs needs before it.

    The ABI's linkage (none unless `EXPORTED` or `STATIC` comes first), hints to
    compilers, elementary functions and lookups.
    """
    folder = resources.files("packtwin.twin.c_sources")
    elementary = (folder / "elementary.c").read_text()
    return "\n".join([_PREAMBLE, elementary, *lookups_to_c(lookups)])


def program_to_c(program: Program, name: str) -> str:
    """Return the C function of a program and its tables.

    Raises:
        InterfaceError: an operation has no C form.
    """
    return "\n".join(_Writer(program=program, name=name).lines())


@final
@dataclass(slots=True, kw_only=True)
class _Writer:
    program: Program
    name: str
    tables: list[str] = field(default_factory=list)
    _known: dict[str, str] = field(default_factory=dict)
    _offset: dict[int, int] = field(default_factory=dict)
    _chunk: dict[int, int] = field(default_factory=dict)
    _current: int = 0
    _work: int = 0

    def lines(self) -> Iterator[str]:
        """Yield tables and functions."""
        program = self.program
        chunks = self._chunks()
        for c, chunk in enumerate(chunks):
            for loop in chunk:
                for number in loop:
                    self._chunk[number] = c
        stored = self._stored()
        for number in sorted(stored):
            self._offset[number] = self._work
            self._work += program.groups[number].size
        bodies = []
        for c, chunk in enumerate(chunks):
            self._current = c
            bodies.append([x for loop in chunk for x in self._loop(loop, stored)])
        self._current = len(chunks)
        bodies.append(
            [
                line
                for k, runs in enumerate(program.outputs)
                for first, operand in runs
                for line in self._copy(k, first, operand)
            ]
        )
        yield f"#define {self.name}_WORK {max(1, self._work)}"
        yield from self.tables
        n_in, n_out = len(program.argument_sizes), len(program.outputs)
        arguments = [*(f"a{k}" for k in range(n_in)), *(f"r{k}" for k in range(n_out))]
        types = ["const double *restrict "] * n_in + ["double *restrict "] * n_out
        declared = [t + a for t, a in zip(types, arguments, strict=True)]
        signature = ", ".join([*declared, "double *restrict w"])
        names = [f"{self.name}_{c}" for c in range(len(bodies))]
        for name, body in zip(names, bodies, strict=True):
            yield f"PT_PART static void {name}({signature}) {{"
            yield "  int i;"
            yield from body
            yield from (f"  (void){a};" for a in ["i", "w", *arguments])
            yield "}"
        yield f"static void {self.name}({signature}) {{"
        call = ", ".join([*arguments, "w"])
        yield from (f"  {name}({call});" for name in names)
        yield "}"

    def _chunks(self) -> list[list[list[int]]]:
        """Cut the loops into functions that a compiler optimises in linear time."""
        chunks: list[list[list[int]]] = [[]]
        count = 0
        for loop in self._loops():
            single = self.program.groups[loop[0]].size == 1
            parts = [loop]
            if single:
                n = _STATEMENTS
                parts = [loop[k : k + n] for k in range(0, len(loop), n)]
            for part in parts:
                if count + len(part) > _STATEMENTS and chunks[-1]:
                    chunks.append([])
                    count = 0
                chunks[-1].append(part)
                count += len(part)
        return chunks

    def _stored(self) -> set[int]:
        """Groups whose values are read outside their loop (alone: their function)."""
        groups, stored = self.program.groups, set()

        def mark(operand: Operand, loop: int, chunk: int) -> None:
            source = operand.source
            if source is None or source.kind != "group":
                return
            other = groups[source.number]
            is_near = (
                self._chunk[source.number] == chunk
                if other.size == 1
                else other.loop == loop
            )
            if not is_near:
                stored.add(source.number)

        for number, group in enumerate(groups):
            for operand in group.operands:
                mark(operand, group.loop, self._chunk[number])
        for runs in self.program.outputs:
            for _, operand in runs:
                mark(operand, -1, -1)
        return stored

    def _loops(self) -> Iterator[list[int]]:
        groups = self.program.groups
        current: list[int] = []
        for number, group in enumerate(groups):
            if current and groups[current[-1]].loop != group.loop:
                yield current
                current = []
            current.append(number)
        if current:
            yield current

    def _loop(self, numbers: list[int], stored: set[int]) -> Iterator[str]:
        groups = self.program.groups
        size, loop = groups[numbers[0]].size, groups[numbers[0]].loop
        index = "i" if size > 1 else "0"
        indent = "    " if size > 1 else "  "
        if size > 1:
            yield "  PT_IVDEP"
            yield f"  for (i = 0; i < {size}; ++i) {{"
        for number in numbers:
            group = groups[number]
            texts = [self._read(o, index, size, loop) for o in group.operands]
            yield f"{indent}const double v{number} = {self._apply(group, texts)};"
            if number in stored:
                place = f"{self._offset[number]} + {index}"
                yield f"{indent}w[{place}] = v{number};"
        if size > 1:
            yield "  }"

    def _read(self, operand: Operand, index: str, size: int, loop: int) -> str:
        if operand.source is None:
            return self._constant(operand, index)
        if operand.source.kind == "group":
            other = self.program.groups[operand.source.number]
            is_near = self._chunk[operand.source.number] == self._current
            if is_near and (other.size == 1 or other.loop == loop):
                return f"v{operand.source.number}"
            base, offset = "w", self._offset[operand.source.number]
        else:
            base, offset = f"a{operand.source.number}", 0
        at = operand.indices + offset
        if size == 1 or bool(np.all(at == at[0])):
            return f"{base}[{at[0]}]"
        if bool(np.all(np.diff(at) == 1)):
            return f"{base}[{at[0]} + {index}]"
        return f"{base}[{self._table('int', at.tolist())}[{index}]]"

    def _constant(self, operand: Operand, index: str) -> str:
        values = operand.values
        if bool(np.all(values == values[0])):
            return _literal(float(values[0]))
        return f"{self._table('double', [float(v) for v in values])}[{index}]"

    def _table(self, kind: str, values: list[float] | list[int]) -> str:
        texts = [_literal(v) if kind == "double" else str(v) for v in values]
        content = f"{{{', '.join(texts)}}}"
        known = self._known.get(kind + content)
        if known is None:
            known = f"{self.name}_{kind[0]}{len(self._known)}"
            self._known[kind + content] = known
            self.tables.append(
                f"static const {kind} {known}[{len(values)}] = {content};"
            )
        return known

    def _apply(self, group: Group, texts: list[str]) -> str:
        if group.operation in (LOOKUP, LOOKUP_SLOPE):
            suffix = "value" if group.operation == LOOKUP else "slope"
            return f"{self.program.lookups[group.lookup].name}_{suffix}({texts[0]})"
        constant = None
        if len(texts) == 2 and group.operands[1].source is None:
            constant = float(group.operands[1].values[0])
        form = c_form(group.operation, len(texts), constant)
        if form is None:
            msg = (
                f"CasADi operation {group.operation} has no C form in `{self.name}`; "
                "rewrite the model without it."
            )
            raise InterfaceError(msg)
        return form.format(*texts)

    def _copy(self, k: int, first: int, operand: Operand) -> Iterator[str]:
        n = len(operand.indices) or len(operand.values)
        if n == 1:
            yield f"  r{k}[{first}] = {self._read(operand, '0', 1, -1)};"
            return
        text = self._read(operand, "i", n, -1)
        yield f"  PT_IVDEP\n  for (i = 0; i < {n}; ++i) r{k}[{first} + i] = {text};"


def _literal(value: float | int) -> str:
    if value != value:
        return "NAN"
    if value in (math.inf, -math.inf):
        return "HUGE_VAL" if value > 0 else "(-HUGE_VAL)"
    text = repr(float(value))
    return f"({text})" if text.startswith("-") else text
