#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# vhost-bridge net --trace=protocol, while a guest comes, works and goes.
set -euo pipefail

cd -- "$(dirname -- "${BASH_SOURCE[0]}")"
. ./broker.sh
. ../lib/trace.sh

# hold_guest: a guest with a working card, for a moment
hold_guest() {
	"$pinger" "$work/one.sock" 1 hold >"$work/hold.out" 2>&1 &
	holder=$!
	wait_for "the guest" grep -q '^up$' "$work/hold.out"
	kill "$holder"
	wait "$holder" || true
}

# caused MESSAGE CALL: CALL stands below MESSAGE, before the next
caused() {
	awk -v message="$1" -v call="$2" '/^[0-9]/ { below = $0 ~ message } /^    / && below && $0 ~ call { found = 1 }
		END { exit !found }' "$trace" || {
		printf 'no "%s" below "%s"\n' "$1" "$2"
		cat "$trace"
		return 1
	}
}

tells_messages_answers_and_calls() {
	trace=$work/trace
	start_broker one --tap=vhbtrace0 --trace="protocol,$trace"
	[ "$(stat -c %a "$trace")" = 600 ]
	hold_guest
	wait_for "the end" grep -q 'front-end disconnected' "$trace"
	stop_broker one
	head -n 60 "$trace"
	traced "^$time_of_day vhost-bridge [0-9.]+ net pid=[0-9]+\$"
	traced "^$time_of_day front-end connected pid=$holder uid=0\$"
	traced "^$time_of_day GET_FEATURES -> reply features=0x[0-9a-f]+\(CSUM,.*,PROTOCOL_FEATURES,VERSION_1.*\) \([0-9]+ us\)\$"
	traced "^$time_of_day SET_MEM_TABLE .*regions=1 \{gpa=0x[0-9a-f]+ .*\} fds=1\[memfd:0x[0-9a-f]+\] -> "
	traced "^$time_of_day SET_VRING_KICK .*vring=0 fds=1\[eventfd\] -> "
	caused '.' '^    VHOST_SET_OWNER fd=[0-9]+ = 0$'
	caused '.' '^    VHOST_SET_FEATURES fd=[0-9]+ features=0x[0-9a-f]+[(].*VERSION_1.*[)] = 0$'
	caused '.' '^    VHOST_SET_MEM_TABLE fd=[0-9]+ regions=1 [{]gpa=0x[0-9a-f]+ size=0x[0-9a-f]+ hva=0x[0-9a-f]+[}] = 0$'
	caused 'vring=1' '^    VHOST_NET_SET_BACKEND fd=[0-9]+ vring=1 file=file = 0$'
	caused 'front-end disconnected' '^    VHOST_RESET_OWNER fd=[0-9]+ = 0$'
	# Nothing else is in it.
	fails grep -vE "^$time_of_day (vhost-bridge |front-end |[A-Z_]+ .* \([0-9]+ us\)\$)|^    VHOST_[A-Z_]+ fd=" "$trace"
}

offers_what_the_documentation_says() {
	local option

	trace=$work/plain
	start_broker one --tap=vhbtrace0 --trace="protocol,$trace"
	hold_guest
	stop_broker one
	expect_offers net
	for option in $(documented_options net); do
		trace=$work/option
		rm -f "$trace"
		start_broker one --tap=vhbtrace0 --trace="protocol,$trace" "$option"
		hold_guest
		stop_broker one
		expect_offers net "$option"
	done
}

goes_to_standard_error_too() {
	start_broker one --tap=vhbtrace0 --trace=protocol
	hold_guest
	trace=$work/one.err
	wait_for "the end" grep -q 'front-end disconnected' "$trace"
	stop_broker one
	traced "^$time_of_day SET_OWNER .*-> (none|ack 0) \([0-9]+ us\)\$"
	traced '^ready$'
}

is_off_unless_asked_for() {
	start_broker one --tap=vhbtrace0
	hold_guest
	stop_broker one
	[ "$(cat "$work/one.err")" = ready ]
}

a_file_that_cannot_be_is_refused() {
	says 1 'No such file' 'choose another' "$broker" net --socket-path="$work/s" --tap=vhbtrace0 \
		--trace="protocol,$work/no/such/file"
	[ ! -e "$work/s" ]
}

# Also a disk that is full does not hold up the guest.
a_full_disk_is_no_harm() {
	start_broker one --tap=vhbtrace0 --trace=protocol,/dev/full
	hold_guest
	stop_broker one
}

need_vhost_net
need_program "$pinger" "make test-programs"
enter_netns
run_cases tells_messages_answers_and_calls offers_what_the_documentation_says goes_to_standard_error_too is_off_unless_asked_for \
	a_file_that_cannot_be_is_refused a_full_disk_is_no_harm
