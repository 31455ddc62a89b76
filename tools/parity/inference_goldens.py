"""Features, logits and greedy tokens of the composed model, the decoders and TimeSformer."""

import torch

from checkpoints import save_adapters, save_hf, save_opengvlab, save_timesformer
from common import GOLDENS, generator, normalize, random_bytes, save_golden
from internlm2 import check_against_llama
from rope_facts import rotary_tables
from tiny_models import (
    IMAGE_TOKEN,
    IMAGENET_MEAN,
    IMAGENET_STD,
    NUM_FRAMES,
    SEEDS,
    TEMPORAL_MEAN,
    TEMPORAL_STD,
    THETA,
    TIMESFORMER_SEED,
    TOKENS_PER_FRAME,
    VISION,
    internlm2_of,
    internvl,
    timesformer,
    timesformer_tokens,
)

NEW_TOKENS = 64


def random_ids(shape, family: str, seed: int) -> torch.Tensor:
    """Text: never a control token or the image placeholder."""
    return torch.randint(3, IMAGE_TOKEN[family], shape, generator=generator(seed))


def visual_prompt(family: str, seed: int) -> torch.Tensor:
    """[1, L] with the placeholders of every frame between text, as InternVL's video prompt has them."""
    image = torch.full((TOKENS_PER_FRAME,), IMAGE_TOKEN[family])
    parts = [random_ids((5,), family, seed)]
    for frame in range(NUM_FRAMES):
        parts += [image, random_ids((3,), family, seed + 1 + frame)]
    return torch.cat([*parts, random_ids((7,), family, seed + 9)])[None]


@torch.no_grad()
def vision_features(model, pixels):
    """All tokens after the last block, what the pixel shuffle makes of the patches, and the projector's output."""
    hidden = model.model.vision_tower(pixel_values=pixels).last_hidden_state
    grid = int((hidden.shape[1] - 1) ** 0.5)
    shuffled = model.model.pixel_shuffle(hidden[:, 1:].reshape(len(pixels), grid, grid, -1)).flatten(1, 2)
    return hidden, shuffled, model.model.multi_modal_projector(shuffled)


@torch.no_grad()
def greedy(model, ids, pixels):
    """`generate` with nothing that stops it. Checks that no choice hangs on rounding."""
    model.generation_config.eos_token_id = None
    out = model.generate(
        input_ids=ids,
        pixel_values=pixels,
        attention_mask=torch.ones_like(ids),
        do_sample=False,
        max_new_tokens=NEW_TOKENS,
        output_logits=True,
        return_dict_in_generate=True,
    )
    margin = min((step[0].topk(2).values.diff().abs().item() for step in out.logits))
    assert margin > 5e-3, f"the best two tokens are only {margin} apart: take another seed"
    return out.sequences[0, ids.shape[1] :], margin


def in_bf16(model):
    """As from_pretrained(dtype=bfloat16) gives it: `bfloat16()` would round the rotary frequencies too."""
    rotary = model.model.language_model.rotary_emb
    frequencies = rotary.inv_freq.clone()
    model.bfloat16()
    rotary.inv_freq = frequencies
    return model


