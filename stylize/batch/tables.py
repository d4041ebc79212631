"""Contents from tables: CSV, JSON lines, Parquet."""

from __future__ import annotations

import codecs
import collections
import csv
import difflib
import io
import itertools
import json
import math
import os
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from typing import Any

from stylize import files
from stylize.batch.jobs import Subject, WeightedStyles
from stylize.config import INITS
from stylize.errors import OptionError, StylizeError
from stylize.schema import parsed, shown
from stylize.styles import StyleName, is_name
from stylize.text import split_weight

__all__ = ["subjects_of_manifest"]

_Row = Mapping[str, Any]

# The columns that are no options.
_COLUMNS = ("content", "style", "mask", "mode")

# What spreadsheets write between cells.
_SEPARATORS = (",", ";", "\t")

# Of such characters is a line that spreadsheets write for a row of empty cells.
_BLANK = "".join(_SEPARATORS) + " \r\n"


def subjects_of_manifest(
    manifest: str, options: Mapping[str, str], *, other_options: Collection[str] = (),
    on_message: Callable[[str], None] = lambda message: None,
) -> Iterator[Subject]:  # fmt: skip
    """Yield the rows of a table while reading.

    The columns are `content`; `style`, where `FILE:WEIGHT;@NAME:WEIGHT` blends several styles; `mask`, where
    `FILE;FILE` gives each style its own; `mode`; and the options. Every other column is a label. Paths are relative to
    the table's folder.

    Args:
        manifest: path or URL of a .csv, .tsv, .jsonl or .parquet file.
        options: the option that a column sets, by the column's name in small letters with `-` between words.
        other_options: the names of options that no column sets.
        on_message: called with a warning where a label has the name of an option, or looks like a misspelt column.

    Raises:
        OptionError: the table has an unknown suffix.
        StylizeError: the table cannot be read, has no rows, or has a row without content.
    """
    base = manifest.rpartition("/")[0] if files.is_url(manifest) else os.path.dirname(manifest)
    columns: set[str] = set()
    for number, row in _rows(manifest):
        for column in row:
            if column not in columns:
                columns.add(column)
                _warn_of_label(manifest, column, options, other_options, on_message)
        yield _subject(row, options, base, f"{manifest} line {number}")
    if not columns:
        raise StylizeError(f"{manifest}: expected at least one row, received none")


def _subject(row: _Row, options: Mapping[str, str], base: str, where: str) -> Subject:
    cells: dict[str, str] = {}
    labels: dict[str, Any] = {}
    for column, value in row.items():
        name = _meaning(column, options)
        if name is None:
            labels[column] = value
        elif text := _text(value):  # an empty cell: the run's own value stays
            if name in cells:
                raise StylizeError(f"{where}: expected one column {name}, received several")
            if "\0" in text:  # no file has such a name
                raise StylizeError(f"{where}: {name}: expected text without null characters, received {shown(text)}")
            cells[name] = text
    content, style, mask = (cells.pop(name, None) for name in ("content", "style", "mask"))
    if content is None:
        raise StylizeError(f"{where}: expected a content, received {', '.join(row) or 'nothing'}")
    if "init" in cells and cells["init"] not in INITS:
        cells["init"] = files.joined(base, cells["init"])
    return Subject(
        files.joined(base, content), _output_folder(content), None if style is None else _styles(style, base, where),
        () if mask is None else tuple(files.joined(base, path) for path in _parts(mask, base)),
        tuple(sorted(cells.items())), labels, where,
    )  # fmt: skip


def _output_folder(content: str) -> str:
    """Return the folder of a content's outputs: the content's own, if the table's folder contains it."""
    drive, path = os.path.splitdrive(content)
    # On Windows `C:a.jpg` and `\a.jpg` are not absolute, and yet do not start from the table's folder.
    if files.is_url(content) or drive or path.startswith(("/", os.sep)):
        return ""
    folder = os.path.normpath(os.path.dirname(content)).replace(os.sep, "/")
    return "" if folder == "." or folder.startswith("..") else folder


def _meaning(column: str, options: Mapping[str, str]) -> str | None:
    """Return content, style, mode or the option that a column sets; None for a label."""
    name = column.strip().lower()
    return name if name in _COLUMNS else options.get(_dashed(name).lstrip("-"))


def _dashed(name: str) -> str:
    return name.replace(" ", "-").replace("_", "-")


def _warn_of_label(
    manifest: str,
    column: str,
    options: Mapping[str, str],
    other_options: Collection[str],
    on_message: Callable[[str], None],
) -> None:
    if _meaning(column, options) is not None:
        return
    name = _dashed(column.strip().lower()).lstrip("-")
    close = difflib.get_close_matches(name, [*_COLUMNS, *options], n=1, cutoff=0.8)
    if name in other_options:
        on_message(f"{manifest}: column {column!r} is taken as a label, not as the option --{name}")
    elif close:
        on_message(f"{manifest}: column {column!r} is taken as a label; is {close[0]!r} meant?")


def _styles(text: str, base: str, where: str) -> WeightedStyles:
    """Return the styles of `FILE:WEIGHT;FILE:WEIGHT`; a missing weight is 1."""
    styles = []
    for part in _parts(text, base):
        path, weight = split_weight(part) if is_name(part) else files.weighted(part, base)
        if weight is not None and not (math.isfinite(weight) and weight > 0):
            raise StylizeError(f"{where}: style {path}: expected a weight over 0, received {weight:g}")
        styles.append((_style(path, base, where), 1.0 if weight is None else weight))
    return tuple(styles)


