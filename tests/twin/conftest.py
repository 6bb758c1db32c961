"""Fixtures of the tests of `twin`."""

from __future__ import annotations

from collections.abc import Iterator

import pytest


@pytest.fixture(scope="session", autouse=True)
def library_folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keep compiled step maps of the tests out of the user's cache."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PACKTWIN_CACHE", str(tmp_path_factory.mktemp("libraries")))
        yield
