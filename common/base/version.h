/*
 * The version of library and tools, as --version prints it and histories record it.
 */
#ifndef PT_BASE_VERSION_H
#define PT_BASE_VERSION_H

#define PT_VERSION "0.1.0"

#endif
