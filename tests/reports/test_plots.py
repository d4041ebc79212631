"""The plot of a history: every format opens, and what cannot be written is refused."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from PIL import Image

from stylize.errors import OptionError, StylizeError
from stylize.optimize.history import HistoryEntry, LossTerms
from stylize.optimize.pyramid import PyramidLevel
from stylize.reports.plots import check_plot, write_plot

LEVELS = (PyramidLevel(64, 3), PyramidLevel(128, 2))


def terms(total: float) -> LossTerms:
    content, style = dict.fromkeys(("relu3_1", "relu4_2"), total / 8), dict.fromkeys(("relu1_1", "relu2_1"), total / 16)
    return LossTerms(total, total / 2, total / 4, 0.1, content, style)


def history(*totals: float) -> list[HistoryEntry]:
    return [HistoryEntry(1 if step <= 3 else 2, step, step * 0.5, terms(total)) for step, total in enumerate(totals, 1)]


@pytest.mark.parametrize("totals", [(8.0, 4.0, 2.0, 3.0, 1.0), (1.0,), (0.0,)])
@pytest.mark.parametrize("suffix", [".png", ".svg", ".pdf", ".webp", ".jpg"])
def test_a_plot_is_written(totals: tuple[float, ...], suffix: str, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib", reason="matplotlib is not installed")
    path = tmp_path / f"losses{suffix}"
    write_plot(path, history(*totals), LEVELS, preview=terms(6.0))
    assert [each.name for each in tmp_path.iterdir()] == [path.name]
    if suffix == ".png":
        with Image.open(path) as image:
            assert image.width >= 900
            assert len(image.convert("RGB").getcolors(1 << 24)) > 10
    elif suffix == ".svg":
        assert "relu2_1" in path.read_text("utf-8") or "<path" in path.read_text("utf-8")


def test_a_plot_is_refused_up_front(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(OptionError, match=r"expected a suffix out of .*; received \.txt"):
        check_plot(tmp_path / "losses.txt", overwrite=False)
    with pytest.raises(StylizeError, match="expected an existing folder"):
        check_plot(tmp_path / "absent" / "losses.png", overwrite=False)
    (tmp_path / "losses.png").write_bytes(b"mine")
    with pytest.raises(StylizeError, match="is there already"):
        check_plot(tmp_path / "losses.png", overwrite=False)
    check_plot(tmp_path / "losses.png", overwrite=True)
    with pytest.raises(StylizeError, match="at least one step, received none"):
        write_plot(tmp_path / "losses.png", [], LEVELS, overwrite=True)
    assert (tmp_path / "losses.png").read_bytes() == b"mine"
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(StylizeError, match=r'pip install "stylize-art\[plot\]"'):
        check_plot(tmp_path / "other.png", overwrite=False)
