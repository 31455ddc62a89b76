"""PyTorch's bf16 matrix product: reads shapes as JSON lines, answers each with the ms of one product.

    python matmul_worker.py <threads>
"""

import json
import sys
import time

import torch

AT_LEAST_SECONDS = 0.004


def operands(request):
    shape = lambda rows, columns, transposed: (columns, rows) if transposed else (rows, columns)
    transposed_a, transposed_b = request.get("transposeA", False), request.get("transposeB", False)
    a = torch.rand(shape(request["m"], request["k"], transposed_a)).bfloat16()
    b = torch.rand(shape(request["k"], request["n"], transposed_b)).bfloat16()
    return a.t() if transposed_a else a, b.t() if transposed_b else b


def main():
    torch.set_num_threads(int(sys.argv[1]))
    print(json.dumps({"ready": f"PyTorch {torch.__version__}"}), flush=True)
    held = {}
    with torch.inference_mode():
        for line in sys.stdin:
            if line not in held:
                held = {line: operands(json.loads(line))}
            a, b = held[line]
            c = torch.empty(a.shape[0], b.shape[1], dtype=a.dtype)
            runs, started = 0, time.perf_counter()
            while time.perf_counter() - started < AT_LEAST_SECONDS:
                torch.matmul(a, b, out=c)
                runs += 1
            print(json.dumps({"ms": 1000 * (time.perf_counter() - started) / runs}), flush=True)


if __name__ == "__main__":
    main()
