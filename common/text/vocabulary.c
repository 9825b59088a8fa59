/*
 * All texts lie in one buffer; an open-addressed table keeps 32 bits of each hash beside the id, so that a
 * search rarely touches a text that is not the right one.
 */
#include "text/vocabulary.h"

#include "base/hash.h"
#include "base/memory.h"

#include <stdlib.h>
#include <string.h>

void pt_vocabulary_free(struct pt_vocabulary *vocabulary)
{
    pt_buffer_free(&vocabulary->text);
    free(vocabulary->entries);
    free(vocabulary->slots);
    *vocabulary = (struct pt_vocabulary){0};
}

static uint32_t hash_of(const char *text, size_t n)
{
    return (uint32_t)(pt_hash64(text, n, 0) >> 32);
}

static struct pt_vocabulary_slot *free_slot(struct pt_vocabulary_slot *slots, size_t n_slots, uint32_t hash)
{
    size_t at = hash & (n_slots - 1);
    while (slots[at].id != UINT32_MAX)
        at = (at + 1) & (n_slots - 1);
    return &slots[at];
}

/* Keeps the table at most half full. */
static int grow_slots(struct pt_vocabulary *vocabulary, struct pt_error *err)
{
    if (vocabulary->n_tokens + 1 <= vocabulary->n_slots / 2)
        return PT_OK;
    size_t n = vocabulary->n_slots ? 2 * vocabulary->n_slots : 1024;
    struct pt_vocabulary_slot *slots = pt_new_array(n, sizeof *slots, err);
    if (!slots)
        return (int)err->status;
    for (size_t i = 0; i < n; i++)
        slots[i].id = UINT32_MAX;
    for (size_t i = 0; i < vocabulary->n_slots; i++)
        if (vocabulary->slots[i].id != UINT32_MAX)
            *free_slot(slots, n, vocabulary->slots[i].hash) = vocabulary->slots[i];
    free(vocabulary->slots);
    vocabulary->slots = slots;
    vocabulary->n_slots = n;
    return PT_OK;
}

static int grow_entries(struct pt_vocabulary *vocabulary, uint32_t id, struct pt_error *err)
{
    if (id < vocabulary->n_ids)
        return PT_OK;
    if (pt_reserve(&vocabulary->entries, &vocabulary->capacity, (size_t)id + 1, sizeof *vocabulary->entries,
                   err))
        return (int)err->status;
    while (vocabulary->n_ids <= id)
        vocabulary->entries[vocabulary->n_ids++] = (struct pt_vocabulary_entry){UINT32_MAX, 0};
    return PT_OK;
}

int pt_vocabulary_add(struct pt_vocabulary *vocabulary, const char *text, size_t n, uint32_t id,
                      struct pt_error *err)
{
    uint32_t other;
    if (id > PT_LARGEST_TOKEN_ID)
        return pt_fail(err, PT_BAD_INPUT, "token id %u is beyond %d", id, PT_LARGEST_TOKEN_ID);
    if (pt_vocabulary_find(vocabulary, text, n, &other))
        return pt_fail(err, PT_BAD_INPUT, "token \"%.*s\" appears twice", (int)(n < 100 ? n : 100), text);
    if (pt_vocabulary_token(vocabulary, id, NULL))
        return pt_fail(err, PT_BAD_INPUT, "two tokens have the id %u", id);
    if (vocabulary->text.size > UINT32_MAX - 1 - n - 1)
        return pt_fail(err, PT_BAD_INPUT, "the vocabulary's texts are longer than 4 GiB");
    if (grow_slots(vocabulary, err) || grow_entries(vocabulary, id, err))
        return (int)err->status;
    vocabulary->entries[id] = (struct pt_vocabulary_entry){(uint32_t)vocabulary->text.size, (uint32_t)n};
    if (pt_buffer_append(&vocabulary->text, text, n, err) || pt_buffer_append(&vocabulary->text, "", 1, err))
        return (int)err->status;
    uint32_t hash = hash_of(text, n);
    *free_slot(vocabulary->slots, vocabulary->n_slots, hash) = (struct pt_vocabulary_slot){hash, id};
    vocabulary->n_tokens++;
    return PT_OK;
}

bool pt_vocabulary_find(const struct pt_vocabulary *vocabulary, const char *text, size_t n, uint32_t *id)
{
    if (!vocabulary->n_slots)
        return false;
    uint32_t hash = hash_of(text, n);
    for (size_t at = hash & (vocabulary->n_slots - 1);; at = (at + 1) & (vocabulary->n_slots - 1)) {
        struct pt_vocabulary_slot slot = vocabulary->slots[at];
        if (slot.id == UINT32_MAX)
            return false;
        const struct pt_vocabulary_entry *entry = &vocabulary->entries[slot.id];
        if (slot.hash == hash && entry->n_bytes == n &&
            memcmp(vocabulary->text.data + entry->offset, text, n) == 0) {
            *id = slot.id;
            return true;
        }
    }
}

const char *pt_vocabulary_token(const struct pt_vocabulary *vocabulary, uint32_t id, size_t *n)
{
    if (id >= vocabulary->n_ids || vocabulary->entries[id].offset == UINT32_MAX)
        return NULL;
    if (n)
        *n = vocabulary->entries[id].n_bytes;
    return vocabulary->text.data + vocabulary->entries[id].offset;
}
