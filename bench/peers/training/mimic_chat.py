"""MIMIC-Chat in PyTorch eager with peft's LoRA, as src/model/mimic-chat.ts; parameter names as in the weights file."""

import os
import sys

import torch
import torch.nn.functional as F
from peft import LoraConfig, inject_adapter_in_model
from torch import nn

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from decoder import Decoder  # noqa: E402
from encoders import SpatialEncoder, TemporalEncoder  # noqa: E402

VISUAL_ID = -1


def projector(inputs, hidden, outputs):
    return nn.Sequential(nn.LayerNorm(inputs), nn.Linear(inputs, hidden), nn.GELU(), nn.Linear(hidden, outputs))


class Gate(nn.Module):
    def __init__(self, size, gain):
        super().__init__()
        self.self, self.other, self.gain = nn.Module(), nn.Module(), gain
        self.self.weight, self.other.weight = nn.Parameter(torch.empty(size)), nn.Parameter(torch.empty(size))
        self.bias = nn.Parameter(torch.empty(1))

    def forward(self, x_BNC, other_mean_BC):
        score_BN = x_BNC @ self.self.weight + (other_mean_BC @ self.other.weight)[:, None] + self.bias
        return x_BNC * (self.gain * torch.sigmoid(score_BN))[..., None]


class MimicChat(nn.Module):
    def __init__(self, config):
        super().__init__()
        language, spatial, temporal = config["language"], config["spatial"], config["temporal"]
        c, hidden = language["hiddenSize"], config["projector"]
        self.vocab_size = language["vocabSize"]
        self.vision_model, self.timesformer = SpatialEncoder(spatial), TemporalEncoder(temporal)
        self.mlp1 = projector(4 * spatial["hiddenSize"], hidden.get("spatialHidden", c), c)
        self.temporal_mlp1 = projector(temporal["hiddenSize"], hidden.get("temporalHidden", c), c)
        self.visual_positions, self.fusion = nn.Module(), nn.Module()
        self.visual_positions.modality = nn.Parameter(torch.empty(2, c))
        self.visual_positions.spatial_time = nn.Parameter(torch.empty(spatial["numFrames"], c))
        self.visual_positions.temporal_time = nn.Parameter(torch.empty(temporal["pool"][0], c))
        self.fusion.spatial, self.fusion.temporal = Gate(c, 2.0), Gate(c, 1.0)
        self.special_tokens = nn.Embedding(2, c)
        self.language_model = Decoder(dict(language, loraRank=0, loraAlpha=0, loraTargets=[]))
        # Of either branch: [1, C, 1, 1].
        pixel = lambda values: torch.tensor(values).view(1, 3, 1, 1) * 255
        self.pixels = {name: (pixel(config[name]["mean"]), pixel(config[name]["std"])) for name in ("spatial", "temporal")}

    @torch.no_grad()
    def encode(self, spatial_BFHWC, temporal_BTHWC):
        """uint8 frames of a batch -> features of both branches."""
        batch = len(spatial_BFHWC)
        spatial = self.vision_model(self.normalized(spatial_BFHWC, "spatial")).unflatten(0, (batch, -1)).flatten(1, 2)
        return spatial, self.timesformer(self.normalized(temporal_BTHWC, "temporal").unflatten(0, (batch, -1)))

    def normalized(self, frames_BFHWC, branch):
        mean, std = self.pixels[branch]
        return (frames_BFHWC.flatten(0, 1).permute(0, 3, 1, 2).float() - mean) / std

    def visual(self, spatial_BND, temporal_BMD):
        at = self.visual_positions
        spread = lambda times, x: times.repeat_interleave(x.shape[1] // len(times), 0)
        spatial, temporal = self.mlp1(spatial_BND), self.temporal_mlp1(temporal_BMD)
        spatial = spatial + spread(at.spatial_time, spatial) + at.modality[0]
        temporal = temporal + spread(at.temporal_time, temporal) + at.modality[1]
        means = spatial.mean(1), temporal.mean(1)
        return torch.cat([self.fusion.spatial(spatial, means[1]), self.fusion.temporal(temporal, means[0])], 1)

    def loss(self, ids_BL, rows, labels, weights, features):
        """Weighted mean over the supervised tokens; only their rows meet the vocabulary."""
        is_visual, is_special = ids_BL == VISUAL_ID, ids_BL >= self.vocab_size
        tokens = ids_BL.masked_fill(is_visual | is_special, 0)
        embeds = self.language_model.model.tok_embeddings(tokens)
        embeds = embeds.masked_scatter(is_special[..., None], self.special_tokens(ids_BL[is_special] - self.vocab_size))
        embeds = embeds.masked_scatter(is_visual[..., None], self.visual(*features))
        hidden = self.language_model.hidden(embeds).flatten(0, 1)[rows]
        losses = F.cross_entropy(self.language_model.output(hidden), labels, reduction="none")
        return (losses * weights).sum() / weights.sum()


def own_name(name):
    return name.replace("base_layer.", "").replace(".default.", ".")


def build(config, weights, trained):
    """With the values of the weights file; exactly the parameters named by `trained` are trained."""
    model = MimicChat(config)
    lora = config["lora"]
    ranks = {"r": lora["rank"], "lora_alpha": lora["alpha"], "lora_dropout": lora["dropout"]}
    peft = LoraConfig(**ranks, target_modules=lora["targets"])
    inject_adapter_in_model(peft, model.language_model)
    state = model.state_dict()
    known = {own_name(name): name for name in state}
    tied = {"language_model.output.weight"} if config["language"]["tieWordEmbeddings"] else set()
    absent = set(known) - set(weights) - tied, set(weights) - set(known)
    if any(absent):
        raise KeyError(f"not in the file: {sorted(absent[0])}; not in the model: {sorted(absent[1])}")
    model.load_state_dict({known[name]: x for name, x in weights.items()}, strict=False)
    for name, parameter in model.named_parameters():
        parameter.requires_grad_(own_name(name) in trained)
    return model
