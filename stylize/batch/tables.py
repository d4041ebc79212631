"""Contents from tables: CSV, JSON lines, Parquet."""

from __future__ import annotations

import csv
import difflib
import io
import json
import math
import os
from collections.abc import Callable, Iterator, Mapping
from typing import Any, BinaryIO

from stylize import files
from stylize.batch.jobs import Subject, WeightedStyles
from stylize.config import INITS
from stylize.errors import OptionError, StylizeError
from stylize.text import split_weight

__all__ = ["subjects_of_manifest"]

_Row = Mapping[str, Any]

# The columns that are no options.
_COLUMNS = ("content", "style", "mode")


def subjects_of_manifest(
    manifest: str, options: Mapping[str, str], *, on_message: Callable[[str], None] = lambda message: None
) -> Iterator[Subject]:
    """Yield the rows of a table while reading.

    The columns are `content`; `style`, where `FILE:WEIGHT;FILE:WEIGHT` blends several styles; `mode`; and the options.
    Every other column is a label. Paths are relative to the table's folder.

    Args:
        manifest: path or URL of a .csv, .jsonl or .parquet file.
        options: the option that a column sets, by the column's name in small letters with `-` between words.
        on_message: called with a warning where a label's name looks like a misspelt column.

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
                _warn_of_misspelling(manifest, column, options, on_message)
        yield _subject(row, options, base, f"{manifest} line {number}")
    if not columns:
        raise StylizeError(f"{manifest}: expected at least one row, received none")


def _subject(row: _Row, options: Mapping[str, str], base: str, where: str) -> Subject:
    cells: dict[str, str] = {}
    labels: dict[str, Any] = {}
    content = styles = None
    for column, value in row.items():
        name = _meaning(column, options)
        if name is None:
            labels[column] = value
            continue
        text = _text(value)
        if not text:
            continue  # the run's own value stays
        if name == "content":
            content = text
        elif name == "style":
            styles = _styles(text, base, where)
        else:
            cells[name] = text
    if content is None:
        raise StylizeError(f"{where}: expected a content, received {', '.join(row) or 'nothing'}")
    if "init" in cells and cells["init"] not in INITS:
        cells["init"] = files.joined(base, cells["init"])
    return Subject(
        files.joined(base, content), _output_folder(content), styles, tuple(sorted(cells.items())), labels, where
    )


def _output_folder(content: str) -> str:
    """Return the folder of a content's outputs: the content's own, if the table's folder contains it."""
    if files.is_url(content) or os.path.isabs(content):
        return ""
    folder = os.path.normpath(os.path.dirname(content)).replace(os.sep, "/")
    return "" if folder == "." or folder.startswith("..") else folder


def _meaning(column: str, options: Mapping[str, str]) -> str | None:
    """Return content, style, mode or the option that a column sets; None for a label."""
    name = column.strip().lower()
    return name if name in _COLUMNS else options.get(_dashed(name).lstrip("-"))


def _dashed(name: str) -> str:
    return name.replace(" ", "-").replace("_", "-")


def _warn_of_misspelling(
    manifest: str, column: str, options: Mapping[str, str], on_message: Callable[[str], None]
) -> None:
    close = difflib.get_close_matches(_dashed(column.strip().lower()), [*_COLUMNS, *options], n=1, cutoff=0.8)
    if close and _meaning(column, options) is None:
        on_message(f"{manifest}: column {column!r} is taken as a label; is {close[0]!r} meant?")


def _styles(text: str, base: str, where: str) -> WeightedStyles:
    """Return the styles of `FILE:WEIGHT;FILE:WEIGHT`; a missing weight is 1."""
    styles = []
    for part in text.split(";"):
        path, weight = split_weight(part.strip())
        if weight is not None and not (math.isfinite(weight) and weight > 0):
            raise StylizeError(f"{where}: style {path}: expected a weight over 0, received {weight:g}")
        styles.append((files.joined(base, path), 1.0 if weight is None else weight))
    return tuple(styles)


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
    readers = {"csv": _csv_rows, "jsonl": _jsonl_rows, "parquet": _parquet_rows}
    suffix = manifest.rpartition(".")[2].lower()
    if suffix not in readers:
        raise OptionError(f"manifest: expected a suffix of {', '.join(readers)}, received {manifest}")
    try:
        with files.opened(manifest) as file:
            yield from readers[suffix](manifest, file)
    except OSError as error:
        raise StylizeError(f"{manifest}: could not be read: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise StylizeError(f"{manifest}: expected UTF-8, received something else ({error.reason})") from error


def _csv_rows(manifest: str, file: BinaryIO) -> Iterator[tuple[int, _Row]]:
    with io.TextIOWrapper(file, "utf-8-sig", newline="") as text:
        reader = csv.DictReader(text, strict=True)
        try:
            for row in reader:
                if None in row:
                    raise StylizeError(f"{manifest} line {reader.line_num}: expected as many cells as columns")
                yield reader.line_num, {name: value or "" for name, value in row.items()}
        except csv.Error as error:
            raise StylizeError(f"{manifest} line {reader.line_num}: expected CSV ({error})") from error


def _jsonl_rows(manifest: str, file: BinaryIO) -> Iterator[tuple[int, _Row]]:
    with io.TextIOWrapper(file, "utf-8-sig") as text:
        for number, line in enumerate(text, start=1):
            if not line.strip():
                continue
            try:
                row = json.loads(line)
            except ValueError as error:
                raise StylizeError(f"{manifest} line {number}: expected a JSON object ({error})") from error
            if not isinstance(row, dict):
                raise StylizeError(f"{manifest} line {number}: expected a JSON object, received {type(row).__name__}")
            yield number, row


def _parquet_rows(manifest: str, file: BinaryIO) -> Iterator[tuple[int, _Row]]:
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError as error:
        raise StylizeError(f'{manifest}: reading Parquet needs pyarrow: pip install "stylize[batch]"') from error
    try:
        batches = parquet.ParquetFile(file).iter_batches(batch_size=1024)
        rows = (row for batch in batches for row in batch.to_pylist())
        for number, row in enumerate(rows, start=1):
            # JSON has no dates and decimals: they become text.
            yield number, json.loads(json.dumps(row, default=str))
    except pyarrow.ArrowException as error:
        raise StylizeError(f"{manifest}: expected a Parquet file ({str(error).splitlines()[0]})") from error
