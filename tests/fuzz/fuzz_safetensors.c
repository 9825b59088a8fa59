/*
 * The reader of safetensors, from a source and from a file.
 */
#include "fmt/safetensors.h"
#include "input_file.h"

enum { LIMIT = 1 << 20 };

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    struct pt_error err = {0};
    struct pt_source *source = NULL;
    struct pt_tensors read = {0};
    int status = pt_source_open_memory(&source, "input", bytes, n, &err);
    if (!status)
        status = pt_safetensors_read(&read, source, LIMIT, &err);
    pt_tensors_free(&read);
    pt_source_close(source);

    struct pt_error err_mapped = {0};
    struct pt_tensors mapped = {0};
    int status_mapped = pt_safetensors_open(&mapped, input_file(bytes, n, "safetensors"), &err_mapped);
    pt_tensors_free(&mapped);
    /* Both ways judge alike. */
    if ((status == PT_OK) != (status_mapped == PT_OK))
        __builtin_trap();
    return 0;
}
