// A dynamically quantized LSTM language model on one text: the integers of torch's own int8, multiplied faster.
// Activations become 7 bits at each call (8 where the engine takes as many), with one scale and zero point a call: the
// inputs of a layer and of the decoder over the whole window, a hidden state word by word. Sums of products are exact
// integers; what follows is float32, rounded where torch rounds. So it is built without contraction of a * b + c: where
// FBGEMM and SLEEF have a fused product, `fmaf` stands. Ids, lengths and buffers are the caller's to check (int8lm.py).
#include "lstm.h"
// DOT adds four products of bytes to each of LANES sums; the processor has the registers to do so for WORDS words.
#if defined(__AVX512VNNI__)
#include <immintrin.h>
#define DOT(sum, x, w) (Lanes)_mm512_dpbusd_epi32((__m512i)sum, (__m512i)x, (__m512i)w)
enum { LANES = 16, WORDS = 8, FLIP = 0, LARGEST = 255 };
#elif defined(__AVX2__) && defined(__AVXVNNI__)
#include <immintrin.h>
#define DOT(sum, x, w) (Lanes)_mm256_dpbusd_avx_epi32((__m256i)sum, (__m256i)x, (__m256i)w)
enum { LANES = 8, WORDS = 6, FLIP = 0, LARGEST = 255 };
#elif defined(__AVX2__)
#include <immintrin.h>
#define DOT(sum, x, w) \
    sum + (Lanes)_mm256_madd_epi16(_mm256_maddubs_epi16((__m256i)x, (__m256i)w), _mm256_set1_epi16(1))
enum { LANES = 8, WORDS = 6, FLIP = 0, LARGEST = 128 }; // 2 * 128 * -128 is the last that a pair's 16 bits hold
#elif defined(__ARM_FEATURE_DOTPROD)
#include <arm_neon.h>
#define DOT(sum, x, w) vdotq_s32(sum, vreinterpretq_s8_s32(x), vreinterpretq_s8_s32(w))
enum { LANES = 4, WORDS = 8, FLIP = 128, LARGEST = 255 }; // signed by signed: activations less 128
#else
#define DOT(sum, x, w) plainly(sum, x, w)
enum { LANES = 4, WORDS = 2, FLIP = 0, LARGEST = 255 };
#endif
enum { PANEL = 2 * LANES, CHUNK = 64 }; // rows multiplied together; gates kept at a time
const int32_t panel_rows = PANEL, largest = LARGEST;
typedef int32_t Lanes __attribute__((vector_size(4 * LANES)));
static inline Lanes load(const int8_t *w) { Lanes all; memcpy(&all, w, sizeof all); return all; }
static inline Lanes four(const uint8_t *x) { int32_t all; memcpy(&all, x, 4); return (Lanes){0} + all; } // in each lane
static inline Lanes plainly(Lanes sum, Lanes x, Lanes w) {
    for (int b = 0; b < 4 * LANES; b++) sum[b / 4] += ((uint8_t *)&x)[b] * ((int8_t *)&w)[b];
    return sum;
}
// Panels follow one another, each: for every four inputs, PANEL rows of four weights; then, for its rows, the sum of
// the weights (int32), their scale and the bias (float). `width` is `columns` filled up to sixteens with zeros.
typedef struct { int32_t rows, columns, width; const int8_t *panels; } Linear;
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
// Totals (n, PANEL) of a panel's rows with n words of bytes. Sums have names, two a word: an array would spill.
#define ZERO(t) Lanes a##t = {0}, b##t = {0};
#define ADD(t) { Lanes u = four(x + t * width + j); a##t = DOT(a##t, u, s); b##t = DOT(b##t, u, v); }
#define KEEP(t) memcpy(totals + t * PANEL, &a##t, sizeof a##t); memcpy(totals + t * PANEL + LANES, &b##t, sizeof b##t);
#define TILE(n) static void tile##n(const int8_t *w, const uint8_t *x, long width, int32_t *totals) { \
    EACH##n(ZERO) \
    for (long j = 0; j < width; j += 4, w += 4 * PANEL) { Lanes s = load(w), v = load(w + 4 * LANES); EACH##n(ADD) } \
    EACH##n(KEEP) }
#define EACH1(do) do(0)
#define EACH2(do) do(0) do(1)
#define EACH4(do) EACH2(do) do(2) do(3)
#define EACH6(do) EACH4(do) do(4) do(5)
#define EACH8(do) EACH6(do) do(6) do(7)
TILE(1) TILE(2) TILE(4) TILE(6) TILE(8)
static void (*const TILES[])(const int8_t *, const uint8_t *, long, int32_t *) = {tile1, tile2, tile4, tile6, tile8};
// One word with two panels.
static void pair(const int8_t *w, const int8_t *v, const uint8_t *x, long width, int32_t *totals) {
    ZERO(0) ZERO(1)
    for (long j = 0; j < width; j += 4, w += 4 * PANEL, v += 4 * PANEL) {
        Lanes u = four(x + j);
        a0 = DOT(a0, u, load(w)); b0 = DOT(b0, u, load(w + 4 * LANES));
        a1 = DOT(a1, u, load(v)); b1 = DOT(b1, u, load(v + 4 * LANES));
    }
    KEEP(0) KEEP(1)
}
static const int8_t *panel_at(const Linear *l, int first) { return l->panels + (long)first * (l->width + 12); }
static inline __attribute__((always_inline)) void finish_rows(
    const int32_t *totals, const int32_t *sums, int rows, float scale, int32_t zero, float *out) {
    const float *scales = (const float *)(sums + PANEL), *bias = scales + PANEL;
    for (int e = 0; e < rows; e++)
        out[e] = fmaf((float)(totals[e] + (FLIP - zero) * sums[e]), scales[e] * scale, bias[e]);
}
static void finish(const Linear *l, int first, const int32_t *totals, const Text *s, float *out) {
    const int32_t *sums = (const int32_t *)(panel_at(l, first) + (long)PANEL * l->width);
    if (first + PANEL <= l->rows) finish_rows(totals, sums, PANEL, s->scale, s->zero, out);
    else finish_rows(totals, sums, l->rows - first, s->scale, s->zero, out);
}
// The rows of a panel, from row `first` on, with n words of bytes: out (n, stride).
static void panel(const Linear *l, int first, const uint8_t *x, int n, const Text *s, float *out, long stride) {
    int32_t totals[WORDS * PANEL];
    for (int words; n; n -= words, x += (long)words * l->width) {
        words = n >= WORDS ? WORDS : n > 1 ? n & ~1 : 1;
        TILES[words / 2](panel_at(l, first), x, l->width, totals);
        for (int t = 0; t < words; t++, out += stride) finish(l, first, totals + t * PANEL, s, out);
    }
}
// One word with all panels, one of either half at a time, since memory gives two streams faster than one; from the
// first to the last, or back: what the caches still hold of the last word's weights comes first.
static void product_of_one(const Linear *l, const uint8_t *x, const Text *s, float *out) {
    int32_t totals[2 * PANEL];
    int half = ((l->rows + PANEL - 1) / PANEL + 1) / 2 * PANEL;
    for (int e = 0; e < half; e += PANEL) {
        int one = s->back ? half - PANEL - e : e, other = one + half < l->rows ? one + half : one;
        pair(panel_at(l, one), panel_at(l, other), x, l->width, totals);
        finish(l, one, totals, s, out + one);
        finish(l, other, totals + PANEL, s, out + other);
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
