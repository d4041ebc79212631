"""The registry of networks: a name becomes verified local files, added, downloaded or embedded.

Nothing here imports TensorFlow. Added and downloaded weights lie in `home()/models/NAME`, each folder with a
`record.json` that holds the size, the time and the SHA-256 of every file. A folder appears there by one
rename of a finished copy, so that what is cut short is never taken for finished. Every `WeightsError` is one
line.
"""

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
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import urlsplit

from stylize._version import __version__
from stylize.errors import WeightsError

if TYPE_CHECKING:
    from urllib.request import OpenerDirector

__all__ = [
    "REGISTRY",
    "LocalWeights",
    "WeightsFile",
    "WeightsSpec",
    "WeightsStatus",
    "add",
    "find",
    "home",
    "pull",
    "remove",
    "resolve",
    "resolve_auto",
    "status",
    "verify",
]

Role = Literal["stylizer", "features"]
Origin = Literal["embedded", "added", "downloaded"]
ProgressCallback = Callable[[str, int, "int | None"], None]

_CONNECT_TIMEOUT_S = 3.0
_READ_TIMEOUT_S = 20.0
_LOCK_STALL_S = 60.0
_FAILURE_MEMORY_S = 3600.0
_MAX_BYTES = 1 << 30
_CHUNK_BYTES = 1 << 18
_RECORD = "record.json"
_VGG19_BLOCKS = ((2, 64), (2, 128), (4, 256), (4, 512), (4, 512))
# Only these are copied from a SavedModel's folder, which may be somebody's whole download folder.
_SAVED_MODEL_PARTS = ("saved_model.pb", "variables", "assets", "fingerprint.pb", "tfhub_module.pb")


@dataclass(frozen=True)
class WeightsFile:
    """One file of a network as its publisher offers it.

    `sha256` and `md5` are lower-case hex, None where none is published. `size_bytes` may be approximate: it
    only scales the progress bar. A local file whose name contains `keyword` is taken for this one.
    """

    filename: str
    url: str | None = None
    sha256: str | None = None
    md5: str | None = None
    size_bytes: int | None = None
    keyword: str | None = None


@dataclass(frozen=True)
class WeightsSpec:
    """What is known of a network before any file is there.

    `embedded` networks come with the package and are neither pulled nor added. With `archive`, the one file
    is a tar.gz that unpacks to a TensorFlow SavedModel folder.
    """

    name: str
    role: Role
    files: tuple[WeightsFile, ...]
    licence: str
    source: str
    description: str
    embedded: bool = False
    archive: bool = False


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
class WeightsStatus:
    """One line of `stylize models list`.

    `size_bytes` is the size on disk, of absent weights that of the download, None if unknown; `detail` says
    what is wrong with damaged weights.
    """

    name: str
    role: Role
    state: Literal["ready", "absent", "damaged"]
    origin: Origin | None
    size_bytes: int | None
    licence: str
    published: bool
    detail: str = ""


_MAGENTA = "https://tfhub.dev/google/magenta/arbitrary-image-stylization-v1-256/2"
_MAGENTA_INT8 = (
    "https://storage.googleapis.com/download.tensorflow.org/models/tflite/task_library/style_transfer/android/"
    "magenta_arbitrary-image-stylization-v1-256_int8_"
)
_KERAS = "https://storage.googleapis.com/tensorflow/keras-applications/vgg19/"
_VGG19 = "vgg19_weights_tf_dim_ordering_tf_kernels_notop.h5"

