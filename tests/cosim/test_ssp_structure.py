"""Descriptions are read and written without loss, and are valid."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from packtwin.cosim.ssp_common import (
    BaseUnit,
    Dimension,
    Enumeration,
    Item,
    MapEntry,
    SspUnit,
    Transformation,
)
from packtwin.cosim.ssp_file import read_document, write_document
from packtwin.cosim.ssp_parameters import (
    MappingEntry,
    Parameter,
    ParameterMapping,
    ParameterSet,
    Value,
)
from packtwin.cosim.ssp_signals import Connector, ConnectorType
from packtwin.cosim.ssp_structure import (
    DefaultExperiment,
    MappingReference,
    ParameterBinding,
    SspComponent,
    SspConnection,
    SspSystem,
    SystemStructure,
)
from packtwin.twin.errors import ScenarioError
from tests.cosim import ssp_documents as documents

TEXTS = st.text(
    st.characters(codec="utf-8", exclude_categories=("C", "Z")), min_size=1, max_size=8
)
NUMBERS = st.floats(allow_nan=False, allow_infinity=False)
EXPONENTS = st.integers(-9, 9)
SIZES = st.integers(1, 5)
OLD_TYPES = ("Real", "Integer", "Boolean", "String")
NEW_TYPES = (*OLD_TYPES, "Float64", "Float32", "Int8", "UInt32", "Int64")


def builds(record, **parts):
    """What `made` makes a record of; not in the strategy, where types are checked."""
    return st.fixed_dictionaries(parts).map(lambda chosen: (record, chosen))


def made(drawn):
    if isinstance(drawn, tuple) and len(drawn) == 2 and isinstance(drawn[0], type):
        return drawn[0](**{name: made(part) for name, part in drawn[1].items()})
    return tuple(map(made, drawn)) if isinstance(drawn, tuple) else drawn


def some(strategy, count=3):
    return st.lists(strategy, max_size=count).map(tuple)


def named(strategy):
    """A tuple of records with different names."""
    return st.lists(strategy, max_size=3, unique_by=lambda drawn: drawn[1]["name"]).map(
        tuple
    )


UNITS = named(
    builds(
        SspUnit,
        name=TEXTS,
        base=builds(
            BaseUnit, kg=EXPONENTS, K=EXPONENTS, factor=NUMBERS, offset=NUMBERS
        ),
    )
)
ENUMERATIONS = named(
    builds(
        Enumeration,
        name=TEXTS,
        items=st.lists(
            builds(Item, name=TEXTS, value=EXPONENTS), min_size=1, max_size=3
        ).map(tuple),
    )
)
TRANSFORMATIONS = st.one_of(
    st.none(),
    builds(
        Transformation,
        kind=st.just("LinearTransformation"),
        factor=NUMBERS,
        offset=NUMBERS,
    ),
    builds(
        Transformation,
        kind=st.just("IntegerMappingTransformation"),
        entries=st.just(((MapEntry, {"source": "1", "target": "-2"}),)),
    ),
)
VALUES = {
    "Real": NUMBERS.map(repr),
    "Integer": EXPONENTS.map(str),
    "Boolean": st.sampled_from(("true", "false")),
    "String": TEXTS,
}


@st.composite
def values(draw):
    kind = draw(st.sampled_from(OLD_TYPES))
    unit = draw(st.none() | TEXTS) if kind == "Real" else None
    return Value, {"type": kind, "text": draw(VALUES[kind]), "unit": unit}


@st.composite
def structures(draw, version):
    is_new = version == "2.0"
    types = NEW_TYPES if is_new else OLD_TYPES
    dimensions = some(builds(Dimension, size=SIZES)) if is_new else st.just(())
    indices = some(SIZES) if is_new else st.just(())
    kinds = ("input", "output", "parameter", *(("local", "constant") * is_new))
    connectors = named(
        builds(
            Connector,
            name=TEXTS,
            kind=st.sampled_from(kinds),
            type=st.none() | builds(ConnectorType, type=st.sampled_from(types)),
            dimensions=dimensions,
        )
    )
    mapping = builds(
        ParameterMapping,
        version=st.just(version),
        entries=some(
            builds(
                MappingEntry,
                source=TEXTS,
                target=TEXTS,
                keeps_units=st.booleans(),
                transformation=TRANSFORMATIONS,
            )
        ),
    )
    parameters = builds(
        ParameterSet,
        version=st.just(version),
        name=TEXTS,
        parameters=named(builds(Parameter, name=TEXTS, value=values())),
        units=UNITS,
        enumerations=ENUMERATIONS,
    )
    bindings = some(
        builds(
            ParameterBinding,
            prefix=TEXTS,
            values=parameters,
            mapping=st.none() | builds(MappingReference, mapping=mapping),
        ),
        2,
    )
    components = builds(
        SspComponent,
        name=TEXTS,
        source=st.just("resources/a.fmu"),
        implementation=st.sampled_from(("any", "ModelExchange", "CoSimulation")),
        connectors=connectors,
        bindings=bindings,
    )
    connections = some(
        builds(
            SspConnection,
            start_element=st.none() | TEXTS,
            start_connector=TEXTS,
            start_indices=indices,
            end_connector=TEXTS,
            keeps_units=st.booleans(),
            transformation=TRANSFORMATIONS,
        )
    )
    inner = builds(
        SspSystem, name=TEXTS, elements=named(components), connections=connections
    )
    system = builds(
        SspSystem,
        name=TEXTS,
        connectors=connectors,
        bindings=bindings,
        elements=named(components | inner),
        connections=connections,
    )
    return SystemStructure, {
        "version": version,
        "name": draw(TEXTS),
        "system": draw(system),
        "units": draw(UNITS),
        "enumerations": draw(ENUMERATIONS),
        "experiment": draw(
            st.none() | builds(DefaultExperiment, start_s=NUMBERS, stop_s=NUMBERS)
        ),
    }


@pytest.mark.parametrize("version", ["1.0", "2.0"])
def test_example_is_valid_and_comes_back_with_all_its_elements(version):
    document = documents.DOCUMENTS[version]
    assert documents.schema_errors(document, version) == []
    structure = read_document(SystemStructure, document, "example")
    written = write_document(structure)
    assert documents.tree(written) == documents.tree(document)
    assert documents.schema_errors(written, version) == []
    assert read_document(SystemStructure, written, "again") == structure


@pytest.mark.parametrize("version", ["1.0", "2.0"])
@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_any_structure_is_written_validly_and_read_back(version, data):
    structure = made(data.draw(structures(version)))
    written = write_document(structure)
    assert documents.schema_errors(written, version) == []
    assert read_document(SystemStructure, written, "made") == structure


def test_what_is_not_understood_is_kept_where_an_edit_is_made():
    structure = read_document(SystemStructure, documents.OLD, "example")
    edited = replace(structure, system=replace(structure.system, name="other"))
    before, after = (documents.tree(write_document(s)) for s in (structure, edited))
    assert before[3][0][1].pop("name") == "whole"
    assert after[3][0][1].pop("name") == "other"
    assert before == after


def test_default_that_is_written_stays_written_until_it_is_changed():
    content = documents.OLD.replace(
        b' name="inner"', b' name="inner" id="i"', 1
    ).replace(b'implementation="CoSimulation"', b'implementation="any"', 1)
    structure = read_document(SystemStructure, content, "example")
    assert documents.tree(write_document(structure)) == documents.tree(content)
    first, *others = structure.system.elements
    changed = replace(first, implementation="ModelExchange")
    system = replace(structure.system, elements=(changed, *others))
    written = write_document(replace(structure, system=system))
    assert b'implementation="ModelExchange"' in written


def test_a_document_that_says_1_0_and_has_more_is_refused_by_name():
    structure = read_document(SystemStructure, documents.NEW, "example")
    with pytest.raises(ScenarioError, match=r"says SSP 1\.0 but has .* needs 2\.0"):
        write_document(replace(structure, version="1.0"))


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (' kind="input"', ' kind="inlet"', r"line \d+: `Connector load` has `kind` = "),
        (' endConnector="T"', "", r"`Connection` lacks the attribute `endConnector`"),
        ('K="1"', 'K="one"', r"`BaseUnit` has `K` = `one`, which is no whole number"),
        ("ssd:GraphicalElements>", "ssd:Oops", "no well-formed XML"),
        ('version="1.0" name="every', 'version="3" name="every', "version `3`"),
        ("SystemStructureDescription ", "Else ", "no well-formed XML|begins with"),
        ("<ssd:SystemGeometry", "<ssd:Strange/><ssd:SystemGeometry", None),
    ],
)
def test_faults_are_named_with_their_line(old, new, message):
    document = documents.OLD.decode().replace(old, new, 1).encode()
    if message is None:  # unknown elements are kept
        structure = read_document(SystemStructure, document, "faulty.ssd")
        assert b"Strange" in write_document(structure)
        return
    with pytest.raises(ScenarioError, match=message):
        read_document(SystemStructure, document, "faulty.ssd")


def test_unknown_element_among_the_elements_is_refused():
    document = documents.OLD.replace(b"<ssd:Elements>", b"<ssd:Elements><ssd:New/>", 1)
    with pytest.raises(ScenarioError, match=r"`New` is unknown here; expected `Comp"):
        read_document(SystemStructure, document, "faulty.ssd")


def test_entities_and_other_files_are_not_read():
    bomb = b'<?xml version="1.0"?><!DOCTYPE a [<!ENTITY b "boom">]><a>&b;</a>'
    with pytest.raises(ScenarioError, match="document type definition"):
        read_document(SystemStructure, bomb, "bomb.ssd")


@pytest.mark.parametrize("number", [math.inf, -math.inf, 0.1, -0.0, 5e-324])
def test_numbers_survive_exactly(number):
    values = ParameterSet(
        version="1.0",
        name="n",
        units=(SspUnit(name="u", base=BaseUnit(factor=number)),),
    )
    written = write_document(values)
    assert documents.schema_errors(written, "1.0") == []
    again = read_document(ParameterSet, written, "n")
    assert math.copysign(1.0, again.units[0].base.factor) == math.copysign(1.0, number)
    assert again.units[0].base.factor == number
