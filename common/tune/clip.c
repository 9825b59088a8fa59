/*
 * A gradient is summed in a fixed number of parts whose borders depend on its length alone; threads share the
 * parts, and the parts' sums are added in order.
 */
#include "tune/clip.h"

#include "base/profile.h"

#include <math.h>

enum { PARTS = 64, PARALLEL_ELEMENTS = 1 << 16 };

static double sum_of_squares(const float *values, size_t n)
{
    double part[PARTS];
#pragma omp parallel for schedule(static) if (n > PARALLEL_ELEMENTS)
    for (size_t i = 0; i < PARTS; i++) {
        double sum = 0;
        for (size_t j = n / PARTS * i + (n % PARTS) * i / PARTS;
             j < n / PARTS * (i + 1) + (n % PARTS) * (i + 1) / PARTS; j++)
            sum += (double)values[j] * (double)values[j];
        part[i] = sum;
    }
    double sum = 0;
    for (size_t i = 0; i < PARTS; i++)
        sum += part[i];
    return sum;
}

double pt_gradient_norm(const struct pt_parameters *parameters)
{
    PT_PROFILED(PT_PART_OPTIMIZER, PT_FORWARD, pt_parameters_count(parameters) * sizeof(float));
    double sum = 0;
    for (size_t i = 0; i < parameters->n; i++)
        sum += sum_of_squares(parameters->list[i].gradient, parameters->list[i].n);
    return sqrt(sum);
}

void pt_clip_gradients(struct pt_parameters *parameters, double norm, double max_norm)
{
    PT_PROFILED(PT_PART_OPTIMIZER, PT_FORWARD, 2 * pt_parameters_count(parameters) * sizeof(float));
    const float coefficient = (float)fmin(1, max_norm / (norm + 1e-6));
    for (size_t i = 0; i < parameters->n; i++) {
        float *gradient = parameters->list[i].gradient;
        const size_t n = parameters->list[i].n;
#pragma omp parallel for schedule(static) if (n > PARALLEL_ELEMENTS)
        for (size_t j = 0; j < n; j++)
            gradient[j] *= coefficient;
    }
}
