"""Networks that stay loaded between runs."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import math
import threading
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

import numpy as np

from stylize.errors import OptionError, WeightsError
from stylize.networks import conversion, registry, store
from stylize.networks.store import LocalWeights
from stylize.networks.style_vectors import StyleVectors

if TYPE_CHECKING:
    from stylize.config import RefineConfig
    from stylize.losses.objective import PerceptualLoss, StyleTargets
    from stylize.networks.vgg import FeatureEncoder

__all__ = ["MAX_TARGETS_BYTES", "Networks", "OnDownload", "OnMessage", "Stylizer", "load_magenta"]

_T = TypeVar("_T")
#: Of each kind: weights and layers that every visitor of a server sets anew are not to fill its memory.
_MOST_KEPT = 4

OnMessage = Callable[[str], None]
OnDownload = Callable[[str, int, int | None], None]

#: How much of the styles' Gram matrices is kept: some forty sizes of a style under VGG-19.
MAX_TARGETS_BYTES = 300_000_000


class Stylizer(Protocol):
    """What every feed-forward network can do."""

    def stylize(self, content: np.ndarray, styles: Sequence[tuple[np.ndarray, float]], strength: float) -> np.ndarray:
        """Paint float32 (H, W, 3) in [0, 1] with weighted styles of the same kind; 0 gives the content back."""
        ...


class Networks:
    """Finds networks by name and keeps them loaded; give one to many calls of `fast`, `refine` and `compare`.

    What `auto` stands for is settled at the first call that asks. May be used from several threads.

    Args:
        leave_traces: whether style vectors are kept in files, too, for other processes.
    """

    def __init__(self, *, leave_traces: bool = True) -> None:
        self._leave_traces = leave_traces
        self._found: dict[tuple[str, str], LocalWeights] = {}
        self._loaded: dict[Any, Any] = {}
        self._targets: dict[Any, StyleTargets] = {}
        self._lock = threading.RLock()

    def find(
        self,
        name: str,
        role: registry.Role,
        *,
        offline: bool = False,
        on_message: OnMessage | None = None,
        on_download: OnDownload | None = None,
    ) -> LocalWeights:
        """Return a network's files; `auto` chooses among those of its role. Raises OptionError, WeightsError."""
        with self._lock:
            if (name, role) not in self._found:
                if name == "auto":
                    say = on_message or (lambda message: None)
                    found = store.resolve_auto(role, offline=offline, on_progress=on_download, on_message=say)
                else:
                    spec = registry.REGISTRY.get(name)
                    if spec is None or spec.role != role:
                        known = ", ".join(["auto", *(n for n, s in registry.REGISTRY.items() if s.role == role)])
                        option = "network" if role == "stylizer" else role
                        raise OptionError(f"{option}: expected one of {known}, received {name!r}")
                    found = store.resolve(name, offline=offline, on_progress=on_download)
                self._found[name, role] = found
            return self._found[name, role]

    def stylizer(self, found: LocalWeights, on_message: OnMessage | None = None) -> Stylizer:
        """Return a feed-forward network, loaded."""
        return self._kept(("stylizer", found.name), lambda: _load_stylizer(found, on_message, self._leave_traces))

    def encoder(self, found: LocalWeights, layers: Sequence[str], **options: Any) -> FeatureEncoder:
        """Return a `FeatureEncoder` of these layers and options."""
        from stylize.networks.vgg import FeatureEncoder, load_encoder_weights

        key = ("encoder", found.name, tuple(layers), tuple(sorted(options.items())))
        return self._kept(key, lambda: FeatureEncoder(load_encoder_weights(found), layers, **options))

    def loss(self, found: LocalWeights, config: RefineConfig) -> PerceptualLoss:
        """Return the loss that `config` describes, under the features of `found`, with its graph."""
        from stylize.losses.objective import PerceptualLoss
        from stylize.networks.vgg import content_layers_under

        relative = config.loss.normalization == "relative"
        content_layers = config.loss.content_layers
        if relative:
            content_layers = content_layers_under(found.name, content_layers)
        layers = [name for name, _ in (*content_layers, *config.loss.style_layers)]
        encoder = self.encoder(found, layers, pooling=config.pooling, precision=config.precision, edge_padding=relative)
        smoothing = config.loss.total_variation_weight * encoder.grain * config.strength
        loss_config = dataclasses.replace(config.loss, content_layers=content_layers, total_variation_weight=smoothing)
        return self._kept(("loss", encoder, loss_config), lambda: PerceptualLoss(encoder, loss_config))

    def style_targets(
        self, loss: PerceptualLoss, picture: str | None, style: np.ndarray, octaves: int, tile_px: int | None = None
    ) -> StyleTargets:
        """Return what `style`, (1, h, w, 3) of the picture with the hash `picture`, asks for under `loss`.

        A style is encoded once a size and kept, the last used `MAX_TARGETS_BYTES` of them. Without a hash: always anew.
        """
        if picture is None:
            return loss.style_targets(style, octaves, tile_px)
        key = (*loss.style_key, picture, style.shape, octaves)
        with self._lock:
            targets = self._targets.pop(key, None) or loss.style_targets(style, octaves, tile_px)
            self._targets[key] = targets
            while len(self._targets) > 1 and sum(map(_targets_bytes, self._targets.values())) > MAX_TARGETS_BYTES:
                del self._targets[next(iter(self._targets))]
            return targets

    def _kept(self, key: Any, load: Callable[[], _T]) -> _T:
        with self._lock:
            loaded: _T = self._loaded.pop(key) if key in self._loaded else load()
            self._loaded[key] = loaded  # the newest last
            for old in [other for other in self._loaded if other[0] == key[0]][:-_MOST_KEPT]:
                del self._loaded[old]
            return loaded


def _targets_bytes(targets: StyleTargets) -> int:
    return sum(4 * math.prod(gram.shape) for grams in targets for gram in grams.values())


def _load_stylizer(found: LocalWeights, on_message: OnMessage | None = None, leave_traces: bool = True) -> Stylizer:
    # Each branch imports its own framework only: mini and int8 need no TensorFlow.
    if found.name in ("mini", "magenta-int8"):
        encoder, painter = found.files
        recall = StyleVectors(found.sha256[encoder.name], in_files=leave_traces).of
        if found.name == "mini":
            from stylize.networks.mini import MiniStylizer

            return MiniStylizer(encoder, painter, recall)
        from stylize.networks.magenta import Int8Stylizer

        return Int8Stylizer(encoder, painter, recall)
    return load_magenta(found, on_message)


def load_magenta(found: LocalWeights, say: OnMessage | None = None) -> Stylizer:
    """Return TF-Hub's network: as LiteRT runs it, once it is converted, which the first use does; else as it is."""
    from stylize.networks.magenta import ConvertedStylizer, MagentaStylizer, convert

    kept = conversion.find(found)
    saved_model = None
    if kept is None:
        saved_model = MagentaStylizer(found.folder)
        if say is not None:
            say(f"converting {found.name} to LiteRT, once, so that it starts quicker from now on")
        # A home that can't be written to: the SavedModel serves.
        with contextlib.suppress(WeightsError):
            kept = conversion.keep(found, functools.partial(convert, saved_model))
        if say is not None and kept is not None and kept.path is None:
            say(f"{found.name} goes on as a SavedModel: {kept.detail}")
    if kept is not None and kept.path is not None:
        # Damaged since: the SavedModel serves.
        with contextlib.suppress(ValueError):
            return ConvertedStylizer(kept.path)
    return saved_model or MagentaStylizer(found.folder)
