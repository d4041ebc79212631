"""Networks' files on this machine: find, check, add, remove."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any, Literal
from urllib.parse import urlsplit

from stylize._version import __version__
from stylize.errors import WeightsError
from stylize.networks.registry import REGISTRY, Role, WeightsFile, WeightsSpec

__all__ = [
    "Conversion",
    "LocalWeights",
    "WeightsStatus",
    "add",
    "conversion",
    "find",
    "home",
    "keep_conversion",
    "pull",
    "remove",
    "resolve",
    "resolve_auto",
    "status",
    "verify",
]

Origin = Literal["embedded", "added", "downloaded"]

State = Literal["ready", "absent", "damaged"]

OnProgress = Callable[[str, int, "int | None"], None]

_LOCK_STALL_S = 60.0

_FAILURE_MEMORY_S = 3600.0

_RECORD = "record.json"

_CONVERTED = "converted.tflite"

_CONVERSION_RECORD = "conversion.json"

_VGG19_BLOCKS = ((2, 64), (2, 128), (4, 256), (4, 512), (4, 512))

# Only these are copied from a SavedModel's folder, which may be somebody's whole download folder.
_SAVED_MODEL_PARTS = ("saved_model.pb", "variables", "assets", "fingerprint.pb", "tfhub_module.pb")


@dataclass(frozen=True)
class LocalWeights:
    """A network's files on this machine.

    `files` are in the order of the specification (of a SavedModel: sorted), `sha256` maps each path relative
    to `folder` to lower-case hex. `published` says that every file has its published hash or, where none is
    published, that it came from the published address.
    """

    name: str
    folder: Path
    files: tuple[Path, ...]
    sha256: Mapping[str, str] = field(hash=False)
    origin: Origin
    published: bool


@dataclass(frozen=True)
class Conversion:
    """What became of a SavedModel's conversion to LiteRT: a file, or None where it failed, and what was found."""

    path: Path | None
    detail: str


@dataclass(frozen=True)
class WeightsStatus:
    """One line of `stylize models list`.

    `size_bytes` is the size on disk, of absent weights that of the download, None if unknown; `detail` says
    what is wrong with damaged weights, `serves_as` which form of a SavedModel is run, and why.
    """

    name: str
    role: Role
    state: State
    origin: Origin | None
    size_bytes: int | None
    licence: str
    published: bool
    detail: str = ""
    serves_as: str = ""


def home() -> Path:
    """Return the folder of all that is kept: $STYLIZE_HOME or the user's cache, made by the first write."""
    if chosen := os.environ.get("STYLIZE_HOME"):
        return Path(chosen).expanduser().absolute()
    from platformdirs import user_cache_path

    return user_cache_path("stylize")


def find(name: str) -> LocalWeights | None:
    """Return the weights called `name` if they are on this machine and whole, else None, without a network.

    Compares sizes and times with the record and hashes only a file whose time differs. Raises WeightsError
    for an unknown name.
    """
    spec = _spec(name)
    try:
        return _inspect(spec)
    except WeightsError:
        return None


def pull(name: str, *, offline: bool = False, on_progress: OnProgress | None = None) -> LocalWeights:
    """Download the weights called `name`, unless they are here and whole, and return them.

    `on_progress` hears the file's name, the bytes so far and the bytes in all, None if unknown; while another
    process downloads, it hears the network's name and that process's bytes. Raises WeightsError if the
    weights can't be had or stored, always when `offline` or with STYLIZE_OFFLINE=1.
    """
    spec = _spec(name)
    if (found := find(name)) is not None:
        return found
    _refuse_embedded(spec)
    try:
        return _download(spec, offline, on_progress, automatic=False)
    except WeightsError as error:
        raise _error(f"{name}: {error}; {_advice(spec)}") from error


def resolve(name: str, *, offline: bool = False, on_progress: OnProgress | None = None) -> LocalWeights:
    """Return the weights that the user named, downloading them if need be.

    Raises WeightsError, which says what to do, if they can't be had, and if the copy here is damaged: a copy
    that the user added is not replaced unasked. See `pull` for `offline` and `on_progress`.
    """
    spec = _spec(name)
    try:
        found = _inspect(spec)
    except WeightsError as error:
        raise _error(f"{name}: the copy here is damaged: {error}; {_advice(spec)}") from error
    return found or pull(name, offline=offline, on_progress=on_progress)


