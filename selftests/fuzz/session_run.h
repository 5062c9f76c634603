/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SELFTESTS_FUZZ_SESSION_RUN_H
#define SELFTESTS_FUZZ_SESSION_RUN_H

#include <stdio.h>

#include "lib/fuzz_script.h"

/**
 * DOC: a script is played
 *
 * A session of the broker on a recorder, and a front-end that says what the
 * script says, in one thread. After each step the loop is turned until nobody has
 * anything to do, and what must hold is looked at (must()):
 *
 * - the recorder, as strict as the kernel, saw no call out of place
 * - rings and saved bases lie where a file of the front-end is mapped, and the
 *   memory table shows the kernel nothing else of ours, as long as it has them
 * - a message is a bounded number of calls and turns
 * - replies are of a size the specification has, in order, to messages that get
 *   one; who waits for a reply of its own gets it or sees the connection closed
 * - a message that was refused has changed nothing that runs
 * - in the end no descriptor, mapping or watch is left, and nothing runs
 */

/** session_run_init() - once, first of all */
void session_run_init(void);

/**
 * session_run() - play a script
 * @script: the script
 * @calls: gets the recorder's lines; NULL for nobody, which is quicker
 */
void session_run(const struct script *script, FILE *calls);

#endif
