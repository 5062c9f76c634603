# SPDX-License-Identifier: GPL-2.0-or-later
#
# The fuzzers of the codec and of whole sessions: the broker's files compiled by
# clang for libFuzzer, with a loop that is turned by hand and mappings that are
# counted (hand_loop.h, mappings.h). Of the tests' helpers what is needed.

fuzz_out := $(out)/fuzz/obj
fuzz_cppflags := $(vhb_cppflags) -U_FORTIFY_SOURCE
fuzz_cflags := -std=gnu11 -O2 -g -Wall -Wextra -Werror -fno-omit-frame-pointer \
	-fsanitize=address,undefined -fno-sanitize-recover=all
# What is covered counts, in the broker alone. What it compares does not: that
# takes longer than the rest, and the mutator knows the numbers that matter.
fuzz_broker_cflags := -Dmmap=fuzz_mmap -Dmunmap=fuzz_munmap \
	-fsanitize-coverage=inline-8bit-counters,pc-table

fuzz_broker_objects := $(patsubst $(tree)/%.c,$(fuzz_out)/%.o, \
	$(filter-out %/loop/loop.c,$(wildcard $(foreach d,lib loop wire session, \
	$(tree)/userspace/$(d)/*.c))))
fuzz_helper_objects := $(patsubst $(tree)/%.c,$(fuzz_out)/%.o, \
	$(wildcard $(tree)/selftests/lib/recorder*.c $(tree)/selftests/lib/fuzz_*.c))
fuzz_session_objects := $(patsubst %,$(fuzz_out)/selftests/fuzz/%.o, \
	hand_loop mappings fd_pool script_mutate session_check session_event \
	session_replies session_run session_fuzz)

fuzz_wire_objects := $(patsubst %,$(fuzz_out)/selftests/%.o, \
	lib/fuzz_script fuzz/fd_pool fuzz/script_mutate fuzz/wire_fuzz)

fuzzers += $(out)/fuzz/session_fuzz $(out)/fuzz/wire_fuzz

$(fuzz_out)/userspace/%.o: $(tree)/userspace/%.c $(tree)/selftests/fuzz/program.mk
	@mkdir -p $(@D)
	$(call say,FUZZ,$@)clang $(fuzz_cppflags) $(fuzz_broker_cflags) \
		$(fuzz_cflags) -MMD -MP -c -o $@ $<

$(fuzz_out)/selftests/%.o: $(tree)/selftests/%.c $(tree)/selftests/fuzz/program.mk
	@mkdir -p $(@D)
	$(call say,FUZZ,$@)clang $(fuzz_cppflags) $(fuzz_cflags) -MMD -MP -c -o $@ $<

$(out)/fuzz/session_fuzz: $(fuzz_session_objects) $(fuzz_helper_objects) $(fuzz_broker_objects)
	$(call say,FUZZER,$@)clang $(fuzz_cflags) -fsanitize=fuzzer -o $@ $^ -lcmocka

$(out)/fuzz/wire_fuzz: $(fuzz_wire_objects) $(filter $(fuzz_out)/userspace/wire/% \
	$(fuzz_out)/userspace/lib/%,$(fuzz_broker_objects))
	$(call say,FUZZER,$@)clang $(fuzz_cflags) -fsanitize=fuzzer -o $@ $^

-include $(wildcard $(fuzz_out)/*/*/*.d)
