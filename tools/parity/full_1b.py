"""InternVL2.5-1B (or any size with a Qwen2 decoder) in transformers, from a folder in the OpenGVLab layout.

    python full_1b.py --model FOLDER --inputs inputs.safetensors --out result --dtype fp32 --letters 32 33 34 35

inputs.safetensors: `ids` int32 [L], -1 or the image token where a visual token stands; `pixel_values` float32
[F, 3, H, W], normalised. Writes result.safetensors (`logits` [V] of the last position, `visual_tokens` [N, C], both
float32) and result.json: option letters' logits, seconds by phase, peak memory.

`--attention sdpa` (default) is what users run; `eager` is the plain one.
"""

import argparse
import json
import os
import resource
import sys
import time
from pathlib import Path


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--inputs", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--dtype", choices=["fp32", "bf16"], default="fp32")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--letters", type=int, nargs="*", default=[])
    parser.add_argument("--repeats", type=int, default=1, help="passes after loading; the fastest of each phase counts")
    parser.add_argument("--attention", choices=["sdpa", "eager"], default="sdpa")
    parser.add_argument("--image-token", type=int, default=151667)
    return parser.parse_args()


ARGS = arguments() if __name__ == "__main__" else None
if ARGS is not None:
    os.environ["OMP_NUM_THREADS"] = str(ARGS.threads)

import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from transformers import InternVLConfig, InternVLForConditionalGeneration, InternVLVisionConfig, Qwen2Config
from transformers.models.qwen2.modeling_qwen2 import Qwen2RotaryEmbedding

from names import internvl_from_opengvlab


def read_config(folder: Path, image_token: int) -> InternVLConfig:
    """transformers' configuration from the OpenGVLab config.json; every size is read, none assumed."""
    own = json.loads((folder / "config.json").read_text())
    llm, vit = own["llm_config"], own["vision_config"]
    assert llm["architectures"] == ["Qwen2ForCausalLM"] and own["ps_version"] == "v2" and own["select_layer"] == -1
    assert vit["norm_type"] == "layer_norm" and not vit["qk_normalization"]
    sizes = ("hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads")
    text = Qwen2Config(
        **{
            name: llm[name]
            for name in (*sizes, "num_key_value_heads", "vocab_size", "rms_norm_eps", "max_position_embeddings")
        },
        rope_parameters={"rope_type": "default", "rope_theta": llm["rope_theta"]},
        tie_word_embeddings=False,
    )
    vision = InternVLVisionConfig(
        **{name: vit[name] for name in (*sizes, "layer_norm_eps", "hidden_act")},
        image_size=[own["force_image_size"]] * 2,
        patch_size=[vit["patch_size"]] * 2,
        attention_bias=vit["qkv_bias"],
        use_qk_norm=False,
        use_mean_pooling=True,
    )
    return InternVLConfig(
        vision_config=vision,
        text_config=text,
        image_token_id=image_token,
        downsample_ratio=own["downsample_ratio"],
        tie_word_embeddings=False,
    )


def read_state(folder: Path, dtype: torch.dtype) -> dict:
    """Values of the file's own type stay mapped and are read when they are used. Others are converted with the file opened
    anew for every tensor, so that the pages of those before do not count as memory in use.
    """
    index = folder / "model.safetensors.index.json"
    files = (
        sorted(set(json.loads(index.read_text())["weight_map"].values())) if index.exists() else ["model.safetensors"]
    )
    state = {}
    for name in files:
        with safe_open(folder / name, "pt") as file:
            keys = list(file.keys())
        for key in keys:
            with safe_open(folder / name, "pt") as file:
                state[key] = file.get_tensor(key).to(dtype)
    return internvl_from_opengvlab(state)


def load(folder: Path, dtype: torch.dtype, attention: str, image_token: int):
    config = read_config(folder, image_token)
    config._attn_implementation = attention
    with torch.device("meta"):
        model = InternVLForConditionalGeneration(config).eval()
    model.load_state_dict(read_state(folder, dtype), strict=True, assign=True)
    # The only buffers are the rotary frequencies, which no checkpoint holds.
    model.model.language_model.rotary_emb = Qwen2RotaryEmbedding(config.text_config)
    assert not any(t.is_meta for t in [*model.parameters(), *model.buffers()])
    return model


@torch.inference_mode()
def run(model, ids_L: torch.Tensor, pixels: torch.Tensor):
    """Logits of the last position, visual tokens, seconds by phase."""
    started = time.perf_counter()
    # One frame at a time would need less memory; all at once is what a call of the model does.
    visual = model.model.get_image_features(
        pixel_values=pixels.to(model.dtype), vision_feature_layer=-1, vision_feature_select_strategy="default"
    ).pooler_output
    encoded = time.perf_counter()
    embeds = model.get_input_embeddings()(ids_L[None])
    mask = (ids_L == model.config.image_token_id)[None, :, None]
    assert mask.sum() == visual.shape[0] * visual.shape[1], "placeholders and visual tokens differ in number"
    embeds = embeds.masked_scatter(mask, visual.to(embeds.dtype))
    hidden = model.model.language_model(inputs_embeds=embeds, use_cache=True).last_hidden_state
    logits = model.lm_head(hidden[:, -1])[0].float()
    ended = time.perf_counter()
    return logits, visual.flatten(0, 1).float(), {"vision": encoded - started, "prefill": ended - encoded}


def peak_bytes() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def main(args) -> None:
    torch.set_num_threads(args.threads)
    dtype = {"fp32": torch.float32, "bf16": torch.bfloat16}[args.dtype]
    inputs = load_file(args.inputs)
    ids = inputs["ids"].long()
    ids = ids.masked_fill(ids < 0, args.image_token)
    started = time.perf_counter()
    model = load(args.model, dtype, args.attention, args.image_token)
    seconds = {"load": time.perf_counter() - started}
    after_load = peak_bytes()
    passes = [run(model, ids, inputs["pixel_values"].float()) for _ in range(args.repeats)]
    logits, visual, _ = passes[-1]
    seconds |= {phase: min(p[2][phase] for p in passes) for phase in passes[0][2]}
    letters = {str(i): logits[i].item() for i in args.letters}
    result = {
        "dtype": args.dtype,
        "attention": args.attention,
        "threads": args.threads,
        "tokens": len(ids),
        "frames": len(inputs["pixel_values"]),
        "seconds": seconds,
        "peakBytes": peak_bytes(),
        "peakBytesAfterLoad": after_load,
        "letters": letters,
        "choice": max(letters, key=letters.get) if letters else None,
        "top5": logits.topk(5).indices.tolist(),
        "versions": {"torch": torch.__version__, "python": sys.version.split()[0]},
    }
    save_file(
        {"logits": logits.clone(), "visual_tokens": visual.contiguous().clone()}, args.out.with_suffix(".safetensors")
    )
    args.out.with_suffix(".json").write_text(json.dumps(result, indent=2) + "\n")
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main(ARGS)