def resolve_auto(
    role: Role,
    *,
    offline: bool = False,
    on_progress: OnProgress | None = None,
    on_message: Callable[[str], None] | None = None,
) -> LocalWeights:
    """Return the best weights for `role`: what is here, else a download, else what is embedded.

    `on_message` hears one line, unless the preferred network is used and nothing was wrong with it: what is
    used, why, and the command that gets the other. A download that failed is not tried again for an hour, so
    that a user without a network does not wait on every run. Raises WeightsError if there is nothing at all.
    """
    specs = [spec for spec in REGISTRY.values() if spec.role == role]
    preferred = specs[0]
    chosen, trouble = None, []
    for spec in specs:
        if chosen is None and not spec.embedded:
            try:
                chosen = _inspect(spec)
            except WeightsError as error:
                trouble.append(f"the copy of {spec.name} here is damaged: {error}")
    if chosen is None and not preferred.embedded:
        try:
            chosen = _download(preferred, offline, on_progress, automatic=True)
        except WeightsError as error:
            trouble.append(f"{preferred.name} can't be had: {error}")
    if chosen is None:
        chosen = next((found for spec in specs if spec.embedded and (found := find(spec.name))), None)
    why = "; ".join(trouble)
    if chosen is None:
        raise _error(f"no {role} network is available: {why or 'none is embedded'}; {_advice(preferred)}")
    if on_message is not None and (chosen.name != preferred.name or trouble):
        line = f"using {chosen.name} ({chosen.origin}) as the {role} network" + (f": {why}" if why else "")
        if chosen.name != preferred.name:
            line += f"; `stylize models pull {preferred.name}` gets {preferred.name}, the pretrained one"
        on_message(" ".join(line.split()))
    return chosen


def add(name: str, paths: str | os.PathLike[str] | Sequence[str | os.PathLike[str]]) -> LocalWeights:
    """Copy local files into `home()` as the weights called `name`, in place of any that are there.

    `paths` is a file, a folder that holds the files, or several files; for a SavedModel its folder or its
    tar.gz. A file is recognised by its published hash, else by its name; its contents are checked, VGG-19's
    down to every kernel's shape. Others than the published are accepted, with `LocalWeights.published` False.
    Raises WeightsError if a file is missing, ambiguous or wrong, or can't be copied.
    """
    spec = _spec(name)
    _refuse_embedded(spec)
    given = [Path(path) for path in ([paths] if isinstance(paths, (str, os.PathLike)) else paths)]
    try:
        if missing := [path for path in given if not path.exists()]:
            raise _error(f"{missing[0]} does not exist")
        with _staging(spec) as staging:
            content = staging / "content"
            if spec.archive:
                published = _copy_saved_model(spec, given, content)
            else:
                published = True
                for file, path in _recognise(spec, given).items():
                    shutil.copyfile(path, content / file.filename)
                    published &= _is_published(file, content / file.filename)
            _check(spec, content)
            return _install(spec, staging, "added", published)
    except WeightsError as error:
        raise _error(f"{name}: {error}") from error


def verify(name: str) -> list[tuple[str, bool, str]]:
    """Hash every file of the weights called `name` anew: (file's name, whether it is right, what was found).

    Compares with the published SHA-256 if the record claims it, else with the record. Raises WeightsError if
    the weights are not on this machine, or their record is unreadable.
    """
    spec = _spec(name)
    try:
        if (record := _record(spec)) is None:
            raise _error("not in this installation" if spec.embedded else "not on this machine")
    except WeightsError as error:
        raise _error(f"{name}: {error}; {_advice(spec)}") from error
    expected = {filename: entry["sha256"] for filename, entry in record["files"].items()}
    published = record["published"]
    if published or spec.embedded:
        expected.update({f.filename: f.sha256 for f in spec.files if f.sha256 and f.filename in expected})
    good = "as recorded" if published else "as recorded; not the published file"
    results = []
    for filename, sha256 in expected.items():
        try:
            ok = (found_sha256 := _hash(_folder(spec) / filename)) == sha256
            detail = good if ok else f"SHA-256 is {found_sha256}, expected {sha256}"
        except OSError as error:
            ok, detail = False, error.strerror or str(error)
        results.append((filename, ok, detail))
    return results


