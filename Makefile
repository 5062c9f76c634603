# SPDX-License-Identifier: GPL-2.0-or-later
#
# `make help` says what there is. The broker's own rules are in
# userspace/Makefile, the module's in Kbuild, the test programs' in
# selftests/programs.mk.

O ?= build
# Both compilers and make itself are told what they need by name: O= and W=
# mean something else to the kernel's makefiles and must not reach them.
MAKEOVERRIDES :=
# A goal with modules, VMs and installs among its steps is not for make -j to
# reorder; the compilations below it still run in parallel.
.NOTPARALLEL:

out := $(abspath $(O))
KDIR ?= /lib/modules/$(shell uname -r)/build
PREFIX ?= /usr/local
DESTDIR ?=
pass := O=$(out) W=$(W)
ifneq ($(origin CC),default)
pass += CC="$(CC)"
endif

.DEFAULT_GOAL := all

##@ Build
.PHONY: all
all: ## the broker, O/vhost-bridge (O=DIR, default build; CC=clang; W=1 for -Werror)
	+@$(MAKE) --no-print-directory -C userspace $(pass)

.PHONY: modules
modules: ## the module, build/modules/RELEASE/vhost_bridge.ko (KDIR=DIR, default the running kernel's)
	+@module/build.sh "$(KDIR)" "$(out)/modules" $(MAKE)

.PHONY: test-programs
test-programs: ## the C test programs without sanitizers, O/selftests/ (what runs in the VM)
	+@$(MAKE) --no-print-directory -f selftests/programs.mk $(pass) programs

.PHONY: install
install: all ## broker, links vhost-bridge-TYPE, man pages, JSON descriptors (PREFIX=/usr/local, DESTDIR=)
	+@$(MAKE) --no-print-directory -C userspace $(pass) \
		PREFIX=$(PREFIX) DESTDIR=$(DESTDIR) install

dkms_source := $(DESTDIR)/usr/src/vhost-bridge-$(shell sed -n 's/^.define VHOST_BRIDGE_VERSION\s*"\(.*\)"/\1/p' include/uapi/linux/vhost_bridge.h)
.PHONY: install-dkms
install-dkms: ## the module's sources for dkms, in DESTDIR/usr/src; then: dkms install vhost-bridge/VERSION
	rm -rf $(dkms_source)
	install -d $(dkms_source)
	cp -r Kbuild Makefile dkms.conf include module $(dkms_source)

.PHONY: clean
clean: ## remove everything built (O=DIR)
	rm -rf $(out)

##@ Try
.PHONY: demo
demo: ## real guests through the bridge, in a VM: one table of what worked and how fast
	@selftests/vm/packages.sh install build vm
	@selftests/guests/make-demo.sh

.PHONY: vm-shell
vm-shell: ## a shell in the test VM, this tree at /vhb (KERNEL=6.12, 6.1 or debug)
	@selftests/vm/packages.sh install vm
	@selftests/vm/run.sh --kernel $(or $(KERNEL),6.12) --shell

##@ Test
.PHONY: check
check: ## static, unit and vm, below; last line "N passed, N failed, N skipped"
	@selftests/check.sh static unit vm

.PHONY: check-unit
check-unit: ## without a VM: C tests with sanitizers, fuzzers for a minute each (TESTS=wire/ picks by path)
	@TESTS="$(TESTS)" selftests/check.sh unit

.PHONY: check-static
check-static: ## style and layer rules (TESTS=layers picks by path)
	@TESTS="$(TESTS)" selftests/check.sh static

.PHONY: check-vm
check-vm: ## the tests that need a kernel with vhost, on 6.12 and 6.1 (KERNEL= picks one)
	@KERNEL="$(KERNEL)" selftests/check.sh vm

.PHONY: check-debug
check-debug: ## the tests of kernel code on a kernel with KASAN, lockdep, kmemleak and fault injection
	@selftests/check.sh debug

.PHONY: check-slow
check-slow: ## whole guests that migrate (SLOW_ROUNDS=2, SLOW_POSTCOPY_ROUNDS=1) or have an IOMMU
	@selftests/check.sh slow

.PHONY: check-runner
check-runner: ## the VM runner itself: status, time-outs, dirty logs, dying guests
	@selftests/check.sh runner

.PHONY: bench-blk
bench-blk: ## the block device against its backing device and another back-end: tables in O/bench/
	@selftests/vm/packages.sh install build vm
	@selftests/bench/bench-blk.sh $(out)

##@ Else
.PHONY: help
help: ## this text
	@awk 'BEGIN { FS = ":.*## " } \
		/^##@ / { printf "\n%s\n", substr($$0, 5) } \
		/^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' Makefile
	@echo
	@echo "The README has a quick start, Documentation/testing.rst more on the tests."
