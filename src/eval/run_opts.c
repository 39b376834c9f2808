/* run_opts.c - see run_opts.h. Defaults are those of the README that users come from. */
#include "eval/run_opts.h"

#include "base/arena.h"
#include "formats/json.h"

#define S struct data_opts
const struct opt data_table[] = {
    OPT_STR(S, input_file, NULL,
            "problems: JSON Lines, one object each, with \"prompt\" and \"answer\"",
            .flags = OPT_REQUIRED | OPT_UNRECORDED),
    OPT_STR(S, output_file, "output.jsonl",
            "answers: one JSON line for each sample. When the file is there, the run "
            "goes on where it ended",
            .flags = OPT_UNRECORDED),
    OPT_STR(S, input_key, "prompt", "the field that holds the prompt"),
    OPT_STR(S, label_key, "answer", "the field that holds the reference answer",
            .flags = OPT_UNRECORDED),
    OPT_STR(S, response_key, "gen", "the field that answers are written to"),
    OPT_BOOL(S, repair_resume, "false",
             "set damaged lines of the output file aside and sample them again",
             .flags = OPT_UNRECORDED),
    OPT_CHOICE(S, fsync, "interval", "always|interval|never",
               "when answers are forced to the disk: after each one, "
               "once a second, or when the system likes",
               .flags = OPT_UNRECORDED),
    {0},
};
#undef S

#define S struct prompt_opts
const struct opt prompt_table[] = {
    OPT_CHOICE(S, system_prompt_type, "empty",
               "empty|default|qwen_math|deepseek_r1|amthinking|openr1",
               "a system prompt by name; docs/online.md has their texts"),
    OPT_STR(S, system_prompt, NULL, "a system prompt of your own"),
    OPT_BOOL(S, enable_thinking, "false",
             "handed to the chat template when the flag is given, either way",
             .flags = OPT_UNRECORDED),
    OPT_STR(S, chat_template_kwargs, "",
            "JSON object of variables for the chat template: {\"enable_thinking\": false}"),
    {0},
};
#undef S

#define S struct sampling_opts
const struct opt sampling_table[] = {
    OPT_INT(S, n_samples, "1", 1, 65536, "answers for each problem; 64 for AIME"),
    OPT_REAL(S, temperature, "0.6", 0, 2, "0 takes the likeliest token"),
    OPT_REAL(S, top_p, "0.95", 0, 1, "the likeliest tokens that together have this probability"),
    OPT_INT(S, top_k, "40", -1, 1000000, "the so many likeliest tokens; -1 or 0: all"),
    OPT_REAL(S, min_p, "0", 0, 1,
             "tokens with at least this share of the likeliest one's probability"),
    OPT_INT(S, max_tokens, "32768", 1, 16777216, "the longest answer, reasoning included",
            .alias = "max_completion_tokens"),
    OPT_REAL(S, repetition_penalty, "1", 0.01, 10, "1: none"),
    OPT_REAL(S, presence_penalty, "0", -2, 2, "0: none"),
    OPT_REAL(S, frequency_penalty, "0", -2, 2, "0: none"),
    OPT_LIST(S, stop, "text that ends an answer; may be given several times"),
    OPT_I64(S, seed, "0", 0, 9e15,
            "the run's; every sample's own follows from it, the doc_id and the sample index"),
    OPT_CHOICE(S, overlong, "clamp", "clamp|reject",
               "when prompt and max_tokens exceed the context: shorten the "
               "answer's limit (counted and recorded), or fail the sample"),
    {0},
};
#undef S

#define S struct run_opts
const struct opt run_table[] = {
    OPT_INT(S, max_failures, "0", 0, INT32_MAX,
            "failed samples after which the run stops; 0: no limit", .flags = OPT_UNRECORDED),
    OPT_INT(S, max_consecutive_failures, "100", 0, INT32_MAX,
            "failed samples in a row after which the run stops, prompts over the context apart; "
            "0: no limit",
            .flags = OPT_UNRECORDED),
    {0},
};
#undef S

static const struct {
    const char *type;
    struct str text;
} system_prompts[] = {
    {"empty", STR_LIT("")},
    {"default", STR_LIT("You are a helpful assistant.")},
    {"qwen_math",
     STR_LIT("Please reason step by step, and put your final answer within \\boxed{}.")},
    {"deepseek_r1", STR_LIT("A conversation between User and Assistant. The User asks a question, "
                            "and the Assistant solves it. "
                            "The Assistant first thinks about the reasoning process in the mind "
                            "and then provides the User with the "
                            "answer. The reasoning process is enclosed within <think> </think> and "
                            "the answer is enclosed within "
                            "<answer> </answer>.")},
    {"amthinking", STR_LIT("You are a helpful assistant. To answer the user's question, you first "
                           "think about the reasoning process "
                           "and then provide the user with the answer. The reasoning process and "
                           "answer are enclosed within <think> "
                           "</think> and <answer> </answer> tags, respectively, i.e., <think> "
                           "reasoning process here </think> "
                           "<answer> answer here </answer>.")},
    {"openr1", STR_LIT("You are a helpful AI Assistant that provides well-reasoned and detailed "
                       "responses. You first think about "
                       "the reasoning process as an internal monologue and then provide the user "
                       "with the answer. Respond in the "
                       "following format: <think>\n...\n</think>\n<answer>\n...\n</answer>")},
};

struct str system_prompt_text(const char *type)
{
    for (size_t i = 0; i < LEN(system_prompts); i++)
        if (strcmp(system_prompts[i].type, type) == 0)
            return system_prompts[i].text;
    return STR("");
}

struct sampling sampling_of(const struct sampling_opts *o, struct str *stop)
{
    struct sampling s = sampling_default();

    s.temperature = o->temperature;
    s.top_p = o->top_p;
    s.top_k = MAX(0, o->top_k);
    s.min_p = o->min_p;
    s.repetition_penalty = o->repetition_penalty;
    s.presence_penalty = o->presence_penalty;
    s.frequency_penalty = o->frequency_penalty;
    s.max_tokens = o->max_tokens;
    for (int i = 0; i < o->stop.n; i++)
        stop[i] = STR(o->stop.items[i]);
    s.stop = stop;
    s.n_stop = o->stop.n;
    return s;
}

static const struct opt *find_opt(const struct opt *table, const char *name)
{
    while (strcmp(table->name, name) != 0)
        table++;
    return table;
}

bool prompt_kwargs(struct prompt_opts *o, int argc, char **argv, struct json **kwargs,
                   struct err *e)
{
    struct buf text = {0};

    *kwargs = NULL;
    if (o->chat_template_kwargs[0]) {
        *kwargs = json_parse(STR(o->chat_template_kwargs), e);
        if (*kwargs && json_type(*kwargs) != JSON_OBJECT)
            err_set(e, ERR_INPUT, "%s, expected an object", json_type_name(json_type(*kwargs)));
        err_prefix(e, "--chat_template_kwargs");
        if (e->code != ERR_NONE)
            return false;
    }
    if (!opts_given(find_opt(prompt_table, "enable_thinking"), argc, argv))
        return true;
    if (!*kwargs)
        *kwargs = json_new_object();
    json_set(*kwargs, "enable_thinking", json_new_bool(o->enable_thinking));
    json_write(&text, *kwargs);
    free((char *)(uintptr_t)o->chat_template_kwargs);
    o->chat_template_kwargs = xstrdup(buf_z(&text));
    buf_clear(&text);
    return true;
}
