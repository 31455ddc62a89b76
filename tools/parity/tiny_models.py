"""Random tiny models of the reference classes; sizes are odd on purpose, so that no axis can be taken for another."""

import torch
from transformers import (
    InternVLConfig,
    InternVLForConditionalGeneration,
    InternVLVisionConfig,
    LlamaConfig,
    Qwen2Config,
    TimesformerConfig,
    TimesformerForVideoClassification,
)

from common import randomize
from internlm2 import InternLM2, InternLM2Config
from names import llama_to_internlm2

IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
TEMPORAL_MEAN, TEMPORAL_STD = (0.45,) * 3, (0.225,) * 3
NUM_FRAMES = 2
# 24 px in patches of 4: 6 x 6 patches, 9 visual tokens a frame.
VISION = dict(
    hidden_size=24,
    intermediate_size=40,
    num_hidden_layers=2,
    num_attention_heads=3,
    image_size=[24, 24],
    patch_size=[4, 4],
)
TOKENS_PER_FRAME = 9
LANGUAGE = dict(hidden_size=32, intermediate_size=52, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2)
VOCAB = {"internlm2": 97, "qwen2": 101}
IMAGE_TOKEN = {"internlm2": 90, "qwen2": 95}
EPS = {"internlm2": 1e-5, "qwen2": 1e-6}
THETA = 1e6
# Of weights with which the untrained model writes without falling into a short cycle, and no choice hangs on rounding.
SEEDS = {"internlm2": 157, "qwen2": 108}
TIMESFORMER_SEED = 21


def text_config(family: str):
    shared = dict(
        **LANGUAGE,
        vocab_size=VOCAB[family],
        rms_norm_eps=EPS[family],
        max_position_embeddings=32768,
        tie_word_embeddings=False,
        bos_token_id=1,
        eos_token_id=2,
        pad_token_id=2,
    )
    if family == "internlm2":
        # Dynamic scaling acts beyond 32768 tokens only; below it must change nothing.
        return LlamaConfig(rope_parameters={"rope_type": "dynamic", "factor": 2.0, "rope_theta": THETA}, **shared)
    return Qwen2Config(rope_parameters={"rope_type": "default", "rope_theta": THETA}, **shared)


def internvl(family: str, seed: int) -> InternVLForConditionalGeneration:
    """InternVL with a Qwen2 decoder, or with a Llama one, which is InternLM2 converted."""
    config = InternVLConfig(
        vision_config=InternVLVisionConfig(**VISION, attention_bias=True, use_qk_norm=False, use_mean_pooling=True),
        text_config=text_config(family),
        image_token_id=IMAGE_TOKEN[family],
        image_seq_length=TOKENS_PER_FRAME,
        tie_word_embeddings=False,
    )
    config._attn_implementation = "eager"
    model = InternVLForConditionalGeneration(config).eval()
    randomize(model, seed, bfloat16=True)
    assert model.lm_head.weight.data_ptr() != model.get_input_embeddings().weight.data_ptr()
    return model


def internlm2_of(model: InternVLForConditionalGeneration) -> InternLM2:
    """InternLM2 under its own names, with the values of the Llama decoder."""
    text = model.config.text_config
    state = {f"model.{k}": v for k, v in model.model.language_model.state_dict().items()}
    state["lm_head.weight"] = model.lm_head.weight.detach()
    names = [*LANGUAGE, "vocab_size", "rms_norm_eps"]
    own = InternLM2(InternLM2Config(**{name: getattr(text, name) for name in names}, rope_theta=THETA)).eval()
    own.load_state_dict(llama_to_internlm2(state, text.num_attention_heads, text.num_key_value_heads))
    return own


def timesformer(seed: int, image_size: int = 24) -> TimesformerForVideoClassification:
    config = TimesformerConfig(
        hidden_size=20,
        intermediate_size=36,
        num_hidden_layers=2,
        num_attention_heads=2,
        image_size=image_size,
        patch_size=6,
        num_frames=4,
        num_labels=3,
        layer_norm_eps=1e-6,
        drop_path_rate=0,
    )
    model = TimesformerForVideoClassification(config).eval()
    randomize(model, seed, bfloat16=False)
    return model


@torch.no_grad()
def timesformer_tokens(model: TimesformerForVideoClassification, pixels_TCHW: torch.Tensor) -> torch.Tensor:
    """All tokens after the final norm [1 + N T, C], time fastest, for any number of frames and any size.

    The embedding layer resizes its tables by itself, but every block takes the number of frames and the width in
    patches from the configuration, which therefore has to say the input's.
    """
    config = model.config
    own = (config.num_frames, config.image_size)
    config.num_frames, config.image_size = pixels_TCHW.shape[0], pixels_TCHW.shape[-1]
    try:
        return model.timesformer(pixel_values=pixels_TCHW[None]).last_hidden_state[0]
    finally:
        config.num_frames, config.image_size = own
