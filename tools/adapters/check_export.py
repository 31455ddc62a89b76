"""Loads folders that `mimic weights export-peft` wrote with the real peft and compares logits with PyTorch's own.

    for layout in lm whole hf; do
      mimic weights import-peft --adapter test/adapters/assets/lm --base BASE --out /tmp/x/model   # once
      mimic weights export-peft --checkpoint /tmp/x/model --layout $layout --out /tmp/x/$layout
    done
    .venv/bin/python tools/adapters/check_export.py lm /tmp/x

BASE is test/parity/goldens/internvl2_5-internlm2 (or -qwen2) with a tokenizer beside it. The name is that of the folder in
test/adapters/assets that holds the logits; every layout found in the second folder is loaded on the module tree it is for.
"""

import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "parity"))

import torch
from peft import PeftModel
from safetensors import safe_open
from safetensors.torch import load_file

from make_adapters import ASSETS, WholeChatModel, logits_of, plain_logits, projector_of
from tiny_models import SEEDS, internlm2_of, internvl

TOLERANCE = 1e-4


def causal_lm(model):
    """With the method that peft demands of a causal language model, and that InternLM2ForCausalLM has."""
    own = internlm2_of(model)
    own.prepare_inputs_for_generation = lambda *args, **kwargs: {}
    return own


def logits_with(adapted, ids):
    # peft's wrapper of causal language models passes everything by keyword.
    return logits_of(adapted.base_model.model, ids)


TREES = {
    "lm": causal_lm,
    "whole": lambda model: WholeChatModel(internlm2_of(model), projector_of(model)),
    "hf": lambda model: model,
}


def main(name: str, folder: Path) -> None:
    golden = ASSETS / name / "logits.safetensors"
    with safe_open(golden, "pt") as file:
        family = json.loads(file.metadata()["provenance"])["base"].removeprefix("internvl2_5-")
    tensors = load_file(golden)
    ids = tensors["ids"].long()
    for layout, wrap in TREES.items():
        adapter = folder / layout
        if not adapter.exists():
            continue
        model = wrap(internvl(family, SEEDS[family]))
        before = plain_logits(model, ids)
        adapted = PeftModel.from_pretrained(model, adapter).eval()
        with torch.no_grad():
            logits = logits_with(adapted, ids)
        error = (logits - tensors["logits"]).abs().max().item()
        change = (logits - before).abs().max().item()
        # An adapter that peft did not place leaves lora_B at zero, and logits as they were.
        placed = sum(1 for key, value in adapted.named_parameters() if "lora_B" in key and value.abs().max() > 0)
        print(f"{name} as {layout}: {placed} linears, logits differ by {error:.2e}, the adapter's part is {change:.2f}")
        assert error <= TOLERANCE and change > 0.1


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
