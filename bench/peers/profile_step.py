"""Where PyTorch's step goes, by operator.

    python profile_step.py <sizes as JSON> <weights folder> <threads> train | prefill
"""

import json
import os
import sys
import time

import torch
from torch.profiler import ProfilerActivity, profile

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from step_worker import commands_of  # noqa: E402


def main():
    config, folder, threads, kind = json.loads(sys.argv[1]), sys.argv[2], int(sys.argv[3]), sys.argv[4]
    torch.set_num_threads(threads)
    run = commands_of(config, folder)[kind]
    for _ in range(2):
        print(f"warm-up: {run()}")
    times = []
    while len(times) < 3 or sum(times) < 4:
        started = time.perf_counter()
        run()
        times.append(time.perf_counter() - started)
    print(f"PyTorch {torch.__version__}: {1000 * sum(times) / len(times):.1f} ms a step (mean of {len(times)})")
    steps = 3
    with profile(activities=[ProfilerActivity.CPU]) as measured:
        for _ in range(steps):
            run()
    rows = sorted(measured.key_averages(), key=lambda row: -row.self_cpu_time_total)[:25]
    for row in rows:
        print(f"  {row.self_cpu_time_total / 1000 / steps:9.2f} ms {row.count / steps:6.0f} x  {row.key}")


if __name__ == "__main__":
    main()
