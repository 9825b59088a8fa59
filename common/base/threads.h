/*
 * Threads are OpenMP's. Results never depend on their number: work is cut into fixed pieces and sums are
 * taken in a fixed order.
 */
#ifndef PT_BASE_THREADS_H
#define PT_BASE_THREADS_H

/* Cores that this process may use (its affinity mask, and its control groups' quotas rounded up). */
int pt_threads_available(void);
/* How many threads parallel loops use from now on; 0: all that are available. */
void pt_threads_set(int n);
int pt_threads(void);

#endif
