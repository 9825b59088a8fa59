/*
 * A method of the tests alone, through the unchanged loop: a rank-1 delta on one linear, one bias, one key
 * and value in front of one layer (the key half of its parameter, so that something has to be carried forward
 * and back), no row in front. Its gradients, read from steps of plain SGD, equal central differences of the
 * loss; a run of it stops and goes on like any other; its file has its tensors.
 */
#include "training_bench.h"

#include "base/memory.h"
#include "base/rng.h"
#include "base/threads.h"
#include "tune/method.h"

#include <math.h>

/* What stands behind the plugs. */
struct own {
    struct pt_plug_delta delta;
    struct pt_plug_tensor bias;
    struct pt_plug_keys keys;
    float *key, *key_gradient; /* [1, hidden], owned */
};

enum { DELTA_A, DELTA_B, BIAS, KEY, VALUE, N_PARAMETERS };
static const char *const names[N_PARAMETERS] = {"delta.A", "delta.B", "mlp.bias", "prefix.key",
                                                "prefix.value"};

static int create(struct pt_tuned *tuned, const struct pt_init *init, const struct pt_model *model,
                  struct pt_error *error)
{
    (void)init;
    struct pt_rng rng;
    const struct pt_config *config = pt_model_config(model);
    const struct pt_tensor *bias = pt_model_tensor(model, 1, PT_MLP_UP_BIAS);
    const uint64_t shapes[N_PARAMETERS][2] = {{1, config->hidden_size},
                                              {pt_config_qkv_size(config), 1},
                                              {config->intermediate_size},
                                              {1, config->hidden_size},
                                              {1, config->hidden_size}};
    struct own *own = tuned->own = pt_new_array(1, sizeof *own, error);
    own->key = pt_new_floats(config->hidden_size, error);
    own->key_gradient = pt_new_floats(config->hidden_size, error);
    pt_rng_seed(&rng, 3);
    for (size_t i = 0; i < N_PARAMETERS; i++) {
        struct pt_parameter *added =
            pt_parameters_add(&tuned->parameters, names[i], i == BIAS ? 1 : 2, shapes[i], true, error);
        assert_non_null(added);
        pt_rng_normal(&rng, added->n, added->value);
        for (size_t j = 0; j < added->n; j++)
            added->value[j] *= 0.2f;
        if (i == BIAS)
            pt_to_f32(added->value, bias->data, bias->dtype, added->n);
    }
    return PT_OK;
}

static int forward(struct pt_tuned *tuned, struct pt_error *error)
{
    (void)error;
    struct own *own = tuned->own;
    const struct pt_parameter *p = tuned->parameters.list;
    for (size_t i = 0; i < p[KEY].n; i++) {
        own->key[i] = 0.5f * p[KEY].value[i];
        own->key_gradient[i] = 0;
    }
    own->delta = (struct pt_plug_delta){2,
                                        PT_QKV_WEIGHT,
                                        1,
                                        0.7f,
                                        p[DELTA_A].value,
                                        p[DELTA_B].value,
                                        p[DELTA_A].gradient,
                                        p[DELTA_B].gradient};
    own->bias = (struct pt_plug_tensor){1, PT_MLP_UP_BIAS, p[BIAS].value, p[BIAS].gradient};
    own->keys = (struct pt_plug_keys){0, 1, own->key, p[VALUE].value, own->key_gradient, p[VALUE].gradient};
    tuned->plugs = (struct pt_plugs){.deltas = &own->delta,
                                     .n_deltas = 1,
                                     .tensors = &own->bias,
                                     .n_tensors = 1,
                                     .keys = &own->keys,
                                     .n_keys = 1};
    return PT_OK;
}

static int backward(struct pt_tuned *tuned, struct pt_error *error)
{
    (void)error;
    const struct own *own = tuned->own;
    struct pt_parameter *key = &tuned->parameters.list[KEY];
    for (size_t i = 0; i < key->n; i++)
        key->gradient[i] += 0.5f * own->key_gradient[i];
    return PT_OK;
}

