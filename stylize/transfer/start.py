"""What a refinement starts from, and which sizes it goes through."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from stylize.config import INITS, SMALLEST_PX, RefineConfig
from stylize.earlier import with_earlier_options, without_later_options
from stylize.errors import ImageError, OptionError, WeightsError
from stylize.images.reading import read_image
from stylize.images.recorded import PaintingRecord
from stylize.images.resizing import resized, with_change_of, without_margin
from stylize.networks.devices import Device, chosen
from stylize.networks.store import LocalWeights
from stylize.optimize.checkpoint import Checkpoint
from stylize.optimize.pyramid import PyramidLevel, level_size, pyramid_levels
from stylize.transfer.fast import run_fast
from stylize.transfer.inputs import Inputs
from stylize.transfer.results import NetworkUse, TransferResult
from stylize.transfer.session import Session
from stylize.urls import without_secrets, without_users_of

__all__ = [
    "InitPicture",
    "Start",
    "begun",
    "fingerprint",
    "plan_levels",
    "resumed",
    "starting_point",
    "tell_of_another_shape",
    "with_large_shapes_of",
]

# Amplitude of the noise that `content+noise` adds, in [0, 1].
_CONTENT_NOISE = 0.25
# `preview+content` takes what is larger than so many px from the preview. 8 px did better on some pairs, but took a
# third more steps on a mosaic (benchmarks/notes/036).
_LARGE_SHAPE_PX = 16
# Under a time budget the steps are planned on the way. So many steps leave out no level.
_UNLIMITED_STEPS = 10_000


@dataclass(frozen=True, eq=False)
class InitPicture:
    """The picture of the user's that a refinement starts from, if there is one.

    Attributes:
        record: path, hash and long side, for the provenance; empty without a picture.
        pixels: (h, w, 3), or None without a picture, and where a run is resumed.
        notes: what the user should know of the picture, one line each.
    """

    record: Mapping[str, Any] = field(default_factory=dict)
    pixels: NDArray[np.float32] | None = None
    notes: tuple[str, ...] = ()

    @staticmethod
    def read(config: RefineConfig, resume_from: Checkpoint | None) -> InitPicture:
        """Read the picture that `config.init` names. Raises ImageError."""
        if resume_from is not None:
            init = _recorded(resume_from).init
            return InitPicture() if init is None else InitPicture(dataclasses.asdict(init))
        if config.init in INITS:
            return InitPicture()
        picture = read_image(config.init, name="init")
        long_side_px = max(picture.height, picture.width)
        return InitPicture(
            {"path": picture.path, "sha256": picture.sha256, "long_side_px": long_side_px},
            picture.pixels,
            picture.notes,
        )

    @property
    def provenance(self) -> dict[str, Any]:
        """The picture's part of the provenance, empty without a picture."""
        return {"init": self.record} if self.record else {}

    @property
    def long_side_px(self) -> int:
        """Long side of the picture, 0 without a picture."""
        return int(self.record.get("long_side_px", 0))


@dataclass(frozen=True, eq=False)
class Start:
    """What an optimisation starts from.

    Attributes:
        pixels: (h, w, 3) of any size, sRGB in [0, 1].
        networks: all networks of the run.
        precision: of the convolutions; a resumed run goes on in the one that it began with.
    """

    pixels: NDArray[np.float32]
    networks: tuple[NetworkUse, ...]
    precision: Literal["auto", "float32", "bfloat16"]


def plan_levels(inputs: Inputs, config: RefineConfig, init: InitPicture) -> tuple[PyramidLevel, ...]:
    """Return the sizes of the run, coarse to fine; sizes up to that of an init picture are left out.

    Sizes at which a panorama would be too narrow for the network are left out, too.
    """
    steps = config.steps if config.time_budget is None else _UNLIMITED_STEPS
    pyramid, narrowest_px = config.pyramid, math.ceil(SMALLEST_PX * max(inputs.size) / min(inputs.size))
    if pyramid.coarsest_px is not None:
        pyramid = dataclasses.replace(pyramid, coarsest_px=max(pyramid.coarsest_px, narrowest_px))
    return pyramid_levels(max(inputs.size), steps, pyramid, init.long_side_px)


