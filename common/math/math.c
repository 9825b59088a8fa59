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

/* What "auto" takes a path for. */
enum automatic { NEVER, ALWAYS, NARROW, NARROW_ON_AMD, WIDE_BY_NAME };

/*
 * In the order of preference. On AMX the three terms of "bf16x3" are as exact as f32 (a product's error is
 * 2e-7 to 4e-7), but are six products of bf16: over f32 weights updates took 0.94 times as long as in f32
 * (medians of 15 in turn, on two virtual cores of an Emerald Rapids), so they are taken by name. Two terms
 * took half as long, and leave 2e-6 to 4e-6, more than the 1e-6 that f32 paths are held to.
 */
static const struct path {
    const char *mode, *name;
    enum automatic automatic;
    int n_terms;
    const struct pt_kernels *kernels; /* NULL: the best there are */
    const struct pt_tiles *tiles;
    bool openblas, only_by_name;
} paths[] = {
    {"bf16", "amx", NARROW, 1, &pt_kernels_avx512bf16, &pt_tiles_amx, false, false},
    {"bf16", "avx512bf16", NARROW_ON_AMD, 1, &pt_kernels_avx512bf16, NULL, false, false},
    {"bf16x2", "amx", NEVER, 2, &pt_kernels_avx512bf16, &pt_tiles_amx, false, false},
    {"bf16x3", "amx", WIDE_BY_NAME, 3, &pt_kernels_avx512bf16, &pt_tiles_amx, false, false},
    {"f32", "avx512", ALWAYS, 0, &pt_kernels_avx512, NULL, false, false},
    {"f32", "avx2", ALWAYS, 0, &pt_kernels_avx2, NULL, false, false},
    {"f32", "openblas", ALWAYS, 0, NULL, NULL, true, false},
    {"f32", "portable", ALWAYS, 0, &pt_kernels_portable, NULL, false, false},
    {"bf16", "portable", NEVER, 1, &pt_kernels_portable, NULL, false, true},
    {"bf16", "emulated", NARROW, 1, &pt_kernels_portable, &pt_tiles_emulated, false, true},
    {"bf16x2", "emulated", NEVER, 2, &pt_kernels_portable, &pt_tiles_emulated, false, true},
    {"bf16x3", "emulated", WIDE_BY_NAME, 3, &pt_kernels_portable, &pt_tiles_emulated, false, true},
};
enum { N_PATHS = sizeof paths / sizeof paths[0] };

struct request {
    char mode[16], path[16]; /* path "" where it is left open */
};

static bool is_mode(const char *name)
{
    bool known = !strcmp(name, "auto");
    for (int i = 0; i < N_PATHS && !known; i++)
        known = !strcmp(name, paths[i].mode);
    return known;
}

static bool is_path(const char *name)
{
    bool known = false;
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

bool pt_math_is_setting(const char *setting)
{
    struct request request;
    struct pt_error err = {0};
    return !parse(&request, setting, &err);
}

static bool usable(const struct path *path)
{
    return (!path->kernels || pt_kernels_usable(path->kernels)) &&
           (!path->tiles || pt_tiles_usable(path->tiles));
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
static bool suits(const struct path *path, bool named, enum pt_dtype weights)
{
    switch (path->automatic) {
    case ALWAYS:
        return true;
    case NARROW:
        return weights != PT_F32;
    case NARROW_ON_AMD:
        return named || (weights != PT_F32 && vendor_is_amd());
    case WIDE_BY_NAME:
        return named && weights == PT_F32;
    case NEVER:
        break;
    }
    return false;
}

static bool wanted(const struct path *path, const struct request *request, enum pt_dtype weights)
{
    const bool named = *request->path;
    if (named ? strcmp(path->name, request->path) != 0 : path->only_by_name)
        return false;
    return strcmp(request->mode, "auto") ? !strcmp(path->mode, request->mode) : suits(path, named, weights);
}

static void take(struct pt_math *math, const struct path *path, enum pt_dtype weights)
{
    pt_kernels_force(path->openblas ? NULL : path->kernels);
    math->kernels = pt_kernels();
    math->tiles = path->tiles;
    math->n_terms = path->n_terms;
    math->narrow_f32 = weights == PT_F32;
    math->openblas = path->openblas;
    math->third_cache_is_fast = vendor_is_amd();
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
        if (wanted(&paths[i], request, PT_F32) || wanted(&paths[i], request, PT_BF16))
            return pt_fail(err, PT_MISMATCH, "math: %s: this CPU cannot run it", setting);
    return pt_fail(err, PT_USAGE, "math: %s: %s has no path %s", setting, request->mode, request->path);
}

/* The first wanted path that is right; after a wrong one any that follows in the list will do. */
static int choose(struct pt_math *math, const char *setting, const struct request *request,
                  enum pt_dtype weights, struct pt_error *err)
{
    bool dropped = false;
    for (int i = 0; i < N_PATHS; i++) {
        bool next = wanted(&paths[i], request, weights) || (dropped && !paths[i].only_by_name);
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
    new->scratch_size = PT_SCRATCH > pt_tiles_scratch() ? PT_SCRATCH : pt_tiles_scratch();
    new->scratch = pt_new_floats((size_t) new->n_scratch *new->scratch_size, err);
    new->shared = new->scratch ? pt_new_floats(PT_SHARED, err) : NULL;
    if (!new->shared || choose(new, setting, &request, weights, err)) {
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
    free(math->shared);
    free(math);
}

size_t pt_math_bytes(const struct pt_math *math)
{
    return ((size_t)math->n_scratch * math->scratch_size + PT_SHARED) * sizeof(float);
}

const char *pt_math_name(const struct pt_math *math)
{
    return math->name;
}

const char *pt_math_describe(const struct pt_math *math)
{
    return math->description;
}
