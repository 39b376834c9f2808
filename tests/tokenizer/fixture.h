/* fixture.h - the tokenizers that the tests run on.
 *
 * Those whose licences allow it travel with the project, packed, under tests/data/tokenizers; they
 * are unpacked by xz into a folder of the test's own. The others are read from LLMEVAL_FIXTURES. */
#pragma once

#include <dirent.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/file.h"
#include "formats/json.h"
#include "formats/jsonl.h"
#include "test.h"
#include "tokenizer/tokenizer.h"

struct fixture {
    struct arena arena;
    const char *dir; /* unpacked; removed by fixture_clear */
};

static inline int fixture_run(const char *const argv[])
{
    pid_t pid = fork();
    int status = 0;

    if (pid == 0) {
        execvp(argv[0], (char *const *)(uintptr_t)argv);
        _exit(127);
    }
    if (pid < 0 || waitpid(pid, &status, 0) != pid || !WIFEXITED(status))
        return -1;
    return WEXITSTATUS(status);
}

static inline void fixture_init(struct fixture *f)
{
    char dir[] = "/tmp/llmeval-tokenizers-XXXXXX";
    const char *script = "xz -dc \"$0\"/tokenizers.tar.xz | tar -xf - -C \"$1\"";

    arena_init(&f->arena, 0);
    if (!mkdtemp(dir))
        fail_msg("%s cannot be made", dir);
    f->dir = arena_strndup(&f->arena, dir, strlen(dir));
    if (fixture_run((const char *[]){"sh", "-c", script, TEST_DATA "/tokenizers", f->dir, NULL}) !=
        0)
        fail_msg("tests/data/tokenizers cannot be unpacked; xz and tar are needed");
}

static inline void fixture_clear(struct fixture *f)
{
    fixture_run((const char *[]){"rm", "-rf", f->dir, NULL});
    arena_clear(&f->arena);
}

/* The folder of a tokenizer of that name; NULL, with a note, when its licence keeps it elsewhere.
 */
static inline const char *fixture_find(struct fixture *f, const char *name)
{
    const char *dir = path_join(&f->arena, f->dir, name), *outside = getenv("LLMEVAL_FIXTURES");

    if (file_exists(path_join(&f->arena, dir, "tokenizer.json")))
        return dir;
    if (outside) {
        dir = path_join(&f->arena, path_join(&f->arena, outside, "tokenizers"), name);
        if (file_exists(path_join(&f->arena, dir, "tokenizer.json")))
            return dir;
    }
    print_message("%s skipped: LLMEVAL_FIXTURES does not name a folder that has it\n", name);
    return NULL;
}
