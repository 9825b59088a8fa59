/*
 * A stdio stream, flushed behind every line so that the log can be followed.
 */
#include "tune/run_log.h"

#include "base/memory.h"
#include "fmt/json.h"
#include "io/descriptor.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct pt_run_log {
    FILE *file;
    char *name; /* owned */
};

/* Whether a line was written up to this position: of those behind its last update, an evaluation's only if
 * the position knows it. */
static bool is_of(const struct pt_position *position, const json_t *line, uint64_t step)
{
    if (json_object_get(line, "train_loss") || step > position->done.updates)
        return false;
    return step < position->done.updates || !json_object_get(line, "eval_loss") ||
           (position->evaluated && position->eval_updates == step);
}

/* Whether a line stays when a run goes on at this position. */
static int judge_line(const struct pt_run_log *log, const char *line, size_t n, uint64_t number,
                      const struct pt_position *position, bool *stays, struct pt_error *err)
{
    char where[64];
    snprintf(where, sizeof where, "line %" PRIu64, number);
    json_t *object = NULL;
    uint64_t step = 0;
    bool found = false;
    if (pt_json_parse(&object, line, n, where, err) ||
        pt_json_get_u64(object, "step", where, &step, &found, err))
        pt_error_in(err, "%s: not a log of pt-train", log->name);
    else if (!found)
        pt_fail(err, PT_BAD_INPUT, "%s: %s: not a line of a log of pt-train", log->name, where);
    *stays = found && is_of(position, object, step);
    json_decref(object);
    return (int)err->status;
}

/* Cuts the file behind the last line that stays. */
static int cut_behind(struct pt_run_log *log, const struct pt_position *position, struct pt_error *err)
{
    char *line = NULL;
    size_t capacity = 0;
    off_t kept = 0;
    bool stays = true;
    for (uint64_t number = 1; stays && !err->status; number++) {
        ssize_t length = getline(&line, &capacity, log->file);
        if (length <= 0 || line[length - 1] != '\n')
            break;
        if (!judge_line(log, line, (size_t)length, number, position, &stays, err) && stays)
            kept += length;
    }
    free(line);
    if (err->status)
        return (int)err->status;
    if (ferror(log->file) || fseeko(log->file, kept, SEEK_SET) || ftruncate(fileno(log->file), kept))
        return pt_fail_errno(err, "%s", log->name);
    return PT_OK;
}

static FILE *open_existing(const char *path)
{
    struct stat info;
    return stat(path, &info) || !S_ISREG(info.st_mode) ? NULL : fopen(path, "r+e");
}

/* On a descriptor of its own, which closing the log closes. */
static FILE *open_standard_output(void)
{
    int descriptor = pt_descriptor_duplicate(STDOUT_FILENO);
    FILE *file = descriptor < 0 ? NULL : fdopen(descriptor, "w");
    if (!file && descriptor >= 0)
        close(descriptor);
    return file;
}

int pt_run_log_open(struct pt_run_log **log, const char *path, const struct pt_position *resumed,
                    struct pt_error *err)
{
    struct pt_run_log *new = pt_new_array(1, sizeof *new, err);
    if (!new)
        return (int)err->status;
    const bool standard_output = strcmp(path, "-") == 0;
    new->name = pt_new_string(standard_output ? "standard output" : path, err);
    if (!new->name)
        goto fail;
    new->file = resumed && !standard_output ? open_existing(path) : NULL;
    if (new->file) {
        if (cut_behind(new, resumed, err))
            goto fail;
    } else {
        new->file = standard_output ? open_standard_output() : fopen(path, "we");
        if (!new->file) {
            pt_fail_errno(err, "%s", new->name);
            goto fail;
        }
    }
    *log = new;
    return PT_OK;
fail:
    if (new->file)
        fclose(new->file);
    free(new->name);
    free(new);
    return (int)err->status;
}

int pt_run_log_close(struct pt_run_log *log, struct pt_error *err)
{
    if (!log)
        return (int)err->status;
    if (fclose(log->file))
        pt_fail_errno(err, "%s: write error", log->name);
    free(log->name);
    free(log);
    return (int)err->status;
}

/* Writes the object as a line and frees it; NULL is memory that ran out. */
static int write_line(struct pt_run_log *log, json_t *object, struct pt_error *err)
{
    struct pt_buffer line = {0};
    if (!object)
        return pt_fail(err, PT_FAILED, "out of memory");
    if (!pt_json_append(&line, object, 0, err) && !pt_buffer_append_string(&line, "\n", err) &&
        (fwrite(line.data, 1, line.size, log->file) != line.size || fflush(log->file)))
        pt_fail_errno(err, "%s: write error", log->name);
    pt_buffer_free(&line);
    json_decref(object);
    return (int)err->status;
}

int pt_run_log_updates(struct pt_run_log *log, const struct pt_position *position, double loss,
                       double grad_norm, double learning_rate, struct pt_error *err)
{
    return write_line(log,
                      json_pack("{sf sf sf sf sI}", "loss", loss, "grad_norm", grad_norm, "learning_rate",
                                learning_rate, "epoch", position->epoch, "step",
                                (json_int_t)position->done.updates),
                      err);
}

int pt_run_log_evaluation(struct pt_run_log *log, const struct pt_position *position, uint64_t targets,
                          struct pt_error *err)
{
    return write_line(log,
                      json_pack("{sf sI sf sI}", "eval_loss", position->eval_loss, "eval_targets",
                                (json_int_t)targets, "epoch", position->epoch, "step",
                                (json_int_t)position->done.updates),
                      err);
}

int pt_run_log_totals(struct pt_run_log *log, const struct pt_position *position, uint64_t examples,
                      uint64_t updates, double seconds, struct pt_error *err)
{
    const struct pt_stream_totals *done = &position->done;
    double shown = seconds > 0 ? seconds : 1e-9;
    double mean = done->updates ? position->loss_sum / (double)done->updates : 0;
    return write_line(log,
                      json_pack("{sf sI sI sI sf sI sf sf sf}", "train_loss", mean, "examples",
                                (json_int_t)done->examples, "tokens", (json_int_t)done->tokens, "targets",
                                (json_int_t)done->targets, "epoch", position->epoch, "step",
                                (json_int_t)done->updates, "train_runtime", shown, "train_samples_per_second",
                                (double)examples / shown, "train_steps_per_second", (double)updates / shown),
                      err);
}
