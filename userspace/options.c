// SPDX-License-Identifier: GPL-2.0-or-later
#include "options.h"

#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <stdarg.h>
#include <string.h>

#include "lib/bits.h"
#include "option_row.h"
#include "option_values.h"

#define PROGRAM "vhost-bridge"

/* Beyond any character, so that getopt's return values tell options apart. */
#define FIRST_OPTION 256

static const struct vhb_option_set * const sets[] = {
	&vhb_net_option_set,
	&vhb_blk_option_set,
	&vhb_status_option_set,
	&vhb_top_option_set,
};

static const char * const planned_types[] = {
	"vsock", "scsi", "vdpa",
};

int vhb_usage(const struct vhb_parse *parse, const char *format, ...)
{
	va_list args;

	fputs(PROGRAM ": ", stderr);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fprintf(stderr, " (see " PROGRAM "%s%s --help)\n",
		parse->set ? " " : "", parse->set ? parse->set->type_name : "");
	return -EINVAL;
}

static int take_socket_path(struct vhb_parse *parse, const char *value)
{
	if (!*value)
		return vhb_usage(parse, "--socket-path needs the path of a socket");
	parse->options->socket_path = value;
	return 0;
}

static int take_fd(struct vhb_parse *parse, const char *value)
{
	uint64_t fd;

	if (vhb_value_number(value, 0, INT_MAX, &fd))
		return vhb_usage(parse, "--fd=%s is no descriptor number", value);
	parse->options->socket_fd = fd;
	return 0;
}

static int take_connect(struct vhb_parse *parse, const char *value)
{
	(void)value;
	parse->options->is_client = true;
	return 0;
}

static int take_once(struct vhb_parse *parse, const char *value)
{
	(void)value;
	parse->options->once = true;
	return 0;
}

static int take_postcopy(struct vhb_parse *parse, const char *value)
{
	(void)value;
	parse->options->has_postcopy = true;
	return 0;
}

static int take_protocol_features(struct vhb_parse *parse, const char *value)
{
	uint64_t *mask = &parse->options->protocol_features_mask;

	switch (vhb_value_protocol_features(value, mask)) {
	case 0:
		return 0;
	case -EEXIST:
		return vhb_usage(parse, "--protocol-features=%s names one twice",
				 value);
	default:
		return vhb_usage(parse, "--protocol-features=%s is no list of "
				 VHB_VALUE_PROTOCOL_FEATURES, value);
	}
}

static int take_control_dir(struct vhb_parse *parse, const char *value)
{
	if (!*value)
		return vhb_usage(parse, "--control-dir needs the path of a directory");
	parse->options->control_dir = value;
	return 0;
}

static int take_no_control(struct vhb_parse *parse, const char *value)
{
	(void)value;
	parse->options->no_control = true;
	return 0;
}

static int take_trace(struct vhb_parse *parse, const char *value)
{
	static const char subject[] = "protocol";
	const char *rest = value + strlen(subject);

	if (strncmp(value, subject, strlen(subject)) || (*rest && *rest != ','))
		return vhb_usage(parse, "--trace=%s is neither protocol nor protocol,FILE",
				 value);
	if (*rest && !rest[1])
		return vhb_usage(parse, "--trace=protocol, needs the path of a file behind the comma");
	parse->options->has_trace = true;
	parse->options->trace_path = *rest ? rest + 1 : NULL;
	return 0;
}

static int take_iommu(struct vhb_parse *parse, const char *value)
{
	(void)value;
	parse->options->has_iommu = true;
	return 0;
}

static int take_log_reply(struct vhb_parse *parse, const char *value)
{
	if (!strcmp(value, "auto"))
		parse->options->log_reply_bytes = 0;
	else if (!strcmp(value, "8"))
		parse->options->log_reply_bytes = 8;
	else if (!strcmp(value, "16"))
		parse->options->log_reply_bytes = 16;
	else
		return vhb_usage(parse, "--log-reply=%s is neither auto nor 8 nor 16",
				 value);
	return 0;
}

static int take_verbose(struct vhb_parse *parse, const char *value)
{
	(void)value;
	parse->options->verbosity++;
	return 0;
}

