"""Descriptions with everything in them, and the official schemas to check them with."""

from __future__ import annotations

import importlib.util
from functools import cache
from pathlib import Path

from lxml import etree

ROOT = "http://ssp-standard.org/SSP1/SystemStructure"
NAMES = {
    f"{{{ROOT}Description}}SystemStructureDescription": "Description",
    f"{{{ROOT}ParameterValues}}ParameterSet": "ParameterValues",
    f"{{{ROOT}ParameterMapping}}ParameterMapping": "ParameterMapping",
    f"{{{ROOT}SignalDictionary}}SignalDictionary": "SignalDictionary",
}
NAMESPACES = (
    f'xmlns:ssd="{ROOT}Description" xmlns:ssc="{ROOT}Common" '
    f'xmlns:ssv="{ROOT}ParameterValues" xmlns:ssm="{ROOT}ParameterMapping" '
    f'xmlns:ssb="{ROOT}SignalDictionary"'
)


@cache
def schema(version: str, name: str) -> etree.XMLSchema:
    """The schema that FMPy ships for 1.0, pyssp-standard for 2.0."""
    package, folder = {
        "1.0": ("fmpy", "ssp/schema"),
        "2.0": ("pyssp_standard", "resources/ssp2"),
    }[version]
    spec = importlib.util.find_spec(package)
    path = Path(spec.origin).parent / folder / f"SystemStructure{name}.xsd"
    return etree.XMLSchema(etree.parse(path))


def schema_errors(document: bytes, version: str) -> list[str]:
    """What the schema says of a document and of the documents inside it."""
    root = etree.fromstring(document)
    errors = []
    for element in [root, *(e for tag in NAMES for e in root.iterdescendants(tag))]:
        own = schema(version, NAMES[element.tag])
        alone = etree.fromstring(etree.tostring(element))
        if not own.validate(alone):
            errors += [str(e) for e in own.error_log]
    return errors


def tree(document: bytes | etree._Element):
    """Tag, attributes, text and children of all elements, to compare documents."""
    if isinstance(document, bytes):
        parser = etree.XMLParser(remove_comments=True)
        document = etree.fromstring(document, parser)
    return (
        document.tag,
        dict(document.attrib),
        (document.text or "").strip(),
        [tree(part) for part in document],
    )


ANNOTATION = (
    "<{0}:Annotations><ssc:Annotation type='org.example.note'>"
    "<x:note xmlns:x='http://example.org/x' x:at='1'>as it <x:b>was</x:b></x:note>"
    "</ssc:Annotation></{0}:Annotations>"
)
SSD_NOTE, SSV_NOTE, SSM_NOTE, SSC_NOTE, SSB_NOTE = (
    ANNOTATION.format(p) for p in ("ssd", "ssv", "ssm", "ssc", "ssb")
)

UNITS = f"""
<ssc:Unit name="degC" id="u1"><ssc:BaseUnit K="1" offset="273.15"/></ssc:Unit>
<ssc:Unit name="K"><ssc:BaseUnit K="1"/>{SSC_NOTE}</ssc:Unit>
"""
ENUMERATIONS = """
<ssc:Enumeration name="Mode"><ssc:Item name="off" value="0"/>
<ssc:Item name="on" value="3"/></ssc:Enumeration>
"""

