"""Writes the small torch.save files, and what they hold, that test/model/weights/torch reads.

    python tools/torch-archives.py test/model/weights/torch/archives

Written with PyTorch 2.13.0+cpu, Python 3.11; seed 4. `bytes` in expected.json are the values as they lie in memory, in hex.
"""

import argparse
import json
import os
import sys
from collections import OrderedDict
from pathlib import Path

import torch

DTYPES = {
    torch.float32: "F32", torch.float64: "F64", torch.float16: "F16", torch.bfloat16: "BF16", torch.int64: "I64",
    torch.int32: "I32", torch.int16: "I16", torch.int8: "I8", torch.uint8: "U8", torch.bool: "BOOL",
}  # fmt: skip


class Command:
    """What a hostile file does: unpickled by Python it would run a command."""

    def __reduce__(self):
        return os.system, ("echo ran > /tmp/mimic-pickle-ran",)


def described(tensors: dict[str, torch.Tensor]) -> dict:
    def hex_of(x: torch.Tensor) -> str:
        # Through Python's own bytes, so that no reader of ours or torch's is in between.
        flat = x.detach().contiguous().reshape(-1)
        return bytes(flat.view(torch.uint8).tolist()).hex() if flat.numel() > 0 else ""

    return {
        name: {"dtype": DTYPES[x.dtype], "shape": list(x.shape), "bytes": hex_of(x)} for name, x in tensors.items()
    }


def main() -> None:
    out = Path(sys.argv[1])
    out.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(4)
    base = torch.randn(5, 3)
    dtypes = OrderedDict((DTYPES[dtype].lower(), (base * 20).abs().to(dtype)) for dtype in DTYPES)
    shapes = OrderedDict(
        whole=base,
        rows=base[1:4],
        tied=base,
        scalar=torch.tensor(2.5),
        empty=torch.zeros(0, 4),
        one_row=torch.arange(6).expand(1, -1),
        parameter=torch.nn.Parameter(torch.randn(2, 2)),
    )
    module = torch.nn.Sequential(torch.nn.Linear(3, 2), torch.nn.BatchNorm1d(2)).state_dict()
    optimizer = {"state": {0: {"step": 7, "exp_avg": torch.zeros(2)}}, "param_groups": [{"lr": 1e-4, "betas": (0.9, 0.999), "params": [0]}]}
    fair = {"epoch": 15, "model_state": module, "optimizer_state": optimizer, "cfg": "TRAIN:\n  ENABLE: true\n"}
    readable = {
        "dtypes.bin": (dtypes, dtypes, {}),
        "shapes.pt": (shapes, shapes, {}),
        "module.pth": (module, module, {}),
        "protocol-4.bin": (module, module, {"pickle_protocol": 4}),
        "fair.pyth": (fair, module, {}),
    }
    refused = {
        "transposed.bin": (dict(transposed=base.t(), expanded=base[0].expand(2, 3), good=base), {}),
        "legacy.bin": (module, {"_use_new_zipfile_serialization": False}),
        "command.bin": (dict(weight=base, other=Command()), {}),
        "namespace.bin": (dict(weight=base, args=argparse.Namespace(lr=1)), {}),
        "complex.bin": (dict(weight=torch.zeros(2, dtype=torch.complex64)), {}),
        "numbers.bin": (dict(epoch=3), {}),
    }
    for name, (value, _, options) in readable.items():
        torch.save(value, out / name, **options)
    for name, (value, options) in refused.items():
        torch.save(value, out / name, **options)
    expected = {name: described(tensors) for name, (_, tensors, _) in readable.items()}
    (out / "expected.json").write_text(json.dumps(expected, indent=1) + "\n")


main()
