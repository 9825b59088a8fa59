/*
 * A projection by group, [groups, q heads of a group + k + v, head_dim] a row, is taken apart to blocks,
 * since attention wants heads at equal distances.
 */
#include "model/pass.h"

#include <string.h>

struct parts {
    size_t q, kv, row; /* floats of a group's q, of its k or v, of a whole row */
    size_t n_groups;
};

static struct parts parts_of(const struct pt_config *config)
{
    return (struct parts){config->n_heads / config->n_kv_heads * config->head_dim, config->head_dim,
                          pt_config_qkv_size(config), config->n_kv_heads};
}

void pt_pass_ungroup(const struct pt_pass *pass, struct pt_span span, const float *grouped, float *blocks)
{
    const struct parts p = parts_of(pass->config);
#pragma omp parallel for schedule(static)
    for (size_t r = span.first; r < span.first + span.n; r++)
        for (size_t g = 0; g < p.n_groups; g++) {
            const float *group = grouped + r * p.row + g * (p.q + 2 * p.kv);
            float *q = blocks + r * p.row, *k = q + p.n_groups * p.q, *v = k + p.n_groups * p.kv;
            memcpy(q + g * p.q, group, p.q * sizeof *q);
            memcpy(k + g * p.kv, group + p.q, p.kv * sizeof *k);
            memcpy(v + g * p.kv, group + p.q + p.kv, p.kv * sizeof *v);
        }
}

void pt_pass_group(const struct pt_pass *pass, struct pt_span span, const float *blocks, float *grouped)
{
    const struct parts p = parts_of(pass->config);
#pragma omp parallel for schedule(static)
    for (size_t r = span.first; r < span.first + span.n; r++)
        for (size_t g = 0; g < p.n_groups; g++) {
            float *group = grouped + r * p.row + g * (p.q + 2 * p.kv);
            const float *q = blocks + r * p.row, *k = q + p.n_groups * p.q, *v = k + p.n_groups * p.kv;
            memcpy(group, q + g * p.q, p.q * sizeof *q);
            memcpy(group + p.q, k + g * p.kv, p.kv * sizeof *k);
            memcpy(group + p.q + p.kv, v + g * p.kv, p.kv * sizeof *v);
        }
}
