/* jinja_case.h - characters whose upper, lower or title case is not one other character, and the
 * few classes that utf8proc does not know. Private to jinja_text.c; the tables are made by
 * tools/make_jinja_case.py. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct special_case {
    uint32_t code_point;
    const char *upper, *title, *lower; /* UTF-8 */
};

const struct special_case *special_case_find(uint32_t code_point); /* NULL: an ordinary one */
bool text_is_case_ignorable(uint32_t code_point);
bool text_is_cjk_number(
    uint32_t code_point); /* numeric ideographs, which are letters by category */
