/*
 * Norms against double, its gradients against central differences of that. Tolerances: a few units in
 * f32's last place of values of size 1 to 10 that pass through two sums of n terms and a division.
 */
#include "math_values.h"

#include "base/threads.h"
#include "math/norm.h"

static const double eps = 1e-5;
static const size_t lengths[] = {1, 2, 7, 16, 33, 64, 130, 1027};
enum { ROWS = 3 };

/* The norm of one row in double. */
static void plain_norm(enum pt_norm_kind kind, size_t n, const double *x, const double *weight,
                       const double *bias, double *y)
{
    double mean = 0, variance = 0;
    for (size_t j = 0; kind == PT_LAYER_NORM && j < n; j++)
        mean += x[j] / (double)n;
    for (size_t j = 0; j < n; j++)
        variance += (x[j] - mean) * (x[j] - mean) / (double)n;
    for (size_t j = 0; j < n; j++)
        y[j] = (x[j] - mean) / sqrt(variance + (double)(float)eps) * weight[j] + bias[j];
}

struct operands {
    enum pt_norm_kind kind;
    size_t n;
    float *x, *weight, *bias, *dy, *y, *dx, *dweight, *dbias, mean[ROWS], rstd[ROWS];
};

/* Without weight and bias where `bare` is set. */
static struct operands new_operands(enum pt_norm_kind kind, size_t n, bool bare)
{
    struct operands o = {.kind = kind,
                         .n = n,
                         .x = new_values(ROWS * n, 2.0f, 1),
                         .weight = bare ? NULL : new_values(n, 1.0f, 2),
                         .bias = bare ? NULL : new_values(n, 1.0f, 3),
                         .dy = new_values(ROWS * n, 1.0f, 4),
                         .y = new_values(ROWS * n, 1.0f, 5),
                         .dx = new_values(ROWS * n, 1.0f, 6),
                         .dweight = new_values(n, 1.0f, 7),
                         .dbias = new_values(n, 1.0f, 8)};
    for (size_t i = 0; i < ROWS * n; i++)
        o.x[i] += 0.5f; /* a mean that is not 0 */
    return o;
}

static void free_operands(struct operands *o)
{
    void *all[] = {o->x, o->weight, o->bias, o->dy, o->y, o->dx, o->dweight, o->dbias};
    for (size_t i = 0; i < N_OF(all); i++)
        free(all[i]);
}

/* All `missing` where there are none. */
static double *doubles(size_t n, const float *from, double missing)
{
    double *to = calloc(n, sizeof *to);
    assert_non_null(to);
    for (size_t i = 0; i < n; i++)
        to[i] = from ? (double)from[i] : missing;
    return to;
}

/* Sum over a row of dy times the norm of x with x[j], weight[j] or bias[j] moved by `step`. */
static double moved_loss(const struct operands *o, size_t row, size_t j, double step, int which)
{
    size_t n = o->n;
    double *parts[3] = {doubles(n, o->x + row * n, 0), doubles(n, o->weight, 1), doubles(n, o->bias, 0)},
           *y = calloc(n, sizeof *y), loss = 0;
    parts[which][j] += step;
    plain_norm(o->kind, n, parts[0], parts[1], parts[2], y);
    for (size_t i = 0; i < n; i++)
        loss += (double)o->dy[row * n + i] * y[i];
    for (int p = 0; p < 3; p++)
        free(parts[p]);
    free(y);
    return loss;
}

static double difference(const struct operands *o, size_t row, size_t j, int which)
{
    const double step = 1e-4;
    return (moved_loss(o, row, j, step, which) - moved_loss(o, row, j, -step, which)) / (2 * step);
}

static void check_forward(struct operands *o)
{
    size_t n = o->n;
    float *again = new_values(ROWS * n, 1.0f, 9);
    pt_norm_forward(o->kind, ROWS, n, o->x, o->weight, o->bias, (float)eps, o->y, o->mean, o->rstd);
    pt_norm_forward(o->kind, ROWS, n, o->x, o->weight, o->bias, (float)eps, again, NULL, NULL);
    assert_memory_equal(o->y, again, ROWS * n * sizeof *again);
    double *weight = doubles(n, o->weight, 1), *bias = doubles(n, o->bias, 0), *y = calloc(n, sizeof *y);
    for (size_t r = 0; r < ROWS; r++) {
        double *x = doubles(n, o->x + r * n, 0);
        plain_norm(o->kind, n, x, weight, bias, y);
        for (size_t j = 0; j < n; j++)
            assert_near((double)o->y[r * n + j], y[j], 2e-6, "norm", r * n + j);
        free(x);
    }
    free(again);
    free(weight);
    free(bias);
    free(y);
}

