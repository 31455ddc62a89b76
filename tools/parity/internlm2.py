"""InternLM2's decoder under the module names of its checkpoints, which adapters target.

Written from the description of the architecture; `check_against_llama` proves it on transformers' Llama, into which a
conversion of the rows turns the same weights.
"""

from dataclasses import dataclass

import torch
from torch import nn
from torch.nn import functional as F


@dataclass
class InternLM2Config:
    hidden_size: int
    intermediate_size: int
    num_hidden_layers: int
    num_attention_heads: int
    num_key_value_heads: int
    vocab_size: int
    rope_theta: float
    rms_norm_eps: float


class RmsNorm(nn.Module):
    def __init__(self, size: int, eps: float):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(size))
        self.eps = eps

    def forward(self, x):
        wide = x.to(torch.promote_types(x.dtype, torch.float32))
        normed = wide * torch.rsqrt(wide.square().mean(-1, keepdim=True) + self.eps)
        return self.weight * normed.to(x.dtype)


def rotate(x_BHTD, theta: float):
    """Rotary embedding of positions 0..T-1; channel d pairs with d + D/2."""
    length, size = x_BHTD.shape[-2:]
    frequencies = 1.0 / theta ** (torch.arange(0, size, 2, dtype=torch.float32) / size)
    angles = torch.outer(torch.arange(length, dtype=torch.float32), frequencies)
    cos, sin = angles.cos().to(x_BHTD.dtype), angles.sin().to(x_BHTD.dtype)
    left, right = x_BHTD.chunk(2, dim=-1)
    return torch.cat([left * cos - right * sin, right * cos + left * sin], dim=-1)


class Attention(nn.Module):
    """wqkv rows: for every key/value group its query heads, its key head, its value head."""

    def __init__(self, config: InternLM2Config):
        super().__init__()
        self.config = config
        self.head_size = config.hidden_size // config.num_attention_heads
        rows = (config.num_attention_heads + 2 * config.num_key_value_heads) * self.head_size
        self.wqkv = nn.Linear(config.hidden_size, rows, bias=False)
        self.wo = nn.Linear(config.hidden_size, config.hidden_size, bias=False)

    def forward(self, x_BTC):
        batch, length, width = x_BTC.shape
        groups = self.config.num_key_value_heads
        per_group = self.config.num_attention_heads // groups
        slots = self.wqkv(x_BTC).view(batch, length, groups, per_group + 2, self.head_size)
        q = slots[:, :, :, :per_group].reshape(batch, length, -1, self.head_size).transpose(1, 2)
        k = slots[:, :, :, per_group].transpose(1, 2)
        v = slots[:, :, :, per_group + 1].transpose(1, 2)
        q, k = rotate(q, self.config.rope_theta), rotate(k, self.config.rope_theta)
        k, v = k.repeat_interleave(per_group, dim=1), v.repeat_interleave(per_group, dim=1)
        scores = q @ k.transpose(-1, -2) * self.head_size**-0.5
        future = torch.ones(length, length, dtype=torch.bool).triu(1)
        wide = torch.promote_types(q.dtype, torch.float32)
        weights = scores.masked_fill(future, torch.finfo(scores.dtype).min).softmax(-1, dtype=wide).to(q.dtype)
        return self.wo((weights @ v).transpose(1, 2).reshape(batch, length, width))


class FeedForward(nn.Module):
    def __init__(self, config: InternLM2Config):
        super().__init__()
        self.w1 = nn.Linear(config.hidden_size, config.intermediate_size, bias=False)
        self.w3 = nn.Linear(config.hidden_size, config.intermediate_size, bias=False)
        self.w2 = nn.Linear(config.intermediate_size, config.hidden_size, bias=False)

    def forward(self, x):
        return self.w2(F.silu(self.w1(x)) * self.w3(x))


class Layer(nn.Module):
    def __init__(self, config: InternLM2Config):
        super().__init__()
        self.attention_norm = RmsNorm(config.hidden_size, config.rms_norm_eps)
        self.attention = Attention(config)
        self.ffn_norm = RmsNorm(config.hidden_size, config.rms_norm_eps)
        self.feed_forward = FeedForward(config)

    def forward(self, x):
        x = x + self.attention(self.attention_norm(x))
        return x + self.feed_forward(self.ffn_norm(x))


class Stack(nn.Module):
    def __init__(self, config: InternLM2Config):
        super().__init__()
        self.tok_embeddings = nn.Embedding(config.vocab_size, config.hidden_size)
        self.layers = nn.ModuleList(Layer(config) for _ in range(config.num_hidden_layers))
        self.norm = RmsNorm(config.hidden_size, config.rms_norm_eps)

    def forward(self, x_BTC):
        for layer in self.layers:
            x_BTC = layer(x_BTC)
        return self.norm(x_BTC)


class InternLM2(nn.Module):
    def __init__(self, config: InternLM2Config):
        super().__init__()
        self.settings = config
        self.model = Stack(config)
        self.output = nn.Linear(config.hidden_size, config.vocab_size, bias=False)

    def forward(self, ids_BT=None, inputs_embeds=None):
        """Logits [B, T, V]."""
        x = self.model.tok_embeddings(ids_BT) if inputs_embeds is None else inputs_embeds
        return self.output(self.model(x))


@torch.no_grad()
def check_against_llama(model: InternLM2, llama, ids_BT) -> float:
    """Largest difference of logits from transformers' Llama with the converted weights. Raises above 1e-5."""
    error = (model(ids_BT) - llama(input_ids=ids_BT).logits).abs().max().item()
    if error > 1e-5:
        raise AssertionError(f"InternLM2 and Llama differ by {error}")
    return error
