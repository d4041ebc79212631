"""What a batch refuses in one line before it paints, and that nothing is left of a batch that was refused."""

from __future__ import annotations

import json
import os
import socket
from pathlib import Path

import pytest

from batches import counts, pictures, records, run
from stylize.batch.manifest import MANIFEST


@pytest.mark.parametrize("place", ["jobs/manifest.jsonl", "file://{here}/jobs/manifest.jsonl", "link/manifest.jsonl"])
def test_the_table_is_not_written_over(folders, place):
    pytest.importorskip("fsspec")
    Path("jobs").mkdir()
    Path("link").symlink_to("jobs")
    text = json.dumps({"content": "../photos/a.png", "style": "../styles/s.png"})
    Path("jobs/manifest.jsonl").write_text(text)
    inputs = ("--manifest", place.format(here=folders))
    told = run(inputs=inputs, output="jobs", exit_code=2).stderr
    assert "--manifest: expected another file than" in " ".join(told.split())
    assert Path("jobs/manifest.jsonl").read_text() == text
    assert counts(run(inputs=inputs, output="painted")) == (1, 1, 0, 0)


def test_a_manifest_of_another_program_is_not_written_over(folders):
    Path("out").mkdir()
    Path("out", MANIFEST).write_text('{"audio": "a.wav"}\n')
    told = run(exit_code=1).stderr
    assert f"{Path('out', MANIFEST)}: expected the lines of an earlier batch, received another file" in told
    assert Path("out", MANIFEST).read_text() == '{"audio": "a.wav"}\n'
    Path("out", MANIFEST).write_text('{"output": "a poem", "lines": 4}\n')
    assert "received another file" in run(exit_code=1).stderr
    assert not pictures()


def test_the_beginning_of_a_line_is_that_of_a_batch_that_was_killed(folders):
    run()
    manifest = Path("out", MANIFEST)
    first = manifest.read_bytes().splitlines(keepends=True)[0]
    for length in (5, 40):
        manifest.write_bytes(first[:length])
        assert counts(run()) == (6, 6, 0, 0)


def test_offline_reads_and_writes_no_url(folders):
    Path("table.csv").write_text("content\nhttps://127.0.0.1/a.png\n")
    Path("init.csv").write_text("content,init,mode\nphotos/a.png,https://127.0.0.1/i.png,refine\n")
    refine = ("--mode", "refine", "--features", "vgg19-slim", "--init")
    told = [
        run("--offline", inputs=("-c", "s3://bucket/photos", "-s", "styles"), exit_code=2),
        run("--offline", output="s3://bucket/out", exit_code=2),
        run("--offline", inputs=("--manifest", "table.csv", "-s", "styles"), exit_code=2),
        run("--offline", *refine, "s3://bucket/i.png", exit_code=2),
        run("--offline", *refine, "content", inputs=("--manifest", "init.csv", "-s", "styles"), exit_code=2),
    ]
    assert [each.stderr.splitlines()[-1] for each in told] == [
        "Error: --offline: expected files and folders, received s3://bucket/photos",
        "Error: --offline: expected files and folders, received s3://bucket/out",
        "Error: --offline: expected files, received https://127.0.0.1/a.png; download the pictures first",
        "Error: --offline: expected files, received s3://bucket/i.png; download the pictures first",
        "Error: --offline: expected files, received https://127.0.0.1/i.png; download the pictures first",
    ]


def test_a_missing_start_of_all_is_told_before_painting(folders):
    refine = ("--mode", "refine", "--features", "vgg19-slim", "--init", "absent.png")
    assert run(*refine, exit_code=1).stderr == "stylize: init absent.png: no such file\n"
    assert not Path("out").exists()


@pytest.mark.slow
def test_a_missing_start_that_no_row_of_a_table_uses_is_no_error(folders):
    Path("jobs.csv").write_text("content,init\nphotos/a.png,content\n")
    refine = ("--mode", "refine", "--features", "vgg19-slim", "--init", "absent.png", "--steps", 1, "--size", 32)
    assert counts(run(*refine, inputs=("--manifest", "jobs.csv", "-s", "styles/s.png"))) == (1, 1, 0, 0)


@pytest.mark.parametrize("status", [403, 500])
def test_an_output_that_can_not_be_read_is_told_before_painting(folders, server, status):
    server.statuses[f"/{MANIFEST}"] = status
    told = run(output=server.base, exit_code=1)
    assert told.stderr == f"stylize: {server.base}/{MANIFEST}: could not be read: HTTP status {status}\n"
    assert server.bodies == {}


def test_an_output_that_can_not_be_written_is_told_before_painting(folders, server):
    server.is_read_only = True
    told = run(output=server.base, exit_code=1)
    assert told.stderr == f"stylize: {server.base}/{MANIFEST}: could not be written: HTTP status 405\n"
    assert not any(path.endswith(".png") for path in server.requests)


def test_an_address_that_no_server_answers_is_one_line(folders, server):
    with socket.create_server(("127.0.0.1", 0)) as closed:
        address = f"http://127.0.0.1:{closed.getsockname()[1]}"
    for arguments in ({"output": address}, {"inputs": ("-c", f"{address}/photos", "-s", "styles")}):
        told = run(**arguments, exit_code=1).stderr
        assert told.startswith(f"stylize: {'content ' * ('inputs' in arguments)}{address}/")
        assert told.count("\n") == 1


