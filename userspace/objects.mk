# SPDX-License-Identifier: GPL-2.0-or-later
#
# How the broker's objects are made, for the broker and for the tests, which
# link all of them but main.o. Include after flags.mk.

# The module's virtqueues are among them, with headers in shim/ that stand in for
# the kernel's.
broker_sources := $(wildcard $(tree)/userspace/*.c $(tree)/userspace/*/*.c \
	$(tree)/module/ring/*.c)
broker_objects := $(broker_sources:$(tree)/%.c=$(out)/obj/%.o)
broker_main := $(out)/obj/userspace/main.o
# What main.c only puts together, as an archive: a test pulls what it needs and
# may bring its own version of a file.
broker_archive := $(out)/obj/libvhost-bridge.a

$(broker_archive): $(filter-out $(broker_main),$(broker_objects)) $(flags_stamp)
	$(call say,AR,$@)rm -f $@ && $(AR) rcs $@ $(filter %.o,$^)

$(out)/vhost-bridge: $(broker_main) $(broker_archive)
	$(call say,LINK,$@)$(link) -o $@ $^ $(vhb_libs)

$(out)/obj/%.o: $(tree)/%.c $(flags_stamp)
	@mkdir -p $(@D)
	$(call say,CC,$@)$(compile) -c -o $@ $<

ring_cppflags := -I$(tree)/userspace/virtqueue/shim -I$(tree)/module
$(out)/obj/module/ring/%.o $(out)/obj/userspace/virtqueue/%.o: vhb_cppflags += $(ring_cppflags)

-include $(broker_objects:.o=.d)