# In order of preference within a role.
REGISTRY: Mapping[str, WeightsSpec] = {
    spec.name: spec
    for spec in (
        WeightsSpec(
            name="magenta",
            role="stylizer",
            files=(
                WeightsFile("magenta.tar.gz", f"{_MAGENTA}?tf-hub-format=compressed", size_bytes=85_000_000),
            ),
            licence="Apache-2.0",
            source=_MAGENTA,
            description="Magenta's arbitrary image stylization network, a TensorFlow SavedModel",
            archive=True,
        ),
        WeightsSpec(
            name="magenta-int8",
            role="stylizer",
            files=(
                WeightsFile(
                    "magenta_int8_predict.tflite",
                    f"{_MAGENTA_INT8}prediction_1.tflite",
                    sha256="af6ad4b2e7aeba0675f32636082ab915ced5375229a3f8aff7e714c6213f5ed2",
                    size_bytes=2_828_838,
                    keyword="predict",
                ),
                WeightsFile(
                    "magenta_int8_transfer.tflite",
                    f"{_MAGENTA_INT8}transfer_1.tflite",
                    sha256="7a1550643cf034a4d813c0aa276976cd15da4141b4f1ec3631db1d0d9c8e2cd1",
                    size_bytes=284_398,
                    keyword="transfer",
                ),
            ),
            licence="Apache-2.0",
            source=_MAGENTA,
            description="Magenta's network in 8 bits for LiteRT, fixed at 384 x 384",
        ),
        WeightsSpec(
            name="mini",
            role="stylizer",
            files=(WeightsFile("mini_style.tflite"), WeightsFile("mini_transfer.tflite")),
            licence="Apache-2.0",
            source="trained by this project",
            description="the small embedded stylization network",
            embedded=True,
        ),
        WeightsSpec(
            name="vgg19",
            role="features",
            files=(
                WeightsFile(
                    _VGG19, _KERAS + _VGG19, md5="253f8cb515780f3b799900260a226db6", size_bytes=80_134_624
                ),
            ),
            licence="CC BY 4.0",
            source=_KERAS + _VGG19,
            description="VGG-19's convolutions, trained on ImageNet, as Keras applications publishes them",
        ),
        WeightsSpec(
            name="vgg19-slim",
            role="features",
            files=(WeightsFile("vgg19_slim.safetensors"),),
            licence="Apache-2.0",
            source="trained by this project",
            description="the small embedded feature network",
            embedded=True,
        ),
    )
}


def home() -> Path:
    """Return the folder of all that is kept: $STYLIZE_HOME, else the user's cache; made by the first write.
    """
    if chosen := os.environ.get("STYLIZE_HOME"):
        return Path(chosen).expanduser().absolute()
    from platformdirs import user_cache_path

    return user_cache_path("stylize")


def find(name: str) -> LocalWeights | None:
    """Return the weights called `name` if they are on this machine and whole, else None; never uses the
    network.

    Compares sizes and times with the record and hashes only a file whose time differs. Raises WeightsError
    for an unknown name.
    """
    spec = _spec(name)
    try:
        return _inspect(spec)
    except WeightsError:
        return None


def pull(name: str, *, offline: bool = False, on_progress: ProgressCallback | None = None) -> LocalWeights:
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
        return _download(spec, offline, on_progress)
    except WeightsError as error:
        raise _error(f"{name}: {error}; {_advice(spec)}") from error


def resolve(name: str, *, offline: bool = False, on_progress: ProgressCallback | None = None) -> LocalWeights:
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
    on_progress: ProgressCallback | None = None,
    on_message: Callable[[str], None] | None = None,
) -> LocalWeights:
    """Return the best weights for `role`: what is here, else a download, else what is embedded.

    `on_message` hears one line, unless the preferred network is used and nothing was wrong with it: what is
    used, why, and the command that gets the other. A download that failed is not tried again for an hour, so
    that a user without a network does not wait on every run. Raises WeightsError if there is nothing at all.
    """
    specs = [spec for spec in REGISTRY.values() if spec.role == role]
    preferred = specs[0]
    chosen: LocalWeights | None = None
    trouble: list[str] = []
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
            line += f"; `stylize models pull {preferred.name}` gets {preferred.name}, the better one"
        on_message(" ".join(line.split()))
    return chosen