static void release(struct pt_tuned *tuned)
{
    struct own *own = tuned->own;
    free(own->key);
    free(own->key_gradient);
    free(own);
}

static const struct pt_method method = {.name = "test",
                                        .peft_type = "TEST",
                                        .create = create,
                                        .forward = forward,
                                        .backward = backward,
                                        .release = release};

/* A run of the first n updates of the reference's Trainer, with the method in place of a prompt. */
static void open_method_run(struct bench *bench, const struct reference *reference, size_t n,
                            struct pt_example examples[][MICRO_BATCH * ACCUMULATION])
{
    struct pt_update updates[UPDATES];
    const struct pt_plugs *plugs;
    for (size_t i = 0; i < n; i++)
        updates[i] = trainer_update(reference, i, examples[i]);
    *bench = (struct bench){0};
    struct pt_tuned_model *model = &bench->model;
    succeed(pt_model_open(&model->base, reference->model, &err));
    succeed(pt_math_open(&model->math, "f32", PT_F32, &err));
    succeed(pt_tuned_create(&model->tuned, &method, NULL, model->base, &err));
    succeed(pt_tuned_forward(model->tuned, &plugs, &err));
    succeed(pt_engine_open(&model->engine, model->base, model->math, plugs, NULL, &err));
    open_run(bench, updates, n);
}

static struct pt_parameter *parameter(struct bench *bench, size_t i)
{
    return &pt_tuned_parameters(bench->model.tuned)->list[i];
}

/* Mean loss over the counted tokens of the reference's first update. */
static double loss_now(struct bench *bench, const struct reference *reference)
{
    struct pt_example examples[MICRO_BATCH * ACCUMULATION];
    struct pt_update update = trainer_update(reference, 0, examples);
    struct pt_sequence sequences[MICRO_BATCH * ACCUMULATION];
    struct pt_sequence_loss each[MICRO_BATCH * ACCUMULATION];
    const struct pt_plugs *plugs;
    double sum = 0, targets = 0;
    for (size_t i = 0; i < update.n_examples; i++)
        sequences[i] = (struct pt_sequence){examples[i].words, examples[i].n_words, 1};
    succeed(pt_tuned_forward(bench->model.tuned, &plugs, &err));
    succeed(pt_engine_evaluate(bench->model.engine, sequences, update.n_examples, each, &err));
    for (size_t i = 0; i < update.n_examples; i++) {
        sum += each[i].loss;
        targets += (double)each[i].targets;
    }
    return sum / targets;
}

/* Along the gradient, the slope of the loss is the gradient's length. */
static void check_gradient(struct bench *bench, const struct reference *reference, struct pt_parameter *p,
                           const float *start, const float *gradient)
{
    const double step = 2e-3;
    double length = 0, losses[2];
    for (size_t i = 0; i < p->n; i++)
        length += (double)gradient[i] * (double)gradient[i];
    length = sqrt(length);
    if (!(length > 1e-4))
        fail_msg("%s: the gradient is zero", p->name);
    for (int side = 0; side < 2; side++) {
        for (size_t i = 0; i < p->n; i++)
            p->value[i] = start[i] + (float)((side ? -step : step) * (double)gradient[i] / length);
        losses[side] = loss_now(bench, reference);
    }
    memcpy(p->value, start, p->n * sizeof *start);
    double slope = (losses[0] - losses[1]) / (2 * step);
    /* f32 losses are good to about 1e-6, so the slope to 1e-6 / step. */
    if (!(fabs(slope - length) <= 3e-3 * length + 5e-4))
        fail_msg("%s: gradient %.6f, central differences %.6f", p->name, length, slope);
}

