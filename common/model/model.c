/*
 * Every tensor of the checkpoint is taken to its slot, a role in a layer, by its name; then every slot is
 * looked at. So nothing that is there twice, missing, or unknown is overlooked, whatever the order and the
 * number of files.
 */
#include "model/model.h"

#include "base/log.h"
#include "base/memory.h"
#include "fmt/json.h"
#include "model/checkpoint.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { OUTER_ROLES = PT_FIRST_LAYER_ROLE, LAYER_ROLES = PT_ROLES - PT_FIRST_LAYER_ROLE, SAMPLE_BYTES = 2048 };

struct slot {
    char *name; /* owned, NULL where the family has no such tensor */
    const struct pt_tensor *tensor;
};

struct pt_model {
    char *name;
    struct pt_config config;
    struct pt_checkpoint checkpoint;
    struct slot *slots; /* [OUTER_ROLES + n_layers * LAYER_ROLES], owned */
    size_t n_slots;
    struct pt_fingerprint fingerprint;
};

static size_t slot_index(unsigned layer, enum pt_role role)
{
    return role < PT_FIRST_LAYER_ROLE
               ? role
               : OUTER_ROLES + (size_t)layer * LAYER_ROLES + (role - PT_FIRST_LAYER_ROLE);
}

static enum pt_role slot_role(size_t index)
{
    return index < OUTER_ROLES ? (enum pt_role)index
                               : PT_FIRST_LAYER_ROLE + (enum pt_role)((index - OUTER_ROLES) % LAYER_ROLES);
}

static unsigned slot_layer(size_t index)
{
    return index < OUTER_ROLES ? 0 : (unsigned)((index - OUTER_ROLES) / LAYER_ROLES);
}

/* Whether a name is the pattern's with a number where the pattern has %u; *number is 0 for a pattern without.
 */
static bool match(const char *pattern, const char *name, unsigned long *number)
{
    const char *place = strstr(pattern, "%u");
    *number = 0;
    if (!place)
        return !strcmp(pattern, name);
    size_t head = (size_t)(place - pattern);
    if (strncmp(pattern, name, head) || !isdigit((unsigned char)name[head]))
        return false;
    char *rest;
    *number = strtoul(name + head, &rest, 10);
    return !strcmp(place + strlen("%u"), rest);
}

static bool is_buffer(const struct pt_family *family, const char *name)
{
    unsigned long layer;
    for (size_t i = 0; i < sizeof family->buffers / sizeof *family->buffers; i++)
        if (family->buffers[i] && match(family->buffers[i], name, &layer))
            return true;
    return false;
}

static int fill_slot(struct pt_model *model, const struct pt_tensor *tensor, unsigned long layer,
                     enum pt_role role, struct pt_error *err)
{
    if (role >= PT_FIRST_LAYER_ROLE && layer >= model->config.n_layers)
        return pt_fail(err, PT_MISMATCH, "%s: tensor %.200s: the configuration has only %" PRIu64 " layers",
                       model->name, tensor->name, model->config.n_layers);
    struct slot *slot = &model->slots[slot_index((unsigned)layer, role)];
    if (slot->tensor)
        return pt_fail(err, PT_BAD_INPUT, "%s: tensor %.200s is there twice", model->name, slot->name);
    slot->tensor = tensor;
    return PT_OK;
}

static const char *without_prefix(const struct pt_family *family, const char *name)
{
    for (size_t i = 0; i < sizeof family->prefixes / sizeof *family->prefixes && family->prefixes[i]; i++)
        if (!strncmp(name, family->prefixes[i], strlen(family->prefixes[i])))
            return name + strlen(family->prefixes[i]);
    return name;
}

static int place_tensor(struct pt_model *model, const struct pt_tensor *tensor, struct pt_error *err)
{
    const struct pt_family *family = model->config.family;
    const char *name = without_prefix(family, tensor->name);
    unsigned long layer;
    for (enum pt_role role = 0; role < PT_ROLES; role++)
        if (pt_config_has_role(&model->config, role) && match(family->names[role], name, &layer))
            return fill_slot(model, tensor, layer, role, err);
    if (is_buffer(family, name))
        return PT_OK;
    return pt_fail(err, PT_MISMATCH, "%s: tensor %.200s is none of a %s model's", model->name, tensor->name,
                   family->architectures[0]);
}

