"""The program in processes of its own: imports, pipes, Ctrl-C."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from typing import Any

import numpy as np
import pytest

from samples import REPOSITORY, tiny_convolutions
from stylize import __version__
from stylize.images.reading import read_image

# The embedded feature network, exchanged for a tiny random one.
PROGRAM = (
    "import pathlib, sys; from stylize.networks import local; from stylize.cli.main import main; "
    "local.EMBEDDED = pathlib.Path(sys.argv.pop(1)); main()"
)


def python(*arguments: object, **settings: Any) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=300,
        cwd=REPOSITORY,
        **settings,
    )


@pytest.mark.parametrize(
    "arguments",
    [["--help"], ["--version"], ["refine", "--help"], ["fast", "--size", "1"],
     ["refine", "-c", "a", "-s", "b", "--steps", "0"], ["refine", "-c", "a", "-s", "b", "--style-layer", "x"],
     ["fast", "-c", "absent.png", "-s", "absent.png"]],
    ids=" ".join,
)  # fmt: skip
def test_nothing_heavy_is_imported_before_there_is_work(arguments):
    code = (
        "import sys\nfrom stylize.cli.main import main\n"
        "try:\n    main(sys.argv[1:])\n"
        "except SystemExit:\n    heavy = {'tensorflow', 'keras', 'numpy', 'PIL', 'rich', 'ai_edge_litert'}\n"
        "    print('imported:', sorted(heavy & set(sys.modules)))"
    )
    assert python("-c", code, *arguments).stdout.endswith("imported: []\n")


def test_a_module_run_is_the_program():
    result = python("-m", "stylize", "--version")
    assert (result.returncode, result.stdout, result.stderr) == (0, f"stylize, version {__version__}\n", "")


@pytest.mark.skipif(os.name == "nt", reason="no such pipes")
def test_a_reader_who_leaves_is_no_error(tmp_path):
    reading, writing = os.pipe()
    os.close(reading)
    with subprocess.Popen(
        [sys.executable, "-m", "stylize", "models", "list", "--json"],
        stdout=writing, stderr=subprocess.PIPE, cwd=REPOSITORY,
        env={**os.environ, "STYLIZE_HOME": str(tmp_path)},
    ) as process:  # fmt: skip
        os.close(writing)
        assert process.stderr.read() == b""


@pytest.fixture
def tiny(tmp_path):
    """Arguments of Python that run the program on a tiny random feature network, and its environment."""
    from safetensors.numpy import save_file

    tensors = {}
    for name, (kernel, bias) in tiny_convolutions().items():
        tensors[f"{name}/kernel"], tensors[f"{name}/bias"] = kernel, bias
    folder = tmp_path / "embedded"
    folder.mkdir()
    save_file(tensors, str(folder / "vgg19_slim.safetensors"))
    environment = {**os.environ, "STYLIZE_HOME": str(tmp_path / "home"), "STYLIZE_OFFLINE": "1"}
    return ["-c", PROGRAM, str(folder)], environment


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="no SIGINT to send")
def test_ctrl_c_resume_and_rerun_for_real(tiny, inputs, tmp_path):
    program, environment = tiny
    output = tmp_path / "out.png"
    options = ["--init", "content", "--features", "vgg19-slim", "--size", "48", "--steps", "400"]
    refine = [*program, "refine", *inputs, "-o", output, *options, "--json"]

    command = [sys.executable, *map(str, [*refine, "--progress", "json"])]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment, cwd=REPOSITORY
    ) as process:
        told = []
        while not any('"iterate"' in line for line in told):
            told.append(process.stderr.readline())
            assert told[-1], told
        process.send_signal(signal.SIGINT)
        result = json.loads(process.stdout.read())
        told += process.stderr.readlines()
    assert process.returncode == 130, told
    assert result["stopped"] == "interrupted"
    assert 1 <= result["steps"] < 400
    assert {json.loads(line)["event"] for line in told} == {"message", "iterate"}
    assert read_image(output).pixels.shape == (32, 48, 3)
    assert (tmp_path / "out.png.checkpoint.npz").exists()

    resumed = python(*refine, "--resume", env=environment)
    assert resumed.returncode == 0, resumed.stderr
    assert json.loads(resumed.stdout)["steps"] == 400
    assert not (tmp_path / "out.png.checkpoint.npz").exists()

    again = python(*program, "rerun", output, env=environment)
    assert again.returncode == 0, again.stderr
    difference = read_image(tmp_path / "out-rerun.png").pixels - read_image(output).pixels
    # The interruption costs the optimiser nothing, so that the uninterrupted run ends at the same picture.
    assert np.abs(difference).max() <= 2 / 255
    assert not [path.name for path in tmp_path.iterdir() if "part" in path.name.split(".")[-1]]
