"""`stylize fast` whole, with the shipped network: several contents, pipes, sheets, drawing, watching."""

from __future__ import annotations

import ast
import io
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result
from numpy.typing import NDArray
from PIL import Image

from samples import painting
from servers import clear_proxies, serving
from stylize import read_image
from stylize.cli.commands.previews import Sources
from stylize.cli.main import main
from stylize.config import FastConfig
from stylize.errors import ImageError
from stylize.images.provenance import read_provenance
from stylize.networks.mini import MiniStylizer
from stylize.reports.sheet import PAPER


def run(*arguments: object, exit_code: int = 0, stdin: bytes | None = None) -> Result:
    result = CliRunner().invoke(main, ["fast", "--size", "32", *map(str, arguments)], input=stdin)
    assert result.exit_code == exit_code, (result.output, result.exception)
    return result


def save(path: Path, height: int, width: int, seed: int) -> Path:
    Image.fromarray((painting(height, width, seed) * 255).round().astype(np.uint8)).save(path)
    return path


def samples(path: str | Path) -> NDArray[np.uint8]:
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB"))


@pytest.fixture
def files(tiny_networks, tmp_path):
    """Two contents and two styles."""
    folder = tmp_path / "pictures"
    folder.mkdir()
    sizes = {"lake.png": (48, 64), "town.png": (64, 40), "waves.png": (50, 60), "night.png": (70, 50)}
    return [save(folder / name, *size, seed) for seed, (name, size) in enumerate(sizes.items())]


# --------------------------------------------------------------------------------------------------------------------
# Several contents


def test_several_contents_load_the_network_once(files, monkeypatch):
    loads, load = [], MiniStylizer
    monkeypatch.setattr(
        "stylize.networks.mini.MiniStylizer", lambda *arguments: loads.append("mini") or load(*arguments)
    )
    lake, town, waves, _ = files
    result = run("-c", lake, "-c", town, "-s", waves)
    outputs = [lake.with_name("lake-waves-fast.png"), town.with_name("town-waves-fast.png")]
    assert result.stdout == "".join(f"{output}\n" for output in outputs)
    assert [samples(output).shape for output in outputs] == [(24, 32, 3), (32, 20, 3)]
    assert loads == ["mini"]
    for content, output in zip((lake, town), outputs, strict=True):
        run("-c", content, "-s", waves, "-o", content.with_suffix(".alone.png"))
        alone = content.with_suffix(".alone.png")
        np.testing.assert_array_equal(read_image(alone).pixels, read_image(output).pixels)
        assert read_provenance(output)["content"]["path"] == content.name


def test_several_contents_go_into_a_folder(files, tmp_path):
    lake, town, waves, _ = files
    folder = tmp_path / "painted"
    message = run("-c", lake, "-c", town, "-s", waves, "-o", folder, exit_code=2).stderr
    assert "expected an existing folder, as there are 2 contents" in message
    folder.mkdir()
    run("-c", lake, "-c", town, "-s", waves, "-o", folder)
    assert sorted(path.name for path in folder.iterdir()) == ["lake-waves-fast.png", "town-waves-fast.png"]
    run("-c", lake, "-s", waves, "-o", folder, "--overwrite")
    other = tmp_path / "other"
    other.mkdir()
    shutil.copy(lake, other)
    message = run("-c", lake, "-c", other / lake.name, "-s", waves, "-o", folder, exit_code=2).stderr
    assert "two contents have this name" in message


def test_no_output_replaces_what_is_yet_to_be_read(files):
    lake, _, waves, _ = files
    other = shutil.copy(files[1], lake.with_name("lake-waves-fast.png"))
    before = other.read_bytes()
    message = run("-c", lake, other, "-s", waves, "--overwrite", exit_code=2).stderr
    assert f"output {other}: expected another file than the input" in message
    assert other.read_bytes() == before


