"""Makes this case: ALBEF's losses of pretraining from the parts of baselines.py, in float64.
python make_case.py REFERENCE   REFERENCE: the folder of baselines.py, oracle.py and make_baseline_cases.py   (torch, safetensors)

One batch of B pairs, of which two are of one entity. similarity = exp(logit_scale) t . v, texts by images. contrast: mean of both
directions' cross-entropy, pairs of one entity left out. matching: two-class cross-entropy of 3 B pairs, the batch's own, each
text with a drawn image, each image with a drawn text; the draws are the largest of similarity + noise, which with Gumbel
noise are draws from the softmax of the similarities. The noise is an input; pairs of one entity are never drawn."""
import argparse
import os
import random
import sys

sys.path.insert(0, sys.argv[1])
import torch
import torch.nn.functional as F
import baselines as B
import make_baseline_cases as K

torch.manual_seed(17), random.seed(17)
a = argparse.Namespace(scale=0.5, mentions=6, entities=6)
config, p, _ = K.make_albef(a)
del p["fusion_proj.weight"], p["fusion_proj.bias"]
p.lin("itm_head", config["text_width"], 2)
config["max_scale"] = 100
M = a.mentions
gumbel = lambda: (-(-torch.rand(M, M).clamp(1e-6, 1 - 1e-6).log()).log()).float().double()
x = K.bert_text(config, M, 14) | dict(pixels=K.floats(M, 3, config["image_size"], config["image_size"]),
                                      entity=torch.tensor([3, 8, 3, 5, 11, 4]), image_noise=gumbel(), text_noise=gumbel())


def losses(p, c, x):
    q, mask, f = B.sub(p, "text_encoder."), x["mask"], c["fusion_layer"]
    fused = lambda text, mask, image: B.bert_layers(q, c, text, mask, range(f, c["text_layers"]), image)
    V = B.vit(B.sub(p, "visual_encoder."), c, x["pixels"])
    T = B.bert_layers(q, c, B.bert_embeddings(q, x["ids"], x["types"]), mask, range(f))
    t, v = B.unit(B.linear(p, "text_proj", T[:, 0])), B.unit(B.linear(p, "vision_proj", V[:, 0]))
    S = p["logit_scale"].exp() * t @ v.T
    contrast = (B.cross_entropy(S, x["entity"]) + B.cross_entropy(S.T, x["entity"])) / 2
    allowed = S.detach().masked_fill(~B.others(x["entity"], M), float("-inf"))
    images, texts = (allowed + x["image_noise"]).argmax(1), (allowed.T + x["text_noise"]).argmax(1)
    h = fused(torch.cat([T, T, T[texts]]), torch.cat([mask, mask, mask[texts]]), torch.cat([V, V[images], V]))
    logits = B.linear(p, "itm_head", h[:, 0])
    matching = F.cross_entropy(logits, torch.tensor([1] * M + [0] * 2 * M))
    return dict(similarity=S, negative_images=images, negative_texts=texts, logits=logits, contrast=contrast, matching=matching,
                loss=contrast + matching)


B.SYSTEMS["albef-pretraining"] = losses
y, g, _ = K.compute("albef-pretraining", p, config, x)
K.write_case(os.path.dirname(os.path.abspath(__file__)), "albef-pretraining", config, 1e-4, dict(param=p, input=x, output=y, grad=g))