def starting_point(
    inputs: Inputs,
    config: RefineConfig,
    session: Session,
    features: LocalWeights,
    *,
    init: InitPicture,
    levels: Sequence[PyramidLevel],
    preview: TransferResult | None = None,
) -> Start:
    """Return the start that `config.init` names; a preview is painted where none is given."""
    networks, content = [NetworkUse.of(features)], inputs.content_pixels
    if init.pixels is not None:
        pixels = init.pixels
        for note in init.notes:
            session.say(f"init: {note}")
        tell_of_another_shape("init", pixels, content, session)
    elif config.starts_from_preview:
        preview = preview or _preview(inputs, config, session)
        pixels = content if preview is None else preview.image
        networks += [] if preview is None else preview.networks
        if config.init == "preview+content":
            pixels = with_large_shapes_of(pixels, content)
    elif config.init == "content":
        pixels = content
    else:
        pixels = _noise(inputs, config, levels)
    return Start(pixels, tuple(networks), config.precision)


def tell_of_another_shape(
    name: str, pixels: NDArray[np.float32], content: NDArray[np.float32], session: Session
) -> None:
    """Tell the user where a picture (h, w, 3) of that name is stretched to the shape of the content, (H, W, 3)."""
    (height, width), (content_height, content_width) = pixels.shape[:2], content.shape[:2]
    ratio = width / height / (content_width / content_height)
    if max(ratio, 1 / ratio) > _SAME_SHAPE:
        session.say(
            f"{name}: {width} x {height} px, not the content's shape ({content_width} x {content_height} px): "
            "the picture is stretched to this shape"
        )


# Ratios of two shapes up to this one come from sides in whole pixels.
_SAME_SHAPE = 1.05


def begun(config: RefineConfig, checkpoint: Checkpoint | None) -> tuple[RefineConfig, InitPicture]:
    """Return the options and the picture that a run begins with.

    A version that began the run of a checkpoint may not have had all options: these are as they were meant then.
    Raises ImageError: the picture cannot be read, or the checkpoint contradicts itself.
    """
    if checkpoint is None:
        return config, InitPicture.read(config, None)
    recorded = _recorded(checkpoint).options
    known, meant = _flat(recorded), _flat(with_earlier_options(recorded))
    now, default = _flat(dataclasses.asdict(config)), _flat(dataclasses.asdict(RefineConfig()))
    added = {name: meant[name] for name in meant if name not in known and now[name] == default[name]}
    return config.replace(**added), InitPicture.read(config, checkpoint)


def resumed(
    checkpoint: Checkpoint,
    identity: str,
    config: RefineConfig,
    inputs: Inputs,
    levels: Sequence[PyramidLevel],
    *,
    say: Callable[[str], None] = lambda message: None,
) -> Start:
    """Return the start that a checkpoint holds.

    Args:
        checkpoint: of the interrupted run.
        identity: the `fingerprint` of this run.
        config: the options of this run.
        inputs: the pictures of this run.
        levels: of this run, coarse to fine.
        say: told where the run goes on, and of another backend or device.

    Raises:
        OptionError: the checkpoint is of another run.
        ImageError: the checkpoint contradicts itself.
    """
    recorded = _recorded(checkpoint)
    if checkpoint.context.fingerprint != identity:
        changed = [*_changed_inputs(recorded, inputs), *_changed_options(recorded.options, config)] or ["networks"]
        raise OptionError(
            "resume_from: expected the inputs, options and networks of the interrupted run, received different ones "
            f"({', '.join(changed)}): repeat its command, or start a new run"
        )
    if checkpoint.optimizer != config.optimization.optimizer:
        raise ImageError(
            f"resume_from: expected the state of {config.optimization.optimizer}, received that of "
            f"{checkpoint.optimizer or 'no optimizer'}: start a new run"
        )
    pixels = without_margin(checkpoint.pixels, config.margin_px)
    height, width = pixels.shape[:2]
    if [(height, width)] != [
        level_size(inputs.size, at.long_side_px) for at in levels[checkpoint.level - 1 : checkpoint.level]
    ]:
        raise ImageError(
            f"resume_from: expected a picture of the size of its level, received {width} x {height} px at level "
            f"{checkpoint.level} of {len(levels)}: start a new run"
        )
    if change := _device_change(recorded, chosen()):
        say(change)
    say(f"going on after step {len(checkpoint.history)}, at {max(height, width)} of {max(inputs.size)} px")
    networks = tuple(NetworkUse(network.name, network.origin, network.sha256) for network in recorded.networks)
    return Start(pixels, networks, recorded.precision_used or config.precision)


