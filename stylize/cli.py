"""The command line: options, progress, exit codes. What a picture needs is imported inside the commands.

Exit codes: 0; 1 with one line for what the user can mend (StylizeError); 2 for misuse, before any work; 130
after Ctrl-C. Any other exception keeps its traceback. Results go to stdout, everything else to stderr.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import glob
import hashlib
import json
import math
import os
import secrets
import shutil
import signal
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path, PureWindowsPath
from typing import TYPE_CHECKING, Any, Literal, TypeVar, get_args, get_origin, get_type_hints

import click

from stylize import weights
from stylize._version import __version__
from stylize.config import RECIPES, FastConfig, LayerWeights, RefineConfig, canonical_layer
from stylize.errors import OptionError, StylizeError

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID
    from rich.table import Table

    from stylize.optimization import Iterate
    from stylize.pipelines import Comparison, TransferResult

__all__ = ["main"]

Styles = Sequence[tuple[Path, float]]
Command = TypeVar("Command", bound=Callable[..., Any])

_INTERRUPTED = 130  # 128 + SIGINT, as shells have it
_FILE = click.Path(path_type=Path)


class _Program(click.Group):
    """Turns what the user can mend into one line and an exit code."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except OptionError as error:
            raise click.UsageError(str(error)) from error
        except StylizeError as error:
            click.echo(f"stylize: {error}", err=True)
            ctx.exit(1)
        except KeyboardInterrupt:
            click.echo("stylize: interrupted", err=True)
            ctx.exit(_INTERRUPTED)


# ----------------------------------------------------------------------------------------------------------
# What a command says


class _Run:
    """The voice of one command: its result on stdout; progress, messages and errors on stderr."""

    def __init__(self, *, as_json: bool, progress: str, quiet: bool, verbose: bool, offline: bool) -> None:
        if progress == "auto":
            progress = "bar" if sys.stderr.isatty() and not quiet else "none"
        self.offline = offline
        self._as_json = as_json
        self._progress = progress
        self._quiet = quiet
        self._verbose = verbose and not quiet
        self._bar: tuple[Progress, TaskID] | None = None
        self._percent_told: tuple[str, int] | None = None

    def result(self, data: Any, lines: str | Table) -> None:
        """Print the command's result: `data` with --json, else the line(s) or the table."""
        self.close()
        if self._as_json:
            click.echo(_json(data))
        elif isinstance(lines, str):
            click.echo(lines)
        else:
            from rich.console import Console

            Console(highlight=False).print(lines)

    def say(self, message: str) -> None:
        """Tell the user one line on stderr, unless --quiet."""
        if self._quiet:
            return
        if self._bar is not None:
            self._bar[0].console.print(message, markup=False, highlight=False, soft_wrap=True)
        else:
            click.echo(self._line(message), err=True)

    def say_at_once(self, message: str) -> None:
        """As `say`, from a signal handler: past buffers, which may be in use."""
        if not self._quiet:
            with contextlib.suppress(OSError):
                os.write(2, f"{self._line(message)}\n".encode())

    def _line(self, message: str) -> str:
        return _event("message", text=message) if self._progress == "json" else message

    def detail(self, message: str) -> None:
        """Tell one line more, with --verbose."""
        if self._verbose:
            self.say(message)

    def show(self, table: Table) -> None:
        """Show a table on stderr, unless --quiet."""
        if not self._quiet and self._progress != "json":
            from rich.console import Console

            self.close()
            Console(stderr=True, highlight=False).print(table)

    def on_iterate(self, iterate: Iterate) -> None:
        """Show one step of the optimisation."""
        height, width = iterate.size
        if self._progress == "json":
            names = ("level", "levels", "step", "steps", "elapsed_s", "remaining_s")
            numbers = {name: getattr(iterate, name) for name in names}
            losses = dataclasses.asdict(iterate.losses)
            click.echo(_event("iterate", **numbers, width=width, height=height, losses=losses), err=True)
        elif self._progress == "bar":
            left = iterate.remaining_s
            self._draw(
                f"level {iterate.level}/{iterate.levels}, {width} x {height} px",
                # By time, as the steps of a fine level take longer.
                iterate.elapsed_s,
                None if left is None else iterate.elapsed_s + left,
                f"step {iterate.step}/{iterate.steps}  loss {iterate.losses.total:.4g}"
                + ("" if left is None else f"  {_clock(left)} left"),
            )

    def on_download(self, name: str, done: int, total: int | None) -> None:
        """Show how much of a download is here, in bytes."""
        if self._progress == "json":
            # One line a percent: chunks are many.
            percent = (name, 100 * done // total if total else done // 1_000_000)
            if percent != self._percent_told:
                self._percent_told = percent
                click.echo(_event("download", name=name, bytes=done, total_bytes=total), err=True)
        elif self._progress == "bar":
            self._draw(name, done, total, f"{_megabytes(done)} of {_megabytes(total)}")

    def close(self) -> None:
        """Take the bar away; what is printed next stands where it was."""
        if self._bar is not None:
            self._bar[0].stop()
            self._bar = None

    def _draw(self, title: str, done: float, total: float | None, state: str) -> None:
        if self._bar is None:
            from rich.console import Console
            from rich.progress import BarColumn, Progress, TextColumn

            progress = Progress(
                TextColumn("{task.description}", markup=False),
                BarColumn(),
                TextColumn("{task.fields[state]}", markup=False),
                console=Console(stderr=True),
                transient=True,
            )
            progress.start()
            self._bar = progress, progress.add_task(title, total=total, state=state)
        progress, task = self._bar
        progress.update(task, description=title, completed=done, total=total, state=state)


def _event(kind: str, **data: Any) -> str:
    """Return one line of JSON."""
    return json.dumps({"event": kind, **_plain(data)})


def _plain(value: Any) -> Any:
    """Return the value as JSON has it; numbers that are not finite become null, which JSON can say."""
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def _json(data: Any) -> str:
    return json.dumps(_plain(data), indent=2, ensure_ascii=False)


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes}:{rest:02d}"


