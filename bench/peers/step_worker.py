"""PyTorch's side of the comparison, in a process of its own: reads commands as JSON lines, answers each with one.

    python step_worker.py <sizes as JSON> <weights folder> <threads>
"""

import json
import os
import sys
import time

import torch
from safetensors.torch import load_file

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from decoder import Decoder  # noqa: E402


AT_LEAST_MS = 200


def status_bytes(field):
    with open("/proc/self/status") as status:
        for line in status:
            if line.startswith(field + ":"):
                return int(line.split()[1]) * 1024
    return 0


def load(config, folder):
    with torch.device("meta"):
        model = Decoder(config)
    weights = {name.removeprefix("language_model."): x for name, x in load_file(f"{folder}/model.safetensors").items()}
    # peft names the two factors' modules as the file does; a tied head is absent from it.
    if config["tieWordEmbeddings"]:
        weights["output.weight"] = weights["model.tok_embeddings.weight"]
    model.load_state_dict(weights, assign=True)
    for name, parameter in model.named_parameters():
        parameter.requires_grad_("lora_" in name)
    return model


def reply(answer):
    print(json.dumps(answer), flush=True)


def commands_of(config, folder):
    """The two measured computations, each returning a number to compare."""
    model = load(config, folder)
    batch = {name: x.long() for name, x in load_file(f"{folder}/batch.safetensors").items()}
    trained = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=1e-4, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.01)

    def train():
        optimizer.zero_grad(set_to_none=True)
        loss = model.loss(batch["ids"], batch["rows"], batch["labels"])
        loss.backward()
        torch.nn.utils.clip_grad_norm_(trained, 1.0)
        optimizer.step()
        return loss.item()

    def prefill():
        return model.prefill(batch["ids"][:1]).abs().mean().item()

    return {"train": train, "prefill": prefill}


def timed(command):
    """Repeats short work, as our side does: a single run after a pause would time cold caches and sleeping threads."""
    started, runs = time.perf_counter(), 0
    while True:
        value = command()
        runs += 1
        ms = (time.perf_counter() - started) * 1000
        if ms >= AT_LEAST_MS:
            return {"ms": ms / runs, "value": value}


def main():
    config, folder, threads = json.loads(sys.argv[1]), sys.argv[2], int(sys.argv[3])
    torch.set_num_threads(threads)
    start_bytes = status_bytes("VmRSS")
    commands = commands_of(config, folder)
    with open("/proc/self/clear_refs", "w") as refs:
        refs.write("5")
    reply({"ready": f"PyTorch {torch.__version__}, {torch.get_num_threads()} threads", "startBytes": start_bytes})
    for line in sys.stdin:
        request = json.loads(line)
        command = commands.get(request["do"])
        if command is None:
            reply({"peakBytes": status_bytes("VmHWM"), "startBytes": start_bytes})
            continue
        reply({"value": command()} if request.get("once") else timed(command))


if __name__ == "__main__":
    main()
