"""Rules on model descriptions: a good one is clean, each edit is found by its rule."""

# ruff: noqa: E501 (tables of XML)
from __future__ import annotations

import pytest

from packtwin.fmu.checker.document import check_document

GOOD_2 = """<?xml version="1.0" encoding="UTF-8"?>
<fmiModelDescription fmiVersion="2.0" modelName="m" guid="g"
    variableNamingConvention="structured" numberOfEventIndicators="0">
  <ModelExchange modelIdentifier="m" canGetAndSetFMUstate="true"
      canSerializeFMUstate="true"/>
  <UnitDefinitions>
    <Unit name="K"><BaseUnit K="1"/><DisplayUnit name="degC" offset="-273.15"/></Unit>
    <Unit name="m"><BaseUnit m="1"/></Unit>
  </UnitDefinitions>
  <TypeDefinitions>
    <SimpleType name="Length"><Real unit="m" min="0" nominal="2"/></SimpleType>
    <SimpleType name="Mode"><Enumeration><Item name="a" value="1"/></Enumeration></SimpleType>
  </TypeDefinitions>
  <LogCategories><Category name="logAll"/><Category name="logError"/></LogCategories>
  <DefaultExperiment startTime="0" stopTime="1" tolerance="1e-4" stepSize="0.1"/>
  <ModelVariables>
    <ScalarVariable name="time" valueReference="0" causality="independent" variability="continuous"><Real/></ScalarVariable>
    <ScalarVariable name="u" valueReference="1" causality="input"><Real unit="K" displayUnit="degC" start="1" min="0" max="5"/></ScalarVariable>
    <ScalarVariable name="x" valueReference="2" causality="output" initial="exact"><Real declaredType="Length" start="1"/></ScalarVariable>
    <ScalarVariable name="der(x)" valueReference="3" initial="calculated"><Real derivative="3"/></ScalarVariable>
    <ScalarVariable name="tank.level[2]" valueReference="4" causality="output"><Real unit="m"/></ScalarVariable>
    <ScalarVariable name="p" valueReference="5" causality="parameter" variability="fixed"><Real start="1"/></ScalarVariable>
    <ScalarVariable name="q" valueReference="6" causality="calculatedParameter" variability="fixed"><Real/></ScalarVariable>
    <ScalarVariable name="mode" valueReference="7" causality="parameter" variability="fixed"><Enumeration declaredType="Mode" start="1"/></ScalarVariable>
    <ScalarVariable name="copy" valueReference="4" variability="continuous"><Real unit="m"/></ScalarVariable>
  </ModelVariables>
  <ModelStructure>
    <Outputs><Unknown index="3"/><Unknown index="5" dependencies="2 3" dependenciesKind="dependent constant"/></Outputs>
    <Derivatives><Unknown index="4" dependencies="2"/></Derivatives>
    <InitialUnknowns><Unknown index="4" dependencies="2"/><Unknown index="5" dependencies="2 3 6"/><Unknown index="7" dependencies="6"/></InitialUnknowns>
  </ModelStructure>
</fmiModelDescription>
"""

GOOD_3 = """<?xml version="1.0" encoding="UTF-8"?>
<fmiModelDescription fmiVersion="3.0" modelName="m" instantiationToken="g">
  <ModelExchange modelIdentifier="m" canGetAndSetFMUState="true" canSerializeFMUState="true"/>
  <CoSimulation modelIdentifier="m"/>
  <UnitDefinitions><Unit name="K"><BaseUnit K="1"/></Unit></UnitDefinitions>
  <ModelVariables>
    <Float64 name="time" valueReference="0" causality="independent"/>
    <Float64 name="u" valueReference="1" causality="input" start="1 2 3" unit="K"><Dimension start="3"/></Float64>
    <Float64 name="x" valueReference="2" causality="output" start="1" initial="exact"><Alias name="level"/></Float64>
    <Float64 name="der_x" valueReference="3" derivative="2"/>
    <Float64 name="y" valueReference="4" causality="output"/>
    <Int32 name="n" valueReference="5" causality="parameter" start="3"/>
    <Boolean name="is_on" valueReference="6" causality="input" start="true"/>
    <String name="s" valueReference="7" causality="parameter"><Start value="a"/></String>
    <Clock name="c" valueReference="8" causality="input" intervalVariability="triggered"/>
  </ModelVariables>
  <ModelStructure>
    <Output valueReference="2"/>
    <Output valueReference="4" dependencies="1 2 0" dependenciesKind="dependent constant dependent"/>
    <ContinuousStateDerivative valueReference="3" dependencies="1"/>
    <InitialUnknown valueReference="3" dependencies="1"/>
    <InitialUnknown valueReference="4" dependencies="1 2 5"/>
  </ModelStructure>
</fmiModelDescription>
"""


