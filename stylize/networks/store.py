"""The networks on this machine: find, download, add, verify and remove them by name."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from stylize import files
from stylize.errors import WeightsError
from stylize.networks import checking, conversion, devices, local, pulling, registry
from stylize.networks.installing import OnProgress, install, staging_folder
from stylize.networks.local import LocalWeights, Origin, home
from stylize.networks.registry import Role, WeightsSpec
from stylize.schema import shown
from stylize.text import one_line

__all__ = [
    "LocalWeights",
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

State = Literal["ready", "absent", "damaged"]


@dataclass(frozen=True)
class WeightsStatus:
    """One line of `stylize models list`.

    Attributes:
        name: The network's name.
        role: What the network is for.
        state: Whether the files are here and intact.
        origin: How the files came here; None unless they are ready.
        size_bytes: The size on disk; of absent files the size of the download, None if unknown.
        licence: The licence of the weights.
        published: Whether the files are the published ones; see `LocalWeights`.
        detail: What is wrong with damaged files.
        serves_as: Whether a SavedModel runs as such or converted to LiteRT, and why.
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


def find(name: str) -> LocalWeights | None:
    """Return a network's files, None if they are absent or damaged; never download.

    Sizes and times are compared with the record. A file is hashed only if its time differs.

    Raises:
        WeightsError: No network has this name.
    """
    return local.find(_spec(name))


def pull(name: str, *, offline: bool = False, on_progress: OnProgress | None = None) -> LocalWeights:
    """Return a network's files; download them if they are absent or damaged.

    Args:
        name: The network's name.
        offline: Whether downloads are refused; STYLIZE_OFFLINE=1 refuses them, too.
        on_progress: Called with a file's name, the bytes so far and the bytes in total, None if unknown. While another
            process downloads, it is called with the network's name and the bytes of that process.

    Raises:
        WeightsError: The files can't be downloaded or stored.
    """
    spec = _spec(name)
    if (found := local.find(spec)) is not None:
        return found
    _refuse_embedded(spec)
    try:
        return pulling.pull(spec, offline=offline, on_progress=on_progress)
    except WeightsError as error:
        # A download that failed is no advice.
        advice = _advice(spec) if pulling.is_offline(offline) else _advice_to_add(spec)
        raise _error(spec, f"{error}; {advice}") from error


def resolve(name: str, *, offline: bool = False, on_progress: OnProgress | None = None) -> LocalWeights:
    """Return the files of a network that the user named; download them if they are absent.

    Args:
        name: The network's name.
        offline: See `pull`.
        on_progress: See `pull`.

    Raises:
        WeightsError: The files can't be downloaded, or they are damaged. Damaged files are not replaced without asking,
            because the user may have added them.
    """
    spec = _spec(name)
    try:
        found = local.inspect(spec)
    except WeightsError as error:
        raise _error(spec, f"the copy here can't be used: {error}; {_advice(spec)}") from error
    return found or pull(name, offline=offline, on_progress=on_progress)


def resolve_auto(
    role: Role,
    *,
    offline: bool = False,
    on_progress: OnProgress | None = None,
    on_message: Callable[[str], None] | None = None,
) -> LocalWeights:
    """Return the best network for a role: one that was downloaded or added, else a download, else an embedded one.

    Args:
        role: What the network is for.
        offline: See `pull`. A failed download is not tried again for an hour.
        on_progress: See `pull`.
        on_message: Called with one line if another network than the preferred one is used, or if something was wrong
            with the preferred network.

    Raises:
        WeightsError: There is no network for the role.
    """
    specs = [spec for spec in registry.REGISTRY.values() if spec.role == role]
    preferred = specs[0]
    trouble: list[str] = []
    usable = [spec for spec in specs if not spec.embedded and _can_run(spec)]
    if not preferred.embedded and preferred not in usable:
        trouble.append(f"{preferred.name} needs TensorFlow and tensorflow-hub, which are not installed")
    chosen = _first_intact(usable, trouble)
    if chosen is None and preferred in usable:
        try:
            chosen = pulling.pull_automatically(preferred, offline=offline, on_progress=on_progress)
        except WeightsError as error:
            trouble.append(f"{preferred.name} is not available: {error}")
    if chosen is None:
        chosen = next((found for spec in specs if spec.embedded and (found := local.find(spec))), None)
    why = "; ".join(trouble)
    if chosen is None:
        raise WeightsError(
            one_line(f"no {role} network is available: {why or 'none is embedded'}; {_advice(preferred)}")
        )
    if on_message is not None and (chosen.name != preferred.name or trouble):
        line = f"using {chosen.name} ({chosen.origin}) as the {role} network" + (f", because {why}" if why else "")
        if chosen.name != preferred.name and preferred in usable:
            line += f"; `stylize models pull {preferred.name}` gets {preferred.name}, the pretrained network"
        on_message(one_line(line))
    return chosen


def _can_run(spec: WeightsSpec) -> bool:
    """Whether a network can run here: a SavedModel needs TensorFlow and TF-Hub, unless its conversion is kept."""
    if not spec.archive or devices.runs_saved_models():
        return True
    found = local.find(spec)
    kept = None if found is None else conversion.find(found)
    return kept is not None and kept.path is not None


