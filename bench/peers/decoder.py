"""The decoder of src/model/decoder.ts in PyTorch eager: InternLM2 with LoRA, parameter names as in the weights file.

Written as a PyTorch user would: F.scaled_dot_product_attention, F.rms_norm, fused wqkv, LoRA beside a frozen linear as
PEFT does it, cross-entropy on supervised rows only.
"""

import torch
import torch.nn.functional as F
from torch import nn


class LoraLinear(nn.Module):
    """y = W x + scale * B A x, W frozen."""

    def __init__(self, inputs, outputs, rank, alpha):
        super().__init__()
        self.weight = nn.Parameter(torch.empty(outputs, inputs), requires_grad=False)
        self.scale = alpha / rank
        self.lora_A = nn.Linear(inputs, rank, bias=False)
        self.lora_B = nn.Linear(rank, outputs, bias=False)

    def forward(self, x):
        return F.linear(x, self.weight) + self.lora_B(self.lora_A(x)) * self.scale


def linear(inputs, outputs, rank, alpha):
    """Without an adapter a plain linear, which peft can wrap."""
    return LoraLinear(inputs, outputs, rank, alpha) if rank > 0 else nn.Linear(inputs, outputs, bias=False)


def rope_tables(length, head_size, theta):
    """cos and sin, [T, D]; once for all layers."""
    frequencies = theta ** (-torch.arange(0, head_size, 2, dtype=torch.float64) / head_size)
    angles = torch.outer(torch.arange(length, dtype=torch.float64), frequencies).repeat(1, 2)
    return angles.cos().float(), angles.sin().float()


def rotate(x_BHTD, cos, sin):
    left, right = x_BHTD.chunk(2, dim=-1)
    return x_BHTD * cos + torch.cat((-right, left), dim=-1) * sin


class Attention(nn.Module):
    def __init__(self, config, rank):
        super().__init__()
        c, self.heads, self.groups = config["hiddenSize"], config["numHeads"], config["numKvHeads"]
        self.head_size = c // self.heads
        self.wqkv = linear(c, (self.heads + 2 * self.groups) * self.head_size, rank, config["loraAlpha"])
        self.wo = linear(c, c, rank, config["loraAlpha"])

    def forward(self, x_BTC, tables, cache):
        batch, length, c = x_BTC.shape
        per_group = self.heads // self.groups
        grouped = self.wqkv(x_BTC).view(batch, length, self.groups, per_group + 2, self.head_size)
        q = grouped[..., :per_group, :].reshape(batch, length, self.heads, self.head_size).transpose(1, 2)
        k = grouped[..., -2, :].transpose(1, 2)
        v = grouped[..., -1, :].transpose(1, 2)
        q, k = rotate(q, *tables), rotate(k, *tables)
        if cache is not None:
            cache.append((k, v))
        y = F.scaled_dot_product_attention(q, k, v, is_causal=True, enable_gqa=self.groups != self.heads)
        return self.wo(y.transpose(1, 2).reshape(batch, length, c))


class FeedForward(nn.Module):
    def __init__(self, config, ranks):
        super().__init__()
        c, f, alpha = config["hiddenSize"], config["intermediateSize"], config["loraAlpha"]
        self.w1 = linear(c, f, ranks("w1"), alpha)
        self.w3 = linear(c, f, ranks("w3"), alpha)
        self.w2 = linear(f, c, ranks("w2"), alpha)

    def forward(self, x):
        return self.w2(F.silu(self.w1(x)) * self.w3(x))


class RmsNorm(nn.Module):
    def __init__(self, size, eps):
        super().__init__()
        self.weight = nn.Parameter(torch.empty(size), requires_grad=False)
        self.eps = eps

    def forward(self, x):
        return F.rms_norm(x, self.weight.shape, self.weight, self.eps)


class Block(nn.Module):
    def __init__(self, config):
        super().__init__()
        targets = config["loraTargets"]
        ranks = lambda name: config["loraRank"] if name in targets else 0
        self.attention_norm = RmsNorm(config["hiddenSize"], config["normEps"])
        self.attention = Attention(config, ranks("wqkv"))
        self.ffn_norm = RmsNorm(config["hiddenSize"], config["normEps"])
        self.feed_forward = FeedForward(config, ranks)

    def forward(self, x, tables, cache):
        x = x + self.attention(self.attention_norm(x), tables, cache)
        return x + self.feed_forward(self.ffn_norm(x))


class Decoder(nn.Module):
    def __init__(self, config):
        super().__init__()
        c, vocabulary = config["hiddenSize"], config["vocabSize"]
        self.config = config
        self.model = nn.Module()
        self.model.tok_embeddings = nn.Embedding(vocabulary, c)
        self.model.tok_embeddings.weight.requires_grad_(False)
        self.model.layers = nn.ModuleList(Block(config) for _ in range(config["numLayers"]))
        self.model.norm = RmsNorm(c, config["normEps"])
        self.output = nn.Linear(c, vocabulary, bias=False)
        self.output.weight.requires_grad_(False)
        if config["tieWordEmbeddings"]:
            self.output.weight = self.model.tok_embeddings.weight

    def forward(self, ids_BT, cache=None):
        """-> hidden states after the final norm, [B, T, C]"""
        return self.hidden(self.model.tok_embeddings(ids_BT), cache)

    def hidden(self, x, cache=None):
        """From input embeddings on."""
        config = self.config
        tables = rope_tables(x.shape[1], config["hiddenSize"] // config["numHeads"], config["ropeTheta"])
        for layer in self.model.layers:
            x = layer(x, tables, cache)
        return self.model.norm(x)

    def loss(self, ids_BT, rows, labels):
        """Mean cross-entropy of the supervised rows; only they meet the vocabulary."""
        hidden = self(ids_BT).flatten(0, 1)[rows]
        return F.cross_entropy(self.output(hidden), labels)

    @torch.inference_mode()
    def prefill(self, ids_BT):
        """-> logits after the last token; keys and values are kept as for generation."""
        cache = []
        return self.output(self(ids_BT, cache)[:, -1])
