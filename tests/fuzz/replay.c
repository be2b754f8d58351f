/* Runs a harness without libFuzzer over the files and folders named (or over its corpus, for `make unit`), and ends with
 * "1 passed, 0 failed": a corpus counts as one test. An input that breaks an invariant ends the program before that line, so
 * the run has failed. */
#include "tests/fuzz/fuzz.h"

#include <dirent.h>
#include <sys/stat.h>

static unsigned replayed;

static void replay_file(const char *path)
{
    FILE *file = fopen(path, "rb");
    FUZZ_CHECK(file && !fseek(file, 0, SEEK_END));
    long size = ftell(file);
    FUZZ_CHECK(size >= 0 && !fseek(file, 0, SEEK_SET));
    uint8_t *data = malloc((size_t)size + !size); /* of just this size, so that ASan sees a byte too far */
    FUZZ_CHECK(data && fread(data, 1, (size_t)size, file) == (size_t)size);
    fclose(file);
    (void)LLVMFuzzerTestOneInput(data, (size_t)size);
    free(data);
    replayed++;
}

static void replay(const char *path)
{
    struct stat info;
    FUZZ_CHECK(!stat(path, &info));
    if (!S_ISDIR(info.st_mode)) {
        replay_file(path);
        return;
    }
    DIR *folder = opendir(path);
    FUZZ_CHECK(folder);
    for (struct dirent *entry; (entry = readdir(folder));) {
        char inside[512];
        if (entry->d_name[0] == '.')
            continue;
        FUZZ_CHECK(snprintf(inside, sizeof inside, "%s/%s", path, entry->d_name) < (int)sizeof inside);
        replay_file(inside);
    }
    closedir(folder);
}

int main(int argc, char **argv)
{
    const char *name = strrchr(argv[0], '/');
    char corpus[512];
    FUZZ_CHECK(snprintf(corpus, sizeof corpus, "tests/fuzz/corpus/%s", name ? name + 1 : argv[0]) < (int)sizeof corpus);
    for (int i = 1; i < argc; i++)
        replay(argv[i]);
    if (argc == 1)
        replay(corpus);
    printf("%u inputs replayed\n%d passed, %d failed\n", replayed, replayed > 0, replayed == 0);
    return !replayed;
}
