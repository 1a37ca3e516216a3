"""The About tab: how it works, the code that ran, the tutorial's own figures, citations."""

import inspect

import gradio as gr

from lmdemo import variants
from lmdemo.lab import Lab
from lmdemo.packed import PackedLSTMModel
from lmdemo.ui import export, markup, prose
from lmdemo.ui.controls import text_button
from lmdemo.ui.events import Components, Update

HOW = """
## How dynamic quantization works

A quantized tensor holds small integers *q*, and two numbers that say what they stand for: a **scale** *s*
and a **zero point** *z*, with value ≈ *s* · (*q* − *z*). With 8 bits *q* is one of 256 integers, so a weight
takes one byte where fp32 takes four.

- **Weights** are quantized once, before anything runs. The weight of a tensor that is farthest from 0 sets
  the scale, and the zero point is 0. The table below has them as they are in this model.
- **Activations**, the numbers that flow between the layers, are quantized *dynamically*: at each call the
  smallest and largest value that came in set a scale and a zero point for that call, and that call alone.
  Nothing has to be calibrated beforehand. PyTorch uses 7 of the 8 bits for them here, so that sums of products
  cannot overflow 16 bits on older CPUs.
- **Products** are summed in 32-bit integers, then scaled back to fp32. Gates, cell state, biases and logits
  stay in fp32, and so does the embedding: the call below names LSTM and Linear only.

It is faster because one word at a time is limited by memory: every weight is read for every word, and int8
has a quarter of the bytes to read. It costs little because the errors of many weights average out.

## The code that ran
"""

WEIGHTS = "## This model’s weights after it"

MORE = """
## What the tutorial reported

These are the figures published with *Dynamic Quantization on an LSTM Word Language Model*, measured by its
authors on their machine with a WikiText-2 model (33,278 words, LSTM 512→256 × 5), one thread. They were not
measured here.

| reported | fp32 | int8 |
|---|---:|---:|
| size | 113.9 MB | 79.7 MB |
| loss | 5.167 | 5.168 |
| time for the test set | 227 s | 156 s |

## How to read the figures on these pages

- **Same noise.** A word is sampled as the argmax of logits ÷ temperature plus Gumbel noise. The noise depends
  on the seed and the position only, so at a position all variants meet the same random numbers, and they part
  only where quantization tips the choice. Texts that parted often meet again.
- **Same machine.** A seed gives the same text on one machine. Another CPU may round differently.
- **Two baselines.** `fp32` is PyTorch’s own `nn.LSTM` and `nn.Linear`, as in the tutorial. On some CPUs that path is
  slower than the hardware allows, for reasons that are not fp32’s fault, and a speed-up over it flatters int8.
  `fp32-packed` is the same weights with their products arranged for this CPU: the fair one to beat.
- **The limit.** In words/s: for a word alone, the read bandwidth ÷ the bytes of the weights; for many at a time, the
  peak rate of matrix products ÷ the operations of a word. Both rates are measured on this machine after the start.

## Sources

- James Reed, Seth Weidman: *(experimental) Dynamic Quantization on an LSTM Word Language Model*, PyTorch
  tutorials, 2019; since removed ([issue 3583](https://github.com/pytorch/tutorials/issues/3583)).
- [word_language_model](https://github.com/pytorch/examples/tree/main/word_language_model), PyTorch examples:
  the model.
- Jacob et al. 2018, *Quantization and Training of Neural Networks for Efficient Integer-Arithmetic-Only
  Inference*, [arXiv:1712.05877](https://arxiv.org/abs/1712.05877): scale and zero point.
- Merity et al. 2017, *Pointer Sentinel Mixture Models*, [arXiv:1609.07843](https://arxiv.org/abs/1609.07843):
  WikiText.
- Maddison, Tarlow, Minka 2014, *A\\* Sampling*, [arXiv:1411.0030](https://arxiv.org/abs/1411.0030): Gumbel-max.
"""


def build(lab: Lab) -> Components:
    """Lay the tab out; the code is read from the function that built the variant. Returns what `draw` fills."""
    gr.Markdown("## The variants")
    drawn = draw(lab)
    listed = gr.HTML(drawn["variants_list"], elem_id="variants")
    gr.Markdown(HOW)
    gr.Code(
        inspect.getsource(variants.int8),
        language="python",
        label="int8, in lmdemo/variants.py",
        interactive=False,
        wrap_lines=True,
        elem_id="code-that-ran",
    )
    gr.Markdown(WEIGHTS)
    weights = gr.HTML(drawn["weights"], elem_id="weights")
    texts = gr.Textbox(drawn["weights_texts"], visible="hidden", label="The weights as text")
    with gr.Row(elem_classes="buttons"):
        text_button("Table as CSV", "lmdemo-weights", "csv", texts)
    gr.Markdown(MORE)
    return {"variants_list": listed, "weights": weights, "weights_texts": texts}


def draw(lab: Lab) -> Update:
    """What each variant is, the scales and zero points of int8, and these to hand out, for the model in service."""
    models = lab.chosen([name for name in (prose.FAIR, "int8") if name in lab.variants])
    packed = models.get(prose.FAIR)
    weights = variants.quantized_weights(models["int8"])
    chosen = prose.choices(packed) if isinstance(packed, PackedLSTMModel) else ""
    return {
        "variants_list": markup.variants_list(variants.VARIANTS, chosen, lab.unavailable),
        "weights": markup.weights_table(weights),
        "weights_texts": export.weights(weights),
    }
