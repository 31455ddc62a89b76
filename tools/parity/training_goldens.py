"""Gradients by parameter name, and a 30-step AdamW run, of MIMIC-Chat's twin with peft's LoRA."""

import copy
import math

import torch
from transformers import Qwen2ForCausalLM

from checkpoints import INTERNLM2_TARGETS, QWEN2_TARGETS, with_lora
from common import generator, random_bytes, save_golden
from inference_goldens import random_ids
from mimic_chat import IGNORED, VISUAL_ID, MimicChat, own_name
from tiny_models import (
    NUM_FRAMES,
    SEEDS,
    TIMESFORMER_SEED,
    TOKENS_PER_FRAME,
    VISION,
    internlm2_of,
    internvl,
    timesformer,
)

POOL = (2, 2, 2)
TEMPORAL_HIDDEN = 28
TEMPORAL_FRAMES = 5
NUM_VISUAL = NUM_FRAMES * TOKENS_PER_FRAME + math.prod(POOL)
TARGETS = {"internlm2": INTERNLM2_TARGETS, "qwen2": QWEN2_TARGETS}
LABEL_SMOOTHING = {"internlm2": 0.0, "qwen2": 0.05}

STEPS, BATCHES, BATCH_SIZE = 30, 3, 2
OPTIMIZER = dict(lr=3e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.05)
MAX_GRAD_NORM = 1.0
WARMUP_STEPS = 3


def build(family: str, zero_b: bool) -> MimicChat:
    model, temporal = internvl(family, SEEDS[family]), timesformer(TIMESFORMER_SEED)
    if family == "internlm2":
        decoder = internlm2_of(model)
        embed = decoder.model.tok_embeddings
    else:
        decoder = model_of_qwen2(model)
        embed = decoder.model.embed_tokens
    language_model = with_lora(decoder, TARGETS[family], 41, zero_b)
    sizes = dict(pool=POOL, temporal_hidden=TEMPORAL_HIDDEN, frames=NUM_FRAMES)
    twin = MimicChat(model, temporal, language_model, embed, **sizes).eval()
    fill(twin, 43, start_of_training=zero_b)
    return twin


def model_of_qwen2(model):
    config = model.config.text_config
    config._attn_implementation = "eager"
    decoder = Qwen2ForCausalLM(config).eval()
    decoder.model.load_state_dict(model.model.language_model.state_dict())
    decoder.lm_head.load_state_dict(model.lm_head.state_dict())
    return decoder


@torch.no_grad()
def fill(twin: MimicChat, seed: int, start_of_training: bool) -> None:
    """Parts without a reference. start_of_training: gates and positions as a fresh model has them."""
    rng = generator(seed)
    for name, parameter in twin.named_parameters():
        noise = torch.randn(parameter.shape, generator=rng)
        if name.startswith("temporal_mlp1"):
            is_gain = name == "temporal_mlp1.0.weight"
            parameter.copy_(
                1 + 0.1 * noise if is_gain else noise * (0.1 if parameter.ndim == 1 else parameter.shape[-1] ** -0.5)
            )
        elif name.startswith("special_tokens"):
            parameter.copy_(0.5 * noise)
        elif name.startswith(("fusion", "visual_positions")) and not start_of_training:
            parameter.add_(0.3 * noise)


def trained(twin: MimicChat) -> dict:
    return {own_name(name): p for name, p in twin.named_parameters() if p.requires_grad}


def padded(rows, value: int):
    return torch.nn.utils.rnn.pad_sequence(rows, batch_first=True, padding_value=value)


def make_batches(twin: MimicChat, family: str, seed: int, count: int):
    """Batches of [VID] visual tokens [SEP] text, answers of 4 to 7 tokens at the end, padded on the right with 0."""
    size, out, stored = VISION["image_size"][0], [], {}
    for b in range(count):
        rows, labels, features = [], [], []
        for s in range(BATCH_SIZE):
            own_seed = seed + 100 * b + 10 * s
            spatial = random_bytes((NUM_FRAMES, size, size, 3), own_seed)
            temporal = random_bytes((TEMPORAL_FRAMES, size, size, 3), own_seed + 1)
            answer = 4 + (b + 2 * s) % 4
            text = random_ids((6 + 3 * s + answer,), family, own_seed + 2)
            ids = torch.cat([torch.tensor([twin.vocab_size] + [VISUAL_ID] * NUM_VISUAL + [twin.vocab_size + 1]), text])
            label = torch.full_like(ids, IGNORED)
            label[-answer:] = ids[-answer:]
            rows.append(ids)
            labels.append(label)
            features.append(twin.encode(spatial, temporal))
            stored |= {f"batch.{b}.{s}.spatial": spatial, f"batch.{b}.{s}.temporal": temporal}
            stored |= {f"batch.{b}.{s}.ids": ids, f"batch.{b}.{s}.labels": label}
        out.append((padded(rows, 0), padded(labels, IGNORED), features))
    return out, stored


