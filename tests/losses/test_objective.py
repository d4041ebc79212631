"""The losses against values worked out by hand, and the properties that any of them must have."""

from __future__ import annotations

import functools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from samples import painting, tiny_convolutions
from stylize.config import GATYS_STYLE_LAYERS, PerceptualLossConfig
from stylize.losses import pixels
from stylize.losses.features import content_scale, gram_loss, gram_sum, moment_loss
from stylize.losses.objective import Objective
from stylize.losses.pixels import frame_loss, palette, palette_loss, total_variation
from stylize.networks.backend import tf
from stylize.networks.vgg import EncoderWeights, FeatureEncoder
from stylize.presets import PRESETS

# Two positions, two channels: f1 = (1, 2), f2 = (3, 4).
FEATURES = np.array([[[[1.0, 2.0], [3.0, 4.0]]]], np.float32)
TARGET = np.array([[[[0.0, 2.0], [3.0, 1.0]]]], np.float32)


def test_gram_sum_by_hand():
    # f1 f1' + f2 f2' = [1 2; 2 4] + [9 12; 12 16]
    np.testing.assert_allclose(gram_sum(FEATURES), [[10, 14], [14, 20]])


def test_content_loss_by_hand():
    # Differences 1, 0, 0, 3: squares sum to 10; the target's squares to 0 + 4 + 9 + 1 = 14.
    assert _content_loss("sum") == 10
    assert _content_loss("mean") == 2.5
    assert _content_loss("relative") == pytest.approx(10 / 14)


def _content_loss(normalization: str) -> float:
    return float(content_scale(TARGET, normalization)) * float(((FEATURES - TARGET) ** 2).sum())


def test_style_loss_by_hand():
    gram, target = gram_sum(FEATURES) / 2, gram_sum(TARGET) / 2
    # Target Gram: ([0 0; 0 4] + [9 3; 3 1]) / 2 = [4.5 1.5; 1.5 2.5]; differences .5 5.5 5.5 7.5.
    squares = 0.25 + 30.25 + 30.25 + 56.25
    assert float(gram_loss(gram, target, "mean")) == pytest.approx(squares / 4)
    assert float(gram_loss(gram, target, "relative")) == pytest.approx(squares / (20.25 + 2.25 + 2.25 + 6.25))


def test_moment_loss_by_hand():
    # Means [2 3] and [1.5 1.5]; covariances [1 1; 1 1] and [2.25 -.75; -.75 .25].
    with_ones = [np.concatenate([each.reshape(2, 2), np.ones((2, 1), np.float32)], 1) for each in (FEATURES, TARGET)]
    moments = [each.T @ each / 2 for each in with_ones]
    np.testing.assert_allclose(moments[0], [[5, 7, 2], [7, 10, 3], [2, 3, 1]])
    of_mean, of_covariance = 0.5**2 + 1.5**2, 1.25**2 + 2 * 1.75**2 + 0.75**2
    energy, spread = 2 * 1.5**2, 2.25**2 + 2 * 0.75**2 + 0.25**2
    expected = of_mean / energy + of_covariance / (spread + 0.01 * energy**2)
    assert float(moment_loss(*moments, "relative")) == pytest.approx(expected)
    assert float(moment_loss(*moments, "mean")) == pytest.approx(of_mean / 2 + of_covariance / 4)


@pytest.mark.parametrize("normalization", ["relative", "mean"])
def test_the_gradient_of_the_moment_loss_is_that_of_its_formula(normalization):
    random = np.random.default_rng(0)
    moments, target = (each.T @ each / 40 for each in random.normal(1, 1, (2, 40, 4)).astype(np.float32))
    way = random.normal(size=(4, 4)).astype(np.float32)
    way[-1] = 0  # the last row is the last column again
    with tf.GradientTape() as tape:
        tape.watch(there := tf.constant(moments))
        loss = 3 * moment_loss(there, target, normalization)
    slope = float(tf.reduce_sum(tape.gradient(loss, there) * way))
    ends = (3 * float(moment_loss(moments + sign * 0.01 * way, target, normalization)) for sign in (1, -1))
    assert slope == pytest.approx((next(ends) - next(ends)) / 0.02, rel=1e-2)


