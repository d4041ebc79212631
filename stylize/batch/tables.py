"""Jobs from tables: CSV, JSON lines, Parquet."""

from __future__ import annotations

import csv
import difflib
import io
import json
import math
import os
from collections.abc import Callable, Iterator
from typing import Any

from stylize import files
from stylize.batch.jobs import Subject, WeightedStyles
from stylize.cli.options import column_names, column_of, split_weight
from stylize.config import INITS
from stylize.errors import OptionError, StylizeError

__all__ = ["subjects_of_manifest"]


def subjects_of_manifest(
    manifest: str, *, on_message: Callable[[str], None] = lambda message: None
) -> Iterator[Subject]:
    """Yield the rows of a table (.csv, .jsonl, .parquet) as they are read; its paths are relative to its own folder.

    Columns: `content`; `style`, of which several, `FILE:WEIGHT;FILE:WEIGHT`, are blended; `mode`; any option of fast
    and refine. All others are labels; one that looks like a slip of the pen is told of. Raises StylizeError.
    """
    base = manifest.rpartition("/")[0] if files.is_url(manifest) else os.path.dirname(manifest)
    columns: set[str] = set()
    for number, row in _rows(manifest):
        where = f"{manifest} line {number}"
        for column in [column for column in row if column not in columns]:
            columns.add(column)
            _check_column(manifest, column, on_message)
        cells: dict[str, str] = {}
        labels: dict[str, Any] = {}
        content = styles = None
        for column, value in row.items():
            plain = column.strip().lower()
            option = column_of(column)
            if plain in ("content", "style", "mode") or option is not None:
                text = _text(value)
                if not text:
                    continue
                if plain == "content":
                    content = text
                elif plain == "style":
                    styles = _styles(text, base, where)
                else:
                    cells[option or plain] = text
            else:
                labels[column] = value
        if content is None:
            raise StylizeError(f"{where}: expected a content, received {', '.join(row) or 'nothing'}")
        if "init" in cells and cells["init"] not in INITS:
            cells["init"] = files.joined(base, cells["init"])
        own = files.is_url(content) or os.path.isabs(content)
        folder = "" if own else os.path.normpath(os.path.dirname(content)).replace(os.sep, "/")
        yield Subject(
            files.joined(base, content),
            # What lies beside or above the manifest's folder has no place below the output.
            "" if folder == "." or folder.startswith("..") else folder,
            styles,
            tuple(sorted(cells.items())),
            labels,
            where,
        )
    if not columns:
        raise StylizeError(f"{manifest}: expected at least one row, received none")


def _check_column(manifest: str, column: str, on_message: Callable[[str], None]) -> None:
    known = ["content", "style", "mode", *column_names()]
    plain = column.strip().lower().replace("_", "-").replace(" ", "-")
    close = difflib.get_close_matches(plain, known, n=1, cutoff=0.8)
    if close and plain not in known and column_of(column) is None:
        on_message(f"{manifest}: column {column!r} is taken as a label; is {close[0]!r} meant?")


def _styles(text: str, base: str, where: str) -> WeightedStyles:
    styles = []
    for part in text.split(";"):
        path, weight = split_weight(part.strip())
        if weight is not None and not (math.isfinite(weight) and weight > 0):
            raise StylizeError(f"{where}: style {path}: expected a weight over 0, received {weight:g}")
        styles.append((files.joined(base, path), 1.0 if weight is None else weight))
    return tuple(styles)


def _text(value: Any) -> str:
    """Return a cell as a user writes it in a table; empty where nothing is given."""
    if isinstance(value, (list, tuple)):
        return ";".join(map(_text, value))
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))  # a column with gaps becomes one of floats on the way through a data frame
    return str(value).strip()


def _rows(manifest: str) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield numbered rows; of a Parquet file the first is 1, of a text file its line."""
    suffix = manifest.rpartition(".")[2].lower()
    if suffix not in ("csv", "jsonl", "parquet"):
        raise OptionError(f"--manifest {manifest}: expected a suffix of csv, jsonl, parquet, received {suffix}")
    try:
        with files.opened(manifest) as file:
            yield from {"csv": _csv_rows, "jsonl": _jsonl_rows, "parquet": _parquet_rows}[suffix](manifest, file)
    except OSError as error:
        raise StylizeError(f"{manifest}: could not be read: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise StylizeError(f"{manifest}: expected UTF-8, received something else ({error.reason})") from error


def _csv_rows(manifest: str, file: Any) -> Iterator[tuple[int, dict[str, Any]]]:
    with io.TextIOWrapper(file, "utf-8-sig", newline="") as text:
        reader = csv.DictReader(text, strict=True)
        try:
            for row in reader:
                if None in row:
                    raise StylizeError(f"{manifest} line {reader.line_num}: expected as many cells as columns")
                yield reader.line_num, {name: value or "" for name, value in row.items()}
        except csv.Error as error:
            raise StylizeError(f"{manifest} line {reader.line_num}: expected CSV ({error})") from error


def _jsonl_rows(manifest: str, file: Any) -> Iterator[tuple[int, dict[str, Any]]]:
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


def _parquet_rows(manifest: str, file: Any) -> Iterator[tuple[int, dict[str, Any]]]:
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError as error:
        raise StylizeError(f'{manifest}: reading Parquet needs pyarrow: pip install "stylize[batch]"') from error
    try:
        batches = parquet.ParquetFile(file).iter_batches(batch_size=1024)
        rows = (row for batch in batches for row in batch.to_pylist())
        for number, row in enumerate(rows, start=1):
            # Dates and decimals as text, as JSON has them.
            yield number, json.loads(json.dumps(row, default=str))
    except pyarrow.ArrowException as error:
        raise StylizeError(f"{manifest}: expected a Parquet file ({str(error).splitlines()[0]})") from error
