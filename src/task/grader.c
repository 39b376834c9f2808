/* grader.c - the graders, and which one a task takes by its name. */
#include "task/grader.h"

#include "task/graders.h"

const struct grader *const graders[] = {
    &grader_math,
    &grader_choice,
    &grader_exact,
    NULL,
};

const struct grader *grader_find(struct str name)
{
    for (size_t i = 0; graders[i]; i++) {
        if (str_eqz(name, graders[i]->name))
            return graders[i];
    }
    return NULL;
}

/* Names are "family/benchmark"; a bare benchmark is mathematics unless it is known to be something
 * else. */
const struct grader *grader_for_task(struct str task_name)
{
    static const struct {
        const char *prefix;
        const struct grader *grader;
    } families[] = {
        {"math_opensource/", &grader_math}, {"multiple_choice/", &grader_choice},
        {"mmlu", &grader_choice},           {"gpqa", &grader_choice},
        {"arc_", &grader_choice},           {"hellaswag", &grader_choice},
        {"mmmu", &grader_choice},           {"ceval", &grader_choice},
        {"exact/", &grader_exact},
    };

    for (size_t i = 0; i < LEN(families); i++) {
        if (str_starts(task_name, families[i].prefix))
            return families[i].grader;
    }
    return &grader_math;
}

const char *verdict_name(enum verdict v)
{
    switch (v) {
    case VERDICT_WRONG:
        return "wrong";
    case VERDICT_RIGHT:
        return "right";
    case VERDICT_UNKNOWN:
        return "unknown";
    }
    return "?";
}
