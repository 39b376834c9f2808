/* tokenizer.c - how fast text becomes ids: English, code, Chinese, one unbroken word; and how fast
 * a tokenizer opens.
 *
 *   bench_tokenizer DIR...   folders with a tokenizer.json
 *
 * English is data/gsm8k.jsonl, code is src/, Chinese is drawn from common words, the unbroken word
 * is a million random letters. Texts are encoded in parts of 16 KiB, as long as a prompt, but the
 * word as a whole. "first" is the first pass, when no word is remembered; "best" the best of five
 * later ones. Times are those that the thread had on a core, so that other programs on the machine
 * disturb them less. */
#include <dirent.h>

#include "base/arena.h"
#include "base/file.h"
#include "formats/json.h"
#include "formats/jsonl.h"
#include "tokenizer/tokenizer.h"

#define PART       16384
#define TEXT_BYTES 1000000

static void die(const struct err *e)
{
    fprintf(stderr, "bench_tokenizer: %s\n", e->msg);
    exit(2);
}

static int64_t now_us(void)
{
    struct timespec t;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static uint32_t draw(uint64_t *state)
{
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(*state >> 33);
}

static void add_english(struct buf *out)
{
    struct file_map file;
    struct err e = ERR_INIT;
    struct jsonl lines;
    struct str line;

    if (!file_map_open(SOURCE_DIR "/data/gsm8k.jsonl", &file, &e))
        die(&e);
    jsonl_init(&lines, (struct str){file.ptr, file.len});
    while (jsonl_next(&lines, &line)) {
        struct json *doc = json_parse(line, &e);

        if (!doc)
            die(&e);
        for (struct json_iter it = json_iter(doc); json_next(&it);)
            if (json_type(it.value) == JSON_STRING) {
                buf_add_str(out, json_str(it.value));
                buf_addc(out, '\n');
            }
        json_close(doc);
    }
    file_map_close(&file);
}

static void add_code(const char *dir, struct buf *out)
{
    struct dirent **names;
    int n = scandir(dir, &names, NULL, alphasort);
    struct arena a;

    arena_init(&a, 0);
    for (int i = 0; i < n; i++) {
        const char *path = path_join(&a, dir, names[i]->d_name);
        struct str name = STR(names[i]->d_name);
        struct err e = ERR_INIT;
        struct buf file = {0};

        if (names[i]->d_type == DT_DIR && name.ptr[0] != '.')
            add_code(path, out);
        else if (str_ends(name, ".c") || str_ends(name, ".h"))
            if (!file_read(path, 0, &file, &e))
                die(&e);
        buf_add_str(out, buf_str(&file));
        buf_clear(&file);
        free(names[i]);
    }
    if (n >= 0)
        free(names);
    arena_clear(&a);
}

static void add_chinese(struct buf *out)
{
    static const char *const words[] = {
        "我们", "的",   "是",   "在",   "一个", "问题", "可以", "这个",   "不",   "了",   "和",
        "有",   "学生", "老师", "时间", "计算", "数学", "模型", "语言",   "方法", "如果", "那么",
        "因为", "所以", "但是", "已经", "开始", "结束", "中国", "城市",   "世界", "人民", "发展",
        "经济", "技术", "研究", "结果", "证明", "函数", "方程", "三角形", "面积", "长度", "整数",
        "最大", "最小", "求",   "设",   "得到", "需要", "使用", "不同",   "相同", "其中", "每天",
        "今天", "明天", "公司", "工作", "生活", "。",   "，",   "；",     "？",
    };
    uint64_t state = 7;

    while (out->len < TEXT_BYTES)
        buf_addz(out, words[draw(&state) % LEN(words)]);
}

static void add_word(struct buf *out)
{
    static const char letters[] = "eeeeeetttttaaaaoooiiinnnsssrrhhddlluucmfywgpbvkxqjz";
    uint64_t state = 11;

    while (out->len < TEXT_BYTES)
        buf_addc(out, letters[draw(&state) % (sizeof(letters) - 1)]);
}

/* Seconds for one pass. */
static double pass(const struct tokenizer *t, struct str text, size_t part, size_t *n_tokens)
{
    struct token_buf ids = {0};
    struct err e = ERR_INIT;
    int64_t from = now_us();

    for (size_t at = 0, to; at < text.len; at = to) {
        to = MIN(at + part, text.len);
        while (to < text.len && ((unsigned char)text.ptr[to] & 0xC0) == 0x80)
            to++;
        if (!tokenizer_encode(t, str_slice(text, at, to), ENCODE_PARSE_SPECIAL, &ids, &e))
            die(&e);
    }
    *n_tokens = ids.n;
    token_buf_clear(&ids);
    return (double)(now_us() - from) / 1e6;
}

static void bench_text(const char *dir, const char *what, const struct buf *text, size_t part)
{
    struct err e = ERR_INIT;
    struct tokenizer *t = tokenizer_open(dir, &e);
    double first, best = 1e9, mb = (double)text->len / 1e6;
    size_t n_tokens;

    if (!t)
        die(&e);
    first = pass(t, buf_str(text), part, &n_tokens);
    for (int i = 0; i < 5; i++)
        best = MIN(best, pass(t, buf_str(text), part, &n_tokens));
    printf("  %-16s %5.2f MB %8zu tokens  first %6.1f MB/s  best %6.1f MB/s\n", what, mb, n_tokens,
           mb / first, mb / best);
    tokenizer_close(t);
}

static void bench_open(const char *dir)
{
    int64_t best = INT64_MAX, worst = 0;
    int32_t size = 0;

    for (int i = 0; i < 7; i++) {
        struct err e = ERR_INIT;
        int64_t from = now_us(), took;
        struct tokenizer *t = tokenizer_open(dir, &e);

        if (!t)
            die(&e);
        took = now_us() - from;
        best = MIN(best, took);
        worst = MAX(worst, took);
        size = tokenizer_vocab_size(t);
        tokenizer_close(t);
    }
    printf("%s: %d tokens, opens in %.1f ms (worst of seven %.1f ms)\n", path_base(dir), size,
           (double)best / 1e3, (double)worst / 1e3);
}

int main(int argc, char **argv)
{
    struct buf english = {0}, code = {0}, chinese = {0}, word = {0};

    if (argc < 2) {
        fprintf(stderr, "usage: bench_tokenizer DIR...\n");
        return 2;
    }
    add_english(&english);
    add_code(SOURCE_DIR "/src", &code);
    add_chinese(&chinese);
    add_word(&word);
    for (int i = 1; i < argc; i++) {
        bench_open(argv[i]);
        bench_text(argv[i], "English", &english, PART);
        bench_text(argv[i], "code", &code, PART);
        bench_text(argv[i], "Chinese", &chinese, PART);
        bench_text(argv[i], "unbroken word", &word, TEXT_BYTES);
    }
    buf_clear(&english);
    buf_clear(&code);
    buf_clear(&chinese);
    buf_clear(&word);
    return 0;
}
