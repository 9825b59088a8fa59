/*
 * The choice of mode and path: what was asked for, else the first of the list that the CPU has and that
 * computes rightly. By the CPU's vendor and features alone: vdpbf16ps is twice as fast as f32 on AMD and half
 * as fast on Intel.
 */
#include "math/math.h"

#include "base/log.h"
#include "base/memory.h"
#include "base/threads.h"
#include "math/paths.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* In the order of preference. */
static const struct path {
    const char *mode, *name;
    const struct pt_kernels *kernels; /* NULL: the best there are */
    bool pairs, openblas, only_if_asked;
} paths[] = {
    {.mode = "bf16", .name = "avx512bf16", .kernels = &pt_kernels_avx512bf16, .pairs = true},
    {.mode = "bf16",
     .name = "emulated",
     .kernels = &pt_kernels_portable,
     .pairs = true,
     .only_if_asked = true},
    {.mode = "f32", .name = "avx512", .kernels = &pt_kernels_avx512},
    {.mode = "f32", .name = "avx2", .kernels = &pt_kernels_avx2},
    {.mode = "f32", .name = "openblas", .openblas = true},
    {.mode = "f32", .name = "portable", .kernels = &pt_kernels_portable},
};
enum { N_PATHS = sizeof paths / sizeof paths[0] };

/* Names that are known, but whose paths are for other machines than this version serves. */
static const char *const absent_modes[] = {"bf16x2", "bf16x3"}, *const absent_paths[] = {"amx"};

struct request {
    char mode[16], path[16]; /* path "" where it is left open */
};

static bool is_mode(const char *name)
{
    bool known = !strcmp(name, "auto") || !strcmp(name, absent_modes[0]) || !strcmp(name, absent_modes[1]);
    for (int i = 0; i < N_PATHS && !known; i++)
        known = !strcmp(name, paths[i].mode);
    return known;
}

static bool is_path(const char *name)
{
    bool known = !strcmp(name, absent_paths[0]);
    for (int i = 0; i < N_PATHS && !known; i++)
        known = !strcmp(name, paths[i].name);
    return known;
}

static int parse(struct request *request, const char *setting, struct pt_error *err)
{
    const char *colon = strchr(setting, ':');
    size_t mode_length = colon ? (size_t)(colon - setting) : strlen(setting);
    bool fits = mode_length < sizeof request->mode && (!colon || strlen(colon + 1) < sizeof request->path);
    if (fits) {
        snprintf(request->mode, sizeof request->mode, "%.*s", (int)mode_length, setting);
        snprintf(request->path, sizeof request->path, "%s", colon ? colon + 1 : "");
    }
    if (!fits || !is_mode(request->mode) || (colon && !is_path(request->path))) {
        pt_fail(err, PT_USAGE,
                "math: '%s': not a mode (auto, f32, bf16, bf16x2, bf16x3), or a mode and a path", setting);
        return pt_error_hint(
            err,
            "paths are portable, avx2, avx512, avx512bf16, amx, openblas and emulated, as in f32:openblas");
    }
    return PT_OK;
}

static bool usable(const struct path *path)
{
    return !path->kernels || pt_kernels_usable(path->kernels);
}

static bool vendor_is_amd(void)
{
#if defined __x86_64__
    return __builtin_cpu_is("amd");
#else
    return false;
#endif
}

/* "auto" computes in bf16 only over weights that are no wider than it can tell apart, where that is fast. */
static bool wanted(const struct path *path, const struct request *request, enum pt_dtype weights)
{
    if (*request->path)
        return !strcmp(path->name, request->path) &&
               (!strcmp(request->mode, "auto") || !strcmp(path->mode, request->mode));
    if (path->only_if_asked)
        return false;
    if (!strcmp(request->mode, "auto"))
        return !path->pairs || (weights != PT_F32 && vendor_is_amd());
    return !strcmp(path->mode, request->mode);
}

static void take(struct pt_math *math, const struct path *path, enum pt_dtype weights)
{
    pt_kernels_force(path->openblas ? NULL : path->kernels);
    math->kernels = pt_kernels();
    math->pairs = path->pairs;
    math->pairs_of_f32 = weights == PT_F32;
    math->openblas = path->openblas;
    snprintf(math->name, sizeof math->name, "%s:%s", path->mode, path->name);
    if (path->openblas)
        snprintf(math->description, sizeof math->description, "%s (%s), other kernels %s", math->name,
                 pt_openblas_core(), math->kernels->name);
    else
        snprintf(math->description, sizeof math->description, "%s", math->name);
}

static int refuse(const char *setting, const struct request *request, struct pt_error *err)
{
    for (int i = 0; i < N_PATHS; i++)
        if (wanted(&paths[i], request, PT_F32))
            return pt_fail(err, PT_MISMATCH, "math: %s: this CPU cannot run it", setting);
    bool absent = !strcmp(request->path, absent_paths[0]) || !strncmp(request->mode, "bf16x", 5);
    if (absent)
        return pt_fail(err, PT_MISMATCH, "math: %s: not available in this build", setting);
    return pt_fail(err, PT_USAGE, "math: %s: %s has no path %s", setting, request->mode, request->path);
}

/* The first wanted path that is right; after a wrong one any that follows in the list will do. */
static int choose(struct pt_math *math, const char *setting, const struct request *request,
                  enum pt_dtype weights, struct pt_error *err)
{
    bool dropped = false;
    for (int i = 0; i < N_PATHS; i++) {
        bool next = wanted(&paths[i], request, weights) || (dropped && !paths[i].only_if_asked);
        if (!next || !usable(&paths[i]))
            continue;
        take(math, &paths[i], weights);
        if (pt_math_is_right(math))
            return PT_OK;
        pt_log(PT_LOG_WARNING, "math: %s computes wrongly on this CPU and is not used", math->description);
        dropped = true;
    }
    if (dropped)
        return pt_fail(err, PT_MISMATCH, "math: %s: nothing left that computes rightly on this CPU", setting);
    return refuse(setting, request, err);
}

int pt_math_open(struct pt_math **math, const char *setting, enum pt_dtype weights, struct pt_error *err)
{
    struct request request;
    if (parse(&request, setting, err))
        return (int)err->status;
    pt_openblas_start();
    struct pt_math *new = pt_new_array(1, sizeof *new, err);
    if (!new)
        return (int)err->status;
    new->n_scratch = pt_threads() > pt_threads_available() ? pt_threads() : pt_threads_available();
    new->scratch = pt_new_floats((size_t) new->n_scratch *PT_SCRATCH, err);
    if (!new->scratch || choose(new, setting, &request, weights, err)) {
        pt_math_close(new);
        return (int)err->status;
    }
    *math = new;
    return PT_OK;
}

void pt_math_close(struct pt_math *math)
{
    if (!math)
        return;
    free(math->scratch);
    free(math);
}

const char *pt_math_name(const struct pt_math *math)
{
    return math->name;
}

const char *pt_math_describe(const struct pt_math *math)
{
    return math->description;
}
