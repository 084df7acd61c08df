"""The passes of dense-ranking.ts in PyTorch: milliseconds of each after the first, by the clock and of all threads, as JSON. Its
argument is the size, as JSON."""
import json
import sys
import time
import torch

size = json.loads(sys.argv[1])
torch.set_num_threads(2)
mentions, entities = (torch.rand(size[side], size["width"]) * 2 - 1 for side in ("mentions", "entities"))
times = []
for _ in range(size["passes"] + 1):
    start, used = time.perf_counter(), time.process_time()
    torch.matmul(mentions, entities.T).topk(size["top"])
    times.append((1000 * (time.perf_counter() - start), 1000 * (time.process_time() - used)))
print(json.dumps(times[1:]))
