"""The method of Gatys, Ecker and Bethge 2015 in one file, to read and to change: a network, two losses, an optimiser.

    python examples/gatys.py CONTENT STYLE OUTPUT [--steps N]

`refine` adds what docs/how-it-works.md explains: sizes from coarse to fine, a better optimiser, and more losses.

Here all steps are at one size. Four things differ from the paper: the pixels start from the photo; losses are divided
by the size of their targets, so that one pair of weights does for all pictures; the optimiser is Adam; and the picture
of the lowest loss is saved.
"""

from __future__ import annotations

import argparse

from PIL import Image

import stylize
from stylize.images.resizing import resized, size_for_long_side
from stylize.losses.features import content_scale, gram_loss, gram_sum, squared_distance
from stylize.networks.backend import array_of, framework, numpy_of, ops
from stylize.optimize.adam import Adam

LONG_SIDE_PX = 256
CONTENT_LAYER = "relu4_2"
STYLE_LAYERS = ("relu1_1", "relu2_1", "relu3_1", "relu4_1", "relu5_1")
CONTENT_WEIGHT, STYLE_WEIGHT = 0.05, 1.0


def gram(activation):
    """Return the Gram matrix (C, C) of activations (1, h, w, C): which channels are high together."""
    _, height, width, _ = ops.shape(activation)
    return gram_sum(activation) / ops.cast(height * width, "float32")


def main(content: str, style: str, output: str, steps: int) -> None:
    """Paint `content` in the style of `style`, and save the picture."""
    networks = stylize.LoadedNetworks()
    # VGG-19, which is downloaded (80 MB) if it is not there, or else vgg19-slim, which comes with the project.
    weights = networks.find("auto", "features", on_message=print)
    network = networks.encoder(weights, [*STYLE_LAYERS, CONTENT_LAYER], pooling="avg", precision="float32")

    photo, painting = (at_size(stylize.read_image(path).pixels) for path in (content, style))
    target = network(array_of(photo[None]))[CONTENT_LAYER]
    scale = content_scale(target, "relative")
    seen = network(array_of(painting[None]))
    targets = [gram(seen[layer]) for layer in STYLE_LAYERS]

    def loss(pixels):
        seen = network(pixels[None])
        content_loss = scale * squared_distance(seen[CONTENT_LAYER], target, 1.0)
        style_losses = [
            gram_loss(gram(seen[layer]), wanted, "relative")
            for layer, wanted in zip(STYLE_LAYERS, targets, strict=True)
        ]
        style_loss = sum(style_losses) / len(style_losses)
        return CONTENT_WEIGHT * content_loss + STYLE_WEIGHT * style_loss, (content_loss, style_loss)

    value_and_gradient = framework.compiled(framework.value_and_gradient(loss))
    optimizer = Adam(photo, stylize.OptimizationConfig(learning_rate=0.02))
    for step in range(1, steps + 1):
        total, (content_loss, style_loss), gradient = value_and_gradient(optimizer.ask())
        optimizer.tell(float(total), gradient)
        if step % 10 == 0 or step == steps:
            print(f"step {step}: content {float(content_loss):.3f}, style {float(style_loss):.3f}")
    # The picture of the lowest loss.
    Image.fromarray((numpy_of(optimizer.best) * 255 + 0.5).astype("uint8")).save(output)


def at_size(pixels):
    """Return pixels (H, W, 3) with a long side of LONG_SIDE_PX."""
    return resized(pixels, *size_for_long_side(*pixels.shape[:2], LONG_SIDE_PX))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name in ("content", "style", "output"):
        parser.add_argument(name)
    parser.add_argument("--steps", type=int, default=100)
    main(**vars(parser.parse_args()))
