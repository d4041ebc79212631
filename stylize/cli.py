"""The command line: commands, files, exit codes. What a picture needs is imported inside the commands.

Exit codes: 0; 1 with one line for what the user can mend (StylizeError); 2 for misuse, before any work; 130
after Ctrl-C. Any other exception keeps its traceback. Results go to stdout, everything else to stderr.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import glob
import hashlib
import os
import secrets
import shutil
import signal
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path, PureWindowsPath
from typing import TYPE_CHECKING, Any

import click

from stylize import weights
from stylize._version import __version__
from stylize.config import RECIPES, FastConfig, RefineConfig, config_from_dict
from stylize.console import Run, json_text, megabytes, table
from stylize.errors import OptionError, StylizeError
from stylize.options import (
    FILE,
    StyleFile,
    Styles,
    common_options,
    content_option,
    fast_options,
    given,
    output_option,
    overwrite_option,
    refine_config_of,
    refine_options,
    resume_option,
    styles_option,
)

if TYPE_CHECKING:
    from rich.table import Table

    from stylize.optimization import Iterate
    from stylize.pipelines import Comparison, TransferResult

__all__ = ["main"]

_INTERRUPTED = 130  # 128 + SIGINT, as shells have it


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


def _common(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options that all share; it receives the `Run` that they describe."""

    @common_options
    @functools.wraps(command)
    def with_run(*, as_json: bool, progress: str, quiet: bool, verbose: bool, offline: bool, **options: Any) -> None:
        run = Run(as_json=as_json, progress=progress, quiet=quiet, verbose=verbose, offline=offline)
        with contextlib.closing(run):
            command(run, **options)

    return with_run


@click.group(cls=_Program, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="stylize")
def main() -> None:
    """Paint a photograph in the style of a picture.

    `fast` gives a preview at once, `refine` a high quality picture, `compare` both side by side with numbers.
    """


# --------------------------------------------------------------------------------------------------------------------
# Before any work


def _check_inputs(content: Path, styles: Styles, init: str = "content", pictures: Sequence[Path] = ()) -> list[Path]:
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


def _check_folder(folder: Path, names: Sequence[str], inputs: Sequence[Path], *, overwrite: bool) -> None:
    """As `_check_output`, for files in a folder that may not be there yet."""
    if folder.exists() and not folder.is_dir():
        raise StylizeError(f"output {folder}: expected a folder, received a file")
    for name in names:
        _check_free(folder / name, inputs, overwrite=overwrite)
    parent = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    if not os.access(parent, os.W_OK | os.X_OK):
        raise StylizeError(f"output {folder}: no permission to write in {parent}")


def _check_free(output: Path, inputs: Sequence[Path], *, overwrite: bool) -> None:
    if not output.exists():
        return
    if any(output.samefile(path) for path in inputs):
        raise OptionError(f"output {output}: expected another file than the input")
    if not overwrite:
        raise StylizeError(f"output {output}: is there already; choose another with -o, or use --overwrite")


def _beside(content: Path, styles: Styles, ending: str) -> Path:
    """Return the default output: `photo-painting-fast.png` beside the content."""
    names = "+".join(path.stem for path, _ in styles)
    return content.parent / f"{content.stem}-{names}-{ending}"


# --------------------------------------------------------------------------------------------------------------------
# fast, refine


@main.command()
@content_option
@styles_option
@output_option
@fast_options
@overwrite_option
@_common
def fast(run: Run, content: Path, styles: Styles, output: Path | None, overwrite: bool, **options: Any) -> None:
    """Paint at once, by a feed-forward network."""
    config = FastConfig(**given(options))
    output = output or _beside(content, styles, "fast.png")
    painting = _Painting(content, styles, config, output, overwrite=overwrite)
    painting.check()
    _tell(run, painting.paint(run), output)


