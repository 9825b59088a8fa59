/*
 * Each path of the products against the plain loop in double.
 *
 * Tolerances, relative to the sum of |a b| of an element: a sum of k products in f32, taken in lanes and
 * blocks, errs by about 2^-24 sqrt(k) at random; 2^-24 (16 + 2 sqrt(k)) leaves a factor of at least two and
 * catches a single lost, doubled or unrounded term (those cost 1 / k or, for bf16, 2^-9 / sqrt(k) or more).
 * In bf16 the plain loop rounds its operands to bf16 first, after which the same holds. Two terms lose up to
 * 2^-17 of each operand, and the product of the second terms, up to 2^-16, is left out.
 *
 * The relative error of a whole product (Frobenius norm) against operands that are not rounded: 3e-3 in bf16,
 * 5e-6 in bf16x2, 1e-6 in bf16x3 and f32.
 */
#include "math_values.h"

#include "base/threads.h"
#include "math/paths.h"
#include "math/product.h"

struct shape {
    size_t m, n_out, n_in;
};

static const struct shape shapes[] = {
    {1, 1, 1},     {1, 70, 33},    {2, 5, 1030},   {3, 17, 64},    {5, 33, 100},  {6, 64, 128},
    {7, 130, 47},  {8, 65, 513},   {12, 9, 70},    {13, 1, 5},     {13, 300, 9},  {14, 63, 31},
    {16, 67, 512}, {17, 20, 1100}, {23, 31, 1024}, {15, 37, 2051}, {37, 5, 3},    {40, 270, 77},
    {40, 77, 530}, {400, 40, 24},  {300, 36, 64},  {33, 64, 2080}, {570, 40, 70}, {2060, 36, 40},
};