OLD = f"""<?xml version="1.0" encoding="UTF-8"?>
<!-- everything of version 1.0 -->
<ssd:SystemStructureDescription {NAMESPACES} version="1.0" name="everything"
  author="somebody" generationTool="by hand" id="root">
  <ssd:System name="whole" description="all of it">
    <ssd:Connectors>
      <ssd:Connector name="load" kind="input"><ssc:Real unit="degC"/>
        <ssd:ConnectorGeometry x="0.0" y="0.5"/></ssd:Connector>
      <ssd:Connector name="seen" kind="output"><ssc:Boolean/></ssd:Connector>
      <ssd:Connector name="bare" kind="calculatedParameter"/>
    </ssd:Connectors>
    <ssd:ElementGeometry x1="0.0" y1="0.0" x2="1.0" y2="1.0" iconSource="a.png"/>
    <ssd:ParameterBindings>
      <ssd:ParameterBinding source="resources/all.ssv" prefix="one.">
        <ssd:ParameterMapping source="resources/all.ssm"/>
        {SSD_NOTE}
      </ssd:ParameterBinding>
      <ssd:ParameterBinding>
        <ssd:ParameterValues>
          <ssv:ParameterSet version="1.0" name="inline"><ssv:Parameters>
            <ssv:Parameter name="a"><ssv:Real value="25" unit="degC"/>{SSV_NOTE}
            </ssv:Parameter>
            <ssv:Parameter name="b"><ssv:Integer value="-3"/></ssv:Parameter>
            <ssv:Parameter name="c"><ssv:Boolean value="true"/></ssv:Parameter>
            <ssv:Parameter name="d"><ssv:String value="two  words"/></ssv:Parameter>
            <ssv:Parameter name="e"><ssv:Enumeration value="on" name="Mode"/>
            </ssv:Parameter>
            <ssv:Parameter name="f"><ssv:Binary value="00FF" mime-type="a/b"/>
            </ssv:Parameter>
          </ssv:Parameters><ssv:Enumerations>{ENUMERATIONS}</ssv:Enumerations>
          <ssv:Units>{UNITS}</ssv:Units></ssv:ParameterSet>
        </ssd:ParameterValues>
        <ssd:ParameterMapping>
          <ssm:ParameterMapping version="1.0">
            <ssm:MappingEntry source="a" target="one.T" suppressUnitConversion="true">
              <ssc:LinearTransformation factor="2.0" offset="-1.5"/>{SSM_NOTE}
            </ssm:MappingEntry>
            <ssm:MappingEntry source="c" target="one.c">
              <ssc:BooleanMappingTransformation>
                <ssc:MapEntry source="true" target="false"/>
              </ssc:BooleanMappingTransformation></ssm:MappingEntry>
            <ssm:MappingEntry source="b" target="one.b">
              <ssc:IntegerMappingTransformation>
                <ssc:MapEntry source="1" target="2"/>
              </ssc:IntegerMappingTransformation></ssm:MappingEntry>
            <ssm:MappingEntry source="e" target="one.e">
              <ssc:EnumerationMappingTransformation>
                <ssc:MapEntry source="on" target="off"/>
              </ssc:EnumerationMappingTransformation></ssm:MappingEntry>
          </ssm:ParameterMapping>
        </ssd:ParameterMapping>
      </ssd:ParameterBinding>
      <ssd:ParameterBinding type="application/x-other" source="resources/x.cdf"/>
      <ssd:ParameterBinding type="application/x-other">
        <ssd:ParameterValues><y:own xmlns:y="http://example.org/y">7</y:own>
        </ssd:ParameterValues></ssd:ParameterBinding>
    </ssd:ParameterBindings>
    <ssd:Elements>
      <ssd:Component name="one" source="resources/one.fmu"
        implementation="CoSimulation">
        <ssd:Connectors>
          <ssd:Connector name="T" kind="input"><ssc:Real unit="K"/></ssd:Connector>
          <ssd:Connector name="mode" kind="output"><ssc:Enumeration name="Mode"/>
          </ssd:Connector>
          <ssd:Connector name="blob" kind="output"><ssc:Binary mime-type="a/b"/>
          </ssd:Connector>
        </ssd:Connectors>{SSD_NOTE}
      </ssd:Component>
      <ssd:System name="inner">
        <ssd:Elements><ssd:Component name="two" source="#root"
          type="application/x-ssp-package"/></ssd:Elements>
      </ssd:System>
      <ssd:SignalDictionaryReference name="bus" dictionary="signals">
        <ssd:Connectors><ssd:Connector name="speed" kind="inout"/></ssd:Connectors>
      </ssd:SignalDictionaryReference>
    </ssd:Elements>
    <ssd:Connections>
      <ssd:Connection startConnector="load" endElement="one" endConnector="T">
        <ssc:LinearTransformation factor="1.8"/>
        <ssd:ConnectionGeometry pointsX="1.0 2.0" pointsY="3.0 4.0"/>{SSD_NOTE}
      </ssd:Connection>
      <ssd:Connection startElement="one" startConnector="mode" endElement="bus"
        endConnector="speed" suppressUnitConversion="true"/>
    </ssd:Connections>
    <ssd:SignalDictionaries>
      <ssd:SignalDictionary name="signals">
        <ssb:SignalDictionary version="1.0">
          <ssb:DictionaryEntry name="speed"><ssc:Real unit="K"/>{SSB_NOTE}
          </ssb:DictionaryEntry>
          <ssb:Units>{UNITS}</ssb:Units>
        </ssb:SignalDictionary>
      </ssd:SignalDictionary>
      <ssd:SignalDictionary name="others" source="resources/others.ssb"/>
    </ssd:SignalDictionaries>
    <ssd:SystemGeometry x1="0.0" y1="0.0" x2="9.0" y2="9.0"/>
    <ssd:GraphicalElements><ssd:Note x1="0.0" y1="0.0" x2="1.0" y2="1.0"
      text="look &amp; see"/></ssd:GraphicalElements>{SSD_NOTE}
  </ssd:System>
  <ssd:Enumerations>{ENUMERATIONS}</ssd:Enumerations>
  <ssd:Units>{UNITS}</ssd:Units>
  <ssd:DefaultExperiment startTime="1.0" stopTime="2.5">{SSD_NOTE}
  </ssd:DefaultExperiment>{SSD_NOTE}
</ssd:SystemStructureDescription>
""".encode()

