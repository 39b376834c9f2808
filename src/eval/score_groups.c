/* score_groups.c - accuracy of each kind of problem, where the rows say of what kind theirs is. */
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/num.h"
#include "eval/score.h"

/* Numbers by value ("level": 10 behind 2), in front of anything else, which goes by its bytes. */
static int compare_names(const void *a, const void *b)
{
    const struct str *x = &((const struct score_group *)a)->name,
                     *y = &((const struct score_group *)b)->name;
    double p = 0, q = 0;
    bool is_number = parse_f64(*x, &p), is_other_number = parse_f64(*y, &q);

    if (is_number != is_other_number)
        return is_number ? -1 : 1;
    if (is_number && p != q)
        return p < q ? -1 : 1;
    return str_cmp(*x, *y);
}

static struct score_group *find_group(struct score *s, struct str name)
{
    for (int g = 0; g < s->n_groups; g++)
        if (str_eq(s->groups[g].name, name))
            return &s->groups[g];
    if (s->n_groups == SCORE_MAX_GROUPS)
        return NULL;
    s->groups[s->n_groups] = (struct score_group){.name = name};
    return &s->groups[s->n_groups++];
}

static void compute_group(const struct score *s, struct score_group *g, struct tally *t)
{
    int n = 0;

    for (int p = 0; p < s->n_problems; p++) {
        const struct score_problem *q = &s->problems[p];

        if (q->n_rows == 0 || !str_eq(q->group, g->name))
            continue;
        t[n++] = (struct tally){q->n_right, q->n_rows};
        g->n_rows += q->n_rows;
        g->n_right += q->n_right;
    }
    g->n_problems = n;
    g->these = interval_these_problems(t, n, s->opts.confidence_level);
    g->like = interval_problems_like_these(t, n, s->opts.confidence_level);
}

void score_compute_groups(struct score *s)
{
    struct tally *t = xcalloc((size_t)s->n_problems, sizeof(*t));

    s->groups = arena_array(&s->arena, SCORE_MAX_GROUPS, sizeof(*s->groups));
    for (int p = 0; p < s->n_problems; p++)
        if (s->problems[p].n_rows && s->problems[p].group.len &&
            !find_group(s, s->problems[p].group)) {
            log_warn(
                "%s: \"%s\" has more than %d values; accuracy by it is left out (--group_key names another field)",
                s->opts.input_path, s->opts.group_key, SCORE_MAX_GROUPS);
            s->n_groups = 0;
            break;
        }
    qsort(s->groups, (size_t)s->n_groups, sizeof(*s->groups), compare_names);
    for (int g = 0; g < s->n_groups; g++)
        compute_group(s, &s->groups[g], t);
    free(t);
}
