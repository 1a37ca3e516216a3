// Products of the rows of a matrix of int8 with words of bytes, for int8lm.c: exact integers, in the instructions that
// the processor has. A panel is PANEL rows: for every four columns, PANEL rows of four weights. Columns are sixteens.
#include <stdint.h>
#include <string.h>
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
#define DOT(sum, x, w) sum + WIDE((Pairs)_mm256_maddubs_epi16((__m256i)x, (__m256i)w))
#define PAIRS(pairs, x, w) pairs + (Pairs)_mm256_maddubs_epi16((__m256i)x, (__m256i)w)
#define WIDE(pairs) (Lanes)_mm256_madd_epi16((__m256i)(pairs), _mm256_set1_epi16(1))
typedef int16_t Pairs __attribute__((vector_size(32))); // each the sum of two products, the last 2 * 128 * -128
enum { LANES = 8, WORDS = 6, FLIP = 0, LARGEST = 128 };
#elif defined(__ARM_FEATURE_DOTPROD)
#include <arm_neon.h>
#define DOT(sum, x, w) vdotq_s32(sum, vreinterpretq_s8_s32(x), vreinterpretq_s8_s32(w))
enum { LANES = 4, WORDS = 8, FLIP = 128, LARGEST = 255 }; // signed by signed: activations less 128
#else
#define DOT(sum, x, w) plainly(sum, x, w)
enum { LANES = 4, WORDS = 2, FLIP = 0, LARGEST = 255 };
#endif
enum { PANEL = 2 * LANES };
typedef int32_t Lanes __attribute__((vector_size(4 * LANES)));
static inline Lanes load(const void *from) { Lanes all; memcpy(&all, from, sizeof all); return all; }
static inline Lanes four(const uint8_t *x) { int32_t all; memcpy(&all, x, 4); return (Lanes){0} + all; } // in each lane
static inline Lanes plainly(Lanes sum, Lanes x, Lanes w) {
    for (int b = 0; b < 4 * LANES; b++) sum[b / 4] += ((uint8_t *)&x)[b] * ((int8_t *)&w)[b];
    return sum;
}
// Totals (n, PANEL) of a panel's rows with n words x (n, width) of bytes; each row's sum begins with `start` (PANEL).
// Sums have names, two a word: an array would spill.
#define TAKES const int8_t *w, const uint8_t *x, long width, const int32_t *start, int32_t *totals
#define BEGIN(t) Lanes a##t = load(start), b##t = load(start + LANES);
#define ADD(t) { Lanes u = four(x + t * width + j); a##t = DOT(a##t, u, s); b##t = DOT(b##t, u, v); }
#define KEEP(t) memcpy(totals + t * PANEL, &a##t, sizeof a##t); memcpy(totals + t * PANEL + LANES, &b##t, sizeof b##t);
#define TILE(n) static void tile##n(TAKES) { \
    EACH##n(BEGIN) \
    for (long j = 0; j < width; j += 4, w += 4 * PANEL) { Lanes s = load(w), v = load(w + 4 * LANES); EACH##n(ADD) } \
    EACH##n(KEEP) }
#define EACH1(do) do(0)
#define EACH2(do) do(0) do(1)
#define EACH3(do) EACH2(do) do(2)
#define EACH4(do) EACH3(do) do(3)
#define EACH6(do) EACH4(do) do(4) do(5)
#define EACH8(do) EACH6(do) do(6) do(7)
TILE(1) TILE(2) TILE(4) TILE(6) TILE(8)
static void (*const TILES[])(TAKES) = {tile1, tile2, tile4, tile6, tile8};
// One word with two panels, w and v; start and totals (2, PANEL).
static void two_panels(const int8_t *v, TAKES) {
    Lanes a0 = load(start), b0 = load(start + LANES), a1 = load(start + PANEL), b1 = load(start + PANEL + LANES);
    for (long j = 0; j < width; j += 4, w += 4 * PANEL, v += 4 * PANEL) {
        Lanes u = four(x + j);
        a0 = DOT(a0, u, load(w)); b0 = DOT(b0, u, load(w + 4 * LANES));
        a1 = DOT(a1, u, load(v)); b1 = DOT(b1, u, load(v + 4 * LANES));
    }
    EACH2(KEEP)
}
#ifdef PAIRS
// Of a quiet matrix: 16 bits hold each sum of pairs over QUIET columns, whatever the activations. So that is widened
// once, not for every four columns: of the instructions a processor with AVX2 multiplies with, three quarters are left.
enum { QUIET = 16 };
#define NONE(t) Pairs p##t = {0}, q##t = {0};
#define PAIR(t) { Lanes u = four(x + t * width + j); p##t = PAIRS(p##t, u, s); q##t = PAIRS(q##t, u, v); }
#define WIDEN(t) a##t += WIDE(p##t); b##t += WIDE(q##t);
#define QUIET_TILE(n) static void quiet_tile##n(TAKES) { \
    EACH##n(BEGIN) \
    for (long j = 0; j < width;) { \
        EACH##n(NONE) \
        for (long end = j + QUIET; j < end; j += 4, w += 4 * PANEL) { \
            Lanes s = load(w), v = load(w + 4 * LANES); EACH##n(PAIR) } \
        EACH##n(WIDEN) } \
    EACH##n(KEEP) }
QUIET_TILE(1) QUIET_TILE(2) QUIET_TILE(3)
static void (*const QUIET_TILES[])(TAKES) = {quiet_tile1, quiet_tile2, quiet_tile3};
static void quiet_two_panels(const int8_t *v, TAKES) {
    Lanes a0 = load(start), b0 = load(start + LANES), a1 = load(start + PANEL), b1 = load(start + PANEL + LANES);
    for (long j = 0; j < width;) {
        EACH2(NONE)
        for (long end = j + QUIET; j < end; j += 4, w += 4 * PANEL, v += 4 * PANEL) {
            Lanes u = four(x + j);
            p0 = PAIRS(p0, u, load(w)); q0 = PAIRS(q0, u, load(w + 4 * LANES));
            p1 = PAIRS(p1, u, load(v)); q1 = PAIRS(q1, u, load(v + 4 * LANES));
        }
        EACH2(WIDEN)
    }
    EACH2(KEEP)
}
#else // no matrix is
enum { QUIET = 0 };
#define QUIET_TILES TILES
#define quiet_two_panels two_panels
#endif
// As many of n words as there are registers for; how many.
static int tile(int quiet, int n, TAKES) {
    int words = quiet ? n < 3 ? n : 3 : n >= WORDS ? WORDS : n > 1 ? n & ~1 : 1;
    (quiet ? QUIET_TILES[words - 1] : TILES[words / 2])(w, x, width, start, totals);
    return words;
}
