"""The program in processes of its own: imports, pipes, Ctrl-C."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
from typing import Any

import numpy as np
import pytest

from samples import MODELS, tiny_convolutions
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
        stdout=writing, stderr=subprocess.PIPE,
        env={**os.environ, "STYLIZE_HOME": str(tmp_path)},
    ) as process:  # fmt: skip
        os.close(writing)
        assert process.stderr.read() == b""


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="the system has no such device")
@pytest.mark.parametrize("arguments", [["--version"], ["--help"], ["fast", "-h"], ["models", "-h"], ["config", "path"]])
def test_a_full_disk_behind_standard_output_is_one_line(arguments, tmp_path):
    environment = {**os.environ, "STYLIZE_CONFIG": str(tmp_path / "config.toml")}
    with open("/dev/full", "w") as full:
        result = subprocess.run(
            [sys.executable, "-m", "stylize", *arguments],
            stdout=full, stderr=subprocess.PIPE, text=True, env=environment,
        )  # fmt: skip
    assert result.returncode == 1
    assert result.stderr == "stylize: standard output: could not be written: No space left on device\n"


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


# The options of a refinement that the tiny networks take; the graph of this preset is traced in no time.
TINY_REFINEMENT = ("--preset", "gatys", "--init", "content", "--features", "vgg19-slim", "--size", "48")


# As on Python 3.14, for which there is no TensorFlow.
WITHOUT = (
    "import sys; sys.modules.update(dict.fromkeys(sys.argv.pop(1).split(','))); "
    "from stylize.cli.main import main; main()"
)


def test_without_any_backend_fast_paints_and_refine_says_what_to_install(inputs, tmp_path):
    environment = {**os.environ, "STYLIZE_OFFLINE": "1", "KERAS_BACKEND": ""}
    program = ["-c", WITHOUT, "tensorflow,torch,jax,keras"]
    options = ["--network", "mini", "--size", "16"]
    fast = python(*program, "fast", *inputs, *options, "-o", tmp_path / "fast.png", env=environment)
    assert fast.returncode == 0, fast.stderr
    assert read_image(tmp_path / "fast.png").pixels.shape == (11, 16, 3)
    refine = python(*program, "refine", *inputs, *options, "-o", tmp_path / "refined.png", env=environment)
    assert refine.returncode == 2
    assert refine.stderr.count("\n") == 1
    assert 'found none: `pip install "stylize-art[torch]"`' in refine.stderr


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["torch", "jax"])
def test_refine_paints_without_tensorflow(backend, tiny, inputs, tmp_path):
    if importlib.util.find_spec(backend) is None:
        pytest.skip(f"{backend} is not installed")
    program, environment = tiny
    environment = {**environment, "KERAS_BACKEND": ""}
    code = f"import sys; sys.modules['tensorflow'] = None; {program[1]}"
    arguments = ["refine", *inputs, "-o", tmp_path / "out.png", *TINY_REFINEMENT, "--steps", "3"]
    painted = python("-c", code, program[2], *arguments, "--backend", backend, env=environment)
    assert painted.returncode == 0, painted.stderr
    assert f"on the CPU by {backend}" in painted.stderr
    assert read_image(tmp_path / "out.png").pixels.shape == (32, 48, 3)


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="no SIGINT to send")
def test_ctrl_c_resume_and_rerun_for_real(tiny, inputs, tmp_path):
    program, environment = tiny
    output = tmp_path / "out.png"
    options = [*TINY_REFINEMENT, "--steps", "400"]
    refine = [*program, "refine", *inputs, "-o", output, *options, "--json"]

    command = [sys.executable, *map(str, [*refine, "--progress", "json"])]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
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


def wait_for(stream: Any, text: str) -> str:
    """Read lines until one holds the text; return them."""
    lines = ""
    while text not in lines:
        line = stream.readline()
        assert line, lines
        lines += line
    return lines


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGHUP")
@pytest.mark.parametrize(
    ("command", "name", "exit_code", "files"),
    [
        ("refine", "SIGTERM", 143, ["out", "out.checkpoint.npz"]),
        ("compare", "SIGHUP", 129, ["fast.png", "metrics.json", "refined.png", "report.html", "sheet.png"]),
    ],
)
def test_a_notice_to_end_keeps_the_best_so_far_for_real(command, name, exit_code, files, tiny, inputs, tmp_path):
    program, environment = tiny
    output = tmp_path / "results" / ("out.png" if command == "refine" else "folder")
    output.parent.mkdir()
    options = [*TINY_REFINEMENT, "--network", "mini", "--steps", "100000"]
    arguments = [sys.executable, *program, command, *inputs, "-o", output, *options, "--progress", "json"]
    # `mini` is embedded, too.
    for part in ("mini_style.tflite", "mini_transfer.tflite"):
        shutil.copy(MODELS / part, program[-1])
    with subprocess.Popen(
        list(map(str, arguments)), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment,

    ) as process:  # fmt: skip
        told = wait_for(process.stderr, '"iterate"')
        for _ in range(2):
            process.send_signal(getattr(signal, name))
        told += process.stderr.read()
        assert process.wait() == exit_code, told
    assert re.search(r"after step \d+, at \d+ of \d+ px: \S+ is the best so far", told)
    folder = output if command == "compare" else output.parent
    assert sorted(path.name.replace("out.png", "out") for path in folder.iterdir()) == files


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="no such terminals")
def test_a_closed_terminal_keeps_the_best_picture(tiny, inputs, tmp_path):
    import fcntl
    import termios

    program, environment = tiny
    output = tmp_path / "out.png"
    options = [*TINY_REFINEMENT, "--steps", "100000"]
    arguments = [sys.executable, *program, "refine", *inputs, "-o", output, *options]
    ours, theirs = os.openpty()
    process = subprocess.Popen(
        list(map(str, arguments)), stdin=theirs, stdout=theirs, stderr=theirs, env=environment,
        start_new_session=True, preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),  # its own terminal
    )  # fmt: skip
    os.close(theirs)
    shown = b""
    while b"  loss " not in shown:  # in the bar, after the first step
        shown += os.read(ours, 1 << 16)
    os.close(ours)
    assert process.wait(timeout=300) == 129
    assert read_image(output).pixels.shape == (32, 48, 3)
    assert output.with_name("out.png.checkpoint.npz").exists()


@pytest.mark.skipif(os.name == "nt", reason="a shell's redirections")
@pytest.mark.parametrize(
    ("closed", "arguments", "message"),
    [
        ("<&-", "-c - -o out.png", "-: expected a picture on standard input, which is closed"),
        (">&-", "-c photo.png -o -", "-o -: expected a pipe or a file as standard output, which is closed"),
        (">&-", "-c photo.png -o out.png", ""),
        ("<&- >&-", "-c photo.png -o out.png", ""),
        ("<&- >&- 2>&-", "-c photo.png -o out.png", ""),
    ],
)
def test_closed_streams(closed, arguments, message, inputs, tmp_path):
    environment = {**os.environ, "STYLIZE_OFFLINE": "1"}
    command = (
        f"{shlex.quote(sys.executable)} -m stylize fast --network mini --size 16 -s photo.png {arguments} {closed}"
    )
    result = subprocess.run(command, shell=True, cwd=tmp_path, env=environment, stderr=subprocess.PIPE, text=True)
    assert result.stderr == (f"stylize: {message}\n" if message else "")
    assert result.returncode == (1 if message else 0)
    if not message:
        assert read_image(tmp_path / "out.png").pixels.shape == (11, 16, 3)


@pytest.mark.slow
def test_of_several_that_write_one_file_one_ends_well(inputs, tmp_path):
    environment = {**os.environ, "STYLIZE_OFFLINE": "1"}
    folder = tmp_path / "results"
    folder.mkdir()
    command = [sys.executable, "-m", "stylize", "fast", *inputs, "--network", "mini", "--size", "48"]
    command += ["-o", folder / "out.png"]
    running = [
        subprocess.Popen(
            list(map(str, command)), env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(4)
    ]  # fmt: skip
    told = [process.communicate(timeout=300)[1] for process in running]
    assert sorted(process.returncode for process in running) == [0, 1, 1, 1]
    assert sum("is there already" in each for each in told) == 3
    assert all(each.count("\n") <= 1 for each in told)
    assert os.listdir(folder) == ["out.png"]


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp1252", "utf-8"])
def test_every_name_is_printed_in_every_encoding(encoding, inputs, tmp_path):
    names = ["żółć \x1b[31m.png"] + ([os.fsdecode(b"caf\xe9.png")] if sys.platform == "linux" else [])
    environment = {**os.environ, "PYTHONIOENCODING": encoding, "STYLIZE_OFFLINE": "1"}
    for name in names:
        shutil.copy(inputs[1], tmp_path / name)
        command = [sys.executable, "-m", "stylize", "fast", "-c", str(tmp_path / name), *inputs[2:]]
        command = [*map(str, command), "--network", "mini", "--size", "16", "--overwrite"]
        plain = subprocess.run(command, env=environment, capture_output=True)
        assert (plain.returncode, plain.stderr) == (0, b"")
        assert b"\x1b" not in plain.stdout
        assert plain.stdout.endswith(b"-painting-fast.png\n")
        exact = subprocess.run([*command, "--json"], env=environment, capture_output=True)
        assert json.loads(exact.stdout)["output"].endswith(f"{name[:-4]}-painting-fast.png")
        gone = [each.replace(name, f"gone{name}") for each in command]
        result = subprocess.run(gone, env=environment, capture_output=True)
        assert result.returncode == 1
        assert (result.stderr.count(b"\n"), result.stderr.count(b"\x1b")) == (1, 0)


@pytest.mark.parametrize("columns", ["0", "00", "nonsense"])
def test_a_width_of_no_columns_is_an_unknown_width(columns, tmp_path):
    environment = {**os.environ, "COLUMNS": columns, "STYLIZE_HOME": str(tmp_path)}
    assert "vgg19-slim" in python("-m", "stylize", "models", "list", env=environment).stdout