def _megabytes(count: int | None) -> str:
    return "?" if count is None else f"{count / 1e6:.1f} MB"


# ----------------------------------------------------------------------------------------------------------
# Options, each declared once


class _StyleFile(click.ParamType):
    """FILE[:WEIGHT], split at the last colon unless a file has the whole name or the rest is no number."""

    name = "FILE[:WEIGHT]"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if isinstance(value, tuple):
            return value
        path, colon, number = value.rpartition(":")
        if not (colon and path) or Path(value).exists():
            return Path(value), 1.0
        weight = _number(number)
        if weight is None:
            return Path(value), 1.0
        if not (math.isfinite(weight) and weight > 0):
            self.fail(f"{path}: expected a weight over 0, received {number}", param, ctx)
        return Path(path), weight


class _Layer(click.ParamType):
    """NAME[:WEIGHT]; the name becomes the papers'."""

    name = "NAME[:WEIGHT]"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if isinstance(value, tuple):
            return value
        name, colon, number = value.partition(":")
        weight = _number(number)
        if colon and weight is None:
            self.fail(f"{name}: expected a number after the colon, received {number!r}", param, ctx)
        try:
            return canonical_layer(name), weight
        except OptionError as error:
            self.fail(str(error), param, ctx)


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _options(*decorators: Callable[[Command], Command]) -> Callable[[Command], Command]:
    """Join options into one decorator; `--help` shows them in this order."""

    def decorate(command: Command) -> Command:
        for decorator in reversed(decorators):
            command = decorator(command)
        return command

    return decorate


def _field_option(
    config: FastConfig | RefineConfig, *names: str, help: str, **settings: Any
) -> Callable[[Command], Command]:
    """Return the option that sets the field of `config` which it is named after.

    Type, choices and the default in the help are read off the field. Not given, the option is None, and the
    recipe's value stands.
    """
    field = names[-1].lstrip("-").replace("-", "_")
    home = next(part for part in (config, *vars(config).values()) if hasattr(part, field))
    default, kind = getattr(home, field), get_type_hints(type(home))[field]
    if isinstance(default, bool):
        names = (f"{names[0]}/--no-{names[0].lstrip('-')}", *names[1:])
    elif get_origin(kind) is Literal:
        settings.setdefault("type", click.Choice(get_args(kind)))
    elif default is not None:
        settings.setdefault("type", type(default))
    if default is not None and not isinstance(default, (bool, tuple)):
        help += f"  [default: {default:g}]" if isinstance(default, float) else f"  [default: {default}]"
    return click.option(*names, default=None, help=help, **settings)


def _network_names(role: str) -> click.Choice:
    return click.Choice(["auto", *(spec.name for spec in weights.REGISTRY.values() if spec.role == role)])


_fast = functools.partial(_field_option, FastConfig())
_refine = functools.partial(_field_option, RefineConfig())

_content = click.option("-c", "--content", required=True, type=_FILE, help="The photograph to paint.")
_styles = click.option(
    "-s", "--style", "styles", required=True, multiple=True, type=_StyleFile(),
    help="The picture whose style to take; several are blended by their weights.",
)  # fmt: skip
_output = click.option(
    "-o", "--output", type=_FILE,
    help="The picture to write; its suffix chooses the format.  [default: beside the content, such as "
    "photo-painting-fast.png]",
)  # fmt: skip
_overwrite = click.option("--overwrite", is_flag=True, help="Replace output that is there already.")
_resume = click.option("--resume", is_flag=True, help="Go on from the output's checkpoint.")

