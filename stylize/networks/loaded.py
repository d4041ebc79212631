"""Networks that stay loaded between runs, and the style targets that were computed with them."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Hashable, Sequence
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from stylize.errors import OptionError, WeightsError
from stylize.networks import conversion, registry, store
from stylize.networks.devices import chosen
from stylize.networks.store import LocalWeights
from stylize.networks.style_vectors import StyleVectors

if TYPE_CHECKING:
    from stylize.networks.vgg import FeatureEncoder

__all__ = ["LoadedNetworks", "OnDownload", "OnMessage", "SizedCache", "Stylizer", "load_magenta"]

_T = TypeVar("_T")

OnMessage = Callable[[str], None]
#: Receives a file name, the bytes so far, and the bytes in all where they are known.
OnDownload = Callable[[str, int, int | None], None]


class Stylizer(Protocol):
    """A feed-forward network for arbitrary styles."""

    def stylize(
        self, content: NDArray[np.float32], styles: Sequence[tuple[NDArray[np.float32], float]], strength: float
    ) -> NDArray[np.float32]:
        """Paint a content in the weighted mean of styles.

        Args:
            content: (H, W, 3), sRGB in [0, 1].
            styles: pairs of a picture (h, w, 3) and a weight; weights sum to 1.
            strength: 0 gives the content back, 1 is the full style.
        """
        ...


class SizedCache:
    """A cache that keeps the entries that were used last, up to a number of bytes."""

    def __init__(self, limit_bytes: int) -> None:
        self._limit_bytes = limit_bytes
        self._kept: dict[Hashable, tuple[Any, int]] = {}
        self._lock = threading.RLock()

    def __len__(self) -> int:
        return len(self._kept)

    def get(self, key: Hashable, make: Callable[[], _T], size_of: Callable[[_T], int]) -> _T:
        """Return the entry under `key`. If there is none, make one; `size_of` returns its bytes."""
        with self._lock:
            made: _T
            if key in self._kept:
                made, size = self._kept.pop(key)
            else:
                made = make()
                size = size_of(made)
            self._kept[key] = made, size  # The newest last.
            while len(self._kept) > 1 and sum(size for _, size in self._kept.values()) > self._limit_bytes:
                del self._kept[next(iter(self._kept))]
            return made


# Loaded objects of each kind. Each visitor of a server may choose other layers and weights; these must not fill the
# memory.
_MOST_KEPT = 4
# The style targets of some forty sizes of one style under VGG-19.
_STYLE_TARGETS_BYTES = 300_000_000


class LoadedNetworks:
    """Finds networks by name and keeps them loaded; give one to many calls of `fast`, `refine` and `compare`.

    The network that `auto` stands for is chosen at the first call and kept. Several threads may use one object.

    Args:
        cache_to_disk: whether style vectors are also kept in files, for other processes.
        style_targets_bytes: how much memory the targets of styles may take.

    Attributes:
        style_targets: the targets of styles, by network, style and size.
    """

    def __init__(self, *, cache_to_disk: bool = True, style_targets_bytes: int = _STYLE_TARGETS_BYTES) -> None:
        self._cache_to_disk = cache_to_disk
        self._found: dict[tuple[str, str], LocalWeights] = {}
        self._loaded: dict[tuple[str, Hashable], Any] = {}
        self._lock = threading.RLock()
        self.style_targets = SizedCache(style_targets_bytes)

    def find(
        self,
        name: str,
        role: registry.Role,
        *,
        offline: bool = False,
        on_message: OnMessage | None = None,
        on_download: OnDownload | None = None,
    ) -> LocalWeights:
        """Return the files of a network.

        Args:
            name: a name of the registry, or `auto`, which chooses among the networks of the role.
            role: stylizer or features.
            offline: whether nothing may be downloaded.
            on_message: receives what the user should know, such as which network `auto` stands for.
            on_download: receives the progress of downloads.

        Raises:
            OptionError: no network of this role has the name.
            WeightsError: the files are missing, damaged, or cannot be downloaded.
        """
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
        return self.keep("stylizer", found.name, lambda: _load_stylizer(found, on_message, self._cache_to_disk))

    def encoder(
        self,
        found: LocalWeights,
        layers: Sequence[str],
        *,
        pooling: Literal["max", "avg"] = "max",
        precision: Literal["auto", "float32", "bfloat16"] = "auto",
        padding: Literal["edge", "first", "zeros"] = "zeros",
    ) -> FeatureEncoder:
        """Return a `FeatureEncoder` of these layers and options, loaded."""
        from stylize.networks.vgg import FeatureEncoder, load_encoder_weights

        def load() -> FeatureEncoder:
            return FeatureEncoder(
                load_encoder_weights(found), layers, pooling=pooling, precision=precision, padding=padding
            )

        return self.keep("encoder", (found.name, tuple(layers), pooling, precision, padding, chosen()), load)

    def keep(self, kind: str, key: Hashable, load: Callable[[], _T]) -> _T:
        """Return the object under `kind` and `key`, or load one. The four of each kind that were used last are kept."""
        with self._lock:
            place = (kind, key)
            loaded: _T = self._loaded.pop(place) if place in self._loaded else load()
            self._loaded[place] = loaded  # The newest last.
            places = [other for other in self._loaded if other[0] == kind]
            for old in places[:-_MOST_KEPT]:
                del self._loaded[old]
            return loaded


def _load_stylizer(found: LocalWeights, on_message: OnMessage | None, cache_to_disk: bool) -> Stylizer:
    # Each branch imports its own framework only: mini and magenta-int8 need no TensorFlow.
    if found.name in ("mini", "magenta-int8"):
        encoder, painter = found.files
        recall = StyleVectors(found.sha256[encoder.name], in_files=cache_to_disk).of
        if found.name == "mini":
            from stylize.networks.mini import MiniStylizer

            return MiniStylizer(encoder, painter, recall)
        from stylize.networks.magenta import Int8Stylizer

        return Int8Stylizer(encoder, painter, recall)
    return load_magenta(found, on_message)


def load_magenta(found: LocalWeights, on_message: OnMessage | None = None) -> Stylizer:
    """Return TF-Hub's network. The first use converts the network to LiteRT, which starts sooner."""
    from stylize.networks.magenta import ConvertedStylizer, MagentaStylizer, convert

    say = on_message or (lambda message: None)
    kept, saved_model = conversion.find(found), None
    if kept is None:
        network = saved_model = MagentaStylizer(found.folder)

        def converted() -> tuple[bytes | None, str]:
            say(f"converting {found.name} to LiteRT, once, so that it starts quicker from now on")
            return convert(network)

        try:
            kept = conversion.keep(found, converted)
        except WeightsError as error:  # the folder cannot be written to
            kept = conversion.Conversion(None, str(error))
        if kept.path is None:
            say(f"{found.name} goes on as a SavedModel: {kept.detail}")
    if kept.path is not None:
        # Where the conversion was damaged since, use the SavedModel.
        with contextlib.suppress(ValueError):
            return ConvertedStylizer(kept.path)
    return saved_model or MagentaStylizer(found.folder)
