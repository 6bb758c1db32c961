"""The rules of the FMU checker: name, severity, section of the standard, remedy.

Sections are those of FMI 2.0.5 and FMI 3.0.2. "-" means that the standard does not say
so: the rule is good practice.
"""

# ruff: noqa: E501 (tables: one rule, one line)
from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias, final

__all__ = ["RULES", "Rule", "Severity"]

Severity: TypeAlias = Literal["error", "warning"]


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One rule.

    Attributes:
        severity: What breaking it means.
        section_2: Section of FMI 2.0.5.
        section_3: Section of FMI 3.0.2.
        remedy: What the maker of the FMU should do.
    """

    severity: Severity
    section_2: str
    section_3: str
    remedy: str

    def section_of(self, version: str) -> str:
        """Return the section of the standard for an FMI version, in words."""
        is_3 = version.startswith("3")
        section = self.section_3 if is_3 else self.section_2
        if section == "-":
            return "good practice"
        return f"FMI {'3.0.2' if is_3 else '2.0.5'}, {section}"


_ARCHIVE = """
zip-unreadable | error | 2.3 | 2.5 | Pack the FMU again as a plain zip file.
zip-member-damaged | error | 2.3 | 2.5 | Pack the FMU again; this file cannot be read back.
zip-method | error | 2.3 | 2.5 | Store this file with zip method 0 (stored) or 8 (deflated).
zip-version | error | 2.3 | 2.5 | Write the archive with version needed to extract 2.0 at most (no ZIP64, no LZMA).
zip-encrypted | error | 2.3 | 2.5 | Pack the FMU without a password.
zip-stored-streamed | error | 2.3 | 2.5 | Deflate this file, or write its size before its content (no data descriptor).
zip-link | error | 2.3 | 2.5 | Pack the file itself instead of a link.
zip-path | error | 2.3 | 2.5 | Use relative paths with forward slashes and without `..`.
zip-duplicate | error | 2.3 | 2.5 | Pack every path once.
zip-case | warning | - | - | Rename one of the files: they are the same on Windows and macOS.
zip-path-long | warning | - | - | Shorten the path: Windows allows 260 characters with the folder it is unpacked to.
zip-bomb | error | - | - | Remove what is not needed; this much is not unpacked.
extension | warning | 2.3 | 2.5 | Name the file `*.fmu`.
description-missing | error | 2.3 | 2.5 | Put `modelDescription.xml` at the root of the archive, not in a folder.
no-implementation | error | 2.3 | 2.5 | Add a library under `binaries/PLATFORM/` or C sources under `sources/`.
platform-unknown | warning | 2.3 | 2.5.1.4 | Use a standard platform name, such as `linux64` (FMI 2) or `x86_64-linux` (FMI 3).
source-missing | error | 2.3 | 2.4.10 | Add the file to `sources/`, or take it out of the list.
build-description | error | 2.3 | 2.4.10 | Correct `sources/buildDescription.xml`.
reference-file | error | - | - | Correct the manifest of FMI-LS-REF (`extra/org.fmi-standard.fmi-ls-ref/`) or the file it names.
license-entry | warning | 2.3 | 2.5.1.1 | Add `license.txt` or `license.html` as the entry of `documentation/licenses/`.
"""

_DESCRIPTION = """
xml-malformed | error | 2.2 | 2.4 | Write well-formed XML without document type and entities.
xml-schema | error | 2.2 | 2.4 | Correct the element so that the standard's XML schema accepts it.
version-unknown | error | 2.2.1 | 2.4.1 | Export with FMI 2.0 or 3.0; others are not checked.
no-interface | error | 2.2.1 | 2.4.1 | Add `CoSimulation`, `ModelExchange` or (FMI 3) `ScheduledExecution`.
identifier | error | 2.2.1 | 2.4.2 | Use a C identifier as model identifier: letters, digits and underscores.
token-empty | error | 2.2.1 | 2.4.1 | Write a fingerprint of the export as guid (FMI 3: instantiation token).
serialize-without-state | error | 4.3.1 | 2.4.2 | Set `canGetAndSetFMUstate` too, or `canSerializeFMUstate` to false.
name-duplicate | error | 2.2.7 | 2.4.7.1 | Give every variable a name of its own.
name-illegal | error | 2.2.9 | 2.4.7.4 | Follow the declared naming convention (no control characters; structured: Modelica's names).
reference-duplicate | error | 2.2.7 | 2.4.7.1 | Give every variable its own value reference; use `Alias` for alias names.
alias-settable | error | 2.2.7 | 2.4.7.3 | Let at most one variable of an alias set have a start value, and give all the same unit.
causality-variability | error | 2.2.7 | 2.4.7.4 | Use a combination that the table of the standard allows.
continuous-type | error | 2.2.7 | 2.4.7.4 | Say `variability="discrete"` (or another): only reals are continuous.
initial-illegal | error | 2.2.7 | 2.4.7.4 | Use a value of `initial` that the table of the standard allows.
start-missing | error | 2.2.7 | 2.4.7.4 | Give the variable a start value.
start-forbidden | error | 2.2.7 | 2.4.7.4 | Take the start value away, or make `initial` exact or approx.
start-range | error | 2.2.7 | 2.4.7.4 | Choose a start value within `min` and `max`.
range-empty | error | 2.2.7 | 2.4.7.4 | Let `min` not exceed `max`.
nominal-zero | error | 2.2.3 | 2.4.4 | Give a positive nominal value, or none.
number-not-finite | error | 2.2.7 | 2.4.7.4 | Write finite numbers.
unit-undefined | error | 2.2.2 | 2.4.3 | Define the unit under `UnitDefinitions`.
unit-duplicate | error | 2.2.2 | 2.4.3 | Define every unit once.
unit-factor | error | 2.2.2 | 2.4.3 | Give the base unit a factor that is finite and not 0, and a finite offset.
display-unit-undefined | error | 2.2.2 | 2.4.3 | Define the display unit inside its unit, and name that unit too.
type-undefined | error | 2.2.3 | 2.4.4 | Define the type under `TypeDefinitions`, with the type of the variable.
independent-wrong | error | 2.2.7 | 2.4.7.4 | Declare one continuous real independent variable without start (FMI 3: exactly one).
derivative-reference | error | 2.2.7 | 2.4.7.5 | Let `derivative` name another continuous real variable, the state.
experiment | error | 2.2.5 | 2.4.6 | Let the default experiment have start < stop, tolerance > 0 and step size > 0.
log-category-duplicate | error | 2.2.4 | 2.4.5 | Define every log category once.
"""

_STRUCTURE = """
index-range | error | 2.2.8 | 2.4.8 | Point to an existing variable (FMI 2: position from 1; FMI 3: value reference).
outputs-incomplete | error | 2.2.8 | 2.4.8 | List every output once under the outputs of `ModelStructure`.
outputs-wrong | error | 2.2.8 | 2.4.8 | List only variables with causality output there.
derivatives-wrong | error | 2.2.8 | 2.4.8 | List only variables with attribute `derivative`, in the order of the states.
derivatives-incomplete | error | 2.2.8 | 2.4.8 | List the derivatives of all states of a model-exchange FMU.
initial-unknowns-incomplete | error | 2.2.8 | 2.4.8 | List every output and calculated parameter (and state) that is computed at the start.
initial-unknowns-wrong | error | 2.2.8 | 2.4.8 | Take out what is not computed at the start, or is there already.
unknown-duplicate | error | 2.2.8 | 2.4.8 | List every unknown once.
unknown-order | error | 2.2.8 | 2.4.8 | Sort the initial unknowns by index.
dependencies-kind | error | 2.2.8 | 2.4.8 | Give as many kinds as dependencies, and only kinds allowed in this list.
dependency-duplicate | error | 2.2.8 | 2.4.8 | List every dependency once.
dependency-not-known | error | 2.2.8 | 2.4.8 | Depend only on inputs, exact values, states and the independent variable.
"""

_BINARY = """
binary-name | error | 2.3 | 2.5.1.4 | Name the library after the model identifier, with the platform's suffix.
binary-format | error | 2.3 | 2.5.1.4 | Put a shared library of this platform there.
binary-machine | error | 2.3 | 2.5.1.4 | Build the library for the platform whose folder it is in.
function-missing | error | 2.3 | 2.5 | Export every function of the interface, also those that are not supported.
binary-needs | warning | 2.3 | 2.5.1.4 | Link statically, ship the library next to it, or tell it in `documentation/externalDependencies.txt`.
binary-search-path | warning | 2.3 | 2.5.1.4 | Set RPATH to $ORIGIN, or leave it out.
token-mismatch | error | 2.2.1 | 2.4.1 | Export description and binary together; never edit one of them.
token-not-found | warning | 2.2.1 | 2.4.1 | Compile the guid of the description into the binary.
"""

_RUN = """
not-loadable | error | 2.3 | 2.5.1.4 | Link it so that it loads on a plain system of its platform.
version-string | error | 2.1.4 | 2.2.5 | Return the version (and types platform) that the standard fixes.
crash | error | 2.1.3 | 2.2.4 | Debug the call that is named; an FMU returns an error status, it never dies.
hang | error | 2.1.3 | 2.2.4 | Debug the call that is named, or bound its iterations.
not-instantiable | error | 2.1.5 | 2.3.1 | Let the instance be made from guid and resources; see its log.
token-unchecked | warning | 2.1.5 | 2.3.1 | Compare the guid in Instantiate, and return NULL if it differs.
call-refused | error | 2.1.6 | 2.3 | Let this legal call succeed with the declared start values; see its log.
capability-lies | error | 4.3.1 | 2.4.2 | Implement the declared capability, or declare it false.
illegal-call-accepted | warning | 4.2.4 | 2.3 | Keep the state of the instance and return an error for a call that it forbids.
unknown-reference-accepted | error | 2.1.7 | 2.2.7.2 | Return an error for a value reference that does not exist.
read-only-set-accepted | warning | 2.1.7 | 2.2.7.2 | Return an error when this variable is set now.
step-size-accepted | warning | 4.2.2 | 4.2.1 | Return an error, at once, for a step that is not longer than 0 s.
free-null | error | 2.1.5 | 2.3.1 | Ignore NULL in FreeInstance.
null-crash | warning | - | - | Return an error if the instance is NULL.
start-value-differs | error | 2.2.7 | 2.4.7.4 | Start with the values of the description.
set-ignored | error | 2.1.7 | 2.2.7.2 | Store what was set, and return it.
array-differs | error | 2.1.7 | 2.2.7.2 | Treat every element of the arrays of value references, in the order given.
set-has-no-effect | error | 2.1.7 | 2.2.7.2 | Let the step and the outputs use what was set.
get-changes-state | error | 2.1.7 | 2.2.7.2 | Let getting a value change nothing.
output-not-finite | error | 2.1.3 | 2.2.4 | Return an error or discard the step instead of a NaN or infinite output.
not-deterministic | error | - | - | Make equal calls give equal results: no static state, time of day, or random seed.
uninitialised-memory | error | - | - | Initialise all memory; results depend on what it held before.
reset-incomplete | error | 2.1.6 | 2.3.1 | Restore everything to its start in Reset.
instances-share-state | error | 2.1 | 2.2.1 | Keep all state in the instance, none in globals or statics.
threads-interfere | error | 2.1 | 2.2.1 | Keep scratch memory in the instance: instances are called in parallel.
static-memory | warning | 2.1 | 2.2.1 | Keep scratch memory in the instance, or guard it: instances are called in parallel.
state-replay-differs | error | 2.1.8 | 2.2.7.4 | Save everything that a step uses or changes, solver history too.
state-not-reusable | error | 2.1.8 | 2.2.7.4 | Copy a saved state when it is set; never change or free it.
serialize-replay-differs | error | 2.1.8 | 2.2.7.4 | Serialize everything, by value and without pointers.
serialize-overrun | error | 2.1.8 | 2.2.7.4 | Write no more bytes than the size you returned.
state-not-nulled | error | 2.1.8 | 2.2.7.4 | Set the state to NULL after freeing it, and ignore NULL.
leak-instance | error | 2.1.5 | 2.3.1 | Free in FreeInstance all that the instance allocated.
leak-state | error | 2.1.8 | 2.2.7.4 | Free in FreeFMUstate all that GetFMUstate allocated, and reuse a given state.
leak-step | error | - | - | Free what a step allocates.
dependency-missing | error | 2.2.8 | 2.4.8 | Add the known to `dependencies`, or leave the attribute out.
derivative-wrong | error | 2.1.9 | 2.2.12 | Correct the derivative; it differs from central differences.
environment-changed | error | 2.1 | 2.2.1 | Restore locale, working folder, rounding mode and signal handlers.
log-category | warning | 2.1.5 | 2.4.5 | Log under a category that `LogCategories` defines.
last-time-wrong | warning | 4.2.3 | 4.2.1 | Report the end of the last successful step.
step-answer-wrong | error | 4.2.2 | 4.2.1 | Tell in DoStep the time that was reached; return early only where it is allowed.
intermediate-wrong | error | - | 4.2.1 | Call the intermediate update within the step, and use what it sets.
states-wrong | error | 3.2.2 | 3.2.1 | Return from GetContinuousStates what SetContinuousStates was given.
reference-differs | error | - | - | Export binary and reference results together, or find out which of them is wrong.
nominal-wrong | error | 3.2.2 | 2.3.5 | Return positive nominal values.
"""


def _parse(*tables: str) -> dict[str, Rule]:
    rules: dict[str, Rule] = {}
    for line in "".join(tables).splitlines():
        if line:
            name, severity, section_2, section_3, remedy = line.split(" | ")
            rules[name] = Rule(
                severity="error" if severity == "error" else "warning",
                section_2=section_2,
                section_3=section_3,
                remedy=remedy,
            )
    return rules


RULES: dict[str, Rule] = _parse(_ARCHIVE, _DESCRIPTION, _STRUCTURE, _BINARY, _RUN)
"""All rules by name."""