static int check_slot(const struct pt_model *model, size_t index, struct pt_error *err)
{
    const struct slot *slot = &model->slots[index];
    const struct pt_tensor *tensor = slot->tensor;
    enum pt_role role = slot_role(index);
    uint64_t shape[2] = {0};
    unsigned rank = pt_role_shape(&model->config, role, shape);
    if (!rank || (!tensor && role == PT_HEAD && model->config.tied_head))
        return PT_OK;
    if (!tensor)
        return pt_fail(err, PT_BAD_INPUT, "%s: tensor %s is missing", model->name, slot->name);
    if (tensor->rank != rank || memcmp(tensor->shape, shape, rank * sizeof *shape)) {
        char found[PT_SHAPE_TEXT], expected[PT_SHAPE_TEXT];
        return pt_fail(err, PT_MISMATCH, "%s: tensor %s has shape %s, the configuration asks for %s",
                       model->name, slot->name, pt_shape_format(tensor->rank, tensor->shape, found),
                       pt_shape_format(rank, shape, expected));
    }
    if (tensor->dtype != PT_F32 && tensor->dtype != PT_F16 && tensor->dtype != PT_BF16)
        return pt_fail(err, PT_MISMATCH, "%s: tensor %s has dtype %s, only F32, F16 and BF16 are supported",
                       model->name, slot->name, pt_dtype_name(tensor->dtype));
    return PT_OK;
}

static int name_slots(struct pt_model *model, struct pt_error *err)
{
    const struct pt_family *family = model->config.family;
    model->n_slots = OUTER_ROLES + model->config.n_layers * LAYER_ROLES;
    model->slots = pt_new_array(model->n_slots, sizeof *model->slots, err);
    if (!model->slots)
        return (int)err->status;
    for (size_t i = 0; i < model->n_slots; i++) {
        enum pt_role role = slot_role(i);
        if (!pt_config_has_role(&model->config, role))
            continue;
        const char *pattern = family->names[role], *place = strstr(pattern, "%u"),
                   *prefix = role == PT_HEAD ? "" : family->prefixes[0];
        if (place)
            model->slots[i].name = pt_new_format(err, "%s%.*s%u%s", prefix, (int)(place - pattern), pattern,
                                                 slot_layer(i), place + strlen("%u"));
        else
            model->slots[i].name = pt_new_format(err, "%s%s", prefix, pattern);
        if (!model->slots[i].name)
            return (int)err->status;
    }
    return PT_OK;
}

static bool same_bytes(const struct pt_tensor *a, const struct pt_tensor *b, uint64_t at, uint64_t n)
{
    return !memcmp((const char *)a->data + at, (const char *)b->data + at, n);
}

/* The first and the last 2 KiB: enough to tell two trainings apart, and two pages to read. */
static bool samples_differ(const struct pt_tensor *a, const struct pt_tensor *b)
{
    if (a->dtype != b->dtype)
        return true;
    uint64_t n = a->n_bytes < SAMPLE_BYTES ? a->n_bytes : SAMPLE_BYTES;
    return !same_bytes(a, b, 0, n) || !same_bytes(a, b, a->n_bytes - n, n);
}

static void hash_tensor(struct pt_hasher *hasher, const struct slot *slot)
{
    const struct pt_tensor *tensor = slot->tensor;
    const char *dtype = pt_dtype_name(tensor->dtype);
    char shape[PT_SHAPE_TEXT];
    pt_shape_format(tensor->rank, tensor->shape, shape);
    pt_hasher_add(hasher, slot->name, strlen(slot->name) + 1);
    pt_hasher_add(hasher, dtype, strlen(dtype) + 1);
    pt_hasher_add(hasher, shape, strlen(shape) + 1);
    uint64_t n = tensor->n_bytes < SAMPLE_BYTES ? tensor->n_bytes : SAMPLE_BYTES;
    pt_hasher_add(hasher, tensor->data, n);
    pt_hasher_add(hasher, (const char *)tensor->data + tensor->n_bytes - n, n);
}

/* Equal for the same weights in any file layout: slots are in a fixed order, and a copy of the embedding as
 * head is left out. */
static int take_fingerprint(struct pt_model *model, struct pt_error *err)
{
    struct pt_hasher *hasher = pt_hasher_new(err);
    if (!hasher)
        return (int)err->status;
    for (size_t i = 0; i < model->n_slots; i++) {
        const struct pt_tensor *tensor = model->slots[i].tensor;
        bool copy = i == PT_HEAD && tensor && model->config.tied_head &&
                    !samples_differ(tensor, model->slots[PT_EMBEDDING].tensor);
        if (tensor && !copy)
            hash_tensor(hasher, &model->slots[i]);
    }
    model->fingerprint = pt_hasher_result(hasher);
    pt_hasher_free(hasher);
    return PT_OK;
}

static int read_config(struct pt_model *model, struct pt_error *err)
{
    char *path = pt_new_format(err, "%s/config.json", model->name);
    json_t *object = NULL;
    if (path && !pt_checkpoint_config(&object, model->name, err))
        (void)!pt_config_parse(&model->config, object, path, err); /* the failure is in err */
    json_decref(object);
    free(path);
    return (int)err->status;
}

