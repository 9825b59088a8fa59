/*
 * The life of every tool: guards, command line, work, and the closing ritual, in which success is only
 * claimed after standard output took everything.
 */
#include "cli/tool.h"

#include "base/memory.h"
#include "base/threads.h"
#include "cli/command_line.h"
#include "cli/messages.h"
#include "cli/signals.h"
#include "cli/standard_files.h"
#include "cli/thread_waiting.h"

#include <stdio.h>
#include <stdlib.h>

static int parse(const struct pt_tool *tool, int argc, char **argv, char ***words, struct pt_common *common,
                 enum pt_request *request, struct pt_error *err)
{
    *words = pt_new_array((size_t)argc + 2, sizeof **words, err);
    if (!*words)
        return (int)err->status;
    for (int i = 1; i < argc; i++)
        (*words)[i] = argv[i];
    (*words)[0] = (char *)tool->name;
    return pt_command_line_parse(tool, argc > 0 ? argc : 1, *words, common, request, err);
}

static int run(const struct pt_tool *tool, struct pt_common *common, struct pt_error *err)
{
    if (!common->memory)
        common->memory = pt_memory_available() / 4 * 3 + 1;
    pt_threads_set(common->threads);
    common->threads = pt_threads();
    return tool->run(tool->settings, common, err);
}

static int serve(const struct pt_tool *tool, struct pt_common *common, enum pt_request request,
                 struct pt_error *err)
{
    switch (request) {
    case PT_REQUEST_HELP:
        pt_command_line_help(tool);
        return PT_OK;
    case PT_REQUEST_VERSION:
        printf("%s %s\n", tool->name, PT_VERSION);
        return PT_OK;
    default:
        return run(tool, common, err);
    }
}

static void report(const struct pt_tool *tool, const struct pt_error *err)
{
    char closing[128];
    snprintf(closing, sizeof closing, "Try '%s --help' for more information.", tool->name);
    pt_message_error(err, err->status == PT_USAGE && !err->hint[0] ? closing : NULL);
}

int pt_tool_main(const struct pt_tool *tool, int argc, char **argv)
{
    if (tool->uses & PT_USES_THREADS)
        pt_thread_waiting_start(argv);
    struct pt_error err = {0};
    struct pt_common common = {.output = "-", .math = "auto"};
    enum pt_request request = PT_REQUEST_RUN;
    char **words = NULL;
    pt_messages_start(tool->name, false, false);
    pt_signals_start();
    int status = pt_standard_files_occupy(&err);
    if (!status)
        status = parse(tool, argc, argv, &words, &common, &request, &err);
    pt_messages_start(tool->name, common.quiet, common.verbose);
    if (!status)
        status = serve(tool, &common, request, &err);
    pt_message_erase_live();
    if (!status)
        status = pt_standard_output_close(&err);
    if (status && err.message[0])
        report(tool, &err);
    free(common.arguments);
    json_decref(common.history);
    free(words);
    pt_signals_die_if_pending();
    return status;
}
