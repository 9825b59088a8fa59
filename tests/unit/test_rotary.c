/*
 * Rotary embedding against the formula in double, and its backward against the definition of a transpose.
 */
#include "math_values.h"

#include "base/threads.h"
#include "math/rotary.h"

enum { ROWS = 5, HEADS = 3, POSITIONS = 9 };
static const uint32_t positions[ROWS] = {0, 8, 3, 3, 1};

/* Heads of `dim` elements, of which rotary_dim are turned. */
static const struct {
    size_t dim, rotary_dim;
} sizes[] = {{2, 2}, {8, 8}, {10, 4}, {64, 64}, {80, 20}, {96, 96}, {128, 128}, {50, 46}};

struct operands {
    size_t row, head;
    struct pt_rotary_table table;
    float *cos, *sin, *x, *y;
};

static struct operands new_operands(size_t dim, size_t rotary_dim)
{
    const size_t half = rotary_dim / 2, head = dim + 1, row = HEADS * head + 3;
    struct operands o = {row,
                         head,
                         {rotary_dim, NULL, NULL},
                         new_values(POSITIONS * half, 1.0f, 1),
                         new_values(POSITIONS * half, 1.0f, 2),
                         new_values(ROWS * row, 1.0f, 3),
                         new_values(ROWS * row, 1.0f, 3)};
    o.table.cos = o.cos;
    o.table.sin = o.sin;
    return o;
}

static void free_operands(struct operands *o)
{
    free(o->cos);
    free(o->sin);
    free(o->x);
    free(o->y);
}

/* Each element of y from those of x; where it is in no head's turned part it is as before. */
static void check_forward(const struct operands *o, size_t rotary_dim)
{
    const size_t half = rotary_dim / 2;
    for (size_t i = 0; i < ROWS * o->row; i++) {
        size_t j = i % o->row % o->head, at = positions[i / o->row] * half + j % half;
        bool turned = i % o->row / o->head < HEADS && j < rotary_dim;
        double c = (double)o->cos[at], s = (double)o->sin[at], x = (double)o->x[i];
        double expected = !turned    ? x
                          : j < half ? x * c - (double)o->x[i + half] * s
                                     : x * c + (double)o->x[i - half] * s;
        assert_near((double)o->y[i], expected, turned ? 2e-7 : 0, "turned", i);
    }
}

/* z · turn(x) = turn'(z) · x for the transpose turn', over the turned heads; the rest is equal and cancels.
 */
static void check_backward(const struct operands *o)
{
    float *z = new_values(ROWS * o->row, 1.0f, 5), *dz = new_values(ROWS * o->row, 1.0f, 5);
    pt_rotary_backward(&o->table, positions, ROWS, HEADS, (struct pt_heads){dz, o->row, o->head});
    double forward = 0, backward = 0;
    for (size_t i = 0; i < ROWS * o->row; i++) {
        forward += (double)z[i] * (double)o->y[i];
        backward += (double)dz[i] * (double)o->x[i];
    }
    assert_near(backward, forward, 1e-7 * (double)(ROWS * o->row), "transpose", 0);
    free(z);
    free(dz);
}

static void check_all_sizes(void)
{
    for (size_t i = 0; i < N_OF(sizes); i++) {
        struct operands o = new_operands(sizes[i].dim, sizes[i].rotary_dim);
        pt_rotary_forward(&o.table, positions, ROWS, HEADS, (struct pt_heads){o.y, o.row, o.head});
        check_forward(&o, sizes[i].rotary_dim);
        check_backward(&o);
        free_operands(&o);
    }
}

static void turns_heads(void **state)
{
    (void)state;
    with_all_kernels(check_all_sizes);
}

static void same_bytes_for_any_threads(void **state)
{
    (void)state;
    struct operands one = new_operands(64, 32), other = new_operands(64, 32);
    pt_threads_set(1);
    pt_rotary_forward(&one.table, positions, ROWS, HEADS, (struct pt_heads){one.y, one.row, one.head});
    pt_threads_set(3);
    pt_rotary_forward(&other.table, positions, ROWS, HEADS,
                      (struct pt_heads){other.y, other.row, other.head});
    pt_threads_set(0);
    assert_memory_equal(one.y, other.y, ROWS * one.row * sizeof(float));
    free_operands(&one);
    free_operands(&other);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(turns_heads),
        cmocka_unit_test(same_bytes_for_any_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
