/*
 * The reader of pytorch_model.bin: zip, pickle, storages.
 */
#include "fmt/pytorch_file.h"
#include "input_file.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    struct pt_error err = {0};
    struct pt_tensors set = {0};
    if (pt_pytorch_file_open(&set, input_file(bytes, n, "bin"), &err) && !err.message[0])
        __builtin_trap();
    pt_tensors_free(&set);
    return 0;
}
