/*
 * How the threads of a parallel loop wait for each other.
 */
#ifndef PT_CLI_THREAD_WAITING_H
#define PT_CLI_THREAD_WAITING_H

/*
 * Sees to it that waiting threads give their core away soon. May start the program anew, so it comes before
 * everything else; it goes on where that is not possible. The user's own OMP_WAIT_POLICY or GOMP_SPINCOUNT
 * wins.
 */
void pt_thread_waiting_start(char **argv);

#endif
