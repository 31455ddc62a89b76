"""Compares both branches' frames of real clips (`fit: squash`) with transformers' processors on ffmpeg's RGB frames.

    npm run setup
    pip install pillow==12.3.0 numpy==2.4.6 transformers==5.23.0 torch==2.13.0
    python tools/pixels/compare_clips.py CLIP...

Prints differences of bytes, which must be 0, and of normalised values.
"""
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import PIL
from PIL import Image
from transformers.models.got_ocr2.image_processing_pil_got_ocr2 import GotOcr2ImageProcessorPil
from transformers.models.videomae.image_processing_pil_videomae import VideoMAEImageProcessorPil

SIZE = 448
IMAGENET = {"image_mean": [0.485, 0.456, 0.406], "image_std": [0.229, 0.224, 0.225]}
TIMESFORMER = {"image_mean": [0.45] * 3, "image_std": [0.225] * 3}
SQUARE = {"height": SIZE, "width": SIZE}
SPATIAL = GotOcr2ImageProcessorPil(size=SQUARE, crop_to_patches=True, max_patches=1, **IMAGENET)
TEMPORAL = VideoMAEImageProcessorPil(size={"shortest_edge": SIZE}, crop_size=SQUARE, **TIMESFORMER)
PPM = ["-fps_mode", "passthrough", "-pix_fmt", "rgb24", "-f", "rawvideo", "-"]


def decoded(clip):
    probe = ["ffprobe", "-v", "error", "-select_streams", "v:0", "-show_entries", "stream=width,height", "-of", "csv=p=0"]
    width, height = map(int, subprocess.run([*probe, clip], capture_output=True, text=True, check=True).stdout.split(","))
    raw = subprocess.run(["ffmpeg", "-v", "error", "-i", clip, *PPM], capture_output=True, check=True).stdout
    return np.frombuffer(raw, np.uint8).reshape(-1, height, width, 3)


def channels_last(pixel_values):
    pixels = np.asarray(pixel_values)
    return np.moveaxis(pixels.reshape(-1, *pixels.shape[-3:]), 1, -1)


def differences(processor, constants, images, ours):
    """Largest difference of bytes and of normalised values over all frames, one frame at a time."""
    levels = (np.arange(256)[:, None] / 255 - constants["image_mean"]) / constants["image_std"]
    levels = levels.astype(np.float32)
    most_bytes, most_values = 0, 0.0
    for image, mine in zip(images, ours, strict=True):
        given = image if processor is SPATIAL else [image]
        theirs = channels_last(processor(given, do_rescale=False, do_normalize=False)["pixel_values"])[0]
        most_bytes = max(most_bytes, int(np.abs(theirs.astype(int) - mine.astype(int)).max()))
        values = channels_last(processor(given)["pixel_values"])[0]
        mine_values = np.stack([levels[mine[..., c], c] for c in range(3)], -1)
        most_values = max(most_values, float(np.abs(values - mine_values).max()))
    return most_bytes, most_values


for clip in sys.argv[1:]:
    frames = decoded(clip)
    with tempfile.TemporaryDirectory() as folder:
        tool = Path(__file__).with_name("clip-frames.mjs")
        subprocess.run(["node", str(tool), clip, str(SIZE), folder], check=True)
        indices = json.loads((Path(folder) / "indices.json").read_text())
        for branch, processor, constants in [("spatial", SPATIAL, IMAGENET), ("temporal", TEMPORAL, TIMESFORMER)]:
            ours = np.fromfile(Path(folder) / f"{branch}.rgb", np.uint8).reshape(-1, SIZE, SIZE, 3)
            images = [Image.fromarray(frames[i]) for i in indices[branch]]
            levels, values = differences(processor, constants, images, ours)
            print(f"{Path(clip).name} {branch}, {len(ours)} frames, Pillow {PIL.__version__}: "
                  f"bytes differ by at most {levels}, normalised values by {values:.1e}")