def test_total_variation_by_hand():
    image = np.zeros((1, 2, 2, 3), np.float32)
    image[0, 0, 0, 0] = 0.5  # one channel of one pixel: one vertical and one horizontal difference of .5
    assert total_variation(image, "mean")[0] == float(tf.image.total_variation(tf.constant(image))[0]) == 1.0
    # Of red .5: luma .299 / 2, chroma .596 / 2 and .211 / 2, weighing 16; two differences over four pixels.
    energy = 0.25 * (0.299**2 + 16 * (0.596**2 + 0.211**2))
    assert total_variation(image, "relative")[0] == pytest.approx(2 * energy / 4)


@pytest.mark.parametrize("normalization", ["relative", "mean"])
def test_the_gradient_of_total_variation_is_that_of_its_value_whatever_the_bands(normalization):
    image = painting(23, 31, 0)[None].astype(np.float64)
    value, gradient = total_variation(image, normalization)
    direction = np.random.default_rng(0).normal(size=image.shape)
    ends = (total_variation(image + sign * 1e-5 * direction, normalization)[0] for sign in (1, -1))
    assert (next(ends) - next(ends)) / 2e-5 == pytest.approx(float((gradient * direction).sum()), rel=1e-3)
    in_bands = total_variation(image, normalization, band_rows=5)
    assert in_bands[0] == pytest.approx(value, rel=1e-5)
    np.testing.assert_allclose(in_bands[1], gradient, atol=1e-6 * np.abs(gradient).max())


def _layer_loss(config: PerceptualLossConfig, kind: str, layer: str, value: float) -> float:
    layers = dict(config.content_layers if kind == "content" else config.style_layers)
    weight = config.content_weight if kind == "content" else config.style_weight
    return weight * layers[layer] * value


def test_ml_art_combine_formulas_by_hand():
    """J_content = |F - P|^2 / (4 H W D), J_style = |G - A|^2 / (4 D^2 (H W)^2) with sums for Gram matrices."""
    config = PRESETS["ml-art-combine"].config.loss
    height, width, depth = 1, 2, 2
    by_formula = 10 * 10 / (4 * height * width * depth)  # alpha 10; squares sum to 10
    ours = _content_loss(config.normalization)
    assert _layer_loss(config, "content", "relu5_4", ours) == pytest.approx(by_formula)

    flat, target = FEATURES.reshape(-1, 2), TARGET.reshape(-1, 2)
    squares = ((flat.T @ flat - target.T @ target) ** 2).sum()
    by_formula = 40 * 0.4 * squares / (4 * depth**2 * (height * width) ** 2)  # beta 40, relu3_1 weighted .4
    ours = float(gram_loss(gram_sum(FEATURES) / 2, gram_sum(TARGET) / 2, config.normalization))
    assert _layer_loss(config, "style", "relu3_1", ours) == pytest.approx(by_formula)


def test_gatys_formulas_by_hand():
    """L_content = 1/2 |F - P|^2 (equation 1) and E = 1/(4 N^2 M^2) |G - A|^2 (equation 4) of the 2015 paper."""
    config = PRESETS["gatys"].config.loss
    assert config.content_weight / config.style_weight == 1e-3
    ours = _content_loss(config.normalization)
    assert _layer_loss(config, "content", "relu4_2", ours) == pytest.approx(1e-3 * 10 / 2)
    flat, target = FEATURES.reshape(-1, 2), TARGET.reshape(-1, 2)
    squares = ((flat.T @ flat - target.T @ target) ** 2).sum()
    ours = float(gram_loss(gram_sum(FEATURES) / 2, gram_sum(TARGET) / 2, config.normalization))
    assert _layer_loss(config, "style", "relu1_1", ours) == pytest.approx(0.2 * squares / (4 * 2**2 * 2**2))


