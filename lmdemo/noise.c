// Noise by the vocabulary (noise.py): the bits of eight positions at a time, and the word that wins with them. Of the
// bits only the few are kept that make large noise; the others are drawn again from the nearest kept state.
#include <stdint.h>
#include <string.h>
enum { POSITIONS = 8, BLOCK = 64, SEGMENT = 64, MIXING = 12 };
typedef uint64_t Lanes __attribute__((vector_size(8 * POSITIONS)));
// The three words with which numpy's SFC64([seed, position]) begins: its SeedSequence, which spreads the two over four
// words and draws six from these. Reference: O'Neill 2015, "Developing a seed_seq Alternative"
static inline uint32_t mixed(uint32_t x) { return x ^ x >> 16; }
static inline uint32_t hashed(uint32_t x, uint32_t *key, uint32_t factor) {
    x ^= *key; *key *= factor; return mixed(x * *key);
}
static void begin(uint32_t seed, uint32_t position, uint64_t words[3]) {
    uint32_t pool[4] = {seed, position, 0, 0}, key = 0x43b0d7e5, drawn[6];
    for (int n = 0; n < 4; n++) pool[n] = hashed(pool[n], &key, 0x931e8875);
    for (int from = 0; from < 4; from++) for (int to = 0; to < 4; to++)
        if (from != to) pool[to] = mixed(0xca01f9dd * pool[to] - 0x4973f715 * hashed(pool[from], &key, 0x931e8875));
    key = 0x8b51f9dd;
    for (int n = 0; n < 6; n++) drawn[n] = hashed(pool[n % 4], &key, 0x58f38ded);
    for (int n = 0; n < 3; n++) words[n] = drawn[2 * n] | (uint64_t)drawn[2 * n + 1] << 32;
}
typedef struct { int32_t word; uint32_t bits; } Large;
typedef struct {         // of a vocabulary; with room for one answer
    int32_t size, room;  // words; how many of them are listed as large at most
    uint32_t bound;      // fewer bits make large noise
    float most;          // other noise is less
    float doubt, share;  // by how much, and what share of the greatest, a word may seem to lose and still win
    int32_t forbidden;   // words that never win
    const int32_t *banned;
    int32_t *words;      // (2 size)
    float *values;       // (3 size)
} Words;
// The noise of POSITIONS positions from `first` on, by numpy's SFC64, a position in a lane; a step draws the bits of two
// words, the first from the low half. `states` (segments, 3, POSITIONS): before every SEGMENT steps. Words with large
// noise are listed in `large` (POSITIONS, room), `count` (POSITIONS) of each. Reference: Doty-Humphrey, PractRand,
// http://pracrand.sourceforge.net
#define DRAW(pair) pair = a + b + counter, counter += 1, a = b ^ b >> 11, b = c + (c << 3), c = (c << 24 | c >> 40) + pair
void noise_draw(
    const Words *w, uint32_t seed, uint32_t first, uint64_t *restrict states, Large *restrict large,
    int32_t *restrict count) {
    Lanes a, b, c, counter = (Lanes){0} + 1, least = (Lanes){0} + w->bound, low = (Lanes){0} + UINT32_MAX, pair;
    for (uint32_t l = 0; l < POSITIONS; l++) {
        uint64_t words[3]; begin(seed, first + l, words); a[l] = words[0]; b[l] = words[1]; c[l] = words[2];
    }
    memset(count, 0, POSITIONS * sizeof *count);
    for (int n = 0; n < MIXING; n++) DRAW(pair);
    for (int32_t i = 0, steps = (w->size + 1) / 2; i < steps; i++) {
        if (i % SEGMENT == 0) {
            memcpy(states, &a, sizeof a); memcpy(states + POSITIONS, &b, sizeof b);
            memcpy(states + 2 * POSITIONS, &c, sizeof c); states += 3 * POSITIONS;
        }
        DRAW(pair);
        Lanes some = (Lanes)((pair & low) < least) | (Lanes)(pair >> 32 < least);
        uint64_t any = 0;
        for (int l = 0; l < POSITIONS; l++) any |= some[l];
        for (int l = 0; any && l < POSITIONS; l++) {
            for (int half = 0; half < 2; half++) {
                Large found = {2 * i + half, (uint32_t)(pair[l] >> 32 * half)};
                if (found.bits < w->bound && found.word < w->size && count[l] < w->room)
                    large[(long)l * w->room + count[l]++] = found;
            }
        }
    }
}
typedef struct { const uint64_t *states; uint64_t a, b, c, counter, pair; int32_t step; } Stream; // of one position
static uint32_t of_word(Stream *s, int32_t word) { // sooner for the next word than for the one before
    int32_t step = word / 2; uint64_t a = s->a, b = s->b, c = s->c, counter = s->counter;
    if (s->step > step || s->step < step - step % SEGMENT) {
        const uint64_t *state = s->states + step / SEGMENT * 3L * POSITIONS;
        s->step = step - step % SEGMENT - 1;
        a = state[0]; b = state[POSITIONS]; c = state[2 * POSITIONS]; counter = 1 + MIXING + (uint64_t)s->step + 1;
    }
    for (; s->step < step; s->step++) DRAW(s->pair);
    s->a = a; s->b = b; s->c = c; s->counter = counter;
    return (uint32_t)(s->pair >> 32 * (word % 2));
}
// The bits of words (n): `states` begin with those of the position.
void noise_bits(const uint64_t *states, int32_t n, const int32_t *words, uint32_t *bits) {
    Stream stream = {.states = states, .step = INT32_MAX};
    for (int32_t i = 0; i < n; i++) bits[i] = of_word(&stream, words[i]);
}
static inline float logarithm(float x) { // of x > 0, to 2e-7
    int32_t bits; memcpy(&bits, &x, 4);
    int32_t power = (bits - 0x3f3504f3) >> 23; // x = 2^power m, m between the roots of 1/2 and 2
    bits -= power * (1 << 23); float m; memcpy(&m, &bits, 4); m -= 1;
    float p = .070376836292f, square = m * m; // Cephes' logf
    p = p * m - .11514610310f; p = p * m + .11676998740f; p = p * m - .12420140846f; p = p * m + .14249322787f;
    p = p * m - .16668057665f; p = p * m + .20000714765f; p = p * m - .24999993993f; p = p * m + .33333331174f;
    return m + square * (p * m - .5f) + (float)power * .69314718056f;
}
static inline float gumbel(uint32_t bits) { // as noise.py has it, to 1e-5
    float v = ((float)bits + .5f) * 0x1p-32f; v = v < 1 - 0x1p-24f ? v : 1 - 0x1p-24f;
    float little = v * (1 + v * (.5f + v * (1 / 3.f + v * .25f))), much = -logarithm(1 - v); // -ln(1 - v)
    return -logarithm(bits < 1u << 26 ? little : much);
}
// The word with the greatest of scores (size) * scale + noise that is not banned; or minus the number of those that can
// have it, which then lie in `words`, not in order; or 0x80000000 if the greatest is beyond reason.
int32_t noise_winner(
    const Words *w, float *restrict scores, float scale, const uint64_t *states, const Large *large,
    const int32_t *count) {
    Stream stream = {.states = states, .step = INT32_MAX}; int32_t found = *count, size = w->size;
    float best = -3e38f, *values = w->values, *greatest = values + 2L * size;
    for (int32_t n = 0; n < w->forbidden; n++) scores[w->banned[n]] = -2e30f / scale;
    for (int32_t first = 0, n = 0; first < size; first += BLOCK, n++) { // what is read in order comes sooner
        int32_t rows = size - first < BLOCK ? size - first : BLOCK; float of_block = -3e38f;
#pragma omp simd reduction(max : of_block)
        for (int32_t j = 0; j < rows; j++) of_block = scores[first + j] > of_block ? scores[first + j] : of_block;
        greatest[n] = of_block;
    }
    for (int32_t n = 0; n < found; n++) {
        w->words[n] = large[n].word;
        values[n] = scores[large[n].word] * scale + gumbel(large[n].bits);
        best = values[n] > best ? values[n] : best;
    }
    float margin = w->doubt + w->share * (best < 0 ? -best : best), least = (best - w->most - margin) / scale;
    for (int32_t first = 0, n = 0; first < size; first += BLOCK, n++) {
        for (int32_t id = first; greatest[n] >= least && id < first + BLOCK && id < size; id++) {
            if (scores[id] < least) continue;
            uint32_t bits = of_word(&stream, id);
            if (bits < w->bound) continue; // they are there
            w->words[found] = id; values[found] = scores[id] * scale + gumbel(bits);
            best = values[found] > best ? values[found] : best; found++;
        }
    }
    if (!(best < 1e30f && best > -1e30f)) return INT32_MIN;
    int32_t left = 0; margin = w->doubt + w->share * (best < 0 ? -best : best);
    for (int32_t n = 0; n < found; n++) if (values[n] >= best - margin) w->words[left++] = w->words[n];
    return left == 1 ? w->words[0] : -left;
}
