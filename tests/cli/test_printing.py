"""Lines that hold names of files."""

from __future__ import annotations

import io
import os
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stylize.cli.console import table
from stylize.cli.printing import print_line, printable


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("żółć 日本 \u202f.png", "żółć 日本 \u202f.png"),
        ("a\x1b[31m\n\t\r\x07\x9b.png", r"a\x1b[31m\n\t\r\x07\x9b.png"),
        (os.fsdecode(b"caf\xe9.png") if os.name != "nt" else "caf\udce9.png", r"caf\xe9.png"),
        ("\u202egnp.exe\u2028\ud800", r"\u202egnp.exe\u2028\ud800"),
    ],
)
def test_what_is_no_text_is_escaped(name, shown):
    assert printable(name) == shown


@given(
    st.text(st.characters(codec=None, exclude_categories=())), st.sampled_from(["ascii", "latin-1", "cp1252", "utf-8"])
)
def test_any_name_is_one_line_in_any_encoding(name, encoding):
    stream = io.TextIOWrapper(io.BytesIO(), encoding, newline="")
    line = printable(name, stream)
    stream.write(line)
    assert len(line.splitlines()) <= 1
    assert "\x1b" not in line


def test_nothing_is_printed_where_nothing_can_be(monkeypatch):
    class Broken(io.StringIO):
        def write(self, text: str) -> int:
            raise OSError(5, "Input/output error")

    monkeypatch.setattr(sys, "stdout", None)
    print_line("result")
    monkeypatch.setattr(sys, "stderr", Broken())
    print_line("message", error=True)
    monkeypatch.setattr(sys, "stdout", Broken())
    with pytest.raises(OSError, match="Input/output"):
        print_line("result")


def test_a_name_in_a_table_is_no_markup():
    from rich.console import Console

    console = Console(file=io.StringIO(), width=60)
    console.print(table(["picture"], [["[/red] [bold]a\x1b[31m"]]))
    assert r"[/red] [bold]a\x1b[31m" in console.file.getvalue()