@functools.cache  # tracing a graph costs more than all the arithmetic here
def _loss(config: PerceptualLossConfig, **options) -> Objective:
    layers = [name for name, _ in (*config.content_layers, *config.style_layers)]
    return Objective(
        FeatureEncoder(EncoderWeights(tiny_convolutions()), layers, precision="float32", **options), config
    )


@pytest.mark.parametrize("octaves", [1, 3])
@pytest.mark.parametrize("normalization", ["relative", "mean", "sum"])
def test_loss_is_zero_at_the_target(normalization, octaves):
    loss = _loss(PerceptualLossConfig(normalization=normalization, octaves=octaves, total_variation_weight=0.0))
    picture = painting(64, 72, 0)[None]
    terms = loss.feature_terms(tf.constant(picture), loss.targets.encode(picture, [(picture, 1.0)]))
    assert float(terms["total"]) == pytest.approx(0, abs=1e-9)


@settings(max_examples=8, deadline=None, derandomize=True)
@given(seed=st.integers(0, 1000), octaves=st.sampled_from([1, 2]), edge=st.booleans())
def test_gradient_agrees_with_finite_differences(seed, octaves, edge):
    config = PerceptualLossConfig(total_variation_weight=0.1, octaves=octaves)
    loss = _loss(config, edge_padding=edge)
    content, style, image = (painting(40, 36, seed + i)[None] for i in range(3))
    targets = loss.targets.encode(content, [(style, 1.0)])
    terms, gradient = loss.value_and_gradient(image, targets)
    direction = gradient / np.abs(gradient).max() + np.random.default_rng(seed).normal(0, 0.1, image.shape)
    direction = direction.astype(np.float32)
    step = 2e-4  # small enough to cross few kinks of ReLU and max pooling, large enough for float32
    ahead, behind = (loss.value_and_gradient(image + sign * step * direction, targets)[0]["total"] for sign in (1, -1))
    assert (ahead - behind) / (2 * step) == pytest.approx(float((gradient * direction).sum()), rel=0.08)
    weighted = config.content_weight * terms["content"] + terms["style"] + 0.1 * terms["total_variation"]
    weighted += config.palette_weight * palette_loss(image, targets.palettes[0])[0]
    assert terms["total"] == pytest.approx(weighted + config.frame_weight * frame_loss(image)[0], rel=1e-5)


@pytest.mark.parametrize("side", ["top", "bottom", "left", "right"])
def test_frames_stand_out(side):
    """A band along a border costs, the same band across the middle does not, and going down the gradient fades it."""
    flat = np.full((1, 32, 40, 3), 0.5, np.float32)
    framed, crossed = flat.copy(), flat.copy()
    turned = {"top": framed, "bottom": framed[:, ::-1], "left": framed.swapaxes(1, 2)}
    turned["right"] = framed[:, :, ::-1].swapaxes(1, 2)
    turned[side][:, :3] = 1.0
    crossed[:, 14:17] = 1.0
    assert frame_loss(flat)[0] == 0
    assert frame_loss(framed)[0] > 10 * frame_loss(crossed)[0]
    loss, gradient = frame_loss(framed)
    assert frame_loss(framed - 0.5 * gradient)[0] < loss
    assert (gradient * (framed - flat)).sum() > 0


def test_dots_along_a_border_stand_out():
    """Single pixels, too, whose means over a few are the picture's own."""
    dotted, crossed = (np.full((1, 32, 40, 3), 0.5, np.float32) for _ in range(2))
    dotted[:, 0, ::2], dotted[:, 0, 1::2] = 0.3, 0.7
    crossed[:, 16, ::2], crossed[:, 16, 1::2] = 0.3, 0.7
    loss, gradient = frame_loss(dotted)
    assert loss > 10 * frame_loss(crossed)[0]
    assert (gradient * (dotted - 0.5)).sum() > 0


