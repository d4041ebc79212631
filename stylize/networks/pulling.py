"""Pull a network: download its files, check them and put them into place."""

from __future__ import annotations

import contextlib
import os
import time
from pathlib import Path

from stylize import files
from stylize.errors import WeightsError
from stylize.networks import local
from stylize.networks.checking import check
from stylize.networks.installing import OnProgress, install, staging_folder
from stylize.networks.local import LocalWeights
from stylize.networks.registry import WeightsSpec

__all__ = ["forget_failure", "is_offline", "pull", "pull_automatically"]

#: Seconds for which a failed automatic download is not tried again, so that a user without internet does not wait in
#: every run.
_RETRY_AFTER_S = 3600.0


def pull(spec: WeightsSpec, *, offline: bool, on_progress: OnProgress | None) -> LocalWeights:
    """Download a network, unless another process has done so meanwhile.

    Args:
        spec: The network.
        offline: Whether downloads are refused; STYLIZE_OFFLINE=1 refuses them, too.
        on_progress: Called with each file's progress.

    Raises:
        WeightsError: The download or its check failed, or the files can't be stored.
    """
    _refuse_offline(spec, offline)
    with staging_folder(spec, on_progress) as staging:
        return local.find(spec) or _download(spec, staging, on_progress)


def pull_automatically(spec: WeightsSpec, *, offline: bool, on_progress: OnProgress | None) -> LocalWeights:
    """Download a network that the user has not asked for. A failed download is not tried again for an hour.

    Args:
        spec: The network.
        offline: See `pull`.
        on_progress: See `pull`.

    Raises:
        WeightsError: As `pull`; also if a download failed in the last hour.
    """
    _refuse_offline(spec, offline)
    recent_failure = None
    try:
        with staging_folder(spec, on_progress) as staging:
            if (found := local.find(spec)) is not None:
                return found
            if recent_failure := _recent_failure(spec):
                raise WeightsError(recent_failure)
            return _download(spec, staging, on_progress)
    except WeightsError as error:
        if not recent_failure:
            with contextlib.suppress(OSError):
                _failure_file(spec).write_text(str(error), "utf-8")
        raise


def forget_failure(spec: WeightsSpec) -> None:
    """Allow the next automatic download at once."""
    _failure_file(spec).unlink(missing_ok=True)


def is_offline(offline: bool) -> bool:
    """Return whether downloads are refused, by the argument or by STYLIZE_OFFLINE: any text but a no."""
    return offline or os.environ.get("STYLIZE_OFFLINE", "").lower() not in ("", "0", "false", "no", "off")


def _refuse_offline(spec: WeightsSpec, offline: bool) -> None:
    if is_offline(offline):
        here = "the copy here can't be used" if local.folder(spec).exists() else "not on this machine"
        raise WeightsError(f"{here}, and downloads are off (offline)")


def _download(spec: WeightsSpec, staging: Path, on_progress: OnProgress | None) -> LocalWeights:
    from stylize.networks.download import fetch, unpack

    content, archive_sha256 = staging / "content", None
    for file in spec.files:
        assert file.url is not None
        path = (staging if spec.archive else content) / file.filename
        sha256 = fetch(file.url, path, on_progress, sha256=file.sha256, md5=file.md5, size_bytes=file.size_bytes)
        if spec.archive:
            unpack(path, content)
            archive_sha256 = sha256
    check(spec, content)
    if spec.archive:
        _compare_with_first_download(spec, content)
    installed = install(spec, staging, origin="downloaded", published=True, archive_sha256=archive_sha256)
    forget_failure(spec)
    return installed


def _compare_with_first_download(spec: WeightsSpec, content: Path) -> None:
    """Compare an archive without a published hash with the files of the first download, if these are recorded."""
    try:
        record = local.read_record(spec)
    except WeightsError:
        return
    if record is None or record["origin"] != "downloaded":
        return
    for filename, entry in record["files"].items():
        path = content / filename
        if not path.is_file() or files.sha256(str(path)) != entry["sha256"]:
            raise WeightsError(
                f"{filename} from {spec.files[0].url} differs from the first download; "
                f"if its publisher has changed the file, `stylize models remove {spec.name}` deletes the first download"
            )


def _failure_file(spec: WeightsSpec) -> Path:
    return local.home() / "models" / f".{spec.name}.failed"


def _recent_failure(spec: WeightsSpec) -> str | None:
    """Return why the last automatic download failed, None if this was more than an hour ago."""
    path = _failure_file(spec)
    with contextlib.suppress(OSError, UnicodeDecodeError):
        age_s = time.time() - path.stat().st_mtime
        if 0 <= age_s < _RETRY_AFTER_S:
            return f"{path.read_text('utf-8')} (tried {age_s / 60:.0f} min ago; the next try is an hour after that)"
    return None
