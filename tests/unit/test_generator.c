/*
 * The generator against transformers' greedy ids behind a prompt (tests/data/reference), and what must not
 * depend on how texts are grouped.
 */
#include "base/buffer.h"
#include "fmt/safetensors.h"
#include "generate/generator.h"

#include "reference_folders.h"
#include "support.h"

#include <stdio.h>
#include <string.h>

#define OK(call) assert_int_equal(call, PT_OK)

struct fixture {
    struct pt_tensors cases;
    struct pt_model *model;
    struct pt_math *math;
    struct pt_engine *engine;
    struct pt_plugs plugs;
    struct pt_generation_settings settings;
};

static void open_fixture(struct fixture *fixture, const char *name)
{
    struct pt_error err = {0};
    char path[128];
    snprintf(path, sizeof path, "tests/data/reference/%s/cases.safetensors", name);
    OK(pt_safetensors_open(&fixture->cases, path, &err));
    snprintf(path, sizeof path, "tests/data/reference/%s/model", name);
    OK(pt_model_open(&fixture->model, path, &err));
    OK(pt_math_open(&fixture->math, "f32", PT_F32, &err));
    const struct pt_tensor *prompt = pt_tensors_find(&fixture->cases, "prompt");
    fixture->plugs.rows = (struct pt_plug_rows){.n = prompt->shape[0], .values = prompt->data};
    struct pt_engine_options options = {0};
    OK(pt_engine_open(&fixture->engine, fixture->model, fixture->math, &fixture->plugs, &options, &err));
    pt_generation_defaults(&fixture->settings);
    OK(pt_generation_read(&fixture->settings, path, &err));
    fixture->settings.max_new_tokens = 24;
}

static void close_fixture(struct fixture *fixture)
{
    pt_engine_close(fixture->engine);
    pt_math_close(fixture->math);
    pt_model_close(fixture->model);
    pt_tensors_free(&fixture->cases);
}

enum { MOST = 8 };

struct collected {
    struct pt_words ids[MOST];
    enum pt_finish finish[MOST];
    size_t stop_after; /* tokens; 0: never */
};

static int collect(void *context, size_t continuation, uint32_t id, enum pt_finish *finish,
                   struct pt_error *err)
{
    struct collected *collected = context;
    if (pt_words_push(&collected->ids[continuation], id, err))
        return (int)err->status;
    if (collected->ids[continuation].n == collected->stop_after)
        *finish = PT_FINISH_STOP;
    collected->finish[continuation] = *finish;
    return PT_OK;
}

static void forget(struct collected *collected)
{
    for (size_t i = 0; i < MOST; i++)
        pt_words_free(&collected->ids[i]);
}

static struct pt_generation_input input_of(const struct fixture *fixture, const char *name)
{
    const struct pt_tensor *ids = pt_tensors_find(&fixture->cases, name);
    return (struct pt_generation_input){ids->data, ids->n_elements};
}

static void greedy_ids_equal_the_reference(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_OF(reference_folders); i++) {
        struct fixture fixture = {0};
        struct pt_error err = {0};
        struct pt_generator *generator;
        struct collected collected = {0};
        open_fixture(&fixture, reference_folders[i]);
        fixture.settings.greedy = true;
        struct pt_generation_input inputs[] = {input_of(&fixture, "ids.1"), input_of(&fixture, "ids.0")};
        OK(pt_generator_open(&generator, fixture.engine, pt_model_config(fixture.model), &fixture.settings, 1,
                             0, &err));
        OK(pt_generator_run(generator, inputs, 2, 2, 0, collect, &collected, &err));
        const struct pt_tensor *expected = pt_tensors_find(&fixture.cases, "greedy.0");
        const uint32_t *new_ids = (const uint32_t *)expected->data + inputs[1].n;
        size_t n = expected->n_elements - inputs[1].n;
        for (size_t sample = 2; sample < 4; sample++) {
            assert_int_equal(collected.ids[sample].n, n);
            assert_memory_equal(collected.ids[sample].data, new_ids, n * sizeof *new_ids);
            assert_int_equal(collected.finish[sample], PT_FINISH_LENGTH);
        }
        forget(&collected);
        pt_generator_close(generator);
        close_fixture(&fixture);
    }
}