_META = (
    '<ssc:MetaData kind="quality" type="a/b"><ssc:Content><z xmlns="">free</z>'
    '</ssc:Content><ssc:Signature role="authenticity" type="c/d" source="s.sig"/>'
    '</ssc:MetaData><ssc:Signature role="suitability" type="c/d"/>'
)

NEW = f"""<?xml version="1.0" encoding="UTF-8"?>
<ssd:SystemStructureDescription {NAMESPACES} version="2.0" name="everything new">
  <ssd:System name="whole">
    <ssd:ParameterBindings><ssd:ParameterBinding>
      <ssd:ParameterValues>
        <ssv:ParameterSet version="2.0" name="inline"><ssv:Parameters>
          <ssv:Parameter name="a"><ssv:Float64 value="1.5 2.5" unit="degC"/>
            <ssc:Dimension size="2"/></ssv:Parameter>
          <ssv:Parameter name="b"><ssv:String><ssv:Value value="x y"/>
            <ssv:Value value=""/></ssv:String><ssc:Dimension size="2"/>
          </ssv:Parameter>
          <ssv:Parameter name="c"><ssv:UInt64 value="18446744073709551615"/>
          </ssv:Parameter>
        </ssv:Parameters><ssv:Units>{UNITS}</ssv:Units>{_META}</ssv:ParameterSet>
      </ssd:ParameterValues>
      <ssd:ParameterMapping><ssm:ParameterMapping version="2.0">{_META}
      </ssm:ParameterMapping></ssd:ParameterMapping>{_META}
    </ssd:ParameterBinding></ssd:ParameterBindings>{_META}
    <ssd:Elements>
      <ssd:Component name="one" source="a.fmu" implementation="ScheduledExecution">
        <ssd:Connectors>
          <ssd:Connector name="n" kind="structuralParameter"><ssc:UInt32/>
          </ssd:Connector>
          <ssd:Connector name="T" kind="output"><ssc:Float32 unit="K"/>
            <ssc:Dimension sizeConnector="n"/><ssc:Dimension size="3"/>
            <ssd:Clock name="tick"/>
            <ssd:ConnectorGeometry x="1.0" y="0.5" systemInnerX="0.0"/>
          </ssd:Connector>
          <ssd:Connector name="tick" kind="local">
            <ssc:Clock intervalVariability="fixed" intervalDecimal="0.1"/>
          </ssd:Connector>
        </ssd:Connectors>{_META}
      </ssd:Component>
      <ssd:Component name="planned"><ssd:Connectors>
        <ssd:Connector name="T" kind="unspecified"/></ssd:Connectors></ssd:Component>
    </ssd:Elements>
    <ssd:Connections>
      <ssd:Connection startElement="one" startConnector="T" startIndices="1 2"
        endElement="planned" endConnector="T"/>
    </ssd:Connections>
    <ssd:SignalDictionaries><ssd:SignalDictionary name="s">
      <ssb:SignalDictionary version="2.0"><ssb:DictionaryEntry name="v">
        <ssc:Int8/><ssc:Dimension size="4"/></ssb:DictionaryEntry>{_META}
      </ssb:SignalDictionary></ssd:SignalDictionary></ssd:SignalDictionaries>
  </ssd:System>
  <ssd:Units>{UNITS}</ssd:Units>{_META}{SSD_NOTE}
</ssd:SystemStructureDescription>
""".encode()

