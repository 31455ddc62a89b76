"""The frozen encoders of src/model in PyTorch eager, parameter names as in the weights file; all clips of a batch at once."""

import torch
import torch.nn.functional as F
from torch import nn


class SelfAttention(nn.Module):
    def __init__(self, size, heads, qkv, proj):
        super().__init__()
        self.heads, self.names = heads, (qkv, proj)
        self.add_at(qkv, nn.Linear(size, 3 * size))
        self.add_at(proj, nn.Linear(size, size))

    def add_at(self, path, module):
        *outer, last = path.split(".")
        at = self
        for name in outer:
            at.add_module(name, nn.Module()) if not hasattr(at, name) else None
            at = getattr(at, name)
        at.add_module(last, module)

    def forward(self, x_BTC):
        batch, length, c = x_BTC.shape
        qkv, proj = (self.get_submodule(name) for name in self.names)
        q, k, v = qkv(x_BTC).view(batch, length, 3, self.heads, c // self.heads).permute(2, 0, 3, 1, 4)
        return proj(F.scaled_dot_product_attention(q, k, v).transpose(1, 2).reshape(batch, length, c))


class Mlp(nn.Module):
    def __init__(self, size, hidden):
        super().__init__()
        self.fc1, self.fc2 = nn.Linear(size, hidden), nn.Linear(hidden, size)

    def forward(self, x):
        return self.fc2(F.gelu(self.fc1(x)))


class SpatialBlock(nn.Module):
    def __init__(self, config):
        super().__init__()
        c, eps = config["hiddenSize"], config["normEps"]
        self.norm1, self.norm2 = nn.LayerNorm(c, eps), nn.LayerNorm(c, eps)
        self.attn = SelfAttention(c, config["numHeads"], "qkv", "proj")
        self.mlp = Mlp(c, config["intermediateSize"])
        self.ls1, self.ls2 = nn.Parameter(torch.empty(c)), nn.Parameter(torch.empty(c))

    def forward(self, x):
        x = x + self.attn(self.norm1(x)) * self.ls1
        return x + self.mlp(self.norm2(x)) * self.ls2


class SpatialEncoder(nn.Module):
    """InternViT over single frames, then four neighbouring patches side by side."""

    def __init__(self, config):
        super().__init__()
        c, p, grid = config["hiddenSize"], config["patchSize"], config["imageSize"] // config["patchSize"]
        self.embeddings, self.encoder = nn.Module(), nn.Module()
        self.embeddings.class_embedding = nn.Parameter(torch.empty(1, 1, c))
        self.embeddings.patch_embedding = nn.Conv2d(3, c, p, p)
        self.embeddings.position_embedding = nn.Parameter(torch.empty(1, 1 + grid * grid, c))
        self.encoder.layers = nn.ModuleList(SpatialBlock(config) for _ in range(config["numLayers"]))

    def forward(self, pixels_FCHW):
        at = self.embeddings
        patches = at.patch_embedding(pixels_FCHW).flatten(2).transpose(1, 2)
        x = torch.cat([at.class_embedding.expand(len(patches), -1, -1), patches], 1) + at.position_embedding
        for layer in self.encoder.layers:
            x = layer(x)
        frames, tokens, c = x.shape
        half = int((tokens - 1) ** 0.5) // 2
        grid = x[:, 1:].reshape(frames, half, 2, half, 2, c).transpose(2, 3)
        return grid.reshape(frames, half * half, 4 * c)


class TemporalBlock(nn.Module):
    """Divided attention: over the frames at each place, then over the places of each frame with the class token."""

    def __init__(self, config):
        super().__init__()
        c, heads, eps = config["hiddenSize"], config["numHeads"], config["normEps"]
        names = ("attention.qkv", "output.dense")
        self.temporal_layernorm, self.temporal_attention = nn.LayerNorm(c, eps), SelfAttention(c, heads, *names)
        self.temporal_dense = nn.Linear(c, c)
        self.layernorm_before, self.attention = nn.LayerNorm(c, eps), SelfAttention(c, heads, *names)
        self.layernorm_after = nn.LayerNorm(c, eps)
        self.intermediate, self.output = nn.Module(), nn.Module()
        self.intermediate.dense = nn.Linear(c, config["intermediateSize"])
        self.output.dense = nn.Linear(config["intermediateSize"], c)

    def mlp(self, x):
        return x + self.output.dense(F.gelu(self.intermediate.dense(self.layernorm_after(x))))

    def forward(self, cls_B1C, x_BTNC):
        batch, frames, places, c = x_BTNC.shape
        timed = x_BTNC.transpose(1, 2).reshape(batch * places, frames, c)
        timed = self.temporal_dense(self.temporal_attention(self.temporal_layernorm(timed)))
        x = x_BTNC + timed.view(batch, places, frames, c).transpose(1, 2)
        cls = cls_B1C[:, None].expand(-1, frames, -1, -1)
        spaced = self.attention(self.layernorm_before(torch.cat([cls, x], 2).flatten(0, 1)))
        spaced = spaced.view(batch, frames, 1 + places, c)
        return self.mlp(cls_B1C + spaced[:, :, 0].mean(1, keepdim=True)), self.mlp(x + spaced[:, :, 1:])


class TemporalEncoder(nn.Module):
    """TimeSformer over the whole sequence, pooled."""

    def __init__(self, config):
        super().__init__()
        c, p, grid = config["hiddenSize"], config["patchSize"], config["imageSize"] // config["patchSize"]
        self.embeddings, self.encoder = nn.Module(), nn.Module()
        self.embeddings.cls_token = nn.Parameter(torch.empty(1, 1, c))
        self.embeddings.position_embeddings = nn.Parameter(torch.empty(1, 1 + grid * grid, c))
        self.embeddings.time_embeddings = nn.Parameter(torch.empty(1, config["numFrames"], c))
        self.embeddings.patch_embeddings = nn.Module()
        self.embeddings.patch_embeddings.projection = nn.Conv2d(3, c, p, p)
        self.encoder.layer = nn.ModuleList(TemporalBlock(config) for _ in range(config["numLayers"]))
        self.layernorm = nn.LayerNorm(c, config["normEps"])
        self.pool = nn.AdaptiveAvgPool3d(config["pool"])

    def forward(self, pixels_BTCHW):
        at = self.embeddings
        batch, frames = pixels_BTCHW.shape[:2]
        places = at.patch_embeddings.projection(pixels_BTCHW.flatten(0, 1)).flatten(2).transpose(1, 2)
        own = at.time_embeddings.shape[1]
        times = at.time_embeddings[0, torch.arange(frames) * own // frames]
        x = (places + at.position_embeddings[:, 1:]).unflatten(0, (batch, frames)) + times[None, :, None]
        cls = (at.cls_token + at.position_embeddings[:, :1]).expand(batch, -1, -1)
        for layer in self.encoder.layer:
            cls, x = layer(cls, x)
        x = self.layernorm(x)
        side = int(x.shape[2] ** 0.5)
        pooled = self.pool(x.unflatten(2, (side, side)).permute(0, 4, 1, 2, 3))
        return pooled.flatten(2).transpose(1, 2)
