"""TensorFlow Hub's tutorial "Fast style transfer for arbitrary styles", for one pair.

    python benchmarks/hub_tutorial.py MODULE CONTENT STYLE OUTPUT SIZE

`startup.py` measures this script beside `stylize fast`. Nothing is downloaded: MODULE is a folder.
"""

import sys

import tensorflow as tf
import tensorflow_hub as hub


def main() -> None:
    module, content, style, output, size = sys.argv[1:]
    stylized = hub.load(module)(_load(content, int(size)), _load(style, 256))[0]
    tf.io.write_file(output, tf.io.encode_png(tf.cast(tf.clip_by_value(stylized[0], 0, 1) * 255, tf.uint8)))


def _load(path: str, size: int) -> tf.Tensor:
    """Return a picture (1, H, W, 3) of that size in [0, 1]."""
    image = tf.io.decode_image(tf.io.read_file(path), channels=3, dtype=tf.float32, expand_animations=False)[None]
    return tf.image.resize(image, [size] * 2, preserve_aspect_ratio=True)


if __name__ == "__main__":
    main()