def add(name: str, paths: str | os.PathLike[str] | Sequence[str | os.PathLike[str]]) -> LocalWeights:
    """Copy local files into `home()` as the weights called `name`, in place of any that are there.

    `paths` is a file, a folder that holds the files, or several files; for a SavedModel its folder or its
    tar.gz. A file is recognised by its published hash, else by its name; its contents are checked, VGG-19's
    down to every kernel's shape. Files other than the published ones are accepted, with
    `LocalWeights.published` False. Raises WeightsError if a file is missing, ambiguous or wrong, or can't be
    copied.
    """
    spec = _spec(name)
    _refuse_embedded(spec)
    given = [Path(path) for path in ([paths] if isinstance(paths, (str, os.PathLike)) else paths)]
    try:
        for path in given:
            if not path.exists():
                raise _error(f"{path} does not exist")
        with _staging(spec) as staging:
            content = staging / "content"
            if spec.archive:
                published = _copy_saved_model(spec, given, content)
            else:
                content.mkdir()
                published = True
                for file, path in _recognise(spec, given).items():
                    shutil.copyfile(path, content / file.filename)
                    published &= _is_published(file, content / file.filename) is True
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
    if spec.embedded:
        if (found := find(name)) is None:
            raise _error(f"{name}: not in this installation; expected it inside the package")
        folder, expected, published = found.folder, dict(found.sha256), found.published
        expected.update({file.filename: file.sha256 for file in spec.files if file.sha256})
    else:
        folder = _folder(spec)
        try:
            record = _read_record(folder)
        except WeightsError as error:
            raise _error(f"{name}: {error}; {_advice(spec)}") from error
        if record is None:
            raise _error(f"{name}: not on this machine; {_advice(spec)}")
        expected = {filename: entry["sha256"] for filename, entry in record["files"].items()}
        published = record["published"]
        if published:
            expected.update({f.filename: f.sha256 for f in spec.files if f.sha256 and f.filename in expected})
    results = []
    for filename, sha256 in expected.items():
        try:
            found_sha256 = _hash(folder / filename)
        except OSError as error:
            results.append((filename, False, error.strerror or str(error)))
            continue
        ok = found_sha256 == sha256
        good = "as recorded" + ("" if published else "; not the published file")
        results.append((filename, ok, good if ok else f"SHA-256 is {found_sha256}, expected {sha256}"))
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
        sizes = [path.stat().st_size for path in found.files] if found else [f.size_bytes for f in spec.files]
        entries.append(
            WeightsStatus(
                name=spec.name,
                role=spec.role,
                state="ready" if found else "damaged" if detail else "absent",
                origin=found.origin if found else None,
                size_bytes=_total(sizes),
                licence=spec.licence,
                published=found is not None and found.published,
                detail=detail,
            )
        )
    return entries


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


def _total(sizes: Sequence[int | None]) -> int | None:
    known = [size for size in sizes if size is not None]
    return sum(known) if len(known) == len(sizes) else None


def _hash(path: Path, algorithm: str = "sha256") -> str:
    digest = hashlib.new(algorithm, usedforsecurity=False)
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK_BYTES):
            digest.update(chunk)
    return digest.hexdigest()


def _is_published(file: WeightsFile, path: Path) -> bool | None:
    """Compare with the published hash; None if there is none."""
    if file.sha256:
        return _hash(path) == file.sha256
    return _hash(path, "md5") == file.md5 if file.md5 else None


# What is on this machine.


def _folder(spec: WeightsSpec) -> Path:
    return home() / "models" / spec.name


def _embedded_folder() -> Path | None:
    import importlib.resources

    try:
        return Path(str(importlib.resources.files("stylize.models")))
    except ModuleNotFoundError:
        return None


def _read_record(folder: Path) -> dict[str, Any] | None:
    """Return a folder's record, None if there is no folder. Raises WeightsError if it can't be read."""
    try:
        record = json.loads((folder / _RECORD).read_text("utf-8"))
        for entry in record["files"].values():
            entry["size_bytes"], entry["mtime_ns"], entry["sha256"]
        record["origin"], record["published"]
    except (FileNotFoundError, NotADirectoryError):
        if not folder.exists():
            return None
        raise _error(f"{folder / _RECORD} is missing") from None
    except (OSError, ValueError, LookupError, TypeError, AttributeError) as error:
        raise _error(f"{folder / _RECORD} can't be read ({type(error).__name__})") from error
    return record


