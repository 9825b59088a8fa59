/*
 * Processors and warpers against the scores that transformers gives for the same logits
 * (tests/data/reference), and the draw against its probabilities.
 */
#include "fmt/safetensors.h"
#include "generate/scores.h"

#include "reference_folders.h"
#include "support.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

struct reference {
    struct pt_tensors cases;
    size_t vocab;
    const uint32_t *ids;
    size_t n_ids;
};

static struct pt_generation_settings neutral(void)
{
    return (struct pt_generation_settings){
        .repetition_penalty = 1, .temperature = 1, .top_p = 1, .typical_p = 1};
}

static void open_reference(struct reference *reference, const char *name)
{
    struct pt_error err = {0};
    char path[128];
    snprintf(path, sizeof path, "tests/data/reference/%s/cases.safetensors", name);
    assert_int_equal(pt_safetensors_open(&reference->cases, path, &err), PT_OK);
    const struct pt_tensor *ids = pt_tensors_find(&reference->cases, "ids.0");
    reference->ids = ids->data;
    reference->n_ids = ids->n_elements;
    reference->vocab = pt_tensors_find(&reference->cases, "scores.plain")->n_elements;
}

/* The plain scores, worked on, must be removed where the reference's are and equal elsewhere. */
static void check(const struct reference *reference, const char *name,
                  const struct pt_generation_settings *settings)
{
    struct pt_error err = {0};
    struct pt_scores_workspace workspace;
    assert_int_equal(pt_scores_workspace_init(&workspace, reference->vocab, &err), PT_OK);
    float *scores = malloc(reference->vocab * sizeof *scores);
    memcpy(scores, pt_tensors_find(&reference->cases, "scores.plain")->data,
           reference->vocab * sizeof *scores);
    pt_scores_process(settings, &workspace, reference->ids, reference->n_ids, reference->n_ids, scores);
    pt_scores_warp(settings, &workspace, scores);
    const float *expected = pt_tensors_find(&reference->cases, name)->data;
    for (size_t i = 0; i < reference->vocab; i++) {
        if (isinf(expected[i]) || isinf(scores[i]))
            assert_true(expected[i] == scores[i]);
        else
            assert_true(fabsf(expected[i] - scores[i]) <= 1e-5f);
    }
    free(scores);
    pt_scores_workspace_fini(&workspace);
}

static void warpers_equal_the_reference(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_OF(reference_folders); i++) {
        struct reference reference = {0};
        open_reference(&reference, reference_folders[i]);
        struct pt_generation_settings settings = neutral();
        settings.temperature = 0.7;
        settings.top_k = 50;
        settings.top_p = 0.8;
        check(&reference, "scores.t0.7_k50_p0.8", &settings);
        settings = neutral();
        settings.repetition_penalty = 1.3;
        check(&reference, "scores.rep1.3", &settings);
        settings = neutral();
        settings.min_p = 0.05;
        check(&reference, "scores.min_p0.05", &settings);
        settings = neutral();
        settings.typical_p = 0.9;
        check(&reference, "scores.typical0.9", &settings);
        settings = neutral();
        settings.no_repeat_ngram_size = 2;
        check(&reference, "scores.ngram2", &settings);
        pt_tensors_free(&reference.cases);
    }
}

/* Applies the settings to four scores after the text 0 1 0. */
static void process_small(const struct pt_generation_settings *settings, size_t n_input, float scores[4])
{
    static const uint32_t text[] = {0, 1, 0};
    struct pt_error err = {0};
    struct pt_scores_workspace workspace;
    assert_int_equal(pt_scores_workspace_init(&workspace, 4, &err), PT_OK);
    pt_scores_process(settings, &workspace, text, 3, n_input, scores);
    pt_scores_warp(settings, &workspace, scores);
    pt_scores_workspace_fini(&workspace);
}

static void an_ngram_is_not_repeated(void **state)
{
    (void)state;
    struct pt_generation_settings settings = neutral();
    settings.no_repeat_ngram_size = 2;
    float scores[4] = {1, 2, 3, 4};
    process_small(&settings, 3, scores);
    assert_true(isinf(scores[1]) && scores[0] == 1 && scores[2] == 3 && scores[3] == 4);
}

static void the_end_waits_for_the_minimal_length(void **state)
{
    (void)state;
    struct pt_generation_settings settings = neutral();
    settings.eos_ids[0] = 2;
    settings.n_eos_ids = 1;
    settings.min_length = 4;
    float scores[4] = {1, 2, 3, 4};
    process_small(&settings, 3, scores);
    assert_true(isinf(scores[2]));
    settings.min_length = 0;
    settings.min_new_tokens = 2;
    float later[4] = {1, 2, 3, 4};
    process_small(&settings, 1, later);
    assert_true(later[2] == 3);
    process_small(&settings, 2, later);
    assert_true(isinf(later[2]));
}

static void equals_of_the_kth_score_survive_top_k(void **state)
{
    (void)state;
    struct pt_generation_settings settings = neutral();
    settings.top_k = 2;
    float scores[4] = {1, 3, 2, 2};
    process_small(&settings, 3, scores);
    assert_true(isinf(scores[0]) && scores[1] == 3 && scores[2] == 2 && scores[3] == 2);
}

static void the_best_token_survives_top_p_of_zero(void **state)
{
    (void)state;
    struct pt_generation_settings settings = neutral();
    settings.top_p = 0;
    float scores[4] = {1, 3, 2, 2};
    process_small(&settings, 3, scores);
    assert_true(isinf(scores[0]) && scores[1] == 3 && isinf(scores[2]) && isinf(scores[3]));
}

/* Chi-squared over 40,000 draws with a fixed seed: 3 degrees of freedom, 0.1 % point 16.3. */
static void draws_follow_the_probabilities(void **state)
{
    (void)state;
    static const float scores[5] = {0, 1, 2, -INFINITY, 1.5f};
    double sum = 0, chi = 0;
    size_t counts[5] = {0}, n = 40000;
    struct pt_rng rng;
    pt_rng_seed(&rng, 7);
    for (size_t i = 0; i < 5; i++)
        sum += exp(scores[i]);
    for (size_t i = 0; i < n; i++)
        counts[pt_scores_draw(5, scores, &rng)]++;
    assert_int_equal(counts[3], 0);
    for (size_t i = 0; i < 5; i++) {
        double expected = (double)n * exp(scores[i]) / sum;
        if (expected > 0)
            chi += ((double)counts[i] - expected) * ((double)counts[i] - expected) / expected;
    }
    assert_true(chi < 16.3);
    assert_int_equal(pt_scores_best(5, scores), 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(warpers_equal_the_reference),
        cmocka_unit_test(an_ngram_is_not_repeated),
        cmocka_unit_test(the_end_waits_for_the_minimal_length),
        cmocka_unit_test(equals_of_the_kth_score_survive_top_k),
        cmocka_unit_test(the_best_token_survives_top_p_of_zero),
        cmocka_unit_test(draws_follow_the_probabilities),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
