/*
 * Rows of scores are a few ten thousand long, so plain loops and one sort a row are enough: a step of the
 * model costs far more. Sums of probabilities are taken in double; the reference takes them in f32, which
 * only matters for a token that sits within 1e-6 of a threshold.
 */
#include "generate/scores.h"

#include "base/memory.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

struct pt_ranked_score {
    float key; /* what is sorted by */
    uint32_t id;
};

int pt_scores_workspace_init(struct pt_scores_workspace *workspace, size_t vocab, struct pt_error *err)
{
    workspace->vocab = vocab;
    workspace->ranked = pt_new_array(vocab, sizeof *workspace->ranked, err);
    workspace->seen = pt_new_array(vocab, 1, err);
    return (int)err->status;
}

void pt_scores_workspace_fini(struct pt_scores_workspace *workspace)
{
    free(workspace->ranked);
    free(workspace->seen);
    *workspace = (struct pt_scores_workspace){0};
}

static void penalize_repetition(double penalty, struct pt_scores_workspace *workspace, const uint32_t *ids,
                                size_t n_ids, float *scores)
{
    float factor = (float)penalty;
    for (size_t i = 0; i < n_ids; i++) {
        if (ids[i] >= workspace->vocab || workspace->seen[ids[i]])
            continue;
        workspace->seen[ids[i]] = 1;
        float *score = &scores[ids[i]];
        *score = *score < 0 ? *score * factor : *score / factor;
    }
    for (size_t i = 0; i < n_ids; i++)
        if (ids[i] < workspace->vocab)
            workspace->seen[ids[i]] = 0;
}

/* Bans every token that would complete an n-gram which the text already holds. */
static void ban_repeated_ngrams(size_t size, size_t vocab, const uint32_t *ids, size_t n_ids, float *scores)
{
    if (n_ids < size)
        return;
    const uint32_t *prefix = ids + n_ids - (size - 1);
    for (size_t i = 0; i + size <= n_ids; i++)
        if (memcmp(ids + i, prefix, (size - 1) * sizeof *ids) == 0 && ids[i + size - 1] < vocab)
            scores[ids[i + size - 1]] = -INFINITY;
}

static void forbid_end(const struct pt_generation_settings *settings, size_t vocab, float *scores)
{
    for (size_t i = 0; i < settings->n_eos_ids; i++)
        if (settings->eos_ids[i] < vocab)
            scores[settings->eos_ids[i]] = -INFINITY;
}

void pt_scores_process(const struct pt_generation_settings *settings, struct pt_scores_workspace *workspace,
                       const uint32_t *ids, size_t n_ids, size_t n_input, float *scores)
{
    if (settings->repetition_penalty != 1)
        penalize_repetition(settings->repetition_penalty, workspace, ids, n_ids, scores);
    if (settings->no_repeat_ngram_size)
        ban_repeated_ngrams(settings->no_repeat_ngram_size, workspace->vocab, ids, n_ids, scores);
    if (settings->min_new_tokens ? n_ids - n_input < settings->min_new_tokens : n_ids < settings->min_length)
        forbid_end(settings, workspace->vocab, scores);
}

static int by_key_falling(const void *a, const void *b)
{
    const struct pt_ranked_score *x = a, *y = b;
    if (x->key != y->key)
        return x->key > y->key ? -1 : 1;
    return x->id < y->id ? -1 : x->id > y->id;
}

static int by_key_rising(const void *a, const void *b)
{
    return by_key_falling(b, a);
}

static float largest(size_t vocab, const float *scores)
{
    float best = -INFINITY;
    for (size_t i = 0; i < vocab; i++)
        if (scores[i] > best)
            best = scores[i];
    return best;
}

static double sum_of_exponentials(size_t vocab, const float *scores, float best)
{
    double sum = 0;
    for (size_t i = 0; i < vocab; i++)
        sum += exp((double)scores[i] - best);
    return sum;
}

/* The entries that are not removed yet, with their scores as keys. Returns how many. */
static size_t collect(struct pt_scores_workspace *workspace, const float *scores)
{
    size_t n = 0;
    for (size_t i = 0; i < workspace->vocab; i++)
        if (scores[i] > -INFINITY)
            workspace->ranked[n++] = (struct pt_ranked_score){scores[i], (uint32_t)i};
    return n;
}