static uint16_t bf16_of(float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return (uint16_t)((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

static float rounded_to_bf16(float value)
{
    uint32_t bits = (uint32_t)bf16_of(value) << 16;
    memcpy(&value, &bits, sizeof value);
    return value;
}

/* One product: operands, what is expected of them, and room for results with guards between the rows. */
struct product_case {
    struct pt_math *math;
    struct shape shape;
    struct pt_matrix w;
    char *stored;         /* behind w.data, which is not aligned */
    float *wide;          /* [n_out, n_in]: what w holds */
    float *x, *dy, *bias; /* [m, n_in + 3], [m, n_out + 5], [n_out] */
    float *y, *dx, *dw;
    char what[96];
};

enum { X_PAD = 3, DY_PAD = 5 };
static const float guard = 12345.0f;

static void store_weight(struct product_case *c, size_t i)
{
    size_t n_in = c->w.n_in, at = c->w.transposed ? i % n_in * c->w.n_out + i / n_in : i;
    char *to = (char *)c->stored + 1 + at * pt_dtype_bytes(c->w.dtype);
    if (c->w.dtype == PT_F32) {
        memcpy(to, &c->wide[i], 4);
    } else if (c->w.dtype == PT_BF16) {
        uint16_t bits = bf16_of(c->wide[i]);
        memcpy(to, &bits, 2);
        c->wide[i] = rounded_to_bf16(c->wide[i]);
    } else {
        uint16_t bits = pt_f16_from_f32(c->wide[i]);
        memcpy(to, &bits, 2);
        c->wide[i] = pt_f32_from_f16(bits);
    }
}

static struct product_case new_case(struct pt_math *math, struct shape s, enum pt_dtype dtype,
                                    bool transposed)
{
    struct product_case c = {.math = math, .shape = s};
    c.wide = new_values(s.n_out * s.n_in, 1.0f, 1);
    c.stored = malloc(s.n_out * s.n_in * 4 + 1);
    assert_non_null(c.stored);
    c.w = (struct pt_matrix){c.stored + 1, dtype, s.n_out, s.n_in, transposed, {0}};
    for (size_t i = 0; i < s.n_out * s.n_in; i++)
        store_weight(&c, i);
    c.x = new_values(s.m * (s.n_in + X_PAD), 1.0f, 2);
    c.dy = new_values(s.m * (s.n_out + DY_PAD), 1.0f, 3);
    c.bias = new_values(s.n_out, 1.0f, 4);
    c.y = new_values(s.m * (s.n_out + DY_PAD), 1.0f, 5);
    c.dx = new_values(s.m * (s.n_in + X_PAD), 1.0f, 6);
    c.dw = new_values(s.n_out * s.n_in, 1.0f, 7);
    snprintf(c.what, sizeof c.what, "%s, dtype %d%s, m %zu, n_out %zu, n_in %zu", pt_math_name(math),
             (int)dtype, transposed ? ", transposed" : "", s.m, s.n_out, s.n_in);
    return c;
}

static void free_case(struct product_case *c)
{
    void *all[] = {c->wide, c->stored, c->x, c->dy, c->bias, c->y, c->dx, c->dw};
    for (size_t i = 0; i < N_OF(all); i++)
        free(all[i]);
}

/* Row a times column b (strides in elements) and the sum of sizes, in double. */
static double plain(size_t k, const float *a, size_t a_step, const float *b, size_t b_step, bool rounded,
                    double *size)
{
    double sum = 0;
    *size = 0;
    for (size_t p = 0; p < k; p++) {
        float left = a[p * a_step], right = b[p * b_step];
        double term = rounded ? (double)rounded_to_bf16(left) * (double)rounded_to_bf16(right)
                              : (double)left * (double)right;
        sum += term;
        *size += fabs(term);
    }
    return sum;
}

static double tolerance(const struct product_case *c, size_t k, double size)
{
    double split = c->math->n_terms == 2 ? 4 * 0x1p-17 : 0;
    return (0x1p-24 * (16 + 2 * sqrt((double)k)) + split) * size;
}

static void check_forward(struct product_case *c, const float *bias)
{
    const size_t m = c->shape.m, n = c->shape.n_out, k = c->shape.n_in, ldx = k + X_PAD, ldy = n + DY_PAD;
    const bool rounded = c->math->n_terms == 1;
    for (size_t i = 0; i < m * ldy; i++)
        c->y[i] = guard;
    pt_product_forward(c->math, m, c->x, ldx, &c->w, bias, c->y, ldy);
    for (size_t i = 0; i < m; i++) {
        for (size_t j = 0; j < n; j++) {
            double size, sum = plain(k, c->x + i * ldx, 1, c->wide + j * k, 1, rounded, &size);
            double b = bias ? (double)bias[j] : 0;
            assert_near((double)c->y[i * ldy + j], sum + b, tolerance(c, k, size + fabs(b)), c->what,
                        i * n + j);
        }
        for (size_t j = n; j < ldy; j++)
            assert_true(c->y[i * ldy + j] == guard);
    }
}

static void check_backward(struct product_case *c, bool add)
{
    const size_t m = c->shape.m, n = c->shape.n_in, k = c->shape.n_out, ldy = k + DY_PAD, ldx = n + X_PAD;
    const bool rounded = c->math->n_terms == 1;
    float *before = new_values(m * ldx, 1.0f, 8);
    memcpy(c->dx, before, m * ldx * sizeof *before);
    pt_product_backward(c->math, m, c->dy, ldy, &c->w, add, c->dx, ldx);
    for (size_t i = 0; i < m; i++) {
        for (size_t j = 0; j < n; j++) {
            double size, sum = plain(k, c->dy + i * ldy, 1, c->wide + j, n, rounded, &size);
            double b = add ? (double)before[i * ldx + j] : 0;
            assert_near((double)c->dx[i * ldx + j], sum + b, tolerance(c, k, size + fabs(b)), c->what,
                        i * n + j);
        }
        for (size_t j = n; j < ldx; j++)
            assert_true(c->dx[i * ldx + j] == before[i * ldx + j]);
    }
    free(before);
}

static void check_weight_gradient(struct product_case *c)
{
    const size_t m = c->shape.m, n_out = c->shape.n_out, n_in = c->shape.n_in;
    const float *before = c->wide;
    memcpy(c->dw, before, n_out * n_in * sizeof *before);
    pt_product_weight_gradient(c->math, m, n_out, n_in, c->dy, n_out + DY_PAD, c->x, n_in + X_PAD, c->dw);
    for (size_t i = 0; i < n_out; i++)
        for (size_t j = 0; j < n_in; j++) {
            double size, sum = plain(m, c->dy + i, n_out + DY_PAD, c->x + j, n_in + X_PAD, false, &size),
                         b = (double)before[i * n_in + j];
            assert_near((double)c->dw[i * n_in + j], sum + b, tolerance(c, m, size + fabs(b)), c->what,
                        i * n_in + j);
        }
}

static void check_setting(const char *setting, enum pt_dtype dtype)
{
    struct pt_math *math = open_or_skip(setting, dtype);
    if (!math)
        return;
    for (size_t i = 0; i < 2 * N_OF(shapes); i++) {
        struct product_case c = new_case(math, shapes[i / 2], dtype, i % 2);
        check_forward(&c, NULL);
        check_forward(&c, c.bias);
        check_backward(&c, false);
        check_backward(&c, true);
        check_weight_gradient(&c);
        free_case(&c);
    }
    pt_math_close(math);
}

static void agrees_with_the_plain_loop(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_OF(all_settings); i++) {
        check_setting(all_settings[i], PT_F32);
        check_setting(all_settings[i], PT_BF16);
        check_setting(all_settings[i], PT_F16);
    }
}

/* The Frobenius norm of found - a b over that of a b. */
static double relative_error(size_t m, size_t n, size_t k, const float *a, size_t lda, const float *b,
                             size_t b_step, size_t b_column, const float *found, size_t ldc)
{
    double error = 0, all = 0;
    for (size_t i = 0; i < m; i++)
        for (size_t j = 0; j < n; j++) {
            double size, sum = plain(k, a + i * lda, 1, b + j * b_column, b_step, false, &size);
            error += pow((double)found[i * ldc + j] - sum, 2);
            all += sum * sum;
        }
    return sqrt(error / all);
}

static void check_whole_errors(const char *setting, enum pt_dtype dtype)
{
    const size_t m = 40, n_out = 70, n_in = 600, ldx = n_in + X_PAD, ldy = n_out + DY_PAD;
    static const double most[] = {1e-6, 3e-3, 5e-6, 1e-6}; /* by the number of terms */
    struct pt_math *math = open_or_skip(setting, dtype);
    if (!math)
        return;
    struct product_case c = new_case(math, (struct shape){m, n_out, n_in}, dtype, false);
    pt_product_forward(math, m, c.x, ldx, &c.w, NULL, c.y, ldy);
    double forward = relative_error(m, n_out, n_in, c.x, ldx, c.wide, 1, n_in, c.y, ldy);
    pt_product_backward(math, m, c.dy, ldy, &c.w, false, c.dx, ldx);
    double backward = relative_error(m, n_in, n_out, c.dy, ldy, c.wide, n_in, 1, c.dx, ldx);
    print_message("# %s: relative error %.1e forward, %.1e backward\n", c.what, forward, backward);
    assert_true(forward < most[math->n_terms] && backward < most[math->n_terms]);
    assert_true(math->n_terms != 1 || dtype == PT_F32 ||
                forward > 1e-4); /* a mode that has not run is no proof */
    free_case(&c);
    pt_math_close(math);
}

static void errs_no_more_than_its_mode_may(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_OF(all_settings); i++) {
        check_whole_errors(all_settings[i], PT_F32);
        check_whole_errors(all_settings[i], PT_BF16);
        check_whole_errors(all_settings[i], PT_F16);
    }
}

/* In bf16 an f32 matrix beside narrower weights (a method's own) is not rounded. */
static void keeps_f32_beside_bf16(void **state)
{
    (void)state;
    enum { ROWS = 70 };
    struct pt_math *math = open_or_skip("bf16:emulated", PT_BF16);
    assert_non_null(math);
    struct product_case c = new_case(math, (struct shape){ROWS, 40, 50}, PT_F32, false);
    assert_false(math->narrow_f32);
    const struct pt_tiles *tiles = math->tiles;
    const int n_terms = math->n_terms;
    float *expected = new_values(ROWS * (40 + DY_PAD), 1.0f, 5);
    math->tiles = NULL;
    math->n_terms = 0;
    pt_product_forward(math, ROWS, c.x, 50 + X_PAD, &c.w, NULL, expected, 40 + DY_PAD);
    math->tiles = tiles;
    math->n_terms = n_terms;
    pt_product_forward(math, ROWS, c.x, 50 + X_PAD, &c.w, NULL, c.y, 40 + DY_PAD);
    assert_memory_equal(c.y, expected, ROWS * (40 + DY_PAD) * sizeof *expected);
    free(expected);
    free_case(&c);
    pt_math_close(math);
}

/* Every value of the narrow types, in each set of kernels; NaN stays NaN. */
static void widens_every_value(void)
{
    enum { N = 65536 };
    static uint16_t bits[N];
    static float wide[N];
    for (size_t i = 0; i < N; i++)
        bits[i] = (uint16_t)i;
    for (int f16 = 0; f16 < 2; f16++) {
        pt_kernels()->widen(wide, bits, f16 ? PT_F16 : PT_BF16, N);
        for (size_t i = 0; i < N; i++) {
            uint32_t word = (uint32_t)i << 16;
            float expected;
            memcpy(&expected, &word, sizeof expected);
            if (f16)
                expected = pt_f32_from_f16(bits[i]);
            if (isnan(expected))
                assert_true(isnan(wide[i]));
            else
                assert_memory_equal(&wide[i], &expected, sizeof expected);
        }
    }
}

static void widens(void **state)
{
    (void)state;
    with_all_kernels(widens_every_value);
}

/* Bytes of all three products with a number of threads. */
static void run_all(struct product_case *c, int threads)
{
    const struct shape *s = &c->shape;
    pt_threads_set(threads);
    pt_product_forward(c->math, s->m, c->x, s->n_in + X_PAD, &c->w, c->bias, c->y, s->n_out + DY_PAD);
    pt_product_backward(c->math, s->m, c->dy, s->n_out + DY_PAD, &c->w, false, c->dx, s->n_in + X_PAD);
    memset(c->dw, 0, s->n_out * s->n_in * sizeof *c->dw);
    pt_product_weight_gradient(c->math, s->m, s->n_out, s->n_in, c->dy, s->n_out + DY_PAD, c->x,
                               s->n_in + X_PAD, c->dw);
}

static void no_rows_are_nothing_to_do(void **state)
{
    (void)state;
    const struct shape s = {1, 40, 70};
    for (size_t i = 0; i < N_OF(all_settings); i++) {
        struct pt_math *math = open_or_skip(all_settings[i], PT_BF16);
        if (!math)
            continue;
        struct product_case c = new_case(math, s, PT_BF16, false);
        const float y = c.y[0], dx = c.dx[0];
        pt_product_forward(math, 0, c.x, s.n_in + X_PAD, &c.w, c.bias, c.y, s.n_out + DY_PAD);
        pt_product_backward(math, 0, c.dy, s.n_out + DY_PAD, &c.w, false, c.dx, s.n_in + X_PAD);
        assert_memory_equal(&y, c.y, sizeof y);
        assert_memory_equal(&dx, c.dx, sizeof dx);
        free_case(&c);
        pt_math_close(math);
    }
}

static void same_bytes_for_any_threads(void **state)
{
    (void)state;
    const struct shape many = {450, 530, 270}, few = {7, 530, 270};
    for (size_t i = 0; i < N_OF(all_settings); i++)
        for (int f = 0; f < 2; f++) {
            struct shape s = f ? few : many;
            pt_threads_set(3);
            struct pt_math *math = open_or_skip(all_settings[i], PT_BF16);
            if (!math)
                continue;
            struct product_case one = new_case(math, s, PT_BF16, false),
                                other = new_case(math, s, PT_BF16, false);
            run_all(&one, 1);
            for (int threads = 2; threads <= 3; threads++) {
                run_all(&other, threads);
                assert_memory_equal(one.y, other.y, s.m * (s.n_out + DY_PAD) * sizeof *one.y);
                assert_memory_equal(one.dx, other.dx, s.m * (s.n_in + X_PAD) * sizeof *one.dx);
                assert_memory_equal(one.dw, other.dw, s.n_out * s.n_in * sizeof *one.dw);
            }
            free_case(&one);
            free_case(&other);
            pt_math_close(math);
        }
    pt_threads_set(0);
}

/* Panels of one direction between guards, or NULL where there are none. */
static float *new_panels(const struct product_case *c, enum pt_direction direction)
{
    enum { GUARDS = 16 }; /* a line of cache */
    struct pt_error err = {0};
    const size_t n = pt_product_panels(c->math, &c->w, direction);
    float *panels = pt_new_floats(n + GUARDS, &err);
    assert_non_null(panels);
    for (size_t i = 0; i < n + GUARDS; i++)
        panels[i] = guard;
    if (n)
        pt_product_pack(c->math, &c->w, direction, panels);
    for (size_t i = n; i < n + GUARDS; i++)
        assert_true(panels[i] == guard);
    if (n)
        return panels;
    free(panels);
    return NULL;
}

/* The same bytes with panels, from which alone products of many rows come: the weight is gone then. */
static void check_panels(const char *setting, enum pt_dtype dtype, struct shape s, bool transposed)
{
    pt_threads_set(3);
    struct pt_math *math = open_or_skip(setting, dtype);
    if (!math)
        return;
    struct product_case plain = new_case(math, s, dtype, transposed),
                        kept = new_case(math, s, dtype, transposed);
    float *panels[PT_DIRECTIONS];
    for (enum pt_direction d = PT_FORWARD; d < PT_DIRECTIONS; d++)
        kept.w.panels[d] = panels[d] = new_panels(&kept, d);
    run_all(&plain, 1);
    run_all(&kept, 3);
    assert_memory_equal(plain.y, kept.y, s.m * (s.n_out + DY_PAD) * sizeof *plain.y);
    assert_memory_equal(plain.dx, kept.dx, s.m * (s.n_in + X_PAD) * sizeof *plain.dx);
    if (s.m > 256 && panels[PT_FORWARD] && panels[PT_BACKWARD]) {
        memset(kept.stored, 0, s.n_out * s.n_in * pt_dtype_bytes(dtype));
        run_all(&kept, 2);
        assert_memory_equal(plain.y, kept.y, s.m * (s.n_out + DY_PAD) * sizeof *plain.y);
        assert_memory_equal(plain.dx, kept.dx, s.m * (s.n_in + X_PAD) * sizeof *plain.dx);
    }
    free(panels[PT_FORWARD]);
    free(panels[PT_BACKWARD]);
    free_case(&plain);
    free_case(&kept);
    pt_math_close(math);
    pt_threads_set(0);
}

static void same_bytes_with_panels(void **state)
{
    (void)state;
    static const struct shape some[] = {{7, 66, 70}, {300, 270, 70}, {260, 33, 2085}, {2060, 36, 40}};
    static const enum pt_dtype dtypes[] = {PT_F32, PT_BF16, PT_F16};
    for (size_t i = 0; i < N_OF(all_settings); i++)
        for (size_t d = 0; d < N_OF(dtypes); d++)
            for (size_t s = 0; s < 2 * N_OF(some); s++)
                check_panels(all_settings[i], dtypes[d], some[s / 2], s % 2);
}

/* Rows of a product, some of them alone. */
static void check_rows_alone(const char *setting, bool transposed, bool forward)
{
    const struct shape s = {131, 170, 2300};
    struct pt_math *math = open_or_skip(setting, PT_BF16);
    if (!math)
        return;
    struct product_case c = new_case(math, s, PT_BF16, transposed);
    const size_t ldx = s.n_in + X_PAD, ldy = s.n_out + DY_PAD;
    float *alone = new_values(s.n_in, 1.0f, 9);
    if (forward)
        pt_product_forward(math, s.m, c.x, ldx, &c.w, c.bias, c.y, ldy);
    else
        pt_product_backward(math, s.m, c.dy, ldy, &c.w, false, c.dx, ldx);
    for (size_t row = 0; row < s.m; row += 13) {
        if (forward)
            pt_product_forward(math, 1, c.x + row * ldx, ldx, &c.w, c.bias, alone, s.n_out);
        else
            pt_product_backward(math, 1, c.dy + row * ldy, ldy, &c.w, false, alone, s.n_in);
        assert_memory_equal(alone, forward ? c.y + row * ldy : c.dx + row * ldx,
                            (forward ? s.n_out : s.n_in) * sizeof *alone);
    }
    free(alone);
    free_case(&c);
    pt_math_close(math);
}

/* Where vectors are wide a row of a result does not depend on what other rows stand beside it, so that
 * batches and slices may be cut anywhere, as long as no element of the matrix is rounded to bf16 on the way,
 * and on Intel's CPUs up to 136 rows; elsewhere that holds for matrices whose rows run along the result's
 * columns. */
static void rows_do_not_depend_on_their_number(void **state)
{
    (void)state;
    static const char *const wide[] = {"f32:avx512", "bf16:avx512bf16"}, *const narrow[] = {"f32:portable",
                                                                                            "f32:avx2",
                                                                                            "bf16:portable"};
    for (size_t i = 0; i < N_OF(wide); i++)
        for (int choice = 0; choice < 4; choice++)
            check_rows_alone(wide[i], choice & 1, choice & 2);
    for (size_t i = 0; i < N_OF(narrow); i++) {
        check_rows_alone(narrow[i], false, false);
        check_rows_alone(narrow[i], true, true);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(widens),
        cmocka_unit_test(agrees_with_the_plain_loop),
        cmocka_unit_test(errs_no_more_than_its_mode_may),
        cmocka_unit_test(keeps_f32_beside_bf16),
        cmocka_unit_test(rows_do_not_depend_on_their_number),
        cmocka_unit_test(no_rows_are_nothing_to_do),
        cmocka_unit_test(same_bytes_for_any_threads),
        cmocka_unit_test(same_bytes_with_panels),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
