"""How a run reaches its networks and its user."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from stylize.networks.loaded import LoadedNetworks, OnDownload, OnMessage
from stylize.networks.registry import Role
from stylize.networks.store import LocalWeights

if TYPE_CHECKING:
    from stylize.optimize.iterate import Iterate

__all__ = ["NO_CALLBACKS", "Callbacks", "Session"]


@dataclass(frozen=True)
class Session:
    """What a run is given beside its pictures and its config.

    Attributes:
        loaded: networks that stay loaded between runs.
        offline: whether nothing may be downloaded.
        on_message: receives what the user should know, one line a call.
        on_download: receives the progress of downloads.
        memory_gb: how much memory the process may take; None for what is free.
    """

    loaded: LoadedNetworks = field(default_factory=LoadedNetworks)
    offline: bool = False
    on_message: OnMessage | None = None
    on_download: OnDownload | None = None
    memory_gb: float | None = None

    def say(self, message: str) -> None:
        """Tell the user."""
        if self.on_message is not None:
            self.on_message(message)

    def network(self, name: str, role: Role) -> LocalWeights:
        """Return the files of a network. Raises OptionError, WeightsError."""
        return self.loaded.find(name, role, offline=self.offline, on_message=self.say, on_download=self.on_download)


@dataclass(frozen=True)
class Callbacks:
    """What a refinement calls on the way.

    Attributes:
        on_start: receives the picture that the optimisation starts from, float32 (h, w, 3).
        on_iterate: receives every step.
        should_stop: asked before every step; True ends the run with the best picture so far and a checkpoint.
    """

    on_start: Callable[[NDArray[np.float32]], None] | None = None
    on_iterate: Callable[[Iterate], None] | None = None
    should_stop: Callable[[], bool] | None = None


NO_CALLBACKS = Callbacks()
