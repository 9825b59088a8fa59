/*
 * Every family's checkpoint in all the forms and spellings that people have: they are the same model, tensor
 * by tensor, and narrow elements give the numbers of their f32 copies.
 */
#include "checkpoint_forms.h"
#include "reference.h"

#include "base/log.h"
#include "fmt/json.h"

enum { WIDE_HIDDEN = 96 };

static char logged[1024];

static void keep_log(void *context, enum pt_log_level level, const char *line)
{
    (void)context, (void)level;
    snprintf(logged, sizeof logged, "%s", line);
}

static void open_tensors(struct pt_tensors *set, const char *folder)
{
    struct pt_error err = {0};
    assert_int_equal(pt_safetensors_open(set, reference_file(folder, "model.safetensors"), &err), 0);
}

static void add(struct pt_tensors *set, const char *name, const struct pt_tensor *t, const void *data)
{
    struct pt_error err = {0};
    assert_int_equal(pt_tensors_add(set, name, t->dtype, t->rank, t->shape, data, &err), 0);
}

/* The tensor under the head's name, stored or not. */
static const struct pt_tensor *head_of(const struct pt_tensors *set, const struct pt_family *family)
{
    return pt_tensors_find(set, family->names[PT_HEAD]);
}

static const struct pt_tensor *embedding_of(const struct pt_tensors *set, const struct pt_family *family)
{
    char name[128];
    snprintf(name, sizeof name, "%s%s", family->prefixes[0], family->names[PT_EMBEDDING]);
    return pt_tensors_find(set, name);
}

/* The tensors with another prefix instead of the canonical one. */
static void rename_tensors(struct pt_tensors *renamed, const struct pt_tensors *source,
                           const struct pt_family *family, const char *prefix)
{
    size_t cut = strlen(family->prefixes[0]);
    char name[256];
    for (size_t i = 0; i < source->n; i++) {
        const struct pt_tensor *t = &source->tensors[i];
        bool has = !strncmp(t->name, family->prefixes[0], cut);
        snprintf(name, sizeof name, "%s%s", has ? prefix : "", has ? t->name + cut : t->name);
        add(renamed, name, t, t->data);
    }
}

/* What old files hold beside the parameters: a copy of a tied head, masks, frequencies. */
static void add_what_old_files_hold(struct pt_tensors *set, const struct pt_tensors *source,
                                    const struct pt_family *family, const char *prefix)
{
    static const struct pt_tensor mask = {.dtype = PT_BOOL, .rank = 4, .shape = {1, 1, 4, 4}};
    static const uint8_t masks[N_OF(family->buffers)][16];
    char name[256];
    if (!head_of(source, family))
        add(set, family->names[PT_HEAD], embedding_of(source, family), embedding_of(source, family)->data);
    for (size_t b = 0; b < N_OF(family->buffers) && family->buffers[b]; b++) {
        const char *place = strstr(family->buffers[b], "%u");
        snprintf(name, sizeof name, "%s%.*s%s%s", prefix, place ? (int)(place - family->buffers[b]) : 99,
                 family->buffers[b], place ? "1" : "", place ? place + 2 : "");
        add(set, name, &mask, masks[b]);
    }
}

static void same_model(const struct pt_model *found, const struct pt_model *expected)
{
    const struct pt_config *config = pt_model_config(expected);
    assert_string_equal(pt_model_fingerprint(found).text, pt_model_fingerprint(expected).text);
    assert_int_equal(pt_model_parameters(found), pt_model_parameters(expected));
    assert_true((pt_model_head(found) == pt_model_tensor(found, 0, PT_EMBEDDING)) == config->tied_head);
    for (unsigned layer = 0; layer < config->n_layers; layer++)
        for (enum pt_role role = layer ? PT_FIRST_LAYER_ROLE : 0; role < PT_ROLES; role++) {
            const struct pt_tensor *a = pt_model_tensor(found, layer, role),
                                   *b = pt_model_tensor(expected, layer, role);
            assert_true(!a == !b);
            if (a && (a->n_bytes != b->n_bytes || memcmp(a->data, b->data, a->n_bytes)))
                fail_msg("%s differs", pt_model_tensor_name(expected, layer, role));
        }
}