static void keep_top_k(uint64_t k, struct pt_scores_workspace *workspace, float *scores)
{
    size_t n = collect(workspace, scores);
    if (n <= k)
        return;
    qsort(workspace->ranked, n, sizeof *workspace->ranked, by_key_falling);
    float threshold = workspace->ranked[k - 1].key;
    for (size_t i = 0; i < workspace->vocab; i++)
        if (scores[i] < threshold)
            scores[i] = -INFINITY;
}

/* Removes from the least probable up, as long as what is removed has a probability of at most 1 - p together.
 */
static void keep_top_p(double p, struct pt_scores_workspace *workspace, float *scores)
{
    size_t n = collect(workspace, scores);
    if (!n)
        return;
    qsort(workspace->ranked, n, sizeof *workspace->ranked, by_key_rising);
    float best = workspace->ranked[n - 1].key;
    double sum = sum_of_exponentials(workspace->vocab, scores, best), removed = 0;
    for (size_t i = 0; i + 1 < n; i++) {
        removed += exp((double)workspace->ranked[i].key - best) / sum;
        if (removed > 1 - p)
            return;
        scores[workspace->ranked[i].id] = -INFINITY;
    }
}

static void keep_min_p(double p, size_t vocab, float *scores)
{
    float best = largest(vocab, scores);
    for (size_t i = 0; i < vocab; i++)
        if (exp((double)scores[i] - best) < p)
            scores[i] = -INFINITY;
}

/* Keeps the tokens whose surprise is nearest to the entropy, until their probabilities reach `mass`. */
static void keep_typical(double mass, struct pt_scores_workspace *workspace, float *scores)
{
    size_t vocab = workspace->vocab, n = collect(workspace, scores);
    if (!n)
        return;
    float best = largest(vocab, scores);
    double log_sum = log(sum_of_exponentials(vocab, scores, best)), entropy = 0;
    for (size_t i = 0; i < n; i++) {
        double log_p = (double)workspace->ranked[i].key - best - log_sum;
        entropy -= exp(log_p) * log_p;
    }
    for (size_t i = 0; i < n; i++) {
        double log_p = (double)workspace->ranked[i].key - best - log_sum;
        workspace->ranked[i].key = (float)fabs(-log_p - entropy);
    }
    qsort(workspace->ranked, n, sizeof *workspace->ranked, by_key_rising);
    double kept = 0;
    size_t last = 0;
    for (; last + 1 < n; last++) {
        kept += exp((double)scores[workspace->ranked[last].id] - best - log_sum);
        if (kept >= mass)
            break;
    }
    float threshold = workspace->ranked[last].key;
    for (size_t i = last + 1; i < n; i++)
        if (workspace->ranked[i].key > threshold)
            scores[workspace->ranked[i].id] = -INFINITY;
}

void pt_scores_warp(const struct pt_generation_settings *settings, struct pt_scores_workspace *workspace,
                    float *scores)
{
    float temperature = (float)settings->temperature;
    if (temperature != 1)
        for (size_t i = 0; i < workspace->vocab; i++)
            scores[i] /= temperature;
    if (settings->top_k)
        keep_top_k(settings->top_k, workspace, scores);
    if (settings->top_p < 1)
        keep_top_p(settings->top_p, workspace, scores);
    if (settings->min_p > 0)
        keep_min_p(settings->min_p, workspace->vocab, scores);
    if (settings->typical_p < 1)
        keep_typical(settings->typical_p, workspace, scores);
}

bool pt_scores_remain(size_t vocab, const float *scores)
{
    return largest(vocab, scores) > -INFINITY;
}

uint32_t pt_scores_best(size_t vocab, const float *scores)
{
    size_t best = 0;
    for (size_t i = 1; i < vocab; i++)
        if (scores[i] > scores[best])
            best = i;
    return (uint32_t)best;
}

uint32_t pt_scores_draw(size_t vocab, const float *scores, struct pt_rng *rng)
{
    float best = largest(vocab, scores);
    double left = pt_rng_uniform_double(rng) * sum_of_exponentials(vocab, scores, best);
    uint32_t last = pt_scores_best(vocab, scores);
    for (size_t i = 0; i < vocab; i++) {
        double share = exp((double)scores[i] - best);
        if (share <= 0)
            continue;
        last = (uint32_t)i;
        if (left < share)
            break;
        left -= share;
    }
    return last;
}
