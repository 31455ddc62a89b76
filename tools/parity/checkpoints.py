"""The tiny models as checkpoint folders of every layout that the loader reads."""

import json
import shutil
from pathlib import Path

import torch
from peft import LoraConfig, get_peft_model
from safetensors.torch import load_file, save_file

from common import generator, save_json
from names import internvl_to_opengvlab
from tiny_models import EPS, IMAGENET_MEAN, IMAGENET_STD, LANGUAGE, TEMPORAL_MEAN, TEMPORAL_STD, THETA, VISION, VOCAB

# transformers writes the prefixes of 2025's files to this day; its modules, and files of other tools, carry the newer.
_NEWER_PREFIXES = (
    ("language_model.lm_head.", "lm_head."),
    ("language_model.model.", "model.language_model."),
    ("vision_tower.", "model.vision_tower."),
    ("multi_modal_projector.", "model.multi_modal_projector."),
)

LORA = dict(r=4, lora_alpha=8, lora_dropout=0.0, bias="none")
INTERNLM2_TARGETS = ["attention.wqkv", "attention.wo", "feed_forward.w1", "feed_forward.w2", "feed_forward.w3"]
QWEN2_TARGETS = ["self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj", "self_attn.o_proj"]


def opengvlab_config(family: str, use_llm_lora: int = 0) -> dict:
    """config.json as the InternVL2.5 repositories have it: 8B/2B for internlm2, 1B for qwen2."""
    shared = {**LANGUAGE, "vocab_size": VOCAB[family], "rms_norm_eps": EPS[family], "rope_theta": THETA}
    shared |= {
        "max_position_embeddings": 32768,
        "hidden_act": "silu",
        "tie_word_embeddings": False,
        "torch_dtype": "bfloat16",
    }
    shared |= {"initializer_range": 0.02, "use_cache": True}
    if family == "internlm2":
        llm = {"architectures": ["InternLM2ForCausalLM"], "model_type": "internlm2", "bias": False}
        llm |= {
            "rope_scaling": {"factor": 2.0, "type": "dynamic"},
            "bos_token_id": 1,
            "eos_token_id": 2,
            "pad_token_id": 2,
        }
    else:
        llm = {"architectures": ["Qwen2ForCausalLM"], "model_type": "qwen2", "rope_scaling": None}
        llm |= {"use_sliding_window": False, "sliding_window": 32768, "max_window_layers": 21, "attention_dropout": 0.0}
    vision = {
        "architectures": ["InternVisionModel"],
        "model_type": "intern_vit_6b",
        **{k: VISION[k] for k in ("hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads")},
        "image_size": VISION["image_size"][0],
        "patch_size": VISION["patch_size"][0],
        "num_channels": 3,
        "norm_type": "layer_norm",
        "layer_norm_eps": 1e-6,
        "hidden_act": "gelu",
        "qkv_bias": True,
        "qk_normalization": False,
        "use_flash_attn": True,
        "drop_path_rate": 0.0,
        "dropout": 0.0,
        "attention_dropout": 0.0,
        "initializer_factor": 1.0,
        "torch_dtype": "bfloat16",
    }
    return {
        "architectures": ["InternVLChatModel"],
        "auto_map": {"AutoModel": "modeling_internvl_chat.InternVLChatModel"},
        "model_type": "internvl_chat",
        "downsample_ratio": 0.5,
        "dynamic_image_size": True,
        "force_image_size": VISION["image_size"][0],
        "max_dynamic_patch": 12,
        "min_dynamic_patch": 1,
        "pad2square": False,
        "ps_version": "v2",
        "select_layer": -1,
        "template": "internvl2_5",
        "use_backbone_lora": 0,
        "use_llm_lora": use_llm_lora,
        "use_thumbnail": True,
        "tie_word_embeddings": False,
        "torch_dtype": "bfloat16",
        "llm_config": {**llm, **shared},
        "vision_config": vision,
    }