def test_frame_gradient_agrees_with_finite_differences():
    image = painting(29, 38, 4)[None].astype(np.float64)  # no multiple of the stretches
    direction = np.random.default_rng(0).normal(size=image.shape)
    ahead, behind = (frame_loss(image + step * direction)[0] for step in (1e-5, -1e-5))
    assert (ahead - behind) / 2e-5 == pytest.approx(float((frame_loss(image)[1] * direction).sum()), rel=1e-4)


def test_palette_loss_is_the_sliced_wasserstein_distance():
    """Of as many pixels each: the mean squared distance of colours of one rank, over axes, here by sorting."""
    image, style = painting(40, 50, 0)[None], 0.2 + 0.5 * painting(50, 40, 1)[None] ** 2
    ours, theirs = (np.sort(picture.reshape(-1, 3) @ pixels._AXES, axis=0) for picture in (image, style))
    expected = np.square(ours - theirs).mean() / (theirs.var(axis=0).mean() + pixels._LEAST_VARIANCE)
    assert palette_loss(image, palette(style))[0] == pytest.approx(expected, rel=0.02)
    np.testing.assert_allclose(pixels._AXES.T @ pixels._AXES, np.eye(6), atol=0.85)  # no two axes see the same


def test_a_palette_does_not_see_where_colours_are():
    picture = painting(40, 50, 0)[None]
    elsewhere = np.random.default_rng(0).permutation(picture.reshape(-1, 3)).reshape(picture.shape)
    assert palette_loss(elsewhere, palette(picture))[0] < 5e-4
    one_colour = np.full_like(picture, 0.3)
    assert palette_loss(one_colour, palette(one_colour))[0] < 1e-2
    assert palette_loss(picture, palette(one_colour))[0] > 1


def test_going_down_the_palettes_gradient_brings_the_colours():
    """Few yellows among many blues, not a mixture of both, though each slice sees one axis alone."""
    rng = np.random.default_rng(0)
    style = np.where(rng.random((1, 40, 40, 1)) < 0.1, [0.9, 0.8, 0.2], [0.1, 0.2, 0.6]).astype(np.float32)
    image = rng.random((1, 40, 40, 3), np.float32)
    target = palette(style)
    first, _ = palette_loss(image, target)
    for _ in range(60):
        loss, gradient = palette_loss(image, target)
        image = image - 40 * gradient
    assert loss < 0.1 * first
    assert np.mean(image[..., 0] > 0.7) == pytest.approx(np.mean(style[..., 0] > 0.7), abs=0.04)
    assert np.mean(image[..., 0] < 0.2) == pytest.approx(np.mean(style[..., 0] < 0.2), abs=0.1)


def test_palette_gradient_agrees_with_finite_differences():
    image, target = painting(29, 38, 4)[None].astype(np.float64), palette(painting(30, 30, 1)[None])
    gradient = palette_loss(image, target)[1]
    step = 1e-7  # within the bins
    ahead, behind = (palette_loss(image + sign * step * gradient / abs(gradient).max(), target)[0] for sign in (1, -1))
    assert (ahead - behind) / (2 * step) == pytest.approx(
        float(np.square(gradient).sum() / abs(gradient).max()), rel=0.01
    )


def test_a_palette_of_weighted_pixels_sees_no_others():
    image, style = painting(40, 50, 0)[None], painting(40, 50, 1)[None]
    mask = np.zeros((40, 50), np.float32)
    mask[:, :20] = 0.5
    np.testing.assert_allclose(palette(image, mask), palette(np.ascontiguousarray(image[:, :, :20])), atol=1e-6)
    loss, gradient = palette_loss(image, palette(style), mask)
    inside, inner = palette_loss(np.ascontiguousarray(image[:, :, :20]), palette(style))
    assert loss == pytest.approx(inside, rel=1e-5)
    np.testing.assert_allclose(gradient[:, :, :20], inner, rtol=1e-3, atol=1e-9)
    assert not gradient[:, :, 20:].any()