def remove(name: str) -> None:
    """Delete the weights called `name`, whole or damaged. Raises WeightsError if there are none."""
    spec = _spec(name)
    _refuse_embedded(spec)
    if not _folder(spec).exists():
        raise _error(f"{name}: not on this machine, nothing to remove")
    with _staging(spec) as staging, contextlib.suppress(FileNotFoundError):
        os.replace(_folder(spec), staging / "old")


def status() -> list[WeightsStatus]:
    """Return one entry for every network of the registry, in its order; never uses the network."""
    entries = []
    for spec in REGISTRY.values():
        found, detail = None, ""
        try:
            found = _inspect(spec)
        except WeightsError as error:
            detail = str(error)
        state: State = "ready" if found else "damaged" if detail else "absent"
        origin, published = (found.origin, found.published) if found else (None, False)
        size = sum(path.stat().st_size for path in found.files) if found else _download_bytes(spec)
        serves_as = _serves_as(found) if found and spec.archive else ""
        entries.append(
            WeightsStatus(spec.name, spec.role, state, origin, size, spec.licence, published, detail, serves_as)
        )
    return entries


def conversion(found: LocalWeights) -> Conversion | None:
    """Return what became of these weights' conversion to LiteRT, None if it was not tried, or its file is damaged."""
    try:
        record = json.loads((found.folder / _CONVERSION_RECORD).read_text("utf-8"))
        if record["of"] != dict(found.sha256) or record["version"] != __version__:
            return None
        if (entry := record["file"]) is None:
            return Conversion(None, str(record["detail"]))
        path = found.folder / _CONVERTED
        about = path.stat()
        if about.st_size != entry["size_bytes"]:
            return None
        if about.st_mtime_ns != entry["mtime_ns"] and _hash(path) != entry["sha256"]:
            return None
        return Conversion(path, str(record["detail"]))
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        return None


def keep_conversion(found: LocalWeights, convert: Callable[[], tuple[bytes | None, str]]) -> Conversion:
    """Convert, unless another process did meanwhile, and keep the file, or the reason for none, beside the weights.

    `convert` returns the LiteRT file's bytes, or None, and what was found. What is cut short leaves nothing. Raises
    WeightsError if nothing can be kept.
    """
    with _staging(_spec(found.name)) as staging:
        if (kept := conversion(found)) is not None:
            return kept
        data, detail = convert()
        file = None
        if data is not None:
            (staging / _CONVERTED).write_bytes(data)
            file = _entry(staging / _CONVERTED)
            os.replace(staging / _CONVERTED, found.folder / _CONVERTED)
        record = {"of": dict(found.sha256), "version": __version__, "detail": detail, "file": file}
        # The record last: without one, the file does not count.
        (staging / _CONVERSION_RECORD).write_text(json.dumps(record, indent=1), "utf-8")
        os.replace(staging / _CONVERSION_RECORD, found.folder / _CONVERSION_RECORD)
    return Conversion(None if data is None else found.folder / _CONVERTED, detail)


def _serves_as(found: LocalWeights) -> str:
    kept = conversion(found)
    if kept is None:
        return "SavedModel (not converted to LiteRT yet: its first use does it)"
    return f"{'SavedModel' if kept.path is None else 'LiteRT'} ({kept.detail})"


def _error(text: str) -> WeightsError:
    return WeightsError(" ".join(text.split()))


def _spec(name: str) -> WeightsSpec:
    if name not in REGISTRY:
        raise _error(f"no network is called {name!r}; expected one of {', '.join(REGISTRY)}")
    return REGISTRY[name]


def _refuse_embedded(spec: WeightsSpec) -> None:
    if spec.embedded:
        here = "it is there" if find(spec.name) else "it is not in this installation"
        raise _error(f"{spec.name}: comes inside the package ({here}); it is never pulled, added or removed")


def _advice(spec: WeightsSpec) -> str:
    if spec.embedded:
        return "install a release of stylize that contains it, or choose another network"
    return (
        f"`stylize models pull {spec.name}` downloads it, "
        f"`stylize models add {spec.name} PATH` takes a copy that you have"
    )


def _download_bytes(spec: WeightsSpec) -> int | None:
    sizes = [file.size_bytes for file in spec.files]
    return None if None in sizes else sum(size or 0 for size in sizes)


def _hash(path: Path, algorithm: str = "sha256") -> str:
    digest = hashlib.new(algorithm, usedforsecurity=False)
    with path.open("rb") as file:
        while chunk := file.read(1 << 18):
            digest.update(chunk)
    return digest.hexdigest()