def gradient_golden(family: str) -> None:
    twin = build(family, zero_b=False)
    [(ids, labels, features)], stored = make_batches(twin, family, 51, count=1)
    parameters = trained(twin)
    twin.loss(ids, labels, features, LABEL_SMOOTHING[family]).backward()
    gradients = {name: p.grad for name, p in parameters.items()}
    assert all(g is not None and g.abs().max() > 1e-6 for g in gradients.values())
    loss = twin.loss(ids, labels, features, LABEL_SMOOTHING[family]).detach()
    facts = {"label_smoothing": LABEL_SMOOTHING[family]}
    if family == "internlm2":
        facts["float32_against_float64"] = float64_error(twin, ids, labels, features, gradients)
    tensors = {f"parameter.{n}": p.float() for n, p in parameters.items()} | {
        f"gradient.{n}": g for n, g in gradients.items()
    }
    spatial = torch.stack([f[0] for f in features])
    temporal = torch.stack([f[1] for f in features])
    tensors |= {"loss": loss, "features.spatial": spatial, "features.temporal": temporal, **stored}
    print(family, "gradients: loss", loss.item(), facts)
    save_golden(f"gradients-{family}.safetensors", tensors, 51, **facts)


def float64_error(twin, ids, labels, features, gradients) -> float:
    """How much of a difference the reference itself owes to rounding: largest relative error of a gradient.

    transformers' Qwen2 norms in float32 whatever its input, so only InternLM2 can say.
    """
    exact = copy.deepcopy(twin).double()
    exact.zero_grad()
    exact.loss(ids, labels, [tuple(f.double() for f in pair) for pair in features], 0.0).backward()
    return max(((p.grad - gradients[n]).abs().max() / p.grad.abs().max()).item() for n, p in trained(exact).items())


def learning_rate(step: int) -> float:
    rise = min(1.0, (step + 1) / WARMUP_STEPS)
    progress = max(0, step - WARMUP_STEPS) / (STEPS - WARMUP_STEPS)
    return OPTIMIZER["lr"] * rise * 0.5 * (1 + math.cos(math.pi * progress))


def training_golden(family: str) -> None:
    """Matrices decay, vectors do not; one batch of two videos a step, in turn."""
    twin = build(family, zero_b=True)
    batches, stored = make_batches(twin, family, 61, BATCHES)
    parameters = trained(twin)
    start = {f"parameter.{name}": p.detach().clone() for name, p in parameters.items()}
    groups = [
        {"params": [p for p in parameters.values() if p.ndim > 1]},
        {"params": [p for p in parameters.values() if p.ndim <= 1], "weight_decay": 0.0},
    ]
    optimizer = torch.optim.AdamW(groups, **OPTIMIZER)
    losses, norms = [], []
    for step in range(STEPS):
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(step)
        loss = twin.loss(*batches[step % BATCHES], LABEL_SMOOTHING[family])
        optimizer.zero_grad()
        loss.backward()
        norms.append(torch.nn.utils.clip_grad_norm_(parameters.values(), MAX_GRAD_NORM).item())
        optimizer.step()
        losses.append(loss.item())
    end = {f"end.{name}": p for name, p in parameters.items()}
    curves = {"losses": torch.tensor(losses, dtype=torch.float64), "norms": torch.tensor(norms, dtype=torch.float64)}
    print(family, "losses", [round(x, 4) for x in losses[:: STEPS // 6]], losses[-1], "norms", norms[0], norms[-1])
    assert sum(losses[-BATCHES:]) < 0.65 * sum(losses[:BATCHES]) and max(norms) > MAX_GRAD_NORM
    settings = dict(OPTIMIZER, max_grad_norm=MAX_GRAD_NORM, warmup_steps=WARMUP_STEPS, steps=STEPS)
    save_golden(
        f"training-{family}.safetensors",
        {**start, **end, **stored, **curves},
        61,
        settings=settings,
        label_smoothing=LABEL_SMOOTHING[family],
    )


def main() -> None:
    for family in SEEDS:
        gradient_golden(family)
        training_golden(family)


if __name__ == "__main__":
    main()