def _first_intact(specs: Sequence[WeightsSpec], trouble: list[str]) -> LocalWeights | None:
    """Return the first network that is here and intact; append to `trouble` what is wrong with those before."""
    for spec in specs:
        try:
            if (found := local.inspect(spec)) is not None:
                return found
        except WeightsError as error:
            trouble.append(f"the copy of {spec.name} here can't be used: {error}")
    return None


def add(name: str, paths: str | os.PathLike[str] | Sequence[str | os.PathLike[str]]) -> LocalWeights:
    """Copy local files to where stylize keeps its networks, in place of the network's files that are there.

    A file is recognised by its published hash, else by its name. Its contents are checked; of VGG-19, the shape of each
    kernel. Other files than the published ones are accepted, with `LocalWeights.published` False.

    Args:
        name: The network's name.
        paths: A file, a folder that holds the files, or several files; for a SavedModel, its folder or its tar.gz.

    Raises:
        WeightsError: A file is missing, unreadable, ambiguous or wrong, or can't be copied.
    """
    spec = _spec(name)
    _refuse_embedded(spec)
    given = [Path(path) for path in ([paths] if isinstance(paths, (str, os.PathLike)) else paths)]
    try:
        if missing := [path for path in given if not path.exists()]:
            raise WeightsError(f"{missing[0]} does not exist")
        checking.check_readable(spec, given)
        with staging_folder(spec) as staging:
            content = staging / "content"
            if spec.archive:
                published = checking.copy_saved_model(spec, given, content)
            else:
                published = True
                for file, path in checking.recognise(spec, given).items():
                    shutil.copyfile(path, content / file.filename)
                    published &= checking.is_published(file, content / file.filename)
            checking.check(spec, content)
            added = install(spec, staging, origin="added", published=published)
            pulling.forget_failure(spec)
            return added
    except WeightsError as error:
        raise _error(spec, str(error)) from error


def verify(name: str) -> list[tuple[str, bool, str]]:
    """Hash every file of a network again.

    A file is compared with its published SHA-256 if the record says that the file is published, else with the record.

    Returns:
        For each file: its name, whether its hash is right, and what was found.

    Raises:
        WeightsError: The files are not on this machine, or their record is damaged.
    """
    spec = _spec(name)
    try:
        if (record := local.read_record(spec)) is None:
            raise WeightsError("not in this installation" if spec.embedded else "not on this machine")
    except WeightsError as error:
        raise _error(spec, f"{error}; {_advice(spec)}") from error
    expected = {filename: entry["sha256"] for filename, entry in record["files"].items()}
    published = record["published"]
    if published or spec.embedded:
        expected.update({f.filename: f.sha256 for f in spec.files if f.sha256 and f.filename in expected})
    good = "as recorded" if published else "as recorded; not the published file"
    results = []
    for filename, sha256 in expected.items():
        try:
            ok = (found := files.sha256(str(local.folder(spec) / filename))) == sha256
            detail = good if ok else f"SHA-256 is {found}, expected {sha256}"
        except OSError as error:
            ok, detail = False, error.strerror or str(error)
        results.append((filename, ok, detail))
    return results


def remove(name: str) -> None:
    """Delete a network's files, intact or damaged.

    Raises:
        WeightsError: There are no files, or they can't be deleted.
    """
    spec = _spec(name)
    _refuse_embedded(spec)
    if not local.folder(spec).exists():
        raise _error(spec, "not on this machine, nothing to remove")
    with staging_folder(spec) as staging, contextlib.suppress(FileNotFoundError):
        os.replace(local.folder(spec), staging / "old")


def status() -> list[WeightsStatus]:
    """Return one entry for each network, in the registry's order; never download."""
    entries = []
    for spec in registry.REGISTRY.values():
        found, detail = None, ""
        try:
            found = local.inspect(spec)
        except WeightsError as error:
            detail = one_line(error)
        state: State = "ready" if found else "damaged" if detail else "absent"
        origin, published = (found.origin, found.published) if found else (None, False)
        size = sum(path.stat().st_size for path in found.files) if found else spec.download_bytes
        serves_as = _serves_as(found) if found and spec.archive else ""
        entries.append(
            WeightsStatus(spec.name, spec.role, state, origin, size, spec.licence, published, detail, serves_as)
        )
    return entries


def _serves_as(found: LocalWeights) -> str:
    kept = conversion.find(found)
    if kept is None:
        return "SavedModel (not converted to LiteRT yet: its first use does it)"
    return f"{'SavedModel' if kept.path is None else 'LiteRT'} ({kept.detail})"


def _spec(name: str) -> WeightsSpec:
    if name not in registry.REGISTRY:
        raise WeightsError(f"no network is called {shown(name)}; expected one of {', '.join(registry.REGISTRY)}")
    return registry.REGISTRY[name]


def _error(spec: WeightsSpec, text: str) -> WeightsError:
    return WeightsError(one_line(f"{spec.name}: {text}"))


def _refuse_embedded(spec: WeightsSpec) -> None:
    if spec.embedded:
        here = "it is there" if local.find(spec) else "it is not in this installation"
        raise _error(spec, f"comes inside the package ({here}); it is never pulled, added or removed")


def _advice(spec: WeightsSpec) -> str:
    if spec.embedded:
        return "install a release of stylize that contains it, or choose another network"
    return f"`stylize models pull {spec.name}` downloads it, {_advice_to_add(spec)}"


def _advice_to_add(spec: WeightsSpec) -> str:
    return f"`stylize models add {spec.name} PATH` takes a copy that you have"
