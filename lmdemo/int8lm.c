// A dynamically quantized LSTM language model on one text: the integers of torch's own int8, multiplied faster.
// Activations become 7 bits at each call (8 where the engine takes as many), with one scale and zero point a call: the
// inputs of a layer and of the decoder over the whole window, a hidden state word by word. Sums of products are exact
// integers; what follows is float32, rounded where torch rounds. So it is built without contraction of a * b + c: where
// FBGEMM and SLEEF have a fused product, `fmaf` stands. Ids, lengths and buffers are the caller's to check (int8lm.py).
#include "lstm.h"
#include "tiles.h"
enum { CHUNK = 64 }; // gates kept at a time
const int32_t panel_rows = PANEL, largest = LARGEST, quiet_columns = QUIET;
// Panels follow one another, each as in tiles.h; then, for its rows, the sum of the weights (int32), their scale and the
// bias (float). `width` is `columns` filled up to sixteens with zeros; what `quiet` is stands there too.
typedef struct { int32_t rows, columns, width, quiet; const int8_t *panels; } Linear;
typedef struct { // levels: the greatest integer of an activation
    int32_t layers, levels; const Linear *of_input, *of_hidden, *decoder; Units units;
} Model;
typedef struct {
    float *h, *c, *outputs; // (layers, nhid), the same, (T, nhid)
    uint8_t *bytes;         // (T + 1, the greatest width)
    float *scratch;         // the greater of (1 + the lesser of T and CHUNK) 4 nhid and T (GROUP + 2)
    float scale; int32_t zero, back; // of the bytes; the way of the last step
} Text;
// x (n, columns) as bytes (n, width), with the scale and zero point of torch's ChooseQuantizationParams.
static void quantize(const Model *m, const float *x, int n, int columns, int width, Text *s) {
    float low = 0, high = 0;
#pragma omp simd reduction(min : low) reduction(max : high)
    for (long i = 0; i < (long)n * columns; i++) { low = x[i] < low ? x[i] : low; high = x[i] > high ? x[i] : high; }
    double scale = ((double)high - low) / m->levels;
    if ((float)scale <= 0x1p-128f) scale = .1; // of which the inverse would be infinite
    if (scale < 6.1e-5f) { low *= 6.1e-5f / (float)scale; scale = 6.1e-5f; }
    double zero = -low / scale; zero = zero > 0 ? zero : 0; zero = zero < m->levels ? zero : m->levels;
    s->scale = (float)scale; s->zero = (int32_t)nearbyint(zero); float inverse = 1 / s->scale, offset = (float)s->zero;
    for (int row = 0; row < n; row++, x += columns) {
        uint8_t *bytes = s->bytes + (long)row * width;
        for (int i = 0; i < columns; i++) {
            float value = rintf(fmaf(x[i], inverse, offset));
            value = value > 0 ? value : 0; value = value < LARGEST ? value : LARGEST;
            bytes[i] = (uint8_t)((int32_t)value ^ FLIP);
        }
    }
}
static const int8_t *panel_at(const Linear *l, int first) { return l->panels + (long)first * (l->width + 12); }
// What the sum of a row's products begins with, for the zero point, and what the sum is multiplied by (PANEL each).
static void begin(const Linear *l, int first, const Text *s, int32_t *start, float *scale) {
    const int32_t *sums = (const int32_t *)(panel_at(l, first) + (long)PANEL * l->width);
    const float *scales = (const float *)(sums + PANEL);
    for (int e = 0; e < PANEL; e++) { start[e] = (FLIP - s->zero) * sums[e]; scale[e] = scales[e] * s->scale; }
}
static inline __attribute__((always_inline)) void finish_rows(
    const int32_t *totals, const float *scale, const float *bias, int rows, float *out) {
    for (int e = 0; e < rows; e++) out[e] = fmaf((float)totals[e], scale[e], bias[e]);
}
static void finish(const Linear *l, int first, const int32_t *totals, const float *scale, float *out) {
    const float *bias = (const float *)(panel_at(l, first) + (long)PANEL * (l->width + 8));
    if (first + PANEL <= l->rows) finish_rows(totals, scale, bias, PANEL, out);
    else finish_rows(totals, scale, bias, l->rows - first, out);
}
// The rows of a panel, from row `first` on, with n words of bytes: out (n, stride).
static void panel(const Linear *l, int first, const uint8_t *x, int n, const Text *s, float *out, long stride) {
    int32_t start[PANEL], totals[WORDS * PANEL]; float scale[PANEL];
    begin(l, first, s, start, scale);
    for (int words; n; n -= words, x += (long)words * l->width) {
        words = tile(l->quiet, n, panel_at(l, first), x, l->width, start, totals);
        for (int t = 0; t < words; t++, out += stride) finish(l, first, totals + t * PANEL, scale, out);
    }
}
// One word with all panels, one of either half at a time, since memory gives two streams faster than one; from the
// first to the last, or back: what the caches still hold of the last word's weights comes first.
static void product_of_one(const Linear *l, const uint8_t *x, const Text *s, float *out) {
    int32_t start[2 * PANEL], totals[2 * PANEL]; float scale[2 * PANEL];
    int half = ((l->rows + PANEL - 1) / PANEL + 1) / 2 * PANEL;
    for (int e = 0; e < half; e += PANEL) {
        int one = s->back ? half - PANEL - e : e, other = one + half < l->rows ? one + half : one;
        begin(l, one, s, start, scale);
        begin(l, other, s, start + PANEL, scale + PANEL);
        (l->quiet ? quiet_two_panels : two_panels)(panel_at(l, other), panel_at(l, one), x, l->width, start, totals);
        finish(l, one, totals, scale, out + one);
        finish(l, other, totals + PANEL, scale + PANEL, out + other);
    }
}
static void product(const Linear *l, const uint8_t *x, int n, const Text *s, float *out) {
    if (n == 1) product_of_one(l, x, s, out);
    else for (int e = 0; e < l->rows; e += PANEL) panel(l, e, x, n, s, out + e, l->rows);
}
// Inputs x (n, ninp) through all layers; outputs (n, nhid), also as bytes, and the next state are left in the text.
void run(const Model *m, Text *s, const float *x, int32_t n) {
    int nhid = m->units.nhid; float *more = s->scratch, *gates = more + 4L * nhid, *h = s->h, *c = s->c;
    for (int l = 0; l < m->layers; l++, x = s->outputs, h += nhid, c += nhid) {
        const Linear *of_input = m->of_input + l, *of_hidden = m->of_hidden + l;
        quantize(m, x, n, of_input->columns, of_input->width, s);
        Text word = *s; word.bytes = s->bytes + (long)n * of_input->width; // behind the window's
        for (int t = 0; t < n; t++) {
            int kept = t % CHUNK;
            if (!kept) product(of_input, s->bytes + (long)t * of_input->width, n - t < CHUNK ? n - t : CHUNK, s, gates);
            quantize(m, h, 1, nhid, of_hidden->width, &word);
            product(of_hidden, word.bytes, 1, &word, more);
            float *all = gates + 4L * nhid * kept; // of the input, and now of the hidden state too
            for (int j = 0; j < 4 * nhid; j++) all[j] += more[j];
            cell(&m->units, all, c, h);
            memcpy(s->outputs + (long)t * nhid, h, sizeof(float) * nhid);
        }
    }
    quantize(m, s->outputs, n, nhid, m->decoder->width, s);
}
// Logits (n, ntoken) after the words from `first` on of the window that was run.
void decode(const Model *m, const Text *s, int32_t first, int32_t n, float *logits) {
    product(m->decoder, s->bytes + (long)first * m->decoder->width, n, s, logits);
}
// One word, its inputs x (ninp): the logits y (ntoken) of the next.
void step(const Model *m, Text *s, const float *x, float *y) { s->back ^= 1; run(m, s, x, 1); decode(m, s, 0, 1, y); }
// -ln softmax(logits)[target] of each of the n words of the window that was run; no more than a group is kept.
void losses(const Model *m, const Text *s, const int64_t *targets, int32_t n, float *loss) {
    const Linear *d = m->decoder; float *group = s->scratch, *most = group + (long)n * GROUP, *sum = most + n;
    begin_losses(n, most, sum);
    for (int first = 0; first < d->rows; first += GROUP) {
        int rows = d->rows - first < GROUP ? d->rows - first : GROUP;
        for (int e = 0; e < rows; e += PANEL) panel(d, first + e, s->bytes, n, s, group + e, GROUP);
        add_to_losses(group, first, rows, targets, n, most, sum, loss);
    }
    end_losses(n, most, sum, loss);
}
// The sum of all products of a matrix with n words x (n, width) of bytes, for the peak rate of products.
int64_t multiply(const Linear *l, const uint8_t *x, int32_t n) {
    int32_t start[PANEL] = {0}, totals[WORDS * PANEL]; int64_t sum = 0;
    for (int first = 0; first < l->rows; first += PANEL)
        for (int t = 0, words; t < n; t += words) {
            words = tile(l->quiet, n - t, panel_at(l, first), x + (long)t * l->width, l->width, start, totals);
            for (int e = 0; e < words * PANEL; e++) sum += totals[e];
        }
    return sum;
}
