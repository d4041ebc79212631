"""The settings of both trainings."""

from dataclasses import dataclass

# The layers whose activations both networks return (taps), and the convolutions up to the last of them, in the names of
# the VGG paper.
TAPS = ("relu1_1", "relu2_1", "relu3_1", "relu4_1", "relu4_2", "relu5_1")
STYLE_TAPS = ("relu1_1", "relu2_1", "relu3_1", "relu4_1", "relu5_1")
CONTENT_TAPS = ("relu4_1", "relu4_2")
CONVOLUTIONS = (
    ("conv1_1", "conv1_2"),
    ("conv2_1", "conv2_2"),
    ("conv3_1", "conv3_2", "conv3_3", "conv3_4"),
    ("conv4_1", "conv4_2", "conv4_3", "conv4_4"),
    ("conv5_1",),
)
HELD_OUT_EVERY = 20  # every 20th picture of a folder is held out for evaluation


@dataclass(frozen=True)
class Schedule:
    """Learning rate: warm-up, constant, then a linear decrease to zero at the last step or at the end of the time."""

    steps: int
    learning_rate: float
    warm_up_steps: int = 100
    decay_fraction: float = 0.6
    seconds: float = float("inf")

    def progress(self, step: int, seconds: float) -> float:
        """Return the progress from 0 to 1, of the steps or of the time, whichever is greater."""
        return min(1.0, max(step / self.steps, seconds / self.seconds))

    def at(self, step: int, seconds: float, begun: int = 0) -> float:
        """Return the learning rate. The run started, or continued without momenta, at step `begun`."""
        rise = min(1.0, (step - begun + 1) / self.warm_up_steps)
        fall = min(1.0, (1 - self.progress(step, seconds)) / self.decay_fraction)
        return self.learning_rate * min(rise, fall)


@dataclass(frozen=True)
class SlimConfig:
    """Distillation of VGG-19 into a network with the same layers, but fewer channels."""

    widths: tuple[int, ...] = (16, 32, 64, 128, 256)
    tap_weights: tuple[float, ...] = (0.5, 0.7, 1.0, 1.0, 1.0, 3.0)
    covariance_weight: float = 0.3
    mean_weight: float = 0.3
    crop_px: int = 192
    batch_size: int = 32
    checkpoint_every: int = 250  # steps
    steps: int = 14000
    learning_rate: float = 3e-3
    seed: int = 0


@dataclass(frozen=True)
class MiniConfig:
    """The feed-forward stylizer mini and its training."""

    projections: tuple[int, ...] = (8, 8, 16, 16)  # per tap: channels whose covariances describe a style
    hidden: int = 96
    code: int = 64
    channels: tuple[int, ...] = (32, 64, 64)  # at half, quarter and eighth resolution
    painted: int = 16  # channels at full resolution
    blocks_at_bottom: int = 5
    blocks_after: int = 1

    style_weight: float = 1.0
    half_size_weight: float = 0.5  # style loss at half the size, for shapes that are larger than relu5_1 sees
    covariance_weight: float = 0.25  # relative to the weight of Gram matrices
    content_weight: float = 0.12  # at the start; later it follows the held-out content loss
    content_weights: tuple[float, float] = (0.07, 0.6)  # smallest and largest content weight
    content_target: float = 0.72  # for the held-out content loss at relu4_2
    content_changes: tuple[float, float] = (0.87, 1.15)  # smallest and largest factor from one checkpoint to the next
    identity_weight: float = 1.0
    total_variation_weight: float = 0.1
    range_weight: float = 10.0
    identities: int = 2  # pictures of a batch that are also painted in their own style

    size_px: int = 256
    smallest_crop: float = 0.75  # of the short side; large crops show strokes at about their final size
    batch_size: int = 16
    steps: int = 9600
    learning_rate: float = 2e-3
    checkpoint_every: int = 250  # steps
    seed: int = 0
