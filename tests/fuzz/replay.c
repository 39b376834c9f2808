/* replay.c - runs a fuzz target over the files of a folder, without libFuzzer. */
#include <dirent.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/file.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int by_name(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

int main(int argc, char **argv)
{
    struct dirent **names;
    int n, n_run = 0;

    if (argc != 2) {
        fprintf(stderr, "usage: %s FOLDER\n", argv[0]);
        return 2;
    }
    n = scandir(argv[1], &names, NULL, by_name);
    if (n < 0) {
        fprintf(stderr, "%s: cannot be read\n", argv[1]);
        return 2;
    }
    for (int i = 0; i < n; i++) {
        struct err e = ERR_INIT;
        struct arena a;
        struct buf bytes = {0};

        arena_init(&a, 0);
        if (names[i]->d_name[0] != '.') {
            if (!file_read(path_join(&a, argv[1], names[i]->d_name), 0, &bytes, &e)) {
                fprintf(stderr, "%s\n", e.msg);
                return 2;
            }
            LLVMFuzzerTestOneInput((const uint8_t *)buf_z(&bytes), bytes.len);
            n_run++;
        }
        buf_clear(&bytes);
        arena_clear(&a);
        free(names[i]);
    }
    free(names);
    printf("%d inputs replayed\n", n_run);
    return n_run > 0 ? 0 : 1;
}
