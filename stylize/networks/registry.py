"""The networks by name, and where their files come from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

__all__ = ["REGISTRY", "Role", "WeightsFile", "WeightsSpec"]

Role = Literal["stylizer", "features"]


@dataclass(frozen=True)
class WeightsFile:
    """One file of a network as its publisher offers it.

    Attributes:
        filename: The file's name in the network's folder.
        url: Where the file is downloaded from; None for a file that comes with the package.
        sha256: The published hash in lower-case hex; None if none is published.
        md5: The same for MD5.
        size_bytes: The size of the download. It only scales the progress bar and may be approximate.
        keyword: A local file with this word in its name is recognised as this file.
    """

    filename: str
    url: str | None = None
    sha256: str | None = None
    md5: str | None = None
    size_bytes: int | None = None
    keyword: str | None = None


@dataclass(frozen=True)
class WeightsSpec:
    """What is known about a network before any of its files is on this machine.

    Attributes:
        name: The network's name.
        role: What the network is for.
        files: The network's files.
        licence: The licence of the weights.
        embedded: Whether the files come with the package; they are neither downloaded nor added.
        archive: Whether the only file is a tar.gz archive of a TensorFlow SavedModel folder.
    """

    name: str
    role: Role
    files: tuple[WeightsFile, ...]
    licence: str
    embedded: bool = False
    archive: bool = False

    @property
    def download_bytes(self) -> int | None:
        """Size of all files, as far as published; None if the size of a file is unknown."""
        sizes = [file.size_bytes for file in self.files]
        return None if None in sizes else sum(size or 0 for size in sizes)


_MAGENTA = "https://tfhub.dev/google/magenta/arbitrary-image-stylization-v1-256/2"

_MAGENTA_INT8 = (
    "https://storage.googleapis.com/download.tensorflow.org/models/tflite/task_library/style_transfer/android/"
    "magenta_arbitrary-image-stylization-v1-256_int8_"
)

_KERAS = "https://storage.googleapis.com/tensorflow/keras-applications/vgg19/"

_VGG19 = "vgg19_weights_tf_dim_ordering_tf_kernels_notop.h5"

_SPECS = (
    WeightsSpec(
        "magenta",
        "stylizer",
        (WeightsFile("magenta.tar.gz", f"{_MAGENTA}?tf-hub-format=compressed", size_bytes=85_000_000),),
        "Apache-2.0",
        archive=True,
    ),
    WeightsSpec(
        "magenta-int8",  # for LiteRT, fixed at 384 x 384
        "stylizer",
        (
            WeightsFile(
                "magenta_int8_predict.tflite",
                f"{_MAGENTA_INT8}prediction_1.tflite",
                sha256="af6ad4b2e7aeba0675f32636082ab915ced5375229a3f8aff7e714c6213f5ed2",
                size_bytes=2_828_838,
                keyword="predict",
            ),
            WeightsFile(
                "magenta_int8_transfer.tflite",
                f"{_MAGENTA_INT8}transfer_1.tflite",
                sha256="7a1550643cf034a4d813c0aa276976cd15da4141b4f1ec3631db1d0d9c8e2cd1",
                size_bytes=284_398,
                keyword="transfer",
            ),
        ),
        "Apache-2.0",
    ),
    WeightsSpec(
        "mini",
        "stylizer",
        (WeightsFile("mini_style.tflite"), WeightsFile("mini_transfer.tflite")),
        "Apache-2.0",
        embedded=True,
    ),
    WeightsSpec(
        "vgg19",  # as Keras applications publishes it
        "features",
        (WeightsFile(_VGG19, _KERAS + _VGG19, md5="253f8cb515780f3b799900260a226db6", size_bytes=80_134_624),),
        "CC BY 4.0",
    ),
    WeightsSpec("vgg19-slim", "features", (WeightsFile("vgg19_slim.safetensors"),), "Apache-2.0", embedded=True),
)

#: Each network by its name. Within a role, preferred networks come first.
REGISTRY: Mapping[str, WeightsSpec] = {spec.name: spec for spec in _SPECS}