static void every_form_and_spelling_is_the_same_model(void **state)
{
    (void)state;
    for (size_t f = 0; f < N_OF(reference_folders); f++) {
        struct pt_tensors source;
        struct pt_model *model = open_model(reference_file(reference_folders[f], ""));
        const struct pt_family *family = pt_model_config(model)->family;
        const char *prefixes[] = {"", family->prefixes[0], family->prefixes[1]};
        open_tensors(&source, reference_folders[f]);
        for (size_t i = 0; i < N_OF(checkpoint_forms); i++)
            for (size_t p = 0; p < N_OF(prefixes) && prefixes[p]; p++) {
                struct folder folder;
                struct pt_tensors renamed = {0};
                folder_make(&folder);
                rename_tensors(&renamed, &source, family, prefixes[p]);
                if (p > 0)
                    add_what_old_files_hold(&renamed, &source, family, prefixes[p]);
                write_checkpoint(&checkpoint_forms[i], &folder, &renamed);
                folder_copy(&folder, reference_file(reference_folders[f], "config.json"), "config.json");
                struct pt_model *other = open_model(folder.path);
                same_model(other, model);
                pt_model_close(other);
                pt_tensors_free(&renamed);
                folder_remove(&folder);
            }
        pt_tensors_free(&source);
        pt_model_close(model);
    }
    assert_string_equal(logged, "");
}

/* The folder's configuration with the head tied or not. */
static void write_config(const struct folder *to, const char *from, bool tied)
{
    struct pt_error err = {0};
    json_t *object;
    assert_int_equal(pt_json_load(&object, reference_file(from, "config.json"), &err), 0);
    assert_int_equal(json_object_set_new(object, "tie_word_embeddings", json_boolean(tied)), 0);
    assert_int_equal(json_dump_file(object, folder_file(to, "config.json"), 0), 0);
    json_decref(object);
}

/* Whether the head in use holds these values; NULL: opening is refused, since there is none. */
static void check_head(const struct folder *folder, const struct pt_family *family, const float *head,
                       size_t n_bytes, uint64_t parameters, bool warned)
{
    struct pt_error err = {0};
    struct pt_model *model;
    logged[0] = 0;
    if (!head) {
        assert_int_equal(pt_model_open(&model, folder->path, &err), PT_BAD_INPUT);
        assert_non_null(strstr(err.message, family->names[PT_HEAD]));
        return;
    }
    model = open_model(folder->path);
    assert_int_equal(pt_model_head(model)->n_bytes, n_bytes);
    assert_memory_equal(pt_model_head(model)->data, head, n_bytes);
    assert_int_equal(pt_model_parameters(model), parameters);
    assert_int_equal(strstr(logged, family->names[PT_HEAD]) != NULL, warned);
    pt_model_close(model);
}

/* In every family, whatever it does by itself: tied or not, and the head absent, a copy of the embedding, or
 * another. */
static void heads_are_tied_as_the_configuration_says(void **state)
{
    (void)state;
    for (size_t f = 0; f < N_OF(reference_folders); f++) {
        struct pt_tensors source;
        struct pt_model *model = open_model(reference_file(reference_folders[f], ""));
        const struct pt_config *config = pt_model_config(model);
        const struct pt_family *family = config->family;
        open_tensors(&source, reference_folders[f]);
        const struct pt_tensor *embedding = embedding_of(&source, family);
        uint64_t parameters = pt_model_parameters(model) - (config->tied_head ? 0 : embedding->n_elements);
        float *copy = malloc(embedding->n_bytes), *other = malloc(embedding->n_bytes);
        memcpy(copy, embedding->data, embedding->n_bytes);
        memcpy(other, embedding->data, embedding->n_bytes);
        other[embedding->n_elements / 2] += 1;
        const float *const heads[] = {NULL, copy, other};
        for (int tied = 0; tied < 2; tied++)
            for (size_t h = 0; h < N_OF(heads); h++) {
                struct folder folder;
                struct pt_tensors set = {0};
                folder_make(&folder);
                for (size_t i = 0; i < source.n; i++)
                    if (&source.tensors[i] != head_of(&source, family))
                        add(&set, source.tensors[i].name, &source.tensors[i], source.tensors[i].data);
                if (heads[h])
                    add(&set, family->names[PT_HEAD], embedding, heads[h]);
                folder_write_tensors(&folder, "model.safetensors", &set);
                write_config(&folder, reference_folders[f], tied);
                check_head(&folder, family, tied && !heads[h] ? copy : heads[h], embedding->n_bytes,
                           parameters + (tied ? 0 : embedding->n_elements), tied && heads[h] == other);
                pt_tensors_free(&set);
                folder_remove(&folder);
            }
        free(copy);
        free(other);
        pt_tensors_free(&source);
        pt_model_close(model);
    }
}