static int take_help(struct vhb_parse *parse, const char *value)
{
	(void)value;
	parse->options->action = VHB_ACTION_HELP;
	return 0;
}

static int take_version(struct vhb_parse *parse, const char *value)
{
	(void)value;
	parse->options->action = VHB_ACTION_VERSION;
	return 0;
}

/* What back-ends of all types have */
static const struct vhb_option_row back_end_rows[] = {
	{ "socket-path", "PATH", "listen for front-ends on this UNIX socket",
	  .is_convention = true, .take = take_socket_path },
	{ "fd", "N", "use this inherited socket, listening or connected",
	  .is_convention = true, .take = take_fd },
	{ "print-capabilities", NULL, "print JSON for management programs and end",
	  .is_convention = true, .may_repeat = true },
	{ "connect", NULL, "connect to that path, where the front-end listens, instead",
	  .take = take_connect },
	{ "once", NULL, "end after the first front-end",
	  .take = take_once },
	{ "postcopy", NULL, "let front-ends answer page faults, for postcopy migration",
	  .take = take_postcopy },
	{ "protocol-features", "NAME[,NAME]",
	  "offer these too: " VHB_VALUE_PROTOCOL_FEATURES,
	  .take = take_protocol_features },
	{ "iommu", NULL, "the guest may put an IOMMU before the device",
	  .take = take_iommu },
	{ "log-reply", "BYTES", "length of the reply to SET_LOG_BASE: auto, 8 or 16 (auto)",
	  .take = take_log_reply },
	{ "no-control", NULL, "no control socket",
	  .take = take_no_control },
	{ "trace", "protocol[,FILE]", "write down each message, our answer and the ioctls",
	  .take = take_trace },
};

/* What commands have as well */
static const struct vhb_option_row general_rows[] = {
	{ "control-dir", "DIR", "brokers' control sockets are in this directory",
	  .take = take_control_dir },
	{ "verbose", NULL, "say more on standard error; twice: every message (-v)",
	  .is_convention = true, .may_repeat = true, .take = take_verbose },
	{ "version", NULL, "print the version and end",
	  .is_convention = true, .may_repeat = true, .take = take_version },
	{ "help", NULL, "print this and end (-h)",
	  .is_convention = true, .may_repeat = true, .take = take_help },
};

#define ROWS_MAX \
	(VHB_ARRAY_COUNT(back_end_rows) + VHB_OPTION_SET_ROWS_MAX + \
	 VHB_ARRAY_COUNT(general_rows))

const struct vhb_option_row *vhb_option_row_at(const struct vhb_option_set *set,
					       unsigned int index)
{
	const unsigned int back_end_count =
		set->is_command ? 0 : VHB_ARRAY_COUNT(back_end_rows);

	if (index < back_end_count)
		return &back_end_rows[index];
	index -= back_end_count;
	if (index < set->row_count)
		return &set->rows[index];
	index -= set->row_count;
	return index < VHB_ARRAY_COUNT(general_rows) ? &general_rows[index] :
						       NULL;
}

static unsigned int index_of_letter(const struct vhb_option_set *set,
				    int letter)
{
	const char *name = letter == 'v' ? "verbose" : "help";
	unsigned int i;

	for (i = 0; strcmp(vhb_option_row_at(set, i)->name, name); i++)
		;
	return i;
}

/* @argument is what getopt stumbled over. */
static int bad_option(const struct vhb_parse *parse, int result, int option,
		      const char *argument)
{
	int name_length = strcspn(argument, "=");
	const struct vhb_option_row *row;

	if (option >= FIRST_OPTION) {
		row = vhb_option_row_at(parse->set, option - FIRST_OPTION);
		if (result == ':')
			return vhb_usage(parse, "option '--%s' needs a value, --%s=%s",
					 row->name, row->name, row->value);
		return vhb_usage(parse, "option '--%s' takes no value",
				 row->name);
	}
	if (option)
		return vhb_usage(parse, "unknown option '-%c'", option);
	return vhb_usage(parse, "unknown option '%.*s'", name_length, argument);
}

/* getopt_long() would take --ta for --tap, until the day there are two. */
static bool is_abbreviated(const char *argument, const char *name)
{
	size_t length = strlen(name);

	return strncmp(argument, "--", 2) ||
	       strncmp(argument + 2, name, length) ||
	       (argument[2 + length] && argument[2 + length] != '=');
}