static void check_backward(struct operands *o)
{
    size_t n = o->n;
    float *before = new_values(ROWS * n, 1.0f, 6);
    pt_norm_backward(o->kind, ROWS, n, o->x, o->mean, o->rstd, o->weight, o->dy, true, o->dx);
    for (size_t r = 0; r < ROWS; r++)
        for (size_t j = 0; j<n; j += n> 100 ? 37 : 1) {
            size_t i = r * n + j;
            assert_near((double)o->dx[i] - (double)before[i], difference(o, r, j, 0),
                        5e-6 * (1 + (double)o->rstd[r]), "dx", i);
        }
    /* Written in place of dy instead. */
    memcpy(before, o->dy, ROWS * n * sizeof *before);
    pt_norm_backward(o->kind, ROWS, n, o->x, o->mean, o->rstd, o->weight, before, false, before);
    for (size_t j = 0; j<n; j += n> 100 ? 37 : 1)
        assert_near((double)before[j], difference(o, 0, j, 0), 5e-6 * (1 + (double)o->rstd[0]), "dx in place",
                    j);
    free(before);
}

static void check_weight_gradient(struct operands *o)
{
    size_t n = o->n;
    float *dweight = new_values(n, 1.0f, 7), *dbias = new_values(n, 1.0f, 8);
    pt_norm_weight_gradient(o->kind, ROWS, n, o->x, o->mean, o->rstd, o->dy, o->dweight, o->dbias);
    for (size_t j = 0; j<n; j += n> 100 ? 37 : 1) {
        double expected[2] = {(double)dweight[j], (double)dbias[j]};
        for (size_t r = 0; r < ROWS; r++) {
            expected[0] += difference(o, r, j, 1);
            expected[1] += difference(o, r, j, 2);
        }
        assert_near((double)o->dweight[j], expected[0], 5e-6, "dweight", j);
        assert_near((double)o->dbias[j], expected[1], 5e-6, "dbias", j);
    }
    pt_norm_weight_gradient(o->kind, ROWS, n, o->x, o->mean, o->rstd, o->dy, dweight, NULL);
    assert_memory_equal(dweight, o->dweight, n * sizeof *dweight);
    pt_norm_weight_gradient(o->kind, ROWS, n, o->x, o->mean, o->rstd, o->dy, NULL, dbias);
    assert_memory_equal(dbias, o->dbias, n * sizeof *dbias);
    free(dweight);
    free(dbias);
}

/* Heads that lie apart, in a matrix with other columns beside them, are normed like rows of their own. */
static void check_heads(struct operands *o)
{
    enum { HEADS = 3, BESIDE = 5 };
    const size_t n = o->n, stride = n + 2, row = HEADS * stride + BESIDE;
    float *x = new_values(ROWS * row, 1.0f, 9), *y = new_values(ROWS * row, 1.0f, 10),
          *dx = new_values(ROWS * row, 1.0f, 11), *one_y = new_values(n, 1.0f, 12),
          *one_dx = new_values(n, 1.0f, 13), *dweight = new_values(n, 1.0f, 7),
          *one_dweight = new_values(n, 1.0f, 7), *dbias = new_values(n, 1.0f, 8),
          *one_dbias = new_values(n, 1.0f, 8);
    const float beside = y[HEADS * stride];
    struct pt_heads x_heads = {x, row, stride}, y_heads = {y, row, stride}, dx_heads = {dx, row, stride};
    float mean[ROWS * HEADS] = {0}, rstd[ROWS * HEADS], one_mean = 0, one_rstd;
    pt_norm_heads_forward(o->kind, ROWS, HEADS, n, x_heads, o->weight, o->bias, (float)eps, y_heads, mean,
                          rstd);
    pt_norm_heads_backward(o->kind, ROWS, HEADS, n, x_heads, mean, rstd, o->weight, y_heads, false, dx_heads);
    pt_norm_heads_weight_gradient(o->kind, ROWS, HEADS, n, x_heads, mean, rstd, y_heads, dweight, dbias);
    for (size_t i = 0; i < ROWS * HEADS; i++) {
        size_t at = i / HEADS * row + i % HEADS * stride;
        pt_norm_forward(o->kind, 1, n, x + at, o->weight, o->bias, (float)eps, one_y, &one_mean, &one_rstd);
        pt_norm_backward(o->kind, 1, n, x + at, &one_mean, &one_rstd, o->weight, one_y, false, one_dx);
        pt_norm_weight_gradient(o->kind, 1, n, x + at, &one_mean, &one_rstd, one_y, one_dweight, one_dbias);
        assert_memory_equal(y + at, one_y, n * sizeof *y);
        assert_memory_equal(dx + at, one_dx, n * sizeof *dx);
        assert_true(mean[i] == one_mean && rstd[i] == one_rstd);
    }
    assert_memory_equal(dweight, one_dweight, n * sizeof *dweight);
    assert_memory_equal(dbias, one_dbias, n * sizeof *dbias);
    assert_true(y[HEADS * stride] == beside);
    void *all[] = {x, y, dx, one_y, one_dx, dweight, one_dweight, dbias, one_dbias};
    for (size_t i = 0; i < N_OF(all); i++)
        free(all[i]);
}