@main.command(epilog="\n\n".join(f"Recipe {name}: {recipe.description}" for name, recipe in RECIPES.items()))
@content_option
@styles_option
@output_option
@refine_options
@click.option(
    "--save-every", type=click.IntRange(min=1), metavar="N",
    help="Every N steps, write the picture so far and a checkpoint beside the output.",
)  # fmt: skip
@resume_option
@overwrite_option
@_common
def refine(
    run: Run, content: Path, styles: Styles, output: Path | None, recipe: str, save_every: int | None,
    resume: bool, overwrite: bool, **options: Any,
) -> None:  # fmt: skip
    """Paint well, by Gatys' optimisation of the pixels under a feature network.

    Ctrl-C ends early and keeps the best picture so far; --resume goes on from there.
    """
    config = refine_config_of(recipe, options)
    output = output or _beside(content, styles, "refine.png")
    painting = _Painting(content, styles, config, output, overwrite=overwrite, resume=resume, save_every=save_every)
    painting.check()
    _tell(run, painting.paint(run), output)


@dataclasses.dataclass(frozen=True)
class _Painting:
    """One picture to paint, by `fast` or `refine` as the config is of one or the other.

    Beside its output, an interrupted refinement leaves a checkpoint; with `save_every`, pictures and
    checkpoints on the way, too.
    """

    content: Path
    styles: Styles
    config: FastConfig | RefineConfig
    output: Path
    _: dataclasses.KW_ONLY
    overwrite: bool
    resume: bool = False
    save_every: int | None = None

    @property
    def checkpoint(self) -> Path:
        return self.output.with_name(f"{self.output.name}.checkpoint.npz")

    def check(self, *read: Path) -> None:
        """Raise StylizeError unless all can be read and written; `read` are more files to keep as they are."""
        inputs = _check_inputs(self.content, self.styles, getattr(self.config, "init", "content"))
        if isinstance(self.config, RefineConfig):
            self._check_traces()
        _check_output(self.output, [*read, *inputs], overwrite=self.overwrite or self.resume)

    def _check_traces(self) -> None:
        """Raise StylizeError if files of an earlier run are in the way, or not there to go on from."""
        if self.resume:
            if not self.checkpoint.exists():
                raise StylizeError(f"--resume: no checkpoint {self.checkpoint}; start without --resume")
            return
        in_the_way = [self.checkpoint] if self.checkpoint.exists() else []
        if self.save_every:
            stem, suffix = glob.escape(self.output.stem), self.output.suffix
            in_the_way += sorted(self.output.parent.glob(f"{stem}-step-*{suffix}"))
        if in_the_way and not self.overwrite:
            advice = "--resume goes on from it, " if self.checkpoint in in_the_way else ""
            raise StylizeError(f"{in_the_way[0]}: left by an earlier run; {advice}--overwrite starts anew")

    def paint(self, run: Run) -> TransferResult:
        """Paint the picture and write it, its recipe inside."""
        from stylize import pipelines

        if isinstance(self.config, FastConfig):
            result = pipelines.fast(self.content, self.styles, config=self.config, **run.surroundings)
            self._write(run, result)
            return result

        from stylize.checkpoint import read_checkpoint, write_checkpoint

        with _Interrupt(run) as interrupt:

            def on_iterate(iterate: Iterate) -> None:
                interrupt.started = True
                run.on_iterate(iterate)
                if self.save_every and iterate.step % self.save_every == 0:
                    self._save(run, iterate)

            result = pipelines.refine(
                self.content, self.styles, config=self.config,
                resume_from=read_checkpoint(self.checkpoint) if self.resume else None,
                on_iterate=on_iterate, should_stop=interrupt.asked, **run.surroundings,
            )  # fmt: skip
            self._write(run, result)
            if result.checkpoint is not None:
                write_checkpoint(self.checkpoint, result.checkpoint)
            else:
                self.checkpoint.unlink(missing_ok=True)
        return result

    def _write(self, run: Run, result: TransferResult) -> None:
        if result.alpha is not None and self.output.suffix.lower() in (".jpg", ".jpeg"):
            run.say("JPEG has no transparency: white stands behind the picture")
        result.save(self.output, overwrite=self.overwrite or self.resume)

    def _save(self, run: Run, iterate: Iterate) -> None:
        from stylize.checkpoint import write_checkpoint
        from stylize.images import resized, write_image

        checkpoint = iterate.checkpoint()
        recipe = {**checkpoint.context["recipe"], "steps_taken": iterate.step}
        picture = self.output.with_name(f"{self.output.stem}-step-{iterate.step:04d}{self.output.suffix}")
        try:
            write_image(picture, resized(iterate.pixels, *checkpoint.context["size"]), recipe=recipe, overwrite=True)
            write_checkpoint(self.checkpoint, checkpoint)
        except StylizeError as error:
            # A full disk now is no reason to lose the picture that is still to come.
            run.say(f"step {iterate.step} is not kept: {error}")


