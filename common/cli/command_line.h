/*
 * The command line, parsed by argp: the tool's own options beside the shared ones.
 */
#ifndef PT_CLI_COMMAND_LINE_H
#define PT_CLI_COMMAND_LINE_H

#include "cli/tool.h"

enum pt_request {
    PT_REQUEST_RUN,
    PT_REQUEST_HELP,
    PT_REQUEST_VERSION,
};

/*
 * Fills common and, through tool->set, the tool's settings. `words` [argc + 1] is a copy of argv that may be
 * reordered and must live as long as common. *request says what the user wants. PT_USAGE for anything wrong.
 */
int pt_command_line_parse(const struct pt_tool *tool, int argc, char **words, struct pt_common *common,
                          enum pt_request *request, struct pt_error *err) PT_MUST_USE;
/* Writes the help to standard output (buffered; failures show when it is closed). */
void pt_command_line_help(const struct pt_tool *tool);

#endif