def _is_published(file: WeightsFile, path: Path) -> bool:
    """Compare with the published hash; False if there is none."""
    if file.sha256:
        return _hash(path) == file.sha256
    return file.md5 is not None and _hash(path, "md5") == file.md5


def _folder(spec: WeightsSpec) -> Path:
    return _embedded_folder() if spec.embedded else home() / "models" / spec.name


def _embedded_folder() -> Path:
    import importlib.resources

    try:
        return Path(str(importlib.resources.files("stylize.models")))
    except ModuleNotFoundError:
        return Path(__file__).with_name("models")  # where it would be


def _entry(path: Path) -> dict[str, Any]:
    found = path.stat()
    return {"sha256": _hash(path), "size_bytes": found.st_size, "mtime_ns": found.st_mtime_ns}


def _record(spec: WeightsSpec) -> dict[str, Any] | None:
    """Return the record of the weights here, None if absent. Raises WeightsError if it can't be read."""
    folder = _folder(spec)
    if spec.embedded:
        if not all((folder / file.filename).is_file() for file in spec.files):
            return None
        files = {file.filename: _entry(folder / file.filename) for file in spec.files}
        published = all(file.sha256 in (None, files[file.filename]["sha256"]) for file in spec.files)
        return {"origin": "embedded", "published": published, "files": files}
    path = folder / _RECORD
    try:
        record = json.loads(path.read_text("utf-8"))
        for entry in record["files"].values():
            entry["size_bytes"], entry["mtime_ns"], entry["sha256"]
        record["origin"], record["published"]
    except (FileNotFoundError, NotADirectoryError):
        if not folder.exists():
            return None
        raise _error(f"{path} is missing") from None
    except (OSError, ValueError, LookupError, TypeError, AttributeError) as error:
        raise _error(f"{path} can't be read ({type(error).__name__})") from error
    return record


def _inspect(spec: WeightsSpec) -> LocalWeights | None:
    """Return the weights on this machine, None if absent. Raises WeightsError if damaged."""
    if (record := _record(spec)) is None:
        return None
    files = {_folder(spec) / filename: entry for filename, entry in record["files"].items()}
    for path, entry in files.items():
        try:
            found = path.stat()
            if found.st_size != entry["size_bytes"]:
                raise _error(f"{path} has {found.st_size} bytes, expected {entry['size_bytes']}")
            # A copied home has new times and the same contents.
            if found.st_mtime_ns != entry["mtime_ns"] and _hash(path) != entry["sha256"]:
                raise _error(f"{path} has changed since it was {record['origin']}")
        except OSError as error:
            raise _error(f"{path}: {error.strerror or error}") from error
    sha256 = {filename: entry["sha256"] for filename, entry in record["files"].items()}
    return LocalWeights(spec.name, _folder(spec), tuple(files), sha256, record["origin"], record["published"])


@contextlib.contextmanager
def _staging(spec: WeightsSpec, on_progress: OnProgress | None = None) -> Iterator[Path]:
    """Hold the network's lock and yield a folder beside the target that holds an empty `content`.

    The folder is deleted at the end. Its name is fixed, so that the next holder of the lock clears what a
    killed process left, and a waiting process sees how far the holder is. The lock is the system's, released
    when its holder dies.
    """
    from filelock import FileLock

    models = home() / "models"
    staging = models / f".{spec.name}.part"
    try:
        models.mkdir(parents=True, exist_ok=True)
        lock = FileLock(models / f".{spec.name}.lock")
        _acquire(lock, spec, staging, on_progress)
        try:
            shutil.rmtree(staging, ignore_errors=True)
            (staging / "content").mkdir(parents=True)
            yield staging
        finally:
            shutil.rmtree(staging, ignore_errors=True)
            lock.release()
    except (OSError, NotImplementedError) as error:
        what = getattr(error, "strerror", None) or error
        where = getattr(error, "filename", None) or models
        raise _error(
            f"can't store {spec.name} in {models}: {what} ({where}); make room there, "
            "or choose another folder by STYLIZE_HOME"
        ) from error