def test_between_two_palettes_lie_their_weighted_means():
    dark, bright = (np.full((1, 8, 8, 3), value, np.float32) for value in (0.2, 0.8))
    between = 0.75 * palette(dark) + 0.25 * palette(bright)
    np.testing.assert_allclose(between, palette(np.full((1, 8, 8, 3), 0.35, np.float32)), atol=5e-3)


def test_the_content_gives_way_to_bold_styles():
    """Of two styles, the content weighs less beside the one of more energy; presets of others know no such thing."""
    content, faint = painting(48, 48, 0)[None], 0.5 + 0.2 * (painting(48, 48, 1)[None] - 0.5)
    bold = 0.5 + 4 * (faint - 0.5)

    def scales(**options):
        loss = _loss(PerceptualLossConfig(**options))
        return [float(loss.targets.encode(content, [(style, 1.0)]).content_scale["relu4_2"]) for style in (faint, bold)]

    ours, plain = scales(), scales(relative_to_content=False)
    assert ours[1] < ours[0]
    assert plain[0] == plain[1]


def test_style_loss_does_not_see_where_things_are():
    """A picture and its mirror image have one style under kernels that are mirror images of themselves."""
    convolutions = {
        name: ((kernel + kernel[:, ::-1]) / 2, bias) for name, (kernel, bias) in tiny_convolutions().items()
    }
    encoder = FeatureEncoder(EncoderWeights(convolutions), [*GATYS_STYLE_LAYERS, "relu4_2"], precision="float32")
    loss = Objective(encoder, PerceptualLossConfig(octaves=2))
    picture = painting(64, 64, 3)[None]
    mirrored = np.ascontiguousarray(picture[:, :, ::-1])
    terms = loss.feature_terms(tf.constant(mirrored), loss.targets.encode(picture, [(picture, 1.0)]))
    assert float(terms["style"]) < 1e-6 < float(terms["content"])


def test_style_loss_of_the_content_is_the_whole_way():
    """Near 1 in a layer where the content is far from the style, less where it is near, 0 at the style."""
    content, style = painting(64, 72, 0)[None], painting(64, 72, 1)[None] ** 2
    plain, ours = (_loss(PerceptualLossConfig(octaves=1, relative_to_content=flag)) for flag in (False, True))
    far, shares = (
        loss.value(content, loss.targets.encode(content, [(style, 1.0)]))["style_per_layer"] for loss in (plain, ours)
    )
    assert shares == pytest.approx({name: loss / (0.1 + loss) for name, loss in far.items()}, rel=1e-3)
    assert ours.value(style, ours.targets.encode(content, [(style, 1.0)]))["style"] == pytest.approx(0, abs=1e-3)


def test_blended_targets_are_weighted_means():
    loss = _loss(PerceptualLossConfig())
    content, one, two = (painting(48, 48, i)[None] for i in range(3))
    blend = loss.targets.encode(content, [(one, 0.25), (two, 0.75)]).style[0]["relu3_1"]
    alone = [loss.targets.encode(content, [(style, 1.0)]).style[0]["relu3_1"] for style in (one, two)]
    np.testing.assert_allclose(blend, 0.25 * alone[0] + 0.75 * alone[1], rtol=1e-5)


def test_octaves_that_would_vanish_are_left_out():
    loss = _loss(PerceptualLossConfig(octaves=3))
    content = painting(40, 40, 0)[None]
    assert len(loss.targets.encode(content, [(painting(200, 200, 1)[None], 1.0)]).style) == 2
    assert len(loss.targets.encode(content, [(painting(16, 200, 1)[None], 1.0)]).style) == 1