class _Interrupt:
    """Ctrl-C during an optimisation: the first ends it after the step at hand, the second aborts.

    Before the first step there is no picture to keep, so that the first aborts, too.
    """

    def __init__(self, run: Run) -> None:
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


def _tell(run: Run, result: TransferResult, output: Path) -> None:
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


# --------------------------------------------------------------------------------------------------------------------
# compare, demo


@main.command()
@content_option
@styles_option
@click.option(
    "-o", "--output", type=FILE, metavar="FOLDER",
    help="The folder to write.  [default: beside the content, such as photo-painting-compare]",
)  # fmt: skip
@click.option(
    "--image", "pictures", multiple=True, type=FILE,
    help="Score this finished picture instead of painting; repeatable.",
)  # fmt: skip
@refine_options
@overwrite_option
@_common
def compare(
    run: Run, content: Path, styles: Styles, output: Path | None, pictures: Sequence[Path], recipe: str,
    overwrite: bool, **options: Any,
) -> None:  # fmt: skip
    """Paint both ways and show them side by side, with numbers; or score finished pictures.

    The folder receives fast.png, refined.png, sheet.png and metrics.json. With --image, only the numbers are
    printed, unless a folder is named for sheet.png and metrics.json.
    """
    config = refine_config_of(recipe, options)
    idle = given(options).keys() - {"features", "size"}
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
    run: Run, content: Path, styles: Styles, pictures: Sequence[Path], config: RefineConfig,
    folder: Path | None, *, overwrite: bool,
) -> None:  # fmt: skip
    from stylize import pipelines

    comparison = pipelines.compare(
        content, styles, images=list(pictures) or None,
        fast_config=FastConfig(network=config.network, size=config.size, keep_colors=config.keep_colors),
        refine_config=config, on_iterate=run.on_iterate, **run.surroundings,
    )  # fmt: skip
    metrics = comparison.metrics()
    if folder is None:
        run.result(metrics, _score_table(comparison))
        return
    with _writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
        try:
            _write_comparison(comparison, metrics, folder, overwrite=overwrite)
        except BaseException:
            with contextlib.suppress(OSError):
                folder.rmdir()  # only if nothing is in it
            raise
    run.show(_score_table(comparison))
    run.result({"output": folder, **metrics}, str(folder))


def _write_comparison(comparison: Comparison, metrics: Mapping[str, Any], folder: Path, *, overwrite: bool) -> None:
    from stylize import images, report

    recipes = {}
    for name, result in zip(("fast", "refined"), comparison.results, strict=False):
        path = folder / f"{name}.png"
        result.save(path, overwrite=overwrite)
        recipes[path.name] = result.recipe
    images.write_image(
        folder / "sheet.png", report.contact_sheet(comparison),
        recipe={"command": "compare", "version": __version__, "pictures": recipes}, overwrite=overwrite,
    )  # fmt: skip
    temporary = folder / f".stylize-{secrets.token_hex(8)}.part"
    try:
        temporary.write_text(json_text(metrics) + "\n", "utf-8")
        temporary.replace(folder / "metrics.json")
    finally:
        temporary.unlink(missing_ok=True)


