/*
 * Reports on tensors: the table, sums, and, when everything is to be read, how many elements are not finite.
 */
#include "tune/describe_inside.h"

#include "fmt/json.h"
#include "tune/state.h"
#include "tune/tuned.h"

#include <string.h>

int pt_report_set(json_t *report, const char *key, json_t *value, struct pt_error *err)
{
    return json_object_set_new(report, key, value) ? pt_fail(err, PT_FAILED, "out of memory") : PT_OK;
}

int pt_report_count(json_t *report, const char *key, uint64_t count, struct pt_error *err)
{
    return pt_report_set(report, key, json_integer((json_int_t)count), err);
}

int pt_report_text(json_t *report, const char *key, const char *text, struct pt_error *err)
{
    return text && *text ? pt_report_set(report, key, pt_json_text(text, strlen(text)), err) : PT_OK;
}

/* The bits of a float's exponent, all ones where it is not finite; 0 for other types. */
static uint64_t exponent_mask(enum pt_dtype dtype)
{
    switch (dtype) {
    case PT_F16:
        return 0x7c00;
    case PT_BF16:
        return 0x7f80;
    case PT_F32:
        return 0x7f800000;
    case PT_F64:
        return UINT64_C(0x7ff0000000000000);
    default:
        return 0;
    }
}

/* How many of n elements of this width (a constant where it is called) have all bits of the mask. */
static inline uint64_t count_masked(const char *data, uint64_t n, size_t width, uint64_t mask)
{
    uint64_t count = 0;
    for (uint64_t i = 0; i < n; i++) {
        uint64_t bits = 0;
        memcpy(&bits, data + i * width, width);
        count += (bits & mask) == mask;
    }
    return count;
}

static uint64_t count_non_finite(const struct pt_tensor *tensor)
{
    uint64_t mask = exponent_mask(tensor->dtype), n = tensor->n_elements;
    if (!mask)
        return 0;
    if (tensor->dtype == PT_F64)
        return count_masked(tensor->data, n, 8, mask);
    return tensor->dtype == PT_F32 ? count_masked(tensor->data, n, 4, mask)
                                   : count_masked(tensor->data, n, 2, mask);
}

static json_t *tensor_report(const struct pt_tensor *tensor, uint64_t non_finite)
{
    json_t *shape = json_array();
    for (unsigned i = 0; i < tensor->rank; i++)
        json_array_append_new(shape, json_integer((json_int_t)tensor->shape[i]));
    json_t *report = json_pack("{s:o, s:s, s:o}", "name", pt_json_text(tensor->name, strlen(tensor->name)),
                               "dtype", pt_dtype_name(tensor->dtype), "shape", shape);
    if (report && non_finite)
        json_object_set_new(report, "non_finite", json_integer((json_int_t)non_finite));
    return report;
}

int pt_report_tensors(json_t *report, const struct pt_tensors *sets, size_t n, bool verify,
                      struct pt_error *err)
{
    json_t *list = json_array();
    uint64_t elements = 0, bytes = 0, non_finite = 0;
    for (size_t i = 0; i < n; i++) {
        for (size_t k = 0; k < sets[i].n; k++) {
            const struct pt_tensor *tensor = &sets[i].tensors[k];
            uint64_t bad = verify ? count_non_finite(tensor) : 0;
            if (json_array_append_new(list, tensor_report(tensor, bad))) {
                json_decref(list);
                return pt_fail(err, PT_FAILED, "out of memory");
            }
            elements += tensor->n_elements;
            bytes += tensor->n_bytes;
            non_finite += bad;
        }
    }
    if (pt_report_set(report, "tensors", list, err) || pt_report_count(report, "elements", elements, err) ||
        pt_report_count(report, "bytes", bytes, err))
        return (int)err->status;
    return verify ? pt_report_count(report, "non_finite", non_finite, err) : PT_OK;
}

/* A metadata value that is the text of an object or array is shown as what it is. */
static json_t *metadata_value(json_t *value)
{
    const char *text = json_string_value(value);
    json_t *parsed = NULL;
    struct pt_error ignored = {0};
    if (text && (*text == '{' || *text == '[') &&
        !pt_json_parse(&parsed, text, json_string_length(value), "metadata", &ignored))
        return parsed;
    return json_incref(value);
}

static int report_metadata(json_t *report, const struct pt_tensors *set, struct pt_error *err)
{
    json_t *shown = json_object();
    const char *key;
    json_t *value;
    json_object_foreach(set->metadata, key, value) {
        if (json_object_set_new(shown, key, metadata_value(value)))
            pt_fail(err, PT_FAILED, "out of memory");
    }
    if (!err->status)
        return pt_report_set(report, "metadata", shown, err);
    json_decref(shown);
    return (int)err->status;
}

int pt_report_tensor_file(json_t *report, const struct pt_tensors *set, bool verify, struct pt_error *err)
{
    const char *method = pt_tensors_metadata(set, PT_KEY_METHOD), *kind = pt_tensors_metadata(set, "kind");
    bool is_state = kind && !strcmp(kind, PT_STATE_KIND);
    if (pt_report_text(report, "kind",
                       is_state ? PT_STATE_KIND
                       : method ? "tuned"
                                : "tensors",
                       err) ||
        pt_report_text(report, "method", method, err))
        return (int)err->status;
    const struct pt_tensor *prompt = pt_tensors_find(set, "prompt_embeddings");
    if (prompt && prompt->rank == 2 &&
        (pt_report_count(report, "virtual_tokens", prompt->shape[0], err) ||
         pt_report_count(report, "hidden_size", prompt->shape[1], err)))
        return (int)err->status;
    if (set->metadata && report_metadata(report, set, err))
        return (int)err->status;
    return pt_report_tensors(report, set, 1, verify, err);
}
