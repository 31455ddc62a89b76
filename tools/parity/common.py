"""Seeds, random weights and files with their provenance; shared by the scripts of this folder."""

import json
import os
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy
import peft
import safetensors
import torch
import transformers
from safetensors.torch import save_file

torch.set_num_threads(1)
torch.use_deterministic_algorithms(True)

GOLDENS = Path(__file__).resolve().parents[2] / "test" / "parity" / "goldens"

VERSIONS = {
    "torch": torch.__version__,
    "transformers": transformers.__version__,
    "peft": peft.__version__,
    "safetensors": safetensors.__version__,
    "numpy": numpy.__version__,
}


def generator(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def randomize(module: torch.nn.Module, seed: int, bfloat16: bool) -> None:
    """Non-trivial values everywhere: matrices of gain about 1, norm gains around 1, biases around 0.

    Embeddings and layer scales are small, as in trained models: so the variance that the first norms and the projector's
    see is small, and a wrong epsilon shows.

    bfloat16: rounds the values, which stay fp32, so that a bf16 checkpoint holds them exactly.
    """
    rng = generator(seed)
    with torch.no_grad():
        for name, parameter in module.named_parameters():
            noise = torch.randn(parameter.shape, generator=rng)
            if "patch_embeddings" in name:
                value = noise * 0.05 * (1 if parameter.ndim == 1 else parameter[0].numel() ** -0.5)
            elif parameter.ndim == 1 and name.endswith("weight"):
                value = 0.8 + 0.2 * noise
            elif "lambda" in name:
                value = 0.05 + 0.02 * noise
            elif parameter.ndim == 1:
                value = 0.2 * noise
            elif "embed_tokens" in name:
                value = 0.15 * noise
            elif "embed" in name or "token" in name or "position" in name:
                value = 0.03 * noise
            elif "lm_head" in name:
                # Wide logits: the best token leads by far more than any rounding, so greedy decoding is well defined.
                value = noise * 3 * parameter.shape[-1] ** -0.5
            else:
                value = noise * parameter[0].numel() ** -0.5
            parameter.copy_(value.bfloat16().float() if bfloat16 else value)


def random_bytes(shape, seed: int) -> torch.Tensor:
    """Frames as decoded: uint8 RGB, channels last."""
    return torch.randint(0, 256, shape, generator=generator(seed), dtype=torch.uint8)


def normalize(frames_FHWC: torch.Tensor, mean, std) -> torch.Tensor:
    """uint8 [F, H, W, 3] -> float32 [F, 3, H, W]; float64 inside."""
    values = (frames_FHWC.double() / 255 - torch.tensor(mean, dtype=torch.float64)) / torch.tensor(
        std, dtype=torch.float64
    )
    return values.float().permute(0, 3, 1, 2).contiguous()


def save_golden(name: str, tensors: dict, seed: int, **facts) -> None:
    """One safetensors file; int64 becomes int32, everything else keeps its type."""
    stored = {k: (v.int() if v.dtype == torch.int64 else v).detach().contiguous().clone() for k, v in tensors.items()}
    # One key, since the writer keeps no order among several: the same goldens are the same bytes.
    provenance = json.dumps({"seed": seed, "versions": VERSIONS, **facts})
    save_file(stored, str(GOLDENS / name), metadata={"provenance": provenance})


def save_json(path: Path, value) -> None:
    path.write_text(json.dumps(value, indent=2) + "\n")
