"""PyTorch's side of the comparison of whole training, in a process of its own: commands and answers are JSON lines.

    python worker.py <folder> <threads>

{"do": "pyav" | "ffmpeg"}: a whole run, clips decoded by as many workers of a DataLoader as there are threads. Answers
{ms, losses}; the time is that from the first step's beginning to the last one's end.
"""

import json
import os
import sys
import time

import torch
from safetensors.torch import load_file

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from mimic_chat import build, own_name  # noqa: E402
from videos import Steps  # noqa: E402


def optimizer_of(model, options):
    """Matrices decay, vectors do not; adapters have a rate of their own."""
    trained = [(own_name(name), p) for name, p in model.named_parameters() if p.requires_grad]
    groups = {}
    for name, p in trained:
        scale = options["loraLearningRateScale"] if "lora_" in name else 1.0
        decay = options["weightDecay"] if p.ndim > 1 else 0.0
        groups.setdefault((scale, decay), []).append(p)
    groups = [{"params": ps, "weight_decay": decay, "scale": scale} for (scale, decay), ps in groups.items()]
    return torch.optim.AdamW(groups, lr=1.0, betas=(options["beta1"], options["beta2"]), eps=options["eps"])


def train(plan, weights, threads, decoder):
    model = build(plan["model"], weights, set(plan["trained"])).train()
    trained = [p for p in model.parameters() if p.requires_grad]
    optimizer = optimizer_of(model, plan["optimizer"])
    losses, started = [], time.perf_counter()
    loader = torch.utils.data.DataLoader(Steps(plan, decoder), batch_size=None, num_workers=threads, prefetch_factor=2)
    for ids, rows, labels, token_weights, spatial, temporal, learning_rate in loader:
        for group in optimizer.param_groups:
            group["lr"] = learning_rate * group["scale"]
        loss = model.loss(ids, rows, labels, token_weights, model.encode(spatial, temporal))
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(trained, plan["optimizer"]["maxGradNorm"])
        optimizer.step()
        losses.append(loss.item())
    return {"ms": 1000 * (time.perf_counter() - started), "losses": losses}


def main():
    folder, threads = sys.argv[1], int(sys.argv[2])
    torch.set_num_threads(threads)
    with open(f"{folder}/plan.json") as file:
        plan = json.load(file)
    weights = load_file(f"{folder}/model.safetensors")
    print(json.dumps({"ready": f"PyTorch {torch.__version__}, {torch.get_num_threads()} threads"}), flush=True)
    for line in sys.stdin:
        print(json.dumps(train(plan, weights, threads, json.loads(line)["do"])), flush=True)


if __name__ == "__main__":
    main()