enum fault { MISSING, DOUBLED, OTHER_SHAPE, OTHER_RANK, OTHER_DTYPE, FAULTS };

static void add_faulty(struct pt_tensors *set, const struct pt_tensor *t, enum fault fault,
                       const char *spelling)
{
    struct pt_tensor faulty = *t;
    faulty.dtype = fault == OTHER_DTYPE ? PT_I32 : t->dtype;
    if (fault == OTHER_SHAPE && t->rank == 2)
        faulty.shape[0] *= 2, faulty.shape[1] /= 2;
    else if (fault == OTHER_SHAPE)
        faulty.shape[0] /= 2;
    if (fault == OTHER_RANK)
        faulty.shape[faulty.rank++] = 1;
    if (fault != MISSING)
        add(set, t->name, &faulty, t->data);
    if (fault == DOUBLED)
        add(set, spelling, t, t->data);
}

/* The tensors with one of them as it should not be: refused, and the tensor named. */
static void check_fault(const struct folder *folder, const struct pt_tensors *source, size_t at,
                        enum fault fault, const struct pt_family *family)
{
    struct pt_error err = {0};
    struct pt_model *model;
    struct pt_tensors set = {0};
    const char *name = source->tensors[at].name;
    size_t cut = strlen(family->prefixes[0]);
    for (size_t i = 0; i < source->n; i++) {
        const struct pt_tensor *t = &source->tensors[i];
        add_faulty(&set, t, i == at ? fault : FAULTS, t->name + cut);
    }
    folder_write_tensors(folder, "model.safetensors", &set);
    if (pt_model_open(&model, folder->path, &err) !=
            (fault == MISSING || fault == DOUBLED ? PT_BAD_INPUT : PT_MISMATCH) ||
        !strstr(err.message, name))
        fail_msg("%s, fault %d: %d, %s", name, (int)fault, (int)err.status, err.message);
    pt_tensors_free(&set);
}

/* Outside of layers, and in the first one: the others are alike. */
static bool stands_for_all(const char *name)
{
    const char *digit = strpbrk(name, "0123456789");
    return !digit || (digit[0] == '0' && digit[1] == '.');
}

static void each_tensor_is_checked(void **state)
{
    (void)state;
    for (size_t f = 0; f < N_OF(reference_folders); f++) {
        struct folder folder;
        struct pt_tensors source;
        struct pt_model *model = open_model(reference_file(reference_folders[f], ""));
        const struct pt_family *family = pt_model_config(model)->family;
        open_tensors(&source, reference_folders[f]);
        folder_make(&folder);
        folder_copy(&folder, reference_file(reference_folders[f], "config.json"), "config.json");
        for (size_t i = 0; i < source.n; i++)
            for (enum fault fault = 0; fault < FAULTS && stands_for_all(source.tensors[i].name); fault++)
                if (fault != DOUBLED || &source.tensors[i] != head_of(&source, family))
                    check_fault(&folder, &source, i, fault, family);
        pt_tensors_free(&source);
        pt_model_close(model);
        folder_remove(&folder);
    }
}

/* How a checkpoint's elements are made narrower; vectors may stay f32. */
struct narrowing {
    enum pt_dtype dtype;
    bool vectors;
};

/* The folder's tensors rounded to a narrower type, and beside them the same numbers widened to f32 again. */
static void round_tensors(struct pt_tensors *narrow, struct pt_tensors *wide, const char *folder,
                          const struct narrowing *how)
{
    struct pt_error err = {0};
    struct pt_tensors source;
    open_tensors(&source, folder);
    for (size_t i = 0; i < source.n; i++) {
        const struct pt_tensor *t = &source.tensors[i];
        const enum pt_dtype dtype = how->dtype;
        if (t->rank == 1 && !how->vectors) {
            float *copy = malloc(t->n_bytes);
            memcpy(copy, t->data, t->n_bytes);
            assert_int_equal(pt_tensors_keep(narrow, copy, &err), 0);
            add(narrow, t->name, t, copy);
            add(wide, t->name, t, copy);
            continue;
        }
        uint16_t *bits = malloc(t->n_elements * sizeof *bits);
        float *values = malloc(t->n_elements * sizeof *values);
        pt_to_f32(values, t->data, PT_F32, t->n_elements);
        for (size_t j = 0; j < t->n_elements; j++)
            bits[j] = dtype == PT_F16 ? pt_f16_from_f32(values[j]) : pt_bf16_from_f32(values[j]);
        pt_to_f32(values, bits, dtype, t->n_elements);
        assert_int_equal(pt_tensors_keep(narrow, bits, &err), 0);
        assert_int_equal(pt_tensors_keep(wide, values, &err), 0);
        assert_int_equal(pt_tensors_add(narrow, t->name, dtype, t->rank, t->shape, bits, &err), 0);
        add(wide, t->name, t, values);
    }
    pt_tensors_free(&source);
}