@settings(max_examples=6, deadline=None, derandomize=True)
@given(
    height=st.integers(130, 220), width=st.integers(130, 220), tile_px=st.sampled_from([48, 100]),
    normalization=st.sampled_from(["relative", "mean", "sum"]), pooling=st.sampled_from(["max", "avg"]),
    statistics=st.sampled_from(["gram", "moments"]),
)  # fmt: skip
def test_tiles_change_neither_loss_nor_gradient(height, width, tile_px, normalization, pooling, statistics):
    config = PerceptualLossConfig(normalization=normalization, octaves=3, statistics=statistics)
    # Covariances come out of sums by subtraction, which costs digits.
    exactness = {"gram": 1e-4, "moments": 1e-3}[statistics]
    loss = _loss(config, edge_padding=normalization == "relative", pooling=pooling)
    image, content, style = (painting(height, width, seed)[None] for seed in range(3))
    whole, gradient = loss.value_and_gradient(image, loss.targets.encode(content, [(style, 1.0)]))
    targets = loss.targets.encode(content, [(style, 1.0)], tile_px=tile_px)
    tiled, tiled_gradient = loss.value_and_gradient(image, targets, tile_px=tile_px)
    for terms in ("content_per_layer", "style_per_layer"):
        assert tiled[terms] == pytest.approx(whole[terms], rel=exactness)
    assert tiled["total"] == pytest.approx(whole["total"], rel=exactness)
    assert np.linalg.norm(tiled_gradient - gradient) < exactness * np.linalg.norm(gradient)


def test_tiles_agree_without_content():
    loss = _loss(PerceptualLossConfig(content_layers=(), content_weight=0.0, statistics="gram"))
    image, style = painting(150, 140, 0)[None], painting(90, 96, 1)[None]
    whole, gradient = loss.value_and_gradient(image, loss.targets.encode(image, [(style, 1.0)]))
    tiled, tiled_gradient = loss.value_and_gradient(image, loss.targets.encode(image, [(style, 1.0)], 64), 64)
    assert tiled["total"] == pytest.approx(whole["total"], rel=1e-5)
    np.testing.assert_allclose(tiled_gradient, gradient, atol=1e-4 * np.abs(gradient).max())


@pytest.mark.real
def test_tiles_agree_under_vgg19(real_networks):
    from stylize.config import RefineConfig
    from stylize.transfer.levels import make_objective
    from stylize.transfer.session import Session

    session = Session()
    loss = make_objective(RefineConfig(precision="float32"), session.network("vgg19", "features"), session)
    image, content, style = (painting(300, 260, seed)[None] for seed in range(3))
    whole, gradient = loss.value_and_gradient(image, loss.targets.encode(content, [(style, 1.0)]))
    tiled, of_tiles = loss.value_and_gradient(image, loss.targets.encode(content, [(style, 1.0)], 128), 128)
    assert tiled["total"] == pytest.approx(whole["total"], rel=1e-5)
    assert np.linalg.norm(of_tiles - gradient) < 1e-3 * np.linalg.norm(gradient)


@pytest.mark.real
def test_tf_tutorial_preset_is_the_yardsticks_objective(shared, tmp_path, monkeypatch):
    """Our preset `tf-tutorial` against the tutorial's objective J, written apart from this project."""
    monkeypatch.syspath_prepend(str(shared / "bench"))
    import vgg_objective

    from stylize.networks import store
    from stylize.networks.vgg import load_encoder_weights

    monkeypatch.setenv("STYLIZE_HOME", str(tmp_path))
    found = store.add("vgg19", shared / "models" / "vgg19_imagenet_notop.h5")
    config = PRESETS["tf-tutorial"].config.loss
    layers = [name for name, _ in (*config.content_layers, *config.style_layers)]
    loss = Objective(FeatureEncoder(load_encoder_weights(found), layers, precision="float32"), config)
    content, style, image = (painting(96, 128, seed)[None] for seed in range(3))
    ours = float(loss.feature_terms(tf.constant(image), loss.targets.encode(content, [(style, 1.0)]))["total"])
    network = vgg_objective.build_vgg19()
    theirs = float(vgg_objective.losses(network, image, vgg_objective.Targets(network, content, style))[2])
    assert ours == pytest.approx(theirs, rel=1e-3)
