"""What a command says: its result on stdout; progress, messages and tables on stderr; as text or as JSON."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import math
import os
import shutil
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from stylize.cli.printing import print_line, printable
from stylize.errors import StylizeError
from stylize.text import without_users

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from rich.console import Console
    from rich.progress import Progress, TaskID
    from rich.table import Table

    from stylize.batch.run import BatchProgress
    from stylize.optimize.iterate import Iterate

__all__ = ["Run", "json_text", "megabytes", "named_lines", "table", "to_standard_output"]

# The bar shows no time left before this step.
_FIRST_TIMED_STEP = 3


class Run:
    """A running command, and how it says things.

    Args:
        as_json: whether the result is printed as JSON.
        progress: bar, json, none, or auto: the bar where stderr is a terminal. With json, everything on stderr but
            errors is one JSON object a line; its `event` is message, iterate, frame, job or download.
        quiet: whether only the result and errors are printed.
        verbose: whether details are printed, too.
        offline: whether nothing may be downloaded.
    """

    def __init__(self, *, as_json: bool, progress: str, quiet: bool, verbose: bool, offline: bool) -> None:
        if progress == "auto":
            progress = "bar" if sys.stderr is not None and sys.stderr.isatty() and not quiet else "none"
        self.offline = offline
        self.as_json = as_json
        # What refinements compute on (`with_device`).
        self.backend = "auto"
        self.device = "auto"
        self.sources: Mapping[str, str] = {}
        """Where the options come from, by name, for the provenance of pictures."""
        self._progress = progress
        self._quiet = quiet
        self._verbose = verbose and not quiet
        self._bar: tuple[Progress, TaskID] | None = None
        self._percent_shown: tuple[str, int] | None = None
        self.ended_by: int | None = None
        """The number of the signal, such as Ctrl-C's, that asked the command to end early."""

    @property
    def api_arguments(self) -> dict[str, Any]:
        """The arguments that `fast`, `refine` and `compare` have in common."""
        return {
            "offline": self.offline,
            "on_message": None if self._quiet else self.say,
            "on_download": self.on_download,
        }

    @property
    def optimization_arguments(self) -> dict[str, Any]:
        """The arguments that `refine` and `compare` have in common."""
        return {**self.api_arguments, "backend": self.backend, "device": self.device}

    def result(self, data: Any, lines: str | list[str] | Table) -> None:
        """Print the command's result: `data` with --json, else the line, the lines or the table."""
        self.close()
        if self.as_json:
            lines = json_text(data).split("\n")
        with to_standard_output():
            if isinstance(lines, (str, list)):
                for line in [lines] if isinstance(lines, str) else lines:
                    print_line(line)
            else:
                _console().print(lines)

    def say(self, message: str, *, is_error: bool = False) -> None:
        """Tell the user one line on stderr; with --quiet only an error."""
        if self._quiet and not is_error:
            return
        message = without_users(message)
        if self._bar is not None:
            with contextlib.suppress(OSError):
                self._bar[0].console.print(
                    printable(message, sys.stderr), markup=False, highlight=False, soft_wrap=True
                )
        else:
            print_line(self._line(message), error=True)

    def say_at_once(self, message: str) -> None:
        """Say a line from a signal handler: without the buffers, which may be in use."""
        if not self._quiet:
            with contextlib.suppress(OSError):
                start = "" if self._bar is None else "\n"
                os.write(2, f"{start}{self._line(message)}\n".encode())

    def detail(self, message: str) -> None:
        """Tell the user one line, with --verbose only."""
        if self._verbose:
            self.say(message)

    def show(self, table: Table) -> None:
        """Show a table on stderr, unless --quiet."""
        if not self._quiet and self._progress != "json":
            self.close()
            with contextlib.suppress(OSError):
                _console(stderr=True).print(table)

    def draw(self, pictures: Sequence[tuple[str, NDArray[np.float32]]]) -> None:
        """Draw pictures above their names where stderr is a terminal, unless --quiet or --json."""
        from stylize.reports import terminal

        if sys.stderr is not None and not (self._quiet or self.as_json) and terminal.can_draw(sys.stderr):
            terminal.draw_named(pictures, sys.stderr)

    def on_iterate(self, iterate: Iterate) -> None:
        """Show one step of the optimisation."""
        height, width = iterate.size
        if self._progress == "json":
            names = ("level", "levels", "step", "steps", "elapsed_s", "remaining_s")
            numbers = {name: getattr(iterate, name) for name in names}
            losses = dataclasses.asdict(iterate.losses)
            print_line(_event("iterate", **numbers, width=width, height=height, losses=losses), error=True)
        elif self._progress == "bar":
            of_all = "" if iterate.steps is None else f"/{iterate.steps}"
            # The first steps of a process take many times as long as those that follow.
            left = f"  {_clock(iterate.remaining_s)} left" if iterate.step >= _FIRST_TIMED_STEP else ""
            self._draw(
                f"level {iterate.level}/{iterate.levels}, {width} x {height} px",
                # By time: the steps of a fine level take longer.
                iterate.elapsed_s,
                iterate.elapsed_s + iterate.remaining_s,
                f"step {iterate.step}{of_all}  loss {iterate.losses.total:.4g}{left}",
            )

    def on_frame(self, done: int, frames: int) -> None:
        """Show how many frames of an animation are painted."""
        if self._progress == "json":
            print_line(_event("frame", done=done, frames=frames), error=True)
        elif self._progress == "bar":
            self._draw("frames", done, frames, f"{done} of {frames}")

    def on_job(self, batch: BatchProgress) -> None:
        """Show a finished job of a batch."""
        names = ("done", "failed", "skipped", "jobs", "elapsed_s", "remaining_s")
        if self._progress == "json":
            job = {name: batch.record[name] for name in ("output", "status", "error")}
            print_line(_event("job", **job, **{name: getattr(batch, name) for name in names}), error=True)
        elif self._progress == "bar":
            finished = batch.done + batch.failed + batch.skipped
            failed = f", {batch.failed} failed" if batch.failed else ""
            pace = (batch.done + batch.failed) / max(batch.elapsed_s, 1e-9)
            state = f"{finished} of {batch.jobs}{failed}  {pace:.3g} a second  {_clock(batch.remaining_s)} left"
            self._draw("pictures", finished, batch.jobs, state)

    def on_download(self, name: str, done: int, total: int | None) -> None:
        """Show how many bytes of a download have arrived."""
        if self._progress == "json":
            # One line a percent: chunks are many.
            percent = (name, 100 * done // total if total else done // 1_000_000)
            if percent != self._percent_shown:
                self._percent_shown = percent
                print_line(_event("download", name=name, bytes=done, total_bytes=total), error=True)
        elif self._progress == "bar":
            self._draw(name, done, total, f"{megabytes(done)} of {megabytes(total)}")

    def close(self) -> None:
        """Remove the bar; the next output takes its place."""
        if self._bar is not None:
            with contextlib.suppress(OSError):  # the terminal is gone
                self._bar[0].stop()
            self._bar = None

    def _line(self, message: str) -> str:
        return _event("message", text=message) if self._progress == "json" else message

    def _draw(self, title: str, done: float, total: float | None, state: str) -> None:
        if self._bar is None:
            from rich.progress import BarColumn, Progress, TextColumn

            progress = Progress(
                TextColumn("{task.description}", markup=False),
                BarColumn(),
                TextColumn("{task.fields[state]}", markup=False),
                console=_console(stderr=True),
                transient=True,
            )
            progress.start()
            self._bar = progress, progress.add_task(title, total=total, state=state)
        progress, task = self._bar
        progress.update(task, description=title, completed=done, total=total, state=state)


@contextlib.contextmanager
def to_standard_output() -> Iterator[None]:
    """Turn an error of the system into one line."""
    try:
        yield
    except BrokenPipeError:
        raise  # click ends quietly: the reader has closed the pipe
    except OSError as error:
        with contextlib.suppress(OSError):  # Python would write the rest at the end, and fail again
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise StylizeError(f"standard output: could not be written: {error.strerror or error}") from error


def json_text(data: Any) -> str:
    """Return `data` as indented JSON in ASCII; paths become strings, and numbers that are not finite null."""
    return _ascii_json(_as_json(data), indent=2)


def table(columns: Sequence[str], rows: Iterable[Sequence[str]], right: Sequence[str] = ()) -> Table:
    """Return a table for `Run.result` or `Run.show`; the columns in `right` are for numbers."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table
    from rich.text import Text

    filled = Table(box=SIMPLE_HEAD, pad_edge=False)
    for column in columns:
        filled.add_column(column, justify="right" if column in right else "left", overflow="fold")
    for row in rows:
        # As Text, so that a file's name is no markup.
        filled.add_row(*(Text(printable(cell, sys.stdout)) for cell in row))
    return filled


def named_lines(data: Mapping[str, Any], without: str = "") -> list[str]:
    """Return a line for each leaf of nested data: its dotted name, and its value in one column.

    Leaves of the same name and value after `without` is dropped share a line.

    Args:
        data: values of JSON.
        without: a beginning that names lose.
    """
    leaves = list(dict.fromkeys((name.removeprefix(without), value) for name, value in _flat(data)))
    width = max(len(name) for name, _ in leaves)
    return [f"{name:<{width}}  {value}".rstrip() for name, value in leaves]


def megabytes(count: int | None) -> str:
    """Return a number of bytes as text; `?` where the number is unknown."""
    return "?" if count is None else f"{count / 1e6:.1f} MB"


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes}:{rest:02d}"


def _event(kind: str, **data: Any) -> str:
    """Return one line of JSON."""
    return _ascii_json({"event": kind, **_as_json(data)})


def _ascii_json(data: Any, indent: int | None = None) -> str:
    """Return JSON without any character that `print_line` escapes: `json` leaves one control character as it is."""
    return json.dumps(data, indent=indent).replace("\x7f", "\\u007f")


def _as_json(value: Any) -> Any:
    """Return the value as JSON can hold it: paths as text, numbers that are not finite as null."""
    if isinstance(value, Mapping):
        return {str(key): _as_json(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_as_json(item) for item in value]
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def _console(*, stderr: bool = False) -> Console:
    from rich.console import Console

    # Rich takes COLUMNS=0 for a width of 0 and prints nothing. Everywhere else 0 stands for unknown.
    columns = os.environ.get("COLUMNS", "")
    width = shutil.get_terminal_size().columns if columns.isdecimal() and int(columns) == 0 else None
    return Console(stderr=stderr, highlight=False, width=width)


def _flat(value: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    """Yield every leaf of nested JSON with its dotted name; hashes are shortened."""
    if isinstance(value, Mapping) and not value:
        yield name, ""
    elif isinstance(value, Mapping) and name.endswith("sha256"):
        yield name, ", ".join(f"{file} {str(sha256)[:12]}" for file, sha256 in value.items())
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield from _flat(item, f"{name}.{key}" if name else str(key))
    elif isinstance(value, list) and any(isinstance(item, Mapping) for item in value):
        for number, item in enumerate(value, start=1):
            yield from _flat(item, f"{name}.{number}")
    elif isinstance(value, list):
        pairs = [":".join(map(str, item)) if isinstance(item, list) else str(item) for item in value]
        yield name, " ".join(pairs)
    else:
        yield name, "" if value is None else str(value)[:12] if name.endswith("sha256") else value
