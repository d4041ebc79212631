"""Whether a picture of an earlier run is still what the job asks for."""

from __future__ import annotations

import functools
from collections.abc import Callable

from stylize import files
from stylize.batch.jobs import Task, init_of
from stylize.batch.manifest import Record, record_of
from stylize.earlier import with_earlier_options
from stylize.styles import file_of

__all__ = ["ResumeCheck"]


class ResumeCheck:
    """Compares the manifest with the files: first by size and time; by hash only where size or time differ."""

    def __init__(self, output: str) -> None:
        self._output = output
        # Many jobs share a content or a style.
        self._stamp = functools.lru_cache(maxsize=4096)(lambda path: files.stamp(file_of(path)))
        self._sha256 = functools.lru_cache(maxsize=4096)(lambda path: files.sha256(file_of(path)))

    def unchanged(self, task: Task, before: Record, networks: Record) -> Record | None:
        """Return the manifest's line for a picture that need not be painted again.

        Args:
            task: what to paint now.
            before: the manifest's line of the output.
            networks: the SHA-256 of the networks' files, by network and file.

        Returns:
            `before` with the stamps and labels of now; None if the picture, its inputs, options or networks differ.
        """
        now = record_of(task)
        try:
            if before["status"] != "done" or before["mode"] != now["mode"]:
                return None
            was_asked = with_earlier_options(before["options"]) if now["mode"] == "refine" else before["options"]
            if was_asked != now["options"]:
                return None
            if before.get("output_options") != now.get("output_options"):
                return None
            if before["networks"] != networks or ("init" in before) != ("init" in now):
                return None
            pairs = [(before["content"], now["content"]), *zip(before["styles"], now["styles"], strict=True)]
            pairs += zip(before.get("masks", []), now.get("masks", []), strict=True)
            pairs += [(before["init"], now["init"])] if "init" in now else []
            if any(was.get("weight") != entry.get("weight") for was, entry in pairs):
                return None
            init = init_of(task.config)
            places = [task.job.content, *(path for path, _ in task.job.styles), *task.job.masks]
            places += [] if init is None else [init]
            seen = [
                self._seen(was, place, self._stamp, self._sha256, is_same_place=_place(was) == _place(entry))
                for (was, entry), place in zip(pairs, places, strict=True)
            ]
            place = files.joined(self._output, task.job.output)
            picture = self._seen(before["picture"], place, files.stamp, files.sha256, is_same_place=True)
        except (KeyError, TypeError, AttributeError, ValueError, OSError):
            return None  # the line is from another version, or a file is missing
        if picture is None or None in seen:
            return None
        for (_, entry), each in zip(pairs, seen, strict=True):
            entry.update(each or {})
        current: Record = {name: now[name] for name in ("content", "styles", "masks", "init", "labels") if name in now}
        return {**before, **current, "options": now["options"], "picture": picture}

    @staticmethod
    def _seen(
        was: Record, place: str, stamp: Callable[[str], str], sha256: Callable[[str], str], *, is_same_place: bool
    ) -> Record | None:
        """Return hash and stamp of a file that is the same as before, else None."""
        seen = stamp(place)
        # Another file may have the same stamp.
        has_same_stamp = is_same_place and seen and seen == was["stamp"]
        if not has_same_stamp and sha256(place) != was["sha256"]:
            return None
        return {"sha256": was["sha256"], "stamp": seen}


def _place(entry: Record) -> tuple[str, str | None]:
    """Return what tells where the file of an entry lies."""
    return entry["path"], entry.get("url_sha256")
