"""Reads a run's event files with TensorBoard's own reader and compares every scalar with events.jsonl.

Usage: python3 tools/check_tensorboard.py RUN_FOLDER     (pip install tensorboard; checked with 2.21)

The run may have been interrupted and resumed: of a step that was done twice both sides keep the last. Values are float32 in the
event files, so they are compared as float32, bit for bit. Exits with 1 and a line for each difference.
"""

import json
import math
import struct
import sys
from pathlib import Path

from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

EVERYTHING = {"scalars": 0, "tensors": 0, "images": 0, "histograms": 0, "compressedHistograms": 0, "audio": 0, "graph": 0}


def as_float32(value):
    return struct.unpack("<f", struct.pack("<f", value))[0]


def expected_scalars(path):
    """What the program wrote down of each step, as tag -> step -> value."""
    scalars = {}
    bad = set()

    def put(tag, step, value):
        if value is not None and not math.isnan(value):
            scalars.setdefault(tag, {})[step] = value

    waiting = None

    def flush():
        # A step's bad videos follow it in the file, and count in its own scalar.
        if waiting is not None:
            put("data/videos left out", waiting, len(bad))

    for line in path.read_text().splitlines():
        event = json.loads(line)
        kind, step = event["event"], event.get("step")
        if kind == "bad video":
            bad.add(event["id"])
            continue
        flush()
        waiting = None
        if kind == "start":
            for steps in scalars.values():
                for later in [at for at in steps if at > event["firstStep"]]:
                    del steps[later]
        elif kind == "step":
            waiting = step
            seconds = event["seconds"]
            put("train/loss", step, event["loss"])
            put("train/gradient norm", step, event["gradNorm"])
            put("train/learning rate", step, event["learningRate"])
            put("speed/tokens per second", step, event["tokens"] / seconds)
            put("speed/clips per second", step, event["clips"] / seconds)
            put("speed/data wait share", step, event["dataWaitSec"] / seconds)
            put("memory/GiB", step, event["memoryBytes"] / 2**30)
        elif kind == "validation":
            put("validation/accuracy", step, event["accuracy"])
            put("validation/loss", step, event["loss"])
            for task, value in event["byTask"].items():
                put(f"validation/{task}", step, value)
    flush()
    return scalars


def main(folder):
    accumulator = EventAccumulator(str(folder / "tb"), size_guidance=EVERYTHING)
    accumulator.Reload()
    tags = accumulator.Tags()
    expected = expected_scalars(folder / "events.jsonl")
    problems = []
    if sorted(tags["scalars"]) != sorted(expected):
        problems.append(f"tags differ: {sorted(set(tags['scalars']) ^ set(expected))}")
    compared = 0
    for tag in sorted(set(tags["scalars"]) & set(expected)):
        read = {event.step: event.value for event in accumulator.Scalars(tag)}
        if sorted(read) != sorted(expected[tag]):
            problems.append(f"{tag}: other steps: {sorted(set(read) ^ set(expected[tag]))[:10]}")
        for step in set(read) & set(expected[tag]):
            compared += 1
            if as_float32(read[step]) != as_float32(expected[tag][step]):
                problems.append(f"{tag}, step {step}: {read[step]} in TensorBoard, {expected[tag][step]} in events.jsonl")
    others = {kind: names for kind, names in tags.items() if kind != "scalars" and names}
    if others:
        problems.append(f"unexpected: {others}")
    print("\n".join(problems + [f"{len(tags['scalars'])} tags, {compared} values compared, {len(problems)} problems"]))
    return 1 if problems or compared == 0 else 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