/* With SGD at a constant rate and without clipping, a step is the gradient times the rate. */
static void steps_are_the_gradient(void **state)
{
    (void)state;
    const double rate = 1.0 / 64;
    struct reference reference;
    struct bench bench;
    struct pt_example examples[1][MICRO_BATCH * ACCUMULATION];
    struct pt_training_result result;
    float *start[N_PARAMETERS], *gradient[N_PARAMETERS];
    load_reference(&reference, "bloom");
    open_method_run(&bench, &reference, 1, examples);
    bench.training.settings = (struct pt_training_settings){
        .optimizer = {.kind = PT_SGD},
        .schedule = {.kind = PT_CONSTANT, .learning_rate = rate, .n_updates = 1}};
    for (size_t i = 0; i < N_PARAMETERS; i++) {
        const struct pt_parameter *p = parameter(&bench, i);
        start[i] = memcpy(test_malloc(p->n * sizeof(float)), p->value, p->n * sizeof(float));
    }
    succeed(pt_training_run(&bench.training, &result, &err));
    for (size_t i = 0; i < N_PARAMETERS; i++) {
        struct pt_parameter *p = parameter(&bench, i);
        gradient[i] = test_malloc(p->n * sizeof(float));
        for (size_t j = 0; j < p->n; j++)
            gradient[i][j] = (float)(((double)start[i][j] - (double)p->value[j]) / rate);
        memcpy(p->value, start[i], p->n * sizeof(float));
    }
    for (size_t i = 0; i < N_PARAMETERS; i++)
        check_gradient(&bench, &reference, parameter(&bench, i), start[i], gradient[i]);
    for (size_t i = 0; i < N_PARAMETERS; i++) {
        test_free(start[i]);
        test_free(gradient[i]);
    }
    close_bench(&bench);
    free_reference(&reference);
}

/* The bytes of the file behind three updates, in one go or stopped behind the first. */
static char *run_three(const struct reference *reference, bool stop, size_t *n)
{
    struct bench bench;
    struct pt_example examples[3][MICRO_BATCH * ACCUMULATION];
    struct pt_training_result result;
    struct pt_state *saved = NULL;
    struct pt_sink *sink;
    open_method_run(&bench, reference, 3, examples);
    if (stop) {
        json_t *identity = pt_run_identity(&bench.training, &err);
        bench.stop_behind = 1;
        bench.training.save = in_scratch("state");
        bench.training.identity = identity;
        succeed(pt_training_run(&bench.training, &result, &err));
        assert_true(result.stopped);
        json_decref(identity);
        close_bench(&bench);
        open_method_run(&bench, reference, 3, examples);
        succeed(pt_state_open(&saved, in_scratch("state"), &err));
        bench.training.resumed = saved;
    }
    succeed(pt_training_run(&bench.training, &result, &err));
    assert_int_equal(result.position.done.updates, 3);
    succeed(pt_sink_open(&sink, in_scratch("tuned"), &err));
    succeed(pt_tuned_write(bench.model.tuned, sink, &err));
    succeed(pt_sink_commit(sink, &err));
    pt_state_close(saved);
    close_bench(&bench);
    return read_file(in_scratch("tuned"), n);
}

static void stopped_and_gone_on_with(void **state)
{
    (void)state;
    struct reference reference;
    size_t n_whole, n_resumed;
    load_reference(&reference, "bloom");
    char *whole = run_three(&reference, false, &n_whole), *resumed = run_three(&reference, true, &n_resumed);
    assert_int_equal(n_whole, n_resumed);
    assert_memory_equal(whole, resumed, n_whole);
    struct pt_tensors set;
    succeed(pt_safetensors_open(&set, in_scratch("tuned"), &err));
    assert_int_equal(set.n, N_PARAMETERS);
    for (size_t i = 0; i < N_PARAMETERS; i++)
        assert_non_null(pt_tensors_find(&set, names[i]));
    pt_tensors_free(&set);
    free(whole);
    free(resumed);
    free_reference(&reference);
}

/* One thread: the model is so small that waiting for others would take most of the time. */
static int prepare(void **state)
{
    pt_threads_set(1);
    return make_scratch(state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(steps_are_the_gradient),
        cmocka_unit_test(stopped_and_gone_on_with),
    };
    return cmocka_run_group_tests(tests, prepare, remove_scratch);
}
