"""Fixtures of the command line's tests."""

from __future__ import annotations

from pathlib import Path

import pytest

from api_stand_in import ApiStandIn


@pytest.fixture
def inputs(pictures: tuple[Path, Path]) -> tuple[object, ...]:
    """The options that name a content and a style."""
    content, style = pictures
    return "-c", content, "-s", style


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> ApiStandIn:
    """A stand-in for the functions that paint."""
    stand_in = ApiStandIn()
    for name in ("fast", "refine", "compare"):
        monkeypatch.setattr(f"stylize.api.{name}", getattr(stand_in, name))
    return stand_in
