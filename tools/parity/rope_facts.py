"""How far transformers' float32 rotary tables are from exact ones, by position.

The reference rounds the frequencies and every angle to float32, so an angle of p radians is off by up to p 2^-24.
`alike` follows the same roundings on top of float64 functions, as MIMIC-Chat does.
"""

import torch
from transformers import Qwen2Config
from transformers.models.qwen2.modeling_qwen2 import Qwen2RotaryEmbedding

HEAD_SIZE, THETA = 64, 1e6


def rotary_tables(positions, head_size: int):
    """[P, head_size]: cosines, then sines of every pair."""
    config = Qwen2Config(
        hidden_size=head_size * 14,
        num_attention_heads=14,
        rope_parameters={"rope_type": "default", "rope_theta": THETA},
    )
    cos, sin = Qwen2RotaryEmbedding(config)(torch.zeros(1), positions[None])
    return torch.cat([cos[0, :, : head_size // 2], sin[0, :, : head_size // 2]], dim=-1)


def tables(angles):
    return torch.cat([angles.cos(), angles.sin()], dim=-1)


def main() -> None:
    exponents = torch.arange(0, HEAD_SIZE, 2, dtype=torch.float64) / HEAD_SIZE
    frequencies = THETA**-exponents
    rounded = (1 / (THETA**exponents).float()).double()
    for last in (255, 2303, 8191, 32767):
        positions = torch.arange(last + 1)
        want = rotary_tables(positions, HEAD_SIZE).double()
        exact = tables(torch.outer(positions.double(), frequencies))
        alike = tables(torch.outer(positions.double(), rounded).float().double())
        print(f"positions 0..{last}: exact {(want - exact).abs().max():.1e}, alike {(want - alike).abs().max():.1e}")


if __name__ == "__main__":
    main()
