# SPDX-License-Identifier: GPL-2.0-or-later
#
# Compiler flags and libraries, for the broker and for the tests that link its
# objects. The including makefile sets `tree` to the top of the checkout and
# `out` to the build directory.
#
#   W=1         warnings are errors
#   SANITIZE=1  AddressSanitizer and UndefinedBehaviorSanitizer

ifeq ($(origin CC),default)
CC := gcc
endif
AR ?= ar
PKG_CONFIG ?= pkg-config

# One line that names every missing Debian package, instead of one at a time.
library_packages := liburing:liburing-dev libmnl:libmnl-dev libkmod:libkmod-dev
ifdef WITH_CMOCKA
library_packages += cmocka:libcmocka-dev
endif
libraries := $(foreach p,$(library_packages),$(firstword $(subst :, ,$(p))))

has = $(shell command -v $(firstword $(1)) 2>/dev/null)
missing := $(if $(call has,$(CC)),,$(notdir $(firstword $(CC))) libc6-dev)
ifeq ($(call has,$(PKG_CONFIG)),)
missing += pkg-config $(foreach p,$(library_packages),$(lastword $(subst :, ,$(p))))
else
missing += $(foreach p,$(library_packages),$(if $(shell $(PKG_CONFIG) \
	--exists $(firstword $(subst :, ,$(p))) && echo yes),,$(lastword $(subst :, ,$(p)))))
endif
ifneq ($(strip $(missing)),)
$(error missing Debian packages: $(strip $(missing)) (apt-get install $(strip $(missing)), or selftests/vm/packages.sh install build))
endif

vhb_cppflags := -D_GNU_SOURCE -I$(tree)/userspace -I$(tree)/include/uapi
vhb_cflags := -std=gnu11 -O2 -g -Wall -Wextra
vhb_ldflags :=

ifdef SANITIZE
# The sanitizers check more than FORTIFY_SOURCE, which would hide calls from
# them.
vhb_cflags += -O1 -fno-omit-frame-pointer -fsanitize=address,undefined \
	-fno-sanitize-recover=all
vhb_ldflags += -fsanitize=address,undefined
else
vhb_cppflags += -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2
vhb_cflags += -fstack-protector-strong -fPIE
vhb_ldflags += -pie -Wl,-z,relro,-z,now
endif
ifneq ($(W),)
vhb_cflags += -Werror
endif

vhb_cflags += $(shell $(PKG_CONFIG) --cflags $(libraries))
vhb_libs := $(shell $(PKG_CONFIG) --libs $(libraries))

compile = $(CC) $(vhb_cppflags) $(CPPFLAGS) $(vhb_cflags) $(CFLAGS) -MMD -MP
link = $(CC) $(vhb_cflags) $(CFLAGS) $(vhb_ldflags) $(LDFLAGS)

ifeq ($(V),)
say = @printf '  %-7s %s\n' '$(1)' '$(patsubst $(out)/%,%,$(2))';
endif

# Objects built by another compiler or with other flags do not mix.
flags_stamp := $(out)/flags
flags_now := $(compile) $(link) $(vhb_libs)
ifneq ($(flags_now),$(if $(wildcard $(flags_stamp)),$(shell cat $(flags_stamp))))
$(shell mkdir -p $(out))
$(file >$(flags_stamp),$(flags_now))
endif
