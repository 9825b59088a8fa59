/*
 * Optimisers: what turns gradients into new values. They work on a list of named tensors and never know which
 * method they serve.
 */
#ifndef PT_TUNE_OPTIMIZER_H
#define PT_TUNE_OPTIMIZER_H

#include "tune/parameters.h"

enum pt_optimizer_kind { PT_ADAMW, PT_SGD };

/*
 * AdamW (Loshchilov and Hutter, "Decoupled weight decay regularization", algorithm 2, with
 * torch.optim.AdamW's order of operations): in update t = 1, 2, ...
 *
 *     p <- p (1 - rate decay)
 *     m <- m + (1 - beta1) (g - m)
 *     v <- beta2 v + (1 - beta2) g g
 *     p <- p - rate / (1 - beta1^t) * m / (sqrt(v) / sqrt(1 - beta2^t) + epsilon)
 *
 * with beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8. SGD, as torch.optim.SGD without momentum:
 *
 *     p <- p - rate (g + decay p)
 *
 * Values and moments are f32, the factors are computed in f64.
 */
struct pt_optimizer_settings {
    enum pt_optimizer_kind kind;
    double weight_decay; /* for the parameters that decay */
};

extern const char *const pt_optimizer_names[]; /* by enum pt_optimizer_kind, NULL at the end */

struct pt_optimizer;

/* The parameters are borrowed until the optimiser is freed; their list must not grow meanwhile. */
int pt_optimizer_new(struct pt_optimizer **optimizer, const struct pt_optimizer_settings *settings,
                     struct pt_parameters *parameters, struct pt_error *err) PT_MUST_USE;
void pt_optimizer_free(struct pt_optimizer *optimizer); /* NULL is allowed */

/* One update of all values from their gradients at this learning rate. */
void pt_optimizer_step(struct pt_optimizer *optimizer, double learning_rate);

/* What a state brings back beside the values: the number of updates done, and the moments (AdamW two a
 * parameter, SGD none). */
void pt_optimizer_set_updates(struct pt_optimizer *optimizer, uint64_t updates);
size_t pt_optimizer_n_moments(const struct pt_optimizer *optimizer);
const char *pt_optimizer_moment_name(size_t which); /* "exp_avg", "exp_avg_sq" */
float *pt_optimizer_moment(const struct pt_optimizer *optimizer, size_t parameter,
                           size_t which); /* of the parameter's shape */

#endif
