"""Compares our reader's verdicts with those of the reference reader (Rust, through Python's safetensors) on mutated files.

    node tools/fuzz-weights/main.mjs safetensors --cases 10000 --seed 4 --dump cases.bin
    python tools/fuzz-weights/agree.py cases.bin

Ours may refuse more, for the reasons below; it must refuse all that the reference refuses. Exit status 1 otherwise.
Run with safetensors 0.8, Python 3.11.
"""

import json
import re
import struct
import sys
from collections import Counter
from pathlib import Path

import safetensors


def cases(path: Path):
    data = path.read_bytes()
    at = 0
    while at < len(data):
        verdict_length, length = struct.unpack_from("<II", data, at)
        at += 8
        verdict = data[at : at + verdict_length].decode()
        at += verdict_length
        yield verdict, data[at : at + length]
        at += length


def reference(file: bytes) -> tuple[str, list | None]:
    try:
        return "accepted", safetensors.deserialize(file)
    except Exception as error:  # the package raises several types
        return re.sub(r"[:(].*", "", str(error))[:60], None


def why_stricter(file: bytes) -> str | None:
    """A rule that we hold and the reference reader does not."""
    length = struct.unpack_from("<Q", file)[0]
    header = file[8 : 8 + length].decode()
    found = []
    json.loads(header, object_pairs_hook=lambda pairs: found.append([key for key, _ in pairs]) or dict(pairs))
    if any(len(set(keys)) < len(keys) for keys in found):
        return "duplicate key"
    parsed = json.loads(header)
    tensors = [value for key, value in parsed.items() if key != "__metadata__"]
    if any(set(value) - {"dtype", "shape", "data_offsets"} for value in tensors):
        return "unknown key of a tensor"
    if any(value["dtype"] not in KNOWN for value in tensors):
        return "dtype below 8 bits or of 8-bit floats"
    if any(max(value["shape"], default=0) > 2**53 - 1 for value in tensors):
        return "dimension above 2^53"
    return None


KNOWN = {"BOOL", "U8", "I8", "U16", "I16", "F16", "BF16", "U32", "I32", "F32", "U64", "I64", "F64"}


def main() -> None:
    agreed, stricter, wrong = Counter(), Counter(), []
    for number, (ours, file) in enumerate(cases(Path(sys.argv[1]))):
        theirs, _ = reference(file)
        if (ours == "accepted") == (theirs == "accepted"):
            agreed["both accept" if ours == "accepted" else "both refuse"] += 1
        elif ours == "accepted":
            wrong.append((number, f"we accept, the reference says {theirs}", file))
        elif (reason := why_stricter(file)) is not None:
            stricter[reason] += 1
        else:
            wrong.append((number, f"we say {ours}, the reference accepts", file))
    print(f"safetensors {safetensors.__version__}: {dict(agreed)}; we alone refuse: {dict(stricter)}")
    for number, message, file in wrong[:10]:
        print(f"case {number}: {message}\n  {file[:300]!r}")
    print(f"{len(wrong)} disagreements without a reason")
    sys.exit(1 if wrong else 0)


main()