def test_one_failure_does_not_keep_the_others_from_being_painted(files, tmp_path):
    _, town, waves, _ = files
    damaged = tmp_path / "damaged.png"
    damaged.write_bytes(town.read_bytes()[:200])
    result = run("-c", damaged, "-c", tmp_path / "absent.png", "-c", town, "-s", waves, exit_code=1)
    assert result.stdout == f"{town.with_name('town-waves-fast.png')}\n"
    lines = [line for line in result.stderr.splitlines() if line.startswith("stylize:")]
    assert len(lines) == 2
    assert "absent.png: no such file" in lines[0]
    assert "damaged.png: expected a whole picture" in lines[1]
    assert not list(tmp_path.glob("damaged*fast*"))


def test_json_is_one_object_for_one_content_and_a_list_for_several(files):
    lake, town, waves, _ = files
    one = json.loads(run("-c", lake, "-s", waves, "--json").stdout)
    several = json.loads(run("-c", lake, "-c", town, "-s", waves, "--json", "--overwrite").stdout)
    assert one["output"] == several[0]["output"]
    assert [entry["width"] for entry in several] == [32, 20]


# --------------------------------------------------------------------------------------------------------------------
# Pipes


def test_a_picture_goes_through_a_pipe(files, tmp_path):
    lake, _, waves, _ = files
    result = run("-c", "-", "-s", waves, "-o", "-", stdin=lake.read_bytes())
    run("-c", lake, "-s", waves, "-o", tmp_path / "file.png")
    piped = read_image(io.BytesIO(result.stdout_bytes).getvalue())
    np.testing.assert_array_equal(piped.pixels, read_image(tmp_path / "file.png").pixels)
    assert result.stdout_bytes.startswith(b"\x89PNG")
    styled = run("-c", lake, "-s", "-", "-o", "-", stdin=waves.read_bytes())
    np.testing.assert_array_equal(read_image(styled.stdout_bytes).pixels, piped.pixels)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["-c", "-", "-s", "{style}"], "expected the name of the output"),
        (["-c", "-", "-s", "-", "-o", "-"], "standard input holds one picture"),
        (["-c", "-", "-s", "{style}", "-o", "-", "--json"], "leave out --json"),
        (["-c", "-", "-s", "{style}", "-o", "x.png", "--watch"], "standard input does not change"),
        (["-c", "{content}", "-s", "{style}", "-o", "-", "--watch"], "leave out --watch"),
        (["-c", "{content}", "-s", "{style}", "--grid", "--strengths", "1"], "one of the two sheets"),
        (["-c", "{content}", "-s", "{style}:2", "--grid"], "styles without weights"),
        (["-c", "{content}", "-s", "{style}", "--strengths", "0.5,2"], "expected numbers of 0 to 1"),
        (["-c", "{content}", "-s", "{style}", "--strengths", "0.5", "--strength", "1"], "leave that out"),
    ],
)
def test_what_has_no_meaning_is_misuse(arguments, message, files):
    named = [argument.format(content=files[0], style=files[2]) for argument in arguments]
    result = run(*named, exit_code=2)
    assert message in " ".join(result.stderr.split())
    assert result.stdout == ""


def test_what_is_no_picture_on_standard_input_is_one_line(files):
    result = run("-c", "-", "-s", files[2], "-o", "-", stdin=b"hello", exit_code=1)
    assert result.stderr.startswith("stylize: content -: expected a picture")
    assert result.stdout_bytes == b""


def test_standard_input_without_an_end_is_not_read_on(monkeypatch):
    class Endless(io.RawIOBase):
        taken = 0

        def readable(self):
            return True

        def readinto(self, buffer):
            Endless.taken += len(buffer)
            assert Endless.taken < 10**6
            buffer[:] = b"a" * len(buffer)
            return len(buffer)

    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BufferedReader(Endless())))
    with pytest.raises(ImageError, match="content -: expected a picture"):
        Sources().content(Path("-"), FastConfig())


def test_standard_output_is_no_folder_of_that_name(files, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "-").mkdir()
    result = run("-c", "-", "-s", files[2], "-o", "-", stdin=files[0].read_bytes())
    assert result.stdout_bytes.startswith(b"\x89PNG")
    assert not list((tmp_path / "-").iterdir())


# --------------------------------------------------------------------------------------------------------------------
# URLs


