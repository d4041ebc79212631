"""LoadedNetworks that stay loaded between runs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import stylize
from samples import painting
from stylize.networks.loaded import SizedCache
from stylize.networks.mini import MiniStylizer


def test_networks_load_once_for_many_runs(tiny_networks: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    loads: list[str] = []
    load = MiniStylizer.__init__
    monkeypatch.setattr(MiniStylizer, "__init__", lambda self, *files: loads.append("mini") or load(self, *files))
    networks = stylize.LoadedNetworks()
    content, style = painting(40, 48, 0), painting(48, 48, 1)
    first = stylize.fast(content, style, size=48, loaded=networks)
    again = stylize.fast(content, style, size=48, loaded=networks)
    refined = [stylize.refine(content, style, size=32, steps=4, loaded=networks).image for _ in range(2)]
    assert loads == ["mini"]
    np.testing.assert_array_equal(first.image, again.image)
    np.testing.assert_array_equal(*refined)


def test_of_losses_that_differ_only_the_newest_stay_loaded() -> None:
    networks = stylize.LoadedNetworks()
    stylizer = networks.keep("stylizer", "mini", object)
    losses = [networks.keep("objective", number, object) for number in range(6)]
    for number in range(2, 6):
        assert networks.keep("objective", number, object) is losses[number]
    assert networks.keep("objective", 1, object) is not losses[1]
    assert networks.keep("objective", 0, object) is not losses[0]
    assert networks.keep("stylizer", "mini", object) is stylizer


def test_a_cache_makes_once_and_forgets_what_was_used_longest_ago() -> None:
    made: list[str] = []

    def get(key: str, size: int) -> str:
        return cache.get(key, lambda: made.append(key) or key, lambda value: size)  # type: ignore[func-returns-value]

    cache = SizedCache(limit_bytes=10)
    assert [get(key, 5) for key in "abab"] == list("abab")
    assert made == list("ab")
    get("c", 5)  # "a" goes
    assert len(cache) == 2
    assert get("b", 5) == "b"
    assert made == list("abc")
    get("a", 5)
    assert made == list("abca")
    assert get("large", 100) == "large", "the newest stays, however large"
    assert len(cache) == 1