def _style(path: str, base: str, where: str) -> str:
    if not is_name(path):
        return files.joined(base, path)
    try:
        return StyleName(path)
    except StylizeError as error:
        raise StylizeError(f"{where}: {error}") from error


def _parts(text: str, base: str) -> list[str]:
    """Split `FILE;FILE`, unless a file has the whole name."""
    whole = files.joined(base, text)
    if not files.is_url(whole) and os.path.lexists(whole):
        return [text]
    return [part.strip() for part in text.split(";") if part.strip()]


def _text(value: Any) -> str:
    """Return a cell as a user writes it in a CSV table; an empty text if the cell is empty."""
    if isinstance(value, (list, tuple)):
        return ";".join(map(_text, value))
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))  # data frames turn a column of whole numbers with gaps into floats
    return str(value).strip()


def _rows(manifest: str) -> Iterator[tuple[int, _Row]]:
    """Yield rows and their numbers: the line of a text file; the row of a Parquet file, from 1."""
    readers = {"csv": _csv_rows, "tsv": _csv_rows, "jsonl": _jsonl_rows, "parquet": _parquet_rows}
    suffix = files.suffix(manifest).lower()
    if suffix not in readers:
        raise OptionError(f"manifest: expected a suffix of {', '.join(readers)}, received {manifest}")
    try:
        with files.opened(manifest) as file:
            yield from readers[suffix](manifest, file)
    except OSError as error:
        raise StylizeError(f"{manifest}: could not be read: {error.strerror or error}") from error
    except UnicodeError as error:
        raise StylizeError(
            f"{manifest}: expected UTF-8 or UTF-16, received another encoding; save it as CSV UTF-8"
        ) from error


def _text_lines(file: io.BufferedReader) -> io.TextIOWrapper:
    """Return the file as text: UTF-8, or UTF-16 with its mark, which spreadsheets and PowerShell write."""
    mark = file.peek(2)[:2]
    encoding = "utf-16" if mark in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE) else "utf-8-sig"
    return io.TextIOWrapper(file, encoding, newline="")


def _csv_rows(manifest: str, file: io.BufferedReader) -> Iterator[tuple[int, _Row]]:
    with _text_lines(file) as text:
        lines = enumerate(text)
        above, first = _header(lines)
        if first.lower().startswith("sep="):  # a line for Excel
            separator = first[4:].strip("\r\n")
            if len(separator) != 1:
                raise StylizeError(
                    f"{manifest} line {above + 1}: expected sep= and one character, received {first.strip()!r}"
                )
            above, first = _header(lines)
        else:
            separator = _separator(first)
        reader = csv.DictReader(itertools.chain([first], text), strict=True, delimiter=separator)
        try:
            _check_columns(reader.fieldnames or (), f"{manifest} line {above + 1}")
            for row in reader:
                line = reader.line_num + above
                beyond = row.pop(None, [])
                if any(beyond):
                    raise StylizeError(f"{manifest} line {line}: expected as many cells as columns")
                if any(value and value.strip() for value in row.values()):  # spreadsheets write rows of empty cells
                    yield line, {name: value or "" for name, value in row.items() if name or value}
        except csv.Error as error:
            raise StylizeError(f"{manifest} line {reader.line_num + above}: expected CSV ({error})") from error


def _header(lines: Iterator[tuple[int, str]]) -> tuple[int, str]:
    """Return the next line that is not blank, and the number of lines above it."""
    return next(((above, line) for above, line in lines if line.strip(_BLANK)), (0, ""))


def _check_columns(names: Iterable[str], where: str) -> None:
    """Raise StylizeError if several columns have one name: all but the last would be lost."""
    for name, count in collections.Counter(names).items():
        if count > 1 and name.strip():
            raise StylizeError(f"{where}: expected one column {name}, received several")


def _separator(header: str) -> str:
    """Return what separates the cells of a table: with it, `content` is one of the columns."""
    for separator in _SEPARATORS:
        names = next(csv.reader([header], delimiter=separator), [])
        if "content" in (name.strip().lower() for name in names):
            return separator
    return _SEPARATORS[0]


def _jsonl_rows(manifest: str, file: io.BufferedReader) -> Iterator[tuple[int, _Row]]:
    with _text_lines(file) as text:
        for number, line in enumerate(text, start=1):
            if not line.strip():
                continue
            where = f"{manifest} line {number}"
            try:
                row = parsed(line)
            except ValueError as error:
                raise StylizeError(f"{where}: expected a JSON object ({error})") from error
            if not isinstance(row, dict):
                raise StylizeError(f"{where}: expected a JSON object, received {shown(row)}")
            _check_keys(line, where)
            yield number, row


def _check_keys(line: str, where: str) -> None:
    """Raise StylizeError if an object has several keys of one name, of which parsing keeps the last."""
    json.loads(line, object_pairs_hook=lambda pairs: _check_columns((name for name, _ in pairs), where))


def _parquet_rows(manifest: str, file: io.BufferedReader) -> Iterator[tuple[int, _Row]]:
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError as error:
        raise StylizeError(f'{manifest}: reading Parquet needs pyarrow: pip install "stylize-art[batch]"') from error
    try:
        table = parquet.ParquetFile(file)
        _check_columns(table.schema_arrow.names, manifest)
        batches = table.iter_batches(batch_size=1024)
        rows = (row for batch in batches for row in batch.to_pylist())
        for number, row in enumerate(rows, start=1):
            # JSON has no dates and decimals: they become text.
            yield number, json.loads(json.dumps(row, default=str))
    except pyarrow.ArrowException as error:
        raise StylizeError(f"{manifest}: expected a Parquet file ({str(error).splitlines()[0]})") from error
