/* config.h - config.json and generation_config.json as a struct model_config. */
#pragma once

#include "base/err.h"
#include "base/str.h"
#include "formats/json.h"
#include "model/model.h"

enum { MODEL_MAX_LAYERS = 1024, MODEL_MAX_WIDTH = 65536 };

/* config: the object of config.json, or its text_config. Every number is checked against what the
 * kernels and the arithmetic of sizes allow. */
bool model_config_parse(const struct json *config, const struct json *rope_scaling,
                        struct model_config *c, struct err *e) MUST_CHECK;
/* Adds end-of-sequence ids and sampling defaults. */
bool model_config_add_generation(const struct json *generation, struct model_config *c,
                                 struct err *e) MUST_CHECK;
