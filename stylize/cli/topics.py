"""The topics of `--help`, and the options of each in their order."""

from __future__ import annotations

from collections.abc import Iterable

__all__ = ["OTHERS", "TOPICS", "by_topic"]

#: By the name of the flag. The first ten are what most people need.
TOPICS = {
    "Most used": (
        "content", "style", "output", "size", "preset", "strength", "keep-colors", "mask", "time-budget", "overwrite",
    ),
    "Pictures": ("image", "init", "grid", "strengths", "manifest", "pairs", "mode"),
    "Look": (
        "content-weight", "style-weight", "places-weight", "tv-weight", "style-scale", "recolor", "content-layer",
        "style-layer", "pooling", "seed",
    ),
    "Time and size": ("steps", "optimizer", "learning-rate", "precision", "memory", "workers"),
    "Networks and devices": ("features", "network", "backend", "device", "engine", "address", "offline"),
    "Output": (
        "format", "name", "quality", "bit-depth", "keep-metadata", "provenance", "animate", "plot", "save-every",
        "resume", "show", "watch", "json", "progress", "quiet", "verbose", "help",
    ),
}  # fmt: skip

#: The topic of options that have none; a test allows none of them.
OTHERS = "Others"


def by_topic(names: Iterable[str]) -> dict[str, list[str]]:
    """Return the names of options by topic, in the order of the help."""
    left = list(names)
    found = {}
    for topic, members in TOPICS.items():
        if here := [name for name in members if name in left]:
            found[topic] = here
            left = [name for name in left if name not in here]
    return {**found, OTHERS: left} if left else found