def test_a_web_server_that_lists_nothing_is_one_line(folders, server):
    server.statuses["/photos"] = 403
    told = run(inputs=("-c", f"{server.base}/photos", "-s", "styles"), exit_code=1).stderr
    assert told == f"stylize: content {server.base}/photos: could not be listed: HTTP status 403\n"


def test_an_output_without_a_name(folders):
    os.mkdir("elsewhere")
    os.chdir("elsewhere")
    told = run(inputs=("-c", "../photos", "-s", "../styles"), output="", exit_code=2).stderr
    assert "--output: expected a folder or a URL, received an empty text" in " ".join(told.split())
    assert os.listdir() == []


def test_a_url_of_the_output_is_no_input(folders):
    pytest.importorskip("fsspec")
    Path("photos").rename("out")
    inputs = ("-c", f"file://{folders}/out", "-s", "styles")
    for output in ("out", f"file://{folders}/out"):
        assert "expected no picture in the output folder" in run(inputs=inputs, output=output, exit_code=2).stderr
    for _ in range(2):  # the second run paints no paintings
        assert counts(run(inputs=inputs, output="out/painted"))[0] == 6


def test_a_start_in_the_output_folder_is_refused(folders):
    Path("styles").rename("out")
    start = Path("out/s.png").read_bytes()
    refine = ("--mode", "refine", "--features", "vgg19-slim", "--init", "out/s.png")
    told = run(*refine, inputs=("-c", "photos", "-s", "@swirls"), exit_code=2).stderr
    assert "out/s.png: expected no picture in the output folder" in told
    assert Path("out/s.png").read_bytes() == start


@pytest.mark.parametrize("option", [("--device", "cpu"), ("--backend", "torch")])
def test_what_refinements_compute_on_is_no_option_of_fast(folders, monkeypatch, option):
    told = run(*option, exit_code=2).stderr
    assert f"{option[0]}: an option of --mode refine, received --mode fast" in " ".join(told.split())
    monkeypatch.setenv("STYLIZE_DEVICE", "cpu")  # a default of the user holds where it can
    assert counts(run()) == (6, 6, 0, 0)


def test_pairs_without_styles(folders, monkeypatch):
    Path("jobs.csv").write_text("content,style\nphotos/a.png,styles/s.png\n")
    inputs = ("--manifest", "jobs.csv")
    told = run("--pairs", "random:9", inputs=inputs, exit_code=2).stderr
    assert "--pairs: expected styles (-s) to pair, received none" in " ".join(told.split())
    monkeypatch.setenv("STYLIZE_PAIRS", "random:9")
    assert counts(run(inputs=inputs)) == (1, 1, 0, 0)


def test_a_format_of_the_config_file_is_told_with_the_file(folders, monkeypatch):
    Path("config.toml").write_text('[batch]\nformat = "bmp"\n')
    monkeypatch.setenv("STYLIZE_CONFIG", str(folders / "config.toml"))
    told = run(exit_code=1).stderr
    assert told.startswith(f"stylize: {folders / 'config.toml'}: [batch] format: expected one of png")


@pytest.mark.parametrize(
    ("arguments", "inputs", "exit_code"),
    [
        ((), ("-c", "photo", "-s", "styles"), 1),
        ((), ("-c", "photos", "-c", "photo", "-s", "styles"), 1),
        (("--name", "{contents}"), ("-c", "photos", "-s", "styles"), 2),
        (("--name", "{content}"), ("-c", "photos", "-s", "styles"), 2),
    ],
)
def test_a_mistyped_option_leaves_nothing(folders, arguments, inputs, exit_code):
    pytest.importorskip("fsspec")
    run(*arguments, inputs=inputs, output="new/out", exit_code=exit_code)
    assert not Path("new").exists()
    run(*arguments, inputs=inputs, output=f"file://{folders}/far", exit_code=exit_code)
    assert not (Path(os.environ["STYLIZE_HOME"]) / "batch").exists()
    Path("here").mkdir()
    run(*arguments, inputs=inputs, output="here", exit_code=exit_code)
    assert Path("here").exists()  # made by the user


def test_the_manifest_is_json_whatever_the_labels(folders):
    rows = '{"content": "photos/a.png", "style": "styles/s.png", "score": NaN, "all": [Infinity]}'
    Path("jobs.jsonl").write_text(rows)
    inputs = ("--manifest", "jobs.jsonl")
    for painted in (1, 0):
        assert counts(run(inputs=inputs)) == (1, painted, 1 - painted, 0)
        assert "NaN" not in Path("out", MANIFEST).read_text()
        assert records()["photos/a-s-fast.png"]["labels"] == {"score": None, "all": [None]}


def test_a_table_of_both_modes_takes_options_of_refine(folders):
    Path("jobs.csv").write_text(
        "content,style,mode,init\nphotos/a.png,styles/s.png,fast,\nphotos/b.png,styles/s.png,,content\n"
    )
    refine = ("--mode", "refine", "--features", "vgg19-slim", "--preset", "gatys", "--steps", 1)
    assert counts(run(*refine, inputs=("--manifest", "jobs.csv"))) == (2, 2, 0, 0)
    assert [record["mode"] for record in records().values()] == ["fast", "refine"]