@pytest.mark.parametrize("url", ["http://127.0.0.1:1/a.png", "s3://bucket/a.png"])
def test_offline_reads_no_url(files, url, tmp_path):
    lake, _, waves, _ = files
    for pictures in (
        ["-c", url, "-s", waves],
        ["-c", lake, "-s", f"{url}:2"],
        ["-c", lake, "-s", waves, "--mask", url],
    ):
        message = run(*pictures, "--offline", "-o", tmp_path / "out.png", exit_code=2).stderr.splitlines()[-1]
        assert message == f"Error: --offline: expected files, received {url}; download the picture first"
    run("-c", lake.as_uri(), "-s", waves, "--offline", "-o", tmp_path / "out.png")


def test_pictures_are_read_from_the_web(files, tmp_path, monkeypatch):
    pytest.importorskip("aiohttp", reason="aiohttp is not installed")
    clear_proxies(monkeypatch)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("STYLIZE_FAST_NETWORK", "mini")
    monkeypatch.delenv("STYLIZE_OFFLINE")
    lake, _, waves, _ = files
    with serving() as server:
        server.bodies = {"/a/lake.png?large": lake.read_bytes(), "/waves.png": waves.read_bytes(), "/no.png": b"no"}
        address = f"{server.base}/a/lake.png?large"
        data = json.loads(run("-c", address, "-s", f"{server.base}/waves.png:2", "--json").stdout)
        assert data["output"] == "lake-waves-fast.png"
        run("-c", lake, "-s", waves, "-o", "local.png")
        np.testing.assert_array_equal(samples("lake-waves-fast.png"), samples("local.png"))
        assert read_provenance("lake-waves-fast.png")["content"]["path"] == address.removesuffix("?large")
        sheet = json.loads(run("-c", address, lake, "-s", waves, "--grid", "--json").stdout)
        assert (sheet["output"], sheet["rows"]) == ("lake-grid.png", [address, str(lake)])
        result = run("-c", f"{server.base}/gone.png", f"{server.base}/no.png", lake, "-s", waves, exit_code=1)
        gone, no = (line for line in result.stderr.splitlines() if line.startswith("stylize:"))
        assert f"content {server.base}/gone.png: no such file" in gone
        assert f"content {server.base}/no.png: expected a picture" in no
        assert result.stdout == f"{lake.with_name('lake-waves-fast.png')}\n"
        message = run("-c", address, "-s", waves, "--watch", exit_code=2).stderr
        assert "URLs are not watched" in message


# --------------------------------------------------------------------------------------------------------------------
# Sheets


def contains(sheet: NDArray[np.uint8], picture: NDArray[np.uint8]) -> bool:
    """Whether `picture` stands somewhere on `sheet`, pixel for pixel."""
    rows, columns = picture.shape[:2]
    corners = np.argwhere((sheet == picture[0, 0]).all(-1))
    return any(np.array_equal(sheet[y : y + rows, x : x + columns], picture) for y, x in corners)


def test_a_grid_holds_every_content_in_every_style(files, tmp_path):
    lake, town, waves, night = files
    result = run("-c", lake, "-c", town, "-s", waves, "-s", night, "--grid", "--json")
    data = json.loads(result.stdout)
    assert data["output"] == str(lake.with_name("lake-grid.png"))
    sheet = samples(data["output"])
    assert sheet.shape == (data["height"], data["width"], 3)
    for content in (lake, town):
        for style in (waves, night):
            run("-c", content, "-s", style, "-o", tmp_path / "cell.png", "--overwrite")
            assert contains(sheet, samples(tmp_path / "cell.png"))