_fast_options = _options(
    _fast("--network", type=_network_names("stylizer"), help="The network that paints."),
    _fast("--size", help="Long side of the output, px."),
    _fast("--strength", help="0 keeps the content, 1 is the full style."),
    _fast("--keep-colors", help="Take only light and dark from the style."),
)

_refine_options = _options(
    click.option(
        "--recipe", type=click.Choice(list(RECIPES)), default="default", show_default=True,
        help="A named set of all options below; those given explicitly win over it.",
    ),
    _refine("--features", type=_network_names("features"), help="The network whose features are compared."),
    _refine("--network", type=_network_names("stylizer"), help="The network that paints the preview."),
    _refine("--init", metavar="preview|content|noise|content+noise|FILE", help="What to start from."),
    _refine("--size", help="Long side of the output, px."),
    _refine("--steps", help="Evaluations of the loss, over all sizes from coarse to fine."),
    _refine("--time-budget", type=float, metavar="SECONDS", help="Take so long, whatever --steps says."),
    _refine("--optimizer", help="How pixels are moved."),
    _refine("--learning-rate", help="Adam's step on pixels in [0, 1]; of L-BFGS only the first step."),
    _refine("--content-weight", help="How much the scene counts."),
    _refine("--style-weight", help="How much the style counts."),
    _refine("--tv-weight", "total_variation_weight", help="How much smoothness (total variation) counts."),
    _refine(
        "--content-layer", "content_layers", type=_Layer(), multiple=True,
        help="A VGG-19 layer that holds the scene, such as relu4_2; repeatable. Layers named without weights "
        "share the recipe's equally.",
    ),
    _refine(
        "--style-layer", "style_layers", type=_Layer(), multiple=True,
        help="A VGG-19 layer that holds the style, as above.",
    ),
    _refine("--pooling", help="Of the feature network."),
    _refine("--style-scale", help="Long side of the style relative to the output's; larger: larger strokes."),
    _refine("--keep-colors", help="Take only light and dark from the style."),
    _refine("--precision", help="Of the convolutions."),
    _refine("--seed", help="Of the noise; the same seed gives the same picture."),
)  # fmt: skip


