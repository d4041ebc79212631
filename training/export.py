"""The LiteRT files of mini: write them from checkpoints, and read weights back from them."""

import tempfile
from pathlib import Path

import numpy as np
from config import MiniConfig
from keras import ops
from painter import Painter, build_painter


def export(painter: Painter, folder: Path) -> None:
    """Write mini_style.tflite and mini_transfer.tflite with float16 weights, for pictures of any height and width."""
    import tensorflow as tf  # the converter exists for TensorFlow only

    painter.resize = tf.image.resize  # Keras' function accepts no sizes that are known at run time only
    numbers = painter.encode(np.zeros((1, 32, 32, 3), np.float32)).shape[1]
    picture = tf.TensorSpec((1, None, None, 3), tf.float32)

    @tf.function(input_signature=[picture])
    def style(style_image):
        return painter.encode(style_image)

    @tf.function(
        input_signature=[
            picture,
            tf.TensorSpec((1, numbers), tf.float32),
            tf.TensorSpec((1, None, None, 1), tf.float32),
        ]
    )
    def transfer(content_image, style_vector, noise):
        return ops.clip(painter.paint(content_image, style_vector, noise), 0.0, 1.0)

    for name, function in (("style", style), ("transfer", transfer)):
        converter = tf.lite.TFLiteConverter.from_concrete_functions([function.get_concrete_function()], painter)
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.target_spec.supported_types = [tf.float16]
        (folder / f"mini_{name}.tflite").write_bytes(converter.convert())


def take_exported(painter: Painter, folder: Path) -> None:
    """Read the float16 weights that `export` wrote, for a training without a checkpoint.

    The tensors in the files have names of the graph, not of the variables, and the converter multiplied some of them by
    a factor. To learn both, this function exports the painter with random weights and looks for each variable in the
    result.

    Args:
        painter: the painter that gets the weights; must be the first one built in this process.
        folder: folder with mini_style.tflite and mini_transfer.tflite.
    """
    rng = np.random.default_rng(0)
    for variable in painter.weights:
        variable.assign(rng.normal(0, 0.5, variable.shape))
    with tempfile.TemporaryDirectory() as written:
        export(painter, Path(written))
        random = _exported_tensors(Path(written))
    shipped = _exported_tensors(folder)
    for variable in painter.weights:
        known, fits = ops.convert_to_numpy(variable), []
        for name, tensor in random.items():
            if tensor.size == known.size:
                tensor = _as_variable(tensor, known.shape)
                factor = float(np.vdot(tensor, known) / np.vdot(known, known))
                if factor > 0.1 and np.abs(tensor - factor * known).max() < 5e-3:
                    fits.append((name, factor))
        ((name, factor),) = fits
        variable.assign(_as_variable(shipped[name], known.shape) / factor)


def _exported_tensors(folder: Path) -> dict[str, np.ndarray]:
    from ai_edge_litert.interpreter import Interpreter

    tensors = {}
    for part in ("style", "transfer"):
        file = Interpreter(str(folder / f"mini_{part}.tflite"))
        for detail in file.get_tensor_details():
            if detail["dtype"] == np.float16:
                tensors[f"{part}/{detail['name']}"] = file.get_tensor(detail["index"]).astype(np.float32)
    return tensors


def _as_variable(tensor: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Return a LiteRT tensor in the shape of a variable: (out, 3, 3, in) to (9 * in, out), (out, in) to (in, out)."""
    return (tensor.reshape(len(tensor), -1).T if len(shape) == 2 else tensor).reshape(shape)


def export_mean(config: MiniConfig, slim: Path, run: Path, steps: tuple[int, ...], folder: Path) -> None:
    """Export the mean of the checkpoints of a run after some numbers of steps (arXiv 1803.05407)."""
    painter = build_painter(config, slim, "float32")
    total = [np.zeros(variable.shape, np.float32) for variable in painter.weights]
    for step in steps:
        painter.load_weights(checkpoint(run, step))
        for summed, variable in zip(total, painter.weights, strict=True):
            summed += ops.convert_to_numpy(variable)
    for summed, variable in zip(total, painter.weights, strict=True):
        variable.assign(summed / len(steps))
    export(painter, folder)


def checkpoint(run: Path, step: int) -> Path:
    """Return the file of a run's checkpoint after a number of steps."""
    return run / f"mini-{step}.weights.h5"