def half_transparent(path: Path, height: int, width: int) -> Path:
    pixels = np.zeros((height, width, 4), np.uint8)
    pixels[:, : width // 2] = 200, 60, 30, 255
    Image.fromarray(pixels).save(path)
    return path


def test_transparent_parts_of_a_style_show_the_paper_of_the_sheet(files, tmp_path):
    style = half_transparent(tmp_path / "style.png", 48, 64)
    run("-c", files[0], "-s", style, "--grid", "-o", tmp_path / "sheet.png")
    sheet = samples(tmp_path / "sheet.png")
    coloured = np.ptp(sheet.astype(int), axis=-1) > 60
    top = np.flatnonzero(coloured.any(axis=1))[0]  # the style, above its column
    head = np.flatnonzero(coloured[top + 5])
    assert len(head) == pytest.approx(32 / 2, abs=2)


def test_what_show_draws_has_paper_behind_it(files, tmp_path, monkeypatch):
    drawn = []
    monkeypatch.setattr("stylize.reports.terminal.can_draw", lambda stream: True)
    monkeypatch.setattr("stylize.reports.terminal.draw", lambda pictures, stream: drawn.extend(pictures))
    run("-c", half_transparent(tmp_path / "photo.png", 48, 64), "-s", files[2], "--show")
    assert len(drawn) == 2
    for pixels in drawn:
        hidden = pixels[:, pixels.shape[1] // 2 + 2 :]
        np.testing.assert_allclose(hidden, np.broadcast_to(np.array(PAPER) / 255, hidden.shape), atol=0.02)


@pytest.mark.parametrize("sheet", [["--grid"], ["--strengths", "0.5"]])
def test_a_sheet_carries_neither_provenance_nor_metadata(files, sheet, tmp_path):
    arguments = "-c", files[0], "-s", files[2], *sheet, "-o", tmp_path / "sheet.png"
    for options in (["--provenance"], ["--keep-metadata", "all"]):
        message = run(*arguments, *options, exit_code=2).stderr
        assert f"{options[0]}: sheets carry neither provenance nor metadata, leave it out" in message
    run(*arguments, "--no-provenance", "--keep-metadata", "none")


def test_a_row_of_strengths(files, tmp_path):
    lake, _, waves, _ = files
    run("-c", lake, "-s", waves, "--strengths", "0.25,1", "-o", tmp_path / "row.png")
    sheet = samples(tmp_path / "row.png")
    for strength in ("0.25", "1"):
        run("-c", lake, "-s", waves, "--strength", strength, "-o", tmp_path / "cell.png", "--overwrite")
        assert contains(sheet, samples(tmp_path / "cell.png"))


def test_a_sheet_of_which_a_part_fails_is_not_written(files, tmp_path):
    lake, _, waves, _ = files
    (tmp_path / "damaged.png").write_bytes(b"no picture")
    run("-c", lake, "-c", tmp_path / "damaged.png", "-s", waves, "--grid", "-o", tmp_path / "grid.png", exit_code=1)
    assert not (tmp_path / "grid.png").exists()


# --------------------------------------------------------------------------------------------------------------------
# --show and --watch, in processes of their own


def test_show_says_where_there_is_no_terminal(files):
    result = run("-c", files[0], "-s", files[2], "--show")
    assert "standard error is no terminal, nothing is drawn" in result.stderr


def program(*arguments: object, **settings: Any) -> subprocess.Popen[Any]:
    command = [sys.executable, "-m", "stylize", "fast", "--size", "32", *map(str, arguments)]
    return subprocess.Popen(command, **settings)


@pytest.mark.skipif(os.name == "nt", reason="Windows has no pseudo-terminals of this kind")
@pytest.mark.parametrize(("colors", "mark"), [("truecolor", b"\x1b[38;2;"), ("", b"\x1b[38;5;"), (None, b" ")])
def test_show_draws_as_large_as_the_window(files, colors, mark):
    import fcntl
    import pty
    import struct
    import termios

    terminal, end = pty.openpty()
    fcntl.ioctl(end, termios.TIOCSWINSZ, struct.pack("HHHH", 12, 40, 0, 0))
    environment = {**os.environ, "TERM": "xterm-256color", "COLORTERM": colors or "", "PYTHONUTF8": "1"}
    environment |= {"NO_COLOR": "1"} if colors is None else {}
    drawn = b""
    with program(
        "-c", files[0], "-s", files[2], "--show", stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=end,
        env=environment,
    ) as process:  # fmt: skip
        os.close(end)
        while True:
            try:
                part = os.read(terminal, 65536)
            except OSError:  # how Linux says that the other end is closed
                break
            if not part:
                break
            drawn += part
        assert process.stdout.read().decode().endswith("lake-waves-fast.png\n")
    os.close(terminal)
    assert process.returncode == 0
    assert mark in drawn
    lines = drawn.decode().splitlines()
    blocks = [line.count("▀") for line in lines if "▀" in line]
    if colors is None:
        assert not blocks
        assert b"\x1b" not in drawn
    else:
        # Both pictures, 4:3, in 19 columns each with 2 between them.
        assert blocks == [40] * 7
        assert len(lines) < 12


def wait_for(true: Callable[[], bool], seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end
        time.sleep(0.05)


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGINT for other processes")
def test_watch_paints_again_until_ctrl_c(files, tmp_path):
    lake, town, waves, night = files
    output = tmp_path / "out.png"

    def painted(content, style):
        run("-c", content, "-s", style, "-o", tmp_path / "expected.png", "--overwrite")
        expected = read_image(tmp_path / "expected.png").pixels
        return lambda: output.exists() and np.array_equal(read_image(output).pixels, expected)

    first, second, third = painted(lake, waves), painted(town, waves), painted(town, night)
    with open(tmp_path / "log", "w") as log:
        process = program("-c", lake, "-s", waves, "-o", output, "--watch", stdout=log, stderr=log)
        try:
            wait_for(lambda: "watching" in (tmp_path / "log").read_text())
            assert first()
            # As editors do: a new file takes the old one's place.
            shutil.copy(town, lake.with_suffix(".new"))
            os.replace(lake.with_suffix(".new"), lake)
            wait_for(second)
            # As slow writers do: in place, in two halves, and gone for a while.
            waves.unlink()
            time.sleep(0.3)
            data = night.read_bytes()
            with waves.open("wb") as file:
                file.write(data[: len(data) // 2])
                file.flush()
                time.sleep(0.4)
                file.write(data[len(data) // 2 :])
            wait_for(third)
            # The picture is there before its name is told.
            wait_for(lambda: (tmp_path / "log").read_text().count(str(output)) == 3)
        finally:
            process.send_signal(signal.SIGINT)
        assert process.wait(timeout=60) == 0
    told = (tmp_path / "log").read_text()
    assert told.count(str(output)) == 3
    assert "stylize:" not in told
    assert "Traceback" not in told


# --------------------------------------------------------------------------------------------------------------------
# What a run imports


def imported_by(*arguments: object) -> set[str]:
    """The packages that a run of `fast` imports."""
    code = (
        "import sys\nfrom stylize.cli.main import main\n"
        "try:\n    main(sys.argv[1:])\n"
        "except SystemExit as exit:\n    assert not exit.code\n"
        "print(sorted({name.partition('.')[0] for name in sys.modules} - set(sys.stdlib_module_names)))"
    )
    command = [sys.executable, "-c", code, "fast", "--size", "32", "--overwrite", *map(str, arguments)]
    result = subprocess.run(command, capture_output=True, text=True, check=True)
    return set(ast.literal_eval(result.stdout.splitlines()[-1]))


# Under coverage or an editable install, there are a few more.
NEEDED = {"click", "numpy", "PIL", "ai_edge_litert", "stylize"}
HEAVY = {"tensorflow", "tensorflow_hub", "tf_keras", "keras", "h5py", "scipy", "rich", "textual_image", "filelock"}


def test_a_fast_run_imports_what_it_needs_and_no_more(files):
    lake, town, waves, _ = files
    for more in (["-c", lake], ["-c", lake, "-c", town], ["-c", lake, "--strength", "0.5"]):
        imported = imported_by(*more, "-s", waves, "--network", "mini")
        assert imported >= NEEDED
        assert not imported & HEAVY


@pytest.mark.real
def test_a_run_of_the_int8_network_imports_no_more(real_networks, pictures):
    content, style = pictures
    imported = imported_by("-c", content, "-s", style, "--network", "magenta-int8")
    assert imported >= NEEDED
    assert not imported & HEAVY


def test_a_run_of_the_converted_network_imports_no_more(hub_network, tmp_path, pictures, monkeypatch):
    from stylize.networks import store
    from stylize.networks.loaded import load_magenta

    monkeypatch.setenv("STYLIZE_HOME", str(tmp_path / "home"))
    load_magenta(store.add("magenta", hub_network))
    content, style = pictures
    imported = imported_by("-c", content, "-s", style, "--network", "magenta")
    assert imported >= NEEDED
    assert not imported & HEAVY
