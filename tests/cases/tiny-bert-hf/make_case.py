"""Makes this case again after weights/tiny-bert was trained anew: what Hugging Face's BertModel and BertTokenizer make of that
folder, in float64.  python make_case.py   (torch, transformers)"""
import hashlib
import json
from pathlib import Path

import torch
from safetensors.torch import save_file
from transformers import BertModel, BertTokenizer

here = Path(__file__).resolve().parent
folder = here.parents[2] / "weights/tiny-bert"
model = BertModel.from_pretrained(folder, dtype=torch.float64, add_pooling_layer=False).eval()
tokenizer = BertTokenizer.from_pretrained(folder)
config = model.config

pairs = [("mouse", "animal rodent"), ("a", ""), ("Côte d'Ivoire", "location African country, 3 regions!"),
         ("bull", "a serious and ludicrous blunder; he made a bad mistake. " * 6)]
first, second = map(list, zip(*pairs))
tokens = tokenizer(first, second, padding=True, truncation="only_second", max_length=config.max_position_embeddings,
                   return_tensors="pt")
with torch.no_grad():
    hidden = model(**tokens).last_hidden_state
tensors = {
    "input/ids": tokens["input_ids"].int(),
    "input/types": tokens["token_type_ids"].int(),
    "input/mask": tokens["attention_mask"].int(),
    "output/hidden": (hidden * tokens["attention_mask"][..., None]).float(),
    "output/cls": hidden[:, 0].float(),
}
save_file({name: value.contiguous() for name, value in tensors.items()}, here / "tensors.safetensors")
fields = {
    "vocab": config.vocab_size, "max_length": config.max_position_embeddings, "types": config.type_vocab_size,
    "text_width": config.hidden_size, "text_heads": config.num_attention_heads,
    "text_layers": config.num_hidden_layers, "text_hidden": config.intermediate_size, "pairs": pairs,
}
weights = folder / "model.safetensors"
parameters = {"file": "../../../weights/tiny-bert/model.safetensors", "sha256": hashlib.sha256(weights.read_bytes()).hexdigest()}
case = {"kind": "bert", "config": fields, "parameters": parameters, "tolerance": 1e-4}
(here / "case.json").write_text(json.dumps(case, indent=1, ensure_ascii=False) + "\n")