static void fill_table(const struct vhb_option_set *set, struct option *table)
{
	const struct vhb_option_row *row;
	unsigned int i;

	for (i = 0; (row = vhb_option_row_at(set, i)); i++) {
		table[i].name = row->name;
		table[i].has_arg = row->value ? required_argument : no_argument;
		table[i].val = FIRST_OPTION + i;
	}
}

static int parse_arguments(struct vhb_parse *parse, int argc, char **argv)
{
	struct option table[ROWS_MAX + 1] = { 0 };
	const struct vhb_option_row *row;
	bool given[ROWS_MAX] = { 0 };
	unsigned int i;
	int result;
	int ret;

	fill_table(parse->set, table);
	if (parse->set->set_defaults)
		parse->set->set_defaults(parse->options);

	/* Zero, not one, makes glibc forget an earlier command line. */
	optind = 0;
	opterr = 0;
	while (parse->options->action == VHB_ACTION_RUN) {
		const char *argument = argv[optind ? optind : 1];

		result = getopt_long(argc, argv, "+:hv", table, NULL);
		if (result == -1)
			break;
		if (result == '?' || result == ':')
			return bad_option(parse, result, optopt, argument);
		i = result < FIRST_OPTION ?
			    index_of_letter(parse->set, result) :
			    (unsigned int)result - FIRST_OPTION;
		row = vhb_option_row_at(parse->set, i);
		if (result >= FIRST_OPTION &&
		    is_abbreviated(argument, row->name))
			return bad_option(parse, '?', 0, argument);
		if (given[i] && !row->may_repeat)
			return vhb_usage(parse, "option '--%s' is given twice",
					 row->name);
		given[i] = true;
		ret = row->take(parse, optarg);
		if (ret)
			return ret;
	}
	if (parse->options->action == VHB_ACTION_RUN && optind < argc)
		return vhb_usage(parse, "unexpected argument '%s'",
				 argv[optind]);
	return 0;
}

static int check_back_end(const struct vhb_parse *parse)
{
	const struct vhb_options *options = parse->options;

	if (options->socket_path && options->socket_fd >= 0)
		return vhb_usage(parse, "--socket-path and --fd exclude each other");
	if (options->control_dir && options->no_control)
		return vhb_usage(parse, "--control-dir and --no-control exclude each other");
	if (options->is_client && options->socket_fd >= 0)
		return vhb_usage(parse, "--connect goes with --socket-path, not with --fd");
	if (!options->socket_path && options->socket_fd < 0)
		return vhb_usage(parse,
				 "where do front-ends connect? --socket-path=PATH or --fd=N is missing, such as --socket-path=/run/vhost-bridge/%s0.sock",
				 parse->set->type_name);
	return 0;
}

const struct vhb_option_set *vhb_option_set_find(const char *type_name)
{
	unsigned int i;

	for (i = 0; i < VHB_ARRAY_COUNT(sets); i++)
		if (!strcmp(type_name, sets[i]->type_name))
			return sets[i];
	return NULL;
}

/* "net and blk": the types there are */
static const char *known_types(char *text, size_t text_bytes)
{
	unsigned int i, length = 0;

	*text = '\0';
	for (i = 0; i < VHB_ARRAY_COUNT(sets); i++)
		if (!sets[i]->is_command && length < text_bytes)
			length += snprintf(text + length, text_bytes - length,
					   "%s%s", length ? " and " : "",
					   sets[i]->type_name);
	return text;
}

static int find_type(struct vhb_parse *parse, const char *name)
{
	char known[64];
	unsigned int i;

	parse->set = vhb_option_set_find(name);
	if (parse->set) {
		parse->options->type_name = parse->set->type_name;
		return 0;
	}
	known_types(known, sizeof(known));
	for (i = 0; i < VHB_ARRAY_COUNT(planned_types); i++)
		if (!strcmp(name, planned_types[i]))
			return vhb_usage(parse, "'%s' is not in this version, %s are",
					 name, known);
	return vhb_usage(parse, "unknown device type '%s', %s are known", name,
			 known);
}

