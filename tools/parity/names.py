"""Names and rows of the OpenGVLab checkpoints and of transformers' InternVLForConditionalGeneration."""

import re

import torch

# transformers' name within a vision layer -> OpenGVLab's
_VISION_LAYER = {
    "layernorm_before": "norm1",
    "layernorm_after": "norm2",
    "attention.projection_layer": "attn.proj",
    "mlp.fc1": "mlp.fc1",
    "mlp.fc2": "mlp.fc2",
    "lambda_1": "ls1",
    "lambda_2": "ls2",
}
_VISION_EMBEDDINGS = {
    "cls_token": "class_embedding",
    "position_embeddings": "position_embedding",
    "patch_embeddings.projection.weight": "patch_embedding.weight",
    "patch_embeddings.projection.bias": "patch_embedding.bias",
}
_PROJECTOR = {"layer_norm": "0", "linear_1": "1", "linear_2": "3"}
_LLAMA_LAYER = {
    "input_layernorm": "attention_norm",
    "post_attention_layernorm": "ffn_norm",
    "self_attn.o_proj": "attention.wo",
    "mlp.gate_proj": "feed_forward.w1",
    "mlp.up_proj": "feed_forward.w3",
    "mlp.down_proj": "feed_forward.w2",
}


def join_groups(q, k, v, heads: int, groups: int):
    """Rows of q, k and v, heads in order -> wqkv: per group its queries, its key, its value."""
    size = q.shape[0] // heads
    q = q.view(groups, heads // groups, size, *q.shape[1:])
    k = k.view(groups, 1, size, *k.shape[1:])
    v = v.view(groups, 1, size, *v.shape[1:])
    return torch.cat([q, k, v], dim=1).flatten(0, 2)


def vision_to_opengvlab(state: dict) -> dict:
    """The vision tower's state, names without prefix -> `vision_model.*`."""
    out = {}
    for name, tensor in state.items():
        if name.startswith("embeddings."):
            out[f"vision_model.embeddings.{_VISION_EMBEDDINGS[name[len('embeddings.') :]]}"] = tensor
            continue
        number, rest = re.fullmatch(r"encoder\.layer\.(\d+)\.(.+)", name).groups()
        layer = f"vision_model.encoder.layers.{number}"
        if rest.startswith(("attention.k_proj", "attention.v_proj")):
            continue
        if rest.startswith("attention.q_proj"):
            parts = [state[name.replace("q_proj", part)] for part in ("q_proj", "k_proj", "v_proj")]
            out[f"{layer}.attn.qkv.{rest.rsplit('.', 1)[1]}"] = torch.cat(parts)
            continue
        key = next(k for k in _VISION_LAYER if rest == k or rest.startswith(k + "."))
        out[f"{layer}.{_VISION_LAYER[key]}{rest[len(key) :]}"] = tensor
    return out


def projector_to_opengvlab(state: dict) -> dict:
    out = {}
    for name, tensor in state.items():
        layer, kind = name.split(".")
        out[f"mlp1.{_PROJECTOR[layer]}.{kind}"] = tensor
    return out


def llama_to_internlm2(state: dict, heads: int, groups: int) -> dict:
    """State of a LlamaForCausalLM -> of an InternLM2ForCausalLM."""
    out = {}
    for name, tensor in state.items():
        if name == "lm_head.weight":
            out["output.weight"] = tensor
        elif name == "model.embed_tokens.weight":
            out["model.tok_embeddings.weight"] = tensor
        elif name == "model.norm.weight":
            out[name] = tensor
        elif ".self_attn.k_proj" in name or ".self_attn.v_proj" in name:
            continue
        elif ".self_attn.q_proj" in name:
            parts = [state[name.replace("q_proj", part)] for part in ("q_proj", "k_proj", "v_proj")]
            out[name.replace("self_attn.q_proj", "attention.wqkv")] = join_groups(*parts, heads, groups)
        else:
            key = next(k for k in _LLAMA_LAYER if f".{k}." in name)
            out[name.replace(key, _LLAMA_LAYER[key])] = tensor
    return out


def internvl_to_opengvlab(model) -> dict:
    """Whole state of transformers' InternVL, Qwen2 or Llama decoder -> the OpenGVLab checkpoint's."""
    text = model.config.text_config
    language = {f"model.{k}": v for k, v in model.model.language_model.state_dict().items()}
    language["lm_head.weight"] = model.lm_head.weight.detach()
    if text.model_type == "llama":
        language = llama_to_internlm2(language, text.num_attention_heads, text.num_key_value_heads)
    return {
        **vision_to_opengvlab(model.model.vision_tower.state_dict()),
        **projector_to_opengvlab(model.model.multi_modal_projector.state_dict()),
        **{f"language_model.{k}": v for k, v in language.items()},
    }


def internvl_from_opengvlab(state: dict) -> dict:
    """An OpenGVLab checkpoint with a Qwen2 decoder -> names of transformers' InternVLForConditionalGeneration."""
    layer = {v: k for k, v in _VISION_LAYER.items()}
    embeddings = {v: k for k, v in _VISION_EMBEDDINGS.items()}
    projector = {v: k for k, v in _PROJECTOR.items()}
    out = {}
    for name, tensor in state.items():
        if name.startswith("vision_model.embeddings."):
            out[f"model.vision_tower.embeddings.{embeddings[name.split('.', 2)[2]]}"] = tensor
        elif name.startswith("vision_model."):
            number, rest = re.fullmatch(r"vision_model\.encoder\.layers\.(\d+)\.(.+)", name).groups()
            prefix = f"model.vision_tower.encoder.layer.{number}"
            if rest.startswith("attn.qkv"):
                for part, rows in zip("qkv", tensor.chunk(3)):
                    out[f"{prefix}.attention.{part}_proj.{rest.rsplit('.', 1)[1]}"] = rows
            else:
                key = next(k for k in layer if rest == k or rest.startswith(k + "."))
                out[f"{prefix}.{layer[key]}{rest[len(key) :]}"] = tensor
        elif name.startswith("mlp1."):
            _, number, kind = name.split(".")
            out[f"model.multi_modal_projector.{projector[number]}.{kind}"] = tensor
        elif name == "language_model.lm_head.weight":
            out["lm_head.weight"] = tensor
        elif name.startswith("language_model.model."):
            out[f"model.language_model.{name[len('language_model.model.') :]}"] = tensor
        else:
            raise KeyError(name)
    return out
