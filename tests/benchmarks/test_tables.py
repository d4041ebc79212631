"""benchmarks/tables.py: Markdown tables, and their place in the README of the benchmarks."""

import importlib.util
import re
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"


@pytest.fixture(scope="module")
def tables():
    spec = importlib.util.spec_from_file_location("benchmark_tables", BENCHMARKS / "tables.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_markdown_has_a_header_a_rule_and_a_line_a_row(tables):
    table = tables.markdown(("px", "seconds"), [(256, "1.5"), (512, "")])
    assert table.splitlines() == ["| px | seconds |", "| --- | --- |", "| 256 | 1.5 |", "| 512 |  |"]


def test_publish_replaces_one_table_and_leaves_all_else(tables, tmp_path, capsys):
    readme = tmp_path / "README.md"
    other = "<!-- table: other -->\nkept\n<!-- end -->\n"
    readme.write_text(f"# Top\n\n{other}\n<!-- table: own -->\nold\n\nold\n<!-- end -->\nBottom\n")
    table = tables.markdown(["a\\1b"], [["c"]])
    tables.publish("own", table, write=True, readme=readme)
    text = readme.read_text()
    assert text.startswith(f"# Top\n\n{other}\n<!-- table: own -->\nMeasured ")
    assert text.endswith(f"\n\n{table}\n<!-- end -->\nBottom\n")
    assert "old" not in text
    assert table in capsys.readouterr().out


def test_publish_only_prints_unless_asked_to_write(tables, tmp_path, capsys):
    readme = tmp_path / "README.md"
    readme.write_text("<!-- table: own -->\nold\n<!-- end -->\n")
    tables.publish("own", "new", write=False, readme=readme)
    assert readme.read_text() == "<!-- table: own -->\nold\n<!-- end -->\n"
    assert capsys.readouterr().out == "new\n"


@pytest.mark.parametrize("text", ["", "<!-- table: own -->\n", "<!-- table: own -->\nx\n<!-- end -->\n" * 2])
def test_a_table_without_its_own_markers_is_refused(tables, text):
    with pytest.raises(ValueError, match="name: expected one table between '<!-- table: own -->'"):
        tables.replaced(text, "own", "new")


def test_the_measurement_line_has_date_commit_and_machine_but_no_host_name(tables):
    import platform

    line = tables.measurement_line()
    assert re.match(r"Measured \d{4}-\d\d-\d\d at commit (unknown|[0-9a-f]{7,40})", line)
    assert f"Python {platform.python_version()}, TensorFlow 2." in line
    assert " cores, " in line
    assert platform.node() not in line


def test_the_readme_has_a_place_for_every_published_table(tables):
    text = (BENCHMARKS / "README.md").read_text(encoding="utf-8")
    published = {
        name
        for script in BENCHMARKS.glob("*.py")
        for name in re.findall(r'tables\.publish\(f?"([^"]+)"', script.read_text(encoding="utf-8"))
    }
    assert published
    for name in published:
        for size in (256, 512) if "{args.size}" in name else (None,):
            assert tables.replaced(text, name.replace("{args.size}", str(size)), "new") != text
