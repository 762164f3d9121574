"""Small images of many kinds, and what transformers' image processors over Pillow make of them.

Written for packages/node/src/images/images.test.ts. The steps are those of transformers' slow processors (5.x,
image_transforms.py): convert_rgb, resize (Image.resize), center_crop, rescale, normalize, in that order, in float32.
Run: python scripts/golden-images.py        Versions are written into golden.json.
"""

import base64
import io
import json
import math
import pathlib
import sys

import numpy as np
import PIL
from PIL import Image, ImageOps

FOLDER = pathlib.Path(__file__).parent.parent / "test/golden/images"
FOLDER.mkdir(parents=True, exist_ok=True)


def scene(width, height):
    """Gradients, an edge and a fine pattern, so that filters differ."""
    y, x = np.mgrid[0:height, 0:width].astype(np.float64)
    red = 127 + 120 * np.sin(x / 5) * np.cos(y / 7)
    green = 255 * x / width
    blue = np.where((x // 3 + y // 4) % 2 == 0, 230, 20)
    image = np.stack([red, green, blue], -1)
    image[height // 3 : height // 2, width // 4 : width // 2] = [250, 240, 10]
    return Image.fromarray(image.clip(0, 255).astype(np.uint8))


photo = scene(61, 47)
alpha = np.asarray(photo.convert("RGBA")).copy()
alpha[..., 3] = np.linspace(0, 255, 61)[None].astype(np.uint8)
rotated = Image.Exif()
rotated[0x0112] = 6
photo.save(FOLDER / "photo.png")
scene(20, 15).save(FOLDER / "small.png")
photo.save(FOLDER / "photo.jpg", quality=85)
photo.save(FOLDER / "upright.jpg", quality=85, exif=rotated)
photo.convert("L").save(FOLDER / "grey.jpg", quality=85)
photo.quantize(32).save(FOLDER / "palette.png")
photo.save(FOLDER / "colour24.bmp")
photo.quantize(32).save(FOLDER / "palette8.bmp")
photo.convert("1").save(FOLDER / "black1.bmp")
Image.fromarray(alpha).save(FOLDER / "alpha.png")
scene(220, 160).save(FOLDER / "large.jpg", quality=85)
(FOLDER / "broken.jpg").write_bytes((FOLDER / "photo.jpg").read_bytes()[:700])

IMAGENET = {"do_normalize": True, "image_mean": [0.485, 0.456, 0.406], "image_std": [0.229, 0.224, 0.225]}
HALF = {"do_normalize": True, "image_mean": [0.5] * 3, "image_std": [0.5] * 3}
square = lambda side, **more: {"do_resize": True, "size": {"height": side, "width": side}, **more}
CASES = [
    *[(file, square(16, resample=2, **HALF)) for file in ["photo.png", "photo.jpg", "upright.jpg", "grey.jpg", "palette.png", "colour24.bmp", "palette8.bmp", "black1.bmp"]],
    *[("photo.png", square(16, resample=code)) for code in range(6)],
    *[("small.png", square(24, resample=code)) for code in range(6)],
    ("photo.png", {"size": {"height": 12, "width": 61}, "resample": 3}),
    ("photo.png", {"size": {"shortest_edge": 24}, "resample": 3, "do_center_crop": True, "crop_size": {"height": 20, "width": 20}, **IMAGENET}),
    ("photo.png", {"size": 24, "resample": 1, "do_center_crop": True, "crop_size": 23, **IMAGENET}),
    ("photo.png", {"size": {"shortest_edge": 20}, "resample": 2, "do_center_crop": True, "crop_size": {"height": 27, "width": 31}, **HALF}),
    ("photo.png", {"do_resize": False, "do_center_crop": True, "crop_size": {"height": 32, "width": 30}, "do_rescale": False}),
    ("photo.png", square(14, resample=2, do_convert_grayscale=True, do_invert=True)),
    ("photo.jpg", square(14, resample=0, do_flip_channel_order=True)),
    ("alpha.png", square(16, resample=2)),
    ("alpha.png", square(16, resample=2, alpha_background="black")),
    ("large.jpg", square(16, resample=2, **HALF)),
]


def pixels(path, config):
    image = ImageOps.exif_transpose(Image.open(path))
    if image.mode == "RGBA":  # ours: transformers leaves alpha out and shows what lies hidden
        a = np.asarray(image).astype(np.int64)
        back = 0 if config.get("alpha_background") == "black" else 255
        mixed = np.floor((a[..., :3] * a[..., 3:] + back * (255 - a[..., 3:])) / 255 + 0.5)
        image = Image.fromarray(mixed.astype(np.uint8))
    image = image.convert("RGB")
    if config.get("do_convert_grayscale"):
        image = image.convert("L")
    if config.get("do_invert"):
        image = ImageOps.invert(image)
    crop = config.get("crop_size") if config.get("do_center_crop") else None
    if config.get("do_resize", True):
        size = config["size"]
        if crop is not None and isinstance(size, int):
            size = {"shortest_edge": size}
        if "shortest_edge" in size:
            short, long = sorted(image.size)
            edge, other = size["shortest_edge"], int(size["shortest_edge"] * long / short)
            wanted = (edge, other) if image.width <= image.height else (other, edge)
        else:
            wanted = (size["width"], size["height"])
        image = image.resize(wanted, resample=config.get("resample", 2))
    array = np.asarray(image)
    if array.ndim == 2:
        array = array[..., None]
    if crop is not None:
        array = center_crop(array, (crop, crop) if isinstance(crop, int) else (crop["height"], crop["width"]))
    if config.get("do_rescale", True):
        array = (array.astype(np.float64) * (1 / 255)).astype(np.float32)
    if config.get("do_normalize"):
        mean = np.array(config["image_mean"], dtype=array.dtype)
        std = np.array(config["image_std"], dtype=array.dtype)
        array = (array - mean) / std
    if config.get("do_flip_channel_order"):
        array = array[..., ::-1]
    return np.ascontiguousarray(array.transpose(2, 0, 1), dtype=np.float32)


def center_crop(image, size):
    """transformers.image_transforms.center_crop, channels last."""
    height, width = image.shape[:2]
    ch, cw = size
    top, left = (height - ch) // 2, (width - cw) // 2
    if top >= 0 and top + ch <= height and left >= 0 and left + cw <= width:
        return image[top : top + ch, left : left + cw]
    new_h, new_w = max(ch, height), max(cw, width)
    canvas = np.zeros((new_h, new_w, image.shape[2]), dtype=image.dtype)
    pad_top, pad_left = math.ceil((new_h - height) / 2), math.ceil((new_w - width) / 2)
    canvas[pad_top : pad_top + height, pad_left : pad_left + width] = image
    top, left = top + pad_top, left + pad_left
    return canvas[max(0, top) : min(new_h, top + ch), max(0, left) : min(new_w, left + cw)]


cases = []
for file, config in CASES:
    values = pixels(FOLDER / file, config)
    cases.append({"file": file, "config": config, "shape": values.shape, "float32": base64.b64encode(values.tobytes()).decode()})
out = {"versions": {"python": sys.version.split()[0], "pillow": PIL.__version__, "numpy": np.__version__}, "cases": cases}
(FOLDER / "golden.json").write_text(json.dumps(out) + "\n")
