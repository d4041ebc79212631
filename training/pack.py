"""Pack everything that the training scripts read into one small file for a machine with a GPU.

    python training/pack.py --photos DIR --paintings DIR --teacher vgg19.h5 -o pack.zip

On that machine, unpack the file with `python -m zipfile -e pack.zip pack` and use the options `--photos pack/photos
--paintings pack/paintings --teacher pack/vgg19.safetensors`. The pack has the pictures at 384 px, and VGG-19 in float16
up to the last layer that a loss uses.
"""

import argparse
import io
import zipfile
from pathlib import Path

import numpy as np
from safetensors.numpy import save

from data import pictures_of
from networks import vgg19_tensors


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("--photos", "--paintings", "--teacher"):
        parser.add_argument(name, type=Path, required=True)
    parser.add_argument("-o", "--output", type=Path, required=True)
    parser.add_argument("--quality", type=int, default=60, help="WebP quality of the pictures")
    args = parser.parse_args()
    with zipfile.ZipFile(args.output, "w") as pack:
        teacher = {name: value.astype(np.float16) for name, value in vgg19_tensors(args.teacher).items()}
        pack.writestr("vgg19.safetensors", save(teacher), zipfile.ZIP_LZMA)
        for kind in ("photos", "paintings"):
            for name, picture in pictures_of(getattr(args, kind)):
                file = io.BytesIO()
                picture.save(file, "WEBP", quality=args.quality)
                pack.writestr(f"{kind}/{name}.webp", file.getvalue())
    print(f"{args.output}: {args.output.stat().st_size / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
