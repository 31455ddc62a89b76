"""Writes test/data/pixels/*.json: what Pillow and transformers make of generated pictures.

    pip install pillow==12.3.0 numpy==2.4.6 transformers==5.23.0 torch==2.13.0
    python tools/pixels/goldens.py && npm run format
    pip install pillow==13.0.0
    python tools/pixels/goldens.py && npm run format

Pillow 13 changed the order of the two passes for some sizes, so its results have a file of their own; grids, tiles and
crops are those of Pillow 12, as the released checkpoints were trained with versions before 13.

Pictures come from the integer hash of `picture`, which the test repeats, so only hashes of results are stored. There is
no other randomness. Tile grids come from a plain rewriting of InternVL's rule below, which is compared with
transformers' function on every size first.
"""
import hashlib
import json
from pathlib import Path

import numpy as np
import PIL
import transformers
from PIL import Image
from transformers.models.got_ocr2.image_processing_pil_got_ocr2 import (
    GotOcr2ImageProcessorPil,
    get_optimal_tiled_canvas,
)
from transformers.models.videomae.image_processing_pil_videomae import VideoMAEImageProcessorPil

OUT = Path(__file__).resolve().parents[2] / "test/data/pixels"
MAJOR = int(PIL.__version__.split(".")[0])
FILTERS = {"bicubic": Image.Resampling.BICUBIC, "bilinear": Image.Resampling.BILINEAR, "area": Image.Resampling.BOX}
PAIRS = [
    # Down, up, mixed.
    (64, 48, 16, 16), (101, 67, 28, 28), (320, 180, 56, 56), (426, 320, 448, 448), (33, 17, 100, 90), (100, 20, 28, 56),
    (20, 100, 56, 28), (7, 5, 448, 3), (640, 360, 224, 224), (97, 89, 96, 90), (50, 50, 49, 51), (1000, 3, 10, 30),
    # One axis only, none.
    (64, 48, 16, 48), (64, 48, 64, 16), (64, 48, 129, 48), (64, 48, 64, 97), (31, 29, 31, 29),
    # A single pixel on some side.
    (1, 1, 1, 1), (1, 1, 5, 3), (5, 3, 1, 1), (1, 40, 8, 8), (40, 1, 8, 8), (40, 30, 1, 30), (2, 2, 1, 7), (3, 200, 1, 1),
]
TINY = [(5, 4, 3, 7), (4, 3, 7, 2)]
TILED = [(300, 200), (200, 300), (90, 90), (56, 56), (700, 60), (33, 400), (57, 55), (120, 121)]
CROPPED = [(64, 48), (48, 64), (57, 57), (28, 28), (27, 200), (200, 27), (101, 67), (30, 29), (1, 40)]
TILE = 28


def picture(width, height):
    """RGB bytes: the top byte of a multiplicative hash of the byte's number."""
    h = np.arange(width * height * 3, dtype=np.uint32)
    h *= np.uint32(2654435761)
    h ^= h >> np.uint32(15)
    h *= np.uint32(2246822519)
    return (h >> np.uint32(24)).astype(np.uint8).reshape(height, width, 3)


def sha256(array):
    return hashlib.sha256(np.ascontiguousarray(array).tobytes()).hexdigest()


def resized(w, h, to_w, to_h, name):
    return np.asarray(Image.fromarray(picture(w, h)).resize((to_w, to_h), FILTERS[name]))


def tile_grid(width, height, least, most, size):
    """(columns, rows) by the rule of InternVL's dynamic_preprocess."""
    grids = [(c, r) for c in range(1, most + 1) for r in range(1, most + 1) if least <= c * r <= most]
    grids.sort(key=lambda grid: grid[0] * grid[1])
    best, best_gap = (1, 1), float("inf")
    for columns, rows in grids:
        gap = abs(width / height - columns / rows)
        if gap < best_gap:
            best, best_gap = (columns, rows), gap
        elif gap == best_gap and width * height > 0.5 * size * size * columns * rows:
            best = (columns, rows)
    return best


def grid_sizes(count):
    """Sizes of many shapes; every fourth is a multiple of 16 on both sides, where ties are."""
    for i in range(count):
        h = (i * 2654435761) & 0xFFFFFFFF
        width, height = 1 + (h >> 20), 1 + ((h >> 8) & 0xFFF)
        if i % 4 == 0:
            width, height = 16 * (1 + width % 120), 16 * (1 + height % 120)
        yield width, height


def grids():
    groups = []
    for least, most in [(1, 6), (1, 12), (1, 24), (3, 8)]:
        found = []
        for width, height in grid_sizes(5000):
            grid = tile_grid(width, height, least, most, 448)
            assert grid == get_optimal_tiled_canvas((height, width), (448, 448), least, most), (width, height)
            found.append(grid)
        text = " ".join(f"{c}x{r}" for c, r in found)
        groups.append({"minTiles": least, "maxTiles": most, "sha256": hashlib.sha256(text.encode()).hexdigest(),
                       "first": text.split()[:40]})
    squares = {str(side): "x".join(map(str, tile_grid(side, side, 1, 12, 448)))
               for side in [1, 448, 633, 634, 896, 950, 951, 1344]}
    return {"sizes": 5000, "groups": groups, "squares": squares}


def processor_bytes(processor, image):
    """The processor's pixels before normalisation, channels last."""
    values = processor(image, do_rescale=False, do_normalize=False, return_tensors="np")
    pixels = np.asarray(values["pixel_values"])
    return np.moveaxis(pixels.reshape(-1, *pixels.shape[-3:]), 1, -1).astype(np.uint8)


def tiles():
    processor = GotOcr2ImageProcessorPil(size={"height": TILE, "width": TILE}, crop_to_patches=True, max_patches=6)
    found = []
    for w, h in TILED:
        pixels = processor_bytes(processor, Image.fromarray(picture(w, h)))
        found.append({"width": w, "height": h, "count": len(pixels), "sha256": sha256(pixels)})
    return {"size": TILE, "maxTiles": 6, "cases": found}


def crops():
    size = {"height": TILE, "width": TILE}
    processor = VideoMAEImageProcessorPil(size={"shortest_edge": TILE}, crop_size=size)
    return {"size": TILE, "cases": [
        {"width": w, "height": h, "sha256": sha256(processor_bytes(processor, [Image.fromarray(picture(w, h))]))}
        for w, h in CROPPED]}


versions = {"pillow": PIL.__version__, "numpy": np.__version__, "transformers": transformers.__version__}


def write(name, content):
    (OUT / name).write_text(json.dumps({"versions": versions, **content}) + "\n")
    print(f"{OUT / name}: {(OUT / name).stat().st_size} bytes")


write(f"pillow-{MAJOR}.json", {
    "resized": [{"case": [*pair, name], "sha256": sha256(resized(*pair, name))} for pair in PAIRS for name in FILTERS],
    "tiny": [{"case": [*pair, name], "input": picture(pair[0], pair[1]).ravel().tolist(),
              "output": resized(*pair, name).ravel().tolist()} for pair in TINY for name in FILTERS],
})
if MAJOR < 13:
    write("processors.json", {"grids": grids(), "tiles": tiles(), "crops": crops()})
