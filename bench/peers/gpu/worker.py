"""PyTorch's side of the GPU benchmark: reads work as JSON lines, answers each with the milliseconds of one repeat.

    python worker.py <GPU number>

Work is prepared when it differs from the line before, whose tensors are freed first. Times are CUDA events around all
repeats, as on the other side.
"""

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
        wanted = (name, json.dumps(request))
        if wanted != key:
            run = None
            torch.cuda.empty_cache()
            key, run = wanted, WORK[name](**request)
        print(json.dumps({"ms": timed(run, repeats)}), flush=True)


if __name__ == "__main__":
    main()