def rules(text: str) -> list[str]:
    _, found = check_document(text.encode())
    return sorted({one.rule for one in found})


@pytest.mark.parametrize("text", [GOOD_2, GOOD_3])
def test_good_description_is_clean(text: str) -> None:
    description, found = check_document(text.encode())
    assert found == []
    assert description is not None
    assert description.token == "g"
    assert description.states() == [3 if not description.is_3 else 2]


EDITS_2 = [
    ("<ModelVariables>", "<ModelVariables", "xml-malformed"),
    ('fmiVersion="2.0"', 'fmiVersion="1.0"', "version-unknown"),
    ('modelIdentifier="m"', 'modelIdentifier="2 m"', "identifier"),
    ('guid="g"', 'guid=" "', "token-empty"),
    ('canGetAndSetFMUstate="true"', "", "serialize-without-state"),
    ('name="u"', 'name="x"', "name-duplicate"),
    ('name="u"', 'name="u!"', "name-illegal"),
    ('causality="input"', 'causality="input" variability="tunable"', "causality-variability"),
    ('name="mode" valueReference="7" causality="parameter" variability="fixed"', 'name="mode" valueReference="7" causality="output"', "continuous-type"),
    ('causality="input"', 'causality="input" initial="exact"', "initial-illegal"),
    ('causality="parameter" variability="fixed"', 'causality="parameter" variability="fixed" initial="approx"', "initial-illegal"),
    ('start="1" min="0"', 'min="0"', "start-missing"),
    ('<Real derivative="3"/>', '<Real derivative="3" start="1"/>', "start-forbidden"),
    ('start="1" min="0"', 'start="-1" min="0"', "start-range"),
    ('<Real declaredType="Length" start="1"/>', '<Real declaredType="Length" start="-1"/>', "start-range"),
    ('max="5"', 'max="-5"', "range-empty"),
    ('nominal="2"', 'nominal="0"', "nominal-zero"),
    ('start="1" min="0"', 'start="NaN" min="0"', "number-not-finite"),
    ('unit="K"', 'unit="R"', "unit-undefined"),
    ('<Unit name="m">', '<Unit name="K">', "unit-duplicate"),
    ('<BaseUnit m="1"/>', '<BaseUnit m="1" factor="0"/>', "unit-factor"),
    ('displayUnit="degC"', 'displayUnit="degF"', "display-unit-undefined"),
    ('declaredType="Length"', 'declaredType="Height"', "type-undefined"),
    ('declaredType="Mode"', 'declaredType="Length"', "type-undefined"),
    ('causality="independent" variability="continuous"><Real/>', 'causality="independent" variability="discrete"><Integer/>', "independent-wrong"),
    ('derivative="3"', 'derivative="77"', "derivative-reference"),
    ('derivative="3"', 'derivative="6"', "derivative-reference"),
    ('stopTime="1"', 'stopTime="-1"', "experiment"),
    ('stepSize="0.1"', 'stepSize="0"', "experiment"),
    ('name="logError"', 'name="logAll"', "log-category-duplicate"),
    ('name="copy" valueReference="4"', 'name="copy" valueReference="1"', "alias-settable"),
    ('<Outputs><Unknown index="3"/>', "<Outputs>", "outputs-incomplete"),
    ('<Outputs><Unknown index="3"/>', '<Outputs><Unknown index="3"/><Unknown index="2"/>', "outputs-wrong"),
    ('<Outputs><Unknown index="3"/>', '<Outputs><Unknown index="3"/><Unknown index="3"/>', "unknown-duplicate"),
    ('<Outputs><Unknown index="3"/>', '<Outputs><Unknown index="3" dependencies="0"/>', "index-range"),
    ('<Derivatives><Unknown index="4" dependencies="2"/></Derivatives>', "", "derivatives-incomplete"),
    ('<Derivatives><Unknown index="4"', '<Derivatives><Unknown index="9"/><Unknown index="4"', "derivatives-wrong"),
    ('<Unknown index="7" dependencies="6"/>', "", "initial-unknowns-incomplete"),
    ('<Unknown index="7" dependencies="6"/>', '<Unknown index="7"/><Unknown index="8"/>', "initial-unknowns-wrong"),
    ('<InitialUnknowns><Unknown index="4" dependencies="2"/><Unknown index="5" dependencies="2 3 6"/>', '<InitialUnknowns><Unknown index="5"/><Unknown index="4"/>', "unknown-order"),
    ('dependenciesKind="dependent constant"', 'dependenciesKind="dependent"', "dependencies-kind"),
    ('dependencies="2 3 6"', 'dependencies="2 3 6" dependenciesKind="tunable dependent dependent"', "dependencies-kind"),
    ('dependencies="2 3 6"', 'dependencies="2 2 3 6"', "dependency-duplicate"),
    ('dependencies="2 3 6"', 'dependencies="2 3 6 7"', "dependency-not-known"),
    ('modelName="m"', "", "xml-schema"),
]  # fmt: skip


