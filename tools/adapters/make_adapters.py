"""Adapters that peft trained, in the shapes that `mimic weights import-peft` has to read, and the logits they give.

They stand on the tiny bases of tools/parity (test/parity/goldens/internvl2_5-*). Each is trained for a few steps on random
tokens, so that neither matrix is where it started; the folders are written by peft's save_pretrained.

    .venv/bin/python tools/adapters/make_adapters.py     # rewrites test/adapters/assets, some seconds
"""

import json
import shutil
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "parity"))

import torch
from peft import LoraConfig, get_peft_model
from safetensors.torch import save_file
from torch import nn

from common import VERSIONS, generator
from tiny_models import SEEDS, VOCAB, internlm2_of, internvl

ASSETS = Path(__file__).resolve().parents[2] / "test" / "adapters" / "assets"
STEPS, LEARNING_RATE = 12, 0.02


class WholeChatModel(nn.Module):
    """The module tree of InternVLChatModel as far as an adapter sees it."""

    def __init__(self, language_model, projector):
        super().__init__()
        self.language_model = language_model
        self.mlp1 = projector

    def forward(self, ids_BT):
        return self.language_model(ids_BT)


def projector_of(model) -> nn.Sequential:
    """mlp1 with the weights of transformers' projector."""
    own = model.model.multi_modal_projector
    return nn.Sequential(own.layer_norm, own.linear_1, nn.GELU(), own.linear_2)


def logits_of(model, ids):
    out = model(ids)
    return out if isinstance(out, torch.Tensor) else out.logits


def train(model, config: LoraConfig, ids, seed: int):
    torch.manual_seed(seed)
    wrapped = get_peft_model(model, config).train()
    optimizer = torch.optim.AdamW([p for p in wrapped.parameters() if p.requires_grad], lr=LEARNING_RATE)
    for _ in range(STEPS):
        logits = logits_of(wrapped, ids)
        loss = nn.functional.cross_entropy(logits[:, :-1].flatten(0, 1).float(), ids[:, 1:].flatten())
        for name, parameter in wrapped.named_parameters():
            # The projector sees no gradient from text: it is moved, so that a saved module differs from the base.
            if parameter.requires_grad and "mlp1" in name:
                loss = loss + parameter.square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return wrapped.eval()


def save(name: str, family: str, wrapped, plain, ids, seed: int) -> None:
    folder = ASSETS / name
    shutil.rmtree(folder, ignore_errors=True)
    wrapped.save_pretrained(folder)
    (folder / "README.md").unlink(missing_ok=True)
    path = folder / "adapter_config.json"
    config = json.loads(path.read_text())
    if isinstance(config["target_modules"], list):
        # peft writes a set, in any order.
        config["target_modules"] = sorted(config["target_modules"])
    path.write_text(json.dumps(config, indent=1) + "\n")
    with torch.no_grad():
        logits = logits_of(wrapped, ids)
    difference = (logits - plain).abs().max().item()
    assert difference > 0.1, f"{name}: the adapter changes logits by {difference} only"
    facts = json.dumps({"seed": seed, "base": f"internvl2_5-{family}", "base_seed": SEEDS[family], "versions": VERSIONS})
    save_file({"ids": ids.int(), "logits": logits.contiguous()}, folder / "logits.safetensors", metadata={"provenance": facts})
    print(f"{name}: logits up to {logits.abs().max():.1f}, the adapter's part up to {difference:.2f}")


def plain_logits(model, ids):
    with torch.no_grad():
        return logits_of(model, ids)


def main() -> None:
    plain = LoraConfig(r=3, lora_alpha=6, lora_dropout=0.1, target_modules=["attention.wqkv", "attention.wo"])
    patterns = LoraConfig(
        r=4,
        lora_alpha=6,
        use_rslora=True,
        rank_pattern={"attention.wo": 2, r"layers\.1\.feed_forward\.w1": 3},
        alpha_pattern={"attention.wo": 5},
        target_modules=["wqkv", "wo", "w1"],
        modules_to_save=["mlp1"],
    )
    last_layer = LoraConfig(r=2, lora_alpha=8, target_modules=["wqkv"], layers_to_transform=[1], layers_pattern="layers")
    attention = r"model\.language_model\.layers\.\d+\.self_attn\.(q|k|v|o)_proj"
    llama = LoraConfig(r=2, lora_alpha=4, target_modules=attention)
    query_value = LoraConfig(r=3, lora_alpha=3, target_modules=attention.replace("(q|k|v|o)", "(q|v)"))
    qwen2 = LoraConfig(r=3, lora_alpha=6, target_modules=r"model\.language_model\..*\.(q_proj|v_proj|down_proj)")

    def bare(model):
        return internlm2_of(model)

    def whole(model):
        return WholeChatModel(internlm2_of(model), projector_of(model))

    cases = [
        ("lm", "internlm2", bare, plain),
        ("whole-patterns", "internlm2", whole, patterns),
        ("lm-one-layer", "internlm2", bare, last_layer),
        ("hf-llama", "internlm2", lambda model: model, llama),
        ("hf-llama-qv", "internlm2", lambda model: model, query_value),
        ("hf-qwen2", "qwen2", lambda model: model, qwen2),
    ]
    for i, (name, family, wrap, config) in enumerate(cases):
        seed = 100 + i
        ids = torch.randint(3, VOCAB[family] - 12, (2, 16), generator=generator(seed))
        model = wrap(internvl(family, SEEDS[family]))
        before = plain_logits(model, ids)
        wrapped = train(model, config, ids, seed)
        save(name, family, wrapped, before, ids, seed)


if __name__ == "__main__":
    main()
