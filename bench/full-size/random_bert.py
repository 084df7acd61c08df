"""A BERT of bert-base-uncased's size with random weights, as Hugging Face saves it, and what it makes of texts, for compare.ts:

    pip install torch transformers safetensors
    python bench/full-size/random_bert.py FOLDER EXPECTED.safetensors [float32|float16|bfloat16]

Texts of 64, 37, 12, 5 and 2 tokens, each of two segments. What is expected is computed in float32 of the weights
as they were saved.
"""
import sys
import torch
from safetensors.torch import save_file
from transformers import BertConfig, BertModel

folder, expected, dtype = sys.argv[1], sys.argv[2], getattr(torch, (sys.argv + ["float32"])[3])
torch.manual_seed(7)
config = BertConfig()
model = BertModel(config).eval()
with torch.no_grad():
    for name, p in model.named_parameters():
        # Trained norms and biases are not 1 and 0.
        if p.dim() == 1:
            p += 0.1 * torch.randn_like(p)
        elif "embeddings" not in name:
            p *= 2
model.to(dtype).save_pretrained(folder)
model = BertModel.from_pretrained(folder, dtype=torch.float32).eval()
lengths = torch.tensor([64, 37, 12, 5, 2])
place = torch.arange(64).expand(len(lengths), 64)
mask = (place < lengths[:, None]).long()
ids = torch.randint(1000, config.vocab_size, mask.shape) * mask
types = ((place >= lengths[:, None] // 3) * mask).long()
with torch.no_grad():
    y = model(input_ids=ids, attention_mask=mask, token_type_ids=types)
ints = {k: v.int().contiguous() for k, v in dict(ids=ids, mask=mask, types=types).items()}
save_file({**ints, "hidden": y.last_hidden_state.contiguous(), "pooled": y.pooler_output.contiguous()}, expected)