def image_preprocessor(size: int) -> dict:
    shared = {
        "crop_size": size,
        "do_center_crop": True,
        "do_normalize": True,
        "do_resize": True,
        "resample": 3,
        "size": size,
    }
    return {
        **shared,
        "feature_extractor_type": "CLIPFeatureExtractor",
        "image_mean": IMAGENET_MEAN,
        "image_std": IMAGENET_STD,
    }


def fresh(folder: Path) -> Path:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


def bf16(state: dict) -> dict:
    stored = {name: tensor.detach().bfloat16().contiguous() for name, tensor in state.items()}
    for name, tensor in stored.items():
        assert torch.equal(tensor.float(), state[name]), f"{name} is not exact in bf16"
    return stored


def save_opengvlab(folder: Path, model, family: str, shards: int) -> None:
    """shards > 1: split by bytes with an index, so that a layer straddles two files, as in the published ones."""
    fresh(folder)
    state = bf16(internvl_to_opengvlab(model))
    save_json(folder / "config.json", opengvlab_config(family))
    save_json(folder / "preprocessor_config.json", image_preprocessor(VISION["image_size"][0]))
    if shards == 1:
        save_file(state, folder / "model.safetensors", metadata={"format": "pt"})
        return
    total = sum(t.nbytes for t in state.values())
    files, weight_map, done = [{} for _ in range(shards)], {}, 0
    for name, tensor in state.items():
        shard = min(shards - 1, done * shards // total)
        files[shard][name] = tensor
        weight_map[name] = f"model-{shard + 1:05d}-of-{shards:05d}.safetensors"
        done += tensor.nbytes
    for shard, tensors in enumerate(files):
        save_file(tensors, folder / f"model-{shard + 1:05d}-of-{shards:05d}.safetensors", metadata={"format": "pt"})
    save_json(folder / "model.safetensors.index.json", {"metadata": {"total_size": total}, "weight_map": weight_map})


def save_hf(folder: Path, model, newer: bool) -> None:
    """As save_pretrained writes it; newer: the prefixes that transformers has in memory since 4.52."""
    fresh(folder)
    # A bf16 copy: the model itself goes on computing in fp32.
    copy = type(model)(model.config)
    copy.load_state_dict(model.state_dict())
    copy.bfloat16().save_pretrained(folder)
    (folder / "generation_config.json").unlink(missing_ok=True)
    size = dict(zip(("height", "width"), VISION["image_size"]))
    preprocessor = {"do_normalize": True, "do_resize": True, "resample": 3, "size": size, "crop_to_patches": False}
    preprocessor |= {
        "image_mean": IMAGENET_MEAN,
        "image_std": IMAGENET_STD,
        "image_processor_type": "GotOcr2ImageProcessorFast",
    }
    save_json(folder / "preprocessor_config.json", preprocessor)
    state = load_file(folder / "model.safetensors")
    assert all(name.startswith(tuple(old for old, _ in _NEWER_PREFIXES)) for name in state), (
        "save_pretrained's prefixes changed"
    )
    if newer:
        renamed = {_newer(name): tensor for name, tensor in state.items()}
        assert set(renamed) == set(model.state_dict())
        save_file(renamed, folder / "model.safetensors", metadata={"format": "pt"})
        return
    # The configuration of the same year's files: rope_theta and rope_scaling beside the sizes.
    config = json.loads((folder / "config.json").read_text())
    rope = config["text_config"].pop("rope_parameters")
    config["text_config"]["rope_theta"] = rope.pop("rope_theta")
    config["text_config"]["rope_scaling"] = None if rope["rope_type"] == "default" else rope
    config["torch_dtype"] = config.pop("dtype")
    save_json(folder / "config.json", config)


def _newer(name: str) -> str:
    old, new = next(pair for pair in _NEWER_PREFIXES if name.startswith(pair[0]))
    return new + name[len(old) :]


def save_timesformer(folder: Path, model, pickle: bool) -> None:
    """pickle: pytorch_model.bin as torch.save writes it, the only format of the published TimeSformer-HR."""
    fresh(folder)
    model.save_pretrained(folder)
    preprocessor = {"do_center_crop": True, "do_normalize": True, "do_rescale": True, "do_resize": True, "resample": 2}
    preprocessor |= {
        "image_mean": TEMPORAL_MEAN,
        "image_std": TEMPORAL_STD,
        "image_processor_type": "VideoMAEImageProcessor",
    }
    preprocessor |= {"crop_size": {"height": 24, "width": 24}, "size": {"shortest_edge": 24}}
    save_json(folder / "preprocessor_config.json", preprocessor)
    if pickle:
        (folder / "model.safetensors").unlink()
        torch.save(model.state_dict(), folder / "pytorch_model.bin")


def with_lora(language_model, targets, seed: int, zero_b: bool):
    """peft's wrapper; A as peft draws it, B zero as peft starts it or random, so that the adapter does something."""
    torch.manual_seed(seed)
    wrapped = get_peft_model(language_model, LoraConfig(target_modules=list(targets), **LORA))
    if not zero_b:
        rng = generator(seed + 1)
        with torch.no_grad():
            for name, parameter in wrapped.named_parameters():
                if "lora_B" in name:
                    parameter.copy_(0.3 * torch.randn(parameter.shape, generator=rng))
    return wrapped.eval()


class WholeModel(torch.nn.Module):
    """Gives an adapter of the whole chat model its names: the decoder sits under `language_model`."""

    def __init__(self, language_model):
        super().__init__()
        self.language_model = language_model


def save_adapters(folder: Path, model, internlm2, seed: int):
    """One adapter in three layouts: peft on the decoder, peft on the whole model, merged into the model's names.

    Returns the decoder with the adapter.
    """
    fresh(folder)
    wrapped = with_lora(internlm2, INTERNLM2_TARGETS, seed, zero_b=False)
    wrapped.save_pretrained(folder / "on-language-model")
    adapter = {name: p for name, p in wrapped.named_parameters() if "lora_" in name}

    whole = get_peft_model(
        WholeModel(_copy_of(internlm2, wrapped)), LoraConfig(target_modules=INTERNLM2_TARGETS, **LORA)
    )
    with torch.no_grad():
        for name, parameter in whole.named_parameters():
            if "lora_" in name:
                parameter.copy_(adapter[name.replace("base_model.model.language_model.", "base_model.model.")])
    whole.save_pretrained(folder / "on-whole-model")

    vision_side = {k: v for k, v in internvl_to_opengvlab(model).items() if not k.startswith("language_model.")}
    inside = {f"language_model.{name}": tensor.detach() for name, tensor in wrapped.state_dict().items()}
    target = fresh(folder / "in-model")
    # fp32: an adapter is not exact in bf16.
    save_file(
        {k: v.contiguous() for k, v in {**vision_side, **inside}.items()},
        target / "model.safetensors",
        metadata={"format": "pt"},
    )
    save_json(target / "config.json", opengvlab_config("internlm2", use_llm_lora=LORA["r"]))
    save_json(target / "preprocessor_config.json", image_preprocessor(VISION["image_size"][0]))
    for readme in folder.rglob("README.md"):
        readme.unlink()
    for path in folder.rglob("adapter_config.json"):
        # peft writes a set, in any order.
        config = json.loads(path.read_text())
        save_json(path, {**config, "target_modules": sorted(config["target_modules"])})
    return wrapped


def _copy_of(internlm2, wrapped):
    """The bare decoder again: peft changed the given one in place."""
    bare = type(internlm2)(internlm2.settings)
    state = {
        k.replace("base_layer.", ""): v for k, v in wrapped.base_model.model.state_dict().items() if "lora_" not in k
    }
    bare.load_state_dict(state)
    return bare.eval()