static bool is_asked_for(int argc, char **argv, const char *argument)
{
	int i;

	for (i = 1; i < argc; i++)
		if (!strcmp(argv[i], argument))
			return true;
	return false;
}

/*
 * Finds the device type and takes it off the arguments.
 * Return: 0, 1 when the action is known already, or -EINVAL.
 */
static int parse_type(struct vhb_parse *parse, int *argc, char ***argv)
{
	static const char prefix[] = PROGRAM "-";
	struct vhb_options *options = parse->options;
	const char *program = *argc ? (*argv)[0] : PROGRAM;
	const char *first = *argc > 1 ? (*argv)[1] : NULL;
	const char *slash = strrchr(program, '/');

	if (slash)
		program = slash + 1;
	if (!strncmp(program, prefix, strlen(prefix)) &&
	    program[strlen(prefix)]) {
		return find_type(parse, program + strlen(prefix));
	}
	if (!first)
		return vhb_usage(parse, "no device type, such as in " PROGRAM " net --socket-path=PATH --tap=tap0");
	if (!strcmp(first, "--help") || !strcmp(first, "-h")) {
		options->action = VHB_ACTION_HELP;
		return 1;
	}
	if (!strcmp(first, "--version")) {
		options->action = VHB_ACTION_VERSION;
		return 1;
	}
	if (first[0] == '-')
		return vhb_usage(parse, "the device type comes first, such as in " PROGRAM " net %s",
			     first);
	(*argc)--;
	(*argv)++;
	return find_type(parse, first);
}

int vhb_options_parse(int argc, char **argv, struct vhb_options *out)
{
	struct vhb_parse parse = { .options = out };
	int ret;

	memset(out, 0, sizeof(*out));
	out->socket_fd = -1;

	ret = parse_type(&parse, &argc, &argv);
	if (ret)
		return ret < 0 ? ret : 0;

	/* "Other options and arguments should be ignored" */
	if (!parse.set->is_command &&
	    is_asked_for(argc, argv, "--print-capabilities")) {
		out->action = VHB_ACTION_CAPABILITIES;
		return 0;
	}
	ret = parse_arguments(&parse, argc, argv);
	if (ret || out->action != VHB_ACTION_RUN)
		return ret;
	if (!parse.set->is_command) {
		ret = check_back_end(&parse);
		if (ret)
			return ret;
	}
	return parse.set->check(&parse);
}

static void print_sets(bool are_commands, FILE *out)
{
	unsigned int i;

	for (i = 0; i < VHB_ARRAY_COUNT(sets); i++)
		if (sets[i]->is_command == are_commands)
			fprintf(out, "  %-6s %s\n", sets[i]->type_name,
				sets[i]->summary);
}

static void print_general_help(FILE *out)
{
	fputs("Usage: " PROGRAM " TYPE --socket-path=PATH [OPTION]...\n"
	      "       " PROGRAM " status|top [OPTION]...\n"
	      "       " PROGRAM " [TYPE|status|top] --help | --version\n"
	      "\n"
	      "Gives a virtual machine a device of the host's kernel over vhost-user.\n"
	      "\n"
	      "Types:\n",
	      out);
	print_sets(false, out);
	fputs("\nElse:\n", out);
	print_sets(true, out);
}

static void print_row(const struct vhb_option_row *row, FILE *out)
{
	char heading[64];

	snprintf(heading, sizeof(heading), "--%s%s%s", row->name,
		 row->value ? "=" : "", row->value ? row->value : "");
	fprintf(out, "  %-22s %s\n", heading, row->help);
}

void vhb_options_print_help(const struct vhb_options *options, FILE *out)
{
	const struct vhb_option_set *set;
	const struct vhb_option_row *row;
	unsigned int i;

	if (!options->type_name) {
		print_general_help(out);
		return;
	}
	set = vhb_option_set_find(options->type_name);
	fprintf(out, "Usage: " PROGRAM " %s %s%s [OPTION]...\n\n%s\n",
		set->type_name,
		set->is_command ? "" : "--socket-path=PATH|--fd=N ",
		set->synopsis, set->about);
	for (i = 0; (row = vhb_option_row_at(set, i)); i++)
		print_row(row, out);
	fputs("\nExit status: 0 fine, 1 failed, 2 wrong usage.\n", out);
}
