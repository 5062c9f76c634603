# SPDX-License-Identifier: GPL-2.0-or-later
#
# The module's ring engine, built for user space as in the broker, with memory made
# for tests and the driver's side of a ring: for the programs of this folder alone.

ring_objects := $(patsubst $(tree)/%.c,$(out)/obj/%.o, \
	$(wildcard $(tree)/module/ring/*.c) $(addprefix $(tree)/selftests/ring/, \
	test_memory.c ring_driver.c ring_fixture.c))
archive_ring := $(out)/obj/libring.a

$(out)/obj/selftests/ring/%.o: vhb_cppflags += $(ring_cppflags)

$(archive_ring): $(ring_objects) $(flags_stamp)
	$(call say,AR,$@)rm -f $@ && $(AR) rcs $@ $(filter %.o,$^)

$(filter $(programs_dir)/ring/%,$(test_programs)): $(archive_ring)

-include $(ring_objects:.o=.d)

# The fuzzer of the ring engine: a driver that changes memory while we read.
fuzzers += $(out)/fuzz/ring_fuzz
fuzz_ring_sources := $(wildcard $(tree)/module/ring/*.c) \
	$(tree)/selftests/ring/test_memory.c $(tree)/selftests/ring/ring_fuzz.c

$(out)/fuzz/ring_fuzz: $(fuzz_ring_sources) $(wildcard $(tree)/module/*/*.h \
	$(tree)/selftests/ring/*.h $(tree)/userspace/virtqueue/shim/*/*.h)
	@mkdir -p $(@D)
	$(call say,FUZZER,$@)$(fuzz_compile) $(ring_cppflags) -o $@ $(fuzz_ring_sources)
