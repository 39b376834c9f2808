/* families.h - what tells one dense decoder from another. */
#pragma once

#include <stdbool.h>

#include "base/str.h"

struct model_family {
    const char *arch;     /* "architectures" of config.json */
    bool has_qkv_bias;    /* always; else only with attention_bias, and then o_proj has one too */
    bool has_head_norm;   /* q_norm and k_norm over each head */
    bool windows_by_flag; /* sliding_window counts only with use_sliding_window */
    const char *decoder, *lm_head, *vision;   /* prefixes of tensor names; vision NULL: text only */
    const char *other_decoder, *other_vision; /* the same in files of newer tools; may be NULL */
};

const struct model_family *model_family_find(struct str arch); /* NULL: not known */
const char *model_family_names(void);                          /* "Qwen2ForCausalLM, ..." */