static const struct {
    enum pt_norm_kind kind;
    bool bare;
} kinds[] = {{PT_LAYER_NORM, false}, {PT_LAYER_NORM, true}, {PT_RMS_NORM, false}, {PT_RMS_NORM, true}};

static void check_all_lengths(void)
{
    for (size_t k = 0; k < N_OF(kinds); k++)
        for (size_t i = 0; i < N_OF(lengths); i++) {
            struct operands o = new_operands(kinds[k].kind, lengths[i], kinds[k].bare);
            check_forward(&o);
            check_backward(&o);
            check_weight_gradient(&o);
            check_heads(&o);
            free_operands(&o);
        }
}

static void agrees_with_double(void **state)
{
    (void)state;
    with_all_kernels(check_all_lengths);
}

/* A variance beyond f32: the layer norm must not turn it into finite values. */
static void check_overflow(void)
{
    for (size_t k = 0; k < N_OF(kinds); k++)
        for (size_t i = 2; i < N_OF(lengths); i++) { /* a row of two elements and more has a variance */
            struct operands o = new_operands(kinds[k].kind, lengths[i], kinds[k].bare);
            for (size_t j = 0; j < o.n; j++)
                o.x[o.n + j] = j & 1 ? -1e25f : 1e25f;
            pt_norm_forward(o.kind, ROWS, o.n, o.x, o.weight, o.bias, (float)eps, o.y, o.mean, o.rstd);
            for (size_t j = 0; j < o.n; j++) {
                assert_true(isfinite(o.y[j]) && isfinite(o.y[2 * o.n + j]));
                if (o.kind == PT_LAYER_NORM)
                    assert_true(isnan(o.y[o.n + j]));
                else
                    assert_true(o.y[o.n + j] == (o.bias ? o.bias[j] : 0.0f));
            }
            free_operands(&o);
        }
}

static void a_variance_that_overflows_is_not_hidden(void **state)
{
    (void)state;
    with_all_kernels(check_overflow);
}

static void check_threads(enum pt_norm_kind kind)
{
    struct operands one = new_operands(kind, 1027, false), other = new_operands(kind, 1027, false);
    struct operands *both[] = {&one, &other};
    for (int i = 0; i < 2; i++) {
        pt_threads_set(i ? 3 : 1);
        struct operands *o = both[i];
        pt_norm_forward(o->kind, ROWS, o->n, o->x, o->weight, o->bias, (float)eps, o->y, o->mean, o->rstd);
        pt_norm_backward(o->kind, ROWS, o->n, o->x, o->mean, o->rstd, o->weight, o->dy, false, o->dx);
        pt_norm_weight_gradient(o->kind, ROWS, o->n, o->x, o->mean, o->rstd, o->dy, o->dweight, o->dbias);
    }
    assert_memory_equal(one.y, other.y, ROWS * one.n * sizeof(float));
    assert_memory_equal(one.dx, other.dx, ROWS * one.n * sizeof(float));
    assert_memory_equal(one.dweight, other.dweight, one.n * sizeof(float));
    assert_memory_equal(one.dbias, other.dbias, one.n * sizeof(float));
    free_operands(&one);
    free_operands(&other);
    pt_threads_set(0);
}

static void same_bytes_for_any_threads(void **state)
{
    (void)state;
    check_threads(PT_LAYER_NORM);
    check_threads(PT_RMS_NORM);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(agrees_with_double),
        cmocka_unit_test(a_variance_that_overflows_is_not_hidden),
        cmocka_unit_test(same_bytes_for_any_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
