"""The steps of bert-step.ts in PyTorch: milliseconds of each after the first, by the clock and of all threads, as JSON. Its
argument is the size, as JSON."""
import json
import sys
import time
import torch
from transformers import BertConfig, BertModel

size = json.loads(sys.argv[1])
torch.set_num_threads(2)
torch.manual_seed(1)
B, L = size["batch"], size["length"]
bert = BertModel(BertConfig(
    vocab_size=size["vocabulary"], hidden_size=size["width"], num_hidden_layers=size["layers"],
    num_attention_heads=size["heads"], intermediate_size=4 * size["width"], max_position_embeddings=64,
    hidden_dropout_prob=0, attention_probs_dropout_prob=0), add_pooling_layer=False).train()
scale = torch.nn.Parameter(torch.tensor(2.66))
adam = torch.optim.AdamW([*bert.parameters(), scale], lr=1e-4, weight_decay=0.01)
ids = torch.randint(size["vocabulary"], (2, B, L))
types = (torch.arange(L) > 8).long().expand(B, L)
times = []
for _ in range(size["steps"] + 1):
    start, used = time.perf_counter(), time.process_time()
    m, e = (torch.nn.functional.normalize(bert(input_ids=x, token_type_ids=types).last_hidden_state[:, 0]) for x in ids)
    loss = torch.nn.functional.cross_entropy(scale.exp() * m @ e.T, torch.arange(B))
    adam.zero_grad()
    loss.backward()
    adam.step()
    with torch.no_grad():
        scale.clamp_(max=4.6)
    loss.item()
    times.append((1000 * (time.perf_counter() - start), 1000 * (time.process_time() - used)))
print(json.dumps(times[1:]))