struct numbers {
    double loss;
    float *logits, *gradient; /* [rows, vocab], [N_VIRTUAL, hidden], owned */
    size_t n_logits, n_gradient;
};

/* What a model of the reference's shape gives for the reference's examples; false where this machine lacks
 * the way of computing. */
static bool compute(struct numbers *numbers, const struct reference *r, const struct folder *folder,
                    const char *math)
{
    struct pt_error err = {0};
    struct reference other = *r;
    other.model = open_model(folder->path);
    bool usable = !pt_math_open(&other.math, math, pt_model_dtype(other.model), &err);
    *numbers =
        (struct numbers){.n_logits = r->sequences[0].n * r->vocab, .n_gradient = N_VIRTUAL * r->hidden};
    if (usable) {
        numbers->logits = malloc(numbers->n_logits * sizeof *numbers->logits);
        numbers->gradient = calloc(numbers->n_gradient, sizeof *numbers->gradient);
        struct pt_plugs plugs = prompt_plugs(r, numbers->gradient);
        struct pt_engine *engine = open_engine(&other, &plugs, 40);
        assert_int_equal(pt_engine_update(engine, r->sequences, N_EXAMPLES, &numbers->loss, NULL, &err), 0);
        assert_int_equal(pt_engine_logits(engine, r->words[0], r->sequences[0].n, numbers->logits, &err), 0);
        pt_engine_close(engine);
        pt_math_close(other.math);
    }
    pt_model_close(other.model);
    return usable;
}

/* The largest deviation between what a narrow checkpoint and its f32 copy give; 0 where it is not usable. */
static double narrow_deviation(const struct reference *r, const struct folder *narrow,
                               const struct folder *wide, const char *math)
{
    struct numbers a, b;
    double worst = 0;
    if (compute(&a, r, narrow, math) && compute(&b, r, wide, math)) {
        worst = fmax(deviation(a.logits, b.logits, PT_F32, b.n_logits),
                     deviation(a.gradient, b.gradient, PT_F32, b.n_gradient));
        worst = fmax(worst, fabs(a.loss - b.loss) / b.loss);
        free(b.logits);
        free(b.gradient);
    }
    free(a.logits);
    free(a.gradient);
    return worst;
}

/* In what is as good as f32, narrow weights are widened, and the sums that follow are the same. The narrow
 * copies come in each form of file in turn, so that weights lie at odd places too. */
static void narrow_weights_compute_as_their_f32_copies(void **state)
{
    (void)state;
    static const struct narrowing narrowings[] = {{PT_BF16, true}, {PT_F16, true}, {PT_BF16, false}};
    static const struct {
        const char *math;
        double bound; /* OpenBLAS may sum a panel in another order than the whole matrix */
    } ways[] = {{"f32:portable", 0},
                {"f32:avx2", 0},
                {"f32:avx512", 0},
                {"f32:openblas", 5e-6},
                {"bf16x3:emulated", 0}};
    double worst[N_OF(ways)] = {0};
    for (size_t f = 0; f < N_OF(reference_folders); f++)
        for (size_t d = 0; d < N_OF(narrowings); d++) {
            const struct checkpoint_form *form = &checkpoint_forms[(f + d) % N_OF(checkpoint_forms)];
            struct reference r;
            struct folder narrow, wide;
            struct pt_tensors narrow_set = {0}, wide_set = {0};
            open_reference(&r, reference_folders[f], "f32");
            folder_make(&narrow);
            folder_make(&wide);
            round_tensors(&narrow_set, &wide_set, reference_folders[f], &narrowings[d]);
            write_checkpoint(form, &narrow, &narrow_set);
            write_checkpoint(&checkpoint_forms[0], &wide, &wide_set);
            folder_copy(&narrow, reference_file(reference_folders[f], "config.json"), "config.json");
            folder_copy(&wide, reference_file(reference_folders[f], "config.json"), "config.json");
            for (size_t m = 0; m < N_OF(ways) - (f > 0); m++) { /* the emulation takes its time */
                double deviates = narrow_deviation(&r, &narrow, &wide, ways[m].math);
                if (!(deviates <= ways[m].bound))
                    fail_msg("%s, %s in %s, %s: deviates by %.1e", reference_folders[f],
                             pt_dtype_name(narrowings[d].dtype), form->title, ways[m].math, deviates);
                worst[m] = fmax(worst[m], deviates);
            }
            pt_tensors_free(&narrow_set);
            pt_tensors_free(&wide_set);
            folder_remove(&narrow);
            folder_remove(&wide);
            close_reference(&r);
        }
    for (size_t m = 0; m < N_OF(ways); m++)
        print_message("# %s: at most %.1e from the f32 copies\n", ways[m].math, worst[m]);
}