@contextlib.contextmanager
def _writing(output: Path) -> Iterator[None]:
    """Turn what the system refuses (disk full) into one line."""
    try:
        yield
    except OSError as error:
        raise StylizeError(f"output {output}: could not be written: {error.strerror or error}") from error


def _score_table(comparison: Comparison) -> Table:
    numbers = ("style loss", "content loss", "SSIM", "seconds")
    scores = table("picture", *numbers, "networks", right=numbers)
    for score in comparison.scores:
        seconds = "" if score.seconds is None else f"{score.seconds:.1f}"
        networks = ", ".join(network.name for network in score.networks)
        losses = f"{score.style_loss:.4g}", f"{score.content_loss:.4g}"
        scores.add_row(score.label, *losses, f"{score.ssim:.3f}", seconds, networks)
    return scores


@main.command()
@click.option(
    "-o", "--output", type=FILE, metavar="FOLDER", default="stylize-demo", show_default=True,
    help="The folder to write.",
)  # fmt: skip
@click.option("--scene", default="lake", show_default=True, help="Which of the project's own scenes.")
@click.option("--style", default="swirls", show_default=True, help="Which of the project's own styles.")
@click.option("--size", type=int, default=256, show_default=True, help="Long side of the output, px.")
@click.option("--steps", type=int, help="Fewer are quicker.  [default: as refine]")
@overwrite_option
@_common
def demo(run: Run, output: Path, scene: str, style: str, size: int, steps: int | None, overwrite: bool) -> None:
    """Compare on pictures that come with the package: nothing else is needed, and nothing is downloaded."""
    from importlib import resources

    run.offline = True
    config = RefineConfig().replace(**given({"size": size, "steps": steps}))
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


# --------------------------------------------------------------------------------------------------------------------
# info, rerun


@main.command()
@click.argument("image", type=FILE)
@_common
def info(run: Run, image: Path) -> None:
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


