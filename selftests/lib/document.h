/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VHB_SELFTESTS_DOCUMENT_H
#define VHB_SELFTESTS_DOCUMENT_H

/**
 * DOC: what the documentation says, for tests that compare it with the code
 *
 * Files are those of the checkout that the test was built from.
 */

/**
 * document_read() - a whole file of the checkout
 * @path: from its top, such as "Documentation/protocol.rst"
 *
 * Return: to be freed by the caller. A file that is not there fails the test.
 */
char *document_read(const char *path);

/** document_exists() - is there such a file? */
int document_exists(const char *path);

/** What a row of a simple table in reStructuredText has */
#define DOCUMENT_COLUMNS 4

/** struct document_row - one row; cells of several lines become one */
struct document_row {
	char cells[DOCUMENT_COLUMNS][1024];
};

/**
 * document_table() - a simple table: === === lines around head and body
 * @text: of the document; changed
 * @title: the section it is in, the first table there
 * @rows: receives them, without the head
 * @rows_max: room in @rows
 *
 * Return: how many; a table that is not there, or too large, fails the test.
 */
unsigned int document_table(char *text, const char *title,
			    struct document_row *rows, unsigned int rows_max);

#endif
