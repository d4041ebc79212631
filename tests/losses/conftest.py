"""The losses without graphs of TensorFlow."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from stylize.networks import devices


@pytest.fixture(scope="module", autouse=True)
def without_graphs(request: pytest.FixtureRequest) -> Iterator[None]:
    """Run TensorFlow's functions as they stand: to trace a graph takes longer than some evaluations do.

    `test_golden.py` and whole refinements test the graphs.
    """
    if devices.chosen().backend != "tensorflow" or request.path.stem == "test_golden":
        yield
        return
    tensorflow = devices.tensorflow()
    tensorflow.config.run_functions_eagerly(True)
    yield
    tensorflow.config.run_functions_eagerly(False)
