"""PyTorch's side of the GPU benchmark: reads work as JSON lines, answers each with the milliseconds of one repeat.

    python worker.py <GPU number>

Work is prepared when it differs from the line before, whose tensors are freed first. Times are CUDA events around all
repeats, as on the other side.
"""

import gc
import json
import os
import sys

import torch
import torch.nn.functional as F

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from decoder import Block, rope_tables  # noqa: E402

BF16 = torch.bfloat16


def matmul(m, n, k, transposeB):
    a = torch.randn(m, k, dtype=BF16, device="cuda")
    b = torch.randn((n, k) if transposeB else (k, n), dtype=BF16, device="cuda") * k**-0.5
    out = torch.empty(m, n, dtype=BF16, device="cuda")
    b_KN = b.t() if transposeB else b
    return lambda: torch.matmul(a, b_KN, out=out)


def attention(batch, tokens, heads, groups, headDim, causal, backward):
    def make(count):
        # [B, T, H, D] in memory, as projections give it; SDPA sees [B, H, T, D].
        x = torch.randn(batch, tokens, count, headDim, dtype=BF16, device="cuda").transpose(1, 2)
        return x.requires_grad_(backward)

    q, k, v = make(heads), make(groups), make(groups)
    dy = torch.randn_like(q)

    def forward():
        return F.scaled_dot_product_attention(q, k, v, is_causal=causal, enable_gqa=groups != heads)

    if not backward:
        return forward
    return lambda: torch.autograd.grad(forward(), (q, k, v), dy)


def layer(tokens, backward, **sizes):
    config = dict(sizes, loraTargets=sizes["loraTargets"].split(","))
    with torch.device("cuda"):
        block = Block(config).to(BF16)
        for name, parameter in block.named_parameters():
            parameter.requires_grad_("lora_" in name)
            # Matrices at the scale of a trained model; norms at one.
            with torch.no_grad():
                parameter.fill_(1) if parameter.dim() < 2 else parameter.normal_(0, parameter.shape[1] ** -0.5)
        head_size = config["hiddenSize"] // config["numHeads"]
        tables = [t.to("cuda", BF16) for t in rope_tables(tokens, head_size, config["ropeTheta"])]
        x = torch.randn(1, tokens, config["hiddenSize"], dtype=BF16)
        dy = torch.randn_like(x)
    if not backward:

        @torch.inference_mode()
        def forward():
            return block(x, tables, None)

        return forward
    x.requires_grad_()
    wanted = [x, *(p for p in block.parameters() if p.requires_grad)]
    return lambda: torch.autograd.grad(block(x, tables, None), wanted, dy)


def train_step(batch, tokens, steps, loraRank, loraAlpha, device="cuda", **sizes):
    """A LoRA step as transformers + peft users write it: SDPA, gradient checkpointing, bf16 by autocast as Trainer does it.

    Llama's shape is InternLM2's, with wqkv in three.
    """
    from peft import LoraConfig, get_peft_model
    from transformers import LlamaConfig, LlamaForCausalLM

    config = LlamaConfig(
        hidden_size=sizes["hiddenSize"],
        intermediate_size=sizes["intermediateSize"],
        num_hidden_layers=sizes["numLayers"],
        num_attention_heads=sizes["numHeads"],
        num_key_value_heads=sizes["numKvHeads"],
        vocab_size=sizes["vocabSize"],
        rms_norm_eps=sizes["normEps"],
        max_position_embeddings=sizes["maxPositions"],
        attn_implementation="sdpa",
        use_cache=False,
    )
    torch.set_default_dtype(BF16)
    with torch.device(device):
        model = LlamaForCausalLM(config)
    torch.set_default_dtype(torch.float32)
    model.gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": False})
    model.enable_input_require_grads()
    targets = ["q_proj", "k_proj", "v_proj", "o_proj"]
    model = get_peft_model(model, LoraConfig(r=loraRank, lora_alpha=loraAlpha, lora_dropout=0.0, target_modules=targets))
    model.train()
    trained = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=1e-4, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.01)
    ids = torch.randint(0, sizes["vocabSize"], (batch, tokens), device=device)
    losses = []

    def run():
        with torch.autocast(device, BF16):
            loss = model(input_ids=ids, labels=ids).loss
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(trained, 1.0)
        optimizer.step()
        losses.append(loss.item())

    run()
    if device == "cpu":
        return {"ms": 0, "peakBytes": 0, "value": losses[-1]}
    return {"ms": timed(run, steps), "peakBytes": torch.cuda.max_memory_allocated(), "value": losses[-1]}


def free():
    gc.collect()
    torch.cuda.empty_cache()
    torch.cuda.reset_peak_memory_stats()
    return {"ms": 0}


# These answer by themselves; the others give what is to be timed.
WHOLE = {"train_step": train_step, "free": free}
WORK = {"matmul": matmul, "attention": attention, "layer": layer}


def timed(run, repeats):
    start, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
    start.record()
    for _ in range(repeats):
        run()
    end.record()
    end.synchronize()
    return start.elapsed_time(end) / repeats


def main():
    torch.cuda.set_device(int(sys.argv[1]))
    print(json.dumps({"ready": torch.cuda.get_device_name()}), flush=True)
    key, run = None, None
    for line in sys.stdin:
        request = json.loads(line)
        repeats, name = request.pop("repeats"), request.pop("do")
        if name in WHOLE:
            key, run = None, None
            torch.cuda.empty_cache()
            print(json.dumps(WHOLE[name](**request)), flush=True)
            continue
        wanted = (name, json.dumps(request))
        if wanted != key:
            run = None
            torch.cuda.empty_cache()
            key, run = wanted, WORK[name](**request)
        print(json.dumps({"ms": timed(run, repeats)}), flush=True)


if __name__ == "__main__":
    main()