DOCUMENTS = {"1.0": OLD, "2.0": NEW}


def description(system: str, rest: str = "", version: str = "2.0") -> bytes:
    """A description around what is in its root system."""
    return (
        f'<ssd:SystemStructureDescription {NAMESPACES} version="{version}" name="made">'
        f'<ssd:System name="root">{system}</ssd:System>{rest}'
        "</ssd:SystemStructureDescription>"
    ).encode()


def component(name: str, connectors: str = "", rest: str = "") -> str:
    """A component; connectors are words such as `a:input:K`."""
    return (
        f'<ssd:Component name="{name}" source="resources/{name}.fmu">'
        f"{connector_list(connectors)}{rest}</ssd:Component>"
    )


def connector_list(words: str) -> str:
    found = []
    for word in words.split():
        name, kind, *unit = word.split(":")
        kind_of = f'<ssc:Real unit="{unit[0]}"/>' if unit else ""
        found.append(f'<ssd:Connector name="{name}" kind="{kind}">{kind_of}')
        found.append("</ssd:Connector>")
    return f"<ssd:Connectors>{''.join(found)}</ssd:Connectors>" if found else ""


def connection(start: str, end: str, more: str = "", inside: str = "") -> str:
    """A connection of `element.connector`s, of the system's own without an element."""
    ends = []
    for role, place in (("start", start), ("end", end)):
        element, _, name = place.rpartition(".")
        ends.append(f'{role}Element="{element}" ' * bool(element))
        ends.append(f'{role}Connector="{name}" ')
    return f"<ssd:Connection {''.join(ends)}{more}>{inside}</ssd:Connection>"


def binding(parameters: str, mapping: str = "", more: str = "") -> str:
    """Inline bindings; parameters are words such as `a=Real:1.5:K`."""
    found = []
    for word in parameters.split():
        name, _, value = word.partition("=")
        kind, text, *unit = value.split(":")
        unit_of = f'unit="{unit[0]}"' if unit else ""
        found.append(
            f'<ssv:Parameter name="{name}"><ssv:{kind} value="{text}" {unit_of}/>'
            "</ssv:Parameter>"
        )
    mapped = (
        '<ssd:ParameterMapping><ssm:ParameterMapping version="2.0">'
        f"{mapping}</ssm:ParameterMapping></ssd:ParameterMapping>"
    )
    return (
        f"<ssd:ParameterBindings><ssd:ParameterBinding {more}><ssd:ParameterValues>"
        '<ssv:ParameterSet version="2.0" name="made"><ssv:Parameters>'
        f"{''.join(found)}</ssv:Parameters><ssv:Units>{UNITS}</ssv:Units>"
        f"</ssv:ParameterSet></ssd:ParameterValues>{mapped if mapping else ''}"
        "</ssd:ParameterBinding></ssd:ParameterBindings>"
    )