static void draws_depend_on_seed_and_number_only(void **state)
{
    (void)state;
    struct fixture fixture = {0};
    struct pt_error err = {0};
    struct pt_generator *generator;
    struct collected together = {0}, alone = {0}, other = {0};
    open_fixture(&fixture, "bloom");
    fixture.settings.n_eos_ids = 0; /* so that all are 24 tokens long */
    struct pt_generation_input inputs[] = {input_of(&fixture, "ids.0"), input_of(&fixture, "ids.1")};
    OK(pt_generator_open(&generator, fixture.engine, pt_model_config(fixture.model), &fixture.settings, 5, 0,
                         &err));
    OK(pt_generator_run(generator, inputs, 2, 2, 10, collect, &together, &err));
    OK(pt_generator_run(generator, inputs + 1, 1, 2, 12, collect, &alone, &err));
    for (size_t sample = 0; sample < 2; sample++)
        assert_memory_equal(together.ids[2 + sample].data, alone.ids[sample].data, 24 * sizeof(uint32_t));
    assert_memory_not_equal(together.ids[2].data, together.ids[3].data, 24 * sizeof(uint32_t));
    pt_generator_close(generator);
    OK(pt_generator_open(&generator, fixture.engine, pt_model_config(fixture.model), &fixture.settings, 6, 0,
                         &err));
    OK(pt_generator_run(generator, inputs + 1, 1, 2, 12, collect, &other, &err));
    assert_memory_not_equal(other.ids[0].data, alone.ids[0].data, 24 * sizeof(uint32_t));
    pt_generator_close(generator);
    forget(&together);
    forget(&alone);
    forget(&other);
    close_fixture(&fixture);
}

static void continuations_end_where_they_must(void **state)
{
    (void)state;
    struct fixture fixture = {0};
    struct pt_error err = {0};
    struct pt_generator *generator;
    struct collected collected = {.stop_after = 3};
    open_fixture(&fixture, "bloom");
    struct pt_generation_input input = input_of(&fixture, "ids.0");
    OK(pt_generator_open(&generator, fixture.engine, pt_model_config(fixture.model), &fixture.settings, 5, 0,
                         &err));
    OK(pt_generator_run(generator, &input, 1, 2, 0, collect, &collected, &err));
    assert_int_equal(collected.ids[1].n, 3);
    assert_int_equal(collected.finish[1], PT_FINISH_STOP);
    /* The third token as an end-of-sequence token ends the same continuation at the same place. */
    struct collected again = {0};
    fixture.settings.eos_ids[0] = collected.ids[0].data[2];
    fixture.settings.n_eos_ids = 1;
    OK(pt_generator_run(generator, &input, 1, 1, 0, collect, &again, &err));
    assert_true(again.ids[0].n <= 3);
    assert_int_equal(again.finish[0], PT_FINISH_STOP);
    fixture.settings.max_new_tokens = 0;
    fixture.settings.max_length = input.n;
    assert_int_equal(pt_generator_run(generator, &input, 1, 1, 0, collect, &again, &err), PT_BAD_INPUT);
    assert_non_null(strstr(err.message, "leave no room"));
    forget(&collected);
    forget(&again);
    pt_generator_close(generator);
    close_fixture(&fixture);
}

static void memory_bounds_what_runs_side_by_side(void **state)
{
    (void)state;
    struct fixture fixture = {0};
    struct pt_error err = {0};
    struct pt_generator *generator;
    struct collected collected = {0};
    open_fixture(&fixture, "bloom");
    struct pt_generation_input short_one = input_of(&fixture, "ids.0"), inputs[3];
    short_one.n = 4;
    for (size_t i = 0; i < N_OF(inputs); i++)
        inputs[i] = short_one;
    const struct pt_config *config = pt_model_config(fixture.model);
    const uint64_t text_bytes = (4 + 24) * 2 * config->n_layers * config->n_kv_heads * config->head_dim * 4;
    const struct {
        uint64_t memory;
        size_t n_samples, room;
    } cases[] = {
        {0, 2, 3}, {6 * text_bytes, 2, 3}, {6 * text_bytes - 1, 2, 2}, {4 * text_bytes - 1, 2, 1}, {1, 1, 1}};
    for (size_t i = 0; i < N_OF(cases); i++) {
        OK(pt_generator_open(&generator, fixture.engine, config, &fixture.settings, 5, cases[i].memory,
                             &err));
        assert_int_equal(pt_generator_room(generator, inputs, N_OF(inputs), cases[i].n_samples),
                         cases[i].room);
        if (cases[i].memory == 1) {
            assert_int_equal(pt_generator_run(generator, inputs, 1, 1, 0, collect, &collected, &err),
                             PT_FAILED);
            assert_non_null(strstr(err.message, " KiB, where 1 B are allowed"));
        }
        pt_generator_close(generator);
    }
    forget(&collected);
    close_fixture(&fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(greedy_ids_equal_the_reference),
        cmocka_unit_test(draws_depend_on_seed_and_number_only),
        cmocka_unit_test(continuations_end_where_they_must),
        cmocka_unit_test(memory_bounds_what_runs_side_by_side),
    };
    return cmocka_run_group_tests(tests, use_one_thread, NULL);
}
