"""Descriptions are read and written without loss, and are valid."""

from __future__ import annotations

import pytest
from hypothesis import strategies as st

from packtwin.cosim.ssp_file import read_document, write_document
from packtwin.cosim.ssp_structure import (
    SystemStructure,
)
from tests.cosim import ssp_documents as documents

TEXTS = st.text(
    st.characters(codec="utf-8", exclude_categories=("C", "Z")), min_size=1, max_size=8
)
NUMBERS = st.floats(allow_nan=False, allow_infinity=False)
EXPONENTS = st.integers(-9, 9)


@pytest.mark.parametrize("version", ["1.0", "2.0"])
def test_example_is_valid_and_comes_back_with_all_its_elements(version):
    document = documents.DOCUMENTS[version]
    assert documents.schema_errors(document, version) == []
    structure = read_document(SystemStructure, document, "example")
    written = write_document(structure)
    assert documents.tree(written) == documents.tree(document)
    assert documents.schema_errors(written, version) == []
    assert read_document(SystemStructure, written, "again") == structure
