// What stands between the products of an LSTM, rounded where torch rounds: sigmoid, tanh and the cell of one word; and
// the loss of words whose logits are not kept. For int8lm.c and fp32lm.c, which are built without contraction of
// a * b + c: a fused product is written as one.
#include <math.h>
#include <stdint.h>
#include <string.h>
typedef struct { // of a layer: its width, and of that how many units have a sigmoid that torch takes in SIMD
    int32_t nhid, simd;
    void (*tanh)(int32_t n, const float *x, float *y, int64_t mode); // MKL's, where torch takes that one
} Units;
static inline float exponential(float x) { // 2^n e^r with |r| < ln 2 / 2: expf of SLEEF (u10), which torch takes
    x = x > -87.f ? x : -87.f; x = x < 88.f ? x : 88.f;
    float n = rintf(x * 1.442695040888963f), r = fmaf(n, -1.428606765330187e-06f, fmaf(n, -.693145751953125f, x));
    float p = fmaf(fmaf(.000198527617612853646f, r, .00139304355252534151f), r, .00833336077630519867f);
    p = fmaf(fmaf(fmaf(p, r, .0416664853692054749f), r, .16666667163372039f), r, .5f);
    int32_t bits = ((int32_t)n + 127) << 23; float power; memcpy(&power, &bits, 4);
    return (fmaf(r * r, p, r) + 1.f) * power;
}
static inline float hyperbolic(float single) { // tanh, as (e^2x - 1) / (e^2x + 1) in double: mostly torch's last bit
    double x = single; x = x > -20. ? x : -20.; x = x < 20. ? x : 20.;
    double n = rint(x * 2.8853900817779268), r = fma(n, -.6931471805599453, 2. * x);
    double p = fma(fma(fma(1. / 3628800, r, 1. / 362880), r, 1. / 40320), r, 1. / 5040);
    p = fma(fma(fma(fma(fma(p, r, 1. / 720), r, 1. / 120), r, 1. / 24), r, 1. / 6), r, .5);
    int64_t bits = (int64_t)((int32_t)n + 1023) << 52; double power; memcpy(&power, &bits, 8);
    double less_one = fma(fma(p * r, r, r), power, power - 1.); // exact near 0 too
    return (float)(less_one / (less_one + 2.));
}
static void hyperbolics(const Units *u, int n, const float *x, float *y) {
    if (u->tanh) u->tanh(n, x, y, 0x140102); // torch's mode: high accuracy, denormals kept, errors ignored
    else for (int j = 0; j < n; j++) y[j] = hyperbolic(x[j]);
}
// One word in a layer: from gates i, f, g, o (4, n), which are used up, and c to the next c and h.
static void cell(const Units *u, float *gates, float *restrict c, float *restrict h) {
    int n = u->nhid; float *i = gates, *f = i + n, *g = f + n, *o = g + n;
    for (float *x = i; x <= o; x += x == f ? 2 * n : n) {
        for (int j = 0; j < u->simd; j++) x[j] = 1.f / (1.f + exponential(-x[j]));
        for (int j = u->simd; j < n; j++) x[j] = 1.f / (1.f + expf(-x[j]));
    }
    hyperbolics(u, n, g, g);
    for (int j = 0; j < n; j++) c[j] = f[j] * c[j] + i[j] * g[j];
    hyperbolics(u, n, c, g);
    for (int j = 0; j < n; j++) h[j] = o[j] * g[j];
}
static inline float share(float x) { // e^x, x <= 0, for the sum under a softmax: to 2e-7
    x = x > -80.f ? x * 1.442695040888963f : -115.f;
    float n = rintf(x), r = x - n, p = fmaf(fmaf(.0001535336188f, r, .001339887440f), r, .009618437358f);
    p = fmaf(fmaf(fmaf(fmaf(p, r, .05550332471f), r, .2402264791f), r, .6931472029f), r, 1.f); // of 2^r
    int32_t bits; memcpy(&bits, &p, 4); bits += (int32_t)n * (1 << 23); memcpy(&p, &bits, 4); return p;
}
// Losses come from logits (n, GROUP) at a time. Kept are the greatest of each word's so far, the sum of e^(x - most),
// and in `loss` the target's logit, once that was among them.
enum { GROUP = 128 };
static void begin_losses(int n, float *most, float *sum) {
    for (int t = 0; t < n; t++) { most[t] = -3e38f; sum[t] = 0; }
}
static void add_to_losses(
    const float *group, int first, int rows, const int64_t *targets, int n, float *most, float *sum, float *loss) {
    for (int t = 0; t < n; t++) {
        const float *x = group + (long)t * GROUP; float greatest = x[0], added = 0;
#pragma omp simd reduction(max : greatest)
        for (int e = 0; e < rows; e++) greatest = x[e] > greatest ? x[e] : greatest;
        // seldom, so that a processor which foresees it begins the sum before the greatest is known
        if (greatest > most[t] + 40) { sum[t] *= share(most[t] - greatest); most[t] = greatest; }
        float from = most[t];
#pragma omp simd reduction(+ : added)
        for (int e = 0; e < rows; e++) added += share(x[e] - from);
        sum[t] += added;
        if (targets[t] >= first && targets[t] < first + rows) loss[t] = x[targets[t] - first];
    }
}
static void end_losses(int n, const float *most, const float *sum, float *loss) {
    for (int t = 0; t < n; t++) loss[t] = most[t] - loss[t] + logf(sum[t]);
}