def _common(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the options that all share; it receives the `_Run` that they describe."""

    @functools.wraps(command)
    def with_run(
        *, as_json: bool, progress: str, quiet: bool, verbose: bool, offline: bool, **options: Any
    ) -> Any:
        run = _Run(as_json=as_json, progress=progress, quiet=quiet, verbose=verbose, offline=offline)
        with contextlib.closing(run):
            return command(run, **options)

    return _options(
        click.option("--json", "as_json", is_flag=True, help="Print one machine-readable result on stdout."),
        click.option(
            "--progress", type=click.Choice(["auto", "bar", "json", "none"]), default="auto",
            help="On stderr: a bar, one JSON line an iterate, or nothing; auto is the bar on a terminal.",
        ),
        click.option("-q", "--quiet", is_flag=True, help="Print nothing but the result and errors."),
        click.option("-v", "--verbose", is_flag=True, help="Print more about networks, sizes and times."),
        click.option("--offline", is_flag=True, help="Never use the internet; also STYLIZE_OFFLINE=1."),
    )(with_run)  # fmt: skip


def _given(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options that stand on the command line."""
    return {name: value for name, value in options.items() if value not in (None, ())}


def _refine_config(recipe: str, options: Mapping[str, Any]) -> RefineConfig:
    config, given = RECIPES[recipe].config, _given(options)
    for field in ("content_layers", "style_layers"):
        if field in given:
            given[field] = _layer_weights(field, given[field], getattr(config.loss, field))
    return config.replace(**given)


def _layer_weights(
    field: str, layers: Sequence[tuple[str, float | None]], recipe: LayerWeights
) -> LayerWeights:
    """Return the layers with their weights; without, they share the recipe's, which keeps its balance."""
    weighted = [(name, weight) for name, weight in layers if weight is not None]
    if not weighted:
        share = sum(weight for _, weight in recipe) / len(layers)
        return tuple((name, share) for name, _ in layers)
    if len(weighted) < len(layers):
        raise OptionError(f"{field}: expected a weight for every layer or for none")
    return tuple(weighted)


# ----------------------------------------------------------------------------------------------------------
# Before any work


def _check_inputs(
    content: Path, styles: Styles, init: str = "content", pictures: Sequence[Path] = ()
) -> list[Path]:
    """Return the files to read. Raises StylizeError for one that is not there."""
    named = [("content", content), *(("style", path) for path, _ in styles)]
    named += [("image", path) for path in pictures]
    if init not in ("preview", "content", "noise", "content+noise"):
        named.append(("init", Path(init)))
    for name, path in named:
        if not path.exists():
            raise StylizeError(f"{name} {path}: no such file")
    return [path for _, path in named]


def _check_output(output: Path, inputs: Sequence[Path], *, overwrite: bool) -> None:
    """Refuse an output that can't be written, that is there already, or that is an input."""
    from stylize import images

    suffix = output.suffix.lower().removeprefix(".")
    if suffix not in images.SUFFIXES:
        known = ", ".join(images.SUFFIXES)
        raise OptionError(f"output {output}: expected a suffix out of {known}; received {suffix or 'none'}")
    _check_free(output, inputs, overwrite=overwrite)
    images.check_output(output, overwrite=overwrite)


def _check_free(output: Path, inputs: Sequence[Path], *, overwrite: bool) -> None:
    if output.exists():
        if any(output.samefile(path) for path in inputs):
            raise OptionError(f"output {output}: expected another file than the input")
        if not overwrite:
            raise StylizeError(
                f"output {output}: is there already; choose another with -o, or use --overwrite"
            )


def _check_folder(folder: Path, names: Sequence[str], inputs: Sequence[Path], *, overwrite: bool) -> None:
    """As `_check_output`, for files in a folder that may not be there yet."""
    if folder.exists() and not folder.is_dir():
        raise StylizeError(f"output {folder}: expected a folder, received a file")
    for path in (folder / name for name in names):
        _check_free(path, inputs, overwrite=overwrite)
    parent = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    if not os.access(parent, os.W_OK | os.X_OK):
        raise StylizeError(f"output {folder}: no permission to write in {parent}")


@contextlib.contextmanager
def _writing(output: Path) -> Iterator[None]:
    """Turn what the system refuses (disk full) into one line."""
    try:
        yield
    except OSError as error:
        raise StylizeError(f"output {output}: could not be written: {error.strerror or error}") from error


def _beside(content: Path, styles: Styles, ending: str) -> Path:
    """Return the default output: `photo-painting-fast.png` beside the content."""
    names = "+".join(path.stem for path, _ in styles)
    return content.with_name(f"{content.stem}-{names}-{ending}")


# ----------------------------------------------------------------------------------------------------------
# Commands


@click.group(cls=_Program, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="stylize")
def main() -> None:
    """Paint a photograph in the style of a picture.

    `fast` gives a preview at once, `refine` a high quality picture, `compare` both side by side with numbers.
    """


@main.command()
@_content
@_styles
@_output
@_fast_options
@_overwrite
@_common
def fast(
    run: _Run, content: Path, styles: Styles, output: Path | None, overwrite: bool, **options: Any
) -> None:
    """Paint at once, by a feed-forward network."""
    config = FastConfig(**_given(options))
    output = output or _beside(content, styles, "fast.png")
    _check_output(output, _check_inputs(content, styles), overwrite=overwrite)
    result = _paint_fast(run, content, styles, config, output, overwrite=overwrite)
    _tell(run, result, output)


def _paint_fast(
    run: _Run, content: Path, styles: Styles, config: FastConfig, output: Path, *, overwrite: bool
) -> TransferResult:
    from stylize import images, pipelines

    result = pipelines.fast(
        content, styles, config=config,
        offline=run.offline, on_message=run.say, on_download=run.on_download,
    )  # fmt: skip
    images.write_image(output, result.image, result.alpha, recipe=result.recipe, overwrite=overwrite)
    return result


@main.command(epilog="\n\n".join(f"Recipe {name}: {recipe.description}" for name, recipe in RECIPES.items()))
@_content
@_styles
@_output
@_refine_options
@click.option(
    "--save-every", type=click.IntRange(min=1), metavar="N",
    help="Every N steps, write the picture so far and a checkpoint beside the output.",
)  # fmt: skip
@_resume
@_overwrite
@_common
def refine(
    run: _Run, content: Path, styles: Styles, output: Path | None, recipe: str, overwrite: bool,
    save_every: int | None, resume: bool, **options: Any,
) -> None:  # fmt: skip
    """Paint well, by Gatys' optimisation of the pixels under a feature network.

    Ctrl-C ends early and keeps the best picture so far; --resume goes on from there.
    """
    config = _refine_config(recipe, options)
    output = output or _beside(content, styles, "refine.png")
    inputs = _check_inputs(content, styles, config.init)
    saves = _Saves(output, save_every)
    saves.check(overwrite=overwrite, resume=resume)
    _check_output(output, inputs, overwrite=overwrite or resume)
    result = _paint_refine(run, content, styles, config, output, saves, overwrite=overwrite, resume=resume)
    _tell(run, result, output)


class _Saves:
    """What a refinement leaves beside its output on the way: pictures so far, and the checkpoint."""

    def __init__(self, output: Path, every: int | None = None) -> None:
        self.output = output
        self.every = every
        self.checkpoint = output.with_name(f"{output.name}.checkpoint.npz")

    def check(self, *, overwrite: bool, resume: bool) -> None:
        """Raises StylizeError if files of an earlier run are in the way, or not there to go on from."""
        if resume:
            if not self.checkpoint.exists():
                raise StylizeError(f"--resume: no checkpoint {self.checkpoint}; start without --resume")
            return
        in_the_way = [self.checkpoint] if self.checkpoint.exists() else []
        if self.every:
            stem, suffix = glob.escape(self.output.stem), self.output.suffix
            in_the_way += sorted(self.output.parent.glob(f"{stem}-step-*{suffix}"))
        if in_the_way and not overwrite:
            advice = "--resume goes on from it, " if self.checkpoint in in_the_way else ""
            raise StylizeError(f"{in_the_way[0]}: left by an earlier run; {advice}--overwrite starts anew")

    def on_iterate(self, iterate: Iterate) -> None:
        """Save, if it is time."""
        if self.every and iterate.step % self.every == 0:
            from stylize import images
            from stylize.checkpoint import write_checkpoint

            picture = self.output.with_name(f"{self.output.stem}-step-{iterate.step:04d}{self.output.suffix}")
            images.write_image(picture, iterate.pixels, overwrite=True)
            write_checkpoint(self.checkpoint, iterate.checkpoint())


class _Interrupt:
    """Ctrl-C during an optimisation: the first ends it after the step at hand, the second aborts.

    Before the first step there is no picture to keep, so that the first aborts, too.
    """

    def __init__(self, run: _Run) -> None:
        self._run = run
        self.started = False
        self._asked = False

    def __enter__(self) -> _Interrupt:
        self._before = signal.signal(signal.SIGINT, self._handle)
        return self

    def __exit__(self, *exception: object) -> None:
        signal.signal(signal.SIGINT, self._before)

    def asked(self) -> bool:
        """Return whether the run is to end."""
        return self._asked

    def _handle(self, *signal_and_frame: object) -> None:
        if self._asked or not self.started:
            raise KeyboardInterrupt
        self._asked = True
        self._run.say_at_once("stopping after this step; Ctrl-C again aborts")


def _paint_refine(
    run: _Run, content: Path, styles: Styles, config: RefineConfig, output: Path, saves: _Saves,
    *, overwrite: bool, resume: bool,
) -> TransferResult:  # fmt: skip
    from stylize import images, pipelines
    from stylize.checkpoint import read_checkpoint, write_checkpoint

    with _Interrupt(run) as interrupt:

        def on_iterate(iterate: Iterate) -> None:
            interrupt.started = True
            run.on_iterate(iterate)
            saves.on_iterate(iterate)

        result = pipelines.refine(
            content, styles, config=config,
            resume_from=read_checkpoint(saves.checkpoint) if resume else None,
            on_iterate=on_iterate, should_stop=interrupt.asked,
            offline=run.offline, on_message=run.say, on_download=run.on_download,
        )  # fmt: skip
        images.write_image(
            output, result.image, result.alpha, recipe=result.recipe, overwrite=overwrite or resume
        )
        if result.checkpoint is not None:
            write_checkpoint(saves.checkpoint, result.checkpoint)
        else:
            saves.checkpoint.unlink(missing_ok=True)
    return result


def _tell(run: _Run, result: TransferResult, output: Path) -> None:
    """Print what was painted; exit 130 if Ctrl-C ended it."""
    height, width = result.image.shape[:2]
    data = {
        "command": result.mode,
        "output": output,
        "width": width,
        "height": height,
        "seconds": result.seconds,
        "stopped": result.stopped,
        "steps": len(result.history),
        "losses": dataclasses.asdict(result.history[-1].losses) if result.history else None,
        "networks": [dataclasses.asdict(network) for network in result.networks],
    }
    for network in result.networks:
        hashes = ", ".join(f"{name} {sha256[:12]}" for name, sha256 in network.sha256.items())
        run.detail(f"used {network.name} ({network.origin}): {hashes}")
    run.detail(f"painted {width} x {height} px in {result.seconds:.1f} s")
    if result.stopped is not None:
        run.say(f"{result.stopped}: {output} is the best so far; the same command with --resume goes on")
    run.result(data, str(output))
    if result.stopped is not None:
        click.get_current_context().exit(_INTERRUPTED)


@main.command()
@_content
@_styles
@click.option(
    "-o", "--output", type=_FILE, metavar="FOLDER",
    help="The folder to write.  [default: beside the content, such as photo-painting-compare]",
)  # fmt: skip
@click.option(
    "--image", "pictures", multiple=True, type=_FILE,
    help="Score this finished picture instead of painting; repeatable.",
)  # fmt: skip
@_refine_options
@_overwrite
@_common
def compare(
    run: _Run, content: Path, styles: Styles, output: Path | None, pictures: Sequence[Path], recipe: str,
    overwrite: bool, **options: Any,
) -> None:  # fmt: skip
    """Paint both ways and show them side by side, with numbers; or score finished pictures.

    The folder receives fast.png, refined.png, sheet.png and metrics.json. With --image, only the numbers are
    printed, unless a folder is named for sheet.png and metrics.json.
    """
    config = _refine_config(recipe, options)
    idle = _given(options).keys() - {"features", "size"}
    if pictures and idle:
        raise OptionError(f"--image: nothing is painted, so that {', '.join(sorted(idle))} would do nothing")
    inputs = _check_inputs(content, styles, config.init, pictures)
    if not pictures:
        output = output or _beside(content, styles, "compare")
    if output is not None:
        _check_folder(output, _files_of_comparison(painted=not pictures), inputs, overwrite=overwrite)
    _compare(run, content, styles, pictures, config, output, overwrite=overwrite)


def _files_of_comparison(*, painted: bool) -> list[str]:
    return [*(["fast.png", "refined.png"] if painted else []), "sheet.png", "metrics.json"]


def _compare(
    run: _Run, content: Path, styles: Styles, pictures: Sequence[Path], config: RefineConfig,
    folder: Path | None, *, overwrite: bool,
) -> None:  # fmt: skip
    from stylize import pipelines

    comparison = pipelines.compare(
        content, styles, images=list(pictures) or None,
        fast_config=FastConfig(network=config.network, size=config.size, keep_colors=config.keep_colors),
        refine_config=config, on_iterate=run.on_iterate,
        offline=run.offline, on_message=run.say, on_download=run.on_download,
    )  # fmt: skip
    metrics = comparison.metrics()
    if folder is None:
        run.result(metrics, _score_table(comparison))
        return
    with _writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
        _write_comparison(comparison, metrics, folder, overwrite=overwrite)
    run.show(_score_table(comparison))
    run.result({"output": folder, **metrics}, str(folder))


def _write_comparison(
    comparison: Comparison, metrics: Mapping[str, Any], folder: Path, *, overwrite: bool
) -> None:
    from stylize import images, report

    recipes = {}
    for name, result in zip(("fast", "refined"), comparison.results, strict=False):
        path = folder / f"{name}.png"
        images.write_image(path, result.image, result.alpha, recipe=result.recipe, overwrite=overwrite)
        recipes[path.name] = result.recipe
    images.write_image(
        folder / "sheet.png", report.contact_sheet(comparison),
        recipe={"command": "compare", "version": __version__, "pictures": recipes}, overwrite=overwrite,
    )  # fmt: skip
    temporary = folder / f".stylize-{secrets.token_hex(8)}.part"
    try:
        temporary.write_text(_json(metrics) + "\n", "utf-8")
        temporary.replace(folder / "metrics.json")
    finally:
        temporary.unlink(missing_ok=True)


def _table(*columns: str, right: Sequence[str] = ()) -> Table:
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    for column in columns:
        table.add_column(column, justify="right" if column in right else "left", overflow="fold")
    return table


def _score_table(comparison: Comparison) -> Table:
    numbers = ("style loss", "content loss", "SSIM", "seconds")
    table = _table("picture", *numbers, "networks", right=numbers)
    for score in comparison.scores:
        seconds = "" if score.seconds is None else f"{score.seconds:.1f}"
        networks = ", ".join(network.name for network in score.networks)
        losses = f"{score.style_loss:.4g}", f"{score.content_loss:.4g}"
        table.add_row(score.label, *losses, f"{score.ssim:.3f}", seconds, networks)
    return table


@main.command()
@click.option(
    "-o", "--output", type=_FILE, metavar="FOLDER", default="stylize-demo", show_default=True,
    help="The folder to write.",
)  # fmt: skip
@click.option("--scene", default="lake", show_default=True, help="Which of the project's own scenes.")
@click.option("--style", default="swirls", show_default=True, help="Which of the project's own styles.")
@click.option("--size", type=int, default=256, show_default=True, help="Long side of the output, px.")
@_overwrite
@_common
def demo(run: _Run, output: Path, scene: str, style: str, size: int, overwrite: bool) -> None:
    """Compare on pictures that come with the package: nothing else is needed."""
    from importlib import resources

    config = RefineConfig().replace(size=size)
    examples = resources.files("stylize.examples")
    with resources.as_file(examples) as folder:
        content, painting = _example(folder, "scene", scene), _example(folder, "style", style)
        names = [content.name, painting.name, *_files_of_comparison(painted=True)]
        _check_folder(output, names, [content, painting], overwrite=overwrite)
        run.say(f"painting {content.stem} in the style of {painting.stem}, {size} px, into {output}")
        _compare(run, content, [(painting, 1.0)], [], config, output, overwrite=overwrite)
        with _writing(output):
            for path in (content, painting):
                shutil.copyfile(path, output / path.name)


def _example(folder: Path, kind: str, name: str) -> Path:
    path = folder / f"{kind}_{name.removeprefix(f'{kind}_').removesuffix('.jpg')}.jpg"
    if not path.exists():
        names = ", ".join(sorted(p.stem.removeprefix(f"{kind}_") for p in folder.glob(f"{kind}_*.jpg")))
        raise OptionError(f"--{kind}: expected one of {names}, received {name}")
    return path


@main.command()
@click.argument("image", type=_FILE)
@_common
def info(run: _Run, image: Path) -> None:
    """Print how a picture was made: the recipe that stylize keeps inside it."""
    recipe = _read_recipe(image)
    leaves = [(name.removeprefix("options."), value) for name, value in _flat(recipe)]
    width = max(len(name) for name, _ in leaves)
    run.result(recipe, "\n".join(f"{name:<{width}}  {value}".rstrip() for name, value in leaves))


def _read_recipe(image: Path) -> dict[str, Any]:
    from stylize import images

    recipe = images.read_recipe(image)
    if recipe is None:
        raise StylizeError(f"{image}: carries no recipe; expected a picture that stylize wrote")
    return recipe


def _flat(value: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    """Yield every leaf of nested JSON with its dotted name; hashes are shortened."""
    if isinstance(value, Mapping) and name.endswith("sha256"):
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


# ----------------------------------------------------------------------------------------------------------
# rerun


@main.command()
@click.argument("image", type=_FILE)
@click.option(
    "-o", "--output", type=_FILE, help="The picture to write.  [default: beside IMAGE, such as out-rerun.png]"
)
@click.option("-c", "--content", type=_FILE, help="Paint this instead of the recorded content.")
@click.option(
    "-s", "--style", "styles", multiple=True, type=_StyleFile(),
    help="Take the style of this instead of the recorded ones.",
)  # fmt: skip
@_resume
@_overwrite
@_common
def rerun(
    run: _Run, image: Path, output: Path | None, content: Path | None, styles: Styles, resume: bool,
    overwrite: bool,
) -> None:  # fmt: skip
    """Paint a picture again, by the recipe inside it.

    The inputs are looked for where they were, then beside the picture, and have to be the same files.
    """
    recipe = _read_recipe(image)
    command = recipe.get("command")
    if command not in ("fast", "refine"):
        raise StylizeError(f"{image}: expected the recipe of fast or refine, received that of {command}")
    try:
        config = _recorded_config(FastConfig if command == "fast" else RefineConfig, recipe)
        content = content or _recorded_input("content", recipe["content"], image)
        styles = styles or [
            (_recorded_input("style", style, image), float(style["weight"])) for style in recipe["styles"]
        ]
        if "init" in recipe:
            config = config.replace(init=str(_recorded_input("init", recipe["init"], image)))
        used = {network["name"]: network["sha256"] for network in recipe["networks"]}
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise StylizeError(f"{image}: its recipe is damaged or of another version ({error!r})") from error
    output = output or image.with_name(f"{image.stem}-rerun{image.suffix}")
    inputs = [image, *_check_inputs(content, styles, getattr(config, "init", "content"))]
    if recipe.get("version") != __version__:
        run.say(f"made by stylize {recipe.get('version')}, this is {__version__}: the picture may differ")
    steps, taken = getattr(config, "steps", None), recipe.get("steps_taken")
    if taken not in (None, steps):
        run.say(f"made in {taken} steps, as it ran out of time or was interrupted: the picture may differ")
    if isinstance(config, FastConfig):
        _check_output(output, inputs, overwrite=overwrite)
        result = _paint_fast(run, content, styles, config, output, overwrite=overwrite)
    else:
        saves = _Saves(output)
        saves.check(overwrite=overwrite, resume=resume)
        _check_output(output, inputs, overwrite=overwrite or resume)
        result = _paint_refine(
            run, content, styles, config, output, saves, overwrite=overwrite, resume=resume
        )
    for network in result.networks:
        if dict(network.sha256) != used.get(network.name):
            run.say(f"{network.name} is not the network that was recorded: the picture may differ")
    _tell(run, result, output)


def _recorded_config(kind: type, recipe: Mapping[str, Any]) -> Any:
    """Return the config that `recipe` records, with the very networks that `auto` stood for."""
    options = dict(recipe["options"])
    for network in recipe["networks"]:
        spec = weights.REGISTRY.get(network["name"])
        field = {"stylizer": "network", "features": "features"}.get(spec.role if spec else "")
        if field in options:
            options[field] = network["name"]
    return _revived(kind, options)


def _revived(kind: type, options: Mapping[str, Any]) -> Any:
    """Return the dataclass whose `asdict` went through JSON; TypeError for a field that it does not have."""
    hints = get_type_hints(kind)
    values = {}
    for name, value in options.items():
        if dataclasses.is_dataclass(hints.get(name)):
            value = _revived(hints[name], value)
        values[name] = _tuples(value)
    return kind(**values)


def _tuples(value: Any) -> Any:
    return tuple(map(_tuples, value)) if isinstance(value, list) else value


def _recorded_input(name: str, record: Mapping[str, Any], image: Path) -> Path:
    """Return the recorded file, where it was or beside the image, unless it is gone or changed."""
    advice = "" if name == "init" else f"; --{name} FILE takes another"
    if record["path"] is None:
        raise StylizeError(f"{image}: its {name} was no file{advice}")
    # The picture may come from a machine with other separators.
    base = PureWindowsPath(record["path"]).name
    places = [Path(record["path"]), image.parent / record["path"], image.parent / base]
    found = [path for path in places if path.is_file()]
    for path in found:
        if hashlib.sha256(path.read_bytes()).hexdigest() == record["sha256"]:
            return path
    if found:
        raise StylizeError(f"{name} {found[0]}: has changed since{advice}")
    raise StylizeError(f"{name} {record['path']}: no such file, nor beside {image}{advice}")


# ----------------------------------------------------------------------------------------------------------
# models


@main.group()
def models() -> None:
    """List, get and check the networks."""


_network = click.argument("name", type=click.Choice(list(weights.REGISTRY)))


@models.command("list")
@_common
def list_models(run: _Run) -> None:
    """List every network: what it is for, whether it is here, its size and licence."""
    entries = weights.status()
    table = _table("name", "role", "state", "origin", "size", "licence", right=["size"])
    for entry in entries:
        origin: str = entry.origin or ""
        if entry.state == "ready" and not entry.published and origin != "embedded":
            origin += ", not the published file"
        size = "" if entry.size_bytes is None else _megabytes(entry.size_bytes)
        table.add_row(entry.name, entry.role, entry.detail or entry.state, origin, size, entry.licence)
    run.result([dataclasses.asdict(entry) for entry in entries], table)


@models.command()
@_network
@_common
def pull(run: _Run, name: str) -> None:
    """Download a network, unless it is here."""
    _tell_weights(run, weights.pull(name, offline=run.offline, on_progress=run.on_download))


@models.command()
@_network
@click.argument("paths", nargs=-1, required=True, metavar="PATH...", type=_FILE)
@_common
def add(run: _Run, name: str, paths: Sequence[Path]) -> None:
    """Take a network from a file, a folder or several files."""
    local = weights.add(name, paths)
    if not local.published:
        run.say(f"{name}: not the published file; its hash is recorded")
    _tell_weights(run, local)


@models.command()
@click.argument("name", required=False, type=click.Choice(list(weights.REGISTRY)))
@_common
def verify(run: _Run, name: str | None) -> None:
    """Hash the files of one network, or of all that are here, anew."""
    names = [name] if name else [entry.name for entry in weights.status() if entry.state != "absent"]
    checks = [(name, *check) for name in names for check in weights.verify(name)]
    run.result(
        [dict(zip(("name", "file", "ok", "detail"), check, strict=True)) for check in checks],
        "\n".join(f"{name}/{file}: {'ok' if ok else 'damaged'} ({note})" for name, file, ok, note in checks),
    )
    damaged = dict.fromkeys(name for name, _, ok, _ in checks if not ok)
    if damaged:
        raise StylizeError(f"damaged: {', '.join(damaged)}; `stylize models remove NAME`, then get it anew")


@models.command()
@_network
@_common
def path(run: _Run, name: str) -> None:
    """Print where a network's file, or the folder of its files, is."""
    local = weights.find(name)
    if local is None:
        raise StylizeError(f"{name}: not on this machine; `stylize models pull {name}` gets it")
    _tell_weights(run, local)


@models.command()
@_network
@_common
def remove(run: _Run, name: str) -> None:
    """Delete a network's files."""
    weights.remove(name)
    run.result({"name": name, "removed": True}, f"removed {name}")


def _tell_weights(run: _Run, local: weights.LocalWeights) -> None:
    place = local.files[0] if len(local.files) == 1 else local.folder
    data = {name: getattr(local, name) for name in ("name", "origin", "published", "files", "sha256")}
    run.result({**data, "path": place}, str(place))