def _acquire(lock: Any, spec: WeightsSpec, staging: Path, on_progress: OnProgress | None) -> None:
    """Wait for the lock as long as its holder gets on."""
    from filelock import Timeout

    total = _download_bytes(spec)
    seen, since = -1, time.monotonic()
    while True:
        try:
            lock.acquire(timeout=0.2, poll_interval=0.05)
            return
        except Timeout:
            done = 0
            for path in staging.rglob("*"):
                with contextlib.suppress(OSError):  # the holder moves and deletes files meanwhile
                    done += path.stat().st_size
            if done != seen:
                seen, since = done, time.monotonic()
            elif time.monotonic() - since > _LOCK_STALL_S:
                raise _error(
                    f"another process holds {lock.lock_file} and has done nothing for {_LOCK_STALL_S:g} s; "
                    "end it, then try again"
                ) from None
            if on_progress is not None:
                on_progress(spec.name, done if total is None else min(done, total), total)


def _install(
    spec: WeightsSpec, staging: Path, origin: Origin, published: bool, archive_sha256: str | None = None
) -> LocalWeights:
    """Record what lies in the staging folder's `content` and move it into place."""
    content, target = staging / "content", _folder(spec)
    names = [file.filename for file in spec.files]
    if spec.archive:
        names = sorted(path.relative_to(content).as_posix() for path in content.rglob("*") if path.is_file())
    files = {name: _entry(content / name) for name in names}
    about = {"name": spec.name, "origin": origin, "published": published, "archive_sha256": archive_sha256}
    (content / _RECORD).write_text(json.dumps({**about, "files": files}, indent=1), "utf-8")
    if target.exists():
        os.replace(target, staging / "old")
    os.replace(content, target)
    _failure_stamp(spec).unlink(missing_ok=True)
    installed = _inspect(spec)
    assert installed is not None
    return installed


def _download(spec: WeightsSpec, offline: bool, on_progress: OnProgress | None, automatic: bool) -> LocalWeights:
    """Fetch, check and install. An automatic attempt heeds the last failure and leaves word of its own."""
    if offline or os.environ.get("STYLIZE_OFFLINE", "").lower() not in ("", "0", "false", "no"):
        raise _error("not on this machine, and offline")
    from stylize.networks.download import fetch, unpack

    remembered = None
    try:
        with _staging(spec, on_progress) as staging:
            if (found := find(spec.name)) is not None:  # another process was first
                return found
            if automatic and (remembered := _recent_failure(spec)):
                raise _error(remembered)
            content, archive_sha256 = staging / "content", None
            for file in spec.files:
                assert file.url is not None
                path = (staging if spec.archive else content) / file.filename
                sha256 = fetch(
                    file.url, path, on_progress, sha256=file.sha256, md5=file.md5, size_bytes=file.size_bytes
                )
                if spec.archive:
                    unpack(path, content)
                    archive_sha256 = sha256
            _check(spec, content)
            if spec.archive:
                _compare_with_record(spec, content)
            return _install(spec, staging, "downloaded", True, archive_sha256)
    except WeightsError as error:
        if automatic and not remembered:
            with contextlib.suppress(OSError):
                _failure_stamp(spec).write_text(str(error), "utf-8")
        raise


def _compare_with_record(spec: WeightsSpec, content: Path) -> None:
    """Hold a download without a published hash against what arrived the first time."""
    try:
        record = _record(spec)
    except WeightsError:
        return
    for filename, entry in (record["files"] if record and record["origin"] == "downloaded" else {}).items():
        if not (content / filename).is_file() or _hash(content / filename) != entry["sha256"]:
            raise _error(
                f"{filename} from {spec.files[0].url} differs from the one first downloaded; "
                f"if its publisher changed it, `stylize models remove {spec.name}` forgets the first"
            )


def _failure_stamp(spec: WeightsSpec) -> Path:
    return home() / "models" / f".{spec.name}.failed"


def _recent_failure(spec: WeightsSpec) -> str | None:
    stamp = _failure_stamp(spec)
    with contextlib.suppress(OSError, UnicodeDecodeError):
        age_s = time.time() - stamp.stat().st_mtime
        if 0 <= age_s < _FAILURE_MEMORY_S:
            return f"{stamp.read_text('utf-8')} ({age_s / 60:.0f} min ago, not tried again for an hour)"
    return None