def internvl_golden(family: str):
    seed = SEEDS[family]
    model = internvl(family, seed)
    size = VISION["image_size"][0]
    frames = random_bytes((NUM_FRAMES, size, size, 3), seed + 1)
    pixels = normalize(frames, IMAGENET_MEAN, IMAGENET_STD)
    ids = visual_prompt(family, seed + 10)
    text_ids = random_ids((2, 40), family, seed + 20)
    tokens, margin = greedy(model, ids, pixels)
    with torch.no_grad():
        hidden, shuffled, projected = vision_features(model, pixels)
        logits = model(input_ids=ids, pixel_values=pixels).logits
        text_logits = model(input_ids=text_ids).logits
        model.config._attn_implementation = "sdpa"
        sdpa = (model(input_ids=ids, pixel_values=pixels).logits - logits).abs().max().item()
        model.config._attn_implementation = "eager"
        bf16_model = in_bf16(internvl(family, seed))
        bf16_logits = bf16_model(input_ids=ids, pixel_values=pixels.bfloat16()).logits.float()
        bf16_text_logits = bf16_model(input_ids=text_ids).logits.float()
    facts = dict(
        greedy_margin=margin,
        distinct_tokens=len(set(tokens.tolist())),
        sdpa_against_eager=sdpa,
        image_token_id=IMAGE_TOKEN[family],
    )
    if family == "internlm2":
        facts["internlm2_against_llama"] = check_against_llama(internlm2_of(model), model, text_ids)
    print(family, facts)
    tensors = dict(frames=frames, vision_hidden=hidden, shuffled=shuffled, projected=projected, ids=ids, logits=logits)
    tensors |= dict(text_ids=text_ids, text_logits=text_logits, greedy=tokens)
    tensors |= dict(bf16_logits=bf16_logits, bf16_text_logits=bf16_text_logits)
    save_golden(f"internvl-{family}.safetensors", tensors, seed, **facts)
    return model


def timesformer_golden(seed: int):
    """Native sizes, other lengths, other sizes, and both other; [frames, side in pixels]."""
    model = timesformer(seed)
    tensors = {}
    for frames, side in [(4, 24), (1, 24), (3, 24), (9, 24), (4, 12), (4, 36), (7, 36)]:
        video = random_bytes((frames, side, side, 3), seed + frames + side)
        tokens = timesformer_tokens(model, normalize(video, TEMPORAL_MEAN, TEMPORAL_STD))
        tensors |= {f"frames.{frames}x{side}": video, f"tokens.{frames}x{side}": tokens}
    save_golden("timesformer.safetensors", tensors, seed)
    return model


@torch.no_grad()
def adapter_golden(model, seed: int):
    """Logits of the decoder with the adapter that the folder `adapters` holds in three layouts."""
    wrapped = save_adapters(GOLDENS / "adapters", model, internlm2_of(model), seed)
    ids = random_ids((2, 24), "internlm2", seed + 5)
    plain = internlm2_of(model)(ids)
    logits = wrapped(ids)
    assert (plain - logits).abs().max() > 0.1
    save_golden("adapter-logits.safetensors", dict(ids=ids, logits=logits, plain_logits=plain), seed)


def rope_golden() -> None:
    """cos and sin of transformers' rotary embedding at positions up to the longest, head sizes of the real models."""
    positions = torch.cat([torch.arange(4), torch.tensor([63, 255, 1000, 2303, 4097, 8191, 16001, 32767])])
    tensors = {"positions": positions} | {f"cos_sin.{size}": rotary_tables(positions, size) for size in (64, 128)}
    save_golden("rope.safetensors", tensors, 0, theta=THETA)


def main() -> None:
    rope_golden()
    internlm2 = internvl_golden("internlm2")
    qwen2 = internvl_golden("qwen2")
    save_opengvlab(GOLDENS / "internvl2_5-internlm2", internlm2, "internlm2", shards=3)
    save_opengvlab(GOLDENS / "internvl2_5-qwen2", qwen2, "qwen2", shards=1)
    save_hf(GOLDENS / "internvl2_5-internlm2-hf", internlm2, newer=False)
    save_hf(GOLDENS / "internvl2_5-qwen2-hf-old", qwen2, newer=False)
    save_hf(GOLDENS / "internvl2_5-qwen2-hf-new", qwen2, newer=True)
    temporal = timesformer_golden(TIMESFORMER_SEED)
    save_timesformer(GOLDENS / "timesformer", temporal, pickle=False)
    save_timesformer(GOLDENS / "timesformer-bin", temporal, pickle=True)
    adapter_golden(internlm2, 31)


if __name__ == "__main__":
    main()
