/*
 * A monotonic clock, for progress and speed only: no result depends on it.
 */
#ifndef PT_BASE_CLOCK_H
#define PT_BASE_CLOCK_H

double pt_clock_seconds(void);

#endif
