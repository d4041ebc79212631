"""Every number of the two recipes, in one place."""

from dataclasses import dataclass

# The taps of both networks, in the VGG paper's names, and the convolutions that lead to them.
TAPS = ("relu1_1", "relu2_1", "relu3_1", "relu4_1", "relu4_2", "relu5_1")
STYLE_TAPS = ("relu1_1", "relu2_1", "relu3_1", "relu4_1", "relu5_1")
CONTENT_TAP = "relu4_2"
CONVOLUTIONS = (
    ("conv1_1", "conv1_2"),
    ("conv2_1", "conv2_2"),
    ("conv3_1", "conv3_2", "conv3_3", "conv3_4"),
    ("conv4_1", "conv4_2", "conv4_3", "conv4_4"),
    ("conv5_1",),
)
HELD_OUT_EVERY = 20  # every 20th picture of a folder is kept for evaluation


@dataclass(frozen=True)
class Schedule:
    """Warm up, hold, then fall linearly to zero over the last part, which can be brought forward on resuming."""

    steps: int
    learning_rate: float
    warm_up_steps: int = 50
    decay_fraction: float = 0.3

    def at(self, step: int) -> float:
        rise = min(1.0, (step + 1) / self.warm_up_steps)
        fall = min(1.0, (self.steps - step) / (self.decay_fraction * self.steps))
        return self.learning_rate * max(0.0, min(rise, fall))


@dataclass(frozen=True)
class SlimConfig:
    """Distillation of VGG-19 into a network of its own topology and narrow layers."""

    widths: tuple[int, ...] = (16, 32, 64, 128, 256)
    tap_weights: tuple[float, ...] = (0.5, 0.7, 1.0, 1.0, 1.0, 3.0)
    covariance_weight: float = 0.3
    mean_weight: float = 0.3
    crop_px: int = 128
    batch_size: int = 8
    replay_batches: int = 32  # teacher batches kept
    fresh_fraction: float = 0.5  # of all steps; the others draw a kept batch
    float32_fraction: float = 0.1  # of all steps, the last ones
    checkpoint_every: int = 250  # steps
    steps: int = 2500
    learning_rate: float = 2e-3
    seed: int = 0


@dataclass(frozen=True)
class Phase:
    """A stretch of the stylizer's training, up to step `until`."""

    until: int
    size_px: int
    batch_size: int
    loss_network: str  # "slim" or "vgg19"


@dataclass(frozen=True)
class MiniConfig:
    """The feed-forward stylizer and its training."""

    projections: tuple[int, ...] = (8, 8, 16, 16)  # channels whose covariances describe a style, per tap
    hidden: int = 128
    code: int = 96
    channels: tuple[int, ...] = (32, 64, 80)  # at half, quarter and eighth resolution
    painted: int = 16  # channels at full resolution
    blocks_before: int = 1
    blocks_at_bottom: int = 2
    blocks_after: int = 2

    style_weight: float = 1.0
    covariance_weight: float = 0.25  # beside 1 for Gram matrices
    content_weight: float = 0.15
    identity_weight: float = 1.0
    total_variation_weight: float = 0.1
    range_weight: float = 10.0
    fresh_every: int = 2  # steps: then a new content and style is taken in; batches are drawn from those kept
    kept: int = 256
    identities: int = 1  # pictures a batch painted in their own style

    phases: tuple[Phase, ...] = (
        Phase(800, 128, 4, "vgg19"),
        Phase(1500, 256, 2, "vgg19"),
        Phase(4250, 128, 8, "slim"),
        Phase(5900, 128, 6, "vgg19"),
        Phase(6500, 256, 2, "vgg19"),
        Phase(7500, 192, 4, "vgg19"),
        Phase(8500, 256, 2, "vgg19"),
    )
    learning_rate: float = 1.3e-3
    checkpoint_every: int = 100
    exported: tuple[int, ...] = (7800, 8500)  # checkpoints; their mean is better than each (arXiv 1803.05407)
    code_gain: float = 1.045  # of what is exported: a little more style for what the scene was held too well
    seed: int = 0
