/* build.h - from a source to the program that matches it. */
#pragma once

#include "grammar/grammar.h"
#include "grammar/program.h"

bool build_program(struct program *p, const struct grammar_source *s, struct err *e) MUST_CHECK;
