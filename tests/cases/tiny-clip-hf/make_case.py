"""Makes this case again after weights/tiny-clip was trained anew: what Hugging Face's CLIPModel and CLIPTokenizer
make of that folder, in float64.  python make_case.py   (torch, transformers, torchvision, pillow)"""
import hashlib
import json
from pathlib import Path

import torch
from PIL import Image
from safetensors.torch import save_file
from transformers import CLIPImageProcessor, CLIPModel, CLIPTokenizer

here = Path(__file__).resolve().parent
root = here.parents[2]
folder = root / "weights/tiny-clip"
model = CLIPModel.from_pretrained(folder, dtype=torch.float64).eval()
tokenizer = CLIPTokenizer.from_pretrained(folder)
config = model.config
text, vision = config.text_config, config.vision_config

texts = ["mouse : animal rodent", "a", "Côte d'Ivoire : location African country, 3 regions!",
         "bull : a serious and ludicrous blunder; he made a bad mistake. " * 3]
tokens = tokenizer(texts, padding=True, truncation=True, max_length=text.max_position_embeddings, return_tensors="pt")
side = vision.image_size
processor = CLIPImageProcessor(size={"shortest_edge": side}, crop_size={"height": side, "width": side})
images = [Image.open(file).convert("RGB") for file in sorted((root / "data/openconcepts/kb_image").glob("*.jpg"))[::250]]
pixels = processor(images, return_tensors="pt")["pixel_values"].double()

with torch.no_grad():
    out = model(input_ids=tokens["input_ids"], attention_mask=tokens["attention_mask"], pixel_values=pixels)
mask = tokens["attention_mask"]
tensors = {
    "input/ids": tokens["input_ids"].int(),
    "input/mask": mask.int(),
    "input/pixels": pixels.float(),
    "output/text_tokens": (out.text_model_output.last_hidden_state * mask[..., None]).float(),
    "output/text_embeds": out.text_embeds.float(),
    "output/image_tokens": out.vision_model_output.last_hidden_state.float(),
    "output/image_embeds": out.image_embeds.float(),
}
save_file({name: value.contiguous() for name, value in tensors.items()}, here / "tensors.safetensors")
fields = {
    "vocab": text.vocab_size, "text_width": text.hidden_size, "text_heads": text.num_attention_heads,
    "text_layers": text.num_hidden_layers, "max_length": text.max_position_embeddings,
    "vision_width": vision.hidden_size, "vision_heads": vision.num_attention_heads,
    "vision_layers": vision.num_hidden_layers, "image_size": side, "patch_size": vision.patch_size,
    "projection": config.projection_dim, "texts": texts,
}
weights = folder / "model.safetensors"
parameters = {"file": "../../../weights/tiny-clip/model.safetensors", "sha256": hashlib.sha256(weights.read_bytes()).hexdigest()}
case = {"kind": "clip", "config": fields, "parameters": parameters, "tolerance": 2e-4}
(here / "case.json").write_text(json.dumps(case, indent=1, ensure_ascii=False) + "\n")
