"""MIMIC-Chat in PyTorch, between transformers' encoders and a reference decoder; the twin of src/model.

Module names are chosen so that a parameter's name is MIMIC-Chat's once peft's additions are taken out (`own_name`).
"""

import torch
from torch import nn
from torch.nn import functional as F

from common import normalize
from tiny_models import IMAGENET_MEAN, IMAGENET_STD, TEMPORAL_MEAN, TEMPORAL_STD, timesformer_tokens

VISUAL_ID = -1
IGNORED = -100


def projector(inputs: int, hidden: int, outputs: int) -> nn.Sequential:
    """InternVL's mlp1; the indices are its parameter names."""
    return nn.Sequential(nn.LayerNorm(inputs), nn.Linear(inputs, hidden), nn.GELU(), nn.Linear(hidden, outputs))


class Gate(nn.Module):
    def __init__(self, size: int, bias: float, gain: float):
        super().__init__()
        self.self, self.other = nn.Module(), nn.Module()
        self.self.weight = nn.Parameter(torch.zeros(size))
        self.other.weight = nn.Parameter(torch.zeros(size))
        self.bias = nn.Parameter(torch.full((1,), bias))
        self.gain = gain

    def forward(self, tokens_BNC, other_mean_BC):
        score_BN = tokens_BNC @ self.self.weight + (other_mean_BC @ self.other.weight)[:, None] + self.bias
        return tokens_BNC * (self.gain * torch.sigmoid(score_BN))[..., None]


class Fusion(nn.Module):
    """Every token is scaled by a gate of itself and of the other branch's mean before gating."""

    def __init__(self, size: int, temporal_bias: float):
        super().__init__()
        self.spatial = Gate(size, 0.0, gain=2.0)
        self.temporal = Gate(size, temporal_bias, gain=1.0)

    def forward(self, spatial_BNC, temporal_BMC):
        spatial = self.spatial(spatial_BNC, temporal_BMC.mean(1))
        temporal = self.temporal(temporal_BMC, spatial_BNC.mean(1))
        return torch.cat([spatial, temporal], dim=1)


class Positions(nn.Module):
    def __init__(self, frames: int, times: int, size: int):
        super().__init__()
        self.modality = nn.Parameter(torch.zeros(2, size))
        self.spatial_time = nn.Parameter(torch.zeros(frames, size))
        self.temporal_time = nn.Parameter(torch.zeros(times, size))

    def forward(self, spatial_BNC, temporal_BMC):
        spatial = self.spatial_time.repeat_interleave(spatial_BNC.shape[1] // len(self.spatial_time), dim=0)
        temporal = self.temporal_time.repeat_interleave(temporal_BMC.shape[1] // len(self.temporal_time), dim=0)
        return spatial_BNC + spatial + self.modality[0], temporal_BMC + temporal + self.modality[1]


class MimicChat(nn.Module):
    """The trained parts and the decoder; the frozen encoders give their features beforehand (`encode`)."""

    def __init__(self, internvl, timesformer, language_model, embed_tokens, *, pool, temporal_hidden: int, frames: int):
        super().__init__()
        self.encoders = (internvl, timesformer)  # a tuple: frozen, and not among the parameters
        self.pool = nn.AdaptiveAvgPool3d(pool)
        text, vision = internvl.config.text_config, internvl.config.vision_config
        size = text.hidden_size
        self.vocab_size = text.vocab_size
        self.mlp1 = projector(4 * vision.hidden_size, size, size)
        reference = internvl.model.multi_modal_projector
        for own, theirs in ((0, reference.layer_norm), (1, reference.linear_1), (3, reference.linear_2)):
            self.mlp1[own].load_state_dict(theirs.state_dict())
        self.temporal_mlp1 = projector(timesformer.config.hidden_size, temporal_hidden, size)
        self.visual_positions = Positions(frames, pool[0], size)
        self.fusion = Fusion(size, -2.0)
        self.special_tokens = nn.Embedding(2, size)
        self.language_model = language_model
        self.embed_tokens = embed_tokens

    @torch.no_grad()
    def encode(self, spatial_frames, temporal_frames):
        """uint8 frames of one video -> features of both branches [N, D], [M, D]."""
        internvl, timesformer = self.encoders
        pixels = normalize(spatial_frames, IMAGENET_MEAN, IMAGENET_STD)
        hidden = internvl.model.vision_tower(pixel_values=pixels).last_hidden_state[:, 1:]
        grid = int(hidden.shape[1] ** 0.5)
        spatial = internvl.model.pixel_shuffle(hidden.reshape(len(hidden), grid, grid, -1)).flatten(0, 2)
        tokens = timesformer_tokens(timesformer, normalize(temporal_frames, TEMPORAL_MEAN, TEMPORAL_STD))[1:]
        side = temporal_frames.shape[1] // timesformer.config.patch_size
        # Time is the fastest axis of TimeSformer's tokens; the pooled ones are ordered by time, row, column.
        grid_CTHW = tokens.view(side, side, len(temporal_frames), -1).permute(3, 2, 0, 1)
        temporal = self.pool(grid_CTHW).permute(1, 2, 3, 0).flatten(0, 2)
        return spatial, temporal

    def logits(self, ids_BL, features):
        spatial = self.mlp1(torch.stack([spatial for spatial, _ in features]))
        temporal = self.temporal_mlp1(torch.stack([temporal for _, temporal in features]))
        visual = self.fusion(*self.visual_positions(spatial, temporal))
        is_visual, is_special = ids_BL == VISUAL_ID, ids_BL >= self.vocab_size
        text = self.embed_tokens(ids_BL.masked_fill(is_visual | is_special, 0)).masked_fill(
            (is_visual | is_special)[..., None], 0
        )
        special = self.special_tokens((ids_BL - self.vocab_size).clamp(min=0)).masked_fill(~is_special[..., None], 0)
        embeds = (text + special).masked_scatter(is_visual[..., None], visual)
        out = self.language_model(inputs_embeds=embeds)
        return out if isinstance(out, torch.Tensor) else out.logits

    def loss(self, ids_BL, labels_BL, features, label_smoothing: float):
        """Mean over the supervised tokens; labels are not shifted."""
        logits = self.logits(ids_BL, features)[:, :-1].flatten(0, 1)
        labels = labels_BL[:, 1:].flatten()
        return F.cross_entropy(logits, labels, ignore_index=IGNORED, label_smoothing=label_smoothing)


def own_name(name: str) -> str:
    return (
        name.replace("language_model.base_model.model.", "language_model.")
        .replace(".default.", ".")
        .replace("base_layer.", "")
    )