def _inspect(spec: WeightsSpec) -> LocalWeights | None:
    """Return the weights on this machine, None if absent. Raises WeightsError if damaged."""
    if spec.embedded:
        folder = _embedded_folder()
        if folder is None or not all((folder / file.filename).is_file() for file in spec.files):
            return None
        files = tuple(folder / file.filename for file in spec.files)
        published = all(_is_published(*pair) is not False for pair in zip(spec.files, files, strict=True))
        sha256 = {path.name: _hash(path) for path in files}
        return LocalWeights(spec.name, folder, files, sha256, "embedded", published)
    folder = _folder(spec)
    record = _read_record(folder)
    if record is None:
        return None
    for filename, entry in record["files"].items():
        path = folder / filename
        try:
            found = path.stat()
            if found.st_size != entry["size_bytes"]:
                raise _error(f"{path} has {found.st_size} bytes, expected {entry['size_bytes']}")
            # A copied home has new times and the same contents.
            if found.st_mtime_ns != entry["mtime_ns"] and _hash(path) != entry["sha256"]:
                raise _error(f"{path} has changed since it was {record['origin']}")
        except OSError as error:
            raise _error(f"{path}: {error.strerror or error}") from error
    return LocalWeights(
        name=spec.name,
        folder=folder,
        files=tuple(folder / filename for filename in record["files"]),
        sha256={filename: entry["sha256"] for filename, entry in record["files"].items()},
        origin=record["origin"],
        published=record["published"],
    )


# Writing: one process at a time for each network, beside the target, then a rename.


@contextlib.contextmanager
def _staging(spec: WeightsSpec, on_progress: ProgressCallback | None = None) -> Iterator[Path]:
    """Hold the network's lock and yield an empty folder beside the target, which is deleted at the end.

    The folder has a fixed name, so that the next holder of the lock clears what a killed process left, and a
    waiting process sees how far the holder is. The lock is the system's, released when its holder dies.
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
            staging.mkdir()
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


def _acquire(lock: Any, spec: WeightsSpec, staging: Path, on_progress: ProgressCallback | None) -> None:
    """Wait for the lock as long as its holder gets on."""
    from filelock import Timeout

    total = _total([file.size_bytes for file in spec.files])
    seen, since = -1, time.monotonic()
    while True:
        try:
            lock.acquire(timeout=0.2, poll_interval=0.05)
        except Timeout:
            done = _tree_bytes(staging)
            if done != seen:
                seen, since = done, time.monotonic()
            elif time.monotonic() - since > _LOCK_STALL_S:
                raise _error(
                    f"another process holds {lock.lock_file} and has done nothing for {_LOCK_STALL_S:g} s; "
                    "end it, then try again"
                ) from None
            if on_progress is not None:
                on_progress(spec.name, done if total is None else min(done, total), total)
        else:
            return


def _tree_bytes(folder: Path) -> int:
    total = 0
    for path in folder.rglob("*"):
        with contextlib.suppress(OSError):  # the holder moves and deletes files meanwhile
            total += path.stat().st_size
    return total


def _install(
    spec: WeightsSpec, staging: Path, origin: Origin, published: bool, archive_sha256: str | None = None
) -> LocalWeights:
    """Record what lies in the staging folder's `content` and move it into place."""
    content, target = staging / "content", _folder(spec)
    names = [file.filename for file in spec.files]
    if spec.archive:
        names = sorted(path.relative_to(content).as_posix() for path in content.rglob("*") if path.is_file())
    files = {}
    for filename in names:
        path = content / filename
        found = path.stat()
        files[filename] = {
            "sha256": _hash(path), "size_bytes": found.st_size, "mtime_ns": found.st_mtime_ns
        }  # fmt: skip
    record = {
        "name": spec.name,
        "origin": origin,
        "published": published,
        "archive_sha256": archive_sha256,
        "files": files,
    }
    (content / _RECORD).write_text(json.dumps(record, indent=1), "utf-8")
    if target.exists():
        os.replace(target, staging / "old")
    os.replace(content, target)
    _failure_stamp(spec).unlink(missing_ok=True)
    installed = _inspect(spec)
    assert installed is not None
    return installed


