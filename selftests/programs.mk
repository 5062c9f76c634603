# SPDX-License-Identifier: GPL-2.0-or-later
#
# The C test programs (cmocka): one for each selftests/FOLDER/*_test.c, linked
# with everything of userspace/ but main.c and with the helpers in
# selftests/lib. They become O/selftests/FOLDER/NAME_test. Other .c files there,
# but for those in lib, become programs too, which tests in shell call.
#
# A program that needs linker flags of its own says so in its folder's
# program.mk:  ldflags_net/tap_test := -Wl,--wrap=ioctl
# A folder whose programs need an archive more names it: archive_FOLDER. What is
# no program in a folder with helpers of its own (helper_folders) goes in there.
#
# `fuzzers` makes libFuzzer programs, O/fuzz/NAME_fuzz; clang only.

tree := $(abspath $(dir $(lastword $(MAKEFILE_LIST)))..)
O ?= $(tree)/build
out := $(abspath $(O))

.DEFAULT_GOAL := programs
WITH_CMOCKA := 1
include $(tree)/userspace/flags.mk
include $(tree)/userspace/objects.mk

vhb_cppflags += -I$(tree)/selftests

test_folders := lib wire session loop options control net ring uapi blk bench debug fuzz
helper_folders := lib ring fuzz
test_sources := $(sort $(wildcard $(foreach d,$(test_folders), \
	$(tree)/selftests/$(d)/*_test.c)))
tool_sources := $(filter-out %_test.c,$(wildcard $(foreach d, \
	$(filter-out $(helper_folders),$(test_folders)),$(tree)/selftests/$(d)/*.c)))
helper_sources := $(filter-out %_test.c,$(wildcard $(tree)/selftests/lib/*.c))

programs_dir ?= $(out)/selftests
test_programs := $(test_sources:$(tree)/selftests/%.c=$(programs_dir)/%)
tool_programs := $(tool_sources:$(tree)/selftests/%.c=$(programs_dir)/%)
test_objects := $(patsubst $(tree)/%.c,$(out)/obj/%.o,$(test_sources) $(tool_sources))
helper_objects := $(helper_sources:$(tree)/%.c=$(out)/obj/%.o)
helper_archive := $(out)/obj/libselftests.a

# What uses these needs /dev/vhost-net and runs as kselftest only, in the VM as
# a rule.
vhost_headers := lib/broker.h lib/net_bench.h lib/bridge_device.h net/kdev_guest.h \
	blk/blk_module_fixture.h
needs_vhost := $(patsubst $(tree)/selftests/%.c,%,$(shell grep -lF \
	$(foreach h,$(vhost_headers),-e 'include "$(h)"') $(test_sources)))

fuzz_compile := clang -D_GNU_SOURCE -I$(tree)/selftests -std=gnu11 -O1 -g -Wall \
	-Wextra -Werror -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=all

-include $(wildcard $(tree)/selftests/*/program.mk)

# Some of them start the real broker.
.PHONY: programs list fuzzers
fuzzers: $(fuzzers)

programs: $(test_programs) $(tool_programs) $(out)/vhost-bridge

# For scripts: the programs that need no vhost, relative to O/selftests, whether
# built or not.
list:
	@printf '%s\n' $(filter-out $(needs_vhost),$(test_programs:$(programs_dir)/%=%))

$(helper_archive): $(helper_objects) $(flags_stamp)
	$(call say,AR,$@)rm -f $@ && $(AR) rcs $@ $(filter %.o,$^)

# Kept, or make would take them for intermediate and remove them.
.SECONDARY: $(test_objects)

$(programs_dir)/%: $(out)/obj/selftests/%.o $(helper_archive) $(broker_archive)
	@mkdir -p $(@D)
	$(call say,LINK,$@)$(link) $(ldflags_$*) -o $@ $< -Wl,--start-group \
		$(archive_$(*D)) $(helper_archive) $(broker_archive) -Wl,--end-group $(vhb_libs)

-include $(test_objects:.o=.d) $(helper_objects:.o=.d)
