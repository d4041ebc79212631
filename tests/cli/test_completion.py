"""Completion in shells: what is offered, and the scripts in real shells."""

from __future__ import annotations

import os
import select
import shutil
import signal
import subprocess
import sys

import pytest
from click.shell_completion import ShellComplete

from api_stand_in import run
from samples import REPOSITORY
from stylize.cli.main import main
from stylize.presets import PRESETS


def offered(line: str) -> list[str]:
    """Return what a shell is offered at the end of a line; `file` where it completes names of files."""
    *words, incomplete = line.split(" ")
    complete = ShellComplete(main, {}, "stylize", "_STYLIZE_COMPLETE")
    return [item.value if item.type == "plain" else item.type for item in complete.get_completions(words, incomplete)]


OFFERED = {
    "re": ["refine", "rerun"],
    "refine --pre": ["--preset", "--precision"],
    "refine -p ": list(PRESETS),
    "refine --preset n": ["neighbors", "nst-notebook"],
    "refine --features vgg": ["vgg19", "vgg19-slim"],
    "fast --network m": ["magenta", "magenta-int8", "mini"],
    "refine --keep-colors h": ["histogram"],
    "refine --style-layer relu2": ["relu2_1", "relu2_2"],
    "refine --size o": ["original"],
    "refine -c ph": ["file"],
    "refine -c photo.jpg -s pa": ["file"],
    "refine -c photo.jpg -s @w": ["@woodcut", "@watercolour"],
    "fast -c a.jpg b.j": ["file"],
    "refine -c a.jpg b.jpg -p bo": ["bold"],
    "batch -c photos -o ": ["file"],
    "models pull mi": ["mini"],
    "models pu": ["pull"],
    "config se": ["set"],
    "config set places": ["places-weight"],
    "config set refine.tv": ["refine.tv-weight"],
    "config set outp": [],
    "config set fast.steps": [],
    "completion b": ["bash"],
}


@pytest.mark.parametrize(("line", "expected"), OFFERED.items(), ids=OFFERED)
def test_what_is_offered(line, expected):
    assert offered(line) == expected


def test_wrong_defaults_do_not_disturb(monkeypatch, tmp_path):
    (tmp_path / "config.toml").write_text("nonsense")
    monkeypatch.setenv("STYLIZE_CONFIG", str(tmp_path / "config.toml"))
    monkeypatch.setenv("STYLIZE_SIZ", "3")
    assert offered("refine --preset fa") == ["faithful"]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish", "powershell"])
def test_the_script_is_printed(shell):
    assert "_STYLIZE_COMPLETE" in run("completion", shell).stdout


def completed(**variables: str) -> subprocess.CompletedProcess[str]:
    code = (
        "import sys\nfrom stylize.cli.main import main\n"
        "try:\n    main(prog_name='stylize')\nexcept SystemExit:\n"
        "    heavy = {'tensorflow', 'keras', 'numpy', 'PIL', 'rich', 'tomlkit'}\n"
        "    print(sorted(heavy & set(sys.modules)), file=sys.stderr)"
    )
    environment = {**os.environ, **variables}
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=REPOSITORY, env=environment)


@pytest.mark.parametrize("words", ["stylize refine --ov", "stylize ref"])
def test_nothing_heavy_is_imported(words):
    told = completed(_STYLIZE_COMPLETE="powershell_complete", COMP_WORDS=words, COMP_CWORD=str(words.count(" ")))
    assert told.stdout.split("\n")[:2] == ["plain", "--overwrite" if "--" in words else "refine"]
    assert told.stderr == "[]\n"


@pytest.fixture
def program(tmp_path, monkeypatch):
    """A program `stylize` on the path, and a folder with two files as the current one."""
    folder = tmp_path / "bin"
    folder.mkdir()
    (folder / "stylize").write_text(f"#!{sys.executable}\nfrom stylize.cli.main import main\nmain()\n")
    (folder / "stylize").chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("PYTHONPATH", str(REPOSITORY))
    monkeypatch.chdir(tmp_path)


def _has_bash() -> bool:
    """Whether there is a bash that knows completion as click needs it; macOS has an older one."""
    test = "(( BASH_VERSINFO[0] > 4 || BASH_VERSINFO[0] == 4 && BASH_VERSINFO[1] > 3 ))"
    return shutil.which("bash") is not None and subprocess.run(["bash", "-c", test]).returncode == 0


@pytest.mark.skipif(not _has_bash(), reason="no bash of 4.4 or later")
def test_bash_completes(program, tmp_path):
    script = (
        'eval "$(stylize completion bash)"\n'
        'COMP_WORDS=(stylize refine --preset fai) COMP_CWORD=3 COMP_LINE="stylize refine --preset fai"\n'
        "_stylize_completion stylize\n"
        'printf "%s\\n" "${COMPREPLY[@]}"\ncomplete -p stylize'
    )
    told = subprocess.run(["bash", "-c", script], capture_output=True, text=True)
    assert told.stdout == "faithful\ncomplete -o nosort -F _stylize_completion stylize\n", told.stderr


TYPED = {
    "stylize refine -s @sw": "irls ",
    "stylize refine --style=@sw": "irls ",
    "stylize refine -c a\\ b.jpg --preset=fai": "thful ",
    "X=1 stylize  refine --preset fai": "thful ",
    'stylize refine -s "@sw': 'irls" ',
    "stylize refine -s é.jpg @sw": "irls ",
    "true; stylize fast -c host:photo.jpg -s a:2 @sw": "irls ",
}


@pytest.mark.skipif(not _has_bash(), reason="no bash of 4.4 or later")
def test_bash_completes_words_that_it_breaks(program, monkeypatch):
    """In a terminal, because only there bash breaks words at `@`, `=` and `:`."""
    pty = pytest.importorskip("pty", reason="no terminals")
    for name, value in (("TERM", "dumb"), ("PS1", "$ "), ("LC_ALL", "C.UTF-8")):
        monkeypatch.setenv(name, value)
    process, terminal = pty.fork()
    if process == 0:
        os.execvp("bash", ["bash", "--norc", "--noprofile", "-i"])

    def wait_for(end: str) -> None:
        text = ""
        while not text.endswith(end):
            assert select.select([terminal], [], [], 60)[0], text
            text += os.read(terminal, 1 << 16).decode()

    try:
        os.write(terminal, b'COLUMNS=500; eval "$(stylize completion bash)"; echo REA""DY\n')
        wait_for("READY\r\n$ ")
        for typed, completion in TYPED.items():
            os.write(terminal, f"\x15{typed}".encode())  # Ctrl-U empties the line
            wait_for(typed)
            os.write(terminal, b"\t")
            wait_for(completion)
    finally:
        os.kill(process, signal.SIGKILL)
        os.waitpid(process, 0)
        os.close(terminal)


@pytest.mark.skipif(shutil.which("fish") is None, reason="no fish")
def test_fish_completes(program):
    script = "stylize completion fish | source; complete -C 'stylize refine --preset fai'"
    told = subprocess.run(["fish", "-c", script], capture_output=True, text=True)
    assert told.stdout.split() == ["faithful"], told.stderr


@pytest.mark.skipif(shutil.which("zsh") is None, reason="no zsh")
def test_zsh_takes_the_script(program):
    script = 'autoload -Uz compinit && compinit -u -D\neval "$(stylize completion zsh)"\nprint $_comps[stylize]\n'
    told = subprocess.run(["zsh", "-f", "-c", script], capture_output=True, text=True)
    assert (told.stdout, told.stderr) == ("_stylize_completion\n", "")