# Downloading.


def _download(
    spec: WeightsSpec, offline: bool, on_progress: ProgressCallback | None, automatic: bool = False
) -> LocalWeights:
    """Fetch, check and install. An automatic attempt heeds the last failure and leaves word of its own."""
    if offline or os.environ.get("STYLIZE_OFFLINE", "").lower() not in ("", "0", "false", "no"):
        raise _error("not on this machine, and offline")
    remembered = None
    try:
        with _staging(spec, on_progress) as staging:
            if (found := find(spec.name)) is not None:  # another process was first
                return found
            if automatic and (remembered := _recent_failure(spec)):
                raise _error(remembered)
            content, archive_sha256 = staging / "content", None
            content.mkdir()
            for file in spec.files:
                path = (staging if spec.archive else content) / file.filename
                _fetch(file, path, on_progress)
                if _is_published(file, path) is False:
                    raise _error(f"what came from {file.url} is not the published file (its hash differs)")
                if spec.archive:
                    _unpack(path, content)
                    archive_sha256 = _hash(path)
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
        record = _read_record(_folder(spec))
    except WeightsError:
        return
    for filename, entry in (record["files"] if record and record["origin"] == "downloaded" else {}).items():
        if not (content / filename).is_file() or _hash(content / filename) != entry["sha256"]:
            raise _error(
                f"{filename} from {spec.source} differs from the one first downloaded; "
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


def _fetch(file: WeightsFile, path: Path, on_progress: ProgressCallback | None) -> None:
    """Download one file. Raises WeightsError if the server fails, OSError if the disk does."""
    import http.client
    import urllib.error
    import urllib.request

    assert file.url is not None
    _check_url(file.url)
    request = urllib.request.Request(file.url, headers={"User-Agent": f"stylize/{__version__}"})
    try:
        response = _opener().open(request)
    except urllib.error.HTTPError as error:
        error.close()
        raise _error(f"{file.url} answers {error.code} {error.reason}") from error
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise _error(f"{file.url}: {_network_reason(error)}") from error
    with response, path.open("xb") as out:
        length = response.headers.get("Content-Length")
        promised = int(length) if length and length.isdecimal() else None
        total, done = promised or file.size_bytes, 0
        while True:
            if on_progress is not None:
                on_progress(file.filename, done, total)
            try:
                chunk = response.read1(_CHUNK_BYTES)
            except (OSError, http.client.HTTPException, ValueError) as error:
                raise _error(f"{file.url}: broke off after {done} bytes: {_network_reason(error)}") from error
            if not chunk:
                break
            done += len(chunk)
            if done > _MAX_BYTES:
                raise _error(f"{file.url} is larger than {_MAX_BYTES} bytes")
            out.write(chunk)
    if promised is not None and done != promised:
        raise _error(f"{file.url}: broke off after {done} of {promised} bytes")


def _network_reason(error: Exception) -> str:
    import socket

    reason = getattr(error, "reason", error)
    if isinstance(reason, socket.gaierror):
        return "the host's name can't be resolved; is there a network?"
    if isinstance(reason, TimeoutError):
        return str(reason) if "within" in str(reason) else f"nothing came for {_READ_TIMEOUT_S:g} s"
    return getattr(reason, "strerror", None) or str(reason) or type(reason).__name__


def _check_url(url: str) -> None:
    parts = urlsplit(url)
    loopback = parts.scheme == "http" and parts.hostname in ("127.0.0.1", "localhost", "::1")
    if parts.scheme != "https" and not loopback:
        raise _error(f"{url} is refused: expected https")


class _BoundedConnect:
    """Mixed into http.client's connections: one time-out to connect, another for each wait for data.

    The connection is made in a thread, because resolving a name knows no time-out, and a name with several
    addresses would have the time-out several times.
    """

    timeout: Any
    sock: Any
    _given_up = False

    def connect(self) -> None:
        from concurrent.futures import Future
        from concurrent.futures import TimeoutError as FutureTimeoutError
        from threading import Thread

        connected: Future[None] = Future()
        base_connect = super().connect  # type: ignore[misc]
        self.timeout = _CONNECT_TIMEOUT_S

        def work() -> None:
            try:
                base_connect()
            except Exception as error:
                connected.set_exception(error)
            else:
                connected.set_result(None)
            if self._given_up:
                self.close()  # type: ignore[attr-defined]

        Thread(target=work, daemon=True).start()
        try:
            connected.result(_CONNECT_TIMEOUT_S)
        except (TimeoutError, FutureTimeoutError):
            self._given_up = True
            raise TimeoutError(f"no connection within {_CONNECT_TIMEOUT_S:g} s") from None
        self.sock.settimeout(_READ_TIMEOUT_S)


def _opener() -> OpenerDirector:
    """Return urllib's opener, which honours proxies, with bounded waits and no redirect away from https."""
    import http.client
    import urllib.request

    class Connection(_BoundedConnect, http.client.HTTPConnection):
        pass

    class SecureConnection(_BoundedConnect, http.client.HTTPSConnection):
        pass

    class HTTPHandler(urllib.request.HTTPHandler):
        def http_open(self, req: urllib.request.Request) -> http.client.HTTPResponse:
            return self.do_open(Connection, req)

    class HTTPSHandler(urllib.request.HTTPSHandler):
        def https_open(self, req: urllib.request.Request) -> http.client.HTTPResponse:
            return self.do_open(SecureConnection, req)

    class RedirectHandler(urllib.request.HTTPRedirectHandler):
        def redirect_request(
            self, req: Any, fp: Any, code: int, msg: str, headers: Any, newurl: str
        ) -> urllib.request.Request | None:
            try:
                _check_url(newurl)
            except WeightsError:
                fp.close()
                raise
            return super().redirect_request(req, fp, code, msg, headers, newurl)

    return urllib.request.build_opener(HTTPHandler, HTTPSHandler, RedirectHandler)


def _unpack(archive: Path, folder: Path) -> None:
    """Unpack a tar.gz of plain files and folders.

    Files are written by hand, without links, owners or modes: `tarfile`'s own safe filter is not in every
    Python 3.10.
    """
    import tarfile
    import zlib

    total = 0
    try:
        with tarfile.open(archive, "r:gz") as tar:
            for member in tar:
                path = PurePosixPath(member.name)
                if path.is_absolute() or ".." in path.parts or "\\" in member.name or ":" in member.name:
                    raise _error(f"the archive is unsafe: {member.name!r} leaves the folder")
                if not (member.isfile() or member.isdir()):
                    raise _error(f"the archive is unsafe: {member.name!r} is neither a file nor a folder")
                total += member.size
                if total > _MAX_BYTES:
                    raise _error(f"the archive unpacks to more than {_MAX_BYTES} bytes")
                target = folder / path
                (target if member.isdir() else target.parent).mkdir(parents=True, exist_ok=True)
                if member.isfile():
                    source = tar.extractfile(member)
                    assert source is not None
                    with source, target.open("xb") as out:
                        shutil.copyfileobj(source, out)
    except (tarfile.TarError, EOFError, zlib.error, ValueError, OSError) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise  # the disk's, not the archive's
        raise _error(f"not a whole tar.gz archive ({error})") from error


# What local files are.


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
    content.mkdir()
    if not given[0].is_dir():
        _unpack(given[0], content)
        return _is_published(spec.files[0], given[0]) is True
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
        elif path.suffix == ".tflite":
            with path.open("rb") as opened:
                if opened.read(8)[4:] != b"TFL3":
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