/* Gemma with a hidden size whose root is no power of two, all matrices of this dtype and of values that use
 * all of its bits. */
static void write_wide_gemma(const struct folder *folder, enum pt_dtype dtype)
{
    struct pt_error err = {0};
    struct pt_tensors source, set = {0};
    json_t *config;
    open_tensors(&source, "gemma");
    for (size_t i = 0; i < source.n; i++) {
        struct pt_tensor t = source.tensors[i];
        t.dtype = dtype;
        size_t n = 1;
        for (unsigned d = 0; d < t.rank; d++) {
            t.shape[d] = t.shape[d] == 64 ? WIDE_HIDDEN : t.shape[d];
            n *= (size_t)t.shape[d];
        }
        uint16_t *bits = calloc(n, sizeof *bits);
        const uint16_t tenth = dtype == PT_F16 ? pt_f16_from_f32(0.1f) : pt_bf16_from_f32(0.1f);
        for (size_t j = 0; j < n; j++)
            bits[j] = (uint16_t)(tenth + j % 211);
        assert_int_equal(pt_tensors_keep(&set, bits, &err), 0);
        add(&set, t.name, &t, bits);
    }
    folder_write_tensors(folder, "model.safetensors", &set);
    assert_int_equal(pt_json_load(&config, reference_file("gemma", "config.json"), &err), 0);
    assert_int_equal(json_object_set_new(config, "hidden_size", json_integer(WIDE_HIDDEN)), 0);
    assert_int_equal(json_dump_file(config, folder_file(folder, "config.json"), 0), 0);
    json_decref(config);
    pt_tensors_free(&set);
    pt_tensors_free(&source);
}

/* The row that pt-init takes is the product in the table's dtype: it and its factor are rounded, as by
 * transformers' scaled embedding. */
static void scaled_rows_are_rounded_to_the_tables_dtype(void **state)
{
    (void)state;
    for (int f16 = 0; f16 < 2; f16++) {
        struct folder folder;
        float row[WIDE_HIDDEN], plain[WIDE_HIDDEN];
        size_t n_rounded = 0;
        folder_make(&folder);
        write_wide_gemma(&folder, f16 ? PT_F16 : PT_BF16);
        struct pt_model *model = open_model(folder.path);
        const struct pt_tensor *table = pt_model_tensor(model, 0, PT_EMBEDDING);
        pt_to_f32(plain, table->data, table->dtype, WIDE_HIDDEN);
        pt_model_embedding(model, 0, row);
        const float root = sqrtf(WIDE_HIDDEN);
        const float factor =
            f16 ? pt_f32_from_f16(pt_f16_from_f32(root)) : pt_f32_from_bf16(pt_bf16_from_f32(root));
        for (size_t i = 0; i < WIDE_HIDDEN; i++) {
            const float product = plain[i] * factor;
            assert_true(row[i] == (f16 ? pt_f32_from_f16(pt_f16_from_f32(product))
                                       : pt_f32_from_bf16(pt_bf16_from_f32(product))));
            n_rounded += row[i] != product;
        }
        assert_true(n_rounded > WIDE_HIDDEN / 2);
        pt_model_close(model);
        folder_remove(&folder);
    }
}

static int start(void **state)
{
    pt_log_set_sink(keep_log, NULL);
    return use_one_thread(state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_form_and_spelling_is_the_same_model),
        cmocka_unit_test(heads_are_tied_as_the_configuration_says),
        cmocka_unit_test(each_tensor_is_checked),
        cmocka_unit_test(narrow_weights_compute_as_their_f32_copies),
        cmocka_unit_test(scaled_rows_are_rounded_to_the_tables_dtype),
    };
    return cmocka_run_group_tests(tests, start, NULL);
}
