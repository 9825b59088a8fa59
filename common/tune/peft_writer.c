/*
 * adapter_config.json comes out as Python's json module writes it (keys sorted, indented by 2, ASCII with
 * lower-case escapes, no line feed at the end).
 */
#include "tune/peft_writer.h"

#include "fmt/json.h"
#include "fmt/safetensors.h"
#include "io/folder.h"
#include "tune/method.h"
#include "tune/peft_reader.h"

/* The keys that every method has; the method adds its own. */
static json_t *common_config(const struct pt_tuned *tuned)
{
    return json_pack("{s:n, s:s?, s:b, s:n, s:s, s:s, s:n, s:s}", "auto_mapping", "base_model_name_or_path",
                     pt_tuned_metadata(tuned, PT_KEY_BASE_NAME), "inference_mode", true, "modules_to_save",
                     "peft_type", tuned->method->peft_type, "peft_version", PT_PEFT_VERSION, "revision",
                     "task_type", PT_PEFT_TASK);
}

static int append_card(struct pt_buffer *card, const struct pt_tuned *tuned, struct pt_error *err)
{
    const char *base = pt_tuned_metadata(tuned, PT_KEY_BASE_NAME);
    json_t *name = json_string(base ? base : "the base model");
    struct pt_buffer quoted = {0};
    if (!name)
        return pt_fail(err, PT_FAILED, "out of memory");
    int status = pt_json_append(&quoted, name, JSON_ENCODE_ANY, err);
    json_decref(name);
    if (!status)
        status = pt_buffer_append_format(card, err,
                                         "---\n"
                                         "base_model: %s\n"
                                         "library_name: peft\n"
                                         "pipeline_tag: text-generation\n"
                                         "---\n\n"
                                         "# A tuned adapter for %s\n\n"
                                         "%zu trained parameters (`%s`). To use it:\n\n"
                                         "```python\n"
                                         "from peft import PeftModel\n"
                                         "from transformers import AutoModelForCausalLM\n\n"
                                         "model = AutoModelForCausalLM.from_pretrained(%s)\n"
                                         "model = PeftModel.from_pretrained(model, \"path/of/this/folder\")\n"
                                         "```\n\n"
                                         "### Framework versions\n\n"
                                         "- PEFT %s\n",
                                         quoted.data, base ? base : "its base model",
                                         pt_parameters_count(&tuned->parameters), tuned->method->peft_type,
                                         quoted.data, PT_PEFT_VERSION);
    pt_buffer_free(&quoted);
    return status;
}

static int rename_base(struct pt_tuned *tuned, const char *base_name, struct pt_error *err)
{
    json_t *init;
    if (pt_tuned_metadata_json(tuned, PT_KEY_INIT, &init, err))
        return (int)err->status;
    if (json_object_get(init, "tokenizer") && !pt_json_set(init, "tokenizer", json_string(base_name), err))
        (void)!pt_tuned_set_metadata_json(tuned, PT_KEY_INIT, init, err);
    json_decref(init);
    return err->status ? (int)err->status : pt_tuned_set_metadata(tuned, PT_KEY_BASE_NAME, base_name, err);
}

static int write_tensors(struct pt_sink *sink, struct pt_tensors *set, struct pt_error *err)
{
    set->metadata = json_pack("{s:s}", "format", "pt");
    if (!set->metadata)
        return pt_fail(err, PT_FAILED, "out of memory");
    return pt_safetensors_write(sink, set, false, err);
}

static int write_files(const struct pt_tuned *tuned, const char *path, struct pt_sink *sink,
                       struct pt_error *err)
{
    struct pt_tensors set = {0};
    struct pt_buffer text = {0}, card = {0};
    json_t *config = common_config(tuned);
    if (!config)
        pt_fail(err, PT_FAILED, "out of memory");
    else if (!tuned->method->export_peft(tuned, &set, config, err) && !write_tensors(sink, &set, err) &&
             !pt_json_append(&text, config, JSON_INDENT(2) | JSON_SORT_KEYS | JSON_ENSURE_ASCII, err) &&
             !append_card(&card, tuned, err)) {
        size_t n;
        const void *tensors = pt_sink_memory(sink, &n);
        const struct pt_folder_file files[] = {
            {"README.md", card.data, card.size},
            {"adapter_config.json", text.data, text.size},
            {"adapter_model.safetensors", tensors, n},
        };
        (void)!pt_folder_write(path, files, sizeof files / sizeof files[0], err);
    }
    json_decref(config);
    pt_buffer_free(&text);
    pt_buffer_free(&card);
    pt_tensors_free(&set);
    return (int)err->status;
}

int pt_peft_write(struct pt_tuned *tuned, const char *path, const char *base_name, struct pt_error *err)
{
    struct pt_sink *sink;
    if ((base_name && rename_base(tuned, base_name, err)) || pt_sink_open_memory(&sink, err))
        return (int)err->status;
    int status = write_files(tuned, path, sink, err);
    pt_sink_discard(sink);
    return status;
}
