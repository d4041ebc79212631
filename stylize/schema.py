"""Data from outside: JSON that may be damaged or made up, checked before anything uses it."""

from __future__ import annotations

import json
import os
import re
import reprlib
from collections.abc import Callable
from typing import Any, TypeVar

__all__ = ["checked", "parsed", "shown"]

Checked = TypeVar("Checked")

# Our own JSON is 6 levels deep. Code that follows values by recursion can follow this many levels.
_MAX_DEPTH = 100

_REPR = reprlib.Repr()
_REPR.maxstring = _REPR.maxother = _REPR.maxlong = 60


def shown(value: object) -> str:
    """Return the `repr` of a received value for an error message, shortened to about 60 characters."""
    return _REPR.repr(value)


def parsed(text: str | bytes) -> Any:
    """Parse JSON from outside.

    Returns:
        Values that all code can follow and write: at most 100 levels deep, and every text can be a file's name.

    Raises:
        ValueError: the text is no such JSON; the message is one line.
    """
    try:
        value = json.loads(text)
    except RecursionError:
        raise ValueError(_too_deep()) from None
    _check_values(value)
    return value


def checked(value: object, kind: type[Checked], convert_error: Callable[[str], Exception] = ValueError) -> Checked:
    """Return parsed JSON as an instance of `kind`.

    Args:
        value: dicts, lists, texts, numbers, booleans and None.
        kind: a type that msgspec converts to, such as a dataclass. Fields that it does not have are passed over.
        convert_error: makes the error from a message in one line.

    Raises:
        Exception: of `convert_error`; a field is missing, has the wrong type, or is refused by the dataclass.
    """
    import msgspec

    try:
        return msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        own = isinstance(error.__cause__, ValueError)
        raise convert_error(str(error.__cause__) if own else _sentence(str(error), value)) from None
    except OverflowError:
        raise convert_error("expected smaller numbers") from None


def _too_deep() -> str:
    return f"expected JSON of at most {_MAX_DEPTH} levels, received more"


def _check_values(value: Any) -> None:
    """Raise ValueError for JSON that is too deep, or that has texts which no file system knows. Needs no recursion."""
    level = [value]
    for _ in range(_MAX_DEPTH):
        texts = [item for item in level if isinstance(item, str)]
        texts += [key for item in level if isinstance(item, dict) for key in item]
        for text in texts:
            try:
                os.fsencode(text)
            except UnicodeEncodeError:
                raise ValueError(f"expected text, received half a character in {shown(text)!a}") from None
        inner = [item.values() if isinstance(item, dict) else item for item in level if isinstance(item, (dict, list))]
        level = [item for items in inner for item in items]
        if not level:
            return
    raise ValueError(_too_deep())


def _sentence(message: str, value: Any) -> str:
    """Return a message of msgspec in our form: where, what was expected, what was received."""
    what, _, path = message.partition(" - at `$")
    path = path.rstrip("`")
    for key, index in re.findall(r"\.(\w+)|\[(\d+)\]", path):
        if isinstance(value, (dict, list)) and "[...]" not in path:
            value = value[key] if key else value[int(index)]
    expected, _, field = what.replace("`", "").partition(" missing required field ")
    if field:
        sentence = f"expected {field}, received none"
    elif expected.startswith("Expected "):
        sentence = f"expected {expected.removeprefix('Expected ').split(', got ')[0]}, received {shown(value)}"
    else:
        sentence = f"expected another value, received {shown(value)}"
    return f"{path.lstrip('.')}: {sentence}" if path else sentence