@main.command()
@click.argument("image", type=FILE)
@click.option("-o", "--output", type=FILE, help="The picture to write.  [default: beside IMAGE, such as out-rerun.png]")
@click.option("-c", "--content", type=FILE, help="Paint this instead of the recorded content.")
@click.option(
    "-s", "--style", "styles", multiple=True, type=StyleFile(),
    help="Take the style of this instead of the recorded ones.",
)  # fmt: skip
@resume_option
@overwrite_option
@_common
def rerun(
    run: Run, image: Path, output: Path | None, content: Path | None, styles: Styles, resume: bool,
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
        content = content or _recorded_input("content", recipe["content"], image)
        styles = styles or [
            (_recorded_input("style", style, image), float(style["weight"])) for style in recipe["styles"]
        ]
        config = _recorded_config(recipe, image)
        used = {network["name"]: network["sha256"] for network in recipe["networks"]}
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise StylizeError(f"{image}: its recipe is damaged or of another version ({error!r})") from error
    output = output or image.with_name(f"{image.stem}-rerun{image.suffix}")
    resume = resume and command == "refine"
    painting = _Painting(content, styles, config, output, overwrite=overwrite, resume=resume)
    painting.check(image)
    if recipe.get("version") != __version__:
        run.say(f"made by stylize {recipe.get('version')}, this is {__version__}: the picture may differ")
    taken = recipe.get("steps_taken")
    if taken not in (None, getattr(config, "steps", None)):
        run.say(f"made in {taken} steps, as it ran out of time or was interrupted: the picture may differ")
    result = painting.paint(run)
    for network in result.networks:
        if dict(network.sha256) != used.get(network.name):
            run.say(f"{network.name} is not the network that was recorded: the picture may differ")
    _tell(run, result, output)


def _recorded_config(recipe: Mapping[str, Any], image: Path) -> FastConfig | RefineConfig:
    """Return the config that `recipe` records, with the very networks that `auto` stood for."""
    options = dict(recipe["options"])
    fields = {"stylizer": "network", "features": "features"}
    for network in recipe["networks"]:
        spec = weights.REGISTRY.get(network["name"])
        if spec is not None and fields[spec.role] in options:
            options[fields[spec.role]] = spec.name
    if "init" in recipe:
        options["init"] = str(_recorded_input("init", recipe["init"], image))
    if recipe["command"] == "fast":
        return config_from_dict(FastConfig, options)
    return config_from_dict(RefineConfig, options)


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


# --------------------------------------------------------------------------------------------------------------------
# models


@main.group()
def models() -> None:
    """List, get and check the networks."""


_network = click.argument("name", type=click.Choice(list(weights.REGISTRY)))


@models.command("list")
@_common
def list_models(run: Run) -> None:
    """List every network: what it is for, whether it is here, its size and licence."""
    entries = weights.status()
    rows = table("name", "role", "state", "origin", "size", "licence", right=["size"])
    for entry in entries:
        origin: str = entry.origin or ""
        if entry.state == "ready" and not entry.published and origin != "embedded":
            origin += ", not the published file"
        size = "" if entry.size_bytes is None else megabytes(entry.size_bytes)
        rows.add_row(entry.name, entry.role, entry.state, origin, size, entry.licence)
        if entry.detail:
            run.say(f"{entry.name}: {entry.detail}")
    run.result([dataclasses.asdict(entry) for entry in entries], rows)


@models.command()
@_network
@_common
def pull(run: Run, name: str) -> None:
    """Download a network, unless it is here."""
    _tell_weights(run, weights.pull(name, offline=run.offline, on_progress=run.on_download))


@models.command()
@_network
@click.argument("paths", nargs=-1, required=True, metavar="PATH...", type=FILE)
@_common
def add(run: Run, name: str, paths: Sequence[Path]) -> None:
    """Take a network from a file, a folder or several files."""
    local = weights.add(name, paths)
    if not local.published:
        run.say(f"{name}: not the published file; its hash is recorded")
    _tell_weights(run, local)


@models.command()
@click.argument("name", required=False, type=click.Choice(list(weights.REGISTRY)))
@_common
def verify(run: Run, name: str | None) -> None:
    """Hash the files of one network, or of all that are here, anew."""
    names = [name] if name else [entry.name for entry in weights.status() if entry.state != "absent"]
    checks = [(name, *check) for name in names for check in weights.verify(name)]
    run.result(
        [dict(zip(("name", "file", "ok", "detail"), check, strict=True)) for check in checks],
        "\n".join(f"{name}/{file}: {'ok' if ok else 'damaged'} ({note})" for name, file, ok, note in checks),
    )
    damaged = dict.fromkeys(name for name, _, ok, _ in checks if not ok)
    if damaged:
        advice = ", ".join(f"`stylize models remove {name}`" for name in damaged)
        raise StylizeError(f"damaged: {', '.join(damaged)}; {advice}, then get it anew")


@models.command()
@_network
@_common
def path(run: Run, name: str) -> None:
    """Print where a network's file, or the folder of its files, is."""
    local = weights.find(name)
    if local is None:
        raise StylizeError(
            f"{name}: not on this machine; `stylize models pull {name}` downloads it, `stylize models add {name} PATH` "
            "takes a copy that you have"
        )
    _tell_weights(run, local)


@models.command()
@_network
@_common
def remove(run: Run, name: str) -> None:
    """Delete a network's files."""
    weights.remove(name)
    run.result({"name": name, "removed": True}, f"removed {name}")


def _tell_weights(run: Run, local: weights.LocalWeights) -> None:
    place = local.files[0] if len(local.files) == 1 else local.folder
    data = {name: getattr(local, name) for name in ("name", "origin", "published", "files", "sha256")}
    run.result({**data, "path": place}, str(place))
