"""`stylize demo`."""

from __future__ import annotations

from PIL import Image

from api_stand_in import one_line, report_commands, run


def test_demo_compares_the_projects_own_pictures(fake, pictures, tmp_path, monkeypatch):
    examples = tmp_path / "examples"
    examples.mkdir()
    for name in ("scene_lake", "scene_hill", "style_stained_glass"):
        Image.open(pictures[0]).convert("RGB").save(examples / f"{name}.jpg")
    monkeypatch.setattr("importlib.resources.files", lambda package: examples)
    monkeypatch.chdir(tmp_path)
    result = run("demo")
    assert result.stdout == "stylize-demo\n"
    assert sorted(path.name for path in (tmp_path / "stylize-demo").iterdir()) == [
        "fast.png", "metrics.json", "refined.png", "report.html", "scene_lake.jpg", "sheet.png",
        "style_stained_glass.jpg",
    ]  # fmt: skip
    assert fake.calls[0][4].size == 256
    assert "is there already" in one_line(run("demo", exit_code=1).stderr)
    command, _ = report_commands(tmp_path / "stylize-demo" / "report.html")
    assert command == ["stylize", "demo", "--scene", "lake", "--style", "stained_glass", "--size", "256"]
    message = one_line(run("demo", "--scene", "moon", "-o", "other", exit_code=2).stderr)
    assert message == "Error: --scene: expected one of hill, lake, received moon"