def _device_change(recorded: PaintingRecord, device: Device) -> str:
    """Return one line where a run began with another backend or device than `device`, else nothing."""
    if Device(recorded.backend, recorded.device) == device:
        return ""
    return (
        f"begun with {recorded.backend} on {recorded.device}, going on with {device.backend} on {device.name}: "
        "the result may differ by rounding"
    )


def _recorded(checkpoint: Checkpoint) -> PaintingRecord:
    try:
        return PaintingRecord.of(checkpoint.context.provenance)
    except ValueError as error:
        raise ImageError(
            "resume_from: expected the checkpoint of a refine, received one of another version or a damaged one "
            f"({error}): start a new run"
        ) from None


def _noise(inputs: Inputs, config: RefineConfig, levels: Sequence[PyramidLevel]) -> NDArray[np.float32]:
    # At the size of the coarsest level. Noise of the output's size would average out when it is shrunk.
    height, width = level_size(inputs.size, levels[0].long_side_px)
    random = np.random.default_rng(config.seed)
    if config.init == "content+noise":
        content = resized(inputs.content_pixels, height, width)
        noise = random.uniform(-_CONTENT_NOISE, _CONTENT_NOISE, content.shape)
        return np.clip(content + noise, 0, 1).astype(np.float32)
    return random.random((height, width, 3), np.float32)


def _preview(inputs: Inputs, config: RefineConfig, session: Session) -> TransferResult | None:
    try:
        return run_fast(inputs, config.preview, session)
    except WeightsError as error:
        if config.network != "auto":
            raise
        session.say(f"no preview to start from, starting from the content instead ({error})")
        return None


def with_large_shapes_of(preview: NDArray[np.float32], content: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the content with the preview's large shapes: the optimisation changes these slowest."""
    height, width = (max(1, round(side / _LARGE_SHAPE_PX)) for side in content.shape[:2])
    return with_change_of(content, resized(content, height, width), resized(preview, height, width))


def fingerprint(inputs: Inputs, config: RefineConfig, features: LocalWeights, levels: Sequence[PyramidLevel]) -> str:
    """Return a hash of all that makes a run what it is: inputs, options, feature network, sizes.

    The number of steps and the time budget are left out: a longer run may resume a shorter one of the same sizes.
    """
    # A checkpoint may be shared, and a password guessed from its hash.
    init = without_users_of(config.init)
    same = dataclasses.replace(config, steps=1, time_budget=None, init=init)
    options = without_later_options(dataclasses.asdict(same))
    identity = [
        options,
        inputs.content.sha256,
        [(style.sha256, weight) for style, weight in inputs.styles],
        dict(features.sha256),
        [level.long_side_px for level in levels],
        *([] if inputs.masks is None else [[mask.sha256 for mask in inputs.masks.pictures]]),
    ]
    return hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()


def _changed_inputs(before: PaintingRecord, inputs: Inputs) -> list[str]:
    """Return which pictures differ from those of an earlier run."""
    masks = () if inputs.masks is None else inputs.masks.pictures
    is_changed = {
        "content": before.content.sha256 != inputs.content.sha256,
        "styles": [(style.sha256, style.weight) for style in before.styles]
        != [(style.sha256, weight) for style, weight in inputs.styles],
        "masks": [mask.sha256 for mask in before.masks] != [mask.sha256 for mask in masks],
    }
    return [name for name, changed in is_changed.items() if changed]


def _changed_options(before: Mapping[str, Any], config: RefineConfig) -> list[str]:
    """Return the names of the options that differ from those of an earlier run."""
    config = dataclasses.replace(config, init=without_secrets(config.init))  # As it is recorded.
    earlier, now = _flat(with_earlier_options(before)), _flat(dataclasses.asdict(config))
    changed = [name for name in now if earlier.get(name) != now[name]]
    # Another number of steps changes nothing but, if there are few, the sizes.
    return [name for name in changed if name not in ("steps", "time_budget")] or changed


def _flat(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options of all parts by name, through JSON, as the options of a checkpoint went."""
    parts = json.loads(json.dumps(options)).items()
    return {
        name: value
        for part, each in parts
        for name, value in (each.items() if isinstance(each, dict) else [(part, each)])
    }
