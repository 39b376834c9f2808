/* families.c - the list of architectures. They share one forward pass (decoder.c). */
#include "model/families.h"

#include <stddef.h>

#include "base/macros.h"

static const struct model_family families[] = {
    {.arch = "Qwen2ForCausalLM",
     .has_qkv_bias = true,
     .windows_by_flag = true,
     .decoder = "model.",
     .lm_head = "lm_head.weight"},
    {.arch = "Qwen3ForCausalLM",
     .has_head_norm = true,
     .windows_by_flag = true,
     .decoder = "model.",
     .lm_head = "lm_head.weight"},
    {.arch = "LlamaForCausalLM", .decoder = "model.", .lm_head = "lm_head.weight"},
    {.arch = "MistralForCausalLM", .decoder = "model.", .lm_head = "lm_head.weight"},
    {.arch = "Qwen2_5_VLForConditionalGeneration",
     .has_qkv_bias = true,
     .windows_by_flag = true,
     .decoder = "model.",
     .lm_head = "lm_head.weight",
     .vision = "visual.",
     .other_decoder = "model.language_model.",
     .other_vision = "model.visual."},
};

const struct model_family *model_family_find(struct str arch)
{
    for (size_t i = 0; i < LEN(families); i++)
        if (str_eqz(arch, families[i].arch))
            return &families[i];
    return NULL;
}

const char *model_family_names(void)
{
    return "Qwen2ForCausalLM, Qwen3ForCausalLM, LlamaForCausalLM, MistralForCausalLM, "
           "Qwen2_5_VLForConditionalGeneration";
}