def _recognise(spec: WeightsSpec, given: Sequence[Path]) -> dict[WeightsFile, Path]:
    """Tell which of the given files, and of those in given folders, is which of the network's."""
    suffixes = {Path(file.filename).suffix for file in spec.files}
    inside = [path for folder in given if folder.is_dir() for path in sorted(folder.iterdir())]
    named = [path for path in given if not path.is_dir()]
    candidates = named + [path for path in inside if path.suffix in suffixes and path.is_file()]
    chosen: dict[WeightsFile, Path] = {}
    for file in spec.files:
        names = (file.filename, PurePosixPath(urlsplit(file.url or "").path).name)
        matches = (
            [path for path in candidates if _is_published(file, path)]
            or [path for path in candidates if path.name in names]
            or [path for path in candidates if file.keyword and file.keyword in path.name.lower()]
            or (candidates if len(spec.files) == 1 else [])
        )
        if not matches:
            raise _error(f"{file.filename} is not among what was given")
        if len({_hash(path) for path in matches}) > 1:
            raise _error(f"{', '.join(map(str, matches))} could each be {file.filename}; name one")
        chosen[file] = matches[0]
    for path in named:
        if path not in chosen.values():
            raise _error(f"{path} is none of {', '.join(file.filename for file in spec.files)}")
    return chosen


def _copy_saved_model(spec: WeightsSpec, given: Sequence[Path], content: Path) -> bool:
    """Copy or unpack a SavedModel; return whether it came as the published archive."""
    if len(given) != 1:
        raise _error(f"expected one SavedModel folder or one tar.gz of it, received {len(given)} paths")
    if not given[0].is_dir():
        from stylize.networks.download import unpack

        unpack(given[0], content)
        return _is_published(spec.files[0], given[0])
    for part in _SAVED_MODEL_PARTS:
        source = given[0] / part
        if source.is_dir():
            shutil.copytree(source, content / part)
        elif source.exists():
            shutil.copyfile(source, content / part)
    return False


def _check(spec: WeightsSpec, content: Path) -> None:
    """Raise WeightsError unless the files are what their kind has to be."""
    if spec.archive:
        for pattern in ("saved_model.pb", "variables/variables.index", "variables/variables.data-*"):
            if not any(path.stat().st_size for path in content.glob(pattern)):
                raise _error(f"not a SavedModel: {pattern} is missing or empty")
        return
    for file in spec.files:
        path = content / file.filename
        if path.suffix == ".h5":
            _check_vgg19(path)
        elif path.suffix == ".tflite" and path.read_bytes()[4:8] != b"TFL3":
            raise _error(f"the file for {file.filename} is not a TFLite model (no TFL3 at byte 4)")


def _vgg19_shapes() -> dict[str, tuple[tuple[int, ...], tuple[int, ...]]]:
    """Return the shapes of kernel and bias of each convolution of VGG-19, in order."""
    shapes: dict[str, tuple[tuple[int, ...], tuple[int, ...]]] = {}
    channels = 3
    for block, (count, width) in enumerate(_VGG19_BLOCKS, 1):
        for index in range(1, count + 1):
            shapes[f"block{block}_conv{index}"] = (3, 3, channels, width), (width,)
            channels = width
    return shapes


def _check_vgg19(path: Path) -> None:
    """Raise WeightsError unless the file is VGG-19 without its top, in Keras' legacy HDF5 layout."""
    import h5py  # type: ignore[import-untyped]
    import numpy as np

    expected = _vgg19_shapes()
    try:
        with h5py.File(path, "r") as file:
            root = file.get("model_weights", file)
            if "layer_names" not in root.attrs:
                raise _error("not a weights file in Keras' legacy HDF5 layout (it has no layer_names)")
            layers = {}
            for layer in map(os.fsdecode, root.attrs["layer_names"]):
                if names := [os.fsdecode(name) for name in root[layer].attrs["weight_names"]]:
                    layers[layer] = [root[layer][name] for name in names]
            for layer, shapes in expected.items():
                if layer not in layers:
                    raise _error(f"not VGG-19: {layer} is missing")
                found = tuple(weight.shape for weight in layers[layer])
                if found != shapes:
                    raise _error(f"not VGG-19: {layer} has kernel and bias {found}, expected {shapes}")
                if not all(np.isfinite(weight[()]).all() for weight in layers[layer]):
                    raise _error(f"{layer} holds values that are not finite")
            if list(layers) != list(expected):  # Keras assigns by position
                raise _error(f"expected VGG-19's convolutions alone, in order, received {', '.join(layers)}")
    except (OSError, LookupError, AttributeError, RuntimeError, TypeError, ValueError) as error:
        raise _error(f"not a readable HDF5 file ({error})") from error
