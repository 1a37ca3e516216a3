// An LSTM language model in fp32: one word through all of it in one call, and logits of the rows of a window. Weights
// lie in the order in which they are read. What is given is nn.LSTM's and F.linear's up to the order of sums.
// Ids, lengths and buffers are the caller's to check (fp32lm.py).
#include "lstm.h"
// FMA adds x * w to a sum, in each of LANES; the processor has the registers to do so for WORDS words.
#if defined(__AVX512F__)
#include <immintrin.h>
#define FMA(sum, x, w) (Lanes)_mm512_fmadd_ps((__m512)x, (__m512)w, (__m512)sum)
enum { LANES = 16, WORDS = 12 };
#elif defined(__AVX2__) && defined(__FMA__)
#include <immintrin.h>
#define FMA(sum, x, w) (Lanes)_mm256_fmadd_ps((__m256)x, (__m256)w, (__m256)sum)
enum { LANES = 8, WORDS = 6 };
#elif defined(__ARM_NEON) && defined(__aarch64__)
#include <arm_neon.h>
#define FMA(sum, x, w) (Lanes)vfmaq_f32((float32x4_t)sum, (float32x4_t)x, (float32x4_t)w)
enum { LANES = 4, WORDS = 12 };
#else
#define FMA(sum, x, w) sum + x * w
enum { LANES = 4, WORDS = 2 };
#endif
enum { PANEL = 2 * LANES }; // rows multiplied together
const int32_t fp32_panel_rows = PANEL;
typedef float Lanes __attribute__((vector_size(4 * LANES)));
static inline Lanes load(const float *w) { Lanes all; memcpy(&all, w, sizeof all); return all; }
// Panels follow one another, each: the biases of its PANEL rows; then, for every input, their weights.
typedef struct { int32_t rows, columns; const float *panels; } Linear;
// Of a layer, (4 nhid, its inputs + nhid): it multiplies both at once.
typedef struct { int32_t layers; const Linear *of_both, *decoder; Units units; } Model;
// Totals (n, PANEL) of a panel's rows with n words x (n, columns). Sums have names, two a word: an array would spill.
#define BEGIN(t) Lanes a##t = load(w), b##t = load(w + LANES);
#define ADD(t) { Lanes u = (Lanes){0} + x[t * columns + j]; a##t = FMA(a##t, u, s); b##t = FMA(b##t, u, v); }
#define KEEP(t) memcpy(totals + t * PANEL, &a##t, sizeof a##t); memcpy(totals + t * PANEL + LANES, &b##t, sizeof b##t);
// Meanwhile the next panel comes nearer: the processor alone fetches ahead for the first of a panel's tiles, and rests.
#define TILE(n) static void tile##n(const float *w, const float *x, long columns, float *totals) { \
    EACH##n(BEGIN) w += PANEL; \
    for (long j = 0; j < columns; j++, w += PANEL) { \
        for (int e = 0; e < PANEL; e += 16) __builtin_prefetch(w + PANEL * columns + e, 0, 2); \
        Lanes s = load(w), v = load(w + LANES); EACH##n(ADD) } \
    EACH##n(KEEP) }
#define EACH1(do) do(0)
#define EACH2(do) EACH1(do) do(1)
#define EACH3(do) EACH2(do) do(2)
#define EACH4(do) EACH3(do) do(3)
#define EACH5(do) EACH4(do) do(4)
#define EACH6(do) EACH5(do) do(5)
#define EACH7(do) EACH6(do) do(6)
#define EACH8(do) EACH7(do) do(7)
#define EACH9(do) EACH8(do) do(8)
#define EACH10(do) EACH9(do) do(9)
#define EACH11(do) EACH10(do) do(10)
#define EACH12(do) EACH11(do) do(11)
TILE(1) TILE(2) TILE(3) TILE(4) TILE(5) TILE(6) TILE(7) TILE(8) TILE(9) TILE(10) TILE(11) TILE(12)
static void (*const TILES[])(const float *, const float *, long, float *) = {
    0, tile1, tile2, tile3, tile4, tile5, tile6, tile7, tile8, tile9, tile10, tile11, tile12};
// One word with two panels.
static void pair(const float *w, const float *v, const float *x, long columns, float *totals) {
    Lanes a0 = load(w), b0 = load(w + LANES), a1 = load(v), b1 = load(v + LANES);
    for (long j = 0; j < columns; j++) {
        w += PANEL; v += PANEL;
        Lanes u = (Lanes){0} + x[j];
        a0 = FMA(a0, u, load(w)); b0 = FMA(b0, u, load(w + LANES));
        a1 = FMA(a1, u, load(v)); b1 = FMA(b1, u, load(v + LANES));
    }
    KEEP(0) KEEP(1)
}
static const float *panel_at(const Linear *l, int first) { return l->panels + (long)first * (l->columns + 1); }
static void finish(const Linear *l, int first, const float *totals, float *out) { // the rows that there are
    if (first + PANEL <= l->rows) memcpy(out, totals, sizeof(float) * PANEL);
    else memcpy(out, totals, sizeof(float) * (l->rows - first));
}
// One word x (columns) with all panels, one of either half at a time, since memory gives two streams faster than one;
// from the first to the last, or back: what the caches still hold of the last word's weights comes first.
static void product(const Linear *l, const float *x, int back, float *out) {
    float totals[2 * PANEL];
    int half = ((l->rows + PANEL - 1) / PANEL + 1) / 2 * PANEL;
    for (int e = 0; e < half; e += PANEL) {
        int one = back ? half - PANEL - e : e, other = one + half < l->rows ? one + half : one;
        pair(panel_at(l, one), panel_at(l, other), x, l->columns, totals);
        finish(l, one, totals, out + one);
        finish(l, other, totals + PANEL, out + other);
    }
}
// One word, its inputs x (ninp): the logits y (ntoken) of the next. The state h, c (layers, nhid) becomes the next one;
// scratch (4 nhid + the most columns). Of two words one after the other, one goes back.
void fp32_step(const Model *m, float *h, float *c, float *scratch, const float *x, float *y, int32_t back) {
    int nhid = m->units.nhid; float *gates = scratch, *both = gates + 4L * nhid;
    for (int l = 0; l < m->layers; l++, x = h, h += nhid, c += nhid) {
        const Linear *of_both = m->of_both + l; int inputs = of_both->columns - nhid;
        memcpy(both, x, sizeof(float) * inputs);
        memcpy(both + inputs, h, sizeof(float) * nhid);
        product(of_both, both, back, gates);
        cell(&m->units, gates, c, h);
    }
    product(m->decoder, x, back, y);
}
// The rows of a panel, from row `first` on, with n words x: out (n, stride). As few turns as there can be, of about as
// many words each.
static void panel(const Linear *l, int first, const float *x, int n, float *out, long stride) {
    float totals[WORDS * PANEL];
    for (int words; n; n -= words, x += (long)words * l->columns) {
        int turns = (n + WORDS - 1) / WORDS;
        words = (n + turns - 1) / turns;
        TILES[words](panel_at(l, first), x, l->columns, totals);
        for (int t = 0; t < words; t++, out += stride) finish(l, first, totals + t * PANEL, out);
    }
}
// Logits y (n, ntoken) after n words of a window, from the LSTM's outputs x (n, nhid).
void fp32_decode(const Model *m, const float *x, int32_t n, float *y) {
    const Linear *d = m->decoder;
    for (int first = 0; first < d->rows; first += PANEL) panel(d, first, x, n, y + first, d->rows);
}
// -ln softmax(logits)[target] of each of these words; scratch (n (GROUP + 2)).
void fp32_losses(const Model *m, const float *x, const int64_t *targets, int32_t n, float *scratch, float *loss) {
    const Linear *d = m->decoder; float *group = scratch, *most = group + (long)n * GROUP, *sum = most + n;
    begin_losses(n, most, sum);
    for (int first = 0; first < d->rows; first += GROUP) {
        int rows = d->rows - first < GROUP ? d->rows - first : GROUP;
        for (int e = 0; e < rows; e += PANEL) panel(d, first + e, x, n, group + e, GROUP);
        add_to_losses(group, first, rows, targets, n, most, sum, loss);
    }
    end_losses(n, most, sum, loss);
}
