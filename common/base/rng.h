/*
 * Random numbers. The Mersenne Twister draws what PyTorch's CPU generator draws from the same seed
 * (ATen/core/MT19937RNGEngine.h, ATen/native/cpu/DistributionTemplates.h), so that orders and initial
 * values equal those of PEFT and the Trainer. Vectors for seed 42 are in tests/unit/test_rng.c.
 */
#ifndef PT_BASE_RNG_H
#define PT_BASE_RNG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct pt_rng {
    uint32_t state[624];
    unsigned next;
    bool has_spare_normal; /* normals of short arrays come in pairs: the second one waits here */
    double spare_normal;
};

void pt_rng_seed(struct pt_rng *rng, uint64_t seed); /* as torch.manual_seed: the low 32 bits count */
uint32_t pt_rng_u32(struct pt_rng *rng);
uint64_t pt_rng_u64(struct pt_rng *rng); /* two words, the first is the high half, as torch's random64 */
/* 24 bits of one word, in [0, 1), as torch draws an f32. */
float pt_rng_uniform(struct pt_rng *rng);
/* 53 bits of two words, in [0, 1). */
double pt_rng_uniform_double(struct pt_rng *rng);
/* Uniform in [0, n), 0 < n <= 2^32, as torch.randint on CPU: a word mod n, from n = 2^28 on two words mod n.
 */
uint32_t pt_rng_below(struct pt_rng *rng, uint64_t n);
/* torch.randperm(n) on CPU. */
void pt_rng_permutation(struct pt_rng *rng, uint64_t n, uint64_t *order);
/* torch.randn(n) of f32 on CPU, both its ways (n < 16 and n >= 16): the bits that it has on x86-64 with AVX2.
 */
void pt_rng_normal(struct pt_rng *rng, size_t n, float *values);

#endif
