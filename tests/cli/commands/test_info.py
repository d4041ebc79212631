"""`stylize info`."""

from __future__ import annotations

import json

from api_stand_in import one_line, run
from stylize.images.provenance import read_provenance


def test_info_prints_the_provenance(inputs, fake, pictures, tmp_path):
    run("refine", *inputs, "-o", tmp_path / "out.jpg", "--steps", "9", "--content-layer", "relu4_2:1")
    output = tmp_path / "out.jpg"
    lines = dict(line.split(maxsplit=1) for line in run("info", output).stdout.splitlines() if " " in line.strip())
    assert lines["command"] == "refine"
    names = [line.split()[0] for line in run("info", output).stdout.splitlines()]
    assert len(names) == len(set(names))
    assert lines["steps"] == "9"
    assert lines["loss.content_layers"] == "relu4_2:1.0"
    assert lines["networks.1.sha256"] == "vgg19_slim.safetensors 555555555555"
    assert lines["content.path"] == str(pictures[0])
    in_file = read_provenance(output)
    assert in_file["content"]["path"] == pictures[0].name
    shown = json.loads(run("info", output, "--json").stdout)
    assert shown.pop("content") == {**in_file.pop("content"), "path": str(pictures[0])}
    assert shown.pop("styles") == [{**in_file.pop("styles")[0], "path": str(pictures[1])}]
    assert shown == in_file
    pictures[0].rename(tmp_path / "gone.png")
    assert "content.path" in run("info", output).stdout
    message = one_line(run("info", pictures[1], exit_code=1).stderr)
    assert message == f"stylize: {pictures[1]}: carries no provenance; expected a picture that stylize wrote"
