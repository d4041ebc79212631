"""The output folder of a batch, on disk or at a URL, and the place of its manifest."""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

from stylize import files
from stylize.batch.manifest import MANIFEST
from stylize.errors import StylizeError
from stylize.files import write_errors

__all__ = ["OutputFolder", "part_mark"]

_LOCK = ".stylize-batch.lock"
_FETCHED = "fetched.jsonl"
_BLOCK_BYTES = 1 << 20


def part_mark(output: str) -> str:
    """Return the mark of a batch's temporary files. Other commands may be at work in the folder or its subfolders."""
    return f"batch-{hashlib.sha256(os.fsencode(os.path.abspath(output))).hexdigest()[:8]}-"


class OutputFolder:
    """Where a run writes its pictures and its manifest."""

    def __init__(self, output: str) -> None:
        """Create the folder.

        Args:
            output: a folder or a URL.

        Raises:
            StylizeError: the folder cannot be made.
        """
        self._output = output
        self._is_url = files.is_url(output)
        self.home = _home(output)
        """The folder of the manifest while the run works: the output, or a local folder if the output is a URL, because
        object stores cannot append to a file."""
        self._made = self._make()
        self._had_lock = (self.home / _LOCK).exists()

    @property
    def manifest(self) -> Path:
        """The manifest's local path."""
        return self.home / MANIFEST

    @property
    def ignores_case(self) -> bool:
        """Whether the folder takes `A.png` and `a.png` for one file. Known once the folder is locked."""
        return not self._is_url and (self.home / _LOCK.upper()).exists()

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Keep other runs out of the folder; in the end, remove a new lock and folder if nothing was written.

        Raises:
            StylizeError: another run works there.
        """
        import filelock

        with write_errors(self.home):
            lock = filelock.FileLock(self.home / _LOCK, timeout=0)
            try:
                lock.acquire()
            except filelock.Timeout:
                raise StylizeError(
                    f"output {self._output}: another run is at work there; wait for it, or choose another"
                ) from None
        try:
            yield
        finally:
            with contextlib.suppress(OSError):
                (self.home / _FETCHED).unlink()
            # No other run may begin in a folder that vanishes. Windows removes no lock that is held.
            if os.name != "nt":
                self._remove_unused()
            lock.release()
            if os.name == "nt":
                self._remove_unused()

    def remove_unfinished(self) -> None:
        """Remove the unfinished files of workers that were killed."""
        if not self._is_url:
            beginning = f".stylize-{part_mark(self._output)}"
            for folder, _, names in os.walk(self._output):
                for name in names:
                    if name.startswith(beginning) and name.endswith(".part"):
                        # Windows removes no file that another program reads.
                        with contextlib.suppress(FileNotFoundError, PermissionError):
                            Path(folder, name).unlink()

    def fetched(self) -> list[Path]:
        """Copy the manifest from the URL to a file of its own, and return its path; nothing if there is none.

        The local manifest has the lines of a run that was killed. Other machines may have written to the URL since.

        Raises:
            StylizeError: the manifest at the URL cannot be read, or there is none and it cannot be written.
        """
        if not self._is_url:
            return []
        path = self.home / _FETCHED
        with _read_errors(self._manifest_url):
            try:
                there = files.opened(self._manifest_url)
            except FileNotFoundError:
                there = None
        if there is None:
            self._upload(b"")  # tells before any painting whether the URL can be written
            return []
        with there, write_errors(path), open(path, "wb") as here:
            block = b"any"
            while block:
                with _read_errors(self._manifest_url):
                    block = there.read(_BLOCK_BYTES)
                here.write(block)
        return [path]

    def upload_manifest(self) -> None:
        """Move the manifest to the URL."""
        if self._is_url:
            self._upload(self.manifest.read_bytes())
            self.manifest.unlink()

    def _upload(self, manifest: bytes) -> None:
        with write_errors(self._manifest_url):
            files.write(self._manifest_url, manifest)

    def _make(self) -> list[Path]:
        """Make the folder. Return which folders were missing, the innermost first."""
        try:
            missing = [folder for folder in (self.home, *self.home.parents) if not folder.exists()]
            self.home.mkdir(parents=True, exist_ok=True)
        except FileExistsError:
            raise StylizeError(f"output {self._output}: expected a folder, received a file") from None
        except OSError as error:
            raise StylizeError(f"output {self.home}: could not be made: {error.strerror or error}") from error
        return missing

    def _remove_unused(self) -> None:
        """Remove lock and folders that this run made if it wrote nothing, as after a mistyped option."""
        with contextlib.suppress(OSError):
            if not self._had_lock and not self.manifest.exists():
                (self.home / _LOCK).unlink(missing_ok=True)
            if not os.listdir(self.home):
                for folder in self._made:
                    folder.rmdir()

    @property
    def _manifest_url(self) -> str:
        return files.joined(self._output, MANIFEST)


@contextlib.contextmanager
def _read_errors(url: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise StylizeError(f"{url}: could not be read: {error.strerror or error}") from error


def _home(output: str) -> Path:
    if not files.is_url(output):
        return Path(output)
    from stylize.networks import store

    return store.home() / "batch" / hashlib.sha256(output.rstrip("/").encode()).hexdigest()[:16]