@pytest.mark.parametrize(("old", "new", "rule"), EDITS_2)
def test_fault_of_fmi_2_is_found(old: str, new: str, rule: str) -> None:
    assert old in GOOD_2
    assert rule in rules(GOOD_2.replace(old, new, 1))


EDITS_3 = [
    ('canGetAndSetFMUState="true"', "", "serialize-without-state"),
    ('instantiationToken="g"', 'instantiationToken=""', "token-empty"),
    ('name="u" valueReference="1"', 'name="u" valueReference="2"', "reference-duplicate"),
    ('name="y"', 'name="u"', "name-duplicate"),
    ('causality="independent"', 'causality="local"', "independent-wrong"),
    ('start="1 2 3"', "", "start-missing"),
    ('<Start value="a"/>', "", "start-missing"),
    ('start="1 2 3" unit="K"', 'start="1 2 3" unit="K" max="2.5"', "start-range"),
    ('unit="K"', 'unit="R"', "unit-undefined"),
    ('causality="parameter" start="3"', 'causality="parameter" variability="discrete" start="3"', "causality-variability"),
    ('derivative="2"', 'derivative="5"', "derivative-reference"),
    ('<Output valueReference="2"/>', "", "outputs-incomplete"),
    ('<Output valueReference="2"/>', '<Output valueReference="22"/>', "index-range"),
    ('<InitialUnknown valueReference="3" dependencies="1"/>', "", "initial-unknowns-incomplete"),
    ('<ContinuousStateDerivative valueReference="3" dependencies="1"/>', "", "derivatives-incomplete"),
    ('dependencies="1 2 5"', 'dependencies="1 2 5 99"', "index-range"),
    ('dependencies="1 2 5"', 'dependencies="1 2 4"', "dependency-not-known"),
    ('dependenciesKind="dependent constant dependent"', 'dependenciesKind="dependent"', "dependencies-kind"),
    ('causality="parameter" start="3"', 'causality="sideways" start="3"', "xml-schema"),
]  # fmt: skip


@pytest.mark.parametrize(("old", "new", "rule"), EDITS_3)
def test_fault_of_fmi_3_is_found(old: str, new: str, rule: str) -> None:
    assert old in GOOD_3
    _, found = check_document(GOOD_3.replace(old, new, 1).encode())
    assert rule in {one.rule for one in found}
    assert all(one.section.startswith("FMI 3.0.2, ") for one in found)


def test_no_interface_is_found() -> None:
    start, end = GOOD_2.index("<ModelExchange"), GOOD_2.index("<UnitDefinitions>")
    text = GOOD_2[:start] + GOOD_2[end:]
    assert "no-interface" in rules(text)


def test_entities_are_not_read() -> None:
    text = GOOD_2.replace(
        "<fmiModelDescription ",
        '<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><fmiModelDescription ',
        1,
    )
    assert rules(text) == ["xml-malformed"]