static int place_tensors(struct pt_model *model, struct pt_error *err)
{
    for (size_t s = 0; s < model->checkpoint.n; s++)
        for (size_t i = 0; i < model->checkpoint.sets[s].n; i++)
            if (place_tensor(model, &model->checkpoint.sets[s].tensors[i], err))
                return (int)err->status;
    for (size_t i = 0; i < model->n_slots; i++)
        if (check_slot(model, i, err))
            return (int)err->status;
    return PT_OK;
}

int pt_model_open(struct pt_model **model, const char *folder, struct pt_error *err)
{
    struct pt_model *opened = pt_new_array(1, sizeof *opened, err);
    *model = NULL;
    if (!opened)
        return (int)err->status;
    opened->name = pt_new_string(folder, err);
    if (!opened->name || read_config(opened, err) || name_slots(opened, err) ||
        pt_checkpoint_open(&opened->checkpoint, folder, err) || place_tensors(opened, err) ||
        take_fingerprint(opened, err)) {
        pt_model_close(opened);
        return (int)err->status;
    }
    *model = opened;
    return PT_OK;
}

void pt_model_close(struct pt_model *model)
{
    if (!model)
        return;
    pt_checkpoint_close(&model->checkpoint);
    if (model->slots)
        for (size_t i = 0; i < model->n_slots; i++)
            free(model->slots[i].name);
    free(model->slots);
    free(model->name);
    free(model);
}

const char *pt_model_name(const struct pt_model *model)
{
    return model->name;
}

const struct pt_config *pt_model_config(const struct pt_model *model)
{
    return &model->config;
}

const struct pt_tensor *pt_model_tensor(const struct pt_model *model, unsigned layer, enum pt_role role)
{
    if (role == PT_HEAD && model->config.tied_head)
        role = PT_EMBEDDING;
    return model->slots[slot_index(layer, role)].tensor;
}

const struct pt_tensor *pt_model_head(const struct pt_model *model)
{
    const struct pt_tensor *stored = model->slots[PT_HEAD].tensor,
                           *embedding = model->slots[PT_EMBEDDING].tensor;
    if (!stored || !model->config.tied_head)
        return pt_model_tensor(model, 0, PT_HEAD);
    if (stored->data == embedding->data ||
        (stored->dtype == embedding->dtype && same_bytes(stored, embedding, 0, stored->n_bytes)))
        return embedding;
    pt_log(PT_LOG_WARNING,
           "%s: config.json ties the head to the embedding, but %s is stored and differs: the stored one is "
           "used, as "
           "transformers does",
           model->name, model->slots[PT_HEAD].name);
    return stored;
}

const char *pt_model_tensor_name(const struct pt_model *model, unsigned layer, enum pt_role role)
{
    return model->slots[slot_index(layer, role)].name;
}

struct pt_fingerprint pt_model_fingerprint(const struct pt_model *model)
{
    return model->fingerprint;
}

uint64_t pt_model_parameters(const struct pt_model *model)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < model->n_slots; i++)
        if (model->slots[i].tensor && !(i == PT_HEAD && model->config.tied_head))
            sum += model->slots[i].tensor->n_elements;
    return sum;
}

enum pt_dtype pt_model_dtype(const struct pt_model *model)
{
    uint64_t elements[PT_DTYPES] = {0};
    enum pt_dtype most = PT_F32;
    for (size_t i = 0; i < model->n_slots; i++) {
        const struct pt_tensor *tensor = model->slots[i].tensor;
        if (tensor && tensor->rank == 2)
            elements[tensor->dtype] += tensor->n_elements;
    }
    for (enum pt_dtype dtype = 0; dtype < PT_DTYPES; dtype++)
        if (elements[dtype] > elements[most])
            most = dtype;
    return most;
}

/* As arithmetic in this dtype leaves it. */
static float round_to(float value, enum pt_dtype dtype)
{
    if (dtype == PT_F32)
        return value;
    uint16_t bits = dtype == PT_F16 ? pt_f16_from_f32(value) : pt_bf16_from_f32(value);
    pt_to_f32(&value, &bits, dtype, 1);
    return value;
}

float pt_model_embedding_scale(const struct pt_model *model)
{
    return round_to((float)model->config.embedding_scale, model->slots[PT_EMBEDDING].tensor->dtype);
}

void pt_model_embedding(const struct pt_model *model, uint32_t id, float *row)
{
    const struct pt_tensor *table = model->slots[PT_EMBEDDING].tensor;
    size_t hidden = model->config.hidden_size;
    float scale = pt_model_embedding_scale(model);
    pt_to_f32(row, (const char *)table->data + id * hidden * pt_dtype_bytes(table->dtype), table->dtype,
              hidden);
    for (size_t i = 0; scale != 0 && i < hidden; i++)
        row[i] = round_to(row[i] * scale, table->dtype);
}
